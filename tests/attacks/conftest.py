"""Federations for attacks: one in this process that all share, since attacks that fail change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from waiting import federation

from fedstats.testing.federation import Federation
from fedstats.testing.transport import HONEST


@pytest.fixture(scope="package")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three departments, an analyst, and a coordinator in between."""
    with federation(tmp_path_factory.mktemp("federation"), nodes_min=1) as made:
        yield made


@pytest.fixture
def fed(founded: Federation) -> Iterator[Federation]:
    """The shared federation, with a coordinator that is honest again afterwards."""
    yield founded
    founded.relay = HONEST

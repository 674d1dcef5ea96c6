"""One real federation for all troubles that need one: founding it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_federation import Running, federation


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three trusts of the demo with a few hundred patients, a coordinator, an analyst; everything runs."""
    with federation(tmp_path_factory.mktemp("federation")) as made:
        yield made

"""Which software speaks: what nodes and coordinator tell each other of their version."""

from __future__ import annotations

from importlib.metadata import version

SOFTWARE = f"fedstats {version('fedstats')}"

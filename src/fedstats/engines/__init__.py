"""Engines: one file of this folder = one place where data is computed on.

A file here has the engine's name, offers `ENGINE`, and passes `tests/conformance/test_engines.py`: the same
rows give the same integers everywhere. Files with a leading underscore, and `mapping`, are shared by engines.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from fedstats.engines._contract import (
    ColumnReport,
    EditionOrder,
    EditionReport,
    Engine,
    Resources,
    SourceReport,
)
from fedstats.engines._definition import definition_hash
from fedstats.errors import ConfigInvalid, ExtraMissing

__all__ = [
    "ColumnReport",
    "EditionOrder",
    "EditionReport",
    "Engine",
    "Resources",
    "SourceReport",
    "definition_hash",
    "engine_of",
    "engines_here",
]

_SHARED = {"mapping"}


def engine_of(name: str) -> Engine:
    """Load the engine of this name from its file; nothing loads its database before.

    Raises
    ------
    ConfigInvalid
        There is no engine of this name.
    ExtraMissing
        Its database's driver is not installed.

    """
    if name not in engines_here():
        raise ConfigInvalid(f"{name[:40]!r} is no engine; there is {', '.join(engines_here())}.")
    try:
        engine: Engine = import_module(f"{__name__}.{name}").ENGINE
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "fedstats":
            raise
        raise ExtraMissing(
            f"The engine {name} needs {missing}, which is not installed.",
            remedy='Type: pip install "fedstats[node]"',
        ) from error
    return engine


def engines_here() -> tuple[str, ...]:
    """List the engines whose file is in this folder, without loading any."""
    files = sorted(module.name for module in iter_modules(__path__))
    return tuple(file for file in files if not file.startswith("_") and file not in _SHARED)

"""Parts of fedstats that are installed separately: which import belongs to which, and the line to type."""

from __future__ import annotations

import importlib
from types import ModuleType

from fedstats.errors import ExtraMissing

EXTRA_OF = {
    "duckdb": "node",
    "opendp": "node",
    "starlette": "coordinator",
    "uvicorn": "coordinator",
    "jinja2": "coordinator",
    "pyarrow": "analysis",
    "pandas": "analysis",
    "scipy": "analysis",
    "formulaic": "analysis",
    "matplotlib": "analysis",
    "flwr": "flower",
    "psycopg": "postgres",
    "pyspark": "spark",
}


def load(name: str) -> ModuleType:
    """The module, or ExtraMissing with the line to type."""
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise missing(problem) or problem from None


def missing(problem: ImportError) -> ExtraMissing | None:
    """The error to show for a failed import; None where the module belongs to no extra."""
    package = (problem.name or "").partition(".")[0]
    extra = EXTRA_OF.get(package)
    if extra is None:
        return None
    return ExtraMissing(
        f"This needs {package}, which is not installed.", remedy=f'Type: pip install "fedstats[{extra}]"'
    )

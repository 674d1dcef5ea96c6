"""A DuckDB that reads and writes what it was given, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fedstats.engines._contract import Resources
from fedstats.errors import DataError, SourceUnreadable

_NO_DOWNLOADS = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_THREAD_MB = 128


@dataclass(frozen=True, slots=True)
class Attached:
    """A database file under a name in the session."""

    name: str
    path: Path
    read_only: bool = True


@contextmanager
def session(
    resources: Resources,
    *,
    attached: Sequence[Attached],
    readable: Sequence[Path] = (),
    spill: Path | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the databases of `attached` open and the files of `readable` within reach.

    Extensions are never fetched, other files cannot be touched, and nothing said later can change that. What
    does not fit in memory goes to the folder `spill`; without one, nothing is written that is not attached.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        **_NO_DOWNLOADS,
        "memory_limit": f"{resources.memory_mb}MB",
        # Each thread groups in memory of its own, whatever it groups.
        "threads": max(1, min(resources.threads, resources.memory_mb // _THREAD_MB)),
        "temp_directory": "" if spill is None else str(spill),
        "preserve_insertion_order": False,  # results are sums and sets; keeping an order costs memory
    }
    with closing(duckdb.connect(":memory:", config=config)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")  # one for each statement
        for database in attached:
            mode = " (READ_ONLY)" if database.read_only else ""
            path = text(str(database.path))
            connection.execute(f"ATTACH {path} AS {identifier(database.name)}{mode}")
        if readable:
            paths = ", ".join(text(str(path)) for path in readable)
            connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A quoted text."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: Sequence[str]) -> str:
    """Quoted texts with commas between them."""
    return ", ".join(text(value) for value in values)


def problem_of(error: duckdb.Error, what: str) -> DataError:
    """DuckDB's complaint as a sentence of ours: it often quotes a row, and rows belong in no message."""
    message = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return SourceUnreadable(f"{what} needs more memory than it may use.", remedy="Raise memory_mb.")
    if "No space left" in message:
        return SourceUnreadable(
            f"{what} needs more room on the disk than there is.",
            remedy="Make room: about ten times the size of the source while an edition is made.",
        )
    line = re.search(r"CSV Error on Line: (\d+)", message)
    if line is None:
        kind = type(error).__name__.removesuffix("Exception")
        return SourceUnreadable(
            f"{what} cannot be read or written ({kind}).",
            remedy="See that its files are whole, of the kind that node.toml says, and not open for writing.",
        )
    file = re.search(r"^\s*file = (.+)$", message, flags=re.MULTILINE)
    name = Path(file[1]).name if file else what
    return SourceUnreadable(f"{name}, line {line[1]}: {_csv_reason(message)}.")


def _csv_reason(message: str) -> str:
    if "Expected Number of Columns" in message:
        return "it has more or fewer fields than the header"
    if "not utf-8 encoded" in message:
        return 'it is not UTF-8; set encoding = "latin-1" if that is what it is'
    if "Maximum line size" in message:
        return "it is longer than 2 MB"
    if "unterminated quote" in message:
        return "a quote is opened and never closed"
    return "it is not well-formed CSV"

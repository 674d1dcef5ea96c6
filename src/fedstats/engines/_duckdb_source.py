"""The source as DuckDB sees it: what to select from, and which columns it has."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fedstats.engines._duckdb_session import Attached, identifier, text, texts
from fedstats.engines.mapping import Source, SourceKind
from fedstats.errors import SourceUnreadable

SOURCE = "source"
_TEXT = "VARCHAR"


@dataclass(frozen=True, slots=True)
class LocalColumn:
    """A column of the source: how it is written in SQL, and its type."""

    sql: str
    type: str


@dataclass(frozen=True, slots=True)
class LocalTable:
    """What stands after FROM, and the columns by their local names."""

    relation: str
    columns: Mapping[str, LocalColumn]


def files_of(source: Source) -> tuple[Path, ...]:
    """The files that the source's path names, sorted.

    Raises
    ------
    SourceUnreadable
        There is none.

    """
    found = sorted(path for path in source.path.parent.glob(source.path.name) if path.is_file())
    if not found:
        raise SourceUnreadable(f"There is no file {source.path}.", remedy="Correct path in node.toml.")
    return tuple(found)


def attachments(source: Source, files: Sequence[Path]) -> tuple[Attached, ...]:
    """The databases that must be attached to read it."""
    if source.kind is not SourceKind.DUCKDB:
        return ()
    if len(files) != 1:
        raise SourceUnreadable(f"{source.path} names {len(files)} databases, and one is needed.")
    return (Attached(SOURCE, files[0]),)


def local_table(connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path]) -> LocalTable:
    """The relation to select from, in a session that can reach its files.

    Raises
    ------
    SourceUnreadable
        The files differ in their columns or are not what they should be.

    """
    if source.kind is SourceKind.CSV:
        return _csv_table(source, files)
    if source.kind is SourceKind.PARQUET:
        relation = f"read_parquet([{texts([str(path) for path in files])}])"
    else:
        schema, _, name = source.table.rpartition(".")
        relation = f"{SOURCE}.{identifier(schema or 'main')}.{identifier(name)}"
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    columns = {str(row[0]): LocalColumn(identifier(row[0]), str(row[1]).upper()) for row in described}
    return LocalTable(relation, columns)


def _csv_table(source: Source, files: Sequence[Path]) -> LocalTable:
    # Columns get names of ours by position, and each value is read as text: nothing is guessed from data.
    header = _header(source, files[0])
    for file in files[1:]:
        if _header(source, file) != header:
            raise SourceUnreadable(f"{file.name} and {files[0].name} have different columns.")
    paths = texts([str(path) for path in files])
    names = [f"c{i}" for i in range(len(header))]
    columns = ", ".join(f"{text(name)}: '{_TEXT}'" for name in names)
    relation = (
        f"read_csv([{paths}], auto_detect = false, header = true, "
        f"delim = {text(source.delimiter)}, quote = '\"', escape = '\"', "
        f"encoding = {text(source.encoding)}, columns = {{{columns}}})"
    )
    local = {name: LocalColumn(column, _TEXT) for name, column in zip(header, names, strict=True)}
    return LocalTable(relation, local)


def _header(source: Source, file: Path) -> list[str]:
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    try:
        # Whether all of it is in this encoding is seen when it is read; here only the first line counts.
        with file.open(encoding=encoding, errors="replace", newline="") as lines:
            header = [name.strip() for name in next(csv.reader(lines, delimiter=source.delimiter), [])]
    except OSError as error:
        raise SourceUnreadable(f"{file.name} cannot be read: {error.strerror}.") from None
    except (UnicodeError, csv.Error):
        raise SourceUnreadable(f"{file.name} has no header line in {source.encoding}.") from None
    if not header or len(set(header)) != len(header):
        what = "has a column name twice" if header else "has no header line"
        raise SourceUnreadable(f"{file.name} {what}.")
    return header

"""The source as DuckDB sees it: what to select from, and which columns it has."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fedstats.core.names import did_you_mean
from fedstats.engines._duckdb_session import Attached, identifier, text, texts
from fedstats.engines.mapping import Source, SourceKind
from fedstats.errors import SourceUnreadable

SOURCE = "source"
_TEXT = "VARCHAR"
_PATH_REMEDY = "Correct path in node.toml, or put the file there and let the node's user read it."
_DELIMITERS = (";", "\t", "|", ",")
_BEGINNING_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class LocalColumn:
    """A column of the source: how it is written in SQL, and its type."""

    sql: str
    type: str


@dataclass(frozen=True, slots=True)
class LocalTable:
    """What stands after FROM, and the columns by their local names; numbers may have a decimal comma."""

    relation: str
    columns: Mapping[str, LocalColumn]
    decimal_comma: bool = False


def files_of(source: Source) -> tuple[Path, ...]:
    """The files that the source's path names, sorted.

    Raises
    ------
    SourceUnreadable
        There is none.

    """
    folder = source.path.parent
    try:
        next(folder.iterdir(), None)  # where that fails, a search finds nothing and says nothing
    except OSError as error:
        raise SourceUnreadable(
            f"The folder {folder} cannot be read: {error.strerror}.", remedy=_PATH_REMEDY
        ) from None
    found = sorted(path for path in folder.glob(source.path.name) if path.is_file())
    if source.path.is_dir():
        raise SourceUnreadable(
            f"{source.path} is a folder, and files are needed.",
            remedy=f'Name its files in node.toml: path = "{source.path.name}/*.{source.kind.value}"',
        )
    if not found:
        raise SourceUnreadable(f"There is no file {source.path}.", remedy=_PATH_REMEDY)
    for file in found:
        _check_readable(file)
    return tuple(found)


def _check_readable(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise SourceUnreadable(
            f"{file.name} cannot be read: {error.strerror}.",
            remedy="Let the user that the node runs as read it.",
        ) from None


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
        return _parquet_table(connection, files)
    schema, _, name = source.table.rpartition(".")
    relation = f"{SOURCE}.{identifier(schema or 'main')}.{identifier(name)}"
    try:
        return LocalTable(relation, _described(connection, relation))
    except duckdb.CatalogException:
        found = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = $source "
            "UNION ALL SELECT schema_name || '.' || view_name FROM duckdb_views() "
            "WHERE database_name = $source AND NOT internal",
            {"source": SOURCE},
        ).fetchall()
        tables = [str(table).removeprefix("main.") for (table,) in found]
        raise SourceUnreadable(
            f"{source.path.name} has no table {source.table[:60]}{did_you_mean(source.table, tables)}.",
            remedy="Correct table in node.toml.",
        ) from None


def _parquet_table(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> LocalTable:
    described = [_parquet_columns(connection, file) for file in files]
    for file, columns in zip(files[1:], described[1:], strict=True):
        if columns != described[0]:
            raise _different(file, files[0], columns, described[0])
    return LocalTable(f"read_parquet([{texts([str(path) for path in files])}])", described[0])


def _parquet_columns(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, LocalColumn]:
    try:
        return _described(connection, f"read_parquet({text(str(file))})")
    except duckdb.Error:
        raise SourceUnreadable(
            f"{file.name} is no Parquet file, or only part of one.",
            remedy="Wait until it is written, or copy it again; then refresh.",
        ) from None


def _described(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, LocalColumn]:
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {str(row[0]): LocalColumn(identifier(row[0]), str(row[1]).upper()) for row in described}


def _different(
    file: Path, first: Path, columns: Mapping[str, object], expected: Mapping[str, object]
) -> SourceUnreadable:
    apart = sorted(name for name in {*columns, *expected} if columns.get(name) != expected.get(name))
    what = f" ({apart[0][:60]!r}, for one)" if apart else ", or in another order"
    return SourceUnreadable(
        f"{file.name} and {first.name} have different columns{what}.",
        remedy="Give every file of a source the same columns, or name fewer files.",
    )


def _csv_table(source: Source, files: Sequence[Path]) -> LocalTable:
    # Columns get names of ours by position, and each value is read as text: nothing is guessed from data.
    header = _header(source, files[0])
    for file in files[1:]:
        found = _header(source, file)
        if found != header:
            raise _different(file, files[0], dict.fromkeys(found, 1), dict.fromkeys(header, 1))
    paths = texts([str(path) for path in files])
    names = [f"c{i}" for i in range(len(header))]
    columns = ", ".join(f"{text(name)}: '{_TEXT}'" for name in names)
    relation = (
        f"read_csv([{paths}], auto_detect = false, header = true, "
        f"delim = {text(source.delimiter)}, quote = '\"', escape = '\"', "
        f"encoding = {text(source.encoding)}, columns = {{{columns}}})"
    )
    local = {name: LocalColumn(column, _TEXT) for name, column in zip(header, names, strict=True)}
    return LocalTable(relation, local, decimal_comma=source.decimal == ",")


def _header(source: Source, file: Path) -> list[str]:
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    try:
        # Whether all of it is in this encoding is seen when it is read; here only the first line counts.
        with file.open(encoding=encoding, errors="replace", newline="") as lines:
            header = [name.strip() for name in next(csv.reader(lines, delimiter=source.delimiter), [])]
    except OSError as error:
        raise SourceUnreadable(f"{file.name} cannot be read: {error.strerror}.") from None
    except (UnicodeError, csv.Error):
        raise _no_header(source, file) from None
    if "\ufffd" in "".join(header) or "\x00" in "".join(header):
        raise _no_header(source, file)
    if not header or len(set(header)) != len(header):
        what = "has a column name twice" if header else "is empty: it has no header line"
        raise SourceUnreadable(f"{file.name} {what}.")
    _check_delimiter(source, file, header)
    return header


def _no_header(source: Source, file: Path) -> SourceUnreadable:
    """The first line is in another encoding: which one, as far as its first bytes tell."""
    with file.open("rb") as opened:
        beginning = opened.read(_BEGINNING_BYTES)
    wide = beginning.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in beginning
    if wide and source.encoding == "utf-16":
        return SourceUnreadable(f"{file.name} has no header line in utf-16.")
    likely = "utf-16" if wide else ("latin-1" if source.encoding == "utf-8" else "utf-8")
    return SourceUnreadable(
        f"{file.name} has no header line in {source.encoding}.",
        remedy=f'If it is {likely.upper()}, write encoding = "{likely}" in its source table in node.toml.',
    )


def _check_delimiter(source: Source, file: Path, header: Sequence[str]) -> None:
    """One column whose name holds another delimiter is a header that was not split."""
    others = [delimiter for delimiter in _DELIMITERS if delimiter in header[0]]
    if len(header) == 1 and others:
        shown = others[0].replace("\t", "\\t")
        raise SourceUnreadable(
            f"{file.name} has one column if {source.delimiter!r} separates, with {shown!r} in its name.",
            remedy=f'If that is what separates its fields, write delimiter = "{shown}" in node.toml.',
        )

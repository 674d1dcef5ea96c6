"""Looking at a source before an edition is made of it, for the department's own eyes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.engines._contract import ColumnReport, Resources, SourceReport
from fedstats.engines._duckdb_cleaning import reading_statement
from fedstats.engines._duckdb_edition import column_reports
from fedstats.engines._duckdb_reading import PERSON, read_column
from fedstats.engines._duckdb_session import problem_of, session
from fedstats.engines._duckdb_source import LocalTable, attachments, files_of, local_table
from fedstats.engines._duckdb_types import check_types
from fedstats.engines.mapping import DatasetMapping, Source, check_local_columns, labels_of

_EXAMPLES_MAX = 60  # a person who maps codes is asked about all of them in one go


def source_columns(source: Source, resources: Resources) -> tuple[str, ...]:
    """Keep the promise of `Engine.source_columns`."""
    with _opened(source, resources) as (_, table):
        return tuple(table.columns)


def diagnose(mapping: DatasetMapping, dataset: Dataset, resources: Resources) -> SourceReport:
    """Keep the promise of `Engine.diagnose`."""
    mapping.check(dataset)
    with _opened(mapping.source, resources) as (connection, table):
        check_local_columns(mapping, dataset, table.columns)
        check_types(mapping, dataset, table)
        connection.execute(f"CREATE TEMP TABLE read AS {reading_statement(mapping, dataset, table)}")
        counted = connection.execute(f"SELECT count(*), count(*) - count({PERSON}) FROM read").fetchone()
        rows, without_person = counted or (0, 0)
        columns = tuple(
            _with_examples(connection, mapping, definition, table, report)
            for definition, report in zip(
                dataset.columns, column_reports(connection, dataset, "read"), strict=True
            )
        )
    return SourceReport(rows, without_person if mapping.person else 0, columns)


@contextmanager
def _opened(source: Source, resources: Resources) -> Iterator[tuple[duckdb.DuckDBPyConnection, LocalTable]]:
    files = files_of(source)
    with TemporaryDirectory(prefix="fedstats-") as spill:
        try:
            with session(
                resources, spill=Path(spill), attached=attachments(source, files), readable=files
            ) as connection:
                yield connection, local_table(connection, source, files)
        except duckdb.Error as error:
            raise problem_of(error, f"The source {source.path.name}") from None


def _with_examples(
    connection: duckdb.DuckDBPyConnection,
    mapping: DatasetMapping,
    definition: ColumnDefinition,
    table: LocalTable,
    report: ColumnReport,
) -> ColumnReport:
    """The report with the most frequent local codes that nothing maps."""
    if not report.invalid or labels_of(definition.domain) is None:
        return report
    reading = read_column(mapping.column(definition.name), definition.domain, table, 0)
    found = connection.execute(
        f"SELECT _raw_0 FROM (SELECT *, {reading.value} AS _value_0 FROM "
        f"(SELECT {reading.raw} AS _raw_0 FROM (SELECT {reading.text} AS _text_0 FROM {table.relation}))) "
        "WHERE _raw_0 IS NOT NULL AND _value_0 IS NULL "
        f"GROUP BY _raw_0 ORDER BY count(*) DESC, _raw_0 LIMIT {_EXAMPLES_MAX}"
    ).fetchall()
    return replace(report, unknown_codes=tuple(str(row[0]) for row in found))

"""DuckDB, in the node's own process: editions are files, and a question is one read-only statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.exact import Exact, Integers
from fedstats.core.expression import Expression
from fedstats.core.privacy import Contribution
from fedstats.core.schema import Dataset
from fedstats.engines._contract import (
    EditionOrder,
    EditionReport,
    Engine,
    Resources,
    SourceReport,
)
from fedstats.engines._definition import definition_hash
from fedstats.engines._duckdb_diagnosis import diagnose, source_columns
from fedstats.engines._duckdb_edition import FACTS_TABLE, FORMAT, make_edition
from fedstats.engines._duckdb_explanation import explained
from fedstats.engines._duckdb_session import Attached, problem_of, ranked_parts, session
from fedstats.engines.mapping import DatasetMapping, Source
from fedstats.errors import EditionMissing, InternalError, NotOffered
from fedstats.sql.render import to_text
from fedstats.sql.statement import (
    FIRST_PARAMETER,
    KEY_PARAMETER,
    LAST_PARAMETER,
    PERSON,
    ROWS_TABLE,
    grouped_statement,
    key_name,
    measure_name,
)

_EDITION = "edition"


class DuckDB:
    """The embedded engine; its promises are those of `Engine`."""

    name = "duckdb"
    description = (
        "DuckDB inside the node: reads CSV, Parquet and DuckDB files; editions are files of the node."
    )

    def source_columns(self, source: Source, resources: Resources) -> tuple[str, ...]:
        """Keep the promise of `Engine.source_columns`."""
        return source_columns(source, resources)

    def diagnose(self, mapping: DatasetMapping, dataset: Dataset, resources: Resources) -> SourceReport:
        """Keep the promise of `Engine.diagnose`."""
        return diagnose(mapping, dataset, resources)

    def make_edition(
        self, mapping: DatasetMapping, dataset: Dataset, order: EditionOrder, resources: Resources
    ) -> EditionReport:
        """Keep the promise of `Engine.make_edition`."""
        return make_edition(mapping, dataset, order, resources)

    def compute(
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
    ) -> Exact:
        """Keep the promise of `Engine.compute`."""
        statement = _statement(aggregate, dataset=dataset, where=where, contribution=contribution)
        _check_there(edition)
        cells = aggregate.cells(dataset)
        vectors: tuple[Integers, ...] = tuple(np.zeros(cells, dtype=np.int64) for _ in aggregate.measures)
        with TemporaryDirectory(prefix=".computing-", dir=edition.parent) as folder:
            attached = [Attached(_EDITION, edition)]
            try:
                with session(resources, spill=Path(folder) / "spill", attached=attached) as connection:
                    connection.execute(f"USE {_EDITION}")
                    _check_definition(connection, dataset)
                    for bound in _bound(connection, statement, aggregate, key, resources):
                        found = connection.execute(statement, bound).fetchnumpy()
                        _add(vectors, found, aggregate.key_cells(dataset))
            except duckdb.Error as error:
                raise problem_of(error, f"The edition {edition.stem} of {dataset.name}") from None
        return Exact(vectors)

    def explain(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> str:
        """Keep the promise of `Engine.explain`."""
        sql = _statement(aggregate, dataset=dataset, where=where, contribution=contribution, pretty=True)
        return explained(sql, aggregate, dataset=dataset, where=where)


def _statement(
    aggregate: Aggregate,
    *,
    dataset: Dataset,
    where: Expression | None,
    contribution: Contribution,
    pretty: bool = False,
) -> str:
    if contribution.rows_max < dataset.rows_max:
        # The edition bounds each person to the definition's rows; noise for fewer would not cover them.
        raise NotOffered("The question counts on fewer rows of one person than the definition allows.")
    sql = grouped_statement(aggregate, dataset=dataset, where=where, contribution=contribution)
    return to_text(sql, "duckdb", pretty=pretty)


def _check_there(edition: Path) -> None:
    if not edition.is_file():
        raise EditionMissing(f"There is no edition {edition.stem} here.")


def _check_definition(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Refuse an edition of another definition: its codes would mean something else."""
    facts = dict(connection.execute(f"SELECT name, value FROM {FACTS_TABLE}").fetchall())
    if facts.get("format") != FORMAT or facts.get("definition") != definition_hash(dataset).hex():
        raise EditionMissing(f"The edition was made for another definition of {dataset.name}.")


def _bound(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    aggregate: Aggregate,
    key: bytes,
    resources: Resources,
) -> list[dict[str, str | int] | None]:
    """What the statement's parameters are bound to, each time it is run.

    Only a statement that ranks the cells of a person has any, and runs over few enough persons at a time.
    """
    if f"${KEY_PARAMETER}" not in statement:
        return [None]
    count = f"SELECT count({PERSON}), max({PERSON}) FROM {ROWS_TABLE}"
    rows, greatest = connection.execute(count).fetchone() or (0, None)
    parts = ranked_parts(rows, len(aggregate.keys) + len(aggregate.measures), resources)
    step = (greatest or 0) // parts + 1
    return [
        {KEY_PARAMETER: key.hex(), FIRST_PARAMETER: part * step, LAST_PARAMETER: (part + 1) * step - 1}
        for part in range(parts)
    ]


def _add(
    vectors: Sequence[Integers],
    found: Mapping[str, npt.NDArray[Any]],
    key_cells: Sequence[tuple[int | None, ...]],
) -> None:
    """Add the cells that have rows, each in its place among all cells."""
    cell = np.zeros(len(found[measure_name(0)]), dtype=np.int64)
    for i, cells in enumerate(key_cells):
        cell = cell * len(cells) + _positions(found[key_name(i)], cells)
    for i, vector in enumerate(vectors):
        vector[cell] += found[measure_name(i)]


def _positions(codes: npt.NDArray[Any], cells: tuple[int | None, ...]) -> npt.NDArray[np.int64]:
    """Where each code stands among the cells of its key, whose missing values (masked here) come last."""
    known = np.array([code for code in cells if code is not None], dtype=np.int64)
    missing = np.ma.getmaskarray(codes)
    plain = np.ma.getdata(codes).astype(np.int64)
    positions = np.searchsorted(known, plain)
    fits = (positions < len(known)) & (known[np.minimum(positions, len(known) - 1)] == plain)
    if not np.all(missing | fits) or (missing.any() and None not in cells):
        raise InternalError("An edition holds a code that its definition does not have.")
    return np.where(missing, len(cells) - 1, positions)


ENGINE: Engine = DuckDB()

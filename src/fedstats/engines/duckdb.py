"""DuckDB, in the node's own process: editions are files, and a question is one read-only statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
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
from fedstats.engines._duckdb_cleaning import code_type
from fedstats.engines._duckdb_diagnosis import diagnose, source_columns
from fedstats.engines._duckdb_edition import FACTS_TABLE, FORMAT, make_edition
from fedstats.engines._duckdb_explanation import explained
from fedstats.engines._duckdb_session import Attached, identifier, parts_of, problem_of, session
from fedstats.engines.mapping import DatasetMapping, Source
from fedstats.errors import EditionMissing, InternalError, NotOffered, TooLarge
from fedstats.sql.render import to_text
from fedstats.sql.statement import (
    FIRST_PARAMETER,
    FIRST_ROW_PARAMETER,
    KEY_PARAMETER,
    LAST_PARAMETER,
    LAST_ROW_PARAMETER,
    PEOPLE_TABLE,
    PERSON,
    PSEUDONYM,
    ROWS_TABLE,
    grouped_statement,
    key_name,
    measure_name,
    parameters_of,
)

_EDITION = "edition"
_CELLS_FEW = 10_000
_FINER = 16


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
        question = _Question(edition, aggregate, dataset, statement, key)
        try:
            try:
                return _answer(question, resources, finer=1)
            except duckdb.OutOfMemoryException:
                # How DuckDB uses memory may change; whether there is an answer must not depend on the data.
                return _answer(question, replace(resources, threads=1), finer=_FINER)
        except duckdb.Error as error:
            raise problem_of(error, f"The edition {edition.stem} of {dataset.name}") from None

    def explain(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> str:
        """Keep the promise of `Engine.explain`."""
        statement = _statement(aggregate, dataset=dataset, where=where, contribution=contribution)
        _check_runs(statement, dataset)
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


def _check_runs(statement: str, dataset: Dataset) -> None:
    """Let DuckDB plan the statement over an edition without rows, whoever's rows there are elsewhere."""
    columns = ", ".join(f"{identifier(c.name)} {code_type(c.domain)}" for c in dataset.columns)
    parameters: dict[str, str | int] = dict.fromkeys(parameters_of(statement), 0)
    if KEY_PARAMETER in parameters:
        parameters[KEY_PARAMETER] = ""
    try:
        with closing(duckdb.connect(":memory:", config={"threads": 1})) as connection:
            connection.execute(f"CREATE TABLE {ROWS_TABLE} ({PERSON} INTEGER, {columns})")
            connection.execute(f"CREATE TABLE {PEOPLE_TABLE} ({PERSON} INTEGER, {PSEUDONYM} UBIGINT)")
            connection.execute(statement, parameters)
    except duckdb.Error as error:
        raise TooLarge("The question is too large or too deep for DuckDB.") from error


def _check_there(edition: Path) -> None:
    if not edition.is_file():
        raise EditionMissing(f"There is no edition {edition.stem} here.")


def _check_definition(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Refuse an edition of another definition: its codes would mean something else."""
    facts = dict(connection.execute(f"SELECT name, value FROM {FACTS_TABLE}").fetchall())
    if facts.get("format") != FORMAT or facts.get("definition") != definition_hash(dataset).hex():
        raise EditionMissing(f"The edition was made for another definition of {dataset.name}.")


@dataclass(frozen=True, slots=True)
class _Question:
    """An aggregate as a statement, and what it is asked of."""

    edition: Path
    aggregate: Aggregate
    dataset: Dataset
    statement: str
    key: bytes

    @property
    def parameters(self) -> frozenset[str]:
        """What its statement lets one bind."""
        return parameters_of(self.statement)


def _answer(question: _Question, resources: Resources, *, finer: int) -> Exact:
    """The sums over all parts of the edition, in so many times more parts than memory asks for."""
    aggregate, dataset = question.aggregate, question.dataset
    cells = aggregate.cells(dataset)
    vectors: tuple[Integers, ...] = tuple(np.zeros(cells, dtype=np.int64) for _ in aggregate.measures)
    attached = [Attached(_EDITION, question.edition)]
    with (
        TemporaryDirectory(prefix=".computing-", dir=question.edition.parent) as folder,
        session(resources, spill=Path(folder) / "spill", attached=attached) as connection,
    ):
        connection.execute(f"USE {_EDITION}")
        _check_definition(connection, dataset)
        for part in _parts(connection, question, cells, resources, finer):
            found = connection.execute(question.statement, part).fetchnumpy()
            _add(vectors, found, aggregate.key_cells(dataset))
    return Exact(vectors)


def _parts(
    connection: duckdb.DuckDBPyConnection, question: _Question, cells: int, resources: Resources, finer: int
) -> Iterator[dict[str, str | int]]:
    """What the statement's parameters are bound to, each time it is run.

    In a part there are few enough rows of persons, whose groups are as many at worst, and few enough other
    rows, if there are cells enough for them to need as many groups.
    """
    parameters = question.parameters
    count = f"SELECT count(*), count({PERSON}), coalesce(max({PERSON}), 0) FROM {ROWS_TABLE}"
    rows, several, greatest = connection.execute(count).fetchone() or (0, 0, 0)
    groups = max(several if FIRST_PARAMETER in parameters else 0, rows if cells > _CELLS_FEW else 0)
    columns = len(question.aggregate.keys) + len(question.aggregate.measures)
    parts = finer * parts_of(groups, columns, resources, ranked=KEY_PARAMETER in parameters)
    persons_step, rows_step = greatest // parts + 1, rows // parts + 1
    for part in range(parts):
        bound = {
            KEY_PARAMETER: question.key.hex(),
            FIRST_PARAMETER: part * persons_step,
            LAST_PARAMETER: (part + 1) * persons_step - 1,
            FIRST_ROW_PARAMETER: part * rows_step,
            LAST_ROW_PARAMETER: (part + 1) * rows_step - 1,
        }
        yield {name: value for name, value in bound.items() if name in parameters}


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

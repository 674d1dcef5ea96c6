"""DuckDB, in the node's own process: editions are files, and a question is one read-only statement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
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
from fedstats.engines._duckdb_diagnosis import diagnose, source_columns
from fedstats.engines._duckdb_edition import make_edition
from fedstats.engines._duckdb_explanation import explained
from fedstats.engines._duckdb_question import Question, check_runs, statement_of, with_less_memory
from fedstats.engines._duckdb_session import problem_of
from fedstats.engines._duckdb_values import find_values, list_named
from fedstats.engines.mapping import DatasetMapping, Source
from fedstats.errors import InternalError
from fedstats.sql.statement import key_name, measure_name


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

    def find_values(
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
    ) -> Iterator[Exact]:
        """Keep the promise of `Engine.find_values`."""
        chosen = aggregate.selection(dataset)
        question = Question.of(
            edition,
            chosen,
            dataset=dataset,
            where=where,
            contribution=contribution,
            key=key,
            named=False,
        )
        try:
            yield from find_values(question, resources)
        except duckdb.Error as error:
            raise problem_of(error, f"The edition {edition.stem} of {dataset.name}") from None

    def compute(  # noqa: PLR0913 # one parameter per thing that a statement depends on
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
        values: Sequence[str] = (),
    ) -> Exact:
        """Keep the promise of `Engine.compute`."""
        question = Question.of(
            edition, aggregate, dataset=dataset, where=where, contribution=contribution, key=key
        )
        try:
            return with_less_memory(lambda spared, finer: _answer(question, spared, values, finer), resources)
        except duckdb.Error as error:
            raise problem_of(error, f"The edition {edition.stem} of {dataset.name}") from None

    def rehearse(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> None:
        """Keep the promise of `Engine.rehearse`."""
        for named, step in _steps(aggregate, dataset).items():
            statement = statement_of(
                step, dataset=dataset, where=where, contribution=contribution, named=named
            )
            check_runs(statement, dataset)

    def explain(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> str:
        """Keep the promise of `Engine.explain`."""
        self.rehearse(aggregate, dataset=dataset, where=where, contribution=contribution)
        shown = []
        for named, step in _steps(aggregate, dataset).items():
            pretty = statement_of(
                step, dataset=dataset, where=where, contribution=contribution, named=named, pretty=True
            )
            shown.append(explained(pretty, step, dataset=dataset, where=where))
        return "\n\n".join(shown)


def _steps(aggregate: Aggregate, dataset: Dataset) -> dict[bool, Aggregate]:
    """What is computed one after the other: with an open key its values first, then what is asked of them."""
    if aggregate.open_key(dataset) is None:
        return {True: aggregate}
    return {False: aggregate.selection(dataset), True: aggregate}


def _answer(question: Question, resources: Resources, values: Sequence[str], finer: int) -> Exact:
    """The sums over all parts of the edition, which are so many times finer than memory asks for.

    Nothing is written to disk: a disk that is full for some people's data and not for others' would tell.
    """
    aggregate, dataset = question.aggregate, question.dataset
    key_cells = aggregate.key_cells(dataset, values)
    cells = math.prod(len(of_key) for of_key in key_cells)
    vectors: tuple[Integers, ...] = tuple(np.zeros(cells, dtype=np.int64) for _ in aggregate.measures)
    with question.opened(resources) as connection:
        if aggregate.open_key(dataset) is not None:
            list_named(connection, values)
        for part in question.parts(connection, resources, cells=cells, finer=finer):
            found = connection.execute(question.statement, part).fetchnumpy()
            _add(vectors, found, key_cells)
    return Exact(aggregate.laid_out(vectors, dataset, values))


def _add(
    vectors: Sequence[Integers],
    found: Mapping[str, npt.NDArray[Any]],
    key_cells: Sequence[tuple[int | str | None, ...]],
) -> None:
    """Add the cells that have rows, each in its place among all cells."""
    cell = np.zeros(len(found[measure_name(0)]), dtype=np.int64)
    for i, cells in enumerate(key_cells):
        cell = cell * len(cells) + _positions(found[key_name(i)], cells)
    for i, vector in enumerate(vectors):
        vector[cell] += found[measure_name(i)]


def _positions(codes: npt.NDArray[Any], cells: tuple[int | str | None, ...]) -> npt.NDArray[np.int64]:
    """Where each code or text stands among the cells of its key, whose missing values (masked) come last."""
    missing = np.ma.getmaskarray(codes)
    plain = np.ma.getdata(codes)
    if plain.dtype == object:
        places = {text: i for i, text in enumerate(cells)}
        found = zip(plain.tolist(), missing.tolist(), strict=True)
        positions = np.array([-1 if gone else places.get(text, -1) for text, gone in found], dtype=np.int64)
        fits = positions >= 0
    else:
        known = np.array([code for code in cells if code is not None], dtype=np.int64)
        positions = np.searchsorted(known, plain.astype(np.int64))
        fits = (positions < len(known)) & (known[np.minimum(positions, len(known) - 1)] == plain)
    if not np.all(missing | fits) or (missing.any() and None not in cells):
        raise InternalError("An edition holds a code that its definition does not have.")
    return np.where(missing, len(cells) - 1, positions)


ENGINE: Engine = DuckDB()

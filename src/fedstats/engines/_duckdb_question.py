"""A question as DuckDB runs it: its statement, the edition it is asked of, and in which parts of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import duckdb

from fedstats.core.aggregate import Aggregate
from fedstats.core.bound import BoundKind
from fedstats.core.expression import Expression
from fedstats.core.privacy import Contribution
from fedstats.core.schema import Dataset
from fedstats.engines._contract import Resources
from fedstats.engines._definition import definition_hash
from fedstats.engines._duckdb_cleaning import code_type
from fedstats.engines._duckdb_edition import FACTS_TABLE, FORMAT
from fedstats.engines._duckdb_parts import Parts, part_rows
from fedstats.engines._duckdb_session import Attached, identifier, session
from fedstats.errors import EditionMissing, NotOffered, TooLarge
from fedstats.sql.render import to_text
from fedstats.sql.statement import (
    FIRST_PARAMETER,
    KEY_PARAMETER,
    LAST_PARAMETER,
    NAMED_TABLE,
    NAMED_VALUE,
    PEOPLE_TABLE,
    PERSON,
    PSEUDONYM,
    ROWS_TABLE,
    grouped_statement,
    groups_persons,
    parameters_of,
)

_EDITION = "edition"
_FINER = 16
_STATEMENTS_KEPT = 64


def statement_of(
    aggregate: Aggregate,
    *,
    dataset: Dataset,
    where: Expression | None,
    contribution: Contribution,
    named: bool = True,
    pretty: bool = False,
) -> str:
    """The SQL of an aggregate; not `named` where the values of an open key are still to be found.

    What was tried before the charge is kept until it is run: it depends on nothing but these.

    Raises
    ------
    NotOffered
        It is to be counted on fewer rows of one person than the edition holds.

    """
    if contribution.rows_max < dataset.rows_max:
        # The edition bounds each person to the definition's rows; noise for fewer would not cover them.
        raise NotOffered("The question counts on fewer rows of one person than the definition allows.")
    return written(aggregate, dataset, where, contribution, named=named, pretty=pretty)


@lru_cache(maxsize=_STATEMENTS_KEPT)
def written(
    aggregate: Aggregate,
    dataset: Dataset,
    where: Expression | None,
    contribution: Contribution,
    *,
    named: bool,
    pretty: bool,
) -> str:
    """What `statement_of` writes, kept for some questions."""
    sql = grouped_statement(aggregate, dataset=dataset, where=where, contribution=contribution, named=named)
    return to_text(sql, "duckdb", pretty=pretty)


def check_runs(statement: str, dataset: Dataset) -> None:
    """Let DuckDB plan the statement over an edition without rows, whoever's rows there are elsewhere.

    Raises
    ------
    TooLarge
        It cannot.

    """
    try:
        _try(empty(), statement, dataset)
    except duckdb.Error:
        # A question can break the database that it is tried on: what fails on a new one fails by itself.
        empty.cache_clear()
        try:
            _try(empty(), statement, dataset)
        except duckdb.Error as error:
            empty.cache_clear()
            raise TooLarge("The question is too large or too deep for DuckDB.") from error


@lru_cache(maxsize=1)
def empty() -> duckdb.DuckDBPyConnection:
    """A database without anything, kept: to start one takes as long as to scan some million rows."""
    return duckdb.connect(":memory:", config={"threads": 1})


def _try(database: duckdb.DuckDBPyConnection, statement: str, dataset: Dataset) -> None:
    """Run it over empty tables that this connection alone has, and that go with it."""
    columns = ", ".join(f"{identifier(c.name)} {code_type(c.domain)}" for c in dataset.columns)
    parameters: dict[str, str | int] = dict.fromkeys(parameters_of(statement), 0)
    if KEY_PARAMETER in parameters:
        parameters[KEY_PARAMETER] = ""
    with closing(database.cursor()) as connection:
        connection.execute(f"CREATE TEMP TABLE {ROWS_TABLE} ({PERSON} INTEGER, {columns})")
        connection.execute(f"CREATE TEMP TABLE {PEOPLE_TABLE} ({PERSON} INTEGER, {PSEUDONYM} UBIGINT)")
        connection.execute(f"CREATE TEMP TABLE {NAMED_TABLE} ({NAMED_VALUE} VARCHAR)")
        connection.execute(statement, parameters)


@dataclass(frozen=True, slots=True)
class Question:
    """An aggregate as a statement, and what it is asked of; `persons` says that it groups by person."""

    edition: Path
    aggregate: Aggregate
    dataset: Dataset
    statement: str
    key: bytes
    persons: bool

    @classmethod
    def of(
        cls,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        named: bool = True,
    ) -> Question:
        """Write the statement.

        Raises
        ------
        NotOffered
            It is to be counted on fewer rows of one person than the edition holds.
        EditionMissing
            There is no such edition.

        """
        statement = statement_of(
            aggregate, dataset=dataset, where=where, contribution=contribution, named=named
        )
        if not edition.is_file():
            raise EditionMissing(f"There is no edition {edition.stem} here.")
        persons = groups_persons(aggregate, dataset=dataset, contribution=contribution)
        return cls(edition, aggregate, dataset, statement, key, persons)

    @contextmanager
    def opened(
        self, resources: Resources, *, spill: Path | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """The edition, read-only, in a session of its own.

        Raises
        ------
        EditionMissing
            It was made for another definition: its codes would mean something else.

        """
        attached = [Attached(_EDITION, self.edition)]
        with session(resources, attached=attached, spill=spill) as connection:
            connection.execute(f"USE {_EDITION}")
            facts = dict(connection.execute(f"SELECT name, value FROM {FACTS_TABLE}").fetchall())
            if (
                facts.get("format") != FORMAT
                or facts.get("definition") != definition_hash(self.dataset).hex()
            ):
                raise EditionMissing(f"The edition was made for another definition of {self.dataset.name}.")
            yield connection

    def parts(
        self, connection: duckdb.DuckDBPyConnection, resources: Resources, *, cells: int, finer: int
    ) -> Iterator[dict[str, str | int]]:
        """What the statement's parameters are bound to, each time it is run.

        Parts are `finer` times smaller than memory asks for.
        """
        columns = len(self.aggregate.keys) + len(self.aggregate.measures)
        ranked = KEY_PARAMETER in parameters_of(self.statement)
        windows = ranked or self.aggregate.bound.kind is BoundKind.NORM
        rows_max = part_rows(columns, resources, ranked=windows) // finer
        # Each thread groups by itself: together they have no more cells than a part has rows.
        many, parts = cells * resources.threads > rows_max, Parts.of(connection, persons=self.persons)
        if self.persons:
            ranges = parts.together(rows_max, cut_alone=many)
        else:
            ranges = parts.anywhere(rows_max if many else parts.rows)
        key = {KEY_PARAMETER: self.key.hex()} if ranked else {}
        for first, last in ranges:
            yield {**key, FIRST_PARAMETER: first, LAST_PARAMETER: last}


_T = TypeVar("_T")


def with_less_memory(work: Callable[[Resources, int], _T], resources: Resources) -> _T:
    """Do the work, and once more with one thread and in finer parts if it needs too much memory.

    How DuckDB uses memory may change; whether there is an answer must not depend on the data.
    """
    try:
        return work(resources, 1)
    except duckdb.OutOfMemoryException:
        return work(replace(resources, threads=1), _FINER)

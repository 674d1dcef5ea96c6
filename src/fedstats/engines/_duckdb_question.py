"""A question as DuckDB runs it: its statement, the edition it is asked of, and in which parts of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import duckdb

from fedstats.core.aggregate import Aggregate
from fedstats.core.expression import Expression
from fedstats.core.privacy import Contribution
from fedstats.core.schema import Dataset
from fedstats.engines._contract import Resources
from fedstats.engines._definition import definition_hash
from fedstats.engines._duckdb_cleaning import code_type
from fedstats.engines._duckdb_edition import FACTS_TABLE, FORMAT
from fedstats.engines._duckdb_session import Attached, identifier, parts_of, session
from fedstats.errors import EditionMissing, NotOffered, TooLarge
from fedstats.sql.render import to_text
from fedstats.sql.statement import (
    FIRST_PARAMETER,
    FIRST_ROW_PARAMETER,
    KEY_PARAMETER,
    LAST_PARAMETER,
    LAST_ROW_PARAMETER,
    NAMED_TABLE,
    NAMED_VALUE,
    PEOPLE_TABLE,
    PERSON,
    PSEUDONYM,
    ROWS_TABLE,
    grouped_statement,
    parameters_of,
)

_EDITION = "edition"
_CELLS_FEW = 10_000
_FINER = 16


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

    Raises
    ------
    NotOffered
        It is to be counted on fewer rows of one person than the edition holds.

    """
    if contribution.rows_max < dataset.rows_max:
        # The edition bounds each person to the definition's rows; noise for fewer would not cover them.
        raise NotOffered("The question counts on fewer rows of one person than the definition allows.")
    sql = grouped_statement(aggregate, dataset=dataset, where=where, contribution=contribution, named=named)
    return to_text(sql, "duckdb", pretty=pretty)


def check_runs(statement: str, dataset: Dataset) -> None:
    """Let DuckDB plan the statement over an edition without rows, whoever's rows there are elsewhere.

    Raises
    ------
    TooLarge
        It cannot.

    """
    columns = ", ".join(f"{identifier(c.name)} {code_type(c.domain)}" for c in dataset.columns)
    parameters: dict[str, str | int] = dict.fromkeys(parameters_of(statement), 0)
    if KEY_PARAMETER in parameters:
        parameters[KEY_PARAMETER] = ""
    try:
        with closing(duckdb.connect(":memory:", config={"threads": 1})) as connection:
            connection.execute(f"CREATE TABLE {ROWS_TABLE} ({PERSON} INTEGER, {columns})")
            connection.execute(f"CREATE TABLE {PEOPLE_TABLE} ({PERSON} INTEGER, {PSEUDONYM} UBIGINT)")
            connection.execute(f"CREATE TABLE {NAMED_TABLE} ({NAMED_VALUE} VARCHAR)")
            connection.execute(statement, parameters)
    except duckdb.Error as error:
        raise TooLarge("The question is too large or too deep for DuckDB.") from error


@dataclass(frozen=True, slots=True)
class Question:
    """An aggregate as a statement, and what it is asked of."""

    edition: Path
    aggregate: Aggregate
    dataset: Dataset
    statement: str
    key: bytes

    def check(self) -> None:
        """Refuse an edition that is not there.

        Raises
        ------
        EditionMissing
            It is not.

        """
        if not self.edition.is_file():
            raise EditionMissing(f"There is no edition {self.edition.stem} here.")

    @contextmanager
    def opened(self, resources: Resources) -> Iterator[duckdb.DuckDBPyConnection]:
        """The edition, read-only, in a session of its own.

        Raises
        ------
        EditionMissing
            It was made for another definition: its codes would mean something else.

        """
        attached = [Attached(_EDITION, self.edition)]
        with (
            TemporaryDirectory(prefix=".computing-", dir=self.edition.parent) as folder,
            session(resources, spill=Path(folder) / "spill", attached=attached) as connection,
        ):
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

        In a part there are few enough rows of persons, whose groups are as many at worst, and few enough
        other rows, if there are cells enough for them to need as many groups. There are `finer` times more
        parts than memory asks for.
        """
        parameters = parameters_of(self.statement)
        count = f"SELECT count(*), count({PERSON}), coalesce(max({PERSON}), 0) FROM {ROWS_TABLE}"
        rows, several, greatest = connection.execute(count).fetchone() or (0, 0, 0)
        groups = max(several if FIRST_PARAMETER in parameters else 0, rows if cells > _CELLS_FEW else 0)
        columns = len(self.aggregate.keys) + len(self.aggregate.measures)
        parts = finer * parts_of(groups, columns, resources, ranked=KEY_PARAMETER in parameters)
        persons_step, rows_step = greatest // parts + 1, rows // parts + 1
        for part in range(parts):
            bound = {
                KEY_PARAMETER: self.key.hex(),
                FIRST_PARAMETER: part * persons_step,
                LAST_PARAMETER: (part + 1) * persons_step - 1,
                FIRST_ROW_PARAMETER: part * rows_step,
                LAST_ROW_PARAMETER: (part + 1) * rows_step - 1,
            }
            yield {name: value for name, value in bound.items() if name in parameters}


_T = TypeVar("_T")


def with_less_memory(work: Callable[[Resources, int], _T], resources: Resources) -> _T:
    """Do the work, and once more with one thread and in finer parts if it needs too much memory.

    How DuckDB uses memory may change; whether there is an answer must not depend on the data.
    """
    try:
        return work(resources, 1)
    except duckdb.OutOfMemoryException:
        return work(replace(resources, threads=1), _FINER)

"""A private grouped query over 20,000,000 rows of 8,000,000 people, as times the plain DuckDB query.

Both count rows and people and add up one column in 115 cells, with 2 threads and 2,048 MB. The private one is
all that a node does for it between the charge and the record, and the rehearsal before: the statement is
written and tried, the edition opened, people bounded and counted, integers clipped, and noise added. The
plain one reads the same rows from a DuckDB table made for it: whole numbers for people and categories, rows
ordered by person, the connection open already. It is the fastest of the forms that were tried; others are
beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import _data
import duckdb
from _measuring import Result, medians_s

from fedstats.core.aggregate.grouped_sums import GroupedSums
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.query import Computation
from fedstats.core.statistic import Mode
from fedstats.engines import engine_of
from fedstats.engines._duckdb_question import written
from fedstats.node.computing import Noise, Workbench

name = "private_query"
unit = "ratio"
target = 1.5

_REPEATS = 5
_BY = "treatment_function, age_band"
_PLAIN = f"SELECT {_BY}, count(*), count(DISTINCT person), sum(wait_days) FROM"
_IN_TWO_STEPS = f"""SELECT {_BY}, sum(n), count(*), sum(total) FROM (
    SELECT person, {_BY}, count(*) AS n, sum(wait_days) AS total FROM ordered GROUP BY ALL) GROUP BY ALL"""  # noqa: S608  # no input
_WITHOUT_PEOPLE = f"SELECT {_BY}, count(*), sum(wait_days) FROM ordered GROUP BY ALL"  # noqa: S608  # no input


def run() -> Result:
    """All in turn, after one run of each that is not timed."""
    with _data.folder() as place:
        edition = _data.edition(place)
        plain = plain_tables(place, edition)
        taken = medians_s(
            {
                "private query, s": private(edition),
                "plain query, s": asking(plain, f"{_PLAIN} ordered GROUP BY ALL"),
                "plain query, rows in any order, s": asking(plain, f"{_PLAIN} shuffled GROUP BY ALL"),
                "plain query, first by person, s": asking(plain, _IN_TWO_STEPS),
                "plain query without people, s": asking(plain, _WITHOUT_PEOPLE),
            },
            repeats=_REPEATS,
        )
    return Result(taken["private query, s"] / taken["plain query, s"], taken)


def private(edition: Path, question: GroupedSums = _data.QUESTION) -> Callable[[], object]:
    """What a node does for a question, with its engine and its mechanism."""
    bench = Workbench(engine_of("duckdb"), _data.RESOURCES, _data.KEY)
    computation = Computation(
        agreement="RTT-2026",
        agreement_version=1,
        dataset=_data.DATASET.name,
        edition="2025-09",
        where=None,
        aggregates=(question,),
        loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40)),
        contribution=_data.DATASET.contribution(departments_max=1),
        mode=Mode.LOCAL,
    )

    def answer() -> object:
        written.cache_clear()  # each time is the first that this is asked
        bench.rehearse(computation, _data.DATASET)
        return bench.compute(edition, computation, _data.DATASET, Noise.of(computation))

    return answer


def asking(path: Path, statement: str) -> Callable[[], object]:
    """A statement on a connection of its own, with what a node may use."""
    config = {"threads": _data.RESOURCES.threads, "memory_limit": f"{_data.RESOURCES.memory_mb}MB"}
    connection = duckdb.connect(config=config)
    connection.execute(f"ATTACH '{path}' AS plain (READ_ONLY)")
    connection.execute("USE plain")
    return lambda: connection.execute(statement).fetchall()


def plain_tables(place: Path, edition: Path) -> Path:
    """The rows of an edition as plain tables: a number for each person, ordered by it, and in any order."""
    path = place / "plain.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"ATTACH '{edition}' AS edition (READ_ONLY)")
        connection.execute(
            "CREATE TABLE ordered AS SELECT CAST(coalesce(_person, 10000000 + rowid) AS INTEGER) AS person, "
            "* EXCLUDE (_person) FROM edition.rows ORDER BY person"
        )
        connection.execute("CREATE TABLE shuffled AS FROM ordered ORDER BY hash(person, wait_days, started)")
    return path

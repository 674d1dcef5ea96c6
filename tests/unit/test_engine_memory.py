"""Memory: what an answer takes is bounded by its cells and not by the people, at the least memory allowed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest
from editions import KEY
from strategies import DATASET

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.expression import Call, Column, Expression, NumberLiteral, Op
from fedstats.engines import EditionOrder, Resources, engine_of
from fedstats.engines._contract import MEMORY_MB_MIN
from fedstats.engines._duckdb_question import check_runs, empty, statement_of
from fedstats.engines.mapping import DatasetMapping, Source, SourceKind
from fedstats.errors import LanguageError, TooLarge

PEOPLE = 200_000
AGE, WAIT = Column("age"), Column("wait_days")
BAND = Call(Op.FLOOR, (Call(Op.DIVIDE, (WAIT, NumberLiteral(Fraction(25)))),))


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many people with two rows each, whose ages go through all values."""
    folder = tmp_path_factory.mktemp("many")
    rows = (
        "SELECT 'p' || (i // 2) AS who, (i * 7919) % 121 AS age, (i * 104729) % 1001 AS wait_days, "
        "1 AS cost, 0 AS score, 'F' AS sex, 'C_100' AS specialty, DATE '2025-01-01' AS started, "
        "DATE '2025-01-02' AS ended, DATE '2025-01-06' AS booked_week, true AS urgent, true AS admitted "
        f"FROM range({2 * PEOPLE}) t(i)"
    )
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({rows}) TO '{folder}/rows.parquet' (FORMAT parquet)")
    mapping = DatasetMapping(DATASET.name, Source(SourceKind.PARQUET, folder / "rows.parquet"), "who")
    order = EditionOrder("2025-09", KEY, 1_750_000_000, folder / "edition.duckdb")
    engine_of("duckdb").make_edition(mapping, DATASET, order, Resources(MEMORY_MB_MIN, 2))
    return order.into


def counts(kind: MeasureKind, number: int) -> tuple[Measure, ...]:
    """Measures that each count something else: those below another age."""
    ages = [
        Call(Op.CASE, (Call(Op.LESS, (AGE, NumberLiteral(Fraction(i + 80)))), AGE)) for i in range(number)
    ]
    return tuple(Measure(kind, age, None, Fraction(1, number)) for age in ages)


QUESTIONS: dict[str, tuple[tuple[Expression, ...], tuple[Measure, ...], int | None]] = {
    "people in few cells": ((AGE, BAND), counts(MeasureKind.PEOPLE, 32), None),
    "people in many cells": ((AGE, WAIT), counts(MeasureKind.PEOPLE, 15), None),
    "one count in most cells": (
        (AGE, WAIT, Column("sex"), Column("specialty")),
        counts(MeasureKind.PEOPLE, 1),
        None,
    ),
    "rows in many cells": ((AGE, WAIT), counts(MeasureKind.ROWS, 15), None),
    "people in the least cells": ((AGE, WAIT), counts(MeasureKind.PEOPLE, 15), 1),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("threads", [1, 4])
def test_the_worst_question_is_answered_with_the_least_memory(
    question: str, threads: int, edition: Path
) -> None:
    """However many people there are, a question of any shape finds enough memory: no error tells of them."""
    keys, measures, cells_max = QUESTIONS[question]
    aggregate = GroupedSums(keys, measures)
    exact = engine_of("duckdb").compute(
        edition,
        aggregate,
        dataset=DATASET,
        where=None,
        contribution=DATASET.contribution(departments_max=1, cells_max=cells_max),
        key=KEY,
        resources=Resources(MEMORY_MB_MIN, threads),
    )
    below = [
        sum(1 for i in range(2 * PEOPLE) if i * 7919 % 121 < 80 + limit) for limit in range(len(measures))
    ]
    found = [int(vector.sum()) for vector in exact.vectors]
    if cells_max is None:
        assert found == below  # no two rows of a person lie in one cell
    else:
        assert all(0 < number < limit for number, limit in zip(found, below, strict=True))


def test_what_cannot_be_computed_is_seen_without_data() -> None:
    """A question that the engine cannot run is refused by its explanation, before anybody pays for it."""
    primes = [n for n in range(3, 114) if all(n % i for i in range(2, n))]
    listed = Call(Op.IN, (AGE, *(NumberLiteral(Fraction(1, prime)) for prime in primes)))
    count = GroupedSums((), (Measure(MeasureKind.ROWS),))
    bounds = DATASET.contribution(departments_max=1)
    with pytest.raises(LanguageError):
        engine_of("duckdb").explain(count, dataset=DATASET, where=listed, contribution=bounds)


def test_what_a_question_breaks_while_it_is_tried_is_tried_on_no_more() -> None:
    """One that fails, or a database that is gone, leaves the next question as it would be by itself."""
    count = GroupedSums((AGE,), (Measure(MeasureKind.ROWS),))
    statement = statement_of(
        count, dataset=DATASET, where=None, contribution=DATASET.contribution(departments_max=1)
    )
    with pytest.raises(TooLarge):
        check_runs(statement.replace('"rows"', '"nowhere"'), DATASET)
    check_runs(statement, DATASET)
    empty().close()
    check_runs(statement, DATASET)


def test_questions_that_are_tried_at_the_same_time_see_their_own_columns() -> None:
    """Workers try questions about different datasets on one database, and none meets another's tables."""
    others = replace(DATASET, columns=(replace(DATASET.columns[0], name="elsewhere"), *DATASET.columns[1:]))
    kept, both = empty(), [(DATASET, Column(DATASET.columns[0].name)), (others, Column("elsewhere"))]

    def tried(number: int) -> None:
        dataset, column = both[number % 2]
        engine_of("duckdb").rehearse(
            GroupedSums((column,), (Measure(MeasureKind.ROWS),)),
            dataset=dataset,
            where=None,
            contribution=dataset.contribution(departments_max=1),
        )

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(tried, range(40)))
    assert empty() is kept  # none failed on it
    assert kept.execute("SELECT table_name FROM duckdb_tables()").fetchall() == []

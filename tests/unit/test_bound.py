"""How much of one person counts: in whole numbers, as the database computes it, within what is charged."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DATASET, RECORDS, bounds

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.bound import WEIGHT_ONE, Bound, BoundKind
from fedstats.core.expression import Column
from fedstats.core.grid import centred_grid
from fedstats.core.inference import domain_of
from fedstats.core.privacy import Contribution
from fedstats.core.schema import ROWS_OF_ONE_PERSON_MAX
from fedstats.errors import TooLarge, ValueInvalid
from fedstats.sql.render import column_sql, to_text
from fedstats.sql.statement import root_sql, weight_sql

MOST = ROWS_OF_ONE_PERSON_MAX
ROWS = Measure(MeasureKind.ROWS)


@given(
    rows=st.lists(st.integers(1, MOST), min_size=1, max_size=40).filter(lambda rows: sum(rows) <= MOST),
    bound=bounds(replace(DATASET, rows_max=MOST)),
    spare=st.integers(0, 5),
    clip=st.integers(1, 2**11),
)
def test_nobody_adds_more_than_is_charged_for(rows: list[int], bound: Bound, spare: int, clip: int) -> None:
    """Whatever rows somebody has in whatever cells: counts and sums stay within D1 and D2, extremes too."""
    contribution = Contribution(sum(rows), min(len(rows) + spare, sum(rows)), 1)
    weight = bound.weight(rows)
    for value in (1, -clip, clip):
        added = [bound.share(value * count, count, weight=weight) for count in rows]
        allowed = bound.sensitivity(contribution, cells=contribution.cells_max, half_width=abs(value))
        assert sum(map(abs, added)) <= allowed.d1
        assert sum(share**2 for share in added) <= allowed.d2_squared
        assert max(map(abs, added)) <= bound.reach(contribution.rows_max) * abs(value)


def test_the_database_weighs_like_the_reference() -> None:
    """The weight that SQL computes is the exact one for every sum of squares, also beside whole squares."""
    near = {k * k + beside for k in (*range(1, WEIGHT_ONE + 9), 10**7) for beside in (-1, 0, 1)} - {0}
    weigh = to_text(weight_sql(column_sql("root"), column_sql("square")), "duckdb")
    root = to_text(root_sql(column_sql("square")), "duckdb")
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE squares AS SELECT unnest(?) AS square", [sorted(near)])
        exact = f"SELECT square, {weigh} FROM (SELECT square, {root} AS root FROM squares)"
        # The integer part of a root from floats may be one off: it is put right in whole numbers.
        below, above = (exact.replace("AS root", f"{off} AS root") for off in ("- 1", "+ 1"))
        found, *others = (connection.execute(sql).fetchall() for sql in (exact, below, above))
    assert [found] * 2 == others
    assert dict(found) == {square: min(WEIGHT_ONE, isqrt(square)) for square in near}


def test_weights_are_what_the_words_say() -> None:
    """Somebody with one row has it whole; somebody with more has less of each, and never more than all."""
    one = Bound.weighted(1)
    assert one.weight([1]) == WEIGHT_ONE
    assert one.weight([4]) == WEIGHT_ONE // 4
    assert one.weight([1, 1, 1, 1]) == WEIGHT_ONE // 2
    assert Bound.weighted(4).weight([3]) == WEIGHT_ONE
    assert Bound.people().share(5, 2, weight=1) == 3  # 2.5, halves upward
    assert Bound.people().share(-5, 2, weight=1) == -2


def test_each_bound_has_one_name() -> None:
    """Where nobody has several rows only the bound of rows is asked, so one computation has one hash."""
    alone = replace(DATASET, rows_max=1)
    for dataset in (RECORDS, alone):
        assert Bound.people().on(dataset) == Bound.weighted(1).on(dataset) == Bound.rows()
        with pytest.raises(ValueInvalid, match="Nobody has several rows"):
            GroupedSums((), (ROWS,), bound=Bound.people()).check(dataset)
    with pytest.raises(ValueInvalid, match="at most 3 rows of waiting"):
        GroupedSums((), (ROWS,), bound=Bound.weighted(4)).check(DATASET)
    for kind, norm in (
        (BoundKind.ROWS, 1),
        (BoundKind.PEOPLE, 2),
        (BoundKind.NORM, 0),
        (BoundKind.NORM, MOST + 1),
    ):
        with pytest.raises(ValueInvalid, match="norm"):
            Bound(kind, norm)


def test_a_weighted_sum_that_could_overflow_is_refused() -> None:
    """Weights make sums a thousand times larger, and the declared number of people must still fit them."""
    crowd = replace(DATASET, people_max=2**40)
    grid = centred_grid(domain_of(Column("cost"), DATASET))
    total = Measure(MeasureKind.SUM, Column("cost"), grid)
    GroupedSums((), (total,)).check(crowd)
    with pytest.raises(TooLarge, match="62 bits"):
        GroupedSums((), (total,), bound=Bound.weighted(2)).check(crowd)


def test_without_a_key_a_person_is_in_one_cell() -> None:
    """A count of people in all costs no more noise where people may have many rows: D is 1, not rows_max."""
    contribution = DATASET.contribution(departments_max=1)
    people = Measure(MeasureKind.PEOPLE, weight=Fraction(1, 2))
    (alone,) = GroupedSums((), (people,)).sensitivities(contribution)
    (by_sex,) = GroupedSums((Column("sex"),), (people,)).sensitivities(contribution)
    assert (alone.d1, alone.d2_squared) == (1, 1)
    assert (by_sex.d1, by_sex.d2_squared) == (3, 3)

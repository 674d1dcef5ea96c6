"""Intervals of the statistic `table`: what they add, where they end, and when there is no number."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import definitions
from tables import NO_NOISE, PEOPLE, answered, asked, cells, first_round, row

from fedstats.core.estimate import Absence, AbsenceReason, Estimate, Interval, Value
from fedstats.core.statistic import RoundResult
from fedstats.statistics.table import Table as TableStatistic


def _constant(value: int, _position: int) -> int:
    return value


def test_too_few_is_a_typed_absence() -> None:
    """Where noise is as large as the count, an average is absent with its reason; the count is there."""
    ratios = "AVG(age), 2 * SHARE(urgent), AVG(age) - AVG(cost), SUM(age) / COUNT(cost)"
    text = f"SELECT COUNT(*), {ratios} FROM waiting"
    count, *others = cells(answered(text, PEOPLE, scale=Fraction(5)))[()]
    assert count == 7
    assert [other.reason for other in others if isinstance(other, Absence)] == [AbsenceReason.TOO_FEW] * 4
    below = cells(answered(text, PEOPLE, noise=lambda _: -300))[()]
    assert below[0] == -293
    assert all(isinstance(other, Absence) for other in below[1:4])


def test_answers_stay_within_bounds() -> None:
    """A share is never below 0 or above 1, nor an average outside its declared bounds, nor an interval."""
    for noise in (-9, -3, 3, 9):
        estimate = answered(
            "SELECT SHARE(urgent), AVG(age), 1 - SHARE(urgent) FROM waiting WHERE age < 3",
            {"north": [[row(age=0)]] * 40},
            scale=Fraction(3),
            noise=partial(_constant, noise),
        )
        for cell, (lo, hi) in zip(estimate.tables[0].rows[0].cells, [(0, 1), (0, 120), (0, 1)], strict=True):
            assert isinstance(cell, Value)
            assert cell.interval is not None
            assert lo <= cell.interval.lo <= cell.noise_interval.lo <= cell.value
            assert cell.value <= cell.noise_interval.hi <= cell.interval.hi <= hi
            assert cell.noise_interval.half_width > 0


def test_population_intervals() -> None:
    """The second interval adds sampling: Poisson for counts, p (1 - p) / n for shares; formulas have none."""
    people = {"north": [[row(urgent=i % 4 == 0)] for i in range(400)]}
    estimate = answered(
        "SELECT COUNT(*), SHARE(urgent), 100 * SHARE(urgent), SUM(age), COUNT(cost) / COUNT(*) FROM waiting",
        people,
    )
    count, share, percent, total, ratio = estimate.tables[0].rows[0].cells
    assert _population(count) == pytest.approx(1.96 * 400**0.5, rel=1e-3)
    assert _population(share) == pytest.approx(1.96 * (0.25 * 0.75 / 400) ** 0.5, rel=1e-3)
    assert _population(percent) == pytest.approx(100 * _population(share), rel=1e-9)
    assert _population(total) == pytest.approx(1.96 * 400**0.5 * 120, rel=1e-3)
    assert isinstance(ratio, Value)
    assert ratio.interval is None
    alone = answered("SELECT SUM(age) FROM waiting", people).tables[0].rows[0].cells[0]
    assert isinstance(alone, Value)
    assert alone.interval is None


def _population(cell: object) -> float:
    assert isinstance(cell, Value)
    assert cell.interval is not None
    return cell.interval.half_width


def test_interval_of_a_lone_count_is_exact() -> None:
    """One count has the exact interval of its discrete noise, not a normal approximation."""
    people = {"north": PEOPLE["north"]}
    (table,) = answered("SELECT COUNT(*) FROM waiting", people, scale=Fraction(1, 2)).tables
    cell = table.rows[0].cells[0]
    assert isinstance(cell, Value)
    assert cell.noise_interval == Interval(2, 4)


def test_rounded_values_widen_the_interval() -> None:
    """Where a range is finer than the grid, its ends and 0 stay exact, and rounding is in the interval."""
    people = {"north": [[row(cost=cost)] for cost in (-200, 0, 8000) for _ in range(50)]}
    exact = answered("SELECT AVG(cost), SUM(cost) FROM waiting", people)
    assert cells(exact)[()] == pytest.approx((650, 97500), abs=1e-9)
    (shifted,) = answered("SELECT AVG(cost) FROM waiting", {"north": [[row(cost=401)]] * 40}).tables
    cell = shifted.rows[0].cells[0]
    assert isinstance(cell, Value)
    assert cell.value != 100.25
    assert cell.noise_interval.lo <= 100.25 <= cell.noise_interval.hi
    assert cell.noise_interval.half_width < 0.3


FORMULAS = (
    "COUNT(*), SUM(cost), AVG(cost), SHARE(admitted), 1 - SHARE(urgent), COUNT(cost) / COUNT(*), "
    "SUM(cost) / SUM(age), AVG(age) * AVG(cost) - SUM(age) / 7, SUM(age) / (COUNT(*) - COUNT(cost)), "
    "VAR_SAMP(age), STDDEV(cost), STDDEV(urgent), STDDEV(age) / AVG(age), VAR(age) * VAR(urgent), "
    "AVG(cost) / AVG(age) / AVG(score) / COUNT(*), COUNT(*) * COUNT(*) * COUNT(*) * COUNT(*) * COUNT(*)"
)


@given(st.data(), st.sampled_from([NO_NOISE, Fraction(3), Fraction(10**9)]))
def test_any_totals_give_numbers_or_reasons(data: st.DataObject, scale: Fraction) -> None:
    """Whatever the noise makes of totals, each cell is a finite number inside its intervals, or absent."""
    order = first_round(f"SELECT {FORMULAS} FROM waiting")
    (aggregate,) = order.aggregates
    extremes = st.sampled_from([0, 1, -1, 2**62, -(2**62)])
    totals = [data.draw(st.one_of(extremes, st.integers(-300, 300))) for _ in aggregate.measures]
    vectors = (tuple(np.array([total], dtype=np.int64) for total in totals),)
    result = RoundResult(order, vectors, ((scale,) * len(totals),), 3)
    estimate = TableStatistic.from_sql(f"SELECT {FORMULAS} FROM waiting", definitions).step(asked(), [result])
    assert isinstance(estimate, Estimate)
    for cell in estimate.tables[0].rows[0].cells:
        if isinstance(cell, Absence):
            assert cell.reason is AbsenceReason.TOO_FEW
            continue
        slack = 1e-9 * (1 + abs(cell.value))
        for interval in (cell.noise_interval, cell.interval or cell.noise_interval):
            assert math.isfinite(interval.half_width)
            assert interval.lo - slack <= cell.value <= interval.hi + slack

"""Variances and standard deviations of the statistic `table`: what they cost, give and never say."""

from __future__ import annotations

import statistics
from fractions import Fraction

import pytest
from strategies import DATASET, definitions
from tables import PEOPLE, ROWS, answered, asked, cells, measures, row

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Numbers
from fedstats.core.estimate import Absence, AbsenceReason, Value
from fedstats.core.expression import Call, Column, NumberLiteral, Op, normalise
from fedstats.core.inference import domain_of
from fedstats.core.squares import squares_of
from fedstats.sql.parse import parse
from fedstats.statistics._measures import plan_measures
from fedstats.statistics.table import Table


def test_squares_lie_around_the_middle_and_are_never_negative() -> None:
    """Interval arithmetic knows that a square is not below 0, however its two factors are written."""
    squares, centre = squares_of(Column("age"), DATASET)
    assert centre == 60
    assert domain_of(squares, DATASET) == Numbers(Fraction(0), Fraction(3600))
    around_nothing = Call(Op.MULTIPLY, (Column("score"), Column("score")))
    assert domain_of(around_nothing, DATASET) == Numbers(Fraction(0), Fraction(1), Fraction(1, 1_000_000))
    one, other = Column("age"), NumberLiteral(Fraction(70))
    turned = Call(Op.MULTIPLY, (Call(Op.ADD, (one, other)), Call(Op.ADD, (other, one))))
    domain = domain_of(turned, DATASET)
    assert domain == domain_of(normalise(turned), DATASET)
    assert isinstance(domain, Numbers)
    assert domain.lo == 70**2


def test_a_variance_adds_one_measure_to_an_average() -> None:
    """Average, variance and standard deviation share their count and sum; conditions need no squares."""
    squares, _ = squares_of(Column("age"), DATASET)
    found = measures("SELECT AVG(age), VAR_SAMP(age), STDDEV(age), COUNT(*) FROM waiting")
    assert {kind for kind, expression, _ in found if expression is None} == {MeasureKind.ROWS}
    assert {expression for kind, expression, _ in found if kind is MeasureKind.SUM} == {
        Column("age"),
        normalise(squares),
    }
    assert len(measures("SELECT STDDEV(urgent), SHARE(urgent) FROM waiting")) == 2
    assert len(measures("SELECT VAR(wait_days), COUNT(wait_days) FROM waiting")) == 3


@pytest.mark.parametrize("name", ["VAR_SAMP", "VARIANCE", "VAR", "STDDEV_SAMP", "STDDEV", "STD", "STDEV"])
def test_every_name_means_the_sample(name: str) -> None:
    """Whatever it is called, it is the variance with N - 1, or its root, of the pooled rows."""
    ages = [float(r["age"] or 0) for r in ROWS]
    expected = statistics.variance(ages) if name.startswith("VAR") else statistics.stdev(ages)
    assert cells(answered(f"SELECT {name}(age) FROM waiting", PEOPLE))[()] == pytest.approx((expected,))


def test_plain_variances() -> None:
    """Without noise, a variance is that of plain Python: alone, in formulas, of conditions and by cell."""
    ages = [float(r["age"] or 0) for r in ROWS]
    urgent = [float(r["urgent"] or 0) for r in ROWS]
    waits = [float(r["wait_days"]) for r in ROWS if r["wait_days"] is not None]
    outputs = {
        "VAR(age)": statistics.variance(ages),
        "3 - 2 * STDDEV(age)": 3 - 2 * statistics.stdev(ages),
        "STDDEV(age) / AVG(age)": statistics.stdev(ages) / statistics.fmean(ages),
        "VAR(age) - VAR(urgent)": statistics.variance(ages) - statistics.variance(urgent),
        "STDDEV(CASE WHEN urgent THEN 100 ELSE 0 END)": 100 * statistics.stdev(urgent),
        "VAR(wait_days / 7)": statistics.variance(wait / 7 for wait in waits),
    }
    found = cells(answered(f"SELECT {', '.join(outputs)} FROM waiting", PEOPLE))[()]
    assert found[:5] == pytest.approx(list(outputs.values())[:5], rel=1e-9)
    assert found[5] == pytest.approx(outputs["VAR(wait_days / 7)"], rel=1e-3)  # squares rounded to a grid
    people = {"north": [[row(sex=i % 2, age=i)] for i in range(100)]}
    by_sex = cells(answered("SELECT sex, VAR(age) FROM waiting GROUP BY sex", people))
    assert by_sex["M",] == pytest.approx((statistics.variance(range(1, 100, 2)),))


def test_a_total_is_the_pooled_variance() -> None:
    """The total of variances is that of all rows together, no average of the cells' variances."""
    people = {"north": [[row(sex=i % 2, age=i // 2 + 50 * (i % 2))] for i in range(100)]}
    text = "SELECT sex, VAR(age), STDDEV(age) FROM waiting GROUP BY sex"
    pooled = cells(answered("SELECT VAR(age), STDDEV(age) FROM waiting", people))[()]
    assert cells(answered(text, people, totals=True))["all",] == pytest.approx(pooled, rel=1e-9)


def test_rounding_is_in_the_interval_and_in_a_note() -> None:
    """Squares finer than the grid are rounded: the interval holds the exact variance, and a note says it."""
    costs = [4 * i + i % 4 for i in range(-50, 1_500, 7)]
    estimate = answered(
        "SELECT VAR(cost), STDDEV(cost) FROM waiting", {"north": [[row(cost=cost)] for cost in costs]}
    )
    exact = statistics.variance(cost / 4 for cost in costs)
    for cell, truth in zip(estimate.tables[0].rows[0].cells, (exact, exact**0.5), strict=True):
        assert isinstance(cell, Value)
        assert cell.noise_interval.lo <= truth <= cell.noise_interval.hi
        assert cell.noise_interval.half_width < 0.01 * truth
    assert any("Squared distances from 975 between 0 and" in note for note in estimate.notes)


def test_never_negative_and_absent_where_noise_hides_the_rows() -> None:
    """A variance below 0 is no variance: it is 0 with an interval above it; of too few rows there is none."""
    people = {"north": [[row(age=60)]] * 300}
    for shift in (-400, 0, 400):

        def noise(position: int, by: int = shift) -> int:
            return by if position else 0

        estimate = answered(
            "SELECT VAR(age), STDDEV(age) FROM waiting", people, scale=Fraction(200), noise=noise
        )
        for cell in estimate.tables[0].rows[0].cells:
            if isinstance(cell, Value):
                assert 0 <= cell.noise_interval.lo <= cell.value <= cell.noise_interval.hi
                assert cell.noise_interval.hi > 0
    few = answered("SELECT VAR(age), STDDEV(age) / 2 FROM waiting", PEOPLE, scale=Fraction(5))
    assert [cell.reason for cell in cells(few)[()] if isinstance(cell, Absence)] == [
        AbsenceReason.TOO_FEW
    ] * 2
    alone = answered("SELECT VAR(age) FROM waiting", {"north": [[row()]]})
    assert [cell for cell in cells(alone)[()] if isinstance(cell, Absence)]


def test_variances_are_withheld_with_what_they_tell() -> None:
    """Squares of -1, 0 and 1 count those who are not 0: few of them, and the variance would tell it."""
    ask = asked(disclosure=DisclosureProfile.ACRO)
    three = "CASE WHEN urgent THEN 1 WHEN admitted THEN -1 ELSE 0 END"
    text = f"SELECT VAR({three}) FROM waiting"
    selection = parse(text, definitions)
    plan = plan_measures(Table(selection)._calls(), DATASET, supported=True)
    assert {call.either for call, _ in plan.counted_in_sums()} == {(0.0, 1.0)}
    few = [[row(urgent=0, admitted=int(i < 3))] for i in range(200)]
    many = [[row(urgent=0, admitted=int(i < 90))] for i in range(200)]
    shown = [cells(answered(text, {"north": people}, ask=ask))[()][0] for people in (few, many)]
    assert isinstance(shown[0], Absence)
    assert shown[0].reason is AbsenceReason.SUPPRESSED
    assert isinstance(shown[1], float)

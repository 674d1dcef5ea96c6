"""What researchers write analyses with: sums by name, found again in whatever order they came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

from fedstats.author import (
    Absence,
    AbsenceReason,
    Ask,
    Dataset,
    Estimate,
    Expression,
    Interval,
    Round,
    RoundResult,
    Sum,
    Table,
    Value,
    ValueInvalid,
    condition_of,
    ratio,
    sums,
)
from fedstats.core.domain import Categories, Numbers
from fedstats.core.estimate import Refusal
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Unit
from fedstats.errors import LanguageError
from fedstats.statistics.table import Table as TableStatistic
from fedstats.testing.pool import Pool, run_rounds

WAITS = Dataset(
    name="waits",
    unit=Unit(UnitKind.PERSON, "person", "who"),
    rows_max=2,
    people_max=1_000,
    people_about=200,
    columns=(
        ColumnDefinition("sex", Categories(("F", "M"), nullable=True)),
        ColumnDefinition("days", Numbers(Fraction(0), Fraction(730), nullable=True)),
        ColumnDefinition("cost", Numbers(Fraction(0), Fraction(100_000), Fraction(1, 100))),
    ),
    editions=("2025-09",),
    holders=("north", "south", "west"),
)


@dataclass(frozen=True, slots=True)
class Late:
    """How many wait too long, by department and sex."""

    name: ClassVar[str] = "late"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    dataset: str = "waits"
    where: str = ""
    by: tuple[str, ...] = ("sex", "department")

    def condition(self, dataset: Dataset) -> Expression | None:
        """The rows that count."""
        return condition_of(self.where, dataset)

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round."""
        wanted = sums(ask, by=self.by, n="COUNT(days)", late="SUM(days > 126)", days="SUM(days)")
        if not history:
            return wanted.round()
        cells = wanted.read(history[0])
        on_time = cells["n"] - cells["late"]
        share = ratio(cells["late"], cells["n"], lo=0, hi=1)
        table = cells.table("late", n=cells["n"], on_time=on_time, share=share, days=cells["days"] * 2)
        return Estimate((table,), wanted.notes)


def rows(department: str) -> dict[str, list[object]]:
    """Sixty rows of a department."""
    shift = WAITS.holders.index(department)
    places = range(60)
    return {
        "who": [f"{department}-{i // 2}" for i in places],
        "sex": ["F" if (i + shift) % 3 else "M" for i in places],
        "days": [None if i % 10 == 0 else (i * 7 + shift) % 300 for i in places],
        "cost": [i * 1.25 for i in places],
    }


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Three departments."""
    return Pool.of(WAITS, {name: rows(name) for name in WAITS.holders})


def numbers(table: Table) -> dict[tuple[str | None, ...], list[float]]:
    """The values of each row."""
    found = {}
    for row in table:
        found[row.key] = [cell.value for cell in row.cells if isinstance(cell, Value)]
    return found


def test_sums_are_found_again_by_key_and_name(pool: Pool) -> None:
    """Whatever order the round has: each number stands at its labels, departments too."""
    table = pool.exact(Late()).tables[0]
    assert table.keys == ("sex", "department")
    found = numbers(table)
    for name in WAITS.holders:
        held = rows(name)
        for sex in ("F", "M"):
            days = [
                d for d, s in zip(held["days"], held["sex"], strict=True) if s == sex and isinstance(d, int)
            ]
            late = sum(d > 126 for d in days)
            expected = [len(days), len(days) - late, late / len(days), 2 * sum(days)]
            assert found[sex, name] == pytest.approx(expected)
        assert found[None, name] == [0, 0, 0] or found[None, name][:2] == [0, 0]


def test_a_ratio_is_as_exact_as_in_sql(pool: Pool) -> None:
    """The same totals give the same value and interval as SHARE does, and sums those of COUNT and SUM."""
    text = "SELECT COUNT(days) AS n, SHARE(days > 126) AS s FROM waits"
    sql, ask = TableStatistic.from_sql(text, lambda _: WAITS), pool.ask(1)

    @dataclass(frozen=True, slots=True)
    class Fewer(Late):
        by: tuple[str, ...] = ()

        def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
            wanted = sums(ask, n="COUNT(days)", late="SUM(days > 126)")
            if not history:
                return wanted.round()
            cells = wanted.read(history[0])
            share = ratio(cells["late"], cells["n"], lo=0, hi=1)
            return Estimate((cells.table("late", n=cells["n"], share=share),))

    own = pool.estimate(Fewer(), ask, seed=3).tables[0].rows[0].cells
    theirs = pool.estimate(sql, ask, seed=3).tables[0].rows[0].cells
    for one, other in zip(own, theirs, strict=True):
        assert isinstance(one, Value)
        assert isinstance(other, Value)
        assert one.value == pytest.approx(other.value)
        assert one.noise_interval.lo == pytest.approx(other.noise_interval.lo)
        assert one.noise_interval.hi == pytest.approx(other.noise_interval.hi)


def test_who_did_not_answer_is_absent_with_the_reason(pool: Pool) -> None:
    """A department that refused has its rows, and no numbers."""
    statistic, ask = Late(), pool.ask(1)
    results: list[RoundResult] = []

    def refused(order: Round) -> RoundResult:
        totals = pool.totals(order)
        there = {name: totals[name] for name in ("north", "south")}
        whole = tuple(
            tuple(np.sum(np.stack(each), axis=0) for each in zip(*vectors, strict=True))
            for vectors in zip(*there.values(), strict=True)
        )
        scales = tuple(tuple(Fraction(2) for _ in a.measures) for a in order.aggregates)
        absent = {"west": Refusal("west", "FS-207", "It decided against this.")}
        results.append(RoundResult(order, whole, scales, 2, there, absent))
        return results[-1]

    table = run_rounds(statistic, ask, refused).tables[0]
    cells = {row.key: row.cells for row in table}
    assert isinstance(cells["F", "north"][0], Value)
    assert cells["F", "west"] == (Absence(AbsenceReason.REFUSED, "It decided against this."),) * 4
    assert len(table.rows) == 9
    nobody = replace(results[0], by_department={})
    assert all(isinstance(c, Absence) for row in sums_table(statistic, ask, nobody) for c in row)


def sums_table(statistic: Late, ask: Ask, result: RoundResult) -> list[tuple[object, ...]]:
    """The cells of the estimate of one result."""
    estimate = statistic.step(ask, (result,))
    assert isinstance(estimate, Estimate)
    return [row.cells for row in estimate.tables[0]]


def test_half_widths_hold_what_the_noise_does(pool: Pool) -> None:
    """Of 2,000 answers at least 1,851 hold the exact one: sums, differences, ratios."""
    statistic = Late(by=("sex",), where="sex IS NOT NULL")
    exact = [cell for row in pool.exact(statistic).tables[0] for cell in row.cells]
    held = np.zeros(len(exact))
    for estimate in pool.drawn(statistic, 1, 2_000, seed=5):
        cells = [cell for row in estimate.tables[0] for cell in row.cells]
        for i, (cell, true) in enumerate(zip(cells, exact, strict=True)):
            if not isinstance(cell, Value) or not isinstance(true, Value):
                held[i] += 1  # nobody is in the cell of missing values, and its share says so
                continue
            held[i] += _holds(cell.noise_interval, true.value)
    assert held.min() >= 1_851


def _holds(interval: Interval, number: float) -> bool:
    return interval.lo <= number <= interval.hi


def test_noise_of_sums_adds_up_in_squares(pool: Pool) -> None:
    """Two noisy numbers: variances add; a sum and itself: doubles; covariance of what is shared."""
    ask = pool.ask(1)
    wanted = sums(ask, n="COUNT(*)", cost="SUM(cost)", days="SUM(days)")
    first = wanted.round()
    totals = pool.totals(first.normalised())["north"]
    scales = tuple(tuple(Fraction(3) for _ in a.measures) for a in first.aggregates)
    cells = wanted.read(RoundResult(first.normalised(), totals, scales, 1))
    n, days = cells["n"], cells["days"]
    assert isinstance(n, Sum)
    assert (n + n).sd == pytest.approx(2 * n.sd)
    assert n.covariance(days) == pytest.approx(0)
    assert (n + days).sd == pytest.approx(np.hypot(n.sd, days.sd))
    assert (n - n).value == pytest.approx([0.0])
    assert (3 * n).half_width == pytest.approx(3 * n.half_width)


@pytest.mark.parametrize(
    "by,wanted,said",
    [
        ((), {}, "Say what to add up"),
        ((), {"m": "AVG(days)"}, "m is no sum"),
        (("sex",), {"m": "days"}, "days"),
        (("sex, days",), {"m": "COUNT(*)"}, "`by` has keys alone"),
        ((), {"m": "COUNT(*), SUM(days)"}, "Each name has one"),
        (("sex",), {"m": "SUM(nothing)"}, "nothing"),
    ],
)
def test_what_cannot_be_added_up_is_said(
    pool: Pool, by: tuple[str, ...], wanted: dict[str, str], said: str
) -> None:
    """Nothing, averages, plain columns, several things under one name, unknown columns: a sentence each."""
    with pytest.raises((ValueInvalid, LanguageError), match=said):
        sums(pool.ask(1), by=by, **wanted)


def test_sums_of_two_questions_do_not_mix(pool: Pool) -> None:
    """What was not read together has no common noise that anybody knows."""
    ask = pool.ask(1)
    wanted = sums(ask, n="COUNT(*)")
    first = wanted.round()
    scales = tuple(tuple(Fraction(3) for _ in a.measures) for a in first.aggregates)
    one, other = (
        wanted.read(RoundResult(first, pool.totals(first)[name], scales, 1)) for name in ("north", "south")
    )
    with pytest.raises(ValueInvalid, match="read together"):
        ratio(one["n"], other["n"])
    with pytest.raises(ValueInvalid, match="read together"):
        one["n"] + other["n"]
    with pytest.raises(ValueInvalid, match="has 1 cells"):
        one.table("t", n=())

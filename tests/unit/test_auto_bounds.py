"""AUTO(x): which bins there are, which bounds they give, what is asked when, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from strategies import DATASET, definitions

from fedstats.core.domain import Numbers
from fedstats.core.estimate import Estimate
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.query import Scope
from fedstats.core.statistic import Announcing, Ask, Round, RoundResult
from fedstats.errors import LanguageError, SqlRefused
from fedstats.statistics._auto_bounds import edges_of
from fedstats.statistics.table import Table

ASK = Ask(
    DATASET,
    MechanismLoss(Mechanism.GAUSSIAN, Fraction(1)),
    DATASET.contribution(departments_max=1),
    ("north", "south"),
)


def table(outputs: str, rest: str = "", bound: str = "rows") -> Table:
    """A question in SQL."""
    return Table.from_sql(f"SELECT {outputs} FROM waiting {rest}", definitions, bound=bound)


def counted(order: Round, counts: dict[int, int]) -> RoundResult:
    """A result of the first round with these rows in these bins, and none in the others."""
    vectors = []
    for aggregate in order.aggregates:
        vector = np.zeros(aggregate.cells(DATASET), dtype=np.int64)
        for bin_, count in counts.items():
            vector[bin_] = count * aggregate.units[0]
        vectors.append((vector,))
    scales = noise_scales(order.aggregates, ASK.loss.share(order.share), ASK.contribution)
    return RoundResult(order, tuple(vectors), scales, 2)


def test_bins_double_on_both_sides_of_zero() -> None:
    """Edges are powers of 2 of the native step, within the declared range, whose ends are the outermost."""
    edges = edges_of(Numbers(Fraction(-3), Fraction(10)))
    assert [float(edge) for edge in edges] == [-3, -2, -1, 1, 2, 4, 8, 10]
    quarters = edges_of(Numbers(Fraction(0), Fraction(1), Fraction(1, 4)))
    assert [float(edge) for edge in quarters] == [0, 0.25, 0.5, 1]
    assert len(edges_of(Numbers(Fraction(-(2**60)), Fraction(2**60)))) == 2 + 2 * 39


@pytest.mark.parametrize("bound", ["rows", "people", "norm:2"])
def test_bounds_are_around_the_bins_that_clearly_hold_rows(bound: str) -> None:
    """With a tenth of the loss a histogram, with the rest the sum, cut off at the edges that it gave."""
    question = table("sex, AVG(AUTO(wait_days)) AS mean", "WHERE urgent GROUP BY sex", bound)
    first = question.step(ASK, [])
    assert isinstance(first, Round)
    edges = edges_of(Numbers(Fraction(0), Fraction(1_000)))
    few = {edges.index(edge): 20 for edge in (128, 256, 512)}
    result = counted(first, {edges.index(16): 500, edges.index(64): 2_000, **few})
    second = question.step(ASK, [result])
    assert isinstance(second, Round)
    assert first.share + second.share <= 1
    assert abs(first.share - Fraction(1, 10)) < Fraction(1, 10**6)
    (grid,) = [m.grid for m in second.aggregates[0].measures if m.grid]
    reach = grid.half_width * grid.step
    assert [float(grid.centre - reach), float(grid.centre + reach)] == [16, 128]
    Scope.of((*first.aggregates, *question.later(ASK)), None).check(second.aggregates, None)
    done = question.step(ASK, [result, RoundResult(second, _zeros(second), _scales(second), 2)])
    assert isinstance(done, Estimate)
    told = " ".join(done.notes)
    assert "wait_days is cut off at 16 and 128, for all groups" in told
    assert "about 2 % of rows lie beyond" in told


def _zeros(order: Round) -> tuple[tuple[np.ndarray, ...], ...]:
    return tuple(tuple(np.zeros(a.cells(DATASET), np.int64) for _ in a.measures) for a in order.aggregates)


def _scales(order: Round) -> tuple[tuple[Fraction, ...], ...]:
    return noise_scales(order.aggregates, ASK.loss.share(order.share), ASK.contribution)


def test_where_no_bin_is_clear_the_declared_bounds_stand() -> None:
    """Too few rows to choose from: nothing is cut off, and the answer says so."""
    question = table("SUM(AUTO(wait_days)) AS total")
    first = question.step(ASK, [])
    assert isinstance(first, Round)
    result = counted(first, {3: 2})
    second = question.step(ASK, [result])
    plain = table("SUM(wait_days) AS total").step(ASK, [])
    assert isinstance(second, Round)
    assert isinstance(plain, Round)
    assert second.aggregates == plain.aggregates
    done = question.step(ASK, [result, RoundResult(second, _zeros(second), _scales(second), 2)])
    assert isinstance(done, Estimate)
    assert "declared bounds 0 to 1,000 stand" in done.notes[0]


def test_two_rounds_are_asked_where_bounds_are_chosen_and_nowhere_else() -> None:
    """A question without AUTO asks one round, and announces nothing for later."""
    plain, auto = table("AVG(age)"), table("AVG(AUTO(age)), AVG(age), SUM(AUTO(cost))")
    assert (plain.rounds_max, auto.rounds_max) == (1, 2)
    assert isinstance(plain, Announcing)
    assert not plain.later(ASK)
    first = auto.step(ASK, [])
    assert isinstance(first, Round)
    assert len(first.aggregates) == 2


@pytest.mark.parametrize(
    "outputs, words",
    [
        ("STDDEV(AUTO(age))", "squares have no bounds"),
        ("AVG(AUTO(urgent))", "AUTO is for numbers"),
        ("AVG(AUTO(age, 3))", "takes one expression"),
        ("AVG(1 + AUTO(age))", "directly in an average or a sum"),
        ("AUTO(age), COUNT(*)", "directly in an average or a sum"),
    ],
)
def test_what_auto_is_not_for_is_refused(outputs: str, words: str) -> None:
    """With a sentence that says what to write instead, before anything is asked."""
    with pytest.raises(LanguageError, match=words):
        table(outputs)


def test_a_column_that_nobody_may_group_by_has_no_histogram() -> None:
    """The agreement's word on grouping holds for the histogram too; CLAMP is what to write."""
    columns = tuple(replace(c, as_key=c.name != "cost") for c in DATASET.columns)
    ask = replace(ASK, dataset=replace(DATASET, columns=columns))
    with pytest.raises(SqlRefused, match="AUTO counts rows by cost") as caught:
        table("AVG(AUTO(cost))").step(ask, [])
    assert "CLAMP(cost" in caught.value.advice

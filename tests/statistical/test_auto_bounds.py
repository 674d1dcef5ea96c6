"""AVG(AUTO(x)): bounds from a noisy histogram, an error as planned, and intervals about what was cut off.

One choice of bounds holds for all groups, so each group is a trial: one release gives 2,000.
"""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from trials import COVERED_MIN, TRIALS, covered

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.domain import Numbers
from fedstats.core.estimate import Cell, Estimate, Value
from fedstats.core.grid import Grid
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Mechanism, MechanismLoss, UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.statistics._auto_bounds import edges_of
from fedstats.statistics.table import Table

INCOMES = Dataset(
    name="incomes",
    unit=Unit(UnitKind.PERSON, "nino", "nino"),
    rows_max=1,
    people_max=10**7,
    people_about=100_000,
    columns=(
        ColumnDefinition("income", Numbers(Fraction(-(10**9)), Fraction(10**9))),
        ColumnDefinition("trial", Numbers(Fraction(1), Fraction(TRIALS))),
    ),
    editions=("2025-09",),
    holders=("one",),
)
QUESTION = Table.from_sql(
    "SELECT trial, AVG(AUTO(income)) AS mean FROM incomes GROUP BY trial", lambda _: INCOMES
)
ERROR = 14.0
"""privacy.md, section 8: mean, unknown bounds, 100,000 people, epsilon 1, where the mean is about 32,000."""

Integers = npt.NDArray[np.int64]


def incomes(law: str, count: int) -> Integers:
    """Incomes of so many people: with a tail to the right, or without."""
    generator = np.random.default_rng(count)  # a fixed seed: what passes, passes again
    if law == "uniform":
        return np.asarray(generator.integers(0, 64_307, count), dtype=np.int64)
    return np.asarray(np.rint(26_850 * np.exp(0.6 * generator.standard_normal(count))), dtype=np.int64)


def released(ask: Ask, order: Round, exact: list[Integers], generator: np.random.Generator) -> RoundResult:
    """Exact totals with noise; as good as discrete, at scales of some units and more."""
    (scales,) = noise_scales(order.aggregates, ask.loss.share(order.share), ask.contribution)
    noisy = tuple(
        v + np.rint(generator.normal(0, float(scale), len(v))).astype(np.int64)
        for v, scale in zip(exact, scales, strict=True)
    )
    return RoundResult(order, (noisy,), (scales,), 1)


def quantised(values: Integers, grid: Grid) -> int:
    """The sum of the grid integers."""
    q = np.floor((values - float(grid.centre)) / float(grid.step) + 0.5)
    return int(np.clip(q, -grid.half_width, grid.half_width).sum())


def answered(
    values: Integers, epsilon: Fraction, generator: np.random.Generator
) -> tuple[list[Cell], tuple[float, float]]:
    """The mean in every trial, and the bounds that the answer says were chosen."""
    loss = MechanismLoss(Mechanism.GAUSSIAN, rho_from_epsilon(epsilon, Fraction(1, 2_000_000)))
    ask = Ask(INCOMES, loss, INCOMES.contribution(departments_max=1), ("one",))
    first = QUESTION.step(ask, [])
    assert isinstance(first, Round)
    edges = [float(edge) for edge in edges_of(Numbers(Fraction(-(10**9)), Fraction(10**9)))]
    histogram = released(ask, first, [np.histogram(values, edges)[0].astype(np.int64)], generator)
    second = QUESTION.step(ask, [histogram])
    assert isinstance(second, Round)
    totals = [
        np.full(TRIALS, len(values) if m.grid is None else quantised(values, m.grid), np.int64)
        for m in second.aggregates[0].measures
    ]
    done = QUESTION.step(ask, [histogram, released(ask, second, totals, generator)])
    assert isinstance(done, Estimate)
    (told,) = [m for note in done.notes if (m := re.search(r"cut off at (\S+) and (\S+), for", note))]
    lo, hi = (float(number.replace(",", "")) for number in told.groups())
    return [row.cells[0] for row in done.tables[0]], (lo, hi)


@pytest.mark.parametrize("law", ["lognormal", "uniform"])
def test_the_error_is_as_planned(law: str) -> None:
    """Of 100,000 incomes declared within a thousand million either way, the error is 1.5 of the plan at most.

    It is the root mean square of the distance to the mean of all incomes, none of them cut off.
    """
    values, generator = incomes(law, 100_000), np.random.default_rng(1)  # fixed seed
    cells = [cell for _ in range(2) for cell in answered(values, Fraction(1), generator)[0]]
    errors = [cell.value - values.mean() for cell in cells if isinstance(cell, Value)]
    assert len(errors) == len(cells)
    assert float(np.sqrt(np.mean(np.square(errors)))) <= 1.5 * ERROR


@pytest.mark.parametrize("epsilon", [Fraction(1, 2), Fraction(1), Fraction(4)])
@pytest.mark.parametrize("count", [2_000, 50_000])
def test_intervals_cover_what_was_cut_off(epsilon: Fraction, count: int) -> None:
    """Whatever bounds the noise chose, intervals are about the values cut off there, as the answer says."""
    values = incomes("lognormal", count)
    cells, (lo, hi) = answered(values, epsilon, np.random.default_rng(4))  # fixed seed
    assert covered(cells, float(np.clip(values, lo, hi).mean())) >= COVERED_MIN
    assert hi <= 2**20, "bounds a thousand times nearer than the declared ones"

"""Under disclosure control intervals still keep their word: rounding and selection are in them.

Of 1,000 releases an interval of 95 % misses more than 92 with a probability of 1e-8, and of 100 more than 20
with one of 4e-8, so all gates here together fail falsely for less than one seed in 100,000; seeds are fixed.
A number that is withheld promises nothing and misses nothing: what is counted are numbers that are shown with
an interval that does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from strategies import DATASET

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Numbers
from fedstats.core.estimate import Estimate, TableRow, Value
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.schema import ColumnDefinition
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.statistics.table import Table

TRIALS = 1_000
MISSED_MAX = 92
PARTS = (0, 9, 12, 60)
"""How many rows the cells of a total have: none, just fewer or more than a profile shows, and many."""

DEPARTMENTS = ("north", "south", "west")
EMPTY = 144
"""Cells of a table that holds nobody."""
OUTPUTS = "COUNT(*) AS n, AVG(age) AS a, SHARE(urgent) AS u, SUM(age) / COUNT(*) AS r, SUM(urgent) AS s"
LOSSES = {
    "noise that hides the rounding": rho_from_epsilon(Fraction(1), Fraction(1, 2_000_000)),
    "rounding that hides the noise": Fraction(2_000),
}
Integers = npt.NDArray[np.int64]


def released(
    keys: str,
    profile: DisclosureProfile,
    rho: Fraction,
    counts: Integers,
    generator: np.random.Generator,
    *,
    outputs: str = OUTPUTS,
    parts: int = len(PARTS),
) -> tuple[TableRow, ...]:
    """The answer where each cell has so many rows, all of age 50 and every fourth of them urgent."""
    trials = len(counts) // (parts if "part" in keys else 1)
    columns = (
        ColumnDefinition(name, Numbers(Fraction(1), Fraction(most)))
        for name, most in (("trial", trials), ("part", parts))
    )
    dataset = replace(DATASET, columns=(*DATASET.columns, *columns))
    statistic = Table.from_sql(
        f"SELECT {keys}, {outputs} FROM waiting GROUP BY {keys}", lambda _: dataset, totals=True
    )
    loss = MechanismLoss(Mechanism.GAUSSIAN, rho)
    ask = Ask(dataset, loss, dataset.contribution(departments_max=1), DEPARTMENTS, disclosure=profile)
    order = statistic.step(ask, [])
    assert isinstance(order, Round)
    (aggregate,) = order.aggregates
    (scales,) = noise_scales(order.aggregates, ask.loss, ask.contribution)
    exact = {"none": counts, "urgent": 2 * (counts // 4) - counts, "age": -10 * counts}
    names = [getattr(measure.expression, "name", "none") for measure in aggregate.measures]
    totals = tuple(
        exact[name] + sum(drawn(float(scale), len(counts), generator) for _ in DEPARTMENTS)
        for name, scale in zip(names, scales, strict=True)
    )
    estimate = statistic.step(ask, [RoundResult(order, (totals,), (scales,), len(DEPARTMENTS))])
    assert isinstance(estimate, Estimate)
    return estimate.tables[0].rows


def drawn(scale: float, size: int, generator: np.random.Generator) -> Integers:
    """Discrete Gaussian noise by its inverse distribution function in floats: for these tests alone.

    Seeded, so that the trials are the same each time; no private number is protected by it.
    """
    reach = int(10 * scale) + 2
    weights = np.exp(-((np.arange(-reach, reach + 1) / scale) ** 2) / 2)
    distribution = np.cumsum(weights)
    uniform = generator.random(size) * distribution[-1]
    return np.asarray(np.searchsorted(distribution, uniform) - reach, dtype=np.int64)


def truths(count: int, urgent: int) -> Sequence[float]:
    """The exact answers over so many rows."""
    return count, 50, urgent / count if count else 0, 50, urgent


def missed(row: TableRow, exact: Sequence[float]) -> list[bool]:
    """Which numbers are shown with an interval that does not hold."""
    return [
        isinstance(cell, Value) and not cell.noise_interval.lo <= truth <= cell.noise_interval.hi
        for cell, truth in zip(row.cells, exact, strict=True)
    ]


@pytest.mark.parametrize("profile", [DisclosureProfile.OPENSAFELY, DisclosureProfile.ACRO])
@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("count", [13, 402])
def test_intervals_of_what_is_shown_hold(count: int, loss: str, profile: DisclosureProfile) -> None:
    """An interval that a reader is shown misses the exact answer in 5 % of releases at most."""
    counts = np.full(TRIALS, count, dtype=np.int64)
    rows = released("trial", profile, LOSSES[loss], counts, np.random.default_rng(7))  # fixed seed
    cells = [row for row in rows if not row.total]
    misses = np.sum([missed(row, truths(count, count // 4)) for row in cells], axis=0)
    assert max(misses) <= MISSED_MAX
    if count == 402:
        assert all(isinstance(cell, Value) for row in cells for cell in row.cells)


@pytest.mark.parametrize(
    "profile, loss",
    [
        (DisclosureProfile.NONE, "noise that hides the rounding"),
        (DisclosureProfile.OPENSAFELY, "noise that hides the rounding"),
        (DisclosureProfile.OPENSAFELY, "rounding that hides the noise"),
        (DisclosureProfile.ACRO, "noise that hides the rounding"),
    ],
)
def test_intervals_of_totals_hold_for_the_cells_they_add_up(profile: DisclosureProfile, loss: str) -> None:
    """Cells are chosen by their noise, and a total of the chosen ones still misses in 5 % at most."""
    counts = np.repeat(PARTS, TRIALS)  # in the order of the round's keys, which is part, trial
    rows = released("trial, part", profile, LOSSES[loss], counts, np.random.default_rng(8))  # fixed seed
    cells = {row.key: row for row in rows}
    misses = np.zeros(5)
    for trial in range(1, TRIALS + 1):
        parts = [cells[str(trial), str(part)] for part in range(1, len(PARTS) + 1)]
        exact = []
        for i in range(5):
            shown = [n for n, row in zip(PARTS, parts, strict=True) if isinstance(row.cells[i], Value)]
            exact.append(truths(sum(shown), sum(n // 4 for n in shown))[i])
        misses += missed(cells[str(trial), "all"], exact)
    assert max(misses) <= MISSED_MAX


def test_a_total_of_cells_that_noise_alone_shows_promises_no_more_than_it_knows() -> None:
    """144 empty cells, of which noise lifts a fourth above the least: the total still covers the 0 it is.

    Added up as if they had not been chosen, their noise would leave it out of nearly every interval.
    """
    counts = np.zeros(100 * EMPTY, dtype=np.int64)
    rho, generator = LOSSES["noise that hides the rounding"], np.random.default_rng(9)  # fixed seed
    rows = released(
        "trial, part",
        DisclosureProfile.ACRO,
        rho,
        counts,
        generator,
        outputs="COUNT(DISTINCT nhs_number) AS p",
        parts=EMPTY,
    )
    totals = [row for row in rows if row.key[1] == "all" and row.key[0] != "all"]
    assert len(totals) == 100
    assert sum(missed(row, [0])[0] for row in totals) <= 20

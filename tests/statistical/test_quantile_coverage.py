"""Quantiles cover: fresh noise over the same rows, and over redrawn rows, against the promised 95 %.

A gate fails below 1,851 of 2,000, which a true 95 % interval does about once in 100,000 runs; the generator
has a fixed seed. Where the noise hides how many rows there are, there is no number: those draws are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from strategies import DATASET

from fedstats.core.domain import Numbers
from fedstats.core.estimate import Value
from fedstats.core.expression import Column
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.core.schema import ColumnDefinition
from fedstats.statistics._quantile import TreePlan, noise_of
from fedstats.statistics._tree import Counted, shape_of
from fedstats.testing.conformance import missed_max
from fedstats.testing.pool import gaussian_loss

DRAWS, COVERED_MIN = 2_000, 1_851
DEPARTMENTS = 3
WAIT = Column("wait")
DOMAIN = Numbers(Fraction(0), Fraction(730))
WAITING = replace(DATASET, columns=(ColumnDefinition("wait", DOMAIN),))
SHARES = (0.5, 0.92)

Integers = npt.NDArray[np.int64]


def waits(rows: int, generator: np.random.Generator) -> Integers:
    """Waits as they are: most are short, few are very long."""
    return np.minimum(generator.lognormal(4.5, 0.9, rows), 730).astype(np.int64)


class Draws:
    """The noisy trees of three departments, at a loss."""

    def __init__(self, loss: MechanismLoss) -> None:
        """Plan the tree and its noise as a question would."""
        self.plan = TreePlan.of(WAIT, WAITING, loss.mechanism)
        aggregate = self.plan.aggregate((), WAITING)
        ((self.scale,),) = noise_scales((aggregate,), loss, Contribution(1, 1, 1))
        self.mechanism = loss.mechanism

    def rank_sd(self, q: float) -> float:
        """The greatest standard deviation that the noise of a rank has."""
        variances = shape_of(self.plan.bins.count, self.plan.tree.branching).rank_variances(q)
        return float(self.scale) * float(np.sqrt(DEPARTMENTS * np.max(variances)))

    def read(self, held: Sequence[Integers], generator: np.random.Generator) -> list[Counted]:
        """2,000 releases, each of the next of these rows, all made to agree in one go."""
        count = self.plan.bins.count
        bins = [np.bincount(rows, minlength=count) for rows in held]
        exact = np.stack([self.plan.tree.of_bins(each, (count,), 0) for each in bins])
        law = generator.normal if self.mechanism is Mechanism.GAUSSIAN else generator.laplace
        noisy = np.broadcast_to(exact, (DRAWS, exact.shape[-1])).astype(np.float64)
        for _ in range(DEPARTMENTS):
            noisy += np.rint(law(0, float(self.scale), noisy.shape))
        shape = shape_of(count, self.plan.tree.branching)
        up_to = np.cumsum(shape.agreeing(noisy), axis=-1)
        sd, z = noise_of(self.mechanism, self.scale, DEPARTMENTS)
        return [Counted(self.plan.bins, shape, each, sd, z) for each in up_to]


LOSSES = {
    "epsilon 0.5": gaussian_loss(0.5),
    "epsilon 1": gaussian_loss(1),
    "epsilon 4": gaussian_loss(4),
    "pure epsilon 1": MechanismLoss(Mechanism.LAPLACE, Fraction(1)),
}
PARAMETER = dict(zip(SHARES, np.quantile(waits(1_000_000, np.random.default_rng(9)), SHARES), strict=True))


def known(releases: Sequence[Counted], q: float) -> list[Value]:
    """The quantile of every release that has one."""
    found = [release.quantile(q) for release in releases]
    return [value for value in found if value is not None]


def missed(values: Sequence[Value], exact: float) -> int:
    """How many noise intervals do not hold the exact quantile."""
    return sum(not value.noise_interval.lo <= exact <= value.noise_interval.hi for value in values)


@pytest.mark.parametrize("rows", [30, 5_000])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_noise_intervals_cover_the_pooled_quantile(loss: str, rows: int) -> None:
    """Of small groups and large ones, the quantile of all rows lies in the interval, which is narrow.

    It is up to twice as wide as errors are where values are rare (the 92nd percentile): noise crosses a line
    there more than once, and the interval reaches from the first crossing to the last.
    """
    generator = np.random.default_rng(rows)  # a fixed seed: what passes, passes again
    held, draws = waits(rows, generator), Draws(LOSSES[loss])
    releases = draws.read([held], generator)
    for q in SHARES:
        values = known(releases, q)
        exact = int(np.sort(held)[int(np.ceil(q * rows)) - 1])
        most = missed_max(len(values), cells=1)
        assert missed(values, exact) <= min(DRAWS - COVERED_MIN, most)
        if rows == 5_000:
            assert len(values) == DRAWS
            ranks = [np.sum((held > v.noise_interval.lo) & (held < v.noise_interval.hi)) / 2 for v in values]
            assert np.mean(ranks) <= 2 * 1.96 * draws.rank_sd(q)
            needed = np.quantile([abs(value.value - exact) for value in values], 0.95)
            assert np.mean([value.noise_interval.half_width for value in values]) <= 2 * needed + 1


def test_in_a_gap_at_the_median_every_value_that_fits_is_held() -> None:
    """Half of the rows far below, half far above: the noise decides on which side, and the interval is wide.

    A narrower rule (sorting the bounds, as for bands that hold everywhere at once) covers 3 in 10 here.
    """
    generator, draws = np.random.default_rng(5), Draws(LOSSES["epsilon 1"])  # fixed seed
    held = np.repeat([3, 400], [2_501, 2_499])
    values = known(draws.read([held], generator), 0.5)
    assert missed(values, 3) <= DRAWS - COVERED_MIN


@pytest.mark.parametrize("loss", list(LOSSES)[:3])
def test_intervals_cover_the_population(loss: str) -> None:
    """With other rows of the same population each time, its quantile lies in the wider interval."""
    generator = np.random.default_rng(4)  # a fixed seed: what passes, passes again
    draws = Draws(LOSSES[loss])
    releases = draws.read([waits(5_000, generator) for _ in range(DRAWS)], generator)
    for q in SHARES:
        intervals = [value.interval for value in known(releases, q)]
        covered = sum(each is not None and each.lo <= PARAMETER[q] <= each.hi for each in intervals)
        assert covered >= COVERED_MIN

"""Counts by weekly band of waiting, with noise: shares within a week and quantiles, of many cells at once.

Band 0 holds waits of 7 days or less, band k those of 7k + 1 to 7k + 7 days, and the last, 104, all longer
ones. So a pathway of 126 days is within 18 weeks, in band 17. Whatever is said here is a function of prefix
sums over the bands of one cell. Their noises are independent and of one scale; each cell's pathways are also
counted once whole, with a noise of their own. The best linear estimate of both adds to every band the same
part of the difference between the whole and the sum of the bands (generalised least squares), so that counts,
shares and quantiles agree with each other, and the variance of each is known exactly.

Quantiles are interpolated within their band, as NHS England does: where so many pathways of a band are still
needed, so much of its week is added. A wait beyond 104 weeks is read as 104.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fedstats.core.estimate import Absence, Cell, Interval, Value
from fedstats.statistics._intervals import Z
from fedstats.statistics._linear import TOO_FEW

BANDS = 105
WEEKS_MAX = BANDS - 1
"""Where the last band begins: a quantile in it is at least so many weeks, and nobody knows how many."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """One number of each cell: shape (cells,). `told` is whether the noise lets anything be said of it.

    `lo` to `hi` is the noise interval, `least` to `most` the interval for the population.
    """

    value: Floats
    lo: Floats
    hi: Floats
    least: Floats
    most: Floats
    told: Flags

    def cells(self, withheld: Flags, why: Absence) -> list[Cell]:
        """The numbers as cells of a table; `why` where disclosure control withholds one."""
        columns = zip(
            self.value.tolist(),
            self.lo.tolist(),
            self.hi.tolist(),
            self.least.tolist(),
            self.most.tolist(),
            self.told.tolist(),
            withheld.tolist(),
            strict=True,
        )
        return [
            why if hidden else Value(value, Interval(lo, hi), Interval(least, most)) if told else TOO_FEW
            for value, lo, hi, least, most, told, hidden in columns
        ]


@dataclass(frozen=True, slots=True)
class BandNoise:
    """The noise of one cell's bands: `variance` that of one band alone, of `count` bands from `first` on.

    Other bands are always empty, as the declared columns allow no such wait. `shared` is the part of a
    difference that each band takes: with the variance v of a band and V of the whole, v / (count v + V).
    After that, the noises of two bands have the covariance - shared * v.
    """

    variance: float
    shared: float
    first: int = 0
    count: int = BANDS

    @classmethod
    def of(cls, variance: float, whole: float, first: int, count: int) -> BandNoise:
        """From the variances of a band and of the whole."""
        both = count * variance + whole
        return cls(variance, variance / both if both else 0.0, first, count)

    def joined(self, bands: Floats, wholes: Floats) -> Floats:
        """The best estimates: shape (..., 105) of bands, (...) of wholes."""
        part = self.shared * (wholes - bands.sum(axis=-1))
        joined = bands.copy()
        joined[..., self.first : self.first + self.count] += part[..., None]
        return joined

    def of_sum(self, weeks: int) -> float:
        """The variance of how many waited at most so many weeks; of 105, of all."""
        bands = self._noisy(weeks)
        return float(self.variance * (bands - self.shared * bands**2))

    def of_rest(self, weeks: int) -> float:
        """The variance of how many waited longer."""
        bands = self.count - self._noisy(weeks)
        return float(self.variance * (bands - self.shared * bands**2))

    def with_all(self, weeks: int) -> float:
        """The covariance of how many waited at most so many weeks with all."""
        bands = self._noisy(weeks)
        return float(self.variance * (bands - self.shared * bands * self.count))

    def of_contrast(self, weeks: int | NDArray[np.int64], share: float) -> Floats:
        """The variance of (how many waited at most so many weeks) - share * (all)."""
        inside = self._noisy(weeks)
        squares = (1 - share) ** 2 * inside + share**2 * (self.count - inside)
        return np.asarray(self.variance * (squares - self.shared * (inside - share * self.count) ** 2))

    def _noisy(self, weeks: int | NDArray[np.int64]) -> Floats:
        """How many of the first bands have noise."""
        return np.clip(np.asarray(weeks, dtype=np.float64) - self.first, 0.0, float(self.count))


@dataclass(frozen=True, eq=False)
class Banded:
    """Noisy counts of pathways by band, joined with their wholes: shape (cells, 105).

    Each adds up the counts of so many cells of the release, `noises` in all, each with this `noise`.
    `round_to` is how disclosure control shows a count, and `slack` how far that moves it at most.
    """

    counts: Floats
    noises: int
    noise: BandNoise
    round_to: Callable[[Floats], Floats] = lambda counts: counts
    slack: float = 0.0

    @cached_property
    def _passed(self) -> Floats:
        """How many waited at most k weeks, k = 0..105; 105 stands for however long: shape (cells, 106)."""
        return np.pad(np.cumsum(self.counts, axis=1), ((0, 0), (1, 0)))

    @cached_property
    def all(self) -> Floats:
        """How many pathways there are, as they may be shown."""
        return self.round_to(self._passed[:, -1])

    def within(self, weeks: int) -> Floats:
        """How many waited at most so many weeks, as they may be shown."""
        return self.round_to(self._passed[:, weeks])

    def pathways(self) -> Numbers:
        """How many pathways there are."""
        return self._counted(self.all, self.noise.of_sum(BANDS))

    def over(self, weeks: int) -> Numbers:
        """How many waited longer."""
        longer = self._passed[:, -1] - self._passed[:, weeks]
        return self._counted(self.round_to(longer), self.noise.of_rest(weeks))

    def _counted(self, counts: Floats, variance: float) -> Numbers:
        """Noise around a count; for the population, a Poisson variance added in squares."""
        reach = np.full_like(counts, Z * math.sqrt(self.noises * variance) + self.slack)
        whole = np.sqrt(reach**2 + Z**2 * np.maximum(counts, 0.0))
        told = np.ones(len(counts), dtype=np.bool_)
        return Numbers(counts, counts - reach, counts + reach, counts - whole, counts + whole, told)

    def share_within(self, weeks: int) -> Numbers:
        """The percentage that waited at most so many weeks: a ratio of two sums that share their noise.

        Fieller's interval (Fieller 1954): all r for which top - r * all is no further from 0 than its half
        width. For the population the binomial variance is added in squares, at the least favourable share of
        the noise interval.
        """
        top, bottom = self.within(weeks), self.all
        unit = Z**2 * self.noises
        spread_top, spread_all = unit * self.noise.of_sum(weeks), unit * self.noise.of_sum(BANDS)
        shared = unit * self.noise.with_all(weeks)
        told = (bottom > self.slack) & ((bottom - self.slack) ** 2 > spread_all)
        safe = np.where(told, bottom, 1.0 + self.slack + spread_all)
        value = np.clip(top / safe, 0.0, 1.0)
        ends = [
            _fieller(top + s * self.slack, safe + t * self.slack, spread_top, spread_all, shared)
            for s in (-1, 1)
            for t in (-1, 1)
        ]
        lo = np.minimum.reduce([end[0] for end in ends])
        hi = np.maximum.reduce([end[1] for end in ends])
        lo, hi = _within_0_and_1(lo, hi)
        worst = np.clip(0.5, lo, hi)
        sampling = Z**2 * worst * (1 - worst) / safe
        least = np.maximum(value - np.sqrt((value - lo) ** 2 + sampling), 0.0)
        most = np.minimum(value + np.sqrt((hi - value) ** 2 + sampling), 1.0)
        return Numbers(100 * value, 100 * lo, 100 * hi, 100 * least, 100 * most, told)

    def curve(self) -> list[Numbers]:
        """The percentage within 1, 2, ... 104 weeks; its values rise, as shares of the exact counts do.

        Where noise makes the shares fall, they are replaced by the mean of their two monotone envelopes, kept
        within each week's interval. The intervals are those of single weeks.
        """
        weeks = [self.share_within(week) for week in range(1, BANDS)]
        values = np.stack([each.value for each in weeks], axis=1)
        risen = _monotone(values)
        return [replace(each, value=np.clip(risen[:, i], each.lo, each.hi)) for i, each in enumerate(weeks)]

    def quantile(self, share: float) -> Numbers:
        """In how many weeks this share of the pathways had waited their whole wait.

        With P(x) the interpolated number of those that waited at most x weeks, and N of all, the quantile of
        the exact counts is where T(x) = P(x) - share * N crosses 0. There the noisy T(x) has mean 0 and a
        standard deviation that is known, so the interval holds every x at which T(x) is not further from 0
        than its 97.5 % point, and what lies between such x: it leaves out the exact quantile in 5 % of
        releases at most. Between the edges of a band T is a line and its standard deviation convex, so that
        the chord gives ends that are too wide rather than too narrow. For the population, the variance of a
        binomial count, N share (1 - share), is added.

        Noise can make P fall, and cross several times; the estimate is the crossing of the mean of its two
        monotone envelopes, the greatest so far and the least to come. Where P rises, that is P itself.
        """
        passed, total = self._passed, self._passed[:, -1:]
        edge = np.arange(BANDS + 1)
        noise = self.noises * self.noise.of_contrast(edge, share)
        sampling = share * (1 - share) * np.maximum(total, 0.0)
        crossing = passed - share * total
        lo, hi = _not_refuted(crossing, Z * np.sqrt(noise))
        least, most = _not_refuted(crossing, Z * np.sqrt(noise + sampling))
        value = np.clip(_first_rise(_monotone(passed) - share * total), lo, hi)
        clear = total[:, 0] ** 2 > Z**2 * self.noises * self.noise.of_sum(BANDS)
        told = (total[:, 0] > 0) & clear & ~((lo <= 0) & (hi >= BANDS))
        value, lo, hi, least, most = (np.minimum(part, WEEKS_MAX) for part in (value, lo, hi, least, most))
        return Numbers(value, lo, hi, least, most, told)


def _monotone(rows: Floats) -> Floats:
    """The mean of the greatest so far and the least to come, along each row."""
    risen = np.maximum.accumulate(rows, axis=1)
    to_come = np.minimum.accumulate(rows[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((risen + to_come) / 2)


def _fieller(
    top: Floats, bottom: Floats, spread_top: float, spread_all: float, shared: float
) -> tuple[Floats, Floats]:
    """As `ratio_interval`: spreads are squares of half widths, `shared` what both have in common."""
    a = bottom**2 - spread_all
    a = np.where(a > 0, a, 1.0)
    b = top * bottom - shared
    root = np.sqrt(np.maximum(b**2 - a * (top**2 - spread_top), 0.0))
    return (b - root) / a, (b + root) / a


def _within_0_and_1(lo: Floats, hi: Floats) -> tuple[Floats, Floats]:
    """As `Bounds.within`: an interval that noise threw out keeps its inward half, moved to the bound."""
    half = (hi - lo) / 2
    below, above = hi < 0, lo > 1
    inner_lo, inner_hi = np.clip(lo, 0.0, 1.0), np.clip(hi, 0.0, 1.0)
    lo = np.where(above, np.maximum(1.0 - half, 0.0), inner_lo)
    hi = np.where(below, np.minimum(half, 1.0), inner_hi)
    return lo, hi


def _not_refuted(crossing: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """The first and the last place at which the crossing is not further from 0 than its reach."""
    lo = _first_rise(crossing + reach)
    hi = BANDS - _first_rise((reach - crossing)[:, ::-1])
    return lo, np.maximum(hi, lo)


def _first_rise(heights: Floats) -> Floats:
    """Where each row first reaches 0, interpolated between its points; the last point if it never does."""
    reached = heights >= 0
    k = np.where(reached.any(axis=1), reached.argmax(axis=1), heights.shape[1] - 1)
    rows = np.arange(len(heights))
    before, at = heights[rows, np.maximum(k - 1, 0)], heights[rows, k]
    step = np.where(at > before, at - before, 1.0)
    part = np.clip(-before / step, 0.0, 1.0)
    return np.where(k == 0, 0.0, np.where(at >= 0, k - 1 + part, heights.shape[1] - 1.0))

"""Covariances and correlations of centred values, from their noisy averages and how far the noise reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedstats.core.estimate import Absence, AbsenceReason, Cell, Interval, Value
from fedstats.statistics._intervals import Bounds, Z, around, widened

Floats = NDArray[np.float64]
CLEAR = 2.0
"""Half widths of its noise by which a number stands above 0 before anything is divided by it."""
UNKNOWN = Absence(
    AbsenceReason.TOO_FEW, "The noise is as large as the spread of the values, or as their number."
)
_TURNED = 1e-9
_CORRELATION = Bounds(-1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """One average: its value, and its slope in every total of the cell."""

    value: float
    slope: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Averages of z_i (`first`) and of z_i z_j (`second`, i <= j) of `count` rows, z_i = x_i - `middles`[i].

    `sds` are the standard deviations of the noise of the totals, in whose order the slopes are; that at
    `counted` is the number of rows.
    """

    count: float
    first: tuple[Average, ...]
    second: Mapping[tuple[int, int], Average]
    middles: tuple[float, ...]
    sds: Floats
    counted: int

    @property
    def size(self) -> int:
        """How many columns."""
        return len(self.first)

    @property
    def rows(self) -> Value:
        """How many rows."""
        found = around(self.count, Z * float(self.sds[self.counted]))
        return Value(self.count, found, widened(self.count, found, self.count))

    def mean(self, i: int) -> Value:
        """The mean of a column."""
        value, noise = self.middles[i] + self.first[i].value, self._noise(self.first[i].slope)
        found = around(value, Z * noise)
        return Value(value, found, widened(value, found, max(0.0, self.covariance(i, i).value) / self.count))

    def deviation(self, i: int) -> Cell:
        """The standard deviation of a column (denominator n - 1)."""
        found = self.covariance(i, i)
        if not self.spreads(i):
            return UNKNOWN
        value, sampled = math.sqrt(found.value), found.interval or found.noise_interval
        return Value(value, _root(found.noise_interval), _root(sampled))

    def covariance(self, i: int, j: int) -> Value:
        """The sample covariance, with the interval for the population where the values are normal.

        Its variance there is (s_ii s_jj + s_ij^2) / (n - 1) (Anderson 2003, section 3.4).
        """
        factor = self.count / (self.count - 1)
        found = self._second(i, j)
        value, noise = factor * found.value, factor * self._noise(found.slope)
        interval = around(value, Z * noise)
        own = max(0.0, self._second(i, i).value * self._second(j, j).value) + found.value**2
        return Value(value, interval, widened(value, interval, own / self.count))

    def spreads(self, i: int) -> bool:
        """Whether the variance of a column stands out of its noise."""
        found = self._second(i, i)
        return found.value > CLEAR * Z * self._noise(found.slope)

    def correlation(self, i: int, j: int) -> Value:
        """Pearson's correlation; both columns must spread.

        The noise by the slope of r in every total. For the population it is added to 1 / (n - 3) on the
        scale of Fisher's z = artanh r (Fisher 1921), which takes the pairs as normal.
        """
        if i == j:
            return Value(1.0, Interval(1.0, 1.0), Interval(1.0, 1.0))
        top, left, right = self._second(i, j), self._second(i, i), self._second(j, j)
        root = math.sqrt(left.value * right.value)
        r = top.value / root
        slope = top.slope / root - r / 2 * (left.slope / left.value + right.slope / right.value)
        sd = self._noise(slope)
        shown = _CORRELATION.clip(r)
        noise = _CORRELATION.within(around(r, Z * sd))
        free = 1 - shown**2
        if free <= 0 or sd > free / 2:  # at the edge z has no slope that could be trusted
            return Value(shown, noise, _CORRELATION.within(widened(shown, noise, free**2 / self.count)))
        reach = Z * math.sqrt(1 / max(1.0, self.count - 3) + (sd / free) ** 2)
        return Value(
            shown, noise, Interval(math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach))
        )

    def _second(self, i: int, j: int) -> Average:
        """The covariance with denominator n, and its slope."""
        product, left, right = self.second[min(i, j), max(i, j)], self.first[i], self.first[j]
        return Average(
            product.value - left.value * right.value,
            product.slope - left.value * right.slope - right.value * left.slope,
        )

    def _noise(self, slope: Floats) -> float:
        return float(np.sqrt(((slope * self.sds) ** 2).sum()))


def repaired(matrix: Floats) -> Floats:
    """The matrix, or where it has an eigenvalue below 0 one near it that has none, with ones on its diagonal.

    Noise can make correlations that no data have. Eigenvalues below 0 become 0, and the diagonal is scaled
    back (Rousseeuw and Molenberghs 1993, the spectral method); that is post-processing and costs nothing.
    """
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= -_TURNED:
        return matrix
    clipped = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = np.sqrt(np.diag(clipped))
    return np.asarray(clipped / np.outer(scale, scale), dtype=np.float64)


def moved(cell: Value, to: float) -> Value:
    """The cell with another value, which its intervals hold, too."""
    noise = _with(cell.noise_interval, to)
    return Value(to, noise, None if cell.interval is None else _with(cell.interval, to))


def _with(interval: Interval, value: float) -> Interval:
    return Interval(min(interval.lo, value), max(interval.hi, value))


def _root(interval: Interval) -> Interval:
    return Interval(math.sqrt(max(0.0, interval.lo)), math.sqrt(max(0.0, interval.hi)))

"""Is one key independent of another? Counts with noise, compared with what independence would give.

A noisy count is x = n + z: n counts rows, about Poisson, and z is noise of a known variance s2, so that x
varies by its expected count and s2 together. With the expected counts e = R C / N from the margins (sums of
the cells, so that all agree) and the weights 1 / (e + s2), the statistic is the least weighted sum of squares
over all tables of independent keys near e:

    Q = d' W d - d' W J (J' W J)^- J' W d,    d = x - e,    W = diag(1 / (e + s2)),

where J spans the directions in which tables stay independent. It is the minimum chi-square with the variance
of the noise added, and under independence a chi-square with (rows - 1)(columns - 1) degrees of freedom
(Kifer and Rogers 2017, "A new class of private chi-square hypothesis tests"; one step from the margins, which
are consistent, takes nothing from it). Without noise it is Pearson's. Where noise outweighs everything it
finds too little, never too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedstats.core.distributions import chi_square_point, chi_square_tail, noncentrality_of
from fedstats.core.estimate import Interval, Value
from fedstats.statistics._intervals import Z, around

Floats = NDArray[np.float64]

EXPECTED_MIN = 5.0
"""The least variance, of count and noise together, at which a cell is as good as normal (Cochran 1954)."""
CLEAR = 2.0
"""Half widths of its noise by which a total must stand above 0 before anything is divided by it."""
_TAILS = (0.025, 0.975)
_RANK = 1e-9


@dataclass(frozen=True, slots=True)
class Distance:
    """S, the sum of d^2 / e, found as `found`: about `a` times a noncentral chi-square.

    `trace` is that of the covariance of d / sqrt(e): what variation adds to S. Without any it is 0.
    """

    found: float
    trace: float
    a: float

    def interval(self) -> Interval:
        """Where S without what varies can lie."""
        if self.trace <= 0:
            return Interval(self.found, self.found)
        lo, hi = (
            self.a * noncentrality_of(value / self.a, self.trace / self.a, tail)
            for value, tail in zip(self._values, _TAILS, strict=True)
        )
        return Interval(lo, hi)

    def sides(self, exact: float) -> tuple[bool, bool]:
        """Whether `exact` is not below the interval, and not above it: by its test, the ends unknown."""
        if self.trace <= 0:
            return exact >= self.found, exact <= self.found
        least, most = (
            chi_square_tail(value / self.a, self.trace / self.a, exact / self.a) for value in self._values
        )
        return least >= _TAILS[0], most <= _TAILS[1]

    @property
    def _values(self) -> tuple[float, float]:
        """Of which the lower and the upper end are found: above, no less than variation alone gives."""
        return self.found, max(self.found, self.trace)


@dataclass(frozen=True, slots=True, eq=False)
class Independence:
    """A table of noisy counts x (rows, columns), each with noise of variance `s2`, its margins and e."""

    counts: Floats
    s2: float
    of_rows: Floats
    of_columns: Floats
    expected: Floats

    @classmethod
    def of(cls, counts: Floats, s2: float) -> Independence:
        """The expected counts of a table with a total other than 0."""
        of_rows, of_columns = counts.sum(axis=1), counts.sum(axis=0)
        return cls(counts, s2, of_rows, of_columns, np.outer(of_rows, of_columns) / counts.sum())

    @property
    def total(self) -> float:
        """The sum of all counts."""
        return float(self.counts.sum())

    @property
    def known(self) -> bool:
        """Whether the total stands out of its noise, so that there is something to be tested."""
        return self.total > 0 and self.total >= CLEAR * Z * math.sqrt(self.s2 * self.counts.size)

    @property
    def testable(self) -> bool:
        """Whether the law of the statistic holds: every cell varies about as a normal number does."""
        varying = self.expected[self.variances > 0]
        return (
            self.known and self.degrees > 0 and bool((np.maximum(varying, 0) + self.s2).min() >= EXPECTED_MIN)
        )

    @property
    def measurable(self) -> bool:
        """Whether every row and column that holds anything stands out of its noise, to be divided by."""
        clear = CLEAR * Z * math.sqrt(self.s2)
        rows, columns = self.counts.shape
        return (
            self.known
            and self.degrees > 0
            and bool(np.all(self._margin(self.of_rows) > clear * math.sqrt(columns)))
            and bool(np.all(self._margin(self.of_columns) > clear * math.sqrt(rows)))
        )

    @property
    def variances(self) -> Floats:
        """Of every count: what is expected there, as of a Poisson number, and the noise."""
        return np.asarray(np.maximum(self.expected, 0.0) + self.s2, dtype=np.float64)

    @property
    def degrees(self) -> int:
        """(rows - 1)(columns - 1), of those that vary: without noise, an empty row says nothing."""
        return (len(self._margin(self.of_rows)) - 1) * (len(self._margin(self.of_columns)) - 1)

    @property
    def statistic(self) -> float:
        """Q of the module's text."""
        d, weights = self.counts - self.expected, _inverse(self.variances)
        a, b = self.of_rows / self.total, self.of_columns / self.total
        weighted = weights * d
        across = weights * np.outer(a, b)
        inner = np.block([[np.diag(weights @ b**2), across], [across.T, np.diag(weights.T @ a**2)]])
        slope = np.concatenate([weighted @ b, weighted.T @ a])
        along, *_ = np.linalg.lstsq(inner, slope, rcond=None)
        return max(0.0, float((weighted * d).sum() - slope @ along))

    @property
    def p_value(self) -> float:
        """How often independent keys would give a statistic as large."""
        return chi_square_tail(self.statistic, self.degrees)

    def found_from(self, power: float, level: float) -> tuple[float, float]:
        """From which Cramer's V on the test finds what is there with probability `power`, at best and worst.

        It depends on where the deviations d from independence are, as noise weighs most where little is
        expected. Of tables at these margins the noncentrality of Q is N m V^2 times a mean of e / (e + s2)
        over d^2 / e: between the least and the greatest eigenvalue of Q's matrix over d / sqrt(e), on the
        (rows - 1)(columns - 1) directions that leave the margins as they are.
        """
        needed = noncentrality_of(chi_square_point(level, self.degrees), self.degrees, power)
        root = np.sqrt(np.maximum(self.expected, 0.0)).ravel()
        across = self._along_margins()
        weighted = np.diag(_inverse(self.variances).ravel())
        taken = weighted @ across
        matrix = weighted - taken @ np.linalg.pinv(across.T @ taken) @ taken.T
        rows, columns = self.counts.shape
        sums = np.vstack([np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))])
        _, sizes, directions = np.linalg.svd(sums * root)
        free = directions[int((sizes > sizes[0] * _RANK).sum()) :]
        found = np.linalg.eigvalsh(free @ (root[:, None] * matrix * root) @ free.T)[-self.degrees :]
        scale = self.total * self._smaller
        best, worst = (math.sqrt(needed / (scale * max(v, _RANK))) for v in (found[-1], found[0]))
        return best, worst

    def _along_margins(self) -> Floats:
        """The directions (J of the module's text) in which a table stays independent, one a column."""
        a, b = self.of_rows / self.total, self.of_columns / self.total
        return np.asarray(
            np.hstack([np.kron(np.eye(len(a)), b[:, None]), np.kron(a[:, None], np.eye(len(b)))])
        )

    def cramers_v(self) -> Value:
        """Cramer's V of the rows that were counted, with the interval for the population.

        V^2 = S / (N m) with S the sum of d^2 / e over the cells and m the lesser of rows and columns, less 1.
        The noise adds to S what is taken off again. S is about a times a noncentral chi-square, with a the
        greater of what its central part and its direction give; the interval is that of the noncentrality.
        """
        scale, of_noise = self.total * self._smaller, self.distance(sampled=False)
        v = math.sqrt(min(1.0, max(0.0, of_noise.found - of_noise.trace) / scale))
        of_all = self.distance(sampled=True)
        return Value(v, _holding(of_noise.interval(), scale, v), _holding(of_all.interval(), scale, v))

    def distance(self, *, sampled: bool) -> Distance:
        """S with the law that noise gives it, and `sampled` that drawing other rows gives it too."""
        found = float(((self.counts - self.expected) ** 2 * _inverse(self.expected)).sum())
        trace, squared = self._spread(sampled=sampled)
        if trace <= 0:
            return Distance(found, 0.0, 0.0)
        direction = self._direction(sampled=sampled) / (4 * found) if found > 0 else 0.0
        return Distance(found, trace, max(squared / trace, direction))

    def _direction(self, *, sampled: bool) -> float:
        """The variance of S to first order, by its slope in every count (Bishop, Fienberg, Holland 1975)."""
        x, rows, columns = self.counts, self.of_rows[:, None], self.of_columns[None, :]
        part = x * _inverse(rows * columns)
        squares = x * part
        slope = self.total * (
            2 * part
            - (squares.sum(axis=1, keepdims=True) * _inverse(rows))
            - (squares.sum(axis=0, keepdims=True) * _inverse(columns))
        )
        varying = self.s2 + (np.maximum(x, 0.0) if sampled else 0.0)
        return float((slope**2 * varying).sum())

    def _spread(self, *, sampled: bool) -> tuple[float, float]:
        """Trace of the covariance of d / sqrt(e), and of its square; both are products over the two keys."""
        (a, aa), (b, bb) = (_noise_of(margin / self.total) for margin in (self.of_rows, self.of_columns))
        ratio, free = self.s2 / self.total, self.degrees if sampled else 0
        return free + ratio * a * b, free + (2 * ratio * a * b if sampled else 0.0) + ratio**2 * aa * bb

    @property
    def noise_of_excess(self) -> Floats:
        """The standard deviation of the noise in d = x - e, per cell."""
        parts = []
        for margin in (self.of_rows, self.of_columns):
            share = margin / self.total
            parts.append(1 - 2 * share + len(share) * share**2)
        return np.asarray(np.sqrt(self.s2 * np.outer(*parts)), dtype=np.float64)

    @property
    def noise_of_expected(self) -> Floats:
        """The standard deviation of the noise in e = R C / N, per cell, to first order."""
        rows, columns = self.counts.shape
        a, b = self.of_rows[:, None] / self.total, self.of_columns[None, :] / self.total
        squares = columns * b**2 + rows * a**2 + rows * columns * (a * b) ** 2
        return np.asarray(
            np.sqrt(self.s2 * np.maximum(0, squares + 2 * a * b * (1 - columns * b - rows * a))),
            dtype=np.float64,
        )

    def residual(self, row: int, column: int) -> Value:
        """The adjusted residual (Haberman 1973): how many standard deviations the exact count is from e.

        Its noise interval is about what the exact counts give; the other adds the variance 1 that it has
        where the keys are independent, so that one without 0 in it is a cell that stands out.
        """
        a, b = self.of_rows[row] / self.total, self.of_columns[column] / self.total
        varies = float(self.expected[row, column]) * (1 - a) * (1 - b)
        deviation = math.sqrt(varies) if varies > 0 else math.inf
        value = float(self.counts[row, column] - self.expected[row, column]) / deviation
        noise = float(self.noise_of_excess[row, column]) / deviation
        return Value(value, around(value, Z * noise), around(value, Z * math.hypot(1, noise)))

    @property
    def _smaller(self) -> int:
        return min(len(self._margin(self.of_rows)), len(self._margin(self.of_columns))) - 1

    def _margin(self, margin: Floats) -> Floats:
        """The totals that vary: all where there is noise, else those that are not 0."""
        return margin if self.s2 > 0 else margin[margin != 0]


def _holding(interval: Interval, scale: float, v: float) -> Interval:
    """The interval of V from that of S, which always holds the estimate."""
    ends = [math.sqrt(min(1.0, end / scale)) for end in (interval.lo, interval.hi)]
    return Interval(min(ends[0], v), max(ends[1], v))


def _noise_of(share: Floats) -> tuple[float, float]:
    """Traces of A and of A^2, where A is the covariance of (counts - share * their sum) / sqrt(share)."""
    root = np.sqrt(_inverse(share))
    map_ = (np.eye(len(share)) - share[:, None]) * root[:, None]
    covariance = map_ @ map_.T
    return float(np.trace(covariance)), float((covariance**2).sum())


def _inverse(numbers: Floats) -> Floats:
    """1 / x where x is above 0, else 0: what cannot vary has no weight."""
    return np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > 0)

"""Quantiles from the noisy counts of a tree: how its bins and branching are chosen, and how it is read.

The levels of a tree count the same rows, so they are brought into agreement by weighted least squares, which
uses every number that was paid for. Whatever is read then is a sum of agreeing counts whose variance is known
exactly, before any data is seen. Variances here are in units of the variance of one node's noise.

Sources: Hay, Rastogi, Miklau and Suciu 2010 (consistency); Honaker 2015 (estimation from both directions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fedstats.core.aggregate.grouped_sums import CELLS_MAX
from fedstats.core.aggregate.tree import BINS_MAX, level_sizes
from fedstats.core.domain import Dates, Domain, Numbers
from fedstats.core.estimate import Interval, Value
from fedstats.core.expression import Call, DateLiteral, Expression, NumberLiteral, Op, normalise
from fedstats.core.privacy import Mechanism
from fedstats.errors import ExpressionInvalid
from fedstats.statistics._intervals import Z

BRANCHINGS = range(4, 17)
_BINS_MIN = 16
_NODES_A_BIN = Fraction(4, 3)  # of a tree that branches by 4 or more, but for the ends of its levels
_TIE = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bins:
    """A range of numbers or days cut into `count` bins of `per_bin` values each, the last of what is left.

    Values are `step` apart, and there are `values` of them from `lo` on; `lo` is in days since 1970-01-01
    where they are `dates`.
    """

    lo: Fraction
    step: Fraction
    values: int
    per_bin: int
    dates: bool = False

    @property
    def count(self) -> int:
        """How many bins there are."""
        return -(-self.values // self.per_bin)

    @property
    def width(self) -> Fraction:
        """How wide a bin is."""
        return self.step * self.per_bin

    def number_of(self, expression: Expression) -> Expression:
        """The number of the bin in which a value lies, as a key: 0, 1, 2 and so on."""
        least = DateLiteral(int(self.lo)) if self.dates else NumberLiteral(self.lo)
        number = Call(Op.SUBTRACT, (expression, least)) if self.dates or self.lo else expression
        if self.width != 1:
            number = Call(Op.DIVIDE, (number, NumberLiteral(self.width)))
        return normalise(Call(Op.FLOOR, (number,)) if self.per_bin > 1 else number)

    def ends(self, position: int) -> tuple[float, float]:
        """The least and the greatest value of a bin."""
        last = min(self.per_bin * (position + 1), self.values) - 1
        return float(self.lo + self.step * self.per_bin * position), float(self.lo + self.step * last)


def bins_of(domain: Domain, *, groups: int = 1) -> Bins:
    """The bins of an expression with this domain: one for each of its values where these are few.

    A range of more than 4,096 values is cut into so many bins at most, and where there are many `groups` into
    fewer, so that all their trees fit into one question.

    Raises
    ------
    ExpressionInvalid
        The domain has no order that numbers give it.

    """
    if isinstance(domain, Dates):
        lo, step, values = Fraction(domain.lo), Fraction(1), domain.hi - domain.lo + 1
    elif isinstance(domain, Numbers):
        lo, step, values = domain.lo, domain.step, domain.hi_code - domain.lo_code + 1
    else:
        raise ExpressionInvalid("Quantiles are of numbers and of dates.")
    most = min(BINS_MAX, max(_BINS_MIN, int(CELLS_MAX / groups / _NODES_A_BIN)))
    return Bins(lo, step, values, -(-values // most), isinstance(domain, Dates))


@lru_cache(maxsize=256)
def branching_for(bins: int, mechanism: Mechanism) -> int:
    """The branching from 4 to 16 with the least expected error of the median, wherever it lies.

    The error is the variance of rank at a bin, averaged over all bins. Noise grows with the number of levels
    L: its variance with L for the Gaussian mechanism, whose sensitivity is sqrt(L), and with L^2 for Laplace.
    """
    power = 2 if mechanism is Mechanism.LAPLACE else 1

    def error(branching: int) -> float:
        shape = shape_of(bins, branching)
        return float(np.mean(shape.rank_variances(0.5)) * len(shape.sizes) ** power)

    return min(BRANCHINGS, key=error)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is known of a tree before its counts are: the weights that bring its levels into agreement.

    `subtree` holds for each level the variance of the best estimate of each node from itself and all below
    it, which is also the weight of the node's own count in it; the finest level has only itself (1).
    `slope` and `rest` say of each bin how the rows up to its end depend on the node of the coarsest level
    that it lies in, of number `top`: their number there is slope times the node's, with a variance of rest.
    """

    branching: int
    sizes: tuple[int, ...]
    subtree: tuple[Floats, ...]
    slope: Floats
    rest: Floats
    top: npt.NDArray[np.int64]

    def rank_variances(self, q: float) -> Floats:
        """The variance of (rows up to the end of a bin) - q * (all rows), for every bin.

        Nodes of the coarsest level are independent. Those before the bin's have the factor 1 - q in it, those
        after it -q, its own slope - q.
        """
        variances = self.subtree[0]
        up_to = np.cumsum(variances)
        own = variances[self.top]
        before, after = up_to[self.top] - own, up_to[-1] - up_to[self.top]
        total = (1 - q) ** 2 * before + (self.slope - q) ** 2 * own + q**2 * after + self.rest
        return np.asarray(total, dtype=np.float64)

    @property
    def total_variance(self) -> float:
        """The variance of the number of all rows."""
        return float(np.sum(self.subtree[0]))

    def agreeing(self, counts: npt.ArrayLike) -> Floats:
        """The bins' counts by weighted least squares over all levels.

        `counts` has a last axis of all nodes, the coarsest level first; what is returned has one of the bins.
        Upwards, each node's own count is joined with the sum of its children's estimates, weighted by the
        inverse of their variances; downwards, what that changed is shared among the children in proportion to
        their variances. Source: Hay et al. 2010, section 4.1, with weights where nodes have fewer children.
        """
        given = np.split(np.asarray(counts, dtype=np.float64), np.cumsum(self.sizes)[:-1], axis=-1)
        found, sums = [given[-1]], []
        for own, weight in zip(given[-2::-1], self.subtree[-2::-1], strict=True):
            sums.append(_summed(found[-1], len(weight), self.branching))
            found.append(weight * own + (1 - weight) * sums[-1])
        level = found.pop()
        for below, added, variances in zip(found[::-1], sums[::-1], self.subtree[1:], strict=True):
            per_node = _summed(variances, level.shape[-1], self.branching)
            parent = np.arange(below.shape[-1]) // self.branching
            level = below + (variances / per_node[parent]) * (level - added)[..., parent]
        return level


@lru_cache(maxsize=64)
def shape_of(bins: int, branching: int) -> Shape:
    """The shape of a tree over so many bins."""
    sizes = level_sizes(bins, branching)
    subtree = [np.ones(bins)]
    for size in sizes[-2::-1]:
        below = _summed(subtree[0], size, branching)
        subtree.insert(0, below / (1 + below))
    slope, rest, node = np.ones(bins), np.zeros(bins), np.arange(bins)
    for variances in subtree[:0:-1]:
        parent = node // branching
        own, all_of_them = variances[node], _summed(variances, int(parent[-1]) + 1, branching)[parent]
        up_to = np.cumsum(variances)
        first = branching * parent
        before = up_to[node] - own - (up_to[first] - variances[first])
        linear = before + slope * own
        rest = rest + before + slope**2 * own - linear**2 / all_of_them
        slope, node = linear / all_of_them, parent
    return Shape(branching, sizes, tuple(subtree), slope, rest, node)


def _summed(level: Floats, size: int, branching: int) -> Floats:
    """The sums of the children of each of so many nodes."""
    return np.asarray(np.add.reduceat(level, branching * np.arange(size), axis=-1), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """One group's tree after its levels agree: its number of rows up to the end of every bin.

    `sd` is the standard deviation of one node's noise, and `z` how many standard deviations an interval of
    95 % reaches to each side.
    """

    bins: Bins
    shape: Shape
    up_to: Floats
    sd: float
    z: float = Z

    @classmethod
    def of(cls, bins: Bins, branching: int, counts: npt.ArrayLike, *, sd: float, z: float = Z) -> Counted:
        """Read the counts of all nodes, the coarsest level first."""
        shape = shape_of(bins.count, branching)
        return cls(bins, shape, np.cumsum(shape.agreeing(counts)), sd, z)

    @property
    def rows(self) -> float:
        """How many rows there are."""
        return float(self.up_to[-1])

    @property
    def tells(self) -> bool:
        """Whether the number of rows stands out from its noise: if not, no quantile of them is known."""
        return self.rows > self.z * self.sd * math.sqrt(self.shape.total_variance)

    def quantile(self, q: float) -> Value | None:
        """The least value that a share `q` of the rows does not exceed; None where the noise hides it.

        It is where the noisy distribution function, made monotone, crosses `q`: isotonic regression crosses
        a level where the sum of what lies below it is least (Barlow, Bartholomew, Bremner and Brunk 1972).
        Within a bin of several values they are taken to be spread evenly.

        The noise interval holds every bin of which a test at 5 % does not tell that the exact quantile lies
        elsewhere: up to its end there are not clearly fewer rows than the share, and before it not clearly as
        many. The population's interval is the same with the variance N q (1 - q) of how many rows of a sample
        lie below the population's quantile (order statistics: Thompson 1936), rows taken as independent.
        """
        if not self.tells:
            return None
        excess = self.up_to - (q - _TIE) * self.rows  # a tie must not be lost to the rounding of floats
        at = int(np.argmin(np.concatenate(([0.0], np.cumsum(excess[:-1])))))
        before, after = (float(excess[at - 1]) if at else -q * self.rows), float(excess[at])
        part = min(max(-before / (after - before), 0.0), 1.0) if after > before else 0.0
        first, last = self.bins.ends(at)
        noise = self.sd**2 * self.shape.rank_variances(q)
        value = first + part * (last - first)
        return Value(
            value,
            self._not_rejected(excess, at, noise),
            self._not_rejected(excess, at, noise + max(self.rows, 0.0) * q * (1 - q)),
        )

    def _not_rejected(self, excess: Floats, at: int, variances: Floats) -> Interval:
        """From the first to the last bin that fits; the one at `at`, where the quantile is, always does."""
        reach = self.z * np.sqrt(variances)
        enough = excess + reach >= 0
        few_before = np.concatenate(([True], excess[:-1] - reach[:-1] < 0))
        (fits,) = np.nonzero(enough & few_before)
        first, last = min(fits.min(initial=at), at), max(fits.max(initial=at), at)
        return Interval(self.bins.ends(int(first))[0], self.bins.ends(int(last))[1])

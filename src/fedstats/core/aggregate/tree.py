"""Trees: how many rows lie in each bin of a range, and in each run of bins at every coarser level.

From the levels together every number of rows below a point can be told with little noise, whatever the point:
it is a sum of a few nodes instead of many bins (Hay, Rastogi, Miklau and Suciu 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from fedstats.core.aggregate.exact import Integers
from fedstats.core.domain import Domain, Numbers
from fedstats.core.expression import Expression
from fedstats.core.privacy import Contribution, Sensitivity
from fedstats.errors import ExpressionInvalid, TooLarge, ValueInvalid

BINS_MAX = 4_096
BRANCHING_MAX = 64


@dataclass(frozen=True, slots=True)
class Tree:
    """The levels over one key, whose values are the numbers of the bins: 0, 1, 2 and so on to `bins` - 1.

    Each node of a level adds up `branching` nodes in a row of the level below, the last one those that are
    left. The coarsest level is the first that has `branching` nodes or fewer. Rows in which the key is
    missing take no part.
    """

    key: Expression
    bins: int
    branching: int

    def __post_init__(self) -> None:
        """Few enough bins, and two nodes or more that become one."""
        if not 1 <= self.bins <= BINS_MAX:
            sentence = f"A tree has at most {BINS_MAX:,} bins."
            raise TooLarge(sentence, remedy="Make its bins wider, or narrow the expression with CLAMP.")
        if not 2 <= self.branching <= BRANCHING_MAX:  # noqa: PLR2004  # of one node there is nothing to add up
            sentence = f"A tree adds up between 2 and {BRANCHING_MAX} nodes."
            raise ValueInvalid(sentence)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many nodes each level has, the coarsest first."""
        return level_sizes(self.bins, self.branching)

    def check(self, domain: Domain) -> None:
        """Refuse a key, whose domain this is, with other values than the numbers of the bins.

        Raises
        ------
        ExpressionInvalid
            It has some.

        """
        bins = Numbers(Fraction(0), Fraction(self.bins - 1))
        if not isinstance(domain, Numbers) or replace(domain, nullable=False) != bins:
            sentence = f"The key of this tree must number its bins from 0 to {self.bins - 1}."
            raise ExpressionInvalid(sentence)

    def sensitivity(self, contribution: Contribution) -> Sensitivity:
        """How far one unit moves the numbers of rows at all levels together.

        Each row is in one node of every level. All rows of a person may lie in one bin, so that each level
        moves by rows_max at one node: D1 = levels * rows_max and D2^2 = levels * rows_max^2.
        """
        levels = len(self.sizes)
        return Sensitivity(levels * contribution.rows_max, levels * contribution.rows_max**2)

    def of_bins(self, counts: Integers, shape: Sequence[int], axis: int) -> Integers:
        """All levels, from the counts of the cells of all keys.

        `counts` is row-major over `shape`, in which `axis` is that of the tree's key, with a last place for
        missing values where there are some. What is returned is row-major over the other keys, then over the
        nodes, those of the coarsest level first.
        """
        level = np.moveaxis(counts.reshape(shape), axis, -1)[..., : self.bins]
        levels = [level]
        for size in self.sizes[-2::-1]:
            level = np.add.reduceat(level, self.branching * np.arange(size), axis=-1, dtype=np.int64)
            levels.insert(0, level)
        return np.concatenate(levels, axis=-1).ravel()


def level_sizes(bins: int, branching: int) -> tuple[int, ...]:
    """How many nodes each level over so many bins has, the coarsest first."""
    sizes = [bins]
    while sizes[0] > branching:
        sizes.insert(0, -(-sizes[0] // branching))
    return tuple(sizes)

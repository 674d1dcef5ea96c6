"""Quantiles in a table: the trees that a question needs, one for each expression, and their cells.

Each tree is one measure, whatever number of quantiles is read from it, and has an equal share of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import hypot, sqrt
from typing import Self

import numpy as np

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind, open_keys
from fedstats.core.aggregate.tree import Tree
from fedstats.core.domain import cells_of
from fedstats.core.estimate import Absence, AbsenceReason, Cell
from fedstats.core.expression import Expression, columns_of, normalise
from fedstats.core.expression_words import expression_words
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_half_width, noise_sd
from fedstats.core.privacy import Mechanism
from fedstats.core.schema import Dataset
from fedstats.core.selection import AggregateCall, AggregateKind
from fedstats.core.statistic import Ask, RoundResult, Vectors
from fedstats.errors import ExpressionInvalid, InternalError, SqlRefused
from fedstats.statistics._intervals import Z
from fedstats.statistics._tree import Bins, Counted, Floats, bins_of, branching_for

_FEW = 100  # noises, whose sum is normal enough
_REACH_MAX = 2.2  # of a continuous Laplace it is 2.12
UNKNOWN = Absence(
    AbsenceReason.TOO_FEW, "The noise is as large as the number of rows, so no quantile of them can be told."
)


@dataclass(frozen=True, slots=True)
class Quantile:
    """The form of a column: the quantile `share` of the values of `tree`."""

    tree: Expression
    share: float

    def beyond(self, trees: Mapping[Expression, TreeTotals]) -> float:
        """How many rows, counted with noise, lie on that side of it which has fewer."""
        return rows_beyond(self.share, _counted(trees[self.tree]).rows)

    def cell(self, trees: Mapping[Expression, TreeTotals]) -> Cell:
        """The number of one cell, from its trees."""
        return _counted(trees[self.tree]).quantile(self.share) or UNKNOWN


def rows_beyond(share: float, rows: float) -> float:
    """How many of so many rows lie below or above their quantile, whichever are fewer."""
    return rows * min(share, 1 - share)


@dataclass(frozen=True, slots=True)
class TreePlan:
    """The tree of one expression."""

    bins: Bins
    tree: Tree

    @classmethod
    def of(cls, expression: Expression, dataset: Dataset, mechanism: Mechanism, *, groups: int = 1) -> Self:
        """The tree with the least expected error; `groups` is how many of it there will be.

        Raises
        ------
        ExpressionInvalid
            The expression has no order, or only one value.

        """
        bins = bins_of(domain_of(expression, dataset), groups=groups)
        key = bins.number_of(expression)
        return cls(bins, Tree(key, bins.count, branching_for(bins.count, mechanism)))

    def aggregate(
        self, keys: Sequence[Expression], dataset: Dataset, weight: Fraction = Fraction(1)
    ) -> GroupedSums:
        """Its counts by these keys.

        Raises
        ------
        SqlRefused
            A key is free text, or the agreement gives a column of the expression for no grouping.
        ExpressionInvalid
            A key is what the quantiles are of.

        """
        for name in sorted(columns_of(self.tree.key)):
            if not dataset.column(name).as_key:
                raise SqlRefused(
                    f"{name} may not be grouped by in {dataset.name}, and quantiles count by its values.",
                    remedy=f"Ask for AVG({name}), or for shares such as SHARE({name} <= 100).",
                )
        if opened := open_keys(keys, dataset):
            raise SqlRefused(
                f"Quantiles by {opened[0].name} are not offered: it is free text, without a public list.",
                remedy="Group by something else, or ask for AVG.",
            )
        if self.tree.key in keys:
            raise ExpressionInvalid("A quantile of a key is the key itself: in each cell all rows have it.")
        return GroupedSums(
            (*keys, self.tree.key), (Measure(MeasureKind.ROWS, None, None, weight),), tree=self.tree
        )


@dataclass(frozen=True, slots=True, eq=False)
class TreeTotals:
    """One cell's counts at all nodes, and the standard deviation `sd` of the noise of each.

    `z` is how many of these an interval of 95 % reaches to each side.
    """

    plan: TreePlan
    counts: Floats | Integers
    sd: float
    z: float


@lru_cache(maxsize=4)  # the columns of one row read the same tree
def _counted(totals: TreeTotals) -> Counted:
    return Counted.of(totals.plan.bins, totals.plan.tree.branching, totals.counts, sd=totals.sd, z=totals.z)


def plan_trees(
    calls: Iterable[AggregateCall], keys: Sequence[Expression], dataset: Dataset, mechanism: Mechanism
) -> dict[Expression, TreePlan]:
    """One tree for each expression of which a quantile is asked."""
    asked = [
        call.argument for call in calls if call.kind is AggregateKind.QUANTILE and call.argument is not None
    ]
    if not asked or open_keys(keys, dataset):
        groups = 1
    else:
        groups = int(np.prod([len(cells_of(domain_of(key, dataset))) for key in keys], dtype=np.float64))
    return {
        expression: TreePlan.of(expression, dataset, mechanism, groups=groups)
        for expression in dict.fromkeys(normalise(expression) for expression in asked)
    }


def added_trees(cells: Sequence[Mapping[Expression, TreeTotals]]) -> dict[Expression, TreeTotals]:
    """The trees of several cells together: counts add up, and variances too."""
    return {
        expression: TreeTotals(
            first.plan,
            np.asarray(np.sum([trees[expression].counts for trees in cells], axis=0), dtype=np.float64),
            hypot(*(trees[expression].sd for trees in cells)),
            max(trees[expression].z for trees in cells),
        )
        for expression, first in cells[0].items()
    }


def cell_trees(
    plans: Mapping[Expression, TreePlan],
    result: RoundResult,
    vectors: Vectors,
    keys: Sequence[Expression],
    *,
    ask: Ask,
    noises: int,
) -> Callable[[int], dict[Expression, TreeTotals]]:
    """What gives the trees of each cell of these keys, in their order; `vectors` are a round's totals."""
    found = {}
    for expression, plan in plans.items():
        at = _position_of(plan, result)
        nodes = _by_cell(vectors[at][0], result.round.aggregates[at], keys, ask.dataset)
        found[expression] = (plan, nodes, *noise_of(ask.loss.mechanism, result.scales[at][0], noises))
    return lambda cell: {
        expression: TreeTotals(plan, nodes[cell], sd, z) for expression, (plan, nodes, sd, z) in found.items()
    }


def quantile_notes(plans: Mapping[Expression, TreePlan]) -> Iterator[str]:
    """What a reader must know of the bins."""
    for expression, plan in plans.items():
        if plan.bins.per_bin > 1:
            yield (
                f"Quantiles of {expression_words(expression)} are read from {plan.bins.count:,} bins of "
                f"{float(plan.bins.width):g}; within a bin, values are taken to be spread evenly."
            )


def _position_of(plan: TreePlan, result: RoundResult) -> int:
    """Where the plan's tree stands among the aggregates of a round.

    Raises
    ------
    InternalError
        It is another question's round.

    """
    for i, aggregate in enumerate(result.round.aggregates):
        if aggregate.tree == plan.tree:
            return i
    raise InternalError("These totals do not belong to this question.")


def _by_cell(
    vector: Integers, aggregate: GroupedSums, keys: Sequence[Expression], dataset: Dataset
) -> Integers:
    """The nodes of every cell of these keys, in their order: shape (cells, nodes)."""
    others = [key for key in aggregate.keys if aggregate.tree is None or key != aggregate.tree.key]
    shape = [len(cells_of(domain_of(key, dataset))) for key in others]
    axes = [others.index(key) for key in keys]
    nodes = vector.reshape(*shape, -1).transpose(*axes, len(shape))
    return nodes.reshape(-1, nodes.shape[-1])


def noise_of(mechanism: Mechanism, scale: Fraction, noises: int) -> tuple[float, float]:
    """The standard deviation of so many noises, and how many of it an interval of 95 % reaches at least.

    A rank adds up the noises of many nodes, which is nearly normal; where it rests on one Laplace noise alone
    it has the tails of that.
    """
    one = noise_sd(mechanism, scale, 1)
    if mechanism is not Mechanism.LAPLACE or noises > _FEW or not one:
        return one * sqrt(noises), Z
    reach = noise_half_width(mechanism, scale, noises) / noise_sd(mechanism, scale, noises)
    return one * sqrt(noises), max(Z, min(reach, _REACH_MAX))

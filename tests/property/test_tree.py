"""Trees of counts: what one person moves at most, and that the levels say the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DATASET, conditions, rows, trees

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.aggregate.tree import BINS_MAX, Tree, level_sizes
from fedstats.core.bound import Bound
from fedstats.core.evaluation import Row
from fedstats.core.expression import Column, Expression
from fedstats.core.privacy import Contribution
from fedstats.errors import FedstatsError
from fedstats.statistics._tree import bins_of

ROWS = st.lists(rows(DATASET), max_size=DATASET.rows_max)
AGE = Column("age")


@given(
    others=st.lists(ROWS, max_size=4),
    added=ROWS,
    aggregate=trees(),
    where=st.one_of(st.none(), conditions(DATASET, depth=1)),
)
def test_a_person_moves_all_levels_together_by_no_more_than_is_charged(
    others: list[list[Row]], added: list[Row], aggregate: GroupedSums, where: Expression | None
) -> None:
    """Whoever comes with whatever rows: the vector of all levels moves by D1 and D2 at most, and no less."""
    (without,) = aggregate.reference(others, DATASET, where).vectors
    (with_her,) = aggregate.reference([*others, added], DATASET, where).vectors
    (allowed,) = aggregate.sensitivities(DATASET.contribution(departments_max=1))
    assert len(without) == aggregate.cells(DATASET)
    moved = np.abs(with_her - without)
    assert moved.sum() <= allowed.d1
    assert (moved**2).sum() <= allowed.d2_squared
    counted = moved.sum() / len(_levels(moved, aggregate))
    assert counted == int(counted) <= len(added)  # every row is in one node of each level, or in none


@given(held=st.lists(ROWS, max_size=6), aggregate=trees())
def test_every_level_counts_the_same_rows(held: list[list[Row]], aggregate: GroupedSums) -> None:
    """Without noise each node is the sum of its children, whatever the bins and the branching are."""
    (vector,) = aggregate.reference(held, DATASET, None).vectors
    assert aggregate.tree is not None
    for above, below in pairwise(_levels(vector, aggregate)):
        starts = range(0, below.shape[1], aggregate.tree.branching)
        sums = [below[:, first : first + aggregate.tree.branching].sum(axis=1) for first in starts]
        assert np.array_equal(above, np.stack(sums, axis=1))


@pytest.mark.parametrize("bins, branching, levels", [(121, 4, 4), (121, 11, 2), (3, 4, 1)])
def test_the_bound_of_a_tree_is_attained(bins: int, branching: int, levels: int) -> None:
    """Somebody whose rows all lie in one bin moves the levels by exactly D1 and D2: no noise is too much."""
    per_bin = -(-121 // bins)
    key = replace(bins_of(DATASET.column("age").domain), per_bin=per_bin).number_of(AGE)
    aggregate = GroupedSums((key,), (Measure(MeasureKind.ROWS),), tree=Tree(key, bins, branching))
    bounds = Contribution(3, 3, 1)
    plain: Row = dict.fromkeys((column.name for column in DATASET.columns), 0)
    (moved,) = aggregate.reference([[plain] * 3], DATASET, None).vectors
    (allowed,) = aggregate.sensitivities(bounds)
    assert moved.sum() == allowed.d1 == 3 * levels
    assert (moved**2).sum() == allowed.d2_squared == 9 * levels


@given(st.integers(1, BINS_MAX), st.integers(2, 64))
def test_levels_hold_every_bin_and_stay_small(bins: int, branching: int) -> None:
    """The levels end at as few nodes as the branching allows, and are at most twice the bins together."""
    sizes = level_sizes(bins, branching)
    assert sizes[-1] == bins
    assert sizes[0] <= branching
    assert sum(sizes) < 2 * bins + len(sizes)


WRONG: dict[str, Callable[[], object]] = {
    "no bins": lambda: Tree(AGE, 0, 4),
    "too many bins": lambda: Tree(AGE, BINS_MAX + 1, 4),
    "no branches": lambda: Tree(AGE, 121, 1),
    "no key": lambda: GroupedSums((), (Measure(MeasureKind.ROWS),), tree=Tree(AGE, 121, 4)),
    "people": lambda: GroupedSums((AGE,), (Measure(MeasureKind.PEOPLE),), tree=Tree(AGE, 121, 4)),
    "bound": lambda: replace(_tree(AGE, 121), bound=Bound.people()),
    "too few bins": lambda: _tree(AGE, 120).check(DATASET),
    "a bin too many": lambda: _tree(AGE, 122).check(DATASET),
    "labels": lambda: _tree(Column("sex"), 3).check(DATASET),
    "no numbers of bins": lambda: _tree(Column("cost"), 100).check(DATASET),
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_tree_that_its_sensitivity_is_not_for_is_refused(wrong: str) -> None:
    """No node computes a tree of other bins than the key has, or of what is no count of rows."""
    with pytest.raises(FedstatsError):
        WRONG[wrong]()


def test_missing_values_take_no_part() -> None:
    """Rows whose value is missing are in no node, at no level."""
    wait = Column("wait_days")
    aggregate = _tree(wait, 1_001)
    aggregate.check(DATASET)
    plain: Row = dict.fromkeys((column.name for column in DATASET.columns), 0)
    held: list[list[Row]] = [[{**plain, "wait_days": None}], [{**plain, "wait_days": 1_000}], [plain]]
    (vector,) = aggregate.reference(held, DATASET, None).vectors
    assert [level.sum() for level in _levels(vector, aggregate)] == [2] * 5


def _tree(key: Expression, bins: int) -> GroupedSums:
    return GroupedSums((key,), (Measure(MeasureKind.ROWS),), tree=Tree(key, bins, 4))


def _levels(vector: np.ndarray, aggregate: GroupedSums) -> Sequence[np.ndarray]:
    """The levels of the tree, each by group and node."""
    assert aggregate.tree is not None
    sizes = aggregate.tree.sizes
    return np.split(vector.reshape(-1, sum(sizes)), np.cumsum(sizes)[:-1], axis=1)

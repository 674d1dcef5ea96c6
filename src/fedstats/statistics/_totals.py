"""Marginal totals of a table, from the cells that it shows: post-processing, which costs nothing.

A total adds up what is shown and nothing else, so it tells nothing of what is withheld, and a reader who adds
up the cells finds the same number. Its interval is about the exact total of the cells that are shown.

That takes care: cells were shown because their noisy counts were large, so that their noise is more often
above 0 than below, and adding it up as if it were not would promise too much. Two things hold together in
95 % of releases or more, however the cells were chosen: the noise of all n cells lies within its half width
at 96 %, and that of each cell within its own at a level so high that all n keep to it at 99 %. So the noise
of the m shown cells, which is that of all less that of the k withheld ones, is at most the first and k times
the second, and at most m times the second. Where nothing is withheld the first alone counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from fedstats.core.disclosure import DisclosureRule
from fedstats.core.estimate import Absence, AbsenceReason, Cell
from fedstats.core.expression import Expression
from fedstats.core.noise import LEVEL_MAX
from fedstats.statistics._columns import Column
from fedstats.statistics._disclosing import Disclosed
from fedstats.statistics._linear import Measured
from fedstats.statistics._quantile import Quantile, TreeTotals, added_trees

LEVEL = 0.95
LEVEL_OF_ALL = 0.96
LEVEL_OF_EACH = 0.99

Place = tuple[int, ...]
"""Where a row stands: the position of its label at each key; that of a total lies behind the last label."""

HalfWidths = Callable[[int, float], Sequence[float]]
"""The half width of each measure's noise where so many noises are added up, at this level."""


@dataclass(frozen=True, slots=True)
class RowTotals:
    """The totals of one row before they become numbers, or why there are none.

    `noises` says how many independent noises are in each; `named_by` is as in a table's row.
    """

    disclosed: Disclosed
    noises: int
    named_by: int | None = None
    absence: Absence | None = None
    trees: Mapping[Expression, TreeTotals] = field(default_factory=dict)


def places(sizes: Sequence[int], *, totals: bool) -> Iterator[Place]:
    """Every place in order, the first key outermost; with totals after the last label of each key."""
    return product(*(range(size + totals) for size in sizes))


def added_up(
    rows: Mapping[Place, RowTotals], sizes: Sequence[int], marginals: Collection[frozenset[int]]
) -> dict[Place, list[RowTotals]]:
    """For the place of every total, the rows that it adds up; each of `marginals` are the keys it keeps."""
    groups: dict[Place, list[RowTotals]] = {}
    for place, row in rows.items():
        for kept in marginals:
            total = tuple(
                i if k in kept else size for k, (i, size) in enumerate(zip(place, sizes, strict=True))
            )
            groups.setdefault(total, []).append(row)
    return groups


def number_of(column: Column, row: RowTotals, rule: DisclosureRule | None, widths: HalfWidths) -> Cell:
    """The number of a column in one row."""
    if row.absence is not None:
        return row.absence
    if column.rests_on & row.disclosed.withheld:
        return withheld_by(rule)
    if rule is not None and _rests_on_few(column, row.trees, rule):
        return withheld_by(rule)
    shown = row.disclosed
    return column.cell(Measured(shown.totals, widths(row.noises, LEVEL), shown.slacks, row.trees))


def total_of(
    column: Column, rows: Sequence[RowTotals], rule: DisclosureRule | None, widths: HalfWidths
) -> Cell:
    """The number of a column in a row that adds up these."""
    known = [row for row in rows if row.absence is None]
    if not known:
        return rows[0].absence or withheld_by(rule)
    shown = [row for row in known if not column.rests_on & row.disclosed.withheld]
    if not shown:
        return withheld_by(rule)
    totals = [math.fsum(each) for each in zip(*(row.disclosed.totals for row in shown), strict=True)]
    moved = [math.fsum(each) for each in zip(*(row.disclosed.slacks for row in shown), strict=True)]
    reach, slacks = _noise_of_chosen(known, len(shown), len(column.rests_on), widths, chosen=rule is not None)
    slacks = [slack + more for slack, more in zip(moved, slacks, strict=True)]
    # Nobody chose which cells are shown by the noise of their trees, so that this adds up as any noise does.
    trees = added_trees([row.trees for row in shown])
    if rule is not None and _rests_on_few(column, trees, rule):
        return withheld_by(rule)
    return column.cell(Measured(totals, reach, slacks, trees))


def _noise_of_chosen(
    known: Sequence[RowTotals], shown: int, measures: int, widths: HalfWidths, *, chosen: bool
) -> tuple[Sequence[float], Sequence[float]]:
    """Half widths and slacks of the sums over the shown ones of the known rows; `chosen`: by their noise.

    A column is made of so many `measures`, whose noises must all keep to their widths.
    """
    all_of_them = widths(sum(row.noises for row in known), LEVEL_OF_ALL if chosen else LEVEL)
    withheld = len(known) - shown
    if not withheld:
        return all_of_them, [0.0] * len(all_of_them)
    level = min(LEVEL_MAX, 1 - (1 - LEVEL_OF_EACH) / (len(known) * measures))
    each = widths(max(row.noises for row in known), level)
    less = [withheld * width for width in each]
    own = [shown * width for width in each]
    by_own = [mine < whole + part for mine, whole, part in zip(own, all_of_them, less, strict=True)]
    return (
        [0.0 if use else whole for use, whole in zip(by_own, all_of_them, strict=True)],
        [mine if use else part for use, mine, part in zip(by_own, own, less, strict=True)],
    )


def _rests_on_few(column: Column, trees: Mapping[Expression, TreeTotals], rule: DisclosureRule) -> bool:
    """Whether it is a quantile so near an end that it is the value of few."""
    return isinstance(column.form, Quantile) and rule.withholds(column.form.beyond(trees))


def withheld_by(rule: DisclosureRule | None) -> Absence:
    """A number that disclosure control withholds."""
    return Absence(AbsenceReason.SUPPRESSED, "" if rule is None else rule.sentence)

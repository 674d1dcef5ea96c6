"""How wide the intervals of an answer will be: the statistic over totals made up of public sizes. Pure.

The declared number of people is spread evenly over cells and departments, and sums lie in the middle of their
bounds. Counts and sums have the same noise whatever their totals are, so their widths are exact; those of
averages, shares and ratios are what to expect where a cell is of that size.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np

from fedstats.client.asking import Draft
from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import Measure, MeasureKind
from fedstats.core.estimate import Estimate, Table, Value
from fedstats.core.foresight import Foreseeing, Foreseen
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import MechanismLoss
from fedstats.core.statistic import RoundResult, Statistic, Vectors


@dataclass(frozen=True, slots=True)
class Width:
    """The half width of a column's 95 % noise interval; None where noise would hide most cells.

    `exact`: it depends on no data and holds for every cell. `counts`: the column counts; then `typical` is
    what a cell would hold if everybody were spread evenly.
    """

    table: str
    column: str
    half_width: float | None
    exact: bool = False
    counts: bool = False
    typical: float | None = None


def expected_widths(
    draft: Draft, statistic: Statistic, loss: MechanismLoss | None = None
) -> tuple[Width, ...]:
    """Of every column, at the draft's loss or at another.

    Of a statistic that ends after one round; one that asks on cannot be foreseen, and has none.

    Raises
    ------
    LossInvalid, TooLarge
        The noise of so much or so little loss cannot be drawn.

    """
    estimate = statistic.step(draft.ask, [_made_up(draft, loss or draft.query.loss)])
    if not isinstance(estimate, Estimate):
        return ()
    foreseen = (
        {f.column: f for f in statistic.foresee(draft.ask)} if isinstance(statistic, Foreseeing) else {}
    )
    return tuple(
        _width(table, i, foreseen.get(column, Foreseen(column, exact=False, counts=False)))
        for table in estimate.tables
        for i, column in enumerate(table.columns)
    )


def _width(table: Table, position: int, foreseen: Foreseen) -> Width:
    cells = [row.cells[position] for row in table]
    values = [cell for cell in cells if isinstance(cell, Value)]
    shown = 2 * len(values) > len(cells)
    return Width(
        table.name,
        table.columns[position],
        half_width=median(value.noise_interval.half_width for value in values) if shown else None,
        exact=foreseen.exact,
        counts=foreseen.counts,
        typical=median(value.value for value in values) if shown and foreseen.counts else None,
    )


def _made_up(draft: Draft, loss: MechanismLoss) -> RoundResult:
    """A round's result made from public sizes."""
    order, participants = draft.order, draft.terms.choice.participants
    aggregates, share = order.round.aggregates, order.round.share
    each = {
        name: tuple(_vectors(aggregate, draft, len(participants)) for aggregate in aggregates)
        for name in participants
    }
    total: Vectors = tuple(
        tuple(vector * len(participants) for vector in vectors) for vectors in next(iter(each.values()))
    )
    return RoundResult(
        round=order.round,
        total=total,
        scales=noise_scales(aggregates, loss.share(share), draft.query.contribution),
        noises=len(participants),
        by_department=each,
    )


def _vectors(aggregate: Aggregate, draft: Draft, departments: int) -> tuple[np.ndarray, ...]:
    dataset = draft.terms.dataset
    cells = aggregate.cells(dataset)
    people = max(1, round(dataset.people_about / cells / departments))
    return tuple(
        np.full(cells, people if _counts(measure) else 0, dtype=np.int64) for measure in aggregate.measures
    )


def _counts(measure: Measure) -> bool:
    return measure.kind is not MeasureKind.SUM

"""How wide the intervals of an answer will be: the statistic over totals made up of public sizes. Pure.

The declared number of people is spread evenly over cells and departments, sums lie in the middle of their
bounds, and values of which quantiles are asked lie evenly between theirs. Where a key has no public list, one
value is made up, which each department just names. Where the agreement has disclosure control, cells are made
up large enough to be shown.
Counts and sums have the same noise whatever their totals are, so their widths are exact; those of averages,
shares and ratios are what to expect where a cell is of that size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

import numpy as np

from fedstats.client.asking import Draft
from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import Measure
from fedstats.core.disclosure import rule_of
from fedstats.core.domain import Numbers, Texts
from fedstats.core.estimate import Estimate, Table, Value
from fedstats.core.foresight import Bounding, Foreseeing, Foreseen
from fedstats.core.inference import domain_of
from fedstats.core.plan import noise_scales, threshold_plan
from fedstats.core.privacy import MechanismLoss, UnitKind
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Round, RoundResult, Statistic, Vectors

MADE_UP_VALUE = "a value"


@dataclass(frozen=True, slots=True)
class Naming:
    """Where a key has no public list: from which noisy number of units on a department names a value.

    At most `values_max` values, and at the cost of the additive `delta`.
    """

    column: str
    threshold: int
    values_max: int
    delta: Fraction
    units: str


@dataclass(frozen=True, slots=True)
class Width:
    """The half width of a column's 95 % noise interval; None where noise would hide most cells.

    `exact`: it depends on no data and holds for every cell. `counts`: the column counts; then `typical` is
    what a cell would hold if everybody were spread evenly. `lines`: how many the table has.
    """

    table: str
    column: str
    half_width: float | None
    exact: bool = False
    counts: bool = False
    typical: float | None = None
    lines: int = 1


def naming_of(draft: Draft, loss: MechanismLoss | None = None) -> Naming | None:
    """How the values of an open key will be named, None where all keys are public."""
    dataset, share = draft.terms.dataset, draft.order.round.share
    spent = replace(loss or draft.query.loss, delta_add=draft.query.loss.delta_add)
    for aggregate in draft.order.round.aggregates:
        key = aggregate.open_key(dataset)
        plan = threshold_plan(aggregate, spent.share(share), draft.query.contribution)
        if key is not None and plan is not None:
            domain = dataset.column(key.name).domain
            values_max = domain.values_max if isinstance(domain, Texts) else 0
            units = "records" if dataset.unit.kind is UnitKind.ROW else "people"
            return Naming(key.name, plan.least, values_max, spent.delta_add, units)
    return None


def expected_widths(
    draft: Draft, statistic: Statistic, loss: MechanismLoss | None = None
) -> tuple[Width, ...]:
    """Of every column, at the draft's loss or at another.

    A statistic of several rounds asks on from made-up totals, as it will from those that come. One that does
    not end so cannot be foreseen, and has none.

    Raises
    ------
    LossInvalid, TooLarge
        The noise of so much or so little loss cannot be drawn.

    """
    estimate = _foreseen(draft, statistic, loss or draft.query.loss)
    if estimate is None:
        return ()
    foreseen = (
        {f.column: f for f in statistic.foresee(draft.ask)} if isinstance(statistic, Foreseeing) else {}
    )
    return tuple(
        _width(table, i, foreseen.get(column, Foreseen(column, exact=False, counts=False)))
        for table in estimate.tables
        for i, column in enumerate(table.columns)
    )


def _foreseen(draft: Draft, statistic: Statistic, loss: MechanismLoss) -> Estimate | None:
    """What the statistic makes of made-up totals, round by round; None where it never ends."""
    history: list[RoundResult] = []
    found: Round | Estimate = draft.order.round
    while isinstance(found, Round):
        if len(history) == draft.query.rounds_max:
            return None
        order = replace(draft.order, round=found.normalised())
        history.append(_made_up(replace(draft, order=order), loss))
        found = statistic.step(draft.ask, history)
    return found


def widths_by_bound(draft: Draft, statistic: Statistic) -> tuple[tuple[str, tuple[Width, ...]], ...]:
    """The widths with each way to bound a person, by its name, that of the question first.

    Nothing where there is one way only.
    """
    ways = statistic.bounds(draft.ask) if isinstance(statistic, Bounding) else ()
    found = []
    for way in ways if len(ways) > 1 else ():
        asked = way.step(draft.ask, [])
        if isinstance(asked, Round) and isinstance(way, Statistic):
            other = replace(draft, order=replace(draft.order, round=asked.normalised()))
            found.append((way.bound, expected_widths(other, way)))
    return tuple((bound, widths) for bound, widths in found if widths)


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
        lines=len(cells),
    )


def _made_up(draft: Draft, loss: MechanismLoss) -> RoundResult:
    """A round's result made from public sizes."""
    order, participants = draft.order, draft.terms.choice.participants
    aggregates, share = order.round.aggregates, order.round.share
    naming = naming_of(draft, loss)
    each = {
        name: tuple(_vectors(aggregate, draft, len(participants), naming) for aggregate in aggregates)
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
        values=() if naming is None else (MADE_UP_VALUE,),
        named_by=() if naming is None else (frozenset(participants),),
    )


def _vectors(
    aggregate: Aggregate, draft: Draft, departments: int, naming: Naming | None
) -> tuple[np.ndarray, ...]:
    dataset = draft.terms.dataset
    if naming is not None and aggregate.open_key(dataset) is not None:
        cells = aggregate.cells(dataset, (MADE_UP_VALUE,))
        people = max(1, round(naming.threshold / cells_of_value(aggregate, dataset)), _shown_from(draft))
    else:
        cells = aggregate.groups(dataset)
        people = max(1, round(dataset.people_about / cells / departments), _shown_from(draft))
    if aggregate.tree is not None:
        bins = np.diff(np.arange(aggregate.tree.bins + 1) * people // aggregate.tree.bins)
        spread = aggregate.tree.of_bins(np.tile(bins, cells), (cells, len(bins)), 1)
        return (spread,) * len(aggregate.measures)
    return tuple(
        np.full(cells, unit * _number(measure, people, draft), dtype=np.int64)
        for measure, unit in zip(aggregate.measures, aggregate.units, strict=True)
    )


def _number(measure: Measure, people: int, draft: Draft) -> int:
    """What so many people add up to; under disclosure control truths of half of them, which is shown."""
    if measure.grid is None:
        return people
    if measure.grid.centre or not _shown_from(draft):
        return 0
    domain = measure.expression and domain_of(measure.expression, draft.terms.dataset)
    negative = isinstance(domain, Numbers) and domain.hi <= 0
    return people * measure.grid.half_width // 2 * (-1 if negative else 1)


def _shown_from(draft: Draft) -> int:
    """So many in a cell that disclosure control withholds nothing of it, shares of a half neither.

    Widths are said for cells that are shown; that smaller ones are not is said apart.
    """
    rule = rule_of(draft.query.disclosure)
    return 0 if rule is None else 3 * rule.least


def cells_of_value(aggregate: Aggregate, dataset: Dataset) -> int:
    """How many cells each value of its open key has."""
    return aggregate.cells(dataset, (MADE_UP_VALUE,)) - aggregate.cells(dataset, ())

"""What a question would cost, and how wide its intervals would be, before anything is sent. Pure.

The widths come from the statistic itself: it is given totals that are made up from public sizes alone (the
declared number of people, spread evenly over cells and departments; sums in the middle of their bounds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np

from fedstats.client.asking import Draft, loss_of
from fedstats.client.guarantee import cost_of, guarantee_of
from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import Measure, MeasureKind
from fedstats.core.estimate import Cost, Estimate, Guarantee, Value
from fedstats.core.plan import noise_scales
from fedstats.core.statistic import RoundResult, Statistic, Vectors


@dataclass(frozen=True, slots=True)
class Width:
    """The half width to expect of a column (its middle cell); None where noise would hide most cells."""

    table: str
    column: str
    half_width: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A question before it is asked. `pure_factor` is how many times the budget pure epsilon would take."""

    question: str
    agreement: str
    agreement_version: int
    purpose: str
    dataset: str
    edition: str
    participants: tuple[str, ...]
    left_out: tuple[str, ...]
    cells: int
    people_about: int
    cost: Cost
    guarantee: Guarantee
    widths: tuple[Width, ...]
    pure_factor: float


def explain(draft: Draft, statistic: Statistic, epsilon: Fraction) -> Explanation:
    """Cost, promise and expected widths of a question that was not asked."""
    query, agreement, dataset = draft.query, draft.terms.agreement, draft.terms.dataset
    participants, contribution = draft.terms.choice.participants, query.contribution
    charges = {
        pure: loss_of(agreement, epsilon, pure=pure).charge(contribution.departments_max).rho
        for pure in (False, True)
    }
    return Explanation(
        question=query.statistic.parameters,
        agreement=agreement.id,
        agreement_version=agreement.version,
        purpose=query.purpose,
        dataset=dataset.name,
        edition=query.edition,
        participants=participants,
        left_out=draft.terms.choice.left_out,
        cells=sum(aggregate.cells(dataset) for aggregate in draft.order.round.aggregates),
        people_about=dataset.people_about,
        cost=cost_of(agreement, query.loss, contribution),
        guarantee=guarantee_of(agreement, dataset, query.loss, contribution, len(participants)),
        widths=_widths(draft, statistic),
        pure_factor=float(charges[True] / charges[False]),
    )


def _widths(draft: Draft, statistic: Statistic) -> tuple[Width, ...]:
    """Of a statistic that ends after one round; one that asks on cannot be foreseen, and has none."""
    estimate = statistic.step(draft.ask, [_made_up(draft)])
    if not isinstance(estimate, Estimate):
        return ()
    return tuple(
        Width(table.name, column, _middle([row.cells[i] for row in table]))
        for table in estimate.tables
        for i, column in enumerate(table.columns)
    )


def _middle(cells: Sequence[object]) -> float | None:
    widths = [cell.noise_interval.half_width for cell in cells if isinstance(cell, Value)]
    return median(widths) if 2 * len(widths) > len(cells) else None


def _made_up(draft: Draft) -> RoundResult:
    """A round's result made from public sizes."""
    query, order, participants = draft.query, draft.order, draft.terms.choice.participants
    each = {
        name: tuple(_vectors(aggregate, draft, len(participants)) for aggregate in order.round.aggregates)
        for name in participants
    }
    total: Vectors = tuple(
        tuple(vector * len(participants) for vector in vectors) for vectors in next(iter(each.values()))
    )
    return RoundResult(
        round=order.round,
        total=total,
        scales=noise_scales(order.round.aggregates, query.loss.share(order.round.share), query.contribution),
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

"""What a question would cost, and how wide its intervals would be, before anything is sent. Pure.

The widths come from the statistic itself: it is given totals that are made up from public sizes alone (the
declared number of people, spread evenly over cells and departments; sums in the middle of their bounds).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np

from fedstats.client import export
from fedstats.client.asking import Draft, loss_of
from fedstats.client.guarantee import cost_of, guarantee_of
from fedstats.client.words import cost_sentence
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
    """A question before it is asked.

    `pure_factor` is how many times as much of the budget pure epsilon takes as Gaussian noise; `has_choice`
    is whether the agreement allows both.
    """

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
    has_choice: bool


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
        has_choice=len(agreement.privacy.mechanisms) > 1,
    )


def explanation_lines(explanation: Explanation) -> list[tuple[str, str]]:
    """The explanation as heads and sentences."""
    e = explanation
    asks = f"{', '.join(e.participants)}, about {e.dataset} {e.edition}, under {e.agreement} for {e.purpose}."
    left = (
        [("Not asked:", f"{', '.join(e.left_out)}, for want of edition {e.edition}.")] if e.left_out else []
    )
    cells = (
        f"{e.cells:,} cells, about {e.people_about / e.cells:,.0f} people in each if they were spread evenly."
    )
    other = "The Gaussian mechanism" if e.cost.pure else "Pure epsilon (--pure)"
    factor = 1 / e.pure_factor if e.cost.pure else e.pure_factor
    besides = [("Besides:", f"{other} would take {factor:.2g} times as much of the budget.")]
    return [
        ("Question:", e.question),
        ("Asks:", asks),
        *left,
        ("Cells:", cells),
        *(("Expect:", _width_words(width)) for width in e.widths),
        ("Cost:", cost_sentence(e.cost, e.agreement)),
        ("Promise:", e.guarantee.sentence),
        *(besides if e.has_choice else []),
        ("Note:", "Nothing was asked and nothing was spent."),
    ]


def explanation_json(explanation: Explanation) -> str:
    """The explanation as JSON: the names of its fields; keys are only ever added."""
    e = explanation
    document = {
        "form": 1,
        "question": e.question,
        "agreement": e.agreement,
        "agreement_version": e.agreement_version,
        "purpose": e.purpose,
        "dataset": e.dataset,
        "edition": e.edition,
        "participants": list(e.participants),
        "left_out": list(e.left_out),
        "cells": e.cells,
        "people_about": e.people_about,
        "cost": export.cost_document(e.cost),
        "guarantee": export.guarantee_document(e.guarantee),
        "expected": [
            {"table": width.table, "column": width.column, "half_width": width.half_width}
            for width in e.widths
        ],
        "pure_factor": e.pure_factor,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)


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


def _width_words(width: Width) -> str:
    if width.half_width is None:
        return f"{width.column}: too few people in most cells to tell from the noise."
    return f"{width.column}: about ± {float(f'{width.half_width:.2g}'):,.10g}"

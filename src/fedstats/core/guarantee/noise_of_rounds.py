"""The rounds of a guarantee report: of each measure its sensitivity, clipping, noise scale and error.

Everything follows from what was signed, by the same functions that nodes compute with.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import Measure, MeasureKind
from fedstats.core.agreement_document import Document
from fedstats.core.bound import WEIGHT_ONE, BoundKind
from fedstats.core.domain import Domain, Numbers
from fedstats.core.expression import Call, Expression, Op, columns_of, walk
from fedstats.core.expression_words import expression_words, number_words
from fedstats.core.grid import Grid
from fedstats.core.guarantee.figures import decimal_down, decimal_up, figures, fraction_text
from fedstats.core.guarantee.run import AnsweredRound, Run
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_half_width
from fedstats.core.plan import noise_scales, threshold_plan
from fedstats.core.privacy import MechanismLoss, Sensitivity, UnitKind


def rounds_of(run: Run) -> list[Document]:
    """The section `rounds` of the report."""
    return [_round(run, number, answered) for number, answered in enumerate(run.rounds)]


def _round(run: Run, number: int, answered: AnsweredRound) -> Document:
    loss = run.query.loss_of(answered.asked)
    contribution = run.query.contribution
    scales = noise_scales(answered.asked.aggregates, loss, contribution)
    return {
        "number": number,
        "share": fraction_text(answered.asked.share),
        "loss": figures(loss, contribution.departments_max, run.agreement.privacy.delta_conversion),
        "aggregates": [
            _aggregate(run, answered, loss, aggregate, of_aggregate, first=number == 0)
            for aggregate, of_aggregate in zip(answered.asked.aggregates, scales, strict=True)
        ],
        "releases": [
            {
                "department": name,
                "edition": answered.editions.get(name, run.query.edition),
                "sha256": hashed,
            }
            for name, hashed in sorted(answered.releases.items())
        ],
        "absent": [{"department": name, "code": code} for name, code in sorted(answered.absent.items())],
    }


def _aggregate(
    run: Run,
    answered: AnsweredRound,
    loss: MechanismLoss,
    aggregate: Aggregate,
    scales: tuple[Fraction, ...],
    *,
    first: bool,
) -> Document:
    terms = len(answered.releases)
    return {
        "kind": aggregate.kind,
        "keys": [expression_words(key) for key in aggregate.keys],
        "cells": aggregate.cells(run.dataset, answered.values),
        "measures": [
            _measure(run, loss, aggregate, measure, scale, terms, first=first)
            for measure, scale in zip(aggregate.measures, scales, strict=True)
        ],
        "threshold": _threshold(run, loss, aggregate),
    }


def _measure(
    run: Run,
    loss: MechanismLoss,
    aggregate: Aggregate,
    measure: Measure,
    scale: Fraction,
    terms: int,
    *,
    first: bool,
) -> Document:
    position = aggregate.measures.index(measure)
    sensitivity = aggregate.sensitivities(run.query.contribution)[position]
    step = (measure.grid.step if measure.grid else Fraction(1)) / aggregate.units[position]
    return {
        "counts": measure.kind.value,
        "of": "" if measure.expression is None else expression_words(measure.expression),
        "weight": fraction_text(measure.weight),
        "sensitivity": _sensitivity(sensitivity, derivation(run, aggregate, measure)),
        "clipping": None if measure.grid is None else _clipping(run, measure, first=first),
        "scale": decimal_down(scale),
        "scale_exact": fraction_text(scale),
        "step": number_words(step),
        "expected_error": {
            "level_percent": "95",
            "one_department": decimal_up(step * noise_half_width(loss.mechanism, scale, 1)),
            "total": decimal_up(step * noise_half_width(loss.mechanism, scale, terms)) if terms else None,
            "departments": terms,
        },
    }


def derivation(run: Run, aggregate: Aggregate, measure: Measure) -> str:
    """Why one unit moves the vector of a measure by no more than its sensitivity, in words and numbers."""
    contribution = run.query.contribution
    rows, cells = contribution.rows_max, contribution.cells_max if aggregate.keys else 1
    one = "One person" if run.dataset.unit.kind is UnitKind.PERSON else "One record"
    bound, reach = aggregate.bound, measure.grid.half_width if measure.grid else 1
    in_cells = f"counts once in each of at most {cells} cells" if cells > 1 else "counts once in one cell"
    if measure.kind is MeasureKind.PEOPLE or (bound.kind is BoundKind.PEOPLE and measure.grid is None):
        return f"{one} {in_cells}: D1 = {cells}, D2 squared = {cells}."
    if bound.kind is BoundKind.PEOPLE:
        return (
            f"{one} {in_cells}, with a mean of at most {_steps(measure)} in either direction: "
            f"D1 = {cells} x {reach}, D2 squared = {cells} x {reach} x {reach}."
        )
    if bound.kind is BoundKind.NORM:
        return _of_weights(one, aggregate, measure, cells, rows)
    has = f"{one} has at most {rows} {'row' if rows == 1 else 'rows'} at a department"
    if aggregate.tree is not None:
        return _of_tree(has, len(aggregate.tree.sizes), rows)
    if measure.grid is None:
        return f"{has}; each adds 1 to one cell, and all may lie in one: D1 = D2 = {rows}."
    return (
        f"{has}; after clipping each adds at most {_steps(measure)} to one "
        f"cell, in either direction, and all may lie in one: D1 = D2 = {rows} x {reach} = {rows * reach} "
        "steps."
    )


def _of_tree(has: str, levels: int, rows: int) -> str:
    at = "its one level" if levels == 1 else f"each of {levels} levels of the tree"
    return (
        f"{has}; each adds 1 to one node at {at}, and all may lie in one: "
        f"D1 = {levels} x {rows} = {levels * rows}, D2 squared = {levels} x {rows} x {rows} = "
        f"{levels * rows**2}."
    )


def _of_weights(one: str, aggregate: Aggregate, measure: Measure, cells: int, rows: int) -> str:
    norm = WEIGHT_ONE * aggregate.bound.norm
    what = f", times a clip of {_steps(measure)}" if measure.grid else ""
    places = "one cell" if cells == 1 else f"at most {cells} cells"
    return (
        f"The rows of {one.lower()} have one weight, a whole number of at most {WEIGHT_ONE}, which means 1. "
        f"With it their numbers of rows in {places} are no longer than {norm} in L2{what}: "
        f"D2 = {norm}{_times(measure)}; D1 is sqrt({cells}) of that, or {rows} whole rows if that is less."
    )


def _steps(measure: Measure) -> str:
    return f"{measure.grid.half_width} steps of {number_words(measure.grid.step)}" if measure.grid else "1"


def _times(measure: Measure) -> str:
    return f" x {measure.grid.half_width}" if measure.grid else ""


def _sensitivity(sensitivity: Sensitivity, words: str) -> Document:
    return {"d1": str(sensitivity.d1), "d2_squared": str(sensitivity.d2_squared), "derivation": words}


def _clipping(run: Run, measure: Measure, *, first: bool) -> Document | None:
    grid, expression = measure.grid, measure.expression
    if grid is None or expression is None:
        return None
    reach = grid.half_width * grid.step
    domain = domain_of(expression, run.dataset)
    native = domain.step if isinstance(domain, Numbers) else Fraction(1)
    return {
        "lo": number_words(grid.centre - reach),
        "hi": number_words(grid.centre + reach),
        "step": number_words(grid.step),
        "rounded": (native / grid.step).denominator != 1,
        "from": " ".join(_origins(expression, grid, domain, first=first)),
    }


def _origins(expression: Expression, grid: Grid, domain: Domain, *, first: bool) -> Iterator[str]:
    columns = ", ".join(sorted(columns_of(expression)))
    yield f"The bounds that the agreement declares for {columns}; those of the expression follow from them."
    narrowing = {Op.CLAMP, Op.LEAST, Op.GREATEST}
    if any(isinstance(part, Call) and part.op in narrowing for part in walk(expression)):
        yield "The question narrows them by limits of its own, which are in it for everybody to read."
    reach = grid.half_width * grid.step
    cut = (
        isinstance(domain, Numbers)
        and not grid.centre - reach <= domain.lo <= domain.hi <= grid.centre + reach
    )
    if cut and not first:
        yield (
            "They were narrowed after the answers to the rounds before, which are noisy and were charged "
            "for; nothing else of the data was looked at."
        )
        return
    if cut:
        yield "The question cuts values off within them, at these limits."
    yield "No bound was taken from the data."


def _threshold(run: Run, loss: MechanismLoss, aggregate: Aggregate) -> Document | None:
    """How values of a key without a public list were named; None where every key has one."""
    contribution = run.query.contribution
    key, plan = aggregate.open_key(run.dataset), threshold_plan(aggregate, loss, contribution)
    if key is None or plan is None:
        return None
    units = "people" if run.dataset.unit.kind is UnitKind.PERSON else "records"
    return {
        "key": key.name,
        "least": plan.least,
        "scale": decimal_down(plan.scale),
        "scale_exact": fraction_text(plan.scale),
        "weight": fraction_text(aggregate.threshold_weight or Fraction(0)),
        "delta": decimal_up(plan.loss.delta_add),
        "delta_exact": fraction_text(plan.loss.delta_add),
        "sensitivity": _sensitivity(
            plan.sensitivity,
            f"One unit has at most {plan.values} values and counts once at each: D1 = {plan.values}, "
            f"D2 squared = {plan.values}.",
        ),
        "words": f"A department names a value only where its number of {units}, with noise, is {plan.least} "
        f"or more. A value that one unit alone has is named with probability "
        f"{decimal_up(plan.loss.delta_add)} at most at each department.",
    }

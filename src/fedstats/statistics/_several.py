"""Measures that fill several aggregates of one round, and their totals cell by cell.

One aggregate has at most 32 measures. Those of a plan are spread over as many aggregates as they need, with
the same keys and shares of the loss as in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fedstats.core.aggregate.grouped_sums import MEASURES_MAX, GroupedSums, Measure
from fedstats.core.domain import cells_of
from fedstats.core.estimate import Absence, AbsenceReason
from fedstats.core.expression import Expression, normalise
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_sd
from fedstats.core.statistic import Ask, RoundResult
from fedstats.errors import InternalError
from fedstats.statistics._measures import MeasurePlan

Keys = Mapping[str, Expression | None]
"""Keys by what they are called; None is the department."""

SUPPORT_WEIGHT = Fraction(1, 4)


@dataclass(frozen=True, slots=True, eq=False)
class CellTotals:
    """The noisy totals of one cell by position of the measure, and the standard deviations of their noise."""

    totals: NDArray[np.float64]
    sds: NDArray[np.float64]


def spread_out(plan: MeasurePlan, keys: Keys, *, part: Fraction = Fraction(1)) -> tuple[GroupedSums, ...]:
    """The measures in aggregates of up to 32, with equal shares of `part` of the round's loss.

    What is there for disclosure control alone has a quarter of a share.
    """
    weight = part / (plan.asked + SUPPORT_WEIGHT * plan.supports)
    weights = [weight] * plan.asked + [SUPPORT_WEIGHT * weight] * plan.supports
    measures = [Measure(m.kind, m.expression, m.grid, w) for m, w in zip(plan.measures, weights, strict=True)]
    expressions = grouping(keys)
    return tuple(
        GroupedSums(expressions, tuple(measures[i : i + MEASURES_MAX]))
        for i in range(0, len(measures), MEASURES_MAX)
    )


def grouping(keys: Keys) -> tuple[Expression, ...]:
    """The keys that nodes group by: all but the department, which each node is itself."""
    return tuple(normalise(key) for key in keys.values() if key is not None)


def totals_of(
    plan: MeasurePlan, keys: Keys, ask: Ask, result: RoundResult
) -> Iterator[tuple[tuple[str | None, ...], CellTotals | Absence]]:
    """Every cell with its labels, the first key outermost, the department where it is a key."""
    single = None in keys.values()
    given = {name: _vectors(plan, keys, ask, result, name) for name in result.by_department or {}}
    everybody = None if single else _vectors(plan, keys, ask, result, None)
    sds = _sds(plan, keys, ask, result, noises=1 if single else result.noises)
    labels = [ask.departments if key is None else _labels(key, ask) for key in keys.values()]
    shape = [len(those) for those, key in zip(labels, keys.values(), strict=True) if key is not None]
    for place in product(*(range(len(those)) for those in labels)):
        key = tuple(those[i] for those, i in zip(labels, place, strict=True))
        inner = [i for i, expression in zip(place, keys.values(), strict=True) if expression is not None]
        cell = int(np.ravel_multi_index(inner, shape)) if inner else 0
        department = next((k for k, e in zip(key, keys.values(), strict=True) if e is None), None)
        found = everybody if not single else given.get(str(department))
        if found is None:
            yield key, _absence(result, str(department))
        else:
            yield key, CellTotals(found[:, cell], sds)


def _vectors(
    plan: MeasurePlan, keys: Keys, ask: Ask, result: RoundResult, department: str | None
) -> NDArray[np.float64]:
    """Totals of each measure (measures, cells), cells in the order of the keys as they were asked for."""
    vectors = result.total if department is None else (result.by_department or {})[department]
    rows = []
    for aggregate, position in _places(plan, keys, result):
        own = result.round.aggregates[aggregate]
        shape = [len(cells_of(domain)) for domain in own.key_domains(ask.dataset)]
        axes = [own.keys.index(key) for key in grouping(keys)]
        vector = np.asarray(vectors[aggregate][position], dtype=np.float64)
        rows.append(vector.reshape(shape).transpose(axes).ravel())
    return np.array(rows)


def _sds(plan: MeasurePlan, keys: Keys, ask: Ask, result: RoundResult, *, noises: int) -> NDArray[np.float64]:
    scales = (result.scales[i][j] for i, j in _places(plan, keys, result))
    return np.array([noise_sd(ask.loss.mechanism, scale, noises) for scale in scales])


def _places(plan: MeasurePlan, keys: Keys, result: RoundResult) -> list[tuple[int, int]]:
    """Which aggregate of the round has each measure of the plan, and where."""
    grouped = set(grouping(keys))
    found = {
        Measure(measure.kind, measure.expression, measure.grid): (i, j)
        for i, aggregate in enumerate(result.round.aggregates)
        if set(aggregate.keys) == grouped
        for j, measure in enumerate(aggregate.measures)
    }
    if not set(plan.measures) <= set(found):
        raise InternalError("These totals do not belong to this question.")
    return [found[measure] for measure in plan.measures]


def _labels(key: Expression, ask: Ask) -> tuple[str | None, ...]:
    domain = domain_of(key, ask.dataset)
    return tuple(None if code is None else domain.label(code) for code in cells_of(domain))


def _absence(result: RoundResult, department: str) -> Absence:
    refusal = result.absent.get(department)
    if refusal is None:
        return Absence(AbsenceReason.NO_ANSWER)
    return Absence(AbsenceReason.REFUSED, refusal.sentence)

"""The rows of a table: cells in the order of SELECT, from totals that are in the order of the round."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from math import ceil, sqrt

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import GroupedSums, open_keys
from fedstats.core.disclosure import rule_of
from fedstats.core.domain import Texts, cells_of
from fedstats.core.estimate import Absence, AbsenceReason, Refusal, TableRow
from fedstats.core.expression import Expression, normalise
from fedstats.core.inference import domain_of
from fedstats.core.noise import TERMS_MAX, noise_half_width
from fedstats.core.privacy import Mechanism
from fedstats.core.selection import KeyOutput, Selection
from fedstats.core.statistic import Ask, RoundResult, Vectors
from fedstats.errors import InternalError, NodeFailed, Refused, error_classes
from fedstats.statistics._columns import Column
from fedstats.statistics._disclosing import Disclosed, disclosed
from fedstats.statistics._measures import MeasurePlan
from fedstats.statistics._quantile import TreeTotals, cell_trees
from fedstats.statistics._totals import (
    LEVEL,
    HalfWidths,
    Place,
    RowTotals,
    added_up,
    number_of,
    places,
    total_of,
)


def keys_of(selection: Selection) -> tuple[Expression, ...]:
    """The keys that nodes group by, in normal form: all but the department, which each node is itself."""
    return tuple(normalise(key.expression) for key in selection.keys if key.expression is not None)


def table_rows(
    selection: Selection,
    ask: Ask,
    plan: MeasurePlan,
    columns: Sequence[Column],
    result: RoundResult,
    *,
    marginals: Collection[frozenset[int]] = (),
) -> Iterator[TableRow]:
    """Every cell, the first key outermost; departments that gave nothing have theirs too, with the reason.

    `marginals` are the totals that are shown too, by the positions of the keys that each keeps: rows in which
    the other keys are labelled `all`.
    """
    labels = [_labels(key, ask, result.values) for key in selection.keys]
    sizes = [len(those) for those in labels]
    rule, widths = rule_of(ask.disclosure), _half_widths(plan, ask, result)
    rows = dict(_row_totals(selection, ask, plan, result, sizes))
    groups = added_up(rows, sizes, marginals)
    named = [[*those, _label_of_all(those)] for those in labels]
    for place in places(sizes, totals=bool(marginals)):
        key = tuple(those[i] for those, i in zip(named, place, strict=True))
        if place in rows:
            row = rows[place]
            cells = tuple(number_of(column, row, rule, widths) for column in columns)
            yield TableRow(key, cells, row.named_by)
        elif place in groups:
            cells = tuple(total_of(column, groups[place], rule, widths) for column in columns)
            yield TableRow(key, cells, total=True)


def _row_totals(
    selection: Selection, ask: Ask, plan: MeasurePlan, result: RoundResult, sizes: Sequence[int]
) -> Iterator[tuple[Place, RowTotals]]:
    """The totals of every cell, by its place."""
    answers = _answers(selection, ask, plan, result)
    for place in places(sizes, totals=False):
        department, cell, value = None, 0, None
        for key, size, i in zip(selection.keys, sizes, place, strict=True):
            if key.expression is None:
                department = ask.departments[i]
                continue
            cell = cell * size + i
            if open_keys((key.expression,), ask.dataset):
                value = i
        yield place, answers[department].row(cell, value)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """A department that gave nothing."""

    absence: Absence

    def row(self, _: int, __: int | None) -> RowTotals:
        """The reason."""
        return RowTotals(NOTHING, 0, absence=self.absence)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Totals per measure and cell, in the order of SELECT, and whose numbers are in them.

    `disclose` says what may be shown of a cell's totals; `named` says for each value of an open key how many
    departments are in its numbers. `total` is whether several could be. `trees` gives those of a cell.
    """

    totals: Sequence[Sequence[float]]
    disclose: Callable[[Sequence[float]], Disclosed]
    noises: int
    named: Sequence[int]
    total: bool
    trees: Callable[[int], Mapping[Expression, TreeTotals]]

    def row(self, cell: int, value: int | None) -> RowTotals:
        """The totals of a cell, of the value at this position of the open key; missing values come last."""
        noises = self.named[value] if value is not None and value < len(self.named) else self.noises
        if not noises:
            return RowTotals(NOTHING, 0, absence=BELOW_THRESHOLD)
        found = self.disclose([vector[cell] for vector in self.totals])
        named_by = None if value is None or not self.total else noises
        return RowTotals(found, noises, named_by, trees=self.trees(cell))


NOTHING = Disclosed((), ())
BELOW_THRESHOLD = Absence(
    AbsenceReason.BELOW_THRESHOLD, "The department has too few people there, or none, to name the value."
)


def _answers(
    selection: Selection, ask: Ask, plan: MeasurePlan, result: RoundResult
) -> dict[str | None, _Answer | _Nothing]:
    """The totals of everybody under None, or those of each department under its name."""
    at, aggregate = _sums_of(result)
    positions = () if aggregate is None else plan.positions_in(aggregate.measures)
    disclose = partial(disclosed, plan=plan, rule=rule_of(ask.disclosure))
    keys = keys_of(selection)

    def totals(vectors: Vectors) -> list[list[float]]:
        if aggregate is None:
            return []
        shape = [len(cells) for cells in aggregate.key_cells(ask.dataset, result.values)]
        axes = [aggregate.keys.index(key) for key in keys]
        placed = (vectors[at][i].reshape(shape).transpose(axes).ravel() for i in positions)
        return [_divided(vector, aggregate.units[i]) for vector, i in zip(placed, positions, strict=True)]

    def answer(vectors: Vectors, noises: int, named: Sequence[int], *, total: bool) -> _Answer:
        trees = cell_trees(plan.trees, result, vectors, keys, ask=ask, noises=noises)
        return _Answer(totals(vectors), disclose, noises, named, total, trees)

    if not selection.by_department:
        named = [len(departments) for departments in result.named_by]
        return {None: answer(result.total, result.noises, named, total=True)}
    given = result.by_department or {}
    return {
        name: answer(given[name], 1, [int(name in those) for those in result.named_by], total=False)
        if name in given
        else _Nothing(absence_of(result.absent.get(name)))
        for name in ask.departments
    }


def _divided(vector: Integers, unit: int) -> list[float]:
    """The totals, where rows have weights in whole rows; those of no unit stay integers."""
    totals: list[float] = vector.tolist() if unit == 1 else (vector / unit).tolist()
    return totals


def _sums_of(result: RoundResult) -> tuple[int, GroupedSums | None]:
    """The aggregate that is no tree, and its position; a question of quantiles alone has none."""
    sums = [(i, aggregate) for i, aggregate in enumerate(result.round.aggregates) if aggregate.tree is None]
    if len(sums) > 1:
        raise InternalError("These totals do not belong to this question.")
    return sums[0] if sums else (0, None)


def _half_widths(plan: MeasurePlan, ask: Ask, result: RoundResult) -> HalfWidths:
    """The half widths of the plan's measures, by how many noises are added up."""
    at, aggregate = _sums_of(result)
    positions, units = (
        ((), ()) if aggregate is None else (plan.positions_in(aggregate.measures), aggregate.units)
    )
    mechanism, scales = ask.loss.mechanism, result.scales[at]

    @cache
    def widths(noises: int, level: float) -> list[float]:
        return [half_width_of(mechanism, scales[i], noises, level) / units[i] for i in positions]

    return widths


def half_width_of(mechanism: Mechanism, scale: Fraction, noises: int, level: float = LEVEL) -> int:
    """As `noise_half_width`; of still more noises, whose sum is normal, as a multiple of that."""
    if noises <= TERMS_MAX:
        return noise_half_width(mechanism, scale, noises, level)
    return ceil(noise_half_width(mechanism, scale, TERMS_MAX, level) * sqrt(noises / TERMS_MAX)) + 1


def _label_of_all(labels: Sequence[str | None]) -> str:
    """The label of totals: `all`, in brackets if that is a value."""
    label = "all"
    while label in labels:
        label = f"({label})"
    return label


def absence_of(refusal: Refusal | None) -> Absence:
    """Why a department that was asked gave nothing."""
    if refusal is None:
        return Absence(AbsenceReason.NO_ANSWER)
    decided = issubclass(error_classes().get(refusal.code, NodeFailed), Refused)
    failed = refusal.code == NodeFailed.code or not decided
    return Absence(AbsenceReason.NO_ANSWER if failed else AbsenceReason.REFUSED, refusal.sentence)


def _labels(key: KeyOutput, ask: Ask, values: tuple[str, ...]) -> Sequence[str | None]:
    if key.expression is None:
        return ask.departments
    domain = domain_of(key.expression, ask.dataset)
    if isinstance(domain, Texts):
        return (*values, None) if domain.nullable else values
    if key.labels:
        return (*key.labels, None) if domain.nullable else key.labels
    return [None if code is None else domain.label(code) for code in cells_of(domain)]

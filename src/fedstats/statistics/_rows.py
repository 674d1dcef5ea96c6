"""The rows of a table: cells in the order of SELECT, from totals that are in the order of the round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import GroupedSums
from fedstats.core.domain import cells_of
from fedstats.core.estimate import Absence, AbsenceReason, Cell, Refusal, TableRow
from fedstats.core.expression import Expression, normalise
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_half_width
from fedstats.core.schema import Dataset
from fedstats.core.selection import KeyOutput, Selection
from fedstats.core.statistic import Ask, RoundResult
from fedstats.errors import InternalError, NodeFailed, Refused, error_classes
from fedstats.statistics._columns import Column
from fedstats.statistics._measures import MeasurePlan


def public_keys(selection: Selection) -> tuple[Expression, ...]:
    """The keys that nodes group by, in normal form: all but the department, which each node is itself."""
    return tuple(normalise(key.expression) for key in selection.keys if key.expression is not None)


def table_rows(
    selection: Selection, ask: Ask, plan: MeasurePlan, columns: Sequence[Column], result: RoundResult
) -> Iterator[TableRow]:
    """Every cell, the first key outermost; departments that gave nothing have theirs too, with the reason."""
    answers = _answers(selection, ask, plan, result)
    labels = [_labels(key, ask) for key in selection.keys]
    for place in product(*(range(len(those)) for those in labels)):
        department, cell = None, 0
        for key, those, i in zip(selection.keys, labels, place, strict=True):
            if key.expression is None:
                department = those[i]
            else:
                cell = cell * len(those) + i
        answer = answers[department]
        cells: tuple[Cell, ...]
        if isinstance(answer, Absence):
            cells = (answer,) * len(columns)
        else:
            totals = [float(vector[cell]) for vector in answer.totals]
            cells = tuple(column.cell(totals, answer.widths) for column in columns)
        yield TableRow(tuple(those[i] for those, i in zip(labels, place, strict=True)), cells)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Totals per measure and cell, in the order of SELECT, and the half width of each measure's noise."""

    totals: Sequence[Sequence[int]]
    widths: Sequence[float]


def _answers(
    selection: Selection, ask: Ask, plan: MeasurePlan, result: RoundResult
) -> dict[str | None, _Answer | Absence]:
    """The totals of everybody under None, or those of each department under its name."""
    aggregate = result.round.aggregates[0]
    if len(result.round.aggregates) != 1 or not isinstance(aggregate, GroupedSums):
        raise InternalError("These totals do not belong to this question.")
    positions = plan.positions_in(aggregate.measures)

    def answer(vectors: Sequence[Integers], noises: int) -> _Answer:
        mechanism, scales = ask.loss.mechanism, result.scales[0]
        return _Answer(
            [_in_order_of_select(selection, aggregate, ask.dataset, vectors[i]) for i in positions],
            [noise_half_width(mechanism, scales[i], noises) for i in positions],
        )

    if not selection.by_department:
        return {None: answer(result.total[0], result.noises)}
    given = result.by_department or {}
    return {
        name: answer(given[name][0], 1) if name in given else _absence(result.absent.get(name))
        for name in ask.departments
    }


def _in_order_of_select(
    selection: Selection, aggregate: GroupedSums, dataset: Dataset, vector: Integers
) -> list[int]:
    shape = [len(cells) for cells in aggregate.key_cells(dataset)]
    axes = [aggregate.keys.index(key) for key in public_keys(selection)]
    reordered: list[int] = vector.reshape(shape).transpose(axes).ravel().tolist()
    return reordered


def _absence(refusal: Refusal | None) -> Absence:
    if refusal is None:
        return Absence(AbsenceReason.NO_ANSWER)
    decided = issubclass(error_classes().get(refusal.code, NodeFailed), Refused)
    failed = refusal.code == NodeFailed.code or not decided
    return Absence(AbsenceReason.NO_ANSWER if failed else AbsenceReason.REFUSED, refusal.sentence)


def _labels(key: KeyOutput, ask: Ask) -> Sequence[str | None]:
    if key.expression is None:
        return ask.departments
    domain = domain_of(key.expression, ask.dataset)
    return [None if code is None else domain.label(code) for code in cells_of(domain)]

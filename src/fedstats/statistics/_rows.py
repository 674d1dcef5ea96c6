"""The rows of a table: cells in the order of SELECT, from totals that are in the order of the round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import GroupedSums, open_keys
from fedstats.core.domain import Texts, cells_of
from fedstats.core.estimate import Absence, AbsenceReason, Cell, Refusal, TableRow
from fedstats.core.expression import Expression, normalise
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_half_width
from fedstats.core.selection import KeyOutput, Selection
from fedstats.core.statistic import Ask, RoundResult
from fedstats.errors import InternalError, NodeFailed, Refused, error_classes
from fedstats.statistics._columns import Column
from fedstats.statistics._measures import MeasurePlan


def keys_of(selection: Selection) -> tuple[Expression, ...]:
    """The keys that nodes group by, in normal form: all but the department, which each node is itself."""
    return tuple(normalise(key.expression) for key in selection.keys if key.expression is not None)


def table_rows(
    selection: Selection, ask: Ask, plan: MeasurePlan, columns: Sequence[Column], result: RoundResult
) -> Iterator[TableRow]:
    """Every cell, the first key outermost; departments that gave nothing have theirs too, with the reason."""
    answers = _answers(selection, ask, plan, result)
    labels = [_labels(key, ask, result.values) for key in selection.keys]
    for place in product(*(range(len(those)) for those in labels)):
        department, cell, value = None, 0, None
        for key, those, i in zip(selection.keys, labels, place, strict=True):
            if key.expression is None:
                department = those[i]
                continue
            cell = cell * len(those) + i
            if open_keys((key.expression,), ask.dataset):
                value = i
        cells, named_by = answers[department].row(cell, value, columns)
        key_labels = tuple(those[i] for those, i in zip(labels, place, strict=True))
        yield TableRow(key_labels, cells, named_by)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """A department that gave nothing."""

    absence: Absence

    def row(self, _: int, __: int | None, columns: Sequence[Column]) -> _Row:
        """The reason, in every column."""
        return (self.absence,) * len(columns), None


@dataclass(frozen=True, slots=True)
class _Answer:
    """Totals per measure and cell, in the order of SELECT, and whose numbers are in them.

    `widths` gives the half width of each measure's noise where so many departments are in a total; `named`
    says for each value of an open key how many are in its numbers. `total` is whether several could be.
    """

    totals: Sequence[Sequence[int]]
    widths: Callable[[int], Sequence[float]]
    noises: int
    named: Sequence[int]
    total: bool

    def row(self, cell: int, value: int | None, columns: Sequence[Column]) -> _Row:
        """The numbers of a cell, of the value at this position of the open key; missing values come last."""
        noises = self.named[value] if value is not None and value < len(self.named) else self.noises
        if not noises:
            return (BELOW_THRESHOLD,) * len(columns), None
        totals = [float(vector[cell]) for vector in self.totals]
        cells = tuple(column.cell(totals, self.widths(noises)) for column in columns)
        return cells, None if value is None or not self.total else noises


_Row = tuple[tuple[Cell, ...], int | None]
BELOW_THRESHOLD = Absence(
    AbsenceReason.BELOW_THRESHOLD, "The department has too few people there, or none, to name the value."
)


def _answers(
    selection: Selection, ask: Ask, plan: MeasurePlan, result: RoundResult
) -> dict[str | None, _Answer | _Nothing]:
    """The totals of everybody under None, or those of each department under its name."""
    aggregate = result.round.aggregates[0]
    if len(result.round.aggregates) != 1 or not isinstance(aggregate, GroupedSums):
        raise InternalError("These totals do not belong to this question.")
    positions = plan.positions_in(aggregate.measures)
    mechanism, scales = ask.loss.mechanism, result.scales[0]

    @cache
    def widths(noises: int) -> list[float]:
        return [noise_half_width(mechanism, scales[i], noises) for i in positions]

    def totals(vectors: Sequence[Integers]) -> list[list[int]]:
        shape = [len(cells) for cells in aggregate.key_cells(ask.dataset, result.values)]
        axes = [aggregate.keys.index(key) for key in keys_of(selection)]
        return [vectors[i].reshape(shape).transpose(axes).ravel().tolist() for i in positions]

    if not selection.by_department:
        named = [len(departments) for departments in result.named_by]
        return {None: _Answer(totals(result.total[0]), widths, result.noises, named, total=True)}
    given = result.by_department or {}
    return {
        name: _Answer(
            totals(given[name][0]),
            widths,
            1,
            [int(name in departments) for departments in result.named_by],
            total=False,
        )
        if name in given
        else _Nothing(_absence(result.absent.get(name)))
        for name in ask.departments
    }


def _absence(refusal: Refusal | None) -> Absence:
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
    return [None if code is None else domain.label(code) for code in cells_of(domain)]

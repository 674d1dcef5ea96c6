"""What a researcher needs to write an analysis of her own: one file that imports from here.

    @dataclass(frozen=True, slots=True)
    class LateShare:
        name: ClassVar[str] = "late_share"
        version: ClassVar[str] = "1"
        rounds_max: ClassVar[int] = 1
        dataset: str
        where: str = ""

        def condition(self, dataset: Dataset) -> Expression | None:
            return condition_of(self.where, dataset)

        def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
            wanted = sums(ask, by=("sex",), all="COUNT(*)", late="SUM(days > 126)")
            if not history:
                return wanted.round()
            cells = wanted.read(history[0])
            return Estimate((cells.table("shares", share=ratio(cells["late"], cells["all"])),))

`sums` says what to add up, in SQL; its `read` gives the noisy sums back as arrays over the cells of the keys,
each with how far noise can reach. What is computed of them costs nothing more. `fedstats new NAME` writes
such a file with its test, and docs/statistics.md goes through one line by line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import GroupedSums
from fedstats.core.domain import cells_of
from fedstats.core.estimate import (
    Absence,
    AbsenceReason,
    Cell,
    Estimate,
    Interval,
    Picture,
    PictureKind,
    Table,
    TableRow,
    Value,
)
from fedstats.core.expression import Expression
from fedstats.core.noise import noise_half_width, noise_sd
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.selection import AggregateCall, Selection, aggregate_calls
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.errors import ExpressionInvalid, InternalError, ValueInvalid
from fedstats.sql.parse import parse
from fedstats.sql.texts import condition_of_text as condition_of
from fedstats.sql.texts import expression_of
from fedstats.statistics._columns import Column
from fedstats.statistics._intervals import Bounds
from fedstats.statistics._linear import TOO_FEW, Linear, Measured, Ratio, interval_of_ratio
from fedstats.statistics._measures import MeasurePlan, plan_measures
from fedstats.statistics._rows import keys_of

__all__ = [
    "Absence",
    "AbsenceReason",
    "Ask",
    "Cell",
    "Cells",
    "Dataset",
    "Estimate",
    "Expression",
    "Interval",
    "Picture",
    "PictureKind",
    "Round",
    "RoundResult",
    "Sum",
    "Sums",
    "Table",
    "TableRow",
    "Value",
    "ValueInvalid",
    "condition_of",
    "expression_of",
    "ratio",
    "sums",
    "value_of",
]

Floats: TypeAlias = NDArray[np.float64]
Label: TypeAlias = tuple[str | None, ...]
_ALL = Fraction(1)


def sums(ask: Ask, *, by: Sequence[str] = (), **wanted: str) -> Sums:
    """What to add up in every cell of the keys `by`, each under a name: aggregates and keys in SQL.

        sums(ask, by=("sex", "BAND(age, 18, 65)"), n="COUNT(*)", cost="SUM(cost)", late="SUM(days > 126)")

    Aggregates are COUNT(*), COUNT(x), COUNT(DISTINCT person), SUM(x) of a number or a condition, and sums and
    differences of these. What several of them need is asked once, and each gets an equal share of the loss.
    `department` is a key, too.

    Raises
    ------
    LanguageError
        A text is outside the query language, or does not fit the definition of the dataset.
    ValueInvalid
        Nothing is asked for, or something that is no sum: averages and shares are ratios of two.

    """
    if not wanted:
        raise ValueInvalid('Say what to add up, for example: sums(ask, n="COUNT(*)")')
    selection, plan = _planned(ask.dataset, tuple(by), tuple(wanted.items()))
    made = Sums(ask, tuple(by), selection, plan)
    if made.aggregate.open_key(ask.dataset) is not None:
        raise ExpressionInvalid(
            "A key of free text has no public list of cells. Ask for it with fedstats query."
        )
    made.forms()
    return made


@lru_cache(maxsize=64)  # a simulation takes the same step some thousand times
def _planned(
    dataset: Dataset, by: tuple[str, ...], wanted: tuple[tuple[str, str], ...]
) -> tuple[Selection, MeasurePlan]:
    columns = ", ".join([*by, *(f'{text} AS "{name}"' for name, text in wanted)])
    grouped = f" GROUP BY {', '.join(by)}" if by else ""
    text = f"SELECT {columns} FROM {dataset.name}{grouped}"  # noqa: S608  # parsed by us, run by nobody
    selection = parse(text, lambda _: dataset)
    found = tuple(output.name for output in selection.outputs)
    if found != tuple(name for name, _ in wanted) or len(selection.keys) != len(by):
        raise ValueInvalid("Each name has one aggregate, and `by` has keys alone.")
    return selection, plan_measures(_calls(selection), dataset)


def ratio(top: Sum, bottom: Sum, *, lo: float = -math.inf, hi: float = math.inf) -> tuple[Cell, ...]:
    """`top` divided by `bottom` in every cell, with what noise hides; TOO_FEW where noise hides the divisor.

    The interval keeps its level where the divisor is small (Fieller 1954), and knows what both have in
    common: a sum and the count under it may rest on one noisy number. What is known of the exact ratio, such
    as `lo=0, hi=1` of a share, is held to.
    """
    if top.totals is not bottom.totals:
        raise ValueInvalid("A ratio is of two sums that were read together.")
    form = Ratio(top.form, bottom.form, positive=True)
    bounds, slacks, cells = Bounds(lo, hi), (0.0,) * len(top.totals), list[Cell]()
    for totals in top.totals.T:
        interval = interval_of_ratio(form, Measured(totals.tolist(), top.widths, slacks))
        if interval is None:
            cells.append(TOO_FEW)
            continue
        value = bounds.clip(float(form.top.at(totals) / form.bottom.at(totals)))
        cells.append(Value(value, bounds.within(interval)))
    return tuple(cells)


def value_of(value: float, half_width: float, population: float | None = None) -> Value:
    """A number with the half width that noise hides, and that of the interval for the population."""
    noise = Interval(value - half_width, value + half_width)
    return Value(
        value, noise, None if population is None else Interval(value - population, value + population)
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """What is added up, by name; `round` asks for it, and `read` finds it again in what came back."""

    ask: Ask
    by: tuple[str, ...]
    selection: Selection
    plan: MeasurePlan

    def round(self, share: Fraction = _ALL) -> Round:
        """The round that asks for it, with this share of the query's loss."""
        return Round((self.aggregate,), share)

    @property
    def aggregate(self) -> GroupedSums:
        """What the departments compute: for `later`, where a later round asks for it."""
        return self.plan.aggregate(keys_of(self.selection), self.ask.dataset)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: which values are rounded before they are added up, and what a row is."""
        rounded = tuple(
            f"Values between {call.lo:g} and {call.hi:g} are rounded to steps of {float(call.rounded_to):g} "
            "before they are added up."
            for call in self.plan.calls.values()
            if call.rounded_to is not None
        )
        per_record = self.ask.dataset.unit.kind is UnitKind.ROW
        return (
            *(("Per record: what is protected is one record.",) if per_record else ()),
            *dict.fromkeys(rounded),
        )

    def forms(self) -> dict[str, Linear]:
        """Each name as a linear form of the measures."""
        columns = {output.name: Column.of(output, self.plan.calls) for output in self.selection.outputs}
        ratios = [name for name, column in columns.items() if not isinstance(column.form, Linear)]
        if ratios:
            raise ValueInvalid(
                f"{ratios[0]} is no sum.",
                remedy="Ask for the sum and the count, and divide them with ratio().",
            )
        return {
            name: column.form.times(column.factor).plus(Linear(column.shift, {}))
            for name, column in columns.items()
            if isinstance(column.form, Linear)
        }

    def read(self, result: RoundResult) -> Cells:
        """The noisy sums in every cell, from the round that asked for them.

        Where `department` is a key, those that did not answer are in `absent`, with the reason.
        """
        aggregate = result.round.aggregates[0]
        if len(result.round.aggregates) != 1 or not isinstance(aggregate, GroupedSums):
            raise InternalError("This result is of another round than the one that asked for these sums.")
        positions = self.plan.positions_in(aggregate.measures)
        terms = 1 if self.selection.by_department else result.noises
        scales = [result.scales[0][i] for i in positions]
        mechanism = self.ask.loss.mechanism
        whole = [np.stack([vectors[i] for i in positions]) for vectors in self._answers(result, aggregate)]
        totals = np.concatenate(whole, axis=1).astype(np.float64) if whole else np.zeros((len(positions), 0))
        widths = tuple(float(noise_half_width(mechanism, scale, terms)) for scale in scales)
        sds = tuple(noise_sd(mechanism, scale, terms) for scale in scales)
        return Cells(
            self.by,
            self._labels(result),
            {name: Sum(form, totals, widths, sds) for name, form in self.forms().items()},
            self._absent(result),
        )

    def _answers(self, result: RoundResult, aggregate: GroupedSums) -> list[list[Integers]]:
        """The vectors of everybody, or of each department that answered; cells in the order of `by`."""
        keys = keys_of(self.selection)
        shape = [len(cells) for cells in aggregate.key_cells(self.ask.dataset)]
        axes = [aggregate.keys.index(key) for key in keys]
        given = [result.total]
        if self.selection.by_department:
            given = [(result.by_department or {})[name] for name in self._there(result)]
        return [[v.reshape(shape).transpose(axes).ravel() for v in vectors[0]] for vectors in given]

    def _there(self, result: RoundResult) -> list[str]:
        return [name for name in self.ask.departments if name in (result.by_department or {})]

    def _labels(self, result: RoundResult) -> tuple[Label, ...]:
        """The labels of all cells; the department varies slowest, whatever its place in `by` is."""
        return self._labels_of(self._there(result) if self.selection.by_department else [""])

    def _labels_of(self, departments: Sequence[str]) -> tuple[Label, ...]:
        dataset = self.ask.dataset
        aggregate = GroupedSums(keys_of(self.selection), self.aggregate.measures)
        domains = aggregate.key_domains(dataset)
        listed = [
            [None if code is None else domain.label(code) for code in cells_of(domain)] for domain in domains
        ]
        at = [i for i, key in enumerate(self.selection.keys) if key.expression is None]
        found = []
        for department, labels in product(departments, product(*listed)):
            whole = list(labels)
            for i in at:
                whole.insert(i, department)
            found.append(tuple(whole))
        return tuple(found)

    def _absent(self, result: RoundResult) -> tuple[tuple[Label, Absence], ...]:
        if not self.selection.by_department:
            return ()
        gone = [name for name in self.ask.departments if name not in self._there(result)]
        at = self.by.index(DEPARTMENT_KEY)
        found = []
        for label in self._labels_of(gone):
            refusal = result.absent.get(str(label[at]))
            reason = AbsenceReason.NO_ANSWER if refusal is None else AbsenceReason.REFUSED
            found.append((label, Absence(reason, "" if refusal is None else refusal.sentence)))
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Noisy sums over the cells of the keys `by`: `cells["late"]` is one of them.

    `labels` say which cell is which. `absent` are the cells of departments that did not answer, where
    `department` is a key.
    """

    by: tuple[str, ...]
    labels: tuple[Label, ...]
    sums: Mapping[str, Sum]
    absent: tuple[tuple[Label, Absence], ...] = ()

    def __getitem__(self, name: str) -> Sum:
        """The sum of this name."""
        return self.sums[name]

    def table(self, name: str, /, picture: Picture | None = None, **columns: Sum | Sequence[Cell]) -> Table:
        """A table with a row for each cell: columns are sums, or what `ratio` and `value_of` make."""
        listed = [column.cells if isinstance(column, Sum) else tuple(column) for column in columns.values()]
        if any(len(cells) != len(self.labels) for cells in listed):
            raise ValueInvalid(
                f"Each column of a table has {len(self.labels)} cells here, one for each label."
            )
        rows = [TableRow(label, tuple(c[i] for c in listed)) for i, label in enumerate(self.labels)]
        rows += [TableRow(label, (absence,) * len(listed)) for label, absence in self.absent]
        return Table(name, self.by, tuple(columns), tuple(rows), picture=picture)


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A noisy sum in every cell. Sums that were read together can be added, subtracted and multiplied.

    `totals` are the noisy integers behind it (shape: measures x cells), `form` is what it is of them.
    """

    form: Linear
    totals: Floats
    widths: tuple[float, ...]
    sds: tuple[float, ...]

    @property
    def value(self) -> Floats:
        """The numbers, one for each cell; counts may be below 0, as noise is."""
        value = np.full(self.totals.shape[1], self.form.constant)
        for i, coefficient in self.form.terms.items():
            value += coefficient * self.totals[i]
        return value

    @property
    def sd(self) -> float:
        """The standard deviation of the noise, the same in every cell."""
        return float(np.sqrt(self.form.spread(self.sds)))

    @property
    def half_width(self) -> float:
        """How far the noise reaches in 95 % of releases, the same in every cell."""
        return float(np.sqrt(self.form.spread(self.widths)))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The numbers with their noise, for a table."""
        return tuple(value_of(float(value), self.half_width) for value in self.value)

    def covariance(self, other: Sum) -> float:
        """What the noise of two sums has in common: 0 where they rest on different noisy numbers."""
        return float(self.form.spread(self.sds, other.form))

    def __add__(self, other: Sum) -> Sum:
        """Both together."""
        return self._with(self.form.plus(other.form), other)

    def __sub__(self, other: Sum) -> Sum:
        """Their difference."""
        return self._with(self.form.plus(other.form, -1.0), other)

    def __mul__(self, factor: float) -> Sum:
        """So many times as much."""
        return self._with(self.form.times(factor), self)

    __rmul__ = __mul__

    def _with(self, form: Linear, other: Sum) -> Sum:
        if other.totals is not self.totals:
            raise ValueInvalid("Only sums that were read together can be added.")
        return Sum(form, self.totals, self.widths, self.sds)


def _calls(selection: Selection) -> tuple[AggregateCall, ...]:
    return tuple(call for output in selection.outputs for call in aggregate_calls(output.formula))

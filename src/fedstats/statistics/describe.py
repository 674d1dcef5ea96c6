"""The statistic `describe`: a first look at a dataset, for one small loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

import numpy as np

from fedstats.core.disclosure import DisclosureRule, rule_of, rule_words
from fedstats.core.domain import Dates, date_of
from fedstats.core.estimate import Absence, AbsenceReason, Cell, Estimate, Interval, Table, TableRow, Value
from fedstats.core.expression import Column, Expression
from fedstats.core.noise import noise_sd
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import Dataset
from fedstats.core.statistic import AGGREGATES_MAX, Ask, Round, RoundResult, Statistic
from fedstats.errors import TooLarge, ValueInvalid
from fedstats.sql.texts import condition_of_text
from fedstats.statistics._described import PEOPLE, ROWS, Described
from fedstats.statistics._disclosing import Disclosed, disclosed
from fedstats.statistics._intervals import Bounds, Z, around, ratio_interval, widened
from fedstats.statistics._measures import MeasurePlan, plan_measures
from fedstats.statistics._moments import CLEAR, UNKNOWN, Average, Moments
from fedstats.statistics._quantile import rows_beyond
from fedstats.statistics._several import SUPPORT_WEIGHT, CellTotals, spread_out, totals_of
from fedstats.statistics._totals import withheld_by
from fedstats.statistics._tree import Counted

_SHARE = Bounds(0.0, 1.0)
_LEAST_SHARE = 1e-6
_NOT_GIVEN = Absence(AbsenceReason.TOO_FEW, "The agreement does not give the column for this.")


@dataclass(frozen=True, slots=True)
class Describe:
    """A first look at a dataset: rows, people, what is missing, means, quantiles, categories and dates.

    All of it is one round for one loss, shared equally by what is counted and added up, so a small loss is
    enough for a large dataset. The least and the greatest value are never told: they are somebody's. The 5 %
    and 95 % quantiles are nearly as useful.
    """

    name: ClassVar[str] = "describe"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    discloses: ClassVar[bool] = True
    dataset: str = field(metadata={"help": "What to describe.", "metavar": "DATASET"})
    columns: tuple[str, ...] = field(
        default=(), metadata={"help": "Which columns; without them all.", "metavar": "COLUMN"}
    )
    where: str = field(
        default="", metadata={"help": "Which rows count, as after WHERE.", "metavar": "CONDITION"}
    )
    quantiles: tuple[float, ...] = field(
        default=(0.05, 0.25, 0.5, 0.75, 0.95),
        metadata={"help": "Which quantiles, as shares of the rows.", "metavar": "SHARE", "free": True},
    )

    def __post_init__(self) -> None:
        """What can be known without the dataset."""
        inside = all(_LEAST_SHARE <= q <= 1 - _LEAST_SHARE for q in self.quantiles)
        if not inside or len(set(self.quantiles)) < len(self.quantiles):
            raise ValueInvalid(
                "Quantiles are distinct shares above 0 and below 1: 0.5 is the median.",
                remedy="At the ends it would be the value of one row.",
            )
        if len(set(self.columns)) < len(self.columns):
            raise ValueInvalid("Each column is named once.")

    def condition(self, dataset: Dataset) -> Expression | None:
        """The condition on rows."""
        return condition_of_text(self.where, dataset)

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round of counts, sums and trees, then the tables.

        Raises
        ------
        NameUnknown
            The dataset has no such column.
        TooLarge
            There are too many columns for one question.

        """
        parts = _parts_of(ask, self._asked(ask.dataset))
        if not history:
            return parts.round()
        answer = _Answer(parts, history[0], self.quantiles)
        notes = (*self._notes(ask), *answer.read_dates())
        return Estimate(tuple(answer.tables()), notes, disclosure=ask.disclosure)

    def _asked(self, dataset: Dataset) -> tuple[Described, ...]:
        names = self.columns or tuple(column.name for column in dataset.columns)
        return tuple(Described(dataset.column(name)) for name in names)

    def _notes(self, ask: Ask) -> Iterator[str]:
        if _ruled(ask):
            yield rule_words(ask.disclosure)
        yield "The least and the greatest value of a column are never told: they are those of single people."
        for column in self._asked(ask.dataset):
            why = column.left_out()
            if why is not None:
                yield why
        if ask.dataset.unit.kind is UnitKind.PERSON and ask.contribution.departments_max > 1:
            yield "People are counted by each department: someone in several of them counts in each."


@dataclass(frozen=True, slots=True)
class _Parts:
    """The measures of all rows (`plan`), and those of each listed value (`counts`)."""

    ask: Ask
    asked: tuple[Described, ...]
    plan: MeasurePlan
    counts: MeasurePlan

    def round(self) -> Round:
        """Everything with an equal share of the loss."""
        listed = [column for column in self.asked if column.listed]
        ranked = [column for column in self.asked if column.ranked]
        own = self.plan.asked + SUPPORT_WEIGHT * self.plan.supports
        each = 1 + SUPPORT_WEIGHT * self.counts.supports
        whole = own + each * len(listed) + len(ranked)
        aggregates = [
            *spread_out(self.plan, {}, part=own / whole),
            *(
                a
                for c in listed
                for a in spread_out(self.counts, {c.name: Column(c.name)}, part=each / whole)
            ),
            *(column.tree(self.ask.loss.mechanism, Fraction(1) / whole) for column in ranked),
        ]
        if len(aggregates) > AGGREGATES_MAX:
            raise TooLarge(
                f"{len(self.asked)} columns need {len(aggregates)} aggregates, and a question has at most "
                f"{AGGREGATES_MAX}.",
                remedy="Name fewer: --columns a,b,c",
            )
        for aggregate in aggregates:
            aggregate.check(self.ask.dataset)
        return Round(tuple(aggregates)).normalised()


class _Answer:
    """What a round says: the totals of all rows, as they may be shown, and the tables made of them."""

    def __init__(self, parts: _Parts, result: RoundResult, quantiles: Sequence[float]) -> None:
        """Read the totals of all rows."""
        self._parts, self._result, self._quantiles = parts, result, quantiles
        self._rule: DisclosureRule | None = rule_of(parts.ask.disclosure)
        ((_, cell),) = totals_of(parts.plan, {}, parts.ask, result)
        if isinstance(cell, Absence):
            raise ValueInvalid("A description is of all departments together.")
        self._shown = disclosed(cell.totals.tolist(), parts.plan, self._rule)
        self._sds = _widened(cell, self._shown)
        self._ranked = {c.name: self._of_tree(c) for c in parts.asked if c.ranked}

    def tables(self) -> Iterator[Table]:
        """Those that have rows."""
        asked = self._parts.asked
        calls = [ROWS, PEOPLE] if PEOPLE in self._parts.plan.calls else [ROWS]
        names = ("rows", "people")[: len(calls)]
        yield Table("dataset", (), names, (TableRow((), tuple(map(self._count, calls))),), names)
        gaps = [c for c in asked if c.definition.domain.nullable and c.measured]
        percents = tuple(f"{100 * q:g} %" for q in self._quantiles)
        numbers = [
            c for c in asked if (c.averaged or c.ranked) and not isinstance(c.definition.domain, Dates)
        ]
        found = (
            Table(
                "missing", ("column",), ("share",), tuple(TableRow((c.name,), (self._gap(c),)) for c in gaps)
            ),
            Table("numbers", ("column",), ("mean", "sd", *percents), tuple(map(self._number, numbers))),
            Table(
                "dates",
                ("column", "from", "share"),
                ("days",),
                tuple(row for c in asked for row in self._dates(c)),
            ),
            Table(
                "categories",
                ("column", "value"),
                ("rows", "share"),
                tuple(row for c in asked if c.listed for row in self._values(c)),
                ("rows",),
            ),
        )
        yield from (table for table in found if table.rows)

    def _count(self, call: object) -> Cell:
        at = next(m.count for c, m in self._parts.plan.calls.items() if c == call) or 0
        if at in self._shown.withheld:
            return withheld_by(self._rule)
        value = self._shown.totals[at]
        noise = around(value, Z * float(self._sds[at]))
        return Value(value, noise, widened(value, noise, max(value, 0.0)))

    def _gap(self, column: Described) -> Cell:
        """The share of rows in which the column is missing."""
        of = self._parts.plan.calls
        if (of[column.present].rests_on | of[ROWS].rests_on) & self._shown.withheld:
            return withheld_by(self._rule)
        held, every = of[column.present].count or 0, of[ROWS].count or 0
        here, rows = float(self._shown.totals[held]), float(self._shown.totals[every])
        if self._rule is not None and self._rule.withholds(rows - here):
            return withheld_by(self._rule)
        return _share_of(rows - here, rows, float(self._sds[held]), float(self._sds[every]), inside=True)

    def _number(self, column: Described) -> TableRow:
        mean, sd = self._moments(column) if column.averaged else (_NOT_GIVEN, _NOT_GIVEN)
        quantiles = self._ranked.get(column.name, (_NOT_GIVEN,) * len(self._quantiles))
        return TableRow((column.name,), (mean, sd, *quantiles))

    def _moments(self, column: Described) -> tuple[Cell, Cell]:
        plan, dataset = self._parts.plan, self._parts.ask.dataset
        square = column.square(dataset)
        calls = [column.mean] if square is None else [column.mean, square]
        if any(plan.calls[call].rests_on & self._shown.withheld for call in calls):
            return (withheld_by(self._rule),) * 2
        at = plan.calls[column.mean].count or 0
        count = float(self._shown.totals[at])
        if count <= 1 or count < CLEAR * Z * self._sds[at]:
            return UNKNOWN, UNKNOWN
        made = [self._average(plan, call, at, count) for call in calls]
        made += [Average(float(column.half) ** 2, np.zeros(len(self._sds)))]  # of a value that is -h or h
        found = Moments(count, (made[0],), {(0, 0): made[1]}, (float(column.middle),), self._sds, at)
        return found.mean(0), found.deviation(0)

    def _average(self, plan: MeasurePlan, call: object, at: int, count: float) -> Average:
        measures = next(m for c, m in plan.calls.items() if c == call)
        total = measures.total or 0
        apart = measures.step * float(self._shown.totals[total]) / count
        slope = np.zeros(len(self._sds))
        slope[total], slope[at] = measures.step / count, -apart / count
        return Average(measures.centre + apart, slope)

    def _of_tree(self, column: Described) -> tuple[Cell, ...]:
        """Its quantiles."""
        if self._parts.plan.calls[column.present].rests_on & self._shown.withheld:
            return (withheld_by(self._rule),) * len(self._quantiles)
        ask, result = self._parts.ask, self._result
        key = column.bins.number_of(Column(column.name))
        at = next(
            i for i, a in enumerate(result.round.aggregates) if a.tree is not None and a.tree.key == key
        )
        tree = result.round.aggregates[at].tree
        sd = noise_sd(ask.loss.mechanism, result.scales[at][0], result.noises)
        counted = Counted.of(column.bins, tree.branching if tree else 2, result.total[at][0], sd=sd)
        rule = self._rule
        return tuple(
            withheld_by(rule)
            if rule is not None and rule.withholds(rows_beyond(q, counted.rows))
            else counted.quantile(q) or UNKNOWN
            for q in self._quantiles
        )

    def _dates(self, column: Described) -> Iterator[TableRow]:
        """The quantiles of dates, in days from the first that the definition allows."""
        domain = column.definition.domain
        if not column.ranked or not isinstance(domain, Dates):
            return
        for share, cell in zip(self._quantiles, self._ranked[column.name], strict=True):
            key = (column.name, domain.label(domain.lo), f"{share:g}")
            yield TableRow(key, (_from(domain.lo, cell),))

    def read_dates(self) -> Iterator[str]:
        """The quantiles of dates as calendars have them, a sentence for each column."""
        for column in self._parts.asked:
            domain = column.definition.domain
            if not isinstance(domain, Dates):
                continue
            found = [
                f"{row.key[-1]} is {date_of(domain.lo + round(cell.value)).isoformat()}"
                for row in self._dates(column)
                for cell in row.cells
                if isinstance(cell, Value)
            ]
            if found:
                yield f"The quantile of {column.name} at {', at '.join(found)}."

    def _values(self, column: Described) -> Iterator[TableRow]:
        """How many rows have each value, and which share of them all that is."""
        parts = self._parts
        every = parts.plan.calls[ROWS].count or 0
        rows, sd_rows = float(self._shown.totals[every]), float(self._sds[every])
        for key, cell in totals_of(parts.counts, {column.name: Column(column.name)}, parts.ask, self._result):
            if isinstance(cell, Absence):
                continue
            shown = disclosed(cell.totals.tolist(), parts.counts, self._rule)
            if shown.withheld or every in self._shown.withheld:
                yield TableRow((column.name, *key), (withheld_by(self._rule),) * 2)
                continue
            at = parts.counts.calls[ROWS].count or 0
            count, sd = float(shown.totals[at]), float(_widened(cell, shown)[at])
            noise = around(count, Z * sd)
            share = _share_of(count, rows, sd, sd_rows, inside=False)
            yield TableRow(
                (column.name, *key), (Value(count, noise, widened(count, noise, max(count, 0.0))), share)
            )


@lru_cache(maxsize=16)  # the step after a round plans what the one before it did
def _parts_of(ask: Ask, asked: tuple[Described, ...]) -> _Parts:
    return _Parts(ask, asked, _plan(ask, asked), plan_measures([ROWS], ask.dataset, supported=_ruled(ask)))


def _plan(ask: Ask, asked: Sequence[Described]) -> MeasurePlan:
    several = ask.dataset.unit.kind is UnitKind.PERSON
    calls = [ROWS, *([PEOPLE] if several else []), *(call for c in asked for call in c.calls(ask.dataset))]
    return plan_measures(calls, ask.dataset, supported=_ruled(ask))


def _from(first: int, cell: Cell) -> Cell:
    """A day, counted from `first` instead of 1970-01-01."""
    if isinstance(cell, Absence):
        return cell
    noise, population = cell.noise_interval, cell.interval
    return Value(
        cell.value - first,
        Interval(noise.lo - first, noise.hi - first),
        None if population is None else Interval(population.lo - first, population.hi - first),
    )


def _ruled(ask: Ask) -> bool:
    return rule_of(ask.disclosure) is not None


def _widened(cell: CellTotals, shown: Disclosed) -> np.ndarray:
    """The standard deviations with that of rounding, which is evenly spread."""
    return np.asarray(np.hypot(cell.sds, np.array(shown.slacks) / 3**0.5))


def _share_of(part: float, whole: float, sd: float, sd_whole: float, *, inside: bool) -> Cell:
    """Part / whole; `inside`: part is whole less a count with the noise `sd`, so both move together."""
    top = Z**2 * (sd**2 + (sd_whole**2 if inside else 0.0))
    noise = ratio_interval(part, whole, (top, (Z * sd_whole) ** 2, (Z * sd_whole) ** 2 if inside else 0.0))
    if noise is None or whole <= 0:
        return UNKNOWN
    share, noise = _SHARE.clip(part / whole), _SHARE.within(noise)
    middle = min(max(0.5, noise.lo), noise.hi)
    return Value(share, noise, _SHARE.within(widened(share, noise, middle * (1 - middle) / whole)))


STATISTIC: type[Statistic] = Describe

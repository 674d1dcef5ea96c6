"""The statistic `table`: counts, sums, averages, shares and what is made of them, per public cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import ClassVar, Self, cast

from fedstats.core import estimate
from fedstats.core.aggregate import Aggregate
from fedstats.core.bound import Bound, BoundKind
from fedstats.core.disclosure import DisclosureProfile, rule_of, rule_words
from fedstats.core.estimate import Estimate, Picture, PictureKind
from fedstats.core.expression import Expression
from fedstats.core.foresight import Foreseen
from fedstats.core.inference import condition_of
from fedstats.core.plan import threshold_plan
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import Dataset
from fedstats.core.selection import AggregateCall, AggregateKind, Selection, aggregate_calls
from fedstats.core.statistic import Ask, Mode, Round, RoundResult, Statistic
from fedstats.errors import SqlRefused, TooLarge
from fedstats.sql.parse import parse
from fedstats.statistics._auto_bounds import (
    SHARE,
    Ranges,
    auto_arguments,
    auto_notes,
    chosen_ranges,
    first_round,
)
from fedstats.statistics._bounding import bound_notes, bound_of, bounds_of
from fedstats.statistics._columns import Column
from fedstats.statistics._measures import CallMeasures, MeasurePlan, plan_measures
from fedstats.statistics._quantile import plan_trees, quantile_notes
from fedstats.statistics._rows import keys_of, table_rows

ADDITIONS_MAX = 10_000_000
"""How many numbers marginal totals may add up, so that a question does not fill the analyst's memory."""


_DECLARED: Ranges = {}


@dataclass(frozen=True, slots=True)
class Table:
    """What a SELECT asks for; `totals` adds up its cells over each key, at no cost.

    `bound` says how the rows of one person count: rows, people, norm (of 1 row), norm:3, or auto.
    """

    name: ClassVar[str] = "table"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    discloses: ClassVar[bool] = True
    selection: Selection
    totals: bool = False
    bound: str = BoundKind.ROWS.value

    def __post_init__(self) -> None:
        """A bound that there is; raises ValueInvalid."""
        Bound.parse(self.bound)

    @classmethod
    def from_sql(
        cls,
        text: str,
        definitions: Callable[[str], Dataset],
        *,
        totals: bool = False,
        bound: str = BoundKind.ROWS.value,
    ) -> Self:
        """The table that SQL text asks for; `definitions` gives the dataset of a name.

        Raises
        ------
        LanguageError
            The text is outside the query language; the error says what to write instead.
        ValueInvalid
            There is no such bound.

        """
        selection = parse(text, definitions)
        calls = (call for output in selection.outputs for call in aggregate_calls(output.formula))
        kind = TableWithin if any(call.auto for call in calls) else cls
        return cast("Self", kind(selection, totals, bound))  # a class that differs in its number of rounds

    @property
    def dataset(self) -> str:
        """The dataset it asks about."""
        return self.selection.dataset

    @property
    def marginals(self) -> tuple[frozenset[int], ...]:
        """Which keys each marginal total keeps: every smaller set of them, or those that GROUP BY names."""
        if not self.totals:
            return self.selection.marginals
        positions = range(len(self.selection.keys))
        return tuple(frozenset(kept) for size in positions for kept in combinations(positions, size))

    def condition(self, dataset: Dataset) -> Expression | None:
        """The condition on rows; it was read with a definition."""
        del dataset
        return self.selection.where

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round of grouped sums, then the table; before both, the histograms that AUTO asks for.

        Raises
        ------
        LanguageError
            The selection does not fit the dataset, or asks for departments in secure mode.

        """
        arguments = auto_arguments(self._calls())
        if arguments and not history:
            self._round(ask, self._plan(ask))  # what cannot be asked then is refused while nothing is spent
            return first_round(arguments, ask.dataset, self._bound(ask))
        ranges = chosen_ranges(arguments, ask, self._bound(ask), history[0] if arguments else None)
        plan, answered = self._plan(ask, ranges), history[1:] if arguments else history
        columns = [Column.of(output, plan.calls) for output in self.selection.outputs]
        if not answered:
            return replace(self._round(ask, plan), share=1 - SHARE if arguments else Fraction(1)).normalised()
        return self._estimate(ask, plan, columns, answered[0], ranges)

    def later(self, ask: Ask) -> tuple[Aggregate, ...]:
        """What is added up once bounds are chosen; the grids are not those."""
        return self._round(ask, self._plan(ask)).aggregates if auto_arguments(self._calls()) else ()

    def foresee(self, ask: Ask) -> tuple[Foreseen, ...]:
        """Which columns have one noise whatever the totals are: counts, sums, what is linear in them."""
        plan = self._plan(ask)
        columns = [Column.of(output, plan.calls) for output in self.selection.outputs]
        return tuple(Foreseen(c.name, exact=c.noise_is_known, counts=c.counts) for c in columns)

    def support_share(self, ask: Ask) -> Fraction:
        """The part of the loss that counts who stands behind the numbers, for disclosure control alone."""
        plan = self._plan(ask)
        if not plan.supports:
            return Fraction(0)
        aggregate = plan.aggregate(keys_of(self.selection), ask.dataset)
        return sum((measure.weight for measure in aggregate.measures[plan.asked :]), Fraction(0))

    def bounds(self, ask: Ask) -> tuple[Self, ...]:
        """This question with each bound of one person that there is, the one that it is asked with first."""
        own = self._bound(ask)
        quantiles = any(call.kind is AggregateKind.QUANTILE for call in self._calls())  # count rows alone
        others = () if quantiles else (bound for bound in bounds_of(ask.dataset) if bound != own)
        return tuple(replace(self, bound=bound.text) for bound in (own, *others))

    def _bound(self, ask: Ask) -> Bound:
        return bound_of(self.bound, self.selection.outputs, ask)

    def _plan(self, ask: Ask, ranges: Ranges = _DECLARED) -> MeasurePlan:
        supported = rule_of(ask.disclosure) is not None
        bound = self._bound(ask)
        plan = plan_measures(self._calls(), ask.dataset, supported=supported, bound=bound, ranges=ranges)
        trees = plan_trees(self._calls(), keys_of(self.selection), ask.dataset, ask.loss.mechanism)
        return replace(plan, trees=trees)

    def _calls(self) -> tuple[AggregateCall, ...]:
        return tuple(call for output in self.selection.outputs for call in aggregate_calls(output.formula))

    def _round(self, ask: Ask, plan: MeasurePlan) -> Round:
        if self.selection.by_department and ask.mode is Mode.SECURE:
            raise SqlRefused(
                "In secure mode nobody learns the numbers of one department.",
                remedy="Leave the key department out, or ask in local mode.",
            )
        if self.selection.where is not None:
            condition_of(self.selection.where, ask.dataset)
        aggregates = plan.aggregates(keys_of(self.selection), ask.dataset)
        for aggregate in aggregates:
            aggregate.check(ask.dataset)
        self._check_totals(aggregates[0].groups(ask.dataset), departments=len(ask.departments))
        key = aggregates[0].open_key(ask.dataset)
        if key is not None and ask.mode is Mode.SECURE:
            raise SqlRefused(
                f"{key.name} has no public list of values, and each department must keep back its rare ones.",
                remedy="Group by something else, or ask in local mode.",
            )
        return Round(aggregates).normalised()

    def _check_totals(self, cells: int, *, departments: int) -> None:
        """Every cell is added to a total for each way of leaving keys out; refused while nothing is spent."""
        rows = cells * (departments if self.selection.by_department else 1)
        if rows * len(self.marginals) > ADDITIONS_MAX:
            raise TooLarge(
                f"The totals of so many cells by {len(self.selection.keys)} keys are too many.",
                remedy="Leave --totals out (or ROLLUP, CUBE, GROUPING SETS), or ask for fewer keys or cells.",
            )

    def _estimate(
        self, ask: Ask, plan: MeasurePlan, columns: Sequence[Column], result: RoundResult, ranges: Ranges
    ) -> Estimate:
        table = estimate.Table(
            name="table",
            keys=tuple(key.name for key in self.selection.keys),
            columns=tuple(column.name for column in columns),
            rows=tuple(table_rows(self.selection, ask, plan, columns, result, marginals=self.marginals)),
            counts=(
                counts := tuple(c.name for c in columns if c.counts and (c.shift, c.factor) == (0.0, 1.0))
            ),
            picture=self._picture(counts),
        )
        notes = (
            *disclosure_notes(ask.disclosure, table),
            *auto_notes(ranges),
            *self._notes(ask, plan, result),
        )
        return Estimate((table,), notes, disclosure=ask.disclosure)

    def _picture(self, counts: Sequence[str]) -> Picture | None:
        """The first histogram, once for each value of another key if there is one; else bars, as of any."""
        keys = self.selection.keys
        bins = next((key for key in keys if key.bins is not None), None)
        if bins is None:
            return None
        value = next(iter(counts), self.selection.outputs[0].name)
        series = next((key.name for key in keys if key is not bins), None)
        return Picture(PictureKind.HISTOGRAM, value, label=bins.name, series=series)

    def _notes(self, ask: Ask, plan: MeasurePlan, result: RoundResult) -> Iterator[str]:
        """What a reader must know beside the numbers; nothing here depends on the data."""
        if ask.dataset.unit.kind is UnitKind.ROW:
            yield "Per record: what is protected is one record, and records may be several of one person."
        yield from bound_notes(plan.bound, self.selection.outputs)
        people = any(call.kind is AggregateKind.COUNT_PEOPLE for call in plan.calls)
        if self.marginals and people and ask.contribution.cells_max > 1:
            yield "A total of people adds up the cells: someone who is in several of them counts in each."
        if self.marginals or not self.selection.by_department:
            for department, refusal in sorted(result.absent.items()):
                yield f"The totals are without {department}: {refusal.sentence}"
        if people and not self.selection.by_department and ask.contribution.departments_max > 1:
            yield (
                f"COUNT(DISTINCT {ask.dataset.unit.column}) adds up the people of each department: "
                "someone in several departments counts in each."
            )
        for key in self.selection.keys:
            if key.bins is not None and key.bins.narrower:
                yield f"The last bin of {key.name}, {key.labels[-1]}, is narrower than the others."
        yield from quantile_notes(plan.trees)
        yield from _open_notes(ask, result, by_department=self.selection.by_department)
        yield from _rounding_notes(plan)


def _rounding_notes(plan: MeasurePlan) -> Iterator[str]:
    """What is rounded before it is added up, since it is finer than the grid."""
    for made in plan.calls.values():
        for part, what in ((made, "Values"), (made.squares, f"Squared distances from {_around(made):g}")):
            if part is not None and part.rounded_to is not None:
                yield (
                    f"{what} between {part.lo:g} and {part.hi:g} are rounded to steps of "
                    f"{float(part.rounded_to):g} before they are added up."
                )


def _around(made: CallMeasures) -> float:
    return 0.0 if made.squares is None else made.squares.around


def disclosure_notes(profile: DisclosureProfile, table: estimate.Table) -> Iterator[str]:
    """Which profile was applied and how much it withheld: both are plain to see in the table."""
    if rule_of(profile) is not None:
        held = f"It withheld {table.withheld:,} of {table.numbers:,} numbers, by their noisy counts alone."
        yield f"{rule_words(profile)} {held}"
    if any(row.total for row in table):
        left = ", and their intervals are about what is shown" if table.withheld else ""
        yield f"Rows with the key `all` add up what the table shows{left}. They cost nothing."


def _open_notes(ask: Ask, result: RoundResult, *, by_department: bool) -> Iterator[str]:
    """That values are left out, and which: public facts, the same whatever was named."""
    for aggregate in result.round.aggregates:
        plan = threshold_plan(aggregate, ask.loss.share(result.round.share), ask.contribution)
        key = aggregate.open_key(ask.dataset)
        if plan is None or key is None:
            continue
        what = "records" if ask.dataset.unit.kind is UnitKind.ROW else "people"
        yield (
            f"Values of {key.name} that few {what} have are left out: a department names one only where its "
            f"number of {what}, with noise, is {plan.least} or more. What is left out is in no row."
        )
        if not by_department:
            yield (
                "A row adds up the departments that named its value. Named by some of them only, it is lower "
                f"than all {what} who have the value."
            )


@dataclass(frozen=True, slots=True)
class TableWithin(Table):
    """A table some of whose values are cut off at bounds that a first round chooses."""

    rounds_max: ClassVar[int] = 2


STATISTIC: type[Statistic] = Table

"""What nodes count for a waiting-times report: which rows take part, by band, pathway and date of census.

Nothing is clamped or chosen by looking at data: every expression follows from the dates of census and the
declared columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Categories, Dates, Numbers, days_of
from fedstats.core.expression import (
    Call,
    CategoryLiteral,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
    normalise,
)
from fedstats.core.inference import domain_of
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid, ValueInvalid
from fedstats.sql.texts import condition_of_text, expression_of
from fedstats.statistics._bands import WEEKS_MAX

INCOMPLETE, COMPLETED = "incomplete", "completed"
ADMITTED, NONADMITTED, OTHER = "admitted", "nonadmitted", "other"
EVERY = "every"
"""The name of the pathways where nothing tells them apart."""

_SIDE_WEIGHT = Fraction(1, 4)
"""The share of the loss that all else has, each, to 1 for the bands."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Which labels of the status mean what; `incomplete` counts only where no dates tell."""

    incomplete: tuple[str, ...]
    admitted: tuple[str, ...]
    nonadmitted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the wait of a row is read: from two dates, a number of days, or the band itself."""

    start: str
    stop: str
    days: str
    week: str
    status: str
    census: tuple[date, ...]
    labels: Labels
    where: str

    def condition(self, dataset: Dataset) -> Expression | None:
        """The rows that take part: with a known wait that does not end before it starts, begun by the census.

        Raises
        ------
        LanguageError
            A text does not fit the dataset.

        """
        parts = [condition_of_text(self.where, dataset)]
        if self.start:
            parts += self._dated(dataset)
        else:
            band = self._measured_band(dataset)
            if domain_of(band, dataset).nullable:
                parts.append(_not_missing(band))
        chosen = [part for part in parts if part is not None]
        return None if not chosen else chosen[0] if len(chosen) == 1 else Call(Op.AND, tuple(chosen))

    def _dated(self, dataset: Dataset) -> list[Expression]:
        start, stop = self._date("start", dataset), self._date("stop", dataset)
        ordered = Call(Op.LESS_EQUAL, (start, stop))
        if not self.census:
            return [Call(Op.NOT, (Call(Op.IS_NULL, (stop,)),)), ordered]
        begun = Call(Op.LESS_EQUAL, (start, _day(self.census[-1])))
        return [begun, Call(Op.OR, (Call(Op.IS_NULL, (stop,)), ordered))]

    def band(self, dataset: Dataset) -> Expression:
        """The weekly band, 0..104, of every row that takes part; never missing.

        A pathway that was open at the last census has waited until then.
        """
        if not self.start:
            return _present(self._measured_band(dataset), dataset)
        start, stop = self._date("start", dataset), self._date("stop", dataset)
        end = stop
        if self.census:
            last = _day(self.census[-1])
            end = Call(Op.CASE, (Call(Op.LESS_EQUAL, (stop, last)), stop, last))
        return _present(_band_of_days(Call(Op.SUBTRACT, (end, start))), dataset)

    def _measured_band(self, dataset: Dataset) -> Expression:
        if self.days:
            return _band_of_days(self._number("days", self.days, dataset))
        band = self._number("week", self.week, dataset)
        domain = domain_of(band, dataset)
        inside = isinstance(domain, Numbers) and domain.lo >= 0 and domain.hi <= WEEKS_MAX
        return band if inside else _clamped(band)

    def pathways(self, dataset: Dataset) -> tuple[str, ...]:
        """The kinds of pathways that are counted apart, in the order of `kind`."""
        kinds = (INCOMPLETE,) if self.start and self.census else ()
        if not self.status:
            return (*kinds, COMPLETED) if self.start else (EVERY,)
        return (*kinds, *(name for name, _ in self._labelled(dataset)))

    def kind(self, dataset: Dataset) -> Expression | None:
        """Which kind of pathway a row is, by position; None where there is one kind alone."""
        names = self.pathways(dataset)
        if len(names) == 1:
            return None
        conditions: list[Expression] = []
        if self.start and self.census:
            conditions.append(self._open(dataset, self.census[-1]))
        if self.status:
            status = expression_of(self.status, dataset)
            conditions += [
                Call(Op.IN, (status, *map(CategoryLiteral, labels))) for _, labels in self._labelled(dataset)
            ]
        return _position(conditions[: len(names) - 1])

    def taking_part(self, dataset: Dataset) -> Expression | None:
        """What is missing where the bands leave a row out: it had ended by the first of several censuses."""
        if not self.flows:
            return None
        open_then = self._open(dataset, self.census[0])
        return normalise(Call(Op.CASE, (open_then, NumberLiteral(Fraction(1)))))

    @property
    def flows(self) -> bool:
        """Whether there are several dates of census, between which pathways begin and end."""
        return len(self.census) > 1

    def started(self, dataset: Dataset) -> Expression:
        """In which interval between censuses a clock started: 0 by the first, i after the i-th."""
        start = self._date("start", dataset)
        return _position([Call(Op.LESS_EQUAL, (start, _day(day))) for day in self.census[:-1]])

    def stopped(self, dataset: Dataset) -> Expression:
        """In which it stopped; the number of censuses where it had not by the last."""
        stop = self._date("stop", dataset)
        return _position([Call(Op.LESS_EQUAL, (stop, _day(day))) for day in self.census])

    def _open(self, dataset: Dataset, day: date) -> Expression:
        stop = self._date("stop", dataset)
        later = Call(Op.LESS, (_day(day), stop))
        return Call(Op.OR, (Call(Op.IS_NULL, (stop,)), later))

    def _labelled(self, dataset: Dataset) -> list[tuple[str, tuple[str, ...]]]:
        """The kinds that the status tells apart, each with its labels; what has other labels is `other`."""
        domain = domain_of(expression_of(self.status, dataset), dataset)
        if not isinstance(domain, Categories):
            raise ExpressionInvalid(f"The status {self.status[:40]!r} must be a column of categories.")
        named = [(ADMITTED, self.labels.admitted), (NONADMITTED, self.labels.nonadmitted)]
        dated = bool(self.start)
        if not dated:
            named.insert(0, (INCOMPLETE, self.labels.incomplete))
        found = [(name, labels) for name, labels in named if _declared(name, labels, domain)]
        if not found:
            raise ExpressionInvalid(
                f"The status {self.status[:40]!r} has the labels {', '.join(domain.labels[:12])}, and none "
                "of them is said to mean a way of ending.",
                remedy="Say which mean a stay in hospital and which do not: --admitted A --nonadmitted B.",
            )
        told = {label for _, labels in found for label in labels}
        if domain.nullable or set(domain.labels) - told:
            found.append((OTHER, ()))
        return found

    def _date(self, what: str, dataset: Dataset) -> Expression:
        expression = expression_of(self.start if what == "start" else self.stop, dataset)
        if not isinstance(domain_of(expression, dataset), Dates):
            raise ExpressionInvalid(
                f"The clock {what} must be a date.", remedy="For a number of days, use --days."
            )
        return expression

    def _number(self, what: str, text: str, dataset: Dataset) -> Expression:
        expression = expression_of(text, dataset)
        if not isinstance(domain_of(expression, dataset), Numbers):
            raise ExpressionInvalid(
                f"--{what} takes a number, and {text[:40]!r} is none.",
                remedy="For two dates, use --start and --stop.",
            )
        return expression


def _declared(name: str, labels: Sequence[str], domain: Categories) -> bool:
    """Whether the kind is there; labels that nobody chose need not be, chosen ones must."""
    if labels == (name,) and name not in domain.labels:
        return False
    for label in labels:
        domain.code(label)
    return bool(labels)


@dataclass(frozen=True, slots=True)
class Asked:
    """The aggregates of the one round, in the order of their axes: the keys first.

    `bands` goes over the keys, the kinds of pathways if there are several, and the bands; `wholes` counts the
    same pathways without the bands. `flow` goes over the keys, the intervals of the start and those of the
    stop. `people` counts for disclosure control who stands behind them, over the keys and the kinds.
    """

    keys: tuple[Expression, ...]
    kinds: tuple[str, ...]
    bands: GroupedSums
    wholes: GroupedSums
    flow: GroupedSums | None
    people: GroupedSums | None

    @classmethod
    def of(cls, clock: Clock, keys: Sequence[Expression], dataset: Dataset, *, disclosing: bool) -> Asked:
        """The round's aggregates: the bands have a weight of 1, the others of a quarter each.

        With a fifth of the loss for the wholes, a share within 18 weeks has a quarter less noise than from
        bands alone, and a count of pathways four fifths less.

        Raises
        ------
        LanguageError, TooLarge
            The expressions do not fit the dataset, or make too many cells.

        """
        kind, part = clock.kind(dataset), clock.taking_part(dataset)
        kinds = () if kind is None else (kind,)
        several = disclosing and dataset.unit.kind is UnitKind.PERSON and dataset.rows_max > 1
        weight = 1 / (1 + _SIDE_WEIGHT * (1 + clock.flows + several))

        def sums(last: Sequence[Expression], measure: Measure) -> GroupedSums:
            aggregate = GroupedSums((*keys, *map(normalise, last)), (measure,))
            aggregate.check(dataset)
            return aggregate

        rows, people = MeasureKind.ROWS, MeasureKind.PEOPLE
        side = weight * _SIDE_WEIGHT
        ends = (clock.started(dataset), clock.stopped(dataset)) if clock.flows else ()
        return cls(
            tuple(keys),
            clock.pathways(dataset),
            sums((*kinds, clock.band(dataset)), Measure(rows, part, weight=weight)),
            sums(kinds, Measure(rows, part, weight=side)),
            sums(ends, Measure(rows, weight=side)) if ends else None,
            sums(kinds, Measure(people, part, weight=side)) if several else None,
        )

    @property
    def aggregates(self) -> tuple[GroupedSums, ...]:
        """Those that there are."""
        asked = (self.bands, self.wholes, self.flow, self.people)
        return tuple(each for each in asked if each is not None)


def dates_of(texts: Sequence[str]) -> tuple[date, ...]:
    """The dates of census in order.

    Raises
    ------
    ValueInvalid
        One is no date, or there twice.

    """
    try:
        found = sorted(date.fromisoformat(text.strip()) for text in texts)
    except ValueError:
        raise ValueInvalid("--census takes dates such as 2025-09-28, with commas between them.") from None
    if len(set(found)) < len(found):
        raise ValueInvalid("--census names a date twice.")
    return tuple(found)


def _day(day: date) -> DateLiteral:
    return DateLiteral(days_of(day))


def _number_of(number: int) -> NumberLiteral:
    return NumberLiteral(Fraction(number))


def _band_of_days(days: Expression) -> Expression:
    """0 up to 7 days, then (days - 1) / 7 rounded down, at most 104."""
    before = Call(Op.SUBTRACT, (days, _number_of(1)))
    return _clamped(Call(Op.FLOOR, (Call(Op.DIVIDE, (before, _number_of(7))),)))


def _clamped(weeks: Expression) -> Expression:
    return Call(Op.CLAMP, (weeks, _number_of(0), _number_of(WEEKS_MAX)))


def _present(band: Expression, dataset: Dataset) -> Expression:
    """The band with 0 where it is missing: such rows do not take part, and shall have no cell."""
    if not domain_of(band, dataset).nullable:
        return band
    return Call(Op.COALESCE, (band, _number_of(0)))


def _not_missing(expression: Expression) -> Expression:
    return Call(Op.NOT, (Call(Op.IS_NULL, (expression,)),))


def _position(conditions: Sequence[Expression]) -> Expression:
    """How many of the conditions fail before one holds."""
    branches = [part for i, held in enumerate(conditions) for part in (held, _number_of(i))]
    return Call(Op.CASE, (*branches, _number_of(len(conditions))))

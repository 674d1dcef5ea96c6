"""From noisy totals to one number of the answer: formulas of aggregates as functions of the totals.

A formula is brought to the simplest of three forms, because each has its own best interval: linear in the
totals, a ratio of two linear forms, or anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fedstats.core.estimate import Absence, AbsenceReason, Cell, Interval, Value
from fedstats.core.expression import NumberLiteral, Op
from fedstats.core.selection import AggregateCall, AggregateKind, Formula
from fedstats.errors import ExpressionInvalid
from fedstats.statistics._intervals import Bounds, around, ratio_interval
from fedstats.statistics._measures import CallMeasures

Totals = Sequence[float]
"""One cell's noisy totals, by position of the measure; or their half widths."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell's totals, each with how far it may be from the exact one.

    Noise moves it by its half width of `widths` (95 % or more), and on top of that disclosure control by its
    `slacks` at most. All by position of the measure.
    """

    totals: Totals
    widths: Totals
    slacks: Totals


TOO_FEW = Absence(
    AbsenceReason.TOO_FEW, "The noise is as large as the number of rows, so nothing can be divided by it."
)
_DELTA_HALF_WIDTHS_MIN = 2.0
"""The delta method takes divisors for nearly exact; fewer half widths (4 standard deviations) are refused."""


@dataclass(frozen=True, slots=True)
class Linear:
    """constant + sum of coefficient * total."""

    constant: float
    terms: Mapping[int, float]

    def at(self, totals: Totals) -> float:
        """Its value."""
        return self.constant + sum(c * totals[i] for i, c in self.terms.items())

    def plus(self, other: Linear, factor: float = 1.0) -> Linear:
        """This form plus `factor` times the other."""
        positions = {**self.terms, **other.terms}
        terms = {i: self.terms.get(i, 0.0) + factor * other.terms.get(i, 0.0) for i in positions}
        return Linear(self.constant + factor * other.constant, {i: c for i, c in terms.items() if c})

    def times(self, factor: float) -> Linear:
        """`factor` times this form."""
        return Linear(0.0, {}).plus(self, factor)

    def spread(self, widths: Totals, other: Linear | None = None) -> float:
        """The square of its half width, or what it has in common with the `other` form."""
        terms = self.terms if other is None else other.terms
        return sum(c * terms.get(i, 0.0) * widths[i] ** 2 for i, c in self.terms.items())

    def reach(self, slacks: Totals) -> float:
        """How far it moves at most where each total moves by its slack at most."""
        return sum(abs(c) * slacks[i] for i, c in self.terms.items())


@dataclass(frozen=True, slots=True)
class Ratio:
    """top / bottom; `positive` if the exact bottom cannot be below 0, as a count cannot."""

    top: Linear
    bottom: Linear
    positive: bool


@dataclass(frozen=True, slots=True)
class General:
    """Any other arithmetic."""

    op: Op
    left: Form
    right: Form


Form = Linear | Ratio | General


def form_of(formula: Formula, calls: Mapping[AggregateCall, CallMeasures]) -> Form:
    """The simplest form of a formula."""
    if isinstance(formula, NumberLiteral):
        return Linear(float(formula.value), {})
    if isinstance(formula, AggregateCall):
        return _form_of_call(calls[formula])
    left, right = form_of(formula.left, calls), form_of(formula.right, calls)
    if formula.op in (Op.ADD, Op.SUBTRACT):
        return _sum(formula.op, left, right)
    if formula.op is Op.MULTIPLY:
        return _product(left, right)
    return _quotient(left, right, positive=bounds_of(formula.right, calls).lo >= 0)


def _form_of_call(call: CallMeasures) -> Form:
    count = Linear(0.0, {}) if call.count is None else Linear(0.0, {call.count: 1.0})
    if call.total is None:
        return count
    total = count.times(call.centre).plus(Linear(0.0, {call.total: call.step}))
    return total if call.kind is AggregateKind.SUM else Ratio(total, count, positive=True)


def _sum(op: Op, left: Form, right: Form) -> Form:
    sign = 1.0 if op is Op.ADD else -1.0
    if isinstance(left, Linear) and isinstance(right, Linear):
        return left.plus(right, sign)
    if isinstance(left, Ratio) and isinstance(right, Linear) and not right.terms:
        return Ratio(left.top.plus(left.bottom, sign * right.constant), left.bottom, left.positive)
    if isinstance(right, Ratio) and isinstance(left, Linear) and not left.terms:
        top = right.top.times(sign).plus(right.bottom, left.constant)
        return Ratio(top, right.bottom, right.positive)
    if isinstance(left, Ratio) and isinstance(right, Ratio) and left.bottom == right.bottom:
        return Ratio(left.top.plus(right.top, sign), left.bottom, left.positive)
    return General(op, left, right)


def _product(left: Form, right: Form) -> Form:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Linear) and not one.terms:
            if isinstance(other, Linear):
                return other.times(one.constant)
            if isinstance(other, Ratio):
                return Ratio(other.top.times(one.constant), other.bottom, other.positive)
        if isinstance(one, Ratio) and one.bottom == other:
            return one.top
    return General(Op.MULTIPLY, left, right)


def _quotient(left: Form, right: Form, *, positive: bool) -> Form:
    if isinstance(right, Linear) and not right.terms:
        if right.constant == 0:
            raise ExpressionInvalid("This divides by something that is always 0.")
        return _product(left, Linear(1 / right.constant, {}))
    if isinstance(left, Linear) and isinstance(right, Linear):
        return Ratio(left, right, positive)
    if isinstance(left, Ratio) and isinstance(right, Ratio) and left.bottom == right.bottom:
        return Ratio(left.top, right.top, positive)
    return General(Op.DIVIDE, left, right)


def bounds_of(formula: Formula, calls: Mapping[AggregateCall, CallMeasures]) -> Bounds:
    """What is known of the exact value of a formula without asking, by interval arithmetic."""
    if isinstance(formula, NumberLiteral):
        return Bounds(float(formula.value), float(formula.value))
    if isinstance(formula, AggregateCall):
        return _bounds_of_call(calls[formula])
    left, right = bounds_of(formula.left, calls), bounds_of(formula.right, calls)
    return _BOUNDS[formula.op](left, right)


def _bounds_of_call(call: CallMeasures) -> Bounds:
    if call.total is None:
        return Bounds(0.0)
    if call.kind is AggregateKind.SUM:
        return Bounds(0.0 if call.lo >= 0 else -math.inf, 0.0 if call.hi <= 0 else math.inf)
    return Bounds(call.lo, call.hi)


def _bounds_of_quotient(left: Bounds, right: Bounds) -> Bounds:
    if right.lo <= 0 <= right.hi:  # a divisor of at least 0 keeps the sign
        return Bounds(0.0 if left.lo >= 0 and right.lo >= 0 else -math.inf)
    return _bounds_of_product(left, Bounds(1 / right.hi, 1 / right.lo))


def _bounds_of_product(left: Bounds, right: Bounds) -> Bounds:
    corners = [x * y if x and y else 0.0 for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
    return Bounds(min(corners), max(corners))


_BOUNDS: dict[Op, Callable[[Bounds, Bounds], Bounds]] = {
    Op.ADD: lambda left, right: Bounds(left.lo + right.lo, left.hi + right.hi),
    Op.SUBTRACT: lambda left, right: Bounds(left.lo - right.hi, left.hi - right.lo),
    Op.MULTIPLY: _bounds_of_product,
    Op.DIVIDE: _bounds_of_quotient,
}


def cell_of(form: Form, bounds: Bounds, measured: Measured) -> Cell:
    """The number that a form gives for one cell, with its noise interval; TOO_FEW where it gives none.

    Counts and sums are left as they are, below 0 too, so that cells still add up; ratios and everything made
    of them are kept within their bounds.
    """
    if isinstance(form, Linear):
        value = form.at(measured.totals)
        half_width = math.sqrt(form.spread(measured.widths)) + form.reach(measured.slacks)
        return Value(value, around(value, half_width))
    if isinstance(form, Ratio):
        interval = _interval_of_ratio(form, measured)
        if interval is None:
            return TOO_FEW
        value = form.top.at(measured.totals) / form.bottom.at(measured.totals)
        return Value(bounds.clip(value), bounds.within(interval))
    slope = _slope(form, measured)
    if slope is None:
        return TOO_FEW
    half_width = slope.half_width(measured.widths) + slope.reach(measured.slacks)
    if not math.isfinite(slope.value + half_width):
        return TOO_FEW
    return Value(bounds.clip(slope.value), bounds.within(around(slope.value, half_width)))


def _interval_of_ratio(form: Ratio, measured: Measured) -> Interval | None:
    """Where the exact ratio can lie, None where it can lie anywhere.

    The totals before rounding lie in a rectangle around these. Whatever ratio fits the noise around a point
    of it lies between ratios that fit the noise around its corners, as the least of |top - r * bottom| over
    a rectangle that does not hold the ratio r itself is at a corner.
    """
    widths, slacks = measured.widths, measured.slacks
    top, bottom = form.top.at(measured.totals), form.bottom.at(measured.totals)
    across, below = form.top.reach(slacks), form.bottom.reach(slacks)
    if (form.positive and bottom <= 0) or abs(bottom) <= below:
        return None
    spread = (form.top.spread(widths), form.bottom.spread(widths), form.top.spread(widths, form.bottom))
    corners = {(top + s * across, bottom + t * below) for s in (-1, 1) for t in (-1, 1)}
    found = [ratio_interval(*corner, spread) for corner in corners]
    ends = [interval for interval in found if interval is not None]
    if len(ends) < len(found):
        return None
    return Interval(min(interval.lo for interval in ends), max(interval.hi for interval in ends))


@dataclass(frozen=True, slots=True)
class _Slope:
    """A value and how it changes with each total: forward differentiation, for the delta method."""

    value: float
    terms: Mapping[int, float]

    def half_width(self, widths: Totals) -> float:
        return math.hypot(*(c * widths[i] for i, c in self.terms.items()))

    def reach(self, slacks: Totals) -> float:
        return sum(abs(c) * slacks[i] for i, c in self.terms.items())

    def with_terms(self, value: float, own: float, other: _Slope, others: float) -> _Slope:
        positions = {**self.terms, **other.terms}
        terms = {i: own * self.terms.get(i, 0.0) + others * other.terms.get(i, 0.0) for i in positions}
        return _Slope(value, terms)


def _slope(form: Form, measured: Measured) -> _Slope | None:
    """The value and slope of a form, None where a divisor does not stand out clearly from its noise."""
    if isinstance(form, Linear):
        return _Slope(form.at(measured.totals), form.terms)
    parts = (form.top, form.bottom) if isinstance(form, Ratio) else (form.left, form.right)
    left, right = (_slope(part, measured) for part in parts)
    if left is None or right is None:
        return None
    op = Op.DIVIDE if isinstance(form, Ratio) else form.op
    if op is Op.MULTIPLY:
        return left.with_terms(left.value * right.value, right.value, right, left.value)
    if op is not Op.DIVIDE:
        sign = 1.0 if op is Op.ADD else -1.0
        return left.with_terms(left.value + sign * right.value, 1.0, right, sign)
    doubt = right.half_width(measured.widths) + right.reach(measured.slacks)
    clear = abs(right.value) > _DELTA_HALF_WIDTHS_MIN * doubt
    if not clear or (isinstance(form, Ratio) and form.positive and right.value <= 0):
        return None
    quotient = left.value / right.value
    return left.with_terms(quotient, 1 / right.value, right, -quotient / right.value)

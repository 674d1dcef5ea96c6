"""From noisy totals to one number of the answer: formulas of aggregates as functions of the totals.

A formula is brought to the simplest of four forms, because each has its own best interval: linear in the
totals, a ratio of two linear forms, a variance, or anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fedstats.core.estimate import Cell, Value
from fedstats.core.expression import NumberLiteral, Op
from fedstats.core.selection import VARIANCES, AggregateCall, AggregateKind, Formula
from fedstats.errors import ExpressionInvalid
from fedstats.statistics._intervals import Bounds, around
from fedstats.statistics._linear import TOO_FEW, Linear, Measured, Ratio, Totals, interval_of_ratio
from fedstats.statistics._measures import CallMeasures
from fedstats.statistics._variance import Variance, variance_bounds, variance_cell

_DELTA_HALF_WIDTHS_MIN = 2.0
"""The delta method takes divisors for nearly exact; fewer half widths (4 standard deviations) are refused."""


@dataclass(frozen=True, slots=True)
class General:
    """Any other arithmetic."""

    op: Op
    left: Form
    right: Form


Form = Linear | Ratio | Variance | General


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
    if call.kind in VARIANCES:
        return _variance_of_call(call, count)
    total = _total_of(call, count)
    return total if call.kind is AggregateKind.SUM else Ratio(total, count, positive=True)


def _variance_of_call(call: CallMeasures, count: Linear) -> Variance:
    """Around the centre of the squares; values of which there are two only have one square around theirs."""
    root, squared = call.kind is AggregateKind.STDDEV_SAMP, call.squares
    rounding = [0.0 if made is None else float(made.rounded_to or 0) / 2 for made in (call, squared)]
    lo, hi = (call.lo, call.hi) if call.either is None else sorted(call.either)
    centre = (lo + hi) / 2 if squared is None else squared.around
    squares = count.times((hi - centre) ** 2) if squared is None else _total_of(squared, count)
    total = _total_of(call, count).plus(count, -centre)
    return Variance(
        count, total, squares, lo - centre, hi - centre, (rounding[0], rounding[1]), root, call.weight_max
    )


def _total_of(call: CallMeasures, count: Linear) -> Linear:
    """The sum of all values."""
    return count.times(call.centre).plus(Linear(0.0, {} if call.total is None else {call.total: call.step}))


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
    if call.kind in VARIANCES:
        bounds = variance_bounds(call.lo, call.hi)
        return Bounds(0.0, math.sqrt(bounds.hi)) if call.kind is AggregateKind.STDDEV_SAMP else bounds
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
        interval = interval_of_ratio(form, measured)
        if interval is None:
            return TOO_FEW
        value = form.top.at(measured.totals) / form.bottom.at(measured.totals)
        return Value(bounds.clip(value), bounds.within(interval))
    return variance_cell(form, measured) if isinstance(form, Variance) else _by_slope(form, bounds, measured)


def _by_slope(form: General, bounds: Bounds, measured: Measured) -> Cell:
    """By the delta method."""
    slope = _slope(form, measured)
    if slope is None:
        return TOO_FEW
    half_width = slope.half_width(measured.widths) + slope.reach(measured.slacks)
    if not math.isfinite(slope.value + half_width):
        return TOO_FEW
    return Value(bounds.clip(slope.value), bounds.within(around(slope.value, half_width)))


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
    if isinstance(form, Variance):
        return _slope_of_variance(form, measured)
    return _slope_of_two(form, measured)


def _slope_of_two(form: Ratio | General, measured: Measured) -> _Slope | None:
    """The rules of sums, products and quotients."""
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


def _slope_of_variance(form: Variance, measured: Measured) -> _Slope | None:
    """As of the ratio at its mean: where the mean is S / N, the variance does not change with it."""
    mean = form.mean(measured)
    slope = None if mean is None else _slope(form.at(mean), measured)
    if slope is None or not form.root:
        return slope
    if slope.value <= _DELTA_HALF_WIDTHS_MIN * slope.half_width(measured.widths):
        return None  # a root is too steep near 0
    root = math.sqrt(slope.value)
    return _Slope(root, {i: c / (2 * root) for i, c in slope.terms.items()})

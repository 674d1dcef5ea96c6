"""The SQL of each operation: one rule per operation, exact over integer codes.

Rules for numbers, dates and categories give a code in the operation's own domain; rules for truth values give
a condition. NULL goes through each as `core.evaluation` says, without leaning on what an engine does with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Protocol

from sqlglot import exp

from fedstats.core.domain import Categories, Dates, Domain, Numbers, Truth, common_step
from fedstats.core.expression import Call, CategoryLiteral, Expression, NumberLiteral, Op
from fedstats.sql.integers import (
    Integer,
    absolute,
    add,
    divide_down,
    divide_half_up,
    literal,
    multiply,
    negate,
    subtract,
    wrapped,
)


class Renders(Protocol):
    """What a rule may ask about the arguments of its operation."""

    def domain(self, expression: Expression) -> Domain:
        """Which values it can have."""

    def integer(self, expression: Expression) -> Integer:
        """Its code in its own domain."""

    def short(self, expression: Expression) -> Integer:
        """The same in a form that may be written several times."""

    def aligned(self, expression: Expression, domain: Domain, *, short: bool = False) -> Integer:
        """Its code in a domain that has all its values."""

    def condition(self, expression: Expression) -> exp.Expr:
        """The condition that a truth value is."""


IntegerRule = Callable[[Renders, Call, Domain], Integer]
ConditionRule = Callable[[Renders, Call], exp.Expr]


def step_of(domain: Domain) -> Fraction:
    """What one code more means: the step of numbers, else 1."""
    return domain.step if isinstance(domain, Numbers) else Fraction(1)


def bounds_of(domain: Domain) -> tuple[int, int]:
    """The least and the greatest code."""
    if isinstance(domain, Numbers):
        return domain.lo_code, domain.hi_code
    if isinstance(domain, Dates):
        return domain.lo, domain.hi
    return (0, len(domain.labels) - 1) if isinstance(domain, Categories) else (0, 1)


def scaled(integer: Integer, step: Fraction, finer: Fraction) -> Integer:
    """The code on a finer grid, of which `step` is a multiple."""
    return multiply(integer, literal((step / finer).numerator))


def clipped(integer: Integer, lo: int, hi: int) -> Integer:
    """`integer` between `lo` and `hi`; it is written up to three times, so it should be short."""
    branches = []
    if integer.lo < lo:
        branches.append(
            exp.If(this=exp.LT(this=wrapped(integer.sql), expression=literal(lo).sql), true=literal(lo).sql)
        )
    if integer.hi > hi:
        branches.append(
            exp.If(this=exp.GT(this=wrapped(integer.sql), expression=literal(hi).sql), true=literal(hi).sql)
        )
    if not branches:
        return integer
    ends = [min(max(end, lo), hi) for end in (integer.lo, integer.hi)]
    return Integer(exp.Case(ifs=branches, default=integer.sql.copy()), *ends)


# Numbers, dates and categories: each rule gives the code in the operation's own domain.


def _add(r: Renders, call: Call, domain: Domain) -> Integer:
    left, right = (scaled(r.integer(arg), step_of(r.domain(arg)), step_of(domain)) for arg in call.args)
    return add(left, right)


def _subtract(r: Renders, call: Call, domain: Domain) -> Integer:
    left, right = (scaled(r.integer(arg), step_of(r.domain(arg)), step_of(domain)) for arg in call.args)
    return subtract(left, right)


def _multiply(r: Renders, call: Call, _domain: Domain) -> Integer:
    return multiply(r.integer(call.args[0]), r.integer(call.args[1]))


def _divide(r: Renders, call: Call, domain: Domain) -> Integer:
    right = r.domain(call.args[1])
    positive = bounds_of(right)[0] > 0
    if isinstance(call.args[1], NumberLiteral):  # its size went into the step
        dividend = r.integer(call.args[0])
        return dividend if positive else negate(dividend)
    ratio = step_of(r.domain(call.args[0])) / (step_of(right) * step_of(domain))
    dividend = multiply(r.integer(call.args[0]), literal(ratio.numerator))
    divisor = multiply(r.short(call.args[1]), literal(ratio.denominator))
    if not positive:
        dividend, divisor = negate(dividend), negate(divisor)
    lo, hi = bounds_of(domain)
    return divide_half_up(dividend, divisor, lo=lo, hi=hi)


def _negate(r: Renders, call: Call, _domain: Domain) -> Integer:
    return negate(r.integer(call.args[0]))


def _absolute(r: Renders, call: Call, _domain: Domain) -> Integer:
    return absolute(r.integer(call.args[0]))


def _floor(r: Renders, call: Call, _domain: Domain) -> Integer:
    step = step_of(r.domain(call.args[0]))
    return divide_down(multiply(r.integer(call.args[0]), literal(step.numerator)), step.denominator)


def _least(r: Renders, call: Call, domain: Domain) -> Integer:
    return _one_of_two(r, call, domain, exp.LTE)


def _greatest(r: Renders, call: Call, domain: Domain) -> Integer:
    return _one_of_two(r, call, domain, exp.GTE)


def _one_of_two(r: Renders, call: Call, domain: Domain, keeps_left: type[exp.Binary]) -> Integer:
    # Engines differ in what LEAST makes of NULL; here no branch applies, so the result is NULL.
    left, right = (r.aligned(arg, domain, short=True) for arg in call.args)
    keeps_right = exp.GT if keeps_left is exp.LTE else exp.LT
    branches = [
        exp.If(this=compare(left.sql, right.sql), true=kept.sql.copy())
        for compare, kept in ((_comparing(keeps_left), left), (_comparing(keeps_right), right))
    ]
    return Integer(exp.Case(ifs=branches), *bounds_of(domain), max(left.bits, right.bits))


def _clamp(r: Renders, call: Call, domain: Domain) -> Integer:
    ends = [r.integer(arg).lo * step_of(r.domain(arg)) / step_of(domain) for arg in call.args[1:]]
    return clipped(r.aligned(call.args[0], domain, short=True), int(ends[0]), int(ends[1]))


def _band(r: Renders, call: Call, domain: Domain) -> Integer:
    x, step = r.short(call.args[0]), step_of(r.domain(call.args[0]))
    cuts = [math.ceil(cut.value / step) for cut in call.args[1:] if isinstance(cut, NumberLiteral)]
    below = [exp.LT(this=x.sql.copy(), expression=literal(cut).sql) for cut in cuts]
    last = exp.GTE(this=x.sql.copy(), expression=literal(cuts[-1]).sql)
    branches = [exp.If(this=test, true=literal(i).sql) for i, test in enumerate([*below, last])]
    return Integer(exp.Case(ifs=branches), *bounds_of(domain))


def _coalesce(r: Renders, call: Call, domain: Domain) -> Integer:
    first, *others = (r.aligned(arg, domain) for arg in call.args)
    sql = exp.Coalesce(this=first.sql, expressions=[other.sql for other in others])
    return Integer(sql, *bounds_of(domain))


def _case(r: Renders, call: Call, domain: Domain) -> Integer:
    return Integer(_case_sql(r, call, lambda arg: r.aligned(arg, domain).sql), *bounds_of(domain))


def _case_sql(r: Renders, call: Call, value: Callable[[Expression], exp.Expr]) -> exp.Case:
    pairs = list(zip(call.args[0::2], call.args[1::2], strict=False))
    branches = [exp.If(this=r.condition(test), true=value(result)) for test, result in pairs]
    return exp.Case(ifs=branches, default=value(call.args[-1]) if len(call.args) % 2 else None)


def _week(r: Renders, call: Call, _domain: Domain) -> Integer:
    # The Mondays are the days d with (d + 3) divisible by 7: 1970-01-01 was a Thursday.
    weeks = divide_down(add(r.integer(call.args[0]), literal(3)), 7)
    return subtract(multiply(weeks, literal(7)), literal(3))


def _weekday(r: Renders, call: Call, _domain: Domain) -> Integer:
    day = add(r.short(call.args[0]), literal(3))
    return add(subtract(day, multiply(divide_down(day, 7), literal(7))), literal(1))


def _epoch() -> exp.Expr:
    return exp.cast(exp.Literal.string("1970-01-01"), "DATE")


def _day(r: Renders, call: Call) -> exp.Expr:
    return exp.Add(this=_epoch(), expression=exp.cast(r.integer(call.args[0]).sql, "INT"))


def _part(unit: str) -> IntegerRule:
    def rule(r: Renders, call: Call, domain: Domain) -> Integer:
        part = exp.Extract(this=exp.var(unit), expression=exp.Paren(this=_day(r, call)))
        return Integer(exp.cast(part, "INT"), *bounds_of(domain), 32)

    return rule


def _period(unit: str) -> IntegerRule:
    def rule(r: Renders, call: Call, domain: Domain) -> Integer:
        epoch, day = _epoch(), _day(r, call)
        start = exp.cast(exp.func("DATE_TRUNC", exp.Literal.string(unit), day), "DATE")
        return Integer(exp.cast(exp.Sub(this=start, expression=epoch), "INT"), *bounds_of(domain), 32)

    return rule


# Truth values: each rule gives an SQL condition, which follows the same three-valued logic everywhere.


def _comparison(operator: type[exp.Binary]) -> ConditionRule:
    def rule(r: Renders, call: Call) -> exp.Expr:
        left, right = call.args
        if isinstance(r.domain(left), Truth):
            return _comparing(operator)(r.condition(left), r.condition(right))
        left_sql, right_sql = (integer.sql for integer in _comparable(r, call.args))
        return _comparing(operator)(left_sql, right_sql)

    return rule


def _comparable(r: Renders, args: Sequence[Expression]) -> list[Integer]:
    """The codes of several expressions in one domain."""
    domains = [r.domain(arg) for arg in args]
    if isinstance(domains[0], Categories):
        declared = (d for arg, d in zip(args, domains, strict=True) if not isinstance(arg, CategoryLiteral))
        among = next(declared, domains[0])
        return [r.aligned(arg, among) for arg in args]
    step = reduce(common_step, (step_of(domain) for domain in domains))
    return [scaled(r.integer(arg), step_of(d), step) for arg, d in zip(args, domains, strict=True)]


def _comparing(
    operator: type[exp.Binary],
) -> Callable[[exp.Expr, exp.Expr], exp.Expr]:
    return lambda left, right: operator(this=wrapped(left), expression=wrapped(right))


def _in(r: Renders, call: Call) -> exp.Expr:
    x, *values = _comparable(r, call.args)
    return exp.In(this=wrapped(x.sql), expressions=[value.sql for value in values])


def _logic(operator: type[exp.Binary]) -> ConditionRule:
    def rule(r: Renders, call: Call) -> exp.Expr:
        return reduce(_comparing(operator), (r.condition(arg) for arg in call.args))

    return rule


def _not(r: Renders, call: Call) -> exp.Expr:
    return exp.Not(this=wrapped(r.condition(call.args[0])))


def _is_null(r: Renders, call: Call) -> exp.Expr:
    arg = call.args[0]
    sql = r.condition(arg) if isinstance(r.domain(arg), Truth) else r.integer(arg).sql
    return exp.Is(this=wrapped(sql), expression=exp.Null())


def _coalesce_truth(r: Renders, call: Call) -> exp.Expr:
    first, *others = (r.condition(arg) for arg in call.args)
    return exp.Coalesce(this=first, expressions=others)


def _case_truth(r: Renders, call: Call) -> exp.Expr:
    return _case_sql(r, call, r.condition)


INTEGERS: dict[Op, IntegerRule] = {
    Op.ADD: _add,
    Op.SUBTRACT: _subtract,
    Op.MULTIPLY: _multiply,
    Op.DIVIDE: _divide,
    Op.NEGATE: _negate,
    Op.ABS: _absolute,
    Op.FLOOR: _floor,
    Op.LEAST: _least,
    Op.GREATEST: _greatest,
    Op.CLAMP: _clamp,
    Op.BAND: _band,
    Op.COALESCE: _coalesce,
    Op.CASE: _case,
    Op.TRUNCATE_WEEK: _week,
    Op.TRUNCATE_MONTH: _period("MONTH"),
    Op.TRUNCATE_YEAR: _period("YEAR"),
    Op.TRUNCATE_QUARTER: _period("QUARTER"),
    Op.YEAR_OF: _part("YEAR"),
    Op.MONTH_OF: _part("MONTH"),
    Op.WEEKDAY_OF: _weekday,
}
CONDITIONS: dict[Op, ConditionRule] = {
    Op.EQUAL: _comparison(exp.EQ),
    Op.LESS: _comparison(exp.LT),
    Op.LESS_EQUAL: _comparison(exp.LTE),
    Op.AND: _logic(exp.And),
    Op.OR: _logic(exp.Or),
    Op.NOT: _not,
    Op.IN: _in,
    Op.IS_NULL: _is_null,
    Op.COALESCE: _coalesce_truth,
    Op.CASE: _case_truth,
}

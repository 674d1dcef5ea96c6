"""Which values an expression can have: interval arithmetic and type rules over the declared domains.

Bounds follow from the definition alone, so a question needs no clamp, and nothing here sees data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from fedstats.core.domain import (
    CODE_MAX,
    Categories,
    Dates,
    Domain,
    Every,
    Numbers,
    Truth,
    common_step,
    truncate,
)
from fedstats.core.expression import (
    Call,
    CategoryLiteral,
    Column,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
)
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid, TooLarge

QUOTIENT_STEPS_MIN = 2**12


def domain_of(expression: Expression, dataset: Dataset) -> Domain:
    """The domain of `expression` over the rows of `dataset`.

    Raises
    ------
    ExpressionInvalid
        Types do not fit, a division may divide by zero, or a literal is not declared.
    NameUnknown
        A column does not exist.
    TooLarge
        Values would not fit 62 bits.

    """
    if isinstance(expression, Column):
        return dataset.column(expression.name).domain
    if isinstance(expression, NumberLiteral):
        value = expression.value
        return Numbers(value, value, Fraction(1, value.denominator))
    if isinstance(expression, CategoryLiteral):
        return Categories((expression.label,))
    if isinstance(expression, DateLiteral):
        return Dates(expression.days, expression.days)
    domains = [domain_of(arg, dataset) for arg in expression.args]
    return _RULES[expression.op](expression.args, domains)


def condition_of(expression: Expression, dataset: Dataset) -> Truth:
    """The domain of a condition (WHERE, SHARE).

    Raises
    ------
    ExpressionInvalid
        It is not true or false.

    """
    domain = domain_of(expression, dataset)
    if not isinstance(domain, Truth):
        raise ExpressionInvalid("A condition is needed here, such as age >= 65.")
    return domain


def is_literal(expression: Expression) -> bool:
    """Whether the expression is written out in the question rather than read from a row."""
    return isinstance(expression, NumberLiteral | CategoryLiteral | DateLiteral)


def quotient_step(lo: Fraction, hi: Fraction) -> Fraction:
    """The grid of a quotient of two columns: the coarsest 2^-k that cuts its range into 2^12 steps or more."""
    step = Fraction(1)
    while (hi - lo) / step < QUOTIENT_STEPS_MIN and step > Fraction(1, 2**40):
        step /= 2
    return step


Args = tuple[Expression, ...]
Domains = Sequence[Domain]


def _add(args: Args, domains: Domains) -> Domain:
    left, right = _pair(args, domains, "+")
    if isinstance(left, Numbers) and isinstance(right, Dates):
        left, right = right, left
    if isinstance(left, Dates):
        return _shift(left, right, 1)
    a, b = _numbers([left, right], "+")
    return _number(a.lo + b.lo, a.hi + b.hi, common_step(a.step, b.step), nullable=a.nullable or b.nullable)


def _subtract(args: Args, domains: Domains) -> Domain:
    left, right = _pair(args, domains, "-")
    nullable = left.nullable or right.nullable
    if isinstance(left, Dates) and isinstance(right, Dates):
        return _number(
            Fraction(left.lo - right.hi), Fraction(left.hi - right.lo), Fraction(1), nullable=nullable
        )
    if isinstance(left, Dates):
        return _shift(left, right, -1)
    a, b = _numbers([left, right], "-")
    return _number(a.lo - b.hi, a.hi - b.lo, common_step(a.step, b.step), nullable=nullable)


def _shift(dates: Dates, days: Domain, sign: int) -> Dates:
    if not isinstance(days, Numbers) or days.step.denominator != 1 or dates.every is not Every.DAY:
        raise ExpressionInvalid("A date can be shifted by a whole number of days.")
    ends = sorted((int(sign * days.lo), int(sign * days.hi)))
    return Dates(dates.lo + ends[0], dates.hi + ends[1], nullable=dates.nullable or days.nullable)


def _multiply(args: Args, domains: Domains) -> Domain:
    _pair(args, domains, "*")
    a, b = _numbers(domains, "*")
    corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return _number(min(corners), max(corners), a.step * b.step, nullable=a.nullable or b.nullable)


def _divide(args: Args, domains: Domains) -> Domain:
    _pair(args, domains, "/")
    a, b = _numbers(domains, "/")
    if b.lo <= 0 <= b.hi:
        raise ExpressionInvalid(
            "This division could divide by 0. Divide by something whose declared bounds exclude 0, for example "
            "CLAMP(x, 1, 100)."
        )
    corners = [x / y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    nullable = a.nullable or b.nullable
    if isinstance(args[1], NumberLiteral):
        return _number(min(corners), max(corners), a.step / abs(b.lo), nullable=nullable)
    step = quotient_step(min(corners), max(corners))
    if 4 * max(abs(a.lo_code), abs(a.hi_code)) * _quotient_factor(a, b, step) > CODE_MAX:
        raise TooLarge("A quotient's values need more than 62 bits. Narrow its parts with CLAMP.")
    return _number(_floor_to(min(corners), step), _ceil_to(max(corners), step), step, nullable=nullable)


def _quotient_factor(a: Numbers, b: Numbers, step: Fraction) -> int:
    ratio = a.step / (b.step * step)
    return max(ratio.numerator, ratio.denominator * max(abs(b.lo_code), abs(b.hi_code)))


def _negate(_args: Args, domains: Domains) -> Domain:
    (a,) = _numbers(domains, "-", count=1)
    return replace(a, lo=-a.hi, hi=-a.lo)


def _abs(_args: Args, domains: Domains) -> Domain:
    (a,) = _numbers(domains, "ABS", count=1)
    lo = Fraction(0) if a.lo <= 0 <= a.hi else min(abs(a.lo), abs(a.hi))
    return replace(a, lo=lo, hi=max(abs(a.lo), abs(a.hi)))


def _floor(_args: Args, domains: Domains) -> Domain:
    (a,) = _numbers(domains, "FLOOR", count=1)
    return _number(
        _floor_to(a.lo, Fraction(1)), _floor_to(a.hi, Fraction(1)), Fraction(1), nullable=a.nullable
    )


def _least(args: Args, domains: Domains) -> Domain:
    a, b = _pair(args, domains, "LEAST")
    a, b = _numbers([a, b], "LEAST")
    step = common_step(a.step, b.step)
    return _number(min(a.lo, b.lo), min(a.hi, b.hi), step, nullable=a.nullable or b.nullable)


def _greatest(args: Args, domains: Domains) -> Domain:
    a, b = _pair(args, domains, "GREATEST")
    a, b = _numbers([a, b], "GREATEST")
    step = common_step(a.step, b.step)
    return _number(max(a.lo, b.lo), max(a.hi, b.hi), step, nullable=a.nullable or b.nullable)


def _clamp(args: Args, domains: Domains) -> Domain:
    if len(args) != 3 or not all(isinstance(arg, NumberLiteral) for arg in args[1:]):
        raise ExpressionInvalid("CLAMP takes an expression and two numbers: CLAMP(x, 0, 365).")
    x, lo, hi = _numbers(domains, "CLAMP", count=3)
    if lo.lo > hi.lo:
        raise ExpressionInvalid("CLAMP's lower bound is above its upper bound.")
    step = common_step(x.step, common_step(lo.step, hi.step))
    ends = [min(max(end, lo.lo), hi.lo) for end in (x.lo, x.hi)]
    return _number(ends[0], ends[1], step, nullable=x.nullable)


def _band(args: Args, domains: Domains) -> Domain:
    x, *cuts = domains
    if not isinstance(x, Numbers) or not cuts or not all(isinstance(arg, NumberLiteral) for arg in args[1:]):
        raise ExpressionInvalid("BAND takes a number and its cut points: BAND(age, 19, 65).")
    points = [cut.lo for cut in _numbers(cuts, "BAND", count=len(cuts))]
    if points != sorted(set(points)) or points[0] <= x.lo or points[-1] > x.hi:
        sentence = f"BAND's cut points must rise and lie above {x.label(x.lo_code)} and not above {x.label(x.hi_code)}."
        raise ExpressionInvalid(sentence)
    return Categories(band_labels(x, points), nullable=x.nullable)


def band_labels(x: Numbers, cuts: Sequence[Fraction]) -> tuple[str, ...]:
    """Labels such as 0-18, 19-64, 65-120 of the bands that `cuts` make of `x`."""
    starts = [x.lo, *cuts]
    if x.step == 1 and all(cut.denominator == 1 for cut in cuts):
        ends = [*(cut - 1 for cut in cuts), x.hi]
        return tuple(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
    shown = [f"{float(start):.10g}" for start in starts]
    return (*(f"{a} to <{b}" for a, b in zip(shown, shown[1:], strict=False)), f"{shown[-1]} and over")


def _compare(args: Args, domains: Domains) -> Domain:
    left, right = _pair(args, domains, "a comparison")
    _check_comparable(args, [left, right])
    return Truth(nullable=left.nullable or right.nullable)


def _equal(args: Args, domains: Domains) -> Domain:
    return _compare(args, domains)


def _less(args: Args, domains: Domains) -> Domain:
    if any(isinstance(domain, Categories | Truth) for domain in domains):
        raise ExpressionInvalid("Categories have no order: compare them with = or IN.")
    return _compare(args, domains)


def _check_comparable(args: Args, domains: Domains) -> None:
    """Same kind on both sides, and literals within what the other side can be (the register prints literals)."""
    left, right = domains
    if type(left) is not type(right):
        raise ExpressionInvalid("The two sides of a comparison are of different types.")
    for literal, arg, other in ((left, args[0], right), (right, args[1], left)):
        if not is_literal(arg):
            continue
        if isinstance(other, Categories) and isinstance(literal, Categories):
            other.code(literal.labels[0])
        elif isinstance(other, Numbers | Dates) and isinstance(literal, Numbers | Dates):
            _check_within(literal, other)
    if (
        isinstance(left, Categories)
        and isinstance(right, Categories)
        and not any(is_literal(arg) for arg in args)
    ):
        if left.labels != right.labels:
            raise ExpressionInvalid("Two columns with different categories cannot be compared.")


def _check_within(literal: Numbers | Dates, other: Numbers | Dates) -> None:
    if literal.lo < other.lo or literal.lo > other.hi:
        if isinstance(other, Dates):
            shown = [other.label(other.lo), other.label(other.hi), literal.label(int(literal.lo))]
        else:
            shown = [other.label(other.lo_code), other.label(other.hi_code), f"{float(literal.lo):.10g}"]
        sentence = f"{shown[2]} lies outside the declared bounds, {shown[0]} to {shown[1]}."
        raise ExpressionInvalid(sentence)


def _logic(_args: Args, domains: Domains) -> Domain:
    if len(domains) < 2 or not all(isinstance(domain, Truth) for domain in domains):
        raise ExpressionInvalid("AND and OR join conditions.")
    return Truth(nullable=any(domain.nullable for domain in domains))


def _not(_args: Args, domains: Domains) -> Domain:
    if len(domains) != 1 or not isinstance(domains[0], Truth):
        raise ExpressionInvalid("NOT goes before a condition.")
    return domains[0]


def _in(args: Args, domains: Domains) -> Domain:
    if len(args) < 2 or not all(is_literal(arg) for arg in args[1:]):
        raise ExpressionInvalid("IN takes a list of values.")
    for arg, domain in zip(args[1:], domains[1:], strict=True):
        _check_comparable((args[0], arg), [domains[0], domain])
    return Truth(nullable=domains[0].nullable)


def _is_null(args: Args, domains: Domains) -> Domain:
    if len(domains) != 1 or is_literal(args[0]):
        raise ExpressionInvalid("IS NULL goes after one column or expression.")
    return Truth()


def _coalesce(args: Args, domains: Domains) -> Domain:
    if len(args) < 2:
        raise ExpressionInvalid("COALESCE takes two or more expressions.")
    return _union(args, domains, nullable=all(domain.nullable for domain in domains))


def _case(args: Args, domains: Domains) -> Domain:
    count = len(args) // 2
    if count < 1 or not all(isinstance(domain, Truth) for domain in domains[0 : 2 * count : 2]):
        raise ExpressionInvalid("CASE takes conditions and values: CASE WHEN age >= 65 THEN 1 ELSE 0 END.")
    values = [2 * i + 1 for i in range(count)] + ([len(args) - 1] if len(args) % 2 else [])
    branches = [domains[i] for i in values]
    nullable = len(args) % 2 == 0 or any(domain.nullable for domain in branches)
    return _union(tuple(args[i] for i in values), branches, nullable=nullable)


def _union(args: Args, domains: Domains, *, nullable: bool) -> Domain:
    """The domain that holds every branch; labels written out must be declared by a branch that is not."""
    first = domains[0]
    if any(type(domain) is not type(first) for domain in domains):
        raise ExpressionInvalid("The branches of CASE or COALESCE are of different types.")
    if isinstance(first, Truth):
        return Truth(nullable=nullable)
    if isinstance(first, Dates):
        dates = [domain for domain in domains if isinstance(domain, Dates)]
        if any(domain.every is not first.every for domain in dates):
            raise ExpressionInvalid("The branches of CASE or COALESCE are truncated differently.")
        return Dates(min(d.lo for d in dates), max(d.hi for d in dates), first.every, nullable=nullable)
    if isinstance(first, Categories):
        return _union_labels(
            args, [domain for domain in domains if isinstance(domain, Categories)], nullable=nullable
        )
    numbers = _numbers(domains, "CASE", count=len(domains))
    step = numbers[0].step
    for domain in numbers[1:]:
        step = common_step(step, domain.step)
    return _number(min(d.lo for d in numbers), max(d.hi for d in numbers), step, nullable=nullable)


def _union_labels(args: Args, domains: Sequence[Categories], *, nullable: bool) -> Categories:
    declared = [d for arg, d in zip(args, domains, strict=True) if not is_literal(arg)]
    labels = tuple(dict.fromkeys(label for domain in declared for label in domain.labels))
    for arg, domain in zip(args, domains, strict=True):
        if is_literal(arg) and domain.labels[0] not in labels:
            sentence = f"{domain.labels[0][:40]!r} is not a declared category. Use numbers in CASE, or BAND(x, ...) for bands."
            raise ExpressionInvalid(sentence)
    return Categories(labels, nullable=nullable)


def _truncation(every: Every) -> Callable[[Args, Domains], Domain]:
    def rule(_args: Args, domains: Domains) -> Domain:
        if len(domains) != 1 or not isinstance(domains[0], Dates):
            raise ExpressionInvalid("DATE_TRUNC takes a date: DATE_TRUNC('month', rtt_start_date).")
        dates = domains[0]
        return Dates(truncate(dates.lo, every), truncate(dates.hi, every), every, nullable=dates.nullable)

    return rule


def _pair(args: Args, domains: Domains, what: str) -> tuple[Domain, Domain]:
    if len(args) != 2:
        sentence = f"{what} takes two expressions."
        raise ExpressionInvalid(sentence)
    return domains[0], domains[1]


def _numbers(domains: Domains, what: str, *, count: int = 2) -> list[Numbers]:
    numbers = [domain for domain in domains if isinstance(domain, Numbers)]
    if len(numbers) != len(domains) or len(numbers) != count:
        sentence = f"{what} works on numbers."
        raise ExpressionInvalid(sentence)
    return numbers


def _number(lo: Fraction, hi: Fraction, step: Fraction, *, nullable: bool) -> Numbers:
    return Numbers(lo, hi, step, nullable=nullable)


def _floor_to(value: Fraction, step: Fraction) -> Fraction:
    return (value // step) * step


def _ceil_to(value: Fraction, step: Fraction) -> Fraction:
    return -((-value) // step) * step


_RULES: dict[Op, Callable[[Args, Domains], Domain]] = {
    Op.ADD: _add,
    Op.SUBTRACT: _subtract,
    Op.MULTIPLY: _multiply,
    Op.DIVIDE: _divide,
    Op.NEGATE: _negate,
    Op.ABS: _abs,
    Op.FLOOR: _floor,
    Op.LEAST: _least,
    Op.GREATEST: _greatest,
    Op.CLAMP: _clamp,
    Op.BAND: _band,
    Op.EQUAL: _equal,
    Op.LESS: _less,
    Op.LESS_EQUAL: _less,
    Op.AND: _logic,
    Op.OR: _logic,
    Op.NOT: _not,
    Op.IN: _in,
    Op.IS_NULL: _is_null,
    Op.COALESCE: _coalesce,
    Op.CASE: _case,
    Op.TRUNCATE_WEEK: _truncation(Every.WEEK),
    Op.TRUNCATE_MONTH: _truncation(Every.MONTH),
    Op.TRUNCATE_YEAR: _truncation(Every.YEAR),
}

"""The bounds of arithmetic: which numbers and dates each operation can give, from what goes into it.

Part of `inference`. Every operation also promises that its operands, brought to the step at which an engine
computes, fit 62 bits: an overflow would be an error that depends on the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from fedstats.core.domain import (
    CODE_MAX,
    DAY_MAX,
    DAY_MIN,
    Categories,
    Dates,
    Domain,
    Numbers,
    common_step,
)
from fedstats.core.expression import Expression, NumberLiteral, normalise
from fedstats.errors import ExpressionInvalid, TooLarge

Args = tuple[Expression, ...]
Domains = Sequence[Domain]

QUOTIENT_STEPS_MIN = 2**12
_QUOTIENT_STEP_MIN = Fraction(1, 2**40)
_CLAMP_ARGS = 3
_ONE = Fraction(1)


def literal_domain(literal: NumberLiteral) -> Numbers:
    """The one value as a domain; its step is the value itself, so that 100 * x keeps the steps of x."""
    value = literal.value
    return Numbers(value, value, abs(value) or _ONE)


def aligned_step(numbers: Sequence[Numbers]) -> Fraction:
    """The greatest step of which all are multiples, at which an engine adds or compares them.

    Raises
    ------
    TooLarge
        At that step a value needs more than 62 bits.

    """
    step = numbers[0].step
    for number in numbers[1:]:
        step = common_step(step, number.step)
    if max(max(abs(number.lo), abs(number.hi)) for number in numbers) / step > CODE_MAX:
        raise TooLarge("An expression's values need more than 62 bits. Narrow its parts with CLAMP.")
    return step


def add(args: Args, domains: Domains) -> Domain:
    """Numbers, or a date and a whole number of days."""
    left, right = pair(args, domains, "+")
    if isinstance(left, Numbers) and isinstance(right, Dates):
        left, right = right, left
    if isinstance(left, Dates):
        return _shift(left, right, 1)
    a, b = only_numbers([left, right], "+")
    return Numbers(a.lo + b.lo, a.hi + b.hi, aligned_step([a, b]), nullable=a.nullable or b.nullable)


def subtract(args: Args, domains: Domains) -> Domain:
    """Numbers, two dates (the days between them), or a date and a whole number of days."""
    left, right = pair(args, domains, "-")
    nullable = left.nullable or right.nullable
    if isinstance(left, Dates) and isinstance(right, Dates):
        return Numbers(Fraction(left.lo - right.hi), Fraction(left.hi - right.lo), nullable=nullable)
    if isinstance(left, Dates):
        return _shift(left, right, -1)
    a, b = only_numbers([left, right], "-")
    return Numbers(a.lo - b.hi, a.hi - b.lo, aligned_step([a, b]), nullable=nullable)


def _shift(dates: Dates, days: Domain, sign: int) -> Dates:
    if not isinstance(days, Numbers) or days.step.denominator != 1:
        raise ExpressionInvalid("A date can be shifted by a whole number of days only.")
    ends = sorted((int(sign * days.lo), int(sign * days.hi)))
    lo, hi = dates.lo + ends[0], dates.hi + ends[1]
    if lo < DAY_MIN or hi > DAY_MAX:
        raise TooLarge("A date is shifted beyond the calendar. Narrow the days with CLAMP(x, 0, 3650).")
    return Dates(lo, hi, nullable=dates.nullable or days.nullable)


def multiply(args: Args, domains: Domains) -> Domain:
    """Two numbers; what is multiplied by itself is never below 0."""
    pair(args, domains, "*")
    a, b = only_numbers(domains, "*")
    corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    if normalise(args[0]) == normalise(args[1]):
        corners = [Fraction(0) if a.lo <= 0 <= a.hi else min(a.lo**2, a.hi**2), *corners[::3]]
    return Numbers(min(corners), max(corners), a.step * b.step, nullable=a.nullable or b.nullable)


def divide(args: Args, domains: Domains) -> Domain:
    """Two numbers, of which the second cannot be 0; exact by a literal, else rounded to `quotient_step`."""
    pair(args, domains, "/")
    a, b = only_numbers(domains, "/")
    if b.lo <= 0 <= b.hi:
        raise ExpressionInvalid(
            "This division could divide by 0. Divide by something whose declared bounds exclude 0, for "
            "example CLAMP(x, 1, 100)."
        )
    corners = [x / y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    lo, hi, nullable = min(corners), max(corners), a.nullable or b.nullable
    if isinstance(args[1], NumberLiteral):
        return Numbers(lo, hi, a.step / abs(b.lo), nullable=nullable)
    step = quotient_step(lo, hi)
    if 4 * max(1, abs(a.lo_code), abs(a.hi_code)) * _quotient_factor(a, b, step) > CODE_MAX:
        raise TooLarge("A quotient's values need more than 62 bits. Narrow its parts with CLAMP.")
    return Numbers(_floor_to(lo, step), _ceil_to(hi, step), step, nullable=nullable)


def quotient_step(lo: Fraction, hi: Fraction) -> Fraction:
    """The grid of a quotient of two columns: the coarsest 2^-k that cuts its range into 2^12 steps."""
    step = _ONE
    while (hi - lo) / step < QUOTIENT_STEPS_MIN and step > _QUOTIENT_STEP_MIN:
        step /= 2
    return step


def _quotient_factor(a: Numbers, b: Numbers, step: Fraction) -> int:
    """What the code of `a` is multiplied by, at most, where an engine rounds (2 a n + b d) / (2 b d) down."""
    ratio = a.step / (b.step * step)
    return max(ratio.numerator, ratio.denominator * max(abs(b.lo_code), abs(b.hi_code)))


def negate(_args: Args, domains: Domains) -> Domain:
    """One number."""
    (a,) = only_numbers(domains, "-", count=1)
    return replace(a, lo=-a.hi, hi=-a.lo)


def absolute(_args: Args, domains: Domains) -> Domain:
    """One number."""
    (a,) = only_numbers(domains, "ABS", count=1)
    lo = Fraction(0) if a.lo <= 0 <= a.hi else min(abs(a.lo), abs(a.hi))
    return replace(a, lo=lo, hi=max(abs(a.lo), abs(a.hi)))


def floor(_args: Args, domains: Domains) -> Domain:
    """One number, rounded down to an integer."""
    (a,) = only_numbers(domains, "FLOOR", count=1)
    aligned_step([a, Numbers(_ONE, _ONE)])
    return Numbers(_floor_to(a.lo, _ONE), _floor_to(a.hi, _ONE), nullable=a.nullable)


def least(args: Args, domains: Domains) -> Domain:
    """Two numbers; missing where either is missing."""
    a, b = only_numbers(pair(args, domains, "LEAST"), "LEAST")
    nullable = a.nullable or b.nullable
    return Numbers(min(a.lo, b.lo), min(a.hi, b.hi), aligned_step([a, b]), nullable=nullable)


def greatest(args: Args, domains: Domains) -> Domain:
    """Two numbers; missing where either is missing."""
    a, b = only_numbers(pair(args, domains, "GREATEST"), "GREATEST")
    nullable = a.nullable or b.nullable
    return Numbers(max(a.lo, b.lo), max(a.hi, b.hi), aligned_step([a, b]), nullable=nullable)


def clamp(args: Args, domains: Domains) -> Domain:
    """A number and the two literals between which it is brought."""
    if len(args) != _CLAMP_ARGS or not all(isinstance(arg, NumberLiteral) for arg in args[1:]):
        raise ExpressionInvalid("CLAMP takes an expression and two numbers: CLAMP(x, 0, 365).")
    x, lo, hi = only_numbers(domains, "CLAMP", count=_CLAMP_ARGS)
    if lo.lo > hi.lo:
        raise ExpressionInvalid("CLAMP's lower bound is above its upper bound.")
    ends = [min(max(end, lo.lo), hi.lo) for end in (x.lo, x.hi)]
    return Numbers(ends[0], ends[1], aligned_step([x, lo, hi]), nullable=x.nullable)


def band(args: Args, domains: Domains) -> Domain:
    """A number, and the literals at which its bands begin."""
    x, *cuts = domains
    if not isinstance(x, Numbers) or not cuts or not all(isinstance(arg, NumberLiteral) for arg in args[1:]):
        raise ExpressionInvalid("BAND takes a number and its cut points: BAND(age, 19, 65).")
    limits = only_numbers(cuts, "BAND", count=len(cuts))
    points = [cut.lo for cut in limits]
    if points != sorted(set(points)) or points[0] <= x.lo or points[-1] > x.hi:
        raise ExpressionInvalid(
            f"BAND's cut points must rise, lie above {x.label(x.lo_code)} and not above {x.label(x.hi_code)}."
        )
    aligned_step([x, *limits])
    return Categories(band_labels(x, points), nullable=x.nullable)


def band_labels(x: Numbers, cuts: Sequence[Fraction]) -> tuple[str, ...]:
    """Labels such as 0-18, 19-64, 65-120 of the bands that `cuts` make of `x`."""
    starts = [x.lo, *cuts]
    if x.step.denominator == 1 and all(bound.denominator == 1 for bound in starts):
        ends = [*(cut - 1 for cut in cuts), x.hi]
        return tuple(_range_label(a, b) for a, b in zip(starts, ends, strict=True))
    shown = [f"{float(start):.10g}" for start in starts]
    if len(set(shown)) != len(shown):
        raise ExpressionInvalid(
            "BAND's cut points are so close together that their labels would be the same."
        )
    return (*(f"{a} to <{b}" for a, b in pairwise(shown)), f"{shown[-1]} and over")


def _range_label(lo: Fraction, hi: Fraction) -> str:
    if lo == hi:
        return str(lo)
    return f"{lo}-{hi}" if lo >= 0 else f"{lo} to {hi}"


def pair(args: Args, domains: Domains, what: str) -> tuple[Domain, Domain]:
    """The two domains of an operation that takes two."""
    if len(args) != 2:  # noqa: PLR2004  # that is what a pair is
        raise ExpressionInvalid(f"{what} takes two expressions.")
    return domains[0], domains[1]


def only_numbers(domains: Domains, what: str, *, count: int = 2) -> list[Numbers]:
    """The domains, if they are `count` domains of numbers."""
    numbers = [domain for domain in domains if isinstance(domain, Numbers)]
    if len(numbers) != len(domains) or len(numbers) != count:
        raise ExpressionInvalid(f"{what} works on numbers.")
    return numbers


def _floor_to(value: Fraction, step: Fraction) -> Fraction:
    return (value // step) * step


def _ceil_to(value: Fraction, step: Fraction) -> Fraction:
    return -((-value) // step) * step

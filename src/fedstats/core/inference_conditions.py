"""The types of conditions and choices: comparisons, AND, IN, CASE and COALESCE.

Part of `inference`. A literal that is compared must be one that the other side could be: the public register
prints literals, and one outside the declared values would only be a probe.
"""

from __future__ import annotations

from collections.abc import Sequence

from fedstats.core.domain import Categories, Dates, Domain, Every, Numbers, Truth
from fedstats.core.expression import CategoryLiteral, DateLiteral, Expression, NumberLiteral
from fedstats.core.inference_numbers import Args, Domains, aligned_step, only_numbers, pair
from fedstats.errors import ExpressionInvalid

_KINDS = {Numbers: "a number", Categories: "a category", Dates: "a date", Truth: "a condition"}


def is_literal(expression: Expression) -> bool:
    """Whether the expression is written out in the question rather than read from a row."""
    return isinstance(expression, NumberLiteral | CategoryLiteral | DateLiteral)


def equal(args: Args, domains: Domains) -> Domain:
    """Two values of one type."""
    left, right = pair(args, domains, "A comparison")
    _check_comparable(args, left, right)
    return Truth(nullable=left.nullable or right.nullable)


def less(args: Args, domains: Domains) -> Domain:
    """Two values of one type that has an order."""
    if any(isinstance(domain, Categories | Truth) for domain in domains):
        raise ExpressionInvalid("Categories and conditions have no order: compare them with = or IN.")
    return equal(args, domains)


def _check_comparable(args: Args, left: Domain, right: Domain) -> None:
    if type(left) is not type(right):
        raise ExpressionInvalid(
            f"{_KINDS[type(left)].capitalize()} cannot be compared with {_KINDS[type(right)]}."
        )
    _check_literal(args[0], left, right)
    _check_literal(args[1], right, left)
    if isinstance(left, Numbers) and isinstance(right, Numbers):
        aligned_step([left, right])
    if isinstance(left, Categories) and isinstance(right, Categories):
        written_out = is_literal(args[0]) or is_literal(args[1])
        if not written_out and left.labels != right.labels:
            raise ExpressionInvalid("Two columns with different categories cannot be compared.")


def _check_literal(arg: Expression, literal: Domain, other: Domain) -> None:
    """Refuse a literal outside what the other side of its comparison can be."""
    if not is_literal(arg):
        return
    if isinstance(literal, Categories) and isinstance(other, Categories):
        other.code(literal.labels[0])
    if isinstance(literal, Dates) and isinstance(other, Dates) and not other.lo <= literal.lo <= other.hi:
        _refuse_outside(literal.label(literal.lo), other.label(other.lo), other.label(other.hi))
    if isinstance(literal, Numbers) and isinstance(other, Numbers) and not other.lo <= literal.lo <= other.hi:
        shown = literal.label(literal.lo_code)
        _refuse_outside(shown, other.label(other.lo_code), other.label(other.hi_code))


def _refuse_outside(literal: str, lo: str, hi: str) -> None:
    raise ExpressionInvalid(f"{literal} lies outside the declared bounds, {lo} to {hi}.")


def logic(_args: Args, domains: Domains) -> Domain:
    """AND, OR: two or more conditions."""
    if len(domains) < 2 or not all(isinstance(domain, Truth) for domain in domains):  # noqa: PLR2004  # as said
        raise ExpressionInvalid("AND and OR join conditions, such as age >= 65.")
    return Truth(nullable=any(domain.nullable for domain in domains))


def negation(_args: Args, domains: Domains) -> Domain:
    """NOT: one condition."""
    if len(domains) != 1 or not isinstance(domains[0], Truth):
        raise ExpressionInvalid("NOT goes before a condition, such as age >= 65.")
    return domains[0]


def one_of(args: Args, domains: Domains) -> Domain:
    """IN: a value and a list of literals."""
    if len(args) < 2 or not all(is_literal(arg) for arg in args[1:]):  # noqa: PLR2004  # a value and one more
        raise ExpressionInvalid("IN takes a list of written values: sex IN ('F', 'M').")
    for arg, domain in zip(args[1:], domains[1:], strict=True):
        _check_comparable((args[0], arg), domains[0], domain)
    numbers = [domain for domain in domains if isinstance(domain, Numbers)]
    if numbers:
        aligned_step(numbers)  # engines compare all of them at one common step
    return Truth(nullable=domains[0].nullable)


def is_missing(args: Args, domains: Domains) -> Domain:
    """IS NULL: anything that is read from a row."""
    if len(domains) != 1 or is_literal(args[0]):
        raise ExpressionInvalid("IS NULL goes after one column or expression.")
    return Truth()


def coalesce(args: Args, domains: Domains) -> Domain:
    """The first of two or more values that is not missing."""
    if len(args) < 2:  # noqa: PLR2004  # as said
        raise ExpressionInvalid("COALESCE takes two or more expressions.")
    return _union(args, domains, nullable=all(domain.nullable for domain in domains))


def case(args: Args, domains: Domains) -> Domain:
    """Conditions and values by turns, and the value where no condition holds (missing if there is none)."""
    count = len(args) // 2
    if count < 1 or not all(isinstance(domain, Truth) for domain in domains[0 : 2 * count : 2]):
        raise ExpressionInvalid("CASE takes conditions and values: CASE WHEN age >= 65 THEN 1 ELSE 0 END.")
    has_default = len(args) % 2 == 1
    values = [2 * i + 1 for i in range(count)] + ([len(args) - 1] if has_default else [])
    branches = [domains[i] for i in values]
    nullable = not has_default or any(domain.nullable for domain in branches)
    return _union(tuple(args[i] for i in values), branches, nullable=nullable)


def _union(args: Args, domains: Domains, *, nullable: bool) -> Domain:
    """The domain that holds the values of every branch."""
    first = domains[0]
    for domain in domains:
        if type(domain) is not type(first):
            raise ExpressionInvalid(
                "The branches of CASE or COALESCE are of different types: "
                f"{_KINDS[type(first)]} and {_KINDS[type(domain)]}."
            )
    if isinstance(first, Truth):
        return Truth(nullable=nullable)
    if isinstance(first, Dates):
        dates = [domain for domain in domains if isinstance(domain, Dates)]
        every = first.every if all(domain.every is first.every for domain in dates) else Every.DAY
        return Dates(min(d.lo for d in dates), max(d.hi for d in dates), every, nullable=nullable)
    if isinstance(first, Categories):
        labels = [domain for domain in domains if isinstance(domain, Categories)]
        return _union_of_labels(args, labels, nullable=nullable)
    numbers = only_numbers(domains, "CASE", count=len(domains))
    lo, hi = min(number.lo for number in numbers), max(number.hi for number in numbers)
    return Numbers(lo, hi, aligned_step(numbers), nullable=nullable)


def _union_of_labels(args: Args, domains: Sequence[Categories], *, nullable: bool) -> Categories:
    """All labels of the branches; one that is written out must be declared by a branch that is not."""
    declared = [domain for arg, domain in zip(args, domains, strict=True) if not is_literal(arg)]
    labels = tuple(dict.fromkeys(label for domain in declared for label in domain.labels))
    for arg, domain in zip(args, domains, strict=True):
        if is_literal(arg) and domain.labels[0] not in labels:
            raise ExpressionInvalid(
                f"{domain.labels[0][:40]!r} is not a declared category. In a key of SELECT, a CASE may name "
                "its cells if every branch is such a name; elsewhere use numbers."
            )
    return Categories(labels, nullable=nullable)

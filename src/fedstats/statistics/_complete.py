"""Complete cases: the rows in which none of some expressions is missing.

A condition leaves the other rows out, so that they cost no noise. What is left is never missing, which the
definition does not know: `filled` says so, by a declared value that takes the place of one that cannot occur.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from fedstats.core.domain import Categories, Dates, Domain, Numbers, Truth
from fedstats.core.expression import (
    Call,
    CategoryLiteral,
    DateLiteral,
    Expression,
    Literal,
    NumberLiteral,
    Op,
)
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid

_ONE, _ZERO = NumberLiteral(Fraction(1)), NumberLiteral(Fraction(0))


def complete(
    where: Expression | None, expressions: Iterable[Expression], dataset: Dataset
) -> Expression | None:
    """The condition that also leaves out the rows where one of the expressions is missing."""
    missing = [e for e in dict.fromkeys(expressions) if domain_of(e, dataset).nullable]
    present = [Call(Op.NOT, (Call(Op.IS_NULL, (expression,)),)) for expression in missing]
    conditions = ([] if where is None else [where]) + present
    return Call(Op.AND, tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)


def filled(expression: Expression, dataset: Dataset) -> Expression:
    """The same value wherever there is one, and never missing.

    Raises
    ------
    ExpressionInvalid
        It is free text, of which no value is declared.

    """
    domain = domain_of(expression, dataset)
    if not domain.nullable:
        return expression
    if isinstance(domain, Truth):
        return Call(Op.EQUAL, (Call(Op.CASE, (expression, _ONE, _ZERO)), _ONE))
    return Call(Op.COALESCE, (expression, _declared(domain)))


def _declared(domain: Domain) -> Literal:
    if isinstance(domain, Categories):
        return CategoryLiteral(domain.labels[0])
    if isinstance(domain, Dates):
        return DateLiteral(domain.lo)
    if isinstance(domain, Numbers):
        return NumberLiteral(domain.lo)
    raise ExpressionInvalid("Free text has no public list of values, and can only be a key of a table.")

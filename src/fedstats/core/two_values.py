"""Expressions that can have two values only, such as a condition or CASE WHEN urgent THEN 100 ELSE 0 END.

A sum of such values is a count in other words. Only what is plain from the tree is found: a range that is
declared wider than the values that a column has is not seen through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import product

from fedstats.core.domain import Numbers, Truth
from fedstats.core.expression import Call, Expression, NumberLiteral, Op
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset

_TWO = 2
_ARITHMETIC: dict[Op, Callable[[Sequence[Fraction]], Fraction]] = {
    Op.ADD: lambda values: values[0] + values[1],
    Op.SUBTRACT: lambda values: values[0] - values[1],
    Op.MULTIPLY: lambda values: values[0] * values[1],
    Op.NEGATE: lambda values: -values[0],
}


def two_values(expression: Expression, dataset: Dataset) -> frozenset[Fraction] | None:
    """The two numbers that the expression can be where it is not missing (truths are 0 and 1); else None."""
    values = _values(expression, dataset)
    return values if values is not None and len(values) == _TWO else None


def _values(expression: Expression, dataset: Dataset) -> frozenset[Fraction] | None:
    """One or two numbers; None where there may be more, or where it is no number."""
    if isinstance(expression, NumberLiteral):
        return frozenset([expression.value])
    domain = domain_of(expression, dataset)
    if isinstance(domain, Truth):
        return frozenset([Fraction(0), Fraction(1)])
    if isinstance(domain, Numbers) and domain.hi - domain.lo <= domain.step:
        return frozenset([domain.lo, domain.hi])
    if isinstance(domain, Numbers) and isinstance(expression, Call):
        return _values_of_call(expression, dataset)
    return None


def _values_of_call(call: Call, dataset: Dataset) -> frozenset[Fraction] | None:
    """What a choice or a calculation makes of the values that go in."""
    if call.op in (Op.CASE, Op.COALESCE):
        return _few(_values(branch, dataset) for branch in _branches(call))
    if call.op not in _ARITHMETIC:
        return None
    parts = [_values(arg, dataset) for arg in call.args]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return _few(frozenset([_ARITHMETIC[call.op](values)]) for values in product(*known))


def _branches(expression: Call) -> Sequence[Expression]:
    """What CASE or COALESCE may give."""
    if expression.op is Op.COALESCE:
        return expression.args
    count = len(expression.args) // 2
    return (*expression.args[1 : 2 * count : 2], *expression.args[2 * count :])


def _few(parts: Iterable[frozenset[Fraction] | None]) -> frozenset[Fraction] | None:
    """All values of the parts, if they are two at most."""
    values = frozenset[Fraction]()
    for part in parts:
        if part is None or len(values | part) > _TWO:
            return None
        values |= part
    return values

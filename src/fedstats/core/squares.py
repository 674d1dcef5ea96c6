"""Squares of an expression around the middle of its range: what a variance adds up beside the values."""

from __future__ import annotations

from fractions import Fraction

from fedstats.core.domain import Numbers
from fedstats.core.expression import Call, Expression, NumberLiteral, Op
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid


def squares_of(expression: Expression, dataset: Dataset) -> tuple[Expression, Fraction]:
    """The squared distance of an expression of numbers from a centre, and that centre.

    The centre is the value of the declared range next below its middle, so that squares are as small as they
    can be and multiples of the square of the native step.

    Raises
    ------
    ExpressionInvalid
        The expression holds no numbers.
    TooLarge
        The squares need more than 62 bits.

    """
    domain = domain_of(expression, dataset)
    if not isinstance(domain, Numbers):
        raise ExpressionInvalid("Only numbers have squares.")
    centre = (domain.lo_code + domain.hi_code) // 2 * domain.step
    off = Call(Op.SUBTRACT, (expression, NumberLiteral(centre))) if centre else expression
    squares = Call(Op.MULTIPLY, (off, off))
    domain_of(squares, dataset)
    return squares, centre

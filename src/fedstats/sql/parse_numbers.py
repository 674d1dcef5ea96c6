"""Functions of numbers that are made of others: ROUND, CEIL, %, //, powers, NULLIF, casts.

Each is composed of the operations that nodes know, so that no engine's own rounding or division counts.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from fedstats.core.domain import Numbers, Truth, common_step
from fedstats.core.expression import Call, Expression, NumberLiteral, Op
from fedstats.core.inference import domain_of, is_literal
from fedstats.errors import ExpressionInvalid, SqlRefused
from fedstats.sql.parse_dates import date_of, number
from fedstats.sql.parse_refusals import fragment_of, refusal_of

if TYPE_CHECKING:  # the reader has these in its tables
    from fedstats.sql.parse_row import RowReader

_DECIMALS_MIN, _DECIMALS_MAX = -6, 6
_POWER_MAX = 4
_HALF = NumberLiteral(Fraction(1, 2))
_TRUE = Call(Op.EQUAL, (number(1), number(1)))
_KIND = exp.DataType.Type
_WHOLE = (_KIND.INT, _KIND.BIGINT, _KIND.SMALLINT, _KIND.TINYINT, _KIND.UINT, _KIND.UBIGINT, _KIND.INT128)
_FRACTIONS = (_KIND.DOUBLE, _KIND.FLOAT, _KIND.DECIMAL)


def ceiling(reader: RowReader, node: exp.Expr) -> Expression:
    """CEIL(x)."""
    inner = reader.call(node, Op.FLOOR, (reader.call(node, Op.NEGATE, (reader.read(node.this),)),))
    return reader.call(node, Op.NEGATE, (inner,))


def rounded(reader: RowReader, node: exp.Expr) -> Expression:
    """ROUND(x) and ROUND(x, decimals), halves away from 0 as in SQL."""
    expression = reader.read(node.this)
    decimals = node.args.get("decimals")
    places = number(0) if decimals is None else reader.read(decimals)
    if not isinstance(places, NumberLiteral) or places.value.denominator != 1:
        raise ExpressionInvalid(f"{fragment_of(node)}: decimals are a whole number that is written out.")
    if not _DECIMALS_MIN <= places.value <= _DECIMALS_MAX:
        raise ExpressionInvalid(
            f"{fragment_of(node)}: between {_DECIMALS_MIN} and {_DECIMALS_MAX} decimals are kept."
        )
    domain = _numbers(reader, node, expression)
    times = NumberLiteral(Fraction(10) ** int(places.value))
    above = _to_nearest(reader, node, expression, times)
    if domain.lo >= 0:
        return above
    turned = _to_nearest(reader, node, reader.call(node, Op.NEGATE, (expression,)), times)
    below = reader.call(node, Op.NEGATE, (turned,))
    sign = reader.call(node, Op.LESS, (expression, number(0))) if domain.hi >= 0 else None
    if sign is None:
        return below
    known = reader.call(node, Op.NOT, (sign,))
    return reader.call(node, Op.CASE, (sign, below, known, above))


def _to_nearest(reader: RowReader, node: exp.Expr, x: Expression, times: NumberLiteral) -> Expression:
    raised = reader.call(node, Op.ADD, (reader.call(node, Op.MULTIPLY, (x, times)), _HALF))
    return reader.call(node, Op.DIVIDE, (reader.call(node, Op.FLOOR, (raised,)), times))


def whole_quotient(reader: RowReader, node: exp.Expr) -> Expression:
    """X // y of what is never below 0: the whole part of the quotient."""
    left, right = reader.read(node.this), reader.read(node.expression)
    _check_not_negative(reader, node, left)
    quotient = reader.call(node, Op.DIVIDE, (left, right))
    return reader.call(node, Op.FLOOR, (quotient,))


def remainder(reader: RowReader, node: exp.Expr) -> Expression:
    """X % 7 of what is never below 0."""
    left, right = reader.read(node.this), reader.read(node.expression)
    if not isinstance(right, NumberLiteral) or right.value <= 0:
        raise SqlRefused(
            f"{fragment_of(node)}: the right side of % is a number above 0 that is written out.",
            remedy="Write x % 7.",
        )
    domain = _check_not_negative(reader, node, left)
    times = reader.call(node, Op.FLOOR, (reader.call(node, Op.DIVIDE, (left, right)),))
    rest = reader.call(node, Op.SUBTRACT, (left, reader.call(node, Op.MULTIPLY, (right, times))))
    most = NumberLiteral(right.value - common_step(domain.step, right.value))
    return reader.call(node, Op.CLAMP, (rest, number(0), most))


def power(reader: RowReader, node: exp.Expr) -> Expression:
    """X ** 2: a product, whose bounds know that squares are never below 0."""
    x, exponent = reader.read(node.this), reader.read(node.expression)
    whole = isinstance(exponent, NumberLiteral) and exponent.value.denominator == 1
    if not whole or not isinstance(exponent, NumberLiteral) or not 1 <= exponent.value <= _POWER_MAX:
        raise SqlRefused(
            f"{fragment_of(node)}: powers are whole numbers from 1 to {_POWER_MAX} that are written out.",
            remedy="Write x ** 2, or x * x.",
        )
    square = reader.call(node, Op.MULTIPLY, (x, x))
    cube = reader.call(node, Op.MULTIPLY, (square, x))
    return (x, square, cube, reader.call(node, Op.MULTIPLY, (square, square)))[int(exponent.value) - 1]


def null_if(reader: RowReader, node: exp.Expr) -> Expression:
    """NULLIF(x, y): missing where they are equal; x / NULLIF(y, 0) divides where the bound 0 is left out."""
    x, y = reader.read_all((node.this, node.expression))
    domain = domain_of(x, reader.dataset)
    value = x
    if isinstance(domain, Numbers) and isinstance(y, NumberLiteral):
        if not domain.lo <= y.value <= domain.hi:
            return x
        lo = domain.lo + domain.step * (y.value == domain.lo)
        hi = domain.hi - domain.step * (y.value == domain.hi)
        if (lo, hi) != (domain.lo, domain.hi) and lo <= hi:
            value = reader.call(node, Op.CLAMP, (x, NumberLiteral(lo), NumberLiteral(hi)))
    differs = reader.call(node, Op.NOT, (reader.call(node, Op.EQUAL, (x, y)),))
    if domain_of(differs, reader.dataset).nullable:
        differs = reader.call(node, Op.COALESCE, (differs, _TRUE))
    return reader.call(node, Op.CASE, (differs, value))


def cast(reader: RowReader, node: exp.Expr) -> Expression:
    """CAST that changes nothing but the name of a type, of written dates, and of conditions to 0 and 1."""
    kind = node.args["to"]
    if not isinstance(kind, exp.DataType) or kind.expressions:
        raise refusal_of(node)
    if kind.this is _KIND.DATE:
        return date_of(reader, node)
    if isinstance(node.this, exp.Literal) or kind.this not in (*_WHOLE, *_FRACTIONS):
        raise refusal_of(node)
    expression = reader.read(node.this)
    domain = domain_of(expression, reader.dataset)
    if isinstance(domain, Truth):
        known = reader.call(node, Op.NOT, (expression,))
        return reader.call(node, Op.CASE, (expression, number(1), known, number(0)))
    if not isinstance(domain, Numbers):
        raise refusal_of(node)
    if kind.this in _WHOLE and domain.step.denominator != 1:
        raise SqlRefused(
            f"{fragment_of(node)}: databases disagree on how a fraction becomes a whole number.",
            remedy="Write ROUND(x) or FLOOR(x).",
        )
    return expression


def _numbers(reader: RowReader, node: exp.Expr, expression: Expression) -> Numbers:
    domain = domain_of(expression, reader.dataset)
    if not isinstance(domain, Numbers) or is_literal(expression):
        raise ExpressionInvalid(f"{fragment_of(node)} takes a number that rows have.")
    return domain


def _check_not_negative(reader: RowReader, node: exp.Expr, expression: Expression) -> Numbers:
    domain = _numbers(reader, node, expression)
    if domain.lo < 0:
        raise SqlRefused(
            f"{fragment_of(node)}: databases disagree on what this is of a number below 0.",
            remedy="Write FLOOR(x / y), or narrow x with CLAMP(x, 0, 100).",
        )
    return domain

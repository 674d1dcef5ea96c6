"""Exact integer arithmetic in SQL: no step overflows its type, and division rounds down everywhere.

Databases store codes in the smallest type that holds them, and several (DuckDB among them) add two small
integers in that small type. Each integer here knows its bounds, so each operation is cast to a type in which
all of it fits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from sqlglot import exp

from fedstats.errors import TooLarge

STORED = 0
"""The width of what is stored (or written out): unknown, so it is cast before anything is done with it."""

_TYPES = {32: "INT", 64: "BIGINT", 128: "INT128"}
_ATOMS = (exp.Column, exp.Literal, exp.Cast, exp.Case, exp.Paren, exp.Abs, exp.Coalesce)


@dataclass(frozen=True, slots=True)
class Integer:
    """An SQL expression whose value is an integer from `lo` to `hi`, or NULL, in a type of `bits` bits."""

    sql: exp.Expr
    lo: int
    hi: int
    bits: int = STORED

    @property
    def reach(self) -> int:
        """The greatest magnitude."""
        return max(abs(self.lo), abs(self.hi))

    def within(self, lo: int, hi: int) -> Integer:
        """The same integer, known to lie between tighter bounds."""
        return replace(self, lo=max(lo, self.lo), hi=min(hi, self.hi))


def literal(value: int) -> Integer:
    """A number that is written out."""
    return Integer(exp.Literal.number(value), value, value)


def is_literal(integer: Integer) -> bool:
    """Whether it is written out, so that Python can compute with it."""
    return isinstance(integer.sql, exp.Literal | exp.Neg) and integer.lo == integer.hi


def wrapped(sql: exp.Expr) -> exp.Expr:
    """A copy that can stand beside any operator."""
    return sql.copy() if isinstance(sql, _ATOMS) else exp.Paren(this=sql.copy())


def add(left: Integer, right: Integer) -> Integer:
    """`left + right`."""
    return _operation(exp.Add, left, right, lo=left.lo + right.lo, hi=left.hi + right.hi)


def subtract(left: Integer, right: Integer) -> Integer:
    """`left - right`."""
    return _operation(exp.Sub, left, right, lo=left.lo - right.hi, hi=left.hi - right.lo)


def multiply(left: Integer, right: Integer) -> Integer:
    """`left * right`."""
    if right.lo == right.hi == 1 and is_literal(right):
        return left
    corners = [a * b for a, b in product((left.lo, left.hi), (right.lo, right.hi))]
    return _operation(exp.Mul, left, right, lo=min(corners), hi=max(corners))


def negate(integer: Integer) -> Integer:
    """`-integer`."""
    return multiply(integer, literal(-1))


def absolute(integer: Integer) -> Integer:
    """The magnitude."""
    bits = max(integer.bits, _bits(integer.reach))
    least = 0 if integer.lo <= 0 <= integer.hi else min(abs(integer.lo), abs(integer.hi))
    return Integer(exp.Abs(this=_cast(integer, bits)), least, integer.reach, bits)


def divide_down(integer: Integer, divisor: int) -> Integer:
    """The greatest integer not above `integer / divisor`, for a divisor above 0.

    Engines truncate toward 0 or round down. An offset that makes the dividend positive makes both the same.
    """
    if is_literal(integer):
        return literal(integer.lo // divisor)
    if divisor == 1:
        return integer
    offset = max(0, -(integer.lo // divisor))
    dividend = add(integer, literal(offset * divisor))
    whole = _divided(dividend, literal(divisor), lo=dividend.lo // divisor, hi=dividend.hi // divisor)
    return subtract(whole, literal(offset))


def divide_half_up(dividend: Integer, divisor: Integer, *, lo: int, hi: int) -> Integer:
    """`dividend / divisor` to the nearest integer, halves upward, for a divisor that is always above 0.

    `lo` and `hi` bound the result; `divisor` is written twice, so it should be short. The nearest integer to
    n/d is the greatest one not above (2n + d) / 2d, and an offset of -lo makes that dividend positive.
    """
    offset = max(0, -lo)
    raised = add(multiply(dividend, literal(2)), multiply(divisor, literal(2 * offset + 1)))
    whole = _divided(raised, multiply(divisor, literal(2)), lo=lo + offset, hi=hi + offset)
    return subtract(whole, literal(offset))


def _operation(operator: type[exp.Binary], left: Integer, right: Integer, *, lo: int, hi: int) -> Integer:
    if is_literal(left) and is_literal(right):
        return literal(lo)
    if operator in (exp.Add, exp.Sub) and is_literal(right) and right.lo == 0:
        return left
    reach = max(left.reach, right.reach, abs(lo), abs(hi))
    bits = max(left.bits, right.bits, _bits(reach))
    return Integer(operator(this=_cast(left, bits), expression=_cast(right, bits)), lo, hi, bits)


def _divided(dividend: Integer, divisor: Integer, *, lo: int, hi: int) -> Integer:
    bits = max(dividend.bits, divisor.bits, _bits(max(dividend.reach, divisor.reach)))
    sql = exp.IntDiv(this=_cast(dividend, bits), expression=_cast(divisor, bits))
    return Integer(sql, lo, hi, bits)


def _bits(reach: int) -> int:
    for bits in _TYPES:
        if reach < 2 ** (bits - 1):
            return bits
    raise TooLarge("A step of this expression needs more than 127 bits. Narrow its parts with CLAMP.")


def _cast(integer: Integer, bits: int) -> exp.Expr:
    if is_literal(integer):
        return integer.sql.copy()  # takes the type of what it meets, which is cast
    return wrapped(integer.sql) if integer.bits == bits else exp.cast(integer.sql.copy(), _TYPES[bits])

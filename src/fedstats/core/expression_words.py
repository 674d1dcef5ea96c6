"""Expressions in plain English, for people who decide and for the public; no two trees read the same.

Composed operands stand in brackets, labels in quotes, and a column whose name is a word of this grammar in
double quotes, so that a label or a name cannot pass for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from fedstats.core.domain import date_of
from fedstats.core.expression import (
    Call,
    Column,
    DateLiteral,
    Expression,
    Literal,
    NumberLiteral,
    Op,
)

# fmt: off
_WORDS = frozenset(
    (
        "absolute", "and", "at", "bands", "cut", "down", "else", "first", "from", "if", "is", "kept",
        "known", "least", "greatest", "minus", "missing", "month", "not", "number", "of", "one", "none",
        "or", "quarter", "rounded", "the", "then", "to", "true", "false", "value", "week", "weekday",
        "within", "year",
    )
)
# fmt: on
"""The words of this grammar."""


def expression_words(expression: Expression) -> str:
    """`expression` as people read it: `age >= 65 and sex is 'F'`."""
    if isinstance(expression, Call):
        return _CALLS[expression.op](expression.args)
    if isinstance(expression, Column):
        return f'"{expression.name}"' if expression.name in _WORDS else expression.name
    if isinstance(expression, NumberLiteral):
        return number_words(expression.value)
    if isinstance(expression, DateLiteral):
        return date_of(expression.days).isoformat()
    return quoted(expression.label)


def operand_words(expression: Expression) -> str:
    """The same as a part of something longer: whatever is composed stands in brackets."""
    words = expression_words(expression)
    return f"({words})" if isinstance(expression, Call) else words


def number_words(value: Fraction) -> str:
    """The exact number: a decimal where it has a short one, else a fraction."""
    thousandths = value * 1_000_000
    if thousandths.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    whole, rest = divmod(abs(thousandths.numerator), 1_000_000)
    decimals = f".{rest:06}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole}{decimals}"


def quoted(label: str) -> str:
    """A label in single quotes, which are doubled inside it."""
    return "'" + label.replace("'", "''") + "'"


Args = tuple[Expression, ...]
Words = Callable[[Args], str]


def _condition(expression: Expression) -> str:
    """One of several conditions: comparisons need no brackets between "and" and "or"."""
    inner = expression
    if isinstance(inner, Call) and inner.op is Op.NOT:
        inner = inner.args[0]
    plain = isinstance(inner, Column) or (isinstance(inner, Call) and inner.op in _COMPARISONS)
    return expression_words(expression) if plain else operand_words(expression)


def _listed(args: Iterable[Expression]) -> str:
    return f"({', '.join(map(operand_words, args))})"


def _infix(sign: str) -> Words:
    return lambda args: f" {sign} ".join(map(operand_words, args))


def _joined(word: str) -> Words:
    return lambda args: f" {word} ".join(map(_condition, args))


def _before(words: str) -> Words:
    return lambda args: f"{words} {operand_words(args[0])}"


def _of(words: str) -> Words:
    return lambda args: f"{words} {_listed(args)}"


def _ordered(sign: str, mirrored: str) -> Words:
    """A comparison, turned round where a number or date stands first: 65 <= age reads age >= 65."""

    def words(args: Args) -> str:
        left, right = args
        if isinstance(left, Literal) and not isinstance(right, Literal):
            return f"{operand_words(right)} {mirrored} {operand_words(left)}"
        return f"{operand_words(left)} {sign} {operand_words(right)}"

    return words


def _not(args: Args) -> str:
    (arg,) = args
    if isinstance(arg, Call) and arg.op in _NEGATED:
        return _NEGATED[arg.op](arg.args)
    return f"not {operand_words(arg)}"


def _case(args: Args) -> str:
    pairs = zip(args[0::2], args[1::2], strict=False)  # an odd one is the default
    branches = "; ".join(
        f"if {operand_words(condition)} then {operand_words(value)}" for condition, value in pairs
    )
    return f"{branches}; else {operand_words(args[-1]) if len(args) % 2 else 'missing'}"


_NEGATED: dict[Op, Words] = {
    Op.EQUAL: _infix("is not"),
    Op.IN: lambda args: f"{operand_words(args[0])} is none of {_listed(args[1:])}",
    Op.IS_NULL: lambda args: f"{operand_words(args[0])} is not missing",
}
_COMPARISONS = frozenset({Op.EQUAL, Op.LESS, Op.LESS_EQUAL, Op.IN, Op.IS_NULL})

_CALLS: dict[Op, Words] = {
    Op.ADD: _infix("+"),
    Op.SUBTRACT: _infix("-"),
    Op.MULTIPLY: _infix("*"),
    Op.DIVIDE: _infix("/"),
    Op.NEGATE: _before("minus"),
    Op.ABS: _before("the absolute value of"),
    Op.FLOOR: lambda args: f"{operand_words(args[0])} rounded down",
    Op.LEAST: _of("the least of"),
    Op.GREATEST: _of("the greatest of"),
    Op.CLAMP: lambda args: f"{operand_words(args[0])} kept within {_listed(args[1:])}",
    Op.BAND: lambda args: f"{operand_words(args[0])} in bands cut at {_listed(args[1:])}",
    Op.EQUAL: _infix("is"),
    Op.LESS: _ordered("<", ">"),
    Op.LESS_EQUAL: _ordered("<=", ">="),
    Op.AND: _joined("and"),
    Op.OR: _joined("or"),
    Op.NOT: _not,
    Op.IN: lambda args: f"{operand_words(args[0])} is one of {_listed(args[1:])}",
    Op.IS_NULL: lambda args: f"{operand_words(args[0])} is missing",
    Op.COALESCE: _of("the first known of"),
    Op.CASE: _case,
    Op.TRUNCATE_WEEK: _before("the week of"),
    Op.TRUNCATE_MONTH: _before("the month of"),
    Op.TRUNCATE_YEAR: _before("the year of"),
    Op.TRUNCATE_QUARTER: _before("the quarter of"),
    Op.YEAR_OF: _before("the number of the year of"),
    Op.MONTH_OF: _before("the number of the month of"),
    Op.WEEKDAY_OF: _before("the number of the weekday of"),
}

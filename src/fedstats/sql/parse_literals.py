"""What is written out in a question: numbers, texts and dates, and arithmetic between numbers."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

from sqlglot import exp

from fedstats.core.domain import days_of
from fedstats.core.expression import Call, CategoryLiteral, DateLiteral, Expression, NumberLiteral, Op
from fedstats.errors import ExpressionInvalid, TooLarge

_NUMBER = re.compile(r"(?=[0-9.]{1,40}(e|$))[0-9]*\.?[0-9]*(e[+-]?[0-9]{1,2})?", re.ASCII | re.IGNORECASE)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def literal_of(node: exp.Expr) -> NumberLiteral | CategoryLiteral:
    """The number or the text of a literal node, in full precision.

    Raises
    ------
    TooLarge
        A number of more digits than 62 bits hold.
    ValueInvalid
        A text that can be no label.

    """
    text = str(node.this)
    return CategoryLiteral(text) if node.args.get("is_string") else number_of_text(text)


def number_of_text(text: str) -> NumberLiteral:
    """The exact number.

    Raises
    ------
    TooLarge
        It has too many digits.

    """
    if not _NUMBER.fullmatch(text) or not any(character.isdigit() for character in text):
        raise TooLarge(f"{text[:40]!r} is no number with up to 40 digits and an exponent up to 99.")
    return NumberLiteral(Fraction(text))


def date_of_text(text: str) -> DateLiteral:
    """The day of an ISO date.

    Raises
    ------
    ExpressionInvalid
        It is no date in the form 2025-01-31.

    """
    try:
        if _ISO_DATE.fullmatch(text):
            return DateLiteral(days_of(date.fromisoformat(text)))
    except ValueError:
        pass
    raise ExpressionInvalid(f"{text[:40]!r} is no date: write it as 2025-01-31.")


def folded(call: Call) -> Expression:
    """The number itself where an operation has only numbers that are written out, such as 18 * 7."""
    numbers = [arg.value for arg in call.args if isinstance(arg, NumberLiteral)]
    if len(numbers) != len(call.args) or call.op not in _ARITHMETIC:
        return call
    return NumberLiteral(_ARITHMETIC[call.op](numbers))


_ARITHMETIC = {
    Op.ADD: lambda numbers: numbers[0] + numbers[1],
    Op.SUBTRACT: lambda numbers: numbers[0] - numbers[1],
    Op.MULTIPLY: lambda numbers: numbers[0] * numbers[1],
    Op.DIVIDE: lambda numbers: numbers[0] / numbers[1],
    Op.NEGATE: lambda numbers: -numbers[0],
}

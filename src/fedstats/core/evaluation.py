"""The integer reference of expressions: what an engine must compute, bit for bit, on one row of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from fedstats.core.domain import Categories, Domain, Every, Numbers, Texts, Truth, date_of, truncate
from fedstats.core.expression import (
    Call,
    CategoryLiteral,
    Column,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
)
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset
from fedstats.errors import InternalError

Row = Mapping[str, int | None]
"""One row: column name to code, None where the value is missing."""

TextRow = Mapping[str, int | str | None]
"""The same with free text, which has no code and stands for itself."""


def evaluate(expression: Expression, dataset: Dataset, row: TextRow) -> int | None:
    """The code of `expression` on `row` (codes of its own domain), None where SQL gives NULL."""
    value = _value(expression, dataset, row)
    return None if value is None else _to_code(value, domain_of(expression, dataset))


def key_value(key: Expression, dataset: Dataset, row: TextRow) -> int | str | None:
    """The code of a key on `row`, or the text of an open one."""
    if isinstance(key, Column) and isinstance(domain_of(key, dataset), Texts):
        return row[key.name]
    return evaluate(key, dataset, row)


Value = Fraction | str | int | bool
"""A number, a label, a date in days, a truth value."""


def _value(expression: Expression, dataset: Dataset, row: TextRow) -> Value | None:
    if isinstance(expression, Column):
        code = row[expression.name]
        if isinstance(code, str):
            raise InternalError("Free text is never computed with.")
        return None if code is None else _from_code(code, domain_of(expression, dataset))
    if isinstance(expression, NumberLiteral):
        return expression.value
    if isinstance(expression, CategoryLiteral):
        return expression.label
    if isinstance(expression, DateLiteral):
        return expression.days
    return _call(expression, dataset, row)


def _call(call: Call, dataset: Dataset, row: TextRow) -> Value | None:
    values = [_value(arg, dataset, row) for arg in call.args]
    if call.op in _OF_MISSING:
        return _OF_MISSING[call.op](values)
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if call.op in _OF_ANY:
        return _OF_ANY[call.op](known)
    return _arithmetic(call, dataset, [Fraction(value) for value in known if not isinstance(value, str)])


def _and(values: Sequence[Value | None]) -> Value | None:
    return False if False in values else None if None in values else True


def _or(values: Sequence[Value | None]) -> Value | None:
    return True if True in values else None if None in values else False


def _coalesce(values: Sequence[Value | None]) -> Value | None:
    return next((value for value in values if value is not None), None)


def _case(values: Sequence[Value | None]) -> Value | None:
    pairs = zip(values[0::2], values[1::2], strict=False)  # an odd one is the default
    default = values[-1] if len(values) % 2 else None
    return next((value for condition, value in pairs if condition is True), default)


_OF_MISSING: dict[Op, Callable[[Sequence[Value | None]], Value | None]] = {
    Op.AND: _and,
    Op.OR: _or,
    Op.IS_NULL: lambda values: values[0] is None,
    Op.COALESCE: _coalesce,
    Op.CASE: _case,
}
"""What gives a value even where an argument is missing; everything else is missing there."""

_OF_ANY: dict[Op, Callable[[Sequence[Value]], Value]] = {
    Op.IN: lambda values: values[0] in values[1:],
    Op.EQUAL: lambda values: values[0] == values[1],
    Op.NOT: lambda values: not values[0],
    Op.TRUNCATE_WEEK: lambda values: truncate(int(values[0]), Every.WEEK),
    Op.TRUNCATE_MONTH: lambda values: truncate(int(values[0]), Every.MONTH),
    Op.TRUNCATE_YEAR: lambda values: truncate(int(values[0]), Every.YEAR),
    Op.TRUNCATE_QUARTER: lambda values: truncate(int(values[0]), Every.QUARTER),
    Op.YEAR_OF: lambda values: Fraction(date_of(int(values[0])).year),
    Op.MONTH_OF: lambda values: Fraction(date_of(int(values[0])).month),
    Op.WEEKDAY_OF: lambda values: Fraction(date_of(int(values[0])).isoweekday()),
}
"""What works on values of every type."""


def _arithmetic(call: Call, dataset: Dataset, values: list[Fraction]) -> Value:
    op = call.op
    if op is Op.BAND:
        domain = domain_of(call, dataset)
        assert isinstance(domain, Categories)  # noqa: S101  # the rule of BAND says so
        return domain.labels[sum(values[0] >= cut for cut in values[1:])]
    if op in (Op.LESS, Op.LESS_EQUAL):
        return values[0] < values[1] if op is Op.LESS else values[0] <= values[1]
    result = {
        Op.ADD: lambda: values[0] + values[1],
        Op.SUBTRACT: lambda: values[0] - values[1],
        Op.MULTIPLY: lambda: values[0] * values[1],
        Op.DIVIDE: lambda: values[0] / values[1],
        Op.NEGATE: lambda: -values[0],
        Op.ABS: lambda: abs(values[0]),
        Op.FLOOR: lambda: Fraction(values[0] // 1),
        Op.LEAST: lambda: min(values),
        Op.GREATEST: lambda: max(values),
        Op.CLAMP: lambda: min(max(values[0], values[1]), values[2]),
    }[op]()
    domain = domain_of(call, dataset)
    # Only a quotient of two columns can lie between grid points: it is rounded half up, here as in SQL.
    return round_half_up(result / domain.step) * domain.step if isinstance(domain, Numbers) else int(result)


def round_half_up(value: Fraction) -> int:
    """The nearest integer, halves upward: floor((2 n + d) / 2 d), the same in every engine."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _from_code(code: int, domain: Domain) -> Value:
    if isinstance(domain, Numbers):
        return code * domain.step
    if isinstance(domain, Categories):
        return domain.labels[code]
    return bool(code) if isinstance(domain, Truth) else code


def _to_code(value: Value, domain: Domain) -> int:
    if isinstance(domain, Numbers):
        code = Fraction(value) / domain.step
        if code.denominator != 1:
            raise InternalError("The value of an expression lies between two steps of its domain.")
        return code.numerator
    if isinstance(domain, Categories):
        return domain.labels.index(str(value))
    return int(value)

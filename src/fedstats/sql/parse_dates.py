"""Dates in SQL: periods, parts, differences, and casts to and from them.

Databases count the days of a week in different ways, and months differ in length: where what is meant is not
plain, the question is refused with what to write.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from fedstats.core.domain import Dates
from fedstats.core.expression import CategoryLiteral, Expression, NumberLiteral, Op
from fedstats.core.inference import domain_of
from fedstats.errors import ExpressionInvalid, SqlRefused
from fedstats.sql.parse_literals import date_of_text, number_of_text
from fedstats.sql.parse_refusals import fragment_of, placed, refusal_of

if TYPE_CHECKING:  # the reader has these in its tables
    from fedstats.sql.parse_row import RowReader

_PERIODS = {
    "WEEK": Op.TRUNCATE_WEEK,
    "MONTH": Op.TRUNCATE_MONTH,
    "QUARTER": Op.TRUNCATE_QUARTER,
    "YEAR": Op.TRUNCATE_YEAR,
}
_DAYS = {"DAY": 1, "WEEK": 7}
_PARTS = "YEAR, QUARTER, MONTH, DAY, ISODOW (Monday 1 to Sunday 7) or DOW (Sunday 0 to Saturday 6)"


def number(value: int) -> NumberLiteral:
    """A whole number as a literal."""
    return NumberLiteral(Fraction(value))


def truncated(reader: RowReader, node: exp.Expr) -> Expression:
    """DATE_TRUNC('month', d)."""
    unit = _unit(node.args["unit"])
    if unit not in _PERIODS:
        raise SqlRefused(
            f"{fragment_of(node)}: dates are truncated to a week, a month, a quarter or a year.",
            remedy="Write DATE_TRUNC('week', d), DATE_TRUNC('month', d), DATE_TRUNC('quarter', d) or "
            "DATE_TRUNC('year', d).",
        )
    return reader.call(node, _PERIODS[unit], (reader.read(node.this),))


def difference(reader: RowReader, node: exp.Expr) -> Expression:
    """DATEDIFF('day', a, b): days, or how many months, quarters or years begin after a up to b."""
    unit = _unit(node.args.get("unit"))
    end, start = reader.read_all((node.this, node.expression))
    if not all(isinstance(domain_of(side, reader.dataset), Dates) for side in (end, start)):
        raise ExpressionInvalid(f"{fragment_of(node)}: DATEDIFF takes two dates.")
    if unit == "DAY":
        return reader.call(node, Op.SUBTRACT, (end, start))
    if unit not in ("MONTH", "QUARTER", "YEAR"):
        raise SqlRefused(
            f"{fragment_of(node)}: the difference of two dates is in days, months, quarters or years.",
            remedy="Write DATEDIFF('day', a, b) or b - a; full weeks are FLOOR((b - a) / 7).",
        )
    return reader.call(node, Op.SUBTRACT, [_periods(reader, node, unit, side) for side in (end, start)])


def _periods(reader: RowReader, node: exp.Expr, unit: str, date: Expression) -> Expression:
    """How many months, quarters or years there were up to that of the date."""
    years = reader.call(node, Op.YEAR_OF, (date,))
    if unit == "YEAR":
        return years
    a_year, part = (12, _month(reader, node, date)) if unit == "MONTH" else (4, _quarter(reader, node, date))
    return reader.call(node, Op.ADD, (reader.call(node, Op.MULTIPLY, (years, number(a_year))), part))


PartReader = Callable[["RowReader", exp.Expr, Expression], Expression]


def _year(reader: RowReader, node: exp.Expr, date: Expression) -> Expression:
    return reader.call(node, Op.YEAR_OF, (date,))


def _month(reader: RowReader, node: exp.Expr, date: Expression) -> Expression:
    return reader.call(node, Op.MONTH_OF, (date,))


def _quarter(reader: RowReader, node: exp.Expr, date: Expression) -> Expression:
    raised = reader.call(node, Op.ADD, (_month(reader, node, date), number(2)))
    return reader.call(node, Op.FLOOR, (reader.call(node, Op.DIVIDE, (raised, number(3))),))


def _day(reader: RowReader, node: exp.Expr, date: Expression) -> Expression:
    first = reader.call(node, Op.TRUNCATE_MONTH, (date,))
    days = reader.call(node, Op.ADD, (reader.call(node, Op.SUBTRACT, (date, first)), number(1)))
    return reader.call(node, Op.CLAMP, (days, number(1), number(31)))


def _weekday(reader: RowReader, node: exp.Expr, date: Expression) -> Expression:
    return reader.call(node, Op.WEEKDAY_OF, (date,))


def _weekday_from_sunday(reader: RowReader, node: exp.Expr, date: Expression) -> Expression:
    day = _weekday(reader, node, date)
    sunday = reader.call(node, Op.EQUAL, (day, number(7)))
    chosen = reader.call(node, Op.CASE, (sunday, number(0), day))
    return reader.call(node, Op.CLAMP, (chosen, number(0), number(6)))


_PART_READERS: dict[str, PartReader] = {
    "YEAR": _year,
    "MONTH": _month,
    "QUARTER": _quarter,
    "DAY": _day,
    "ISODOW": _weekday,
    "DOW": _weekday_from_sunday,
}


def part(name: str) -> Callable[[RowReader, exp.Expr], Expression]:
    """YEAR(d), MONTH(d) and the like."""
    return lambda reader, node: _PART_READERS[name](reader, node, reader.read(node.this))


def named_part(reader: RowReader, node: exp.Expr) -> Expression:
    """ISODOW(d) and DOW(d), which sqlglot has no node for."""
    if len(node.expressions) != 1:
        raise ExpressionInvalid(f"{fragment_of(node)} takes a date.")
    return _PART_READERS[str(node.name).upper()](reader, node, reader.read(node.expressions[0]))


def extracted(reader: RowReader, node: exp.Expr) -> Expression:
    """EXTRACT(YEAR FROM d)."""
    return _extracted(reader, node, _unit(node.this), node.expression)


def date_part(reader: RowReader, node: exp.Expr) -> Expression:
    """DATE_PART('year', d)."""
    if len(node.expressions) != 2:  # noqa: PLR2004  # a part and a date
        raise ExpressionInvalid(f"{fragment_of(node)}: write DATE_PART('year', d).")
    unit, date = node.expressions
    return _extracted(reader, node, _unit(unit), date)


def _extracted(reader: RowReader, node: exp.Expr, unit: str, date: exp.Expr) -> Expression:
    if unit not in _PART_READERS:
        raise SqlRefused(
            f"{fragment_of(node)}: of a date there are {_PARTS}.", remedy="For weeks: DATE_TRUNC('week', d)."
        )
    return _PART_READERS[unit](reader, node, reader.read(date))


def interval(_reader: RowReader, node: exp.Expr) -> Expression:
    """INTERVAL 7 DAY: the days that are added to a date."""
    text, unit = str(getattr(node.this, "name", "")), _unit(node.args.get("unit"))
    if unit not in _DAYS or not text.lstrip("-").isdecimal():
        raise SqlRefused(
            f"{fragment_of(node)}: months and years differ in length, and dates have no hours.",
            remedy="Write a whole number of days, such as d + INTERVAL 30 DAY or d + 30.",
        )
    with placed(node):
        days = number_of_text(text.lstrip("-")).value * _DAYS[unit]
        return NumberLiteral(-days if text.startswith("-") else days)


def shifted(reader: RowReader, node: exp.Expr) -> Expression:
    """DATE_ADD(d, INTERVAL 7 DAY)."""
    if not isinstance(node.expression, exp.Interval):
        raise refusal_of(node)
    return reader.call(node, Op.ADD, (reader.read(node.this), reader.read(node.expression)))


def date_of(reader: RowReader, node: exp.Expr) -> Expression:
    """DATE '2025-01-31', DATE(d) and CAST(d AS DATE): a written date, or what is a date already."""
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        with placed(node):
            return date_of_text(node.this.name)
    expression = reader.read(node.this) if isinstance(node.this, exp.Expr) else None
    if expression is None or isinstance(expression, CategoryLiteral):
        raise refusal_of(node)
    if not isinstance(domain_of(expression, reader.dataset), Dates):
        raise refusal_of(node)
    return expression


def _unit(node: object) -> str:
    """The name of a unit in capitals and in the singular."""
    name = str(getattr(node, "name", "")).upper()
    return name[:-1] if name.endswith("S") and name[:-1] in (*_PERIODS, *_DAYS) else name

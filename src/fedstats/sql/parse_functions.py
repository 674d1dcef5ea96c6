"""Functions that SQL has no node for: CLAMP, BAND, WEEK_BAND and HISTOGRAM."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from fedstats.core.expression import Expression, NumberLiteral, Op
from fedstats.core.histogram import Bins, bins_of
from fedstats.core.inference import domain_of, is_literal
from fedstats.errors import ExpressionInvalid
from fedstats.sql.parse_refusals import fragment_of, function_name, placed

if TYPE_CHECKING:  # the reader has these functions in its table
    from fedstats.sql.parse_row import RowReader

HISTOGRAM = "HISTOGRAM"
_ONE = NumberLiteral(Fraction(1))
_WEEK_BAND_MAX = 104
_HISTOGRAM_ARGS = 2


def clamp(reader: RowReader, node: exp.Expr) -> Expression:
    """CLAMP(x, lo, hi)."""
    return reader.call(node, Op.CLAMP, [reader.read(part) for part in node.expressions])


def band(reader: RowReader, node: exp.Expr) -> Expression:
    """BAND(x, cut, cut, ...)."""
    return reader.call(node, Op.BAND, [reader.read(part) for part in node.expressions])


def week_band(reader: RowReader, node: exp.Expr) -> Expression:
    """The weekly bands of published waiting times: 0 up to 7 days, then (days - 1) // 7, at most 104."""
    if len(node.expressions) != 1:
        raise ExpressionInvalid(
            f"{fragment_of(node)}: WEEK_BAND takes a number of days: WEEK_BAND(wait_days)."
        )
    days = reader.read(node.expressions[0])
    weeks = reader.call(node, Op.SUBTRACT, (days, _ONE))
    for op, number in ((Op.DIVIDE, 7), (Op.FLOOR, None)):
        others = () if number is None else (NumberLiteral(Fraction(number)),)
        weeks = reader.call(node, op, (weeks, *others))
    ends = (NumberLiteral(Fraction(0)), NumberLiteral(Fraction(_WEEK_BAND_MAX)))
    return weeks if is_literal(weeks) else reader.call(node, Op.CLAMP, (weeks, *ends))


def histogram(reader: RowReader, node: exp.Expr) -> Expression:
    """HISTOGRAM(x, bins): bands of equal width, so the same bands written out are the same question."""
    expression, bins = _binned(reader, node)
    return reader.call(node, Op.BAND, (expression, *(NumberLiteral(cut) for cut in bins.cuts)))


def is_histogram(node: exp.Expr) -> bool:
    """Whether the node is HISTOGRAM itself, in parentheses or not."""
    while isinstance(node, exp.Paren):
        node = node.this
    return isinstance(node, exp.Anonymous) and function_name(node) == HISTOGRAM


def histogram_bins(reader: RowReader, node: exp.Expr) -> Bins:
    """The bins of a HISTOGRAM."""
    while isinstance(node, exp.Paren):
        node = node.this
    return _binned(reader, node)[1]


def _binned(reader: RowReader, node: exp.Expr) -> tuple[Expression, Bins]:
    if len(node.expressions) != _HISTOGRAM_ARGS:
        raise ExpressionInvalid(
            f"{fragment_of(node)}: HISTOGRAM takes a number and how many bins: HISTOGRAM(age, 12)."
        )
    expression, count = (reader.read(part) for part in node.expressions)
    if not isinstance(count, NumberLiteral) or count.value.denominator != 1:
        raise ExpressionInvalid(
            f"{fragment_of(node)}: how many bins is a whole number that is written out: HISTOGRAM(age, 12)."
        )
    with placed(node):
        return expression, bins_of(domain_of(expression, reader.dataset), int(count.value))

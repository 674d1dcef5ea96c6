"""MEDIAN(x) and QUANTILE(x, q): which quantile of what a node asks for."""

from __future__ import annotations

from fractions import Fraction

from sqlglot import exp

from fedstats.core.domain import Dates, Numbers
from fedstats.core.expression import Expression, NumberLiteral
from fedstats.core.inference import domain_of
from fedstats.errors import ExpressionInvalid, SqlRefused
from fedstats.sql.parse_literals import literal_of
from fedstats.sql.parse_refusals import check_parts, fragment_of, placed
from fedstats.sql.parse_row import RowReader

QUANTILES = (exp.Median, exp.Quantile, exp.PercentileDisc)
"""QUANTILE_DISC, as DuckDB has it, is the same: the least value that a share of the rows does not exceed."""

_MIDDLE = Fraction(1, 2)
_HOW = "Write QUANTILE(x, 0.9): the least value that nine in ten rows do not exceed."


def quantile_parts(node: exp.Expr) -> tuple[exp.Expr, Fraction]:
    """What the quantile is of, as it was written, and the share of the rows that do not exceed it.

    Raises
    ------
    LanguageError
        The share is no written number above 0 and below 1.

    """
    if isinstance(node, exp.Median):
        check_parts(node, ("this",))
        return node.this, _MIDDLE
    place = "quantile" if isinstance(node, exp.Quantile) else "expression"
    check_parts(node, ("this", place))
    written = node.args.get(place)
    if not isinstance(written, exp.Literal | exp.Neg):
        raise SqlRefused(f"{fragment_of(node)}: the share of a quantile is one written number.", remedy=_HOW)
    negative = isinstance(written, exp.Neg)
    with placed(node):
        share = literal_of(written.this if negative else written)
    if negative or not isinstance(share, NumberLiteral) or not 0 < share.value < 1:
        raise ExpressionInvalid(
            f"{fragment_of(node)}: the share of a quantile lies above 0 and below 1. At the ends it would be "
            f"the value of one row. {_HOW}"
        )
    return node.this, share.value


def check_quantile(reader: RowReader, node: exp.Expr, expression: Expression) -> None:
    """Refuse what has no order.

    Raises
    ------
    LanguageError
        It has none.

    """
    domain = domain_of(expression, reader.dataset)
    if isinstance(domain, Dates):
        first = domain.label(domain.lo)
        raise SqlRefused(
            f"{fragment_of(node)}: columns of SQL answers are numbers, and a quantile of dates is a date.",
            remedy=f"Ask for days: MEDIAN(DATEDIFF('day', DATE '{first}', d)).",
        )
    if not isinstance(domain, Numbers):
        raise SqlRefused(
            f"{fragment_of(node)}: quantiles are of numbers.",
            remedy="Count the others: COUNT(*) with GROUP BY.",
        )

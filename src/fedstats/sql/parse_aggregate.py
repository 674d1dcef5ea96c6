"""Aggregates and arithmetic between them: from sqlglot's tree to the formulas of a selection."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sqlglot import exp

from fedstats.core.domain import Numbers, Texts, Truth
from fedstats.core.expression import Call, Expression, NumberLiteral, Op, columns_of
from fedstats.core.grid import centred_grid
from fedstats.core.inference import domain_of, is_literal
from fedstats.core.privacy import UnitKind
from fedstats.core.selection import VARIANCES, AggregateCall, AggregateKind, Arithmetic, Formula
from fedstats.core.squares import squares_of
from fedstats.errors import ExpressionInvalid, SqlRefused
from fedstats.sql.parse_literals import literal_of
from fedstats.sql.parse_quantile import QUANTILES, check_quantile, quantile_parts
from fedstats.sql.parse_refusals import (
    OTHER_FORMS,
    SYNONYMS,
    check_parts,
    fragment_of,
    function_name,
    placed,
    refusal_of,
)
from fedstats.sql.parse_row import RowReader

_SPREADS = {
    **dict.fromkeys(("VAR_SAMP", "VARIANCE", "VAR"), AggregateKind.VAR_SAMP),
    **dict.fromkeys(("STDDEV_SAMP", "STDDEV", "STDEV", "STD"), AggregateKind.STDDEV_SAMP),
}
"""The names that people and databases give the variance and the standard deviation of a sample."""
_ZERO, _ONE = NumberLiteral(Fraction(0)), NumberLiteral(Fraction(1))
_SHARE = "SHARE"
_AUTO = "AUTO"
_OPERATIONS: dict[type[exp.Expr], Op] = {
    exp.Add: Op.ADD,
    exp.Sub: Op.SUBTRACT,
    exp.Mul: Op.MULTIPLY,
    exp.Div: Op.DIVIDE,
}
_WRAPPERS = (exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)


def is_aggregate(node: exp.Expr) -> bool:
    """Whether the node adds up rows, so that its column of the answer is a number and no key."""
    name = function_name(node)
    offered = (
        name in (_SHARE, *_SPREADS) or SYNONYMS.get(name, name) in OTHER_FORMS or SYNONYMS.get(name) == "AVG"
    )
    return isinstance(node, (exp.AggFunc, *_WRAPPERS)) or offered


def has_aggregate(node: exp.Expr) -> bool:
    """Whether the node or a part of it adds up rows."""
    return any(is_aggregate(part) for part in node.walk())


def read_formula(reader: RowReader, node: exp.Expr) -> Formula:
    """The formula of aggregates that a column of the answer is.

    Raises
    ------
    LanguageError
        It is outside the language, or does not fit the definition of the dataset.

    """
    if isinstance(node, exp.Paren):
        check_parts(node, ("this",))
        return read_formula(reader, node.this)
    if isinstance(node, exp.Neg):
        check_parts(node, ("this",))
        return _arithmetic(node, Op.SUBTRACT, _ZERO, read_formula(reader, node.this))
    if type(node) in _OPERATIONS:
        check_parts(node, ("this", "expression"))
        left, right = read_formula(reader, node.this), read_formula(reader, node.expression)
        return _arithmetic(node, _OPERATIONS[type(node)], left, right)
    if isinstance(node, exp.Literal) and not node.is_string:
        with placed(node):
            number = literal_of(node)
        assert isinstance(number, NumberLiteral)  # noqa: S101  # it is no string
        return number
    if isinstance(node, exp.Nullif | exp.Filter):
        return _not_zero(reader, node) if isinstance(node, exp.Nullif) else _filtered(reader, node)
    if is_aggregate(node):
        return _aggregate(reader, node, None)
    raise _out_of_place(node)


def _not_zero(reader: RowReader, node: exp.Nullif) -> Formula:
    """NULLIF(f, 0) is f: a ratio whose divisor the noise does not tell from 0 is absent anyway."""
    check_parts(node, ("this", "expression"))
    if not isinstance(node.expression, exp.Literal) or node.expression.name != "0":
        raise SqlRefused(
            f"{fragment_of(node)}: between aggregates NULLIF has 0 on its right.",
            remedy="Write NULLIF(COUNT(*), 0), or leave it out: such a ratio is absent anyway.",
        )
    return read_formula(reader, node.this)


def _arithmetic(node: exp.Expr, op: Op, left: Formula, right: Formula) -> Formula:
    if op is Op.DIVIDE and isinstance(right, NumberLiteral) and right.value == 0:
        raise ExpressionInvalid(f"{fragment_of(node)}: this divides by 0.")
    with placed(node):
        if isinstance(left, NumberLiteral) and isinstance(right, NumberLiteral):
            return NumberLiteral(_NUMBERS[op](left.value, right.value))
        return Arithmetic(op, left, right)


_NUMBERS: dict[Op, Callable[[Fraction, Fraction], Fraction]] = {
    Op.ADD: lambda left, right: left + right,
    Op.SUBTRACT: lambda left, right: left - right,
    Op.MULTIPLY: lambda left, right: left * right,
    Op.DIVIDE: lambda left, right: left / right,
}


def _out_of_place(node: exp.Expr) -> SqlRefused:
    if isinstance(node, exp.Column):
        return SqlRefused(
            f"{fragment_of(node)} is a value of a row and stands beside an aggregate.",
            remedy="Put it inside, as in AVG(cost * quantity), or in a column of its own with GROUP BY.",
        )
    if isinstance(node, exp.Round | exp.Coalesce):
        return SqlRefused(
            f"{fragment_of(node)}: an answer has its interval, and says itself where there is no number.",
            remedy=f"Ask for {fragment_of(node.this)}, and round what is shown.",
        )
    if has_aggregate(node):
        return SqlRefused(
            f"{fragment_of(node)}: between aggregates stand only + - * / and numbers.",
            remedy="Put conditions and functions inside: AVG(CASE WHEN urgent THEN 1 ELSE 0 END).",
        )
    return refusal_of(node)


def _filtered(reader: RowReader, node: exp.Filter) -> AggregateCall:
    """FILTER (WHERE c) leaves out the rows where c does not hold: CASE WHEN c THEN x END."""
    check_parts(node, ("this", "expression"))
    where = node.expression
    if not isinstance(where, exp.Where) or not is_aggregate(node.this):
        raise refusal_of(node)
    check_parts(where, ("this",))
    _refuse_nested(where.this)
    return _aggregate(reader, node.this, reader.read_condition(where.this))


def _aggregate(reader: RowReader, node: exp.Expr, only: Expression | None) -> AggregateCall:
    if isinstance(node, exp.Count):
        return _count(reader, node, only)
    if isinstance(node, exp.CountIf):
        return _count_if(reader, node, only)
    if isinstance(node, exp.Sum | exp.Avg):
        kind = AggregateKind.SUM if isinstance(node, exp.Sum) else AggregateKind.AVG
        return _over_numbers(reader, node, kind, only)
    if isinstance(node, QUANTILES):
        return _quantile(reader, node, only)
    if function_name(node) in _SPREADS:
        return _over_numbers(reader, node, _SPREADS[function_name(node)], only)
    if isinstance(node, exp.Anonymous) and function_name(node) == _SHARE:
        return _share(reader, node, only)
    raise refusal_of(node)


def _count(reader: RowReader, node: exp.Count, only: Expression | None) -> AggregateCall:
    check_parts(node, ("this",))
    what = node.this
    if isinstance(what, exp.Star) or (isinstance(what, exp.Literal) and not what.is_string):
        if only is None:
            return AggregateCall(AggregateKind.COUNT_ROWS)
        return AggregateCall(AggregateKind.COUNT, _where(reader, node, only, _ONE))
    if isinstance(what, exp.Distinct):
        return _count_people(reader, what, only)
    _refuse_nested(what)
    expression = reader.read(what)
    if isinstance(expression, Call) and isinstance(domain_of(expression, reader.dataset), Truth):
        raise SqlRefused(
            f"{fragment_of(node)} would count the rows where the condition is known, true or false.",
            remedy="Write COUNT(*) FILTER (WHERE condition), or SHARE(condition).",
        )
    if is_literal(expression):
        raise SqlRefused(f"{fragment_of(node)} counts a written value.", remedy="Write COUNT(*).")
    _check_measure(reader, node, expression)
    return AggregateCall(AggregateKind.COUNT, _where(reader, node, only, expression))


def _count_if(reader: RowReader, node: exp.CountIf, only: Expression | None) -> AggregateCall:
    """COUNT_IF(condition) is COUNT(*) FILTER (WHERE condition)."""
    check_parts(node, ("this",))
    _refuse_nested(node.this)
    condition = reader.read_condition(node.this)
    both = condition if only is None else reader.call(node, Op.AND, (only, condition))
    return AggregateCall(AggregateKind.COUNT, _where(reader, node, both, _ONE))


def _count_people(reader: RowReader, node: exp.Distinct, only: Expression | None) -> AggregateCall:
    unit = reader.dataset.unit
    if unit.kind is UnitKind.ROW:
        raise SqlRefused(
            f"{reader.dataset.name} holds records without persons.", remedy="Count records: COUNT(*)."
        )
    check_parts(node, ("expressions",))
    columns = [part for part in node.expressions if isinstance(part, exp.Column)]
    if len(node.expressions) != 1 or [reader.column_name(part) for part in columns] != [unit.column]:
        raise SqlRefused(
            f"COUNT({fragment_of(node)}) counts values that rows have.",
            remedy=f"Count persons with COUNT(DISTINCT {unit.column}); for values write GROUP BY.",
        )
    argument = None if only is None else _where(reader, node, only, _ONE)
    return AggregateCall(AggregateKind.COUNT_PEOPLE, argument)


def _over_numbers(
    reader: RowReader, node: exp.Expr, kind: AggregateKind, only: Expression | None
) -> AggregateCall:
    inner, auto = _without_auto(node, _only_argument(node), kind)
    _refuse_nested(inner)
    expression = reader.read(inner)
    _check_measure(reader, node, expression)
    with placed(node):
        domain = domain_of(expression, reader.dataset)
        centred_grid(domain)
        if kind in VARIANCES and isinstance(domain, Numbers):
            squares_of(expression, reader.dataset)
        if auto and not isinstance(domain, Numbers):
            raise ExpressionInvalid("AUTO is for numbers: conditions have two values already.")
    return AggregateCall(kind, _where(reader, node, only, expression), auto)


def _without_auto(node: exp.Expr, inner: exp.Expr, kind: AggregateKind) -> tuple[exp.Expr, bool]:
    """What AUTO(x) stands around, and whether it does."""
    if not isinstance(inner, exp.Anonymous) or function_name(inner) != _AUTO:
        return inner, False
    if len(inner.expressions) != 1:
        raise ExpressionInvalid(f"{fragment_of(node)}: AUTO takes one expression: AVG(AUTO(income)).")
    if kind in VARIANCES:
        raise SqlRefused(
            f"{fragment_of(node)}: squares have no bounds to choose.",
            remedy="Write bounds that you know: STDDEV(CLAMP(x, 0, 100000)). AVG(AUTO(x)) tells of some.",
        )
    return inner.expressions[0], True


def _quantile(reader: RowReader, node: exp.Expr, only: Expression | None) -> AggregateCall:
    inner, share = quantile_parts(node)
    _refuse_nested(inner)
    expression = reader.read(inner)
    _check_measure(reader, node, expression)
    check_quantile(reader, node, expression)
    return AggregateCall(AggregateKind.QUANTILE, _where(reader, node, only, expression), share=share)


def _only_argument(node: exp.Expr) -> exp.Expr:
    """The one argument of an aggregate, whether sqlglot knows a node for it or not."""
    if not isinstance(node, exp.Anonymous):
        check_parts(node, ("this",))
        return node.args["this"]  # type: ignore[no-any-return]  # sqlglot's dictionary of parts has no types
    if len(node.expressions) != 1:
        raise ExpressionInvalid(f"{fragment_of(node)}: {function_name(node)[:40]} takes one expression.")
    return node.expressions[0]  # type: ignore[no-any-return]  # as above


def _share(reader: RowReader, node: exp.Anonymous, only: Expression | None) -> AggregateCall:
    if len(node.expressions) != 1:
        raise ExpressionInvalid(f"{fragment_of(node)}: SHARE takes one condition: SHARE(wait_days <= 126).")
    _refuse_nested(node.expressions[0])
    condition = reader.read_condition(node.expressions[0])
    _check_measure(reader, node, condition)
    return AggregateCall(AggregateKind.SHARE, _where(reader, node, only, condition))


def _where(reader: RowReader, node: exp.Expr, only: Expression | None, expression: Expression) -> Expression:
    """The expression where `only` holds, missing elsewhere."""
    if only is None:
        return expression
    _check_measure(reader, node, only)
    return reader.call(node, Op.CASE, (only, expression))


def _check_measure(reader: RowReader, node: exp.Expr, expression: Expression) -> None:
    """Refuse columns that the agreement gives for grouping and filtering only, and what reads no column."""
    names = columns_of(expression)
    for name in sorted(names):
        column = reader.dataset.column(name)
        if not column.as_measure:
            also = "" if isinstance(column.domain, Texts) else " or in WHERE"
            raise SqlRefused(
                f"{fragment_of(node)}: {name} may not be counted or added up in {reader.dataset.name}.",
                remedy=f"Use it as a key{also}.",
            )
    if not names:
        raise ExpressionInvalid(
            f"{fragment_of(node)}: this has the same value in every row.", remedy="Write COUNT(*)."
        )


def _refuse_nested(node: object) -> None:
    if isinstance(node, exp.Expr) and has_aggregate(node):
        raise SqlRefused(
            f"{fragment_of(node)}: an aggregate stands inside another.", remedy="Ask for the inner one alone."
        )

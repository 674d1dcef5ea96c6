"""Expressions on one row: from sqlglot's tree to core trees, closed by construction.

Every node type that is offered has one reader here, and every part that it may have is listed beside it:
whatever else sqlglot hangs on a node (a modifier, a flag) is refused, not ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from sqlglot import exp

from fedstats.core.domain import Dates
from fedstats.core.expression import Call, CategoryLiteral, Column, Expression, NumberLiteral, Op
from fedstats.core.inference import condition_of, domain_of
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.errors import ExpressionInvalid, NameUnknown, SqlRefused, SqlUnreadable
from fedstats.sql import parse_dates as dates
from fedstats.sql import parse_functions as functions
from fedstats.sql import parse_numbers as numbers
from fedstats.sql.parse_literals import date_of_text, folded, literal_of
from fedstats.sql.parse_refusals import check_parts, fragment_of, function_name, placed, refusal_of

_ONE = NumberLiteral(Fraction(1))
_TRUE = Call(Op.EQUAL, (_ONE, _ONE))


class RowReader:
    """Reads expressions over the rows of one dataset."""

    def __init__(self, dataset: Dataset, names: Iterable[str]) -> None:
        """`names` are those by which the question may call the dataset: its own, and its alias."""
        self.dataset = dataset
        self._names = frozenset(names)

    def read(self, node: object) -> Expression:
        """The core tree of a row expression.

        Raises
        ------
        LanguageError
            It is outside the language, or does not fit the definition of the dataset.

        """
        if not isinstance(node, exp.Expr):
            raise SqlUnreadable("A part of the SQL is missing.")
        if isinstance(node, exp.Anonymous):
            reader = _FUNCTIONS.get(function_name(node))
            if reader is None:
                raise refusal_of(node)
            return reader(self, node)
        if type(node) not in _READERS:
            raise refusal_of(node)
        parts, reader = _READERS[type(node)]
        check_parts(node, parts)
        return reader(self, node)

    def read_condition(self, node: exp.Expr) -> Expression:
        """A row expression that is true or false.

        Raises
        ------
        LanguageError
            It is outside the language, or no condition.

        """
        expression = self.read(node)
        with placed(node):
            condition_of(expression, self.dataset)
        return expression

    def read_all(self, nodes: Sequence[object]) -> tuple[Expression, ...]:
        """Row expressions that meet in one operation: texts beside dates are dates."""
        read = [self.read(node) for node in nodes]
        if not any(isinstance(domain_of(expression, self.dataset), Dates) for expression in read):
            return tuple(read)
        return tuple(
            date_of_text(expression.label) if isinstance(expression, CategoryLiteral) else expression
            for expression in read
        )

    def call(self, node: exp.Expr, op: Op, args: Sequence[Expression]) -> Expression:
        """The operation, checked against the definition; between written numbers it is carried out."""
        with placed(node):
            call = Call(op, tuple(args))
            domain_of(call, self.dataset)
            return folded(call)

    def column_name(self, node: exp.Column) -> str:
        """The name in a column node, in lower case, checked to be no other dataset's."""
        check_parts(node, ("this", "table"))
        if isinstance(node.this, exp.Star):
            raise refusal_of(node.this)
        if node.table and node.table.lower() not in self._names:
            raise NameUnknown(f"{fragment_of(node)}: this question asks about {self.dataset.name} alone.")
        return node.name.lower()


Reader = Callable[[RowReader, exp.Expr], Expression]


def _column(reader: RowReader, node: exp.Expr) -> Expression:
    assert isinstance(node, exp.Column)  # noqa: S101  # the table of readers says so
    name, dataset = reader.column_name(node), reader.dataset
    if name == dataset.unit.column:
        raise SqlRefused(
            f"{name} names persons, so it is no key, no filter and no measure.",
            remedy=f"Its one use is COUNT(DISTINCT {name}).",
        )
    if name == DEPARTMENT_KEY:
        raise SqlRefused(
            f"{fragment_of(node)}: department stands alone in SELECT and GROUP BY.",
            remedy="To see some departments only, group by department and pick their rows from the answer.",
        )
    try:
        dataset.column(name)
    except NameUnknown as problem:
        quoted = isinstance(node.this, exp.Identifier) and node.this.quoted
        remedy = f"Texts stand in single quotes: '{node.name[:40]}'." if quoted else problem.advice
        raise NameUnknown(problem.sentence, remedy=remedy) from None
    return Column(name)


def _literal(_reader: RowReader, node: exp.Expr) -> Expression:
    with placed(node):
        return literal_of(node)


def _truth(reader: RowReader, node: exp.Expr) -> Expression:
    return _TRUE if node.this else reader.call(node, Op.NOT, (_TRUE,))


def _inner(reader: RowReader, node: exp.Expr) -> Expression:
    return reader.read(node.this)


def _one(op: Op) -> Reader:
    return lambda reader, node: reader.call(node, op, (reader.read(node.this),))


def _two(op: Op, *, swapped: bool = False) -> Reader:
    def read(reader: RowReader, node: exp.Expr) -> Expression:
        left, right = reader.read_all((node.this, node.expression))
        return reader.call(node, op, (right, left) if swapped else (left, right))

    return read


def _equal(reader: RowReader, node: exp.Expr) -> Expression:
    sides = (node.this, node.expression)
    for side, other in (sides, sides[::-1]):
        if isinstance(side, exp.Boolean):  # x = TRUE is x, x = FALSE is NOT x
            condition = reader.read_condition(other)
            return condition if side.this else reader.call(node, Op.NOT, (condition,))
    return _two(Op.EQUAL)(reader, node)


def _unequal(reader: RowReader, node: exp.Expr) -> Expression:
    return reader.call(node, Op.NOT, (_equal(reader, node),))


def _logic(op: Op) -> Reader:
    def read(reader: RowReader, node: exp.Expr) -> Expression:
        return reader.call(node, op, [reader.read_condition(part) for part in _chain(node)])

    return read


def _chain(node: exp.Expr) -> list[exp.Expr]:
    """a, b, c of (a AND b) AND c: a long chain is flat, not deep."""
    found: list[exp.Expr] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if type(part) is type(node):
            check_parts(part, ("this", "expression"))
            waiting += [part.expression, part.this]
        else:
            found.append(part)
    return found


def _between(reader: RowReader, node: exp.Expr) -> Expression:
    x, lo, hi = reader.read_all((node.this, node.args["low"], node.args["high"]))
    above = reader.call(node, Op.LESS_EQUAL, (lo, x))
    return reader.call(node, Op.AND, (above, reader.call(node, Op.LESS_EQUAL, (x, hi))))


def _one_of(reader: RowReader, node: exp.Expr) -> Expression:
    return reader.call(node, Op.IN, reader.read_all((node.this, *node.expressions)))


def _is(reader: RowReader, node: exp.Expr) -> Expression:
    what = node.expression
    if isinstance(what, exp.Null):
        return reader.call(node, Op.IS_NULL, (reader.read(node.this),))
    if not isinstance(what, exp.Boolean):
        raise SqlRefused(
            f"{fragment_of(node)}: after IS stands NULL, TRUE or FALSE.", remedy="To compare, write =."
        )
    condition = reader.read_condition(node.this)
    wanted = condition if what.this else reader.call(node, Op.NOT, (condition,))
    if not domain_of(condition, reader.dataset).nullable:
        return wanted
    known = reader.call(node, Op.NOT, (reader.call(node, Op.IS_NULL, (condition,)),))
    return reader.call(node, Op.AND, (wanted, known))


def _case(reader: RowReader, node: exp.Expr) -> Expression:
    """CASE in both forms; conditions are read apart from values, since only values must be of one type."""
    conditions = [_when(reader, node, branch) for branch in node.args["ifs"]]
    return _choice(
        reader, node, conditions, [b.args["true"] for b in node.args["ifs"]], node.args.get("default")
    )


def _when(reader: RowReader, case: exp.Expr, branch: exp.Expr) -> Expression:
    check_parts(branch, ("this", "true"))
    if case.this is None:
        return reader.read(branch.this)
    return _equal(reader, exp.EQ(this=case.this.copy(), expression=branch.this.copy()))


def _if(reader: RowReader, node: exp.Expr) -> Expression:
    return _choice(reader, node, [reader.read(node.this)], [node.args["true"]], node.args.get("false"))


def _choice(
    reader: RowReader,
    node: exp.Expr,
    conditions: Sequence[Expression],
    values: Sequence[exp.Expr],
    default: exp.Expr | None,
) -> Expression:
    has_default = default is not None and not isinstance(default, exp.Null)
    read = reader.read_all([*values, default] if has_default and default is not None else values)
    pairs = [part for pair in zip(conditions, read, strict=False) for part in pair]
    return reader.call(node, Op.CASE, [*pairs, read[-1]] if has_default else pairs)


def _coalesce(reader: RowReader, node: exp.Expr) -> Expression:
    return reader.call(node, Op.COALESCE, reader.read_all((node.this, *node.expressions)))


def _of_many(op: Op) -> Reader:
    """LEAST and GREATEST of two or more; missing where one is missing, unlike in some databases."""

    def read(reader: RowReader, node: exp.Expr) -> Expression:
        first, *others = [reader.read(part) for part in (node.this, *node.expressions)]
        if not others:
            raise ExpressionInvalid(f"{fragment_of(node)}: {op.name} takes two or more numbers.")
        for other in others:
            first = reader.call(node, op, (first, other))
        return first

    return read


_BOTH = ("this", "expression")
_READERS: dict[type[exp.Expr], tuple[tuple[str, ...], Reader]] = {
    exp.Column: (("this", "table"), _column),
    exp.Literal: (("this", "is_string"), _literal),
    exp.Boolean: (("this",), _truth),
    exp.Paren: (("this",), _inner),
    exp.Neg: (("this",), _one(Op.NEGATE)),
    exp.Abs: (("this",), _one(Op.ABS)),
    exp.Floor: (("this",), _one(Op.FLOOR)),
    exp.Ceil: (("this",), numbers.ceiling),
    exp.Round: (("this", "decimals"), numbers.rounded),
    exp.Pow: (_BOTH, numbers.power),
    exp.Mod: (_BOTH, numbers.remainder),
    exp.IntDiv: (_BOTH, numbers.whole_quotient),
    exp.Nullif: (_BOTH, numbers.null_if),
    exp.Cast: (("this", "to"), numbers.cast),
    exp.Add: (_BOTH, _two(Op.ADD)),
    exp.Sub: (_BOTH, _two(Op.SUBTRACT)),
    exp.Mul: (_BOTH, _two(Op.MULTIPLY)),
    exp.Div: (_BOTH, _two(Op.DIVIDE)),
    exp.EQ: (_BOTH, _equal),
    exp.NEQ: (_BOTH, _unequal),
    exp.LT: (_BOTH, _two(Op.LESS)),
    exp.LTE: (_BOTH, _two(Op.LESS_EQUAL)),
    exp.GT: (_BOTH, _two(Op.LESS, swapped=True)),
    exp.GTE: (_BOTH, _two(Op.LESS_EQUAL, swapped=True)),
    exp.And: (_BOTH, _logic(Op.AND)),
    exp.Or: (_BOTH, _logic(Op.OR)),
    exp.Not: (("this",), _one(Op.NOT)),
    exp.Between: (("this", "low", "high"), _between),
    exp.In: (("this", "expressions"), _one_of),
    exp.Is: (_BOTH, _is),
    exp.Case: (("this", "ifs", "default"), _case),
    exp.If: (("this", "true", "false"), _if),
    exp.Coalesce: (("this", "expressions"), _coalesce),
    exp.Least: (("this", "expressions", "ignore_nulls"), _of_many(Op.LEAST)),
    exp.Greatest: (("this", "expressions", "ignore_nulls"), _of_many(Op.GREATEST)),
    exp.DateTrunc: (("this", "unit"), dates.truncated),
    exp.TimestampTrunc: (("this", "unit"), dates.truncated),
    exp.DateDiff: (("this", "expression", "unit", "date_part_boundary"), dates.difference),
    exp.DateAdd: (_BOTH, dates.shifted),
    exp.Interval: (("this", "unit", "fraction_in_string"), dates.interval),
    exp.Date: (("this",), dates.date_of),
    exp.Extract: (_BOTH, dates.extracted),
    exp.Year: (("this",), dates.part("YEAR")),
    exp.Quarter: (("this",), dates.part("QUARTER")),
    exp.Month: (("this",), dates.part("MONTH")),
    exp.Day: (("this",), dates.part("DAY")),
    exp.DayOfWeekIso: (("this",), dates.part("ISODOW")),
}
"""Every node that is offered, the parts that it may have, and its reader."""

_FUNCTIONS: dict[str, Reader] = {
    "CLAMP": functions.clamp,
    "BAND": functions.band,
    "WEEK_BAND": functions.week_band,
    functions.HISTOGRAM: functions.histogram,
    **dict.fromkeys(("DATE_PART", "DATEPART"), dates.date_part),
    **dict.fromkeys(("ISODOW", "DOW"), dates.named_part),
}
"""The functions that sqlglot knows no node for."""

"""Expression trees as SQL over an edition, whose columns hold integer codes.

Every step is exact integer arithmetic, so that each engine gives the same bits as `core.evaluation`. A number
is its code on the grid of its own domain, a date its days since 1970, a category its position; a truth value
is an SQL condition. Nothing that a person typed becomes SQL text: labels are positions, and names are quoted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from sqlglot import exp

from fedstats.core.domain import Categories, Domain, Truth
from fedstats.core.expression import Call, CategoryLiteral, Column, Expression
from fedstats.core.grid import Grid
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset
from fedstats.errors import InternalError
from fedstats.sql.integers import Integer, add, divide_down, is_literal, literal, multiply, wrapped
from fedstats.sql.operations import CONDITIONS, INTEGERS, bounds_of, clipped, scaled, step_of


def render(expression: Expression, dataset: Dataset) -> exp.Expr:
    """The integer code of `expression` as one self-contained scalar over the columns of an edition.

    For reading and for tests. A statement uses `Rendering`, which stays short for nested expressions.
    """
    rendering = Rendering(dataset)
    return rendering.written_out(rendering.integer(expression).sql)


def grid_sql(expression: Expression, grid: Grid, dataset: Dataset) -> exp.Expr:
    """The clipped integer that a sum adds up, in the same form as `render`."""
    rendering = Rendering(dataset)
    return rendering.written_out(rendering.grid_integer(expression, grid).sql)


def to_text(sql: exp.Expr, dialect: str, *, pretty: bool = False) -> str:
    """The SQL text in a dialect that sqlglot knows."""
    if dialect != "duckdb":
        sql = sql.transform(_without_wide_integers)
    return sql.sql(dialect=dialect, pretty=pretty, max_text_width=100)


class Rendering:
    """Renders expressions over one dataset, and collects the parts that must be computed first.

    A part that is needed more than once gets a name (`_1`, which no column can have) in a subquery below the
    statement: written out at each place, nested expressions would double in length with every level.
    """

    def __init__(self, dataset: Dataset) -> None:
        """Start without parts."""
        self._dataset = dataset
        self._parts: dict[Expression, _Part] = {}

    def condition(self, expression: Expression) -> exp.Expr:
        """The SQL condition (true, false or NULL) of an expression whose values are true and false."""
        if isinstance(expression, Column):
            return exp.EQ(this=column_sql(expression.name), expression=exp.Literal.number(1))
        if not isinstance(expression, Call):
            raise InternalError("A condition is a column or an operation.")
        return CONDITIONS[expression.op](self, expression)

    def integer(self, expression: Expression) -> Integer:
        """The code of an expression of any type, NULL where it is missing; a truth value is 0 or 1."""
        domain = self.domain(expression)
        lo, hi = bounds_of(domain)
        if lo == hi and not domain.nullable:
            return literal(lo)
        if isinstance(expression, Column):
            return Integer(column_sql(expression.name), lo, hi)
        if isinstance(domain, Truth):
            return Integer(exp.cast(self.condition(expression), "INT"), 0, 1, 32)
        if not isinstance(expression, Call):
            raise InternalError("A literal has one value.")
        return INTEGERS[expression.op](self, expression, domain).within(lo, hi)

    def grid_integer(self, expression: Expression, grid: Grid) -> Integer:
        """The clipped integer of one row, as `Grid.quantise` defines it; NULL where the value is missing."""
        step = step_of(self.domain(expression))
        q = _quantised(self.integer(expression), step, grid)
        if q.reach <= grid.half_width:
            return q
        return clipped(_quantised(self.short(expression), step, grid), -grid.half_width, grid.half_width)

    def source(self, table: exp.Expr) -> exp.Expr:
        """`table` below the subqueries that compute the parts, one for each level of them."""
        for level in range(1, 1 + max((part.level for part in self._parts.values()), default=0)):
            parts = [part for part in self._parts.values() if part.level == level]
            columns = [exp.alias_(part.sql.copy(), part.name, quoted=True) for part in parts]
            below = exp.select(exp.Star(), *columns).from_(table)
            table = below.subquery(exp.to_identifier(f"_level_{level}", quoted=True))
        return table

    def written_out(self, sql: exp.Expr) -> exp.Expr:
        """`sql` with every part in the place of its name."""
        parts = {part.name: part.sql for part in self._parts.values()}

        def in_place(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and node.name in parts:
                return exp.Paren(this=self.written_out(parts[node.name]))
            return node

        return sql.transform(in_place)

    def domain(self, expression: Expression) -> Domain:
        """Which values it can have."""
        return domain_of(expression, self._dataset)

    def short(self, expression: Expression) -> Integer:
        """The code of an expression in a form that may be written several times."""
        integer = self.integer(expression)
        if isinstance(integer.sql, exp.Column) or is_literal(integer):
            return integer
        if expression not in self._parts:
            levels = {part.name: part.level for part in self._parts.values()}
            used = (levels.get(column.name, 0) for column in integer.sql.find_all(exp.Column))
            part = _Part(f"_{len(self._parts) + 1}", integer.sql, 1 + max(used, default=0))
            self._parts[expression] = part
        return replace(integer, sql=column_sql(self._parts[expression].name))

    def aligned(self, expression: Expression, domain: Domain, *, short: bool = False) -> Integer:
        """The code of `expression` among the codes of a domain that has all its values."""
        if isinstance(domain, Categories):
            return self._recoded(expression, domain)
        integer = self.short(expression) if short else self.integer(expression)
        return scaled(integer, step_of(self.domain(expression)), step_of(domain))

    def _recoded(self, expression: Expression, categories: Categories) -> Integer:
        if isinstance(expression, CategoryLiteral):
            return literal(categories.code(expression.label))
        integer, own = self.integer(expression), self.domain(expression)
        if not isinstance(own, Categories) or own.labels == categories.labels[: len(own.labels)]:
            return integer
        branches = [
            exp.If(this=literal(old).sql, true=literal(categories.code(label)).sql)
            for old, label in enumerate(own.labels)
        ]
        return Integer(exp.Case(this=wrapped(integer.sql), ifs=branches), 0, len(categories.labels) - 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an expression under a name of its own; `level` is how deep parts lie in it."""

    name: str
    sql: exp.Expr
    level: int


def column_sql(name: str) -> exp.Column:
    """A column, quoted."""
    return exp.column(name, quoted=True)


def _quantised(value: Integer, step: Fraction, grid: Grid) -> Integer:
    """round_half_up((code * step - centre) / grid.step) = floor((a * code + b) / d) with whole a, b and d."""
    a, b, d = 2 * step, grid.step - 2 * grid.centre, 2 * grid.step
    whole = math.lcm(a.denominator, b.denominator, d.denominator)
    # What divides both a and d leaves the floor as it is when b is rounded down by it.
    common = math.gcd(int(a * whole), int(d * whole))
    sum_ = add(multiply(value, literal(int(a * whole) // common)), literal(int(b * whole) // common))
    return divide_down(sum_, int(d * whole) // common)


def _without_wide_integers(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.DataType) and node.this is exp.DataType.Type.INT128:
        return exp.DataType.build("DECIMAL(38, 0)")
    return node

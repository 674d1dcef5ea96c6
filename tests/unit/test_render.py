"""Rendering: exact integers in SQL, whatever the engine makes of small types, NULL and division."""

from __future__ import annotations

from fractions import Fraction

import duckdb
import pytest
from sqlglot import exp

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Categories, Dates, Numbers, Truth
from fedstats.core.evaluation import evaluate
from fedstats.core.expression import Call, CategoryLiteral, Column, Expression, NumberLiteral, Op
from fedstats.core.grid import Grid
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.errors import TooLarge
from fedstats.sql.integers import add, divide_down, literal
from fedstats.sql.render import Rendering, grid_sql, render, to_text
from fedstats.sql.statement import grouped_statement

DATASET = Dataset(
    name="visits",
    unit=Unit(UnitKind.PERSON, "person_id", "person_id"),
    rows_max=2,
    people_max=100,
    people_about=100,
    columns=(
        ColumnDefinition("tiny", Numbers(Fraction(-128), Fraction(127), nullable=True)),
        ColumnDefinition("quarter", Numbers(Fraction(-30), Fraction(30), Fraction(1, 4))),
        ColumnDefinition("huge", Numbers(Fraction(0), Fraction(2**59))),
        ColumnDefinition("third", Numbers(Fraction(0), Fraction(2**55, 3), Fraction(1, 3))),
        ColumnDefinition("coarse", Numbers(Fraction(-1000 * 2**30), Fraction(1000 * 2**30), Fraction(1000))),
        ColumnDefinition("many", Numbers(Fraction(1), Fraction(2**28))),
        ColumnDefinition("sex", Categories(("F", "M'; DROP TABLE rows; --"), nullable=True)),
        ColumnDefinition("other", Categories(("x", "M'; DROP TABLE rows; --", "F"))),
        ColumnDefinition("day", Dates(-400, 20_000, nullable=True)),
        ColumnDefinition("flag", Truth(nullable=True)),
    ),
    editions=("2025-09",),
    holders=("north",),
)
STORED = "tiny TINYINT, quarter SMALLINT, huge BIGINT, third BIGINT, coarse INT, many INT, sex TINYINT"
ROW: dict[str, int | None] = {
    "tiny": 100,
    "quarter": -7,
    "huge": 2**59,
    "third": 2**55 - 1,
    "coarse": 1 - 2**30,
    "many": 2**28 - 1,
    "sex": 1,
    "other": 2,
    "day": -399,
    "flag": None,
}


def number(value: int | str) -> NumberLiteral:
    """A literal."""
    return NumberLiteral(Fraction(value))


def call(op: Op, *args: Expression) -> Call:
    """An operation."""
    return Call(op, args)


def computed(sql: exp.Expr, row: dict[str, int | None]) -> int | None:
    """What DuckDB computes on a row that is stored in the smallest types."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows ({STORED}, other TINYINT, day SMALLINT, flag TINYINT)")
        connection.execute(f"INSERT INTO rows VALUES ({', '.join('?' * len(row))})", list(row.values()))
        answer = connection.execute(f"SELECT {to_text(sql, 'duckdb')} FROM rows").fetchone()
    assert answer is not None
    value: int | None = answer[0]
    return value


def of_columns(op: Op, *names: str) -> Expression:
    """An operation on columns."""
    return call(op, *(Column(name) for name in names))


@pytest.mark.parametrize(
    "expression",
    [
        of_columns(Op.ADD, "tiny", "tiny"),  # 200 does not fit the type of the column
        call(Op.ADD, Column("tiny"), number(100)),
        call(Op.MULTIPLY, Column("tiny"), Column("tiny")),
        call(Op.NEGATE, Column("tiny")),
        call(Op.ABS, call(Op.NEGATE, Column("tiny"))),
        call(Op.FLOOR, Column("quarter")),  # -1.75 goes down to -2
        call(Op.DIVIDE, Column("quarter"), number(-2)),
        call(Op.DIVIDE, Column("quarter"), call(Op.CLAMP, Column("tiny"), number(1), number(60))),
        call(Op.DIVIDE, Column("quarter"), call(Op.CLAMP, Column("tiny"), number(-60), number(-1))),
        of_columns(Op.DIVIDE, "coarse", "many"),  # a step of it needs 70 bits
        of_columns(Op.LESS_EQUAL, "third", "huge"),
        of_columns(Op.EQUAL, "third", "huge"),
        call(Op.EQUAL, Column("quarter"), number("1/3")),  # a literal between the steps equals nothing
        call(Op.IN, Column("quarter"), number("-7/4"), number("1/7")),
        call(Op.LESS, Column("tiny"), number("100.5")),
        of_columns(Op.LEAST, "tiny", "quarter"),
        of_columns(Op.GREATEST, "tiny", "huge"),
        call(Op.COALESCE, Column("sex"), Column("other")),
        call(Op.CASE, Column("flag"), CategoryLiteral("F"), Column("other")),
        call(Op.BAND, Column("quarter"), number("-7/4"), number(5)),
        call(Op.TRUNCATE_WEEK, Column("day")),  # before 1970
        call(Op.TRUNCATE_MONTH, Column("day")),
        call(Op.TRUNCATE_YEAR, Column("day")),
        call(Op.AND, Column("flag"), call(Op.IS_NULL, Column("day"))),
        call(Op.OR, Column("flag"), call(Op.EQUAL, Column("sex"), CategoryLiteral("F"))),
        call(Op.NOT, of_columns(Op.EQUAL, "flag", "flag")),
    ],
)
@pytest.mark.parametrize("missing", [frozenset[str](), frozenset({"tiny", "sex", "day"})])
def test_sql_equals_the_integer_reference(expression: Expression, missing: frozenset[str]) -> None:
    """Small types, negative numbers, NULL, wide grids and differing categories change no bit."""
    row = {name: None if name in missing else code for name, code in ROW.items()}
    assert computed(render(expression, DATASET), row) == evaluate(expression, DATASET, row)


@pytest.mark.parametrize("code", [-128, -65, -64, -1, 0, 1, 63, 64, 127])
@pytest.mark.parametrize(
    "grid",
    [
        Grid(Fraction(0), Fraction(1), 128),
        Grid(Fraction(-1, 2), Fraction(1, 2), 255),
        Grid(Fraction(10), Fraction(3), 20),  # clips on both sides
        Grid(Fraction(1, 3), Fraction(7, 5), 100),
    ],
)
def test_a_sum_adds_the_grid_integer(grid: Grid, code: int) -> None:
    """What is added up for a row is Grid.quantise of its value, halves upward and clipped."""
    sql = grid_sql(Column("tiny"), grid, DATASET)
    assert computed(sql, {**ROW, "tiny": code}) == grid.quantise(Fraction(code))
    assert computed(sql, {**ROW, "tiny": None}) is None


@pytest.mark.parametrize("value", range(-20, 21))
@pytest.mark.parametrize("divisor", [1, 2, 7])
def test_division_rounds_down(value: int, divisor: int) -> None:
    """Division of a negative number rounds down, whichever way the engine truncates."""
    row = {**ROW, "tiny": value}
    column = Rendering(DATASET).integer(Column("tiny"))
    assert computed(divide_down(add(column, literal(0)), divisor).sql, row) == value // divisor


def test_nested_expressions_stay_short() -> None:
    """A deep expression whose operations need their arguments twice gives a statement of linear length."""
    expression: Expression = Column("tiny")
    for i in range(20):
        inner = call(Op.LEAST, call(Op.NEGATE, expression), Column("quarter"))
        expression = inner if i % 2 else expression
    measure = Measure(MeasureKind.ROWS, expression)
    bounds = DATASET.contribution(departments_max=1)
    sql = grouped_statement(GroupedSums((), (measure,)), dataset=DATASET, where=None, contribution=bounds)
    assert len(to_text(sql, "duckdb")) < 5_000


def test_no_label_reaches_the_sql() -> None:
    """Categories are positions in the statement, so that a hostile label is never SQL text."""
    hostile = CategoryLiteral("M'; DROP TABLE rows; --")
    expression = call(Op.CASE, call(Op.EQUAL, Column("sex"), hostile), Column("other"), Column("sex"))
    assert "DROP" not in to_text(render(expression, DATASET), "duckdb")


def test_other_dialects_can_hold_wide_integers() -> None:
    """Where a step needs more than 64 bits, each dialect gets a type that it has."""
    sql = render(of_columns(Op.DIVIDE, "coarse", "many"), DATASET)
    assert "INT128" in to_text(sql, "duckdb")
    assert "DECIMAL(38, 0)" in to_text(sql, "postgres")


def test_what_no_integer_holds_is_refused() -> None:
    """An expression that would overflow even the widest type is refused instead of computed wrongly."""
    with pytest.raises(TooLarge, match="127 bits"):
        add(literal(2**130), Rendering(DATASET).integer(Column("tiny")))

"""Expressions: bounds that need no data, integer values, the one normal form, and what is refused."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from strategies import DATASET

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Categories, Dates, Domain, Every, Numbers, Truth, cells_of, days_of
from fedstats.core.evaluation import evaluate
from fedstats.core.expression import (
    DEPTH_MAX,
    Call,
    CategoryLiteral,
    Column,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
    normalise,
)
from fedstats.core.grid import Grid, centred_grid, zero_grid
from fedstats.core.inference import domain_of
from fedstats.errors import ExpressionInvalid, LanguageError, NameUnknown, TooLarge, ValueInvalid

AGE, WAIT, COST, SCORE = Column("age"), Column("wait_days"), Column("cost"), Column("score")
SEX, SPECIALTY, STARTED, ENDED = Column("sex"), Column("specialty"), Column("started"), Column("ended")
URGENT, ADMITTED = Column("urgent"), Column("admitted")


def number(value: float | str | Fraction) -> NumberLiteral:
    """A written number."""
    return NumberLiteral(Fraction(value))


def call(op: Op, *args: Expression) -> Call:
    """An operation."""
    return Call(op, args)


def numbers(lo: float | str, hi: float | str, step: float | str = 1, *, nullable: bool = False) -> Numbers:
    """A domain of numbers."""
    return Numbers(Fraction(lo), Fraction(hi), Fraction(step), nullable=nullable)


INVERSE = call(Op.DIVIDE, number(1), call(Op.CLAMP, AGE, number(1), number(3)))
LABEL = CategoryLiteral("110")
MONDAY = days_of(date(2025, 1, 6))


@pytest.mark.parametrize(
    "expression, domain",
    [
        (call(Op.ADD, AGE, WAIT), numbers(0, 1120, nullable=True)),
        (call(Op.ADD, AGE, COST), numbers(-50, 2120, "1/4", nullable=True)),
        (call(Op.SUBTRACT, AGE, number("0.1")), numbers("-0.1", "119.9", "0.1")),
        (call(Op.MULTIPLY, SCORE, COST), numbers(-2000, 2000, "1/4000", nullable=True)),
        (call(Op.MULTIPLY, number(100), AGE), numbers(0, 12000, 100)),
        (call(Op.DIVIDE, AGE, number(-4)), numbers(-30, 0, "1/4")),
        (INVERSE, numbers("1365/4096", 1, "1/8192")),
        (call(Op.NEGATE, COST), numbers(-2000, 50, "1/4", nullable=True)),
        (call(Op.ABS, COST), numbers(0, 2000, "1/4", nullable=True)),
        (call(Op.ABS, call(Op.SUBTRACT, AGE, number(200))), numbers(80, 200)),
        (call(Op.FLOOR, SCORE), numbers(-1, 1)),
        (call(Op.LEAST, AGE, WAIT), numbers(0, 120, nullable=True)),
        (call(Op.GREATEST, AGE, COST), numbers(0, 2000, "1/4", nullable=True)),
        (call(Op.CLAMP, AGE, number(18), number(64)), numbers(18, 64)),
        (call(Op.CLAMP, AGE, number(-9), number("64.5")), numbers(0, "64.5", "1/2")),
        (call(Op.COALESCE, WAIT, number(-1)), numbers(-1, 1000)),
        (call(Op.COALESCE, WAIT, COST), numbers(-50, 2000, "1/4", nullable=True)),
        (call(Op.CASE, URGENT, AGE), numbers(0, 120, nullable=True)),
        (call(Op.CASE, ADMITTED, AGE, number(7)), numbers(0, 120)),
        (call(Op.SUBTRACT, ENDED, STARTED), numbers(-80, 80, nullable=True)),
        (call(Op.BAND, AGE, number(19), number(65)), Categories(("0-18", "19-64", "65-120"))),
        (call(Op.BAND, AGE, number(1), number(120)), Categories(("0", "1-119", "120"))),
        (call(Op.BAND, SCORE, number(0)), Categories(("-1 to <0", "0 and over"))),
        (call(Op.COALESCE, SPECIALTY, LABEL), Categories(("C_100", "o'clock", "110", "眼科"))),
        (call(Op.EQUAL, SEX, CategoryLiteral("F")), Truth()),
        (call(Op.LESS, WAIT, number(126)), Truth(nullable=True)),
        (call(Op.AND, URGENT, ADMITTED), Truth(nullable=True)),
        (call(Op.IS_NULL, ADMITTED), Truth()),
        (call(Op.IN, SPECIALTY, CategoryLiteral("110")), Truth(nullable=True)),
    ],
)  # fmt: skip
def test_bounds_follow_from_the_definition(expression: Expression, domain: Domain) -> None:
    """Bounds, steps, labels and whether a value may be missing are known without looking at a row."""
    assert domain_of(expression, DATASET) == domain


def test_dates_keep_their_periods() -> None:
    """A truncated date has the starts of periods as its cells; a shifted one has days again."""
    month = call(Op.TRUNCATE_MONTH, STARTED)
    cells = [date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]
    assert cells_of(domain_of(month, DATASET)) == tuple(days_of(day) for day in cells)
    week = domain_of(call(Op.TRUNCATE_WEEK, ENDED), DATASET)
    assert cells_of(week)[:2] == (days_of(date(2024, 12, 16)), days_of(date(2024, 12, 23)))
    assert cells_of(week)[-1] is None
    shifted = domain_of(call(Op.ADD, month, number(7)), DATASET)
    assert shifted == Dates(days_of(date(2024, 12, 8)), days_of(date(2025, 3, 8)))
    year = domain_of(call(Op.TRUNCATE_YEAR, STARTED), DATASET)
    assert [year.label(code) for code in year.codes()] == ["2024-01-01", "2025-01-01"]
    with pytest.raises(ValueInvalid, match="begin a week"):
        Dates(days_of(date(2024, 12, 20)), days_of(date(2025, 3, 10)), Every.WEEK)


LONG: Expression = WAIT
for _ in range(5):
    LONG = call(Op.MULTIPLY, LONG, WAIT)
DEEP = number(Fraction(1, 2**50))


@pytest.mark.parametrize(
    "expression, error",
    [
        (call(Op.DIVIDE, AGE, WAIT), ExpressionInvalid),
        (call(Op.DIVIDE, AGE, number(0)), ExpressionInvalid),
        (call(Op.ADD, AGE, SEX), ExpressionInvalid),
        (call(Op.ADD, AGE, URGENT), ExpressionInvalid),
        (call(Op.ADD, STARTED, ENDED), ExpressionInvalid),
        (call(Op.ADD, STARTED, SCORE), ExpressionInvalid),
        (call(Op.MULTIPLY, STARTED, number(2)), ExpressionInvalid),
        (call(Op.ADD, AGE), ExpressionInvalid),
        (call(Op.ADD, AGE, AGE, AGE), ExpressionInvalid),
        (call(Op.CLAMP, AGE, WAIT, number(3)), ExpressionInvalid),
        (call(Op.BAND, AGE, number(0)), ExpressionInvalid),
        (call(Op.BAND, AGE, number(121)), ExpressionInvalid),
        (call(Op.BAND, AGE, number(3), number(3)), ExpressionInvalid),
        (call(Op.BAND, SEX, number(3)), ExpressionInvalid),
        (call(Op.EQUAL, SEX, SPECIALTY), ExpressionInvalid),
        (call(Op.EQUAL, SEX, CategoryLiteral("X")), ExpressionInvalid),
        (call(Op.LESS, number(-1), AGE), ExpressionInvalid),
        (call(Op.LESS, STARTED, DateLiteral(0)), ExpressionInvalid),
        (call(Op.LESS, SEX, CategoryLiteral("F")), ExpressionInvalid),
        (call(Op.EQUAL, AGE, STARTED), ExpressionInvalid),
        (call(Op.IN, AGE, WAIT), ExpressionInvalid),
        (call(Op.IN, AGE), ExpressionInvalid),
        (call(Op.NOT, AGE), ExpressionInvalid),
        (call(Op.AND, URGENT), ExpressionInvalid),
        (call(Op.IS_NULL, number(3)), ExpressionInvalid),
        (call(Op.CASE, AGE, AGE), ExpressionInvalid),
        (call(Op.CASE, URGENT), ExpressionInvalid),
        (call(Op.CASE, URGENT, AGE, SEX), ExpressionInvalid),
        (call(Op.CASE, URGENT, CategoryLiteral("yes")), ExpressionInvalid),
        (call(Op.COALESCE, AGE), ExpressionInvalid),
        (call(Op.TRUNCATE_WEEK, AGE), ExpressionInvalid),
        (Column("nhs_number"), NameUnknown),
        (call(Op.MULTIPLY, LONG, WAIT), TooLarge),
        (call(Op.ADD, STARTED, call(Op.MULTIPLY, AGE, number(10**6))), TooLarge),
        (call(Op.TRUNCATE_YEAR, call(Op.SUBTRACT, STARTED, number(720_070))), TooLarge),
    ],
)  # fmt: skip
def test_refused_expressions(expression: Expression, error: type[LanguageError]) -> None:
    """Mixed types, division by what can be 0, undeclared literals and values beyond 62 bits are refused."""
    with pytest.raises(error):
        domain_of(expression, DATASET)


@pytest.mark.parametrize("op", [Op.ADD, Op.SUBTRACT, Op.LEAST, Op.GREATEST, Op.LESS, Op.EQUAL])
def test_no_operand_overflows_where_steps_are_aligned(op: Op) -> None:
    """Two numbers whose common step is too fine for one of them are refused, though each fits by itself."""
    fine, coarse = call(Op.MULTIPLY, SCORE, DEEP), call(Op.MULTIPLY, AGE, number(2**20))
    with pytest.raises(TooLarge):
        domain_of(call(op, fine, coarse), DATASET)


@pytest.mark.parametrize(
    "expression, row, code",
    [
        (call(Op.AND, URGENT, ADMITTED), {"urgent": 0, "admitted": None}, 0),
        (call(Op.AND, URGENT, ADMITTED), {"urgent": 1, "admitted": None}, None),
        (call(Op.OR, URGENT, ADMITTED), {"urgent": 1, "admitted": None}, 1),
        (call(Op.OR, URGENT, ADMITTED), {"urgent": 0, "admitted": None}, None),
        (call(Op.NOT, ADMITTED), {"admitted": None}, None),
        (call(Op.IS_NULL, WAIT), {"wait_days": None}, 1),
        (call(Op.IN, SPECIALTY, CategoryLiteral("110")), {"specialty": None}, None),
        (call(Op.CASE, ADMITTED, AGE, number(7)), {"admitted": None, "age": 3}, 7),
        (call(Op.CASE, ADMITTED, AGE), {"admitted": 0, "age": 3}, None),
        (call(Op.COALESCE, WAIT, AGE), {"wait_days": None, "age": 3}, 3),
        (call(Op.LEAST, WAIT, AGE), {"wait_days": None, "age": 3}, None),
        (call(Op.ADD, COST, number("0.5")), {"cost": -3}, -1),
        (call(Op.FLOOR, SCORE), {"score": -1}, -1),
        (call(Op.FLOOR, SCORE), {"score": 999}, 0),
        (call(Op.DIVIDE, AGE, number(3)), {"age": 7}, 7),
        (INVERSE, {"age": 3}, 2731),
        (call(Op.DIVIDE, number(-1), INVERSE.args[1]), {"age": 3}, -2731),
        (call(Op.BAND, AGE, number(19), number(65)), {"age": 18}, 0),
        (call(Op.BAND, AGE, number(19), number(65)), {"age": 19}, 1),
        (call(Op.BAND, AGE, number(19), number(65)), {"age": 120}, 2),
        (call(Op.COALESCE, SPECIALTY, CategoryLiteral("110")), {"specialty": None}, 2),
        (call(Op.TRUNCATE_WEEK, STARTED), {"started": MONDAY - 1}, MONDAY - 7),
        (call(Op.TRUNCATE_WEEK, STARTED), {"started": MONDAY}, MONDAY),
        (call(Op.SUBTRACT, ENDED, STARTED), {"ended": 20100, "started": 20107}, -7),
    ],
)  # fmt: skip
def test_values_on_a_row(expression: Expression, row: dict[str, int | None], code: int | None) -> None:
    """The integer reference: three-valued logic as in SQL, quotients of columns rounded half up."""
    assert evaluate(expression, DATASET, row) == code


@pytest.mark.parametrize(
    "one, other",
    [
        (call(Op.ADD, AGE, WAIT), call(Op.ADD, WAIT, AGE)),
        (call(Op.AND, URGENT, call(Op.AND, ADMITTED, URGENT)), call(Op.AND, ADMITTED, URGENT)),
        (call(Op.OR, URGENT, URGENT), URGENT),
        (call(Op.NOT, call(Op.NOT, URGENT)), URGENT),
        (call(Op.NOT, call(Op.LESS, AGE, WAIT)), call(Op.LESS_EQUAL, WAIT, AGE)),
        (call(Op.IN, AGE, number(3), number(1), number(3)), call(Op.IN, AGE, number(1), number(3))),
        (call(Op.IN, AGE, number(3)), call(Op.EQUAL, number(3), AGE)),
    ],
)
def test_one_normal_form(one: Expression, other: Expression) -> None:
    """Two ways of writing the same thing have one normal form, so that asking twice costs once."""
    assert normalise(one) == normalise(other)


def test_subtraction_has_sides() -> None:
    """What depends on the order of its sides keeps it."""
    for op in (Op.SUBTRACT, Op.DIVIDE, Op.LESS, Op.LESS_EQUAL):
        assert normalise(call(op, AGE, WAIT)) != normalise(call(op, WAIT, AGE))


def test_trees_are_bounded() -> None:
    """No tree is so deep or long that a reader, recursion or database stumbles over it."""
    deep: Expression = AGE
    for _ in range(DEPTH_MAX - 1):
        deep = call(Op.NEGATE, deep)
    with pytest.raises(TooLarge):
        call(Op.NEGATE, deep)
    with pytest.raises(TooLarge):
        call(Op.AND, *[URGENT] * 500)
    with pytest.raises(TooLarge):
        number(2**63)
    with pytest.raises(ValueInvalid):
        DateLiteral(3_000_000)
    with pytest.raises(ValueInvalid):
        CategoryLiteral("two\nlines")


@pytest.mark.parametrize(
    "domain, grid_of, grid",
    [
        (numbers(0, 120), centred_grid, Grid(Fraction(60), Fraction(1), 60)),
        (numbers(0, 121), centred_grid, Grid(Fraction(121, 2), Fraction(1, 2), 121)),
        (Truth(), centred_grid, Grid(Fraction(1, 2), Fraction(1, 2), 1)),
        (Truth(), zero_grid, Grid(Fraction(0), Fraction(1), 1)),
        (numbers(-5, 120), zero_grid, Grid(Fraction(0), Fraction(1), 120)),
        (numbers(0, 4096), centred_grid, Grid(Fraction(2048), Fraction(1), 2048)),
        (numbers(0, 10_000), centred_grid, Grid(Fraction(5000), Fraction(5000, 2048), 2048)),
        (numbers(0, 10_000), zero_grid, Grid(Fraction(0), Fraction(10_000, 4096), 4096)),
        (numbers(-50, 2000, "1/4"), centred_grid, Grid(Fraction(975), Fraction(25, 49), 2009)),
        (numbers(-50, 2000, "1/4"), zero_grid, Grid(Fraction(0), Fraction(50, 102), 4080)),
    ],
)
def test_grids(domain: Domain, grid_of: object, grid: Grid) -> None:
    """The grid keeps an expression's own steps where 2^12 suffice; else both ends and 0 stay on it."""
    assert callable(grid_of)
    assert grid_of(domain) == grid
    ends = [domain.lo, domain.hi] if isinstance(domain, Numbers) else [Fraction(0), Fraction(1)]
    for value in [*ends, Fraction(0)]:
        assert grid.centre + grid.quantise(value) * grid.step == value


def test_what_cannot_be_added_up() -> None:
    """Categories, dates and constants have no grid."""
    for expression in (SEX, STARTED, number(3), call(Op.CLAMP, AGE, number(3), number(3))):
        with pytest.raises(ExpressionInvalid):
            centred_grid(domain_of(expression, DATASET))


def test_unknown_names_come_with_close_ones() -> None:
    """Whoever mistypes a column or a category is told the close ones, or what there is."""
    with pytest.raises(NameUnknown, match="did you mean wait_days"):
        DATASET.column("waitdays")
    with pytest.raises(NameUnknown, match="it has age, wait_days"):
        DATASET.column("zzz")
    sex = DATASET.column("sex").domain
    assert isinstance(sex, Categories)
    with pytest.raises(ExpressionInvalid, match="did you mean überall"):
        sex.code("Uberall")


@pytest.mark.parametrize("span, cells", [(19_999, 20_000), (20_000, 0), (2**62, 0), (2**63 - 2, 0)])
def test_keys_have_few_values(span: int, cells: int) -> None:
    """A key of more than 20,000 values is refused, however many more."""
    domain = Numbers(Fraction(-(span // 2)), Fraction(span - span // 2))
    if cells:
        assert len(cells_of(domain)) == cells
        return
    with pytest.raises(TooLarge, match="coarser"):
        cells_of(domain)


def test_only_numbers_are_added_up() -> None:
    """A sum of labels, which no client writes, is refused by the definition too."""
    measure = Measure(MeasureKind.SUM, SEX, Grid(Fraction(0), Fraction(1), 1))
    with pytest.raises(ExpressionInvalid, match="added up"):
        GroupedSums((), (measure,)).check(DATASET)

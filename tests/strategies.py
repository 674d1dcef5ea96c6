"""What hypothesis draws: typed expressions over one small definition, rows for it, and aggregates.

Every drawn expression passes `domain_of`; draws are put right rather than thrown away, so they cost little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

from hypothesis import strategies as st

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.aggregate.tree import Tree
from fedstats.core.bound import Bound
from fedstats.core.domain import Categories, Dates, Domain, Every, Numbers, Truth, cells_of, days_of
from fedstats.core.evaluation import Row
from fedstats.core.expression import (
    Call,
    CategoryLiteral,
    Column,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
)
from fedstats.core.grid import Grid, centred_grid, zero_grid
from fedstats.core.inference import domain_of
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.errors import LanguageError, NameUnknown
from fedstats.statistics._tree import bins_of

Draw = st.DrawFn

_FIRST, _LAST = days_of(date(2024, 12, 20)), days_of(date(2025, 3, 10))

DATASET = Dataset(
    name="waiting",
    unit=Unit(UnitKind.PERSON, "nhs_number", "nhs_number"),
    rows_max=3,
    people_max=1_000_000,
    people_about=100_000,
    columns=(
        ColumnDefinition("age", Numbers(Fraction(0), Fraction(120))),
        ColumnDefinition("wait_days", Numbers(Fraction(0), Fraction(1_000), nullable=True)),
        ColumnDefinition("cost", Numbers(Fraction(-50), Fraction(2_000), Fraction(1, 4), nullable=True)),
        ColumnDefinition("score", Numbers(Fraction(-1), Fraction(1), Fraction(1, 1_000))),
        ColumnDefinition("sex", Categories(("F", "M", "überall"))),
        ColumnDefinition("specialty", Categories(("C_100", "o'clock", "110", "眼科"), nullable=True)),
        ColumnDefinition("started", Dates(_FIRST, _LAST)),
        ColumnDefinition("ended", Dates(_FIRST, _LAST, nullable=True)),
        ColumnDefinition("booked_week", Dates(_FIRST - 4, _LAST, Every.WEEK, nullable=True)),
        ColumnDefinition("urgent", Truth()),
        ColumnDefinition("admitted", Truth(nullable=True)),
    ),
    editions=("2025-09",),
    holders=("north", "south"),
)
"""A definition with a column of every type, with and without missing values, awkward labels included."""

RECORDS = Dataset(
    name="records",
    unit=Unit(UnitKind.ROW, "records"),
    rows_max=1,
    people_max=1_000,
    people_about=1_000,
    columns=(
        ColumnDefinition("age", DATASET.column("age").domain, as_key=False),
        ColumnDefinition("sex", DATASET.column("sex").domain, as_measure=False),
    ),
    editions=("2025-09",),
    holders=("north",),
)
"""A definition of records without persons, with a column that is no key and one that is no measure."""


def definitions(name: str) -> Dataset:
    """The datasets of tests: one of persons, one of records."""
    for dataset in (DATASET, RECORDS):
        if dataset.name == name:
            return dataset
    raise NameUnknown(f"There is no dataset {name[:40]!r}.")


def rows(dataset: Dataset = DATASET) -> st.SearchStrategy[Row]:
    """One row of codes, extremes and missing values often."""
    return st.fixed_dictionaries({column.name: codes(column.domain) for column in dataset.columns})


def codes(domain: Domain) -> st.SearchStrategy[int | None]:
    """A code of `domain`, None too where values may be missing."""
    if isinstance(domain, Numbers):
        ends = st.sampled_from([domain.lo_code, domain.hi_code])
        drawn = st.one_of(st.integers(domain.lo_code, domain.hi_code), ends)
    else:
        drawn = st.sampled_from(list(domain.codes()))
    return st.one_of(drawn, st.none()) if domain.nullable else drawn


def expressions(dataset: Dataset = DATASET, *, depth: int = 3) -> st.SearchStrategy[Expression]:
    """A valid expression of any type, with up to `depth` operations above each other."""
    return st.one_of(
        numbers(dataset, depth=depth),
        conditions(dataset, depth=depth),
        categories(dataset, depth=depth),
        dates(dataset, depth=depth),
    )


def numbers(dataset: Dataset = DATASET, *, depth: int = 3) -> st.SearchStrategy[Expression]:
    """An expression whose values are numbers."""
    return _composed(_number, dataset, depth)


def conditions(dataset: Dataset = DATASET, *, depth: int = 3) -> st.SearchStrategy[Expression]:
    """An expression whose values are true and false."""
    return _composed(_condition, dataset, depth)


def categories(dataset: Dataset = DATASET, *, depth: int = 3) -> st.SearchStrategy[Expression]:
    """An expression whose values are labels."""
    return _composed(_category, dataset, depth)


def dates(dataset: Dataset = DATASET, *, depth: int = 3) -> st.SearchStrategy[Expression]:
    """An expression whose values are dates."""
    return _composed(_date, dataset, depth)


def keys(dataset: Dataset = DATASET, *, cells_max: int = 60, depth: int = 2) -> st.SearchStrategy[Expression]:
    """An expression with few enough values to group by."""

    def few(expression: Expression) -> bool:
        domain = domain_of(expression, dataset)
        span = domain.hi_code - domain.lo_code if isinstance(domain, Numbers) else 0
        return span < cells_max and len(cells_of(domain)) <= cells_max

    truncated = st.builds(
        lambda op, arg: Call(op, (arg,)),
        st.sampled_from(_TRUNCATIONS),
        st.sampled_from(_columns(dataset, Dates)),
    )
    drawn = st.one_of(categories(dataset, depth=depth), conditions(dataset, depth=depth), truncated)
    return drawn.filter(few)


def grouped_sums(
    dataset: Dataset = DATASET, *, keys_max: int = 2, measures_max: int = 4
) -> st.SearchStrategy[GroupedSums]:
    """A valid aggregate whose measures have equal weights."""

    @st.composite
    def drawn(draw: Draw) -> GroupedSums:
        chosen = draw(st.lists(keys(dataset, cells_max=12), max_size=keys_max, unique=True))
        measures = draw(st.lists(_measures(dataset), min_size=1, max_size=measures_max, unique=True))
        weight = Fraction(1, len(measures))
        weighted = tuple(Measure(kind, expression, grid, weight) for kind, expression, grid in measures)
        return GroupedSums(tuple(chosen), weighted, bound=draw(bounds(dataset)))

    return st.one_of(drawn(), trees(dataset))


def trees(dataset: Dataset = DATASET) -> st.SearchStrategy[GroupedSums]:
    """A valid aggregate of a tree over a number, by a key or none; often of one level, and seldom even."""

    @st.composite
    def drawn(draw: Draw) -> GroupedSums:
        column = draw(st.sampled_from(_columns(dataset, Numbers)))
        bins = bins_of(domain_of(column, dataset))
        bins = replace(bins, per_bin=-(-bins.values // draw(st.sampled_from([2, 9, 40]))))
        every = [key := bins.number_of(column), *draw(st.lists(keys(dataset, cells_max=6), max_size=1))]
        tree = Tree(key, bins.count, draw(st.sampled_from([2, 3, 16])))
        return GroupedSums(tuple(dict.fromkeys(every)), (Measure(MeasureKind.ROWS),), tree=tree)

    return drawn()


def bounds(dataset: Dataset = DATASET) -> st.SearchStrategy[Bound]:
    """Every way to bound a person that there is for a dataset."""
    norms = st.integers(1, dataset.rows_max).map(Bound.weighted)
    drawn = st.one_of(st.just(Bound.rows()), st.just(Bound.people()), norms)
    return drawn.map(lambda bound: bound.on(dataset))


def _measures(
    dataset: Dataset,
) -> st.SearchStrategy[tuple[MeasureKind, Expression | None, Grid | None]]:
    @st.composite
    def drawn(draw: Draw) -> tuple[MeasureKind, Expression | None, Grid | None]:
        kind = draw(st.sampled_from(list(MeasureKind)))
        if kind is not MeasureKind.SUM:
            return kind, draw(st.one_of(st.none(), expressions(dataset, depth=2))), None
        expression = draw(st.one_of(numbers(dataset, depth=2), conditions(dataset, depth=2)))
        grid = draw(st.sampled_from([centred_grid, zero_grid]))
        try:
            return kind, expression, grid(domain_of(expression, dataset))
        except LanguageError:  # a constant has no grid
            column = Column("age")
            return kind, column, grid(domain_of(column, dataset))

    return drawn()


_TRUNCATIONS = (Op.TRUNCATE_WEEK, Op.TRUNCATE_MONTH, Op.TRUNCATE_QUARTER, Op.TRUNCATE_YEAR)
_PARTS_OF_DATES = (Op.YEAR_OF, Op.MONTH_OF, Op.WEEKDAY_OF)
_Composer = Callable[[Draw, Dataset, int], Expression]


def _composed(composer: _Composer, dataset: Dataset, depth: int) -> st.SearchStrategy[Expression]:
    @st.composite
    def drawn(draw: Draw) -> Expression:
        return composer(draw, dataset, depth)

    return drawn()


def _columns(dataset: Dataset, kind: type[Domain]) -> list[Column]:
    return [Column(column.name) for column in dataset.columns if isinstance(column.domain, kind)]


def _valid(dataset: Dataset, expression: Expression, fallback: Expression) -> Expression:
    """The expression, or a part of it where the whole is too large or of types that do not mix."""
    try:
        domain_of(expression, dataset)
    except LanguageError:
        return fallback
    return expression


def _literal_within(draw: Draw, dataset: Dataset, expression: Expression) -> Expression:
    """A literal that `expression` may be compared with."""
    domain = domain_of(expression, dataset)
    if isinstance(domain, Numbers):
        return NumberLiteral(draw(st.integers(domain.lo_code, domain.hi_code)) * domain.step)
    if isinstance(domain, Categories):
        return CategoryLiteral(draw(st.sampled_from(domain.labels)))
    if isinstance(domain, Dates):
        return DateLiteral(draw(st.integers(domain.lo, domain.hi)))
    return Call(Op.IS_NULL, (expression,))


def _number(draw: Draw, dataset: Dataset, depth: int) -> Expression:
    column = draw(st.sampled_from(_columns(dataset, Numbers)))
    if depth == 0:
        return draw(st.one_of(st.just(column), _number_literals()))
    op = draw(st.sampled_from([*_NUMBER_OPS, None]))
    if op is None:
        return column
    x = _number(draw, dataset, depth - 1)
    return _valid(dataset, _NUMBER_OPS[op](draw, dataset, depth - 1, x), x)


def _number_literals() -> st.SearchStrategy[Expression]:
    fraction = st.builds(Fraction, st.integers(-300, 300), st.sampled_from([1, 1, 1, 2, 3, 10, 1_000]))
    return st.builds(NumberLiteral, fraction)


def _two(op: Op) -> Callable[[Draw, Dataset, int, Expression], Expression]:
    return lambda draw, dataset, depth, x: Call(op, (x, _number(draw, dataset, depth)))


def _one(op: Op) -> Callable[[Draw, Dataset, int, Expression], Expression]:
    of = _date if op in _PARTS_OF_DATES else None
    return lambda draw, dataset, depth, x: Call(op, (of(draw, dataset, depth) if of else x,))


def _divided(draw: Draw, dataset: Dataset, depth: int, x: Expression) -> Expression:
    if draw(st.booleans()):
        divisor: Expression = NumberLiteral(Fraction(draw(st.sampled_from([-7, -2, 1, 3, 12])), 2))
    else:
        lo, hi = draw(st.sampled_from([(4, 36), (-120, -8), (1, 400)]))
        divisor = _clamp(_number(draw, dataset, depth), [Fraction(lo, 4), Fraction(hi, 4)])
    return Call(Op.DIVIDE, (x, divisor))


def _clamped(draw: Draw, dataset: Dataset, _depth: int, x: Expression) -> Expression:
    lo = _literal_within(draw, dataset, x)
    hi = draw(_number_literals())
    assert isinstance(lo, NumberLiteral)
    assert isinstance(hi, NumberLiteral)
    return _clamp(x, sorted([lo.value, hi.value]))


def _clamp(x: Expression, ends: Sequence[Fraction]) -> Expression:
    return Call(Op.CLAMP, (x, *(NumberLiteral(end) for end in ends)))


def _chosen(
    op: Op, composer: Callable[[Draw, Dataset, int], Expression]
) -> Callable[[Draw, Dataset, int, Expression], Expression]:
    """CASE or COALESCE over expressions of one type."""

    def build(draw: Draw, dataset: Dataset, depth: int, x: Expression) -> Expression:
        others = [composer(draw, dataset, depth) for _ in range(draw(st.integers(1, 2)))]
        if op is Op.COALESCE:
            return Call(op, (x, *others))
        pairs = [part for value in others for part in (_condition(draw, dataset, depth), value)]
        return Call(op, (*pairs, x) if draw(st.booleans()) else tuple(pairs))

    return build


def _product(draw: Draw, dataset: Dataset, depth: int, x: Expression) -> Expression:
    return Call(Op.MULTIPLY, (x, x if draw(st.booleans()) else _number(draw, dataset, depth)))


def _difference(draw: Draw, dataset: Dataset, depth: int, x: Expression) -> Expression:
    if draw(st.booleans()):
        return Call(Op.SUBTRACT, (x, _number(draw, dataset, depth)))
    return Call(Op.SUBTRACT, (_date(draw, dataset, depth), _date(draw, dataset, depth)))


def _condition(draw: Draw, dataset: Dataset, depth: int) -> Expression:
    column = draw(st.sampled_from(_columns(dataset, Truth)))
    if depth == 0:
        return column
    op = draw(
        st.sampled_from([Op.AND, Op.OR, Op.NOT, Op.IN, Op.IS_NULL, Op.COALESCE, Op.CASE, *_COMPARISONS])
    )
    if op in (Op.AND, Op.OR):
        count = draw(st.integers(2, 3))
        return Call(op, tuple(_condition(draw, dataset, depth - 1) for _ in range(count)))
    if op is Op.NOT:
        return Call(op, (_condition(draw, dataset, depth - 1),))
    if op in (Op.CASE, Op.COALESCE):
        return _chosen(op, _condition)(draw, dataset, depth - 1, column)
    return _valid(dataset, _question(draw, dataset, depth - 1, op), Call(Op.IS_NULL, (column,)))


def _question(draw: Draw, dataset: Dataset, depth: int, op: Op) -> Expression:
    """Something that is asked of one or two values: a comparison, IN or IS NULL."""
    composer = draw(st.sampled_from([_number, _date] if op in (Op.LESS, Op.LESS_EQUAL) else _ANY))
    x = composer(draw, dataset, depth)
    if op is Op.IS_NULL:
        return Call(op, (x,))
    if op is Op.IN:
        return Call(op, (x, *(_literal_within(draw, dataset, x) for _ in range(draw(st.integers(1, 3))))))
    other = _literal_within(draw, dataset, x) if draw(st.booleans()) else composer(draw, dataset, depth)
    return Call(op, (x, other) if draw(st.booleans()) else (other, x))


def _category(draw: Draw, dataset: Dataset, depth: int) -> Expression:
    column = draw(st.sampled_from(_columns(dataset, Categories)))
    op = draw(st.sampled_from([None, Op.BAND, Op.COALESCE, Op.CASE])) if depth else None
    if op is None:
        return column
    if op is not Op.BAND:
        composer: _Composer = _category if draw(st.booleans()) else _label_of(column)
        return _valid(dataset, _chosen(op, composer)(draw, dataset, depth - 1, column), column)
    x = _number(draw, dataset, depth - 1)
    domain = domain_of(x, dataset)
    assert isinstance(domain, Numbers)
    cuts = draw(st.sets(st.integers(domain.lo_code, domain.hi_code), min_size=1, max_size=3))
    points = [NumberLiteral(cut * domain.step) for cut in sorted(cuts)]
    return _valid(dataset, Call(Op.BAND, (x, *points)), column)


def _label_of(column: Column) -> _Composer:
    return lambda draw, dataset, _depth: _literal_within(draw, dataset, column)


def _date(draw: Draw, dataset: Dataset, depth: int) -> Expression:
    column = draw(st.sampled_from(_columns(dataset, Dates)))
    ops = [None, *_TRUNCATIONS, Op.ADD, Op.SUBTRACT, Op.COALESCE, Op.CASE]
    op = draw(st.sampled_from(ops)) if depth else None
    if op is None:
        return column
    x = _date(draw, dataset, depth - 1)
    if op in _TRUNCATIONS:
        return Call(op, (x,))
    if op in (Op.COALESCE, Op.CASE):
        return _valid(dataset, _chosen(op, _date)(draw, dataset, depth - 1, x), column)
    days = _number(draw, dataset, depth - 1)
    if draw(st.booleans()):
        days = Call(Op.FLOOR, (days,))
    sides = (days, x) if op is Op.ADD and draw(st.booleans()) else (x, days)
    return _valid(dataset, Call(op, sides), column)


_ANY: list[_Composer] = [_number, _date, _category, _condition]
_COMPARISONS = (Op.EQUAL, Op.LESS, Op.LESS_EQUAL)
_NUMBER_OPS: dict[Op, Callable[[Draw, Dataset, int, Expression], Expression]] = {
    Op.ADD: _two(Op.ADD),
    Op.SUBTRACT: _difference,
    Op.MULTIPLY: _product,
    Op.LEAST: _two(Op.LEAST),
    Op.GREATEST: _two(Op.GREATEST),
    Op.DIVIDE: _divided,
    **{op: _one(op) for op in _PARTS_OF_DATES},
    Op.NEGATE: _one(Op.NEGATE),
    Op.ABS: _one(Op.ABS),
    Op.FLOOR: _one(Op.FLOOR),
    Op.CLAMP: _clamped,
    Op.COALESCE: _chosen(Op.COALESCE, _number),
    Op.CASE: _chosen(Op.CASE, _number),
}

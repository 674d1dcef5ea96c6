"""One person more or less, through the real engine: nothing moves further than its sensitivity says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from editions import PERSON, Texts, compute, contents, csv_mapping, make, numbers, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import bounds as drawn_bounds

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.bound import Bound
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Truth, days_of
from fedstats.core.expression import Call, Column, Expression, NumberLiteral, Op
from fedstats.core.grid import Grid, centred_grid, zero_grid
from fedstats.core.inference import domain_of
from fedstats.core.population import Condition
from fedstats.core.privacy import Contribution, UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, OnInvalid

DATASET = Dataset(
    name="stays",
    unit=Unit(UnitKind.PERSON, "patient", "who_is_it"),
    rows_max=3,
    people_max=1_000,
    people_about=1_000,
    columns=(
        ColumnDefinition("age", Numbers(Fraction(0), Fraction(3))),
        ColumnDefinition("cost", Numbers(Fraction(-2), Fraction(10), Fraction(1, 4), nullable=True)),
        ColumnDefinition("ward", Categories(("A", "Ü", "眼科"), nullable=True)),
        ColumnDefinition("left", Dates(days_of(date(2025, 1, 30)), days_of(date(2025, 2, 2)), nullable=True)),
        ColumnDefinition("urgent", Truth(nullable=True)),
    ),
    editions=("2025-09",),
    holders=("north",),
)
POLICIES = (
    ColumnMapping("age", on_invalid=OnInvalid.CLIP),
    ColumnMapping("ward", codes={"eye": "眼科", "a": "A"}, default="Ü"),
    ColumnMapping("left", date_formats=("%d/%m/%Y", "%Y-%m-%d"), on_invalid=OnInvalid.DROP_ROW),
)
CLEAN = {
    "age": ["0", "1", "2", "3"],
    "cost": ["-2", "10", "0.25", "7.5"],
    "ward": ["A", "Ü", "眼科"],
    "left": ["2025-01-30", "02/02/2025", ""],
    "urgent": ["true", "no"],
}
DIRTY = {
    "age": [
        "0",
        "1",
        "2",
        "3",
        "3.4",
        "-1",
        "1e300",
        "-inf",
        "nan",
        "",
        "x",
        "99999999999999999999999999999",
    ],
    "cost": [
        "-2",
        "10",
        "0.25",
        "0.249",
        "1e300",
        "-1e-300",
        "NaN",
        "inf",
        "",
        "3,5",
        "9999999999999999999999",
    ],
    "ward": ["A", "Ü", "眼科", "eye", " a ", "unheard of", "", "'; --"],
    "left": ["2025-01-30", "02/02/2025", "2025-02-30", "0001-01-01", "9999-12-31", "", "soon"],
    "urgent": ["true", "NO", "1", "perhaps", ""],
}
NAMES = ["ann", "An n", "bob", "cy", "dee", "", " - "]
NEIGHBOUR = ["eve", "eve", " E-v-e", "EVE"]


def texts(names: Sequence[str]) -> st.SearchStrategy[Texts]:
    """A row as dirty as a source can be."""
    columns = {
        column: st.one_of(st.sampled_from(CLEAN[column]), st.sampled_from(CLEAN[column] + dirt))
        for column, dirt in DIRTY.items()
    }
    return st.fixed_dictionaries({PERSON: st.sampled_from(names), **columns})


KEYS: list[Expression] = [
    Column("ward"),
    Column("urgent"),
    Column("age"),
    Call(Op.TRUNCATE_MONTH, (Column("left"),)),
    Call(Op.BAND, (Column("cost"), NumberLiteral(Fraction(1)))),
]
SUMMED: list[Expression] = [
    Column("age"),
    Column("cost"),
    Column("urgent"),
    Call(Op.MULTIPLY, (Column("cost"), Column("age"))),
    Call(Op.DIVIDE, (Column("cost"), Call(Op.ADD, (Column("age"), NumberLiteral(Fraction(1)))))),
]
POPULATIONS: list[tuple[Condition, ...]] = [
    (),
    (Condition("age", Numbers(Fraction(1), Fraction(2))),),
    (Condition("ward", Categories(("眼科", "A"))), Condition("urgent", allowed=True)),
    (
        Condition("cost", Numbers(Fraction(-2), Fraction(7), Fraction(1, 4))),
        Condition("left", Dates(days_of(date(2025, 1, 30)), days_of(date(2025, 2, 1)))),
    ),
]
CONDITIONS: list[Expression | None] = [None, None, Column("urgent"), Call(Op.IS_NULL, (Column("left"),))]


def narrow_grid(domain: Domain) -> Grid:
    """A grid that leaves out most of the domain, so that rows are clipped."""
    whole = centred_grid(domain)
    return Grid(whole.centre, whole.step * 2 / 3, max(1, whole.half_width // 3))


@st.composite
def aggregates(draw: st.DrawFn) -> GroupedSums:
    """Keys and every kind of measure at once."""
    keys = tuple(draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True)))
    summed = draw(st.sampled_from(SUMMED))
    grid = draw(st.sampled_from([centred_grid, zero_grid, narrow_grid]))(domain_of(summed, DATASET))
    share = Fraction(1, 5)
    measures = (
        Measure(MeasureKind.ROWS, None, None, share),
        Measure(MeasureKind.ROWS, summed, None, share),
        Measure(MeasureKind.PEOPLE, None, None, share),
        Measure(MeasureKind.PEOPLE, summed, None, share),
        Measure(MeasureKind.SUM, summed, grid, share),
    )
    return GroupedSums(keys, measures, bound=draw(drawn_bounds(DATASET)))


def source(folder: Path, rows: Sequence[Texts]) -> DatasetMapping:
    """A CSV file with these rows, and the department's policies."""
    return csv_mapping(folder / "rows.csv", rows, DATASET, POLICIES)


@given(
    others=st.lists(texts(NAMES), max_size=12),
    added=st.lists(texts(NEIGHBOUR), min_size=1, max_size=8),
    aggregate=aggregates(),
    where=st.sampled_from(CONDITIONS),
    cells_max=st.integers(1, DATASET.rows_max),
    population=st.sampled_from(POPULATIONS),
)
def test_a_person_moves_no_vector_beyond_its_sensitivity(
    others: list[Texts],
    added: list[Texts],
    aggregate: GroupedSums,
    where: Expression | None,
    cells_max: int,
    population: tuple[Condition, ...],
) -> None:
    """Whatever rows somebody brings: vectors keep their shape, move by at most D1 and D2, and others stay."""
    dataset = replace(DATASET, population=population)
    with TemporaryDirectory() as name:
        folder = Path(name)
        make(source(folder, others), dataset, folder / "without")
        make(source(folder, [*added, *others]), dataset, folder / "with")
        before, after = (
            np.array(numbers(compute(folder / edition, aggregate, dataset, where=where, cells_max=cells_max)))
            for edition in ("without", "with")
        )
        kept, all_kept = contents(folder / "without", dataset), contents(folder / "with", dataset)
    assert before.shape == after.shape == (5, aggregate.cells(DATASET))
    bounds = Contribution(DATASET.rows_max, cells_max, 1)
    for moved, allowed in zip(after - before, aggregate.sensitivities(bounds), strict=True):
        assert np.abs(moved).sum() <= allowed.d1
        assert (moved**2).sum() <= allowed.d2_squared
    assert kept <= all_kept, "somebody else's rows changed"
    assert (all_kept - kept).total() <= DATASET.rows_max
    assert len({pseudonym for pseudonym, *_ in all_kept - kept}) <= 1, "one person got two names"


@given(
    rows=st.lists(texts([*NAMES, *NEIGHBOUR]), min_size=15, max_size=40),
    population=st.sampled_from(POPULATIONS[1:]),
)
@settings(max_examples=8)
def test_the_population_is_whom_its_conditions_name(
    rows: list[Texts], population: tuple[Condition, ...]
) -> None:
    """An edition holds the clean rows that meet every condition, and no other: missing values are outside."""
    roomy = replace(DATASET, rows_max=100)
    with TemporaryDirectory() as name:
        folder, about = Path(name), replace(roomy, population=population)
        everybody = make(source(folder, rows), roomy, folder / "all")
        report = make(source(folder, rows), about, folder / "some")
        found, held = contents(folder / "all", roomy), contents(folder / "some", about)
    allowed = {c.column: c.codes(roomy.column(c.column).domain) for c in population}
    expected, kept = Counter[tuple[int | None, ...]](), Counter[tuple[int | None, ...]]()
    for (_, *codes), count in found.items():
        named = dict(zip([column.name for column in roomy.columns], codes, strict=True))
        if all(named[column] is not None and named[column] in codes_ for column, codes_ in allowed.items()):
            expected[tuple(codes)] += count
    for (_, *codes), count in held.items():
        kept[tuple(codes)] += count
    assert kept == expected
    assert report.rows_kept == expected.total()
    assert sum(count for _, count in report) == 2 * len(rows)  # each read, and kept or left out once
    assert (everybody.rows_outside, report.rows_invalid) == (0, everybody.rows_invalid)


@given(rows=st.lists(texts([*NAMES, *NEIGHBOUR]), max_size=12), data=st.data(), aggregate=aggregates())
@settings(max_examples=15)
def test_the_order_of_the_source_decides_nothing(
    rows: list[Texts], data: st.DataObject, aggregate: GroupedSums
) -> None:
    """The same rows in another order make an edition of the same contents and give the same answers."""
    shuffled = data.draw(st.permutations(rows))
    with TemporaryDirectory() as name:
        folder = Path(name)
        reports = [
            make(source(folder, ordered), DATASET, folder / f"edition-{i}")
            for i, ordered in enumerate((rows, shuffled))
        ]
        first, second = (contents(folder / f"edition-{i}", DATASET) for i in range(2))
        answers = [numbers(compute(folder / f"edition-{i}", aggregate, DATASET)) for i in range(2)]
    assert reports[0] == reports[1]
    assert first == second
    assert answers[0] == answers[1]


def measured(
    folder: Path, rows: list[dict[str, int | None]], measure: Measure, bound: Bound, name: str
) -> np.ndarray:
    """What one person with these rows adds to a vector over the wards."""
    make(source(folder, texts_of({"eve": rows}, DATASET)), DATASET, folder / name)
    aggregate = GroupedSums((Column("ward"),), (measure,), bound=bound)
    return np.array(numbers(compute(folder / name, aggregate, DATASET))[0])


@pytest.mark.parametrize("grid", [centred_grid, zero_grid])
def test_every_bound_is_attained(grid: Callable[[Domain], Grid], tmp_path: Path) -> None:
    """No sensitivity is larger than it must be: somebody reaches each of them, in L2 and (if one can) L1."""
    bounds = DATASET.contribution(departments_max=1)
    base: dict[str, int | None] = {"age": 0, "cost": 40, "ward": 0, "left": None, "urgent": 1}
    same_cell = [{**base, "age": age} for age in range(3)]
    other_cells = [{**base, "ward": ward} for ward in range(3)]
    cost = Column("cost")
    rows, people = Measure(MeasureKind.ROWS), Measure(MeasureKind.PEOPLE)
    total = Measure(MeasureKind.SUM, cost, grid(domain_of(cost, DATASET)))
    once, whole, two = Bound.people(), Bound.weighted(3), Bound.weighted(2)
    reached = [
        (rows, same_cell, Bound.rows()),
        (people, other_cells, Bound.rows()),
        (people, other_cells, two),
        (total, same_cell, Bound.rows()),
        (rows, other_cells, once),
        (total, other_cells, once),
        (rows, same_cell, whole),
        (total, same_cell, whole),
    ]
    for i, (measure, held, bound) in enumerate(reached):
        moved = measured(tmp_path, held, measure, bound, f"edition-{i}")
        allowed = measure.sensitivity(bounds, bound)
        assert np.abs(moved).sum() == allowed.d1
        assert (moved**2).sum() == allowed.d2_squared
    # With weights the longest and the widest are two people; both come to within one weight's rounding.
    along = measured(tmp_path, same_cell[:2], rows, two, "along")
    across = measured(tmp_path, other_cells, rows, Bound.weighted(1), "across")
    assert (along**2).sum() == rows.sensitivity(bounds, two).d2_squared
    assert 0 <= rows.sensitivity(bounds, Bound.weighted(1)).d1 - np.abs(across).sum() <= 3


def test_ten_thousand_rows_count_as_three(tmp_path: Path) -> None:
    """Somebody with 10,000 rows moves no answer further than somebody with the most rows allowed."""
    many = [{PERSON: "eve", "age": str(i % 4), "cost": str(i % 49 / 4 - 2)} for i in range(10_000)]
    others = [{PERSON: "ann", "age": "1", "cost": "0"}]
    cost = Column("cost")
    measures = (
        Measure(MeasureKind.ROWS),
        Measure(MeasureKind.SUM, cost, zero_grid(domain_of(cost, DATASET))),
    )
    aggregate = GroupedSums((), measures)
    make(source(tmp_path, others), DATASET, tmp_path / "without")
    report = make(source(tmp_path, [*many, *others]), DATASET, tmp_path / "with")
    before, after = (
        np.array(numbers(compute(tmp_path / e, aggregate, DATASET))) for e in ("without", "with")
    )
    assert report.rows_kept == 1 + DATASET.rows_max
    assert report.rows_over_bound + report.rows_duplicate == 10_000 - DATASET.rows_max
    bounds = DATASET.contribution(departments_max=1)
    for moved, allowed in zip(after - before, aggregate.sensitivities(bounds), strict=True):
        assert np.abs(moved).sum() <= allowed.d1

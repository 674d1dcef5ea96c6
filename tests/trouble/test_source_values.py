"""The worst values in every column: whatever rows hold, nothing fails and nothing moves too far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import pytest
from editions import PERSON, Texts, compute, contents, csv_mapping, make, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Categories, Dates, Every, Numbers, Truth, days_of
from fedstats.core.expression import Column
from fedstats.core.grid import centred_grid
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, OnInvalid, Source, SourceKind

_FIRST, _LAST = days_of(date(2025, 1, 1)), days_of(date(2025, 2, 28))
DATASET = Dataset(
    name="stays",
    unit=Unit(UnitKind.PERSON, "patient", "who"),
    rows_max=2,
    people_max=1_000,
    people_about=1_000,
    columns=(
        ColumnDefinition("whole", Numbers(Fraction(0), Fraction(3), nullable=True)),
        ColumnDefinition("quarter", Numbers(Fraction(-2), Fraction(2), Fraction(1, 4), nullable=True)),
        ColumnDefinition("wide", Numbers(Fraction(-(2**61)), Fraction(2**61), nullable=True)),
        ColumnDefinition("label", Categories(("A", "眼科"), nullable=True)),
        ColumnDefinition("day", Dates(_FIRST, _LAST, nullable=True)),
        ColumnDefinition("week", Dates(_FIRST - 2, _LAST, Every.WEEK, nullable=True)),
        ColumnDefinition("truth", Truth(nullable=True)),
    ),
    editions=("2025-09",),
    holders=("north",),
)
NAMES = tuple(column.name for column in DATASET.columns)
_BOUNDED = {0, 1, 2, 4, 5}
"""The positions of numbers and dates, which can be clipped."""
WORST = (
    *(
        "",
        " ",
        "NULL",
        "\x00",
        "1\x00",
        "\x07",
        "zq\x1b[31m",
        "🙂",
        "\u202eabc",
        "مرحبا",
        "e\u0301",
        "\ufeff",
    ),
    *("9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616"),
    *("1e308", "-1e308", "1e309", "1e-320", "NaN", "-nan", "inf", "-Infinity", "-0.0", "-0", "0x10", "1_000"),
    *(
        "1,000",
        "١٢",
        "+1",
        ".5",
        "5.",
        "0001-01-01",
        "9999-12-31",
        "0000-00-00",
        "-0044-03-15",
        "294247-01-10",
    ),
    *(
        "2025-02-30",
        "infinity",
        "epoch",
        "31/12/9999",
        "true",
        "TRUE ",
        " 1",
        "1 ",
        "A ",
        " a",
        "'",
        '"',
        'a"b',
    ),
    *("a,b", "a\nb", "a\r\nb", "\\", "%", "$key", "{}", "x" * 250_000),
)
CLEAN = {
    "whole": "1",
    "quarter": "0.25",
    "wide": "5",
    "label": "A",
    "day": "2025-01-30",
    "week": "2025-01-27",
    "truth": "1",
}
TYPED = {
    "whole": (
        "9223372036854775807::BIGINT",
        "(-170141183460469231731687303715884105727)::HUGEINT",
        "1e308::DOUBLE",
        "'nan'::DOUBLE",
        "'-inf'::FLOAT",
        "(-0.0)::DOUBLE",
        "0.5::DECIMAL(38,37)",
    ),
    "day": (
        "'0001-01-01'::DATE",
        "'9999-12-31'::DATE",
        "'infinity'::DATE",
        "'-infinity'::TIMESTAMP",
        "'294247-01-10 04:00:54'::TIMESTAMP",
    ),
    "label": ("chr(0)::VARCHAR", "repeat('x', 1000000)::VARCHAR", "'inf'::DOUBLE", "true::BOOLEAN"),
    "who": ("('x' || chr(0))::VARCHAR", "1e308::DOUBLE", "'nan'::DOUBLE", "repeat('x', 1000000)::VARCHAR"),
}
_SHARE = Fraction(1, 5)
AGGREGATE = GroupedSums(
    (Column("label"), Column("truth")),
    (
        Measure(MeasureKind.ROWS, None, None, _SHARE),
        Measure(MeasureKind.PEOPLE, None, None, _SHARE),
        *(
            Measure(MeasureKind.SUM, Column(name), centred_grid(DATASET.column(name).domain), _SHARE)
            for name in ("whole", "quarter", "wide")
        ),
    ),
)
_EDITIONS = count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where sources and editions go, each under a number."""
    return tmp_path_factory.mktemp("worst")


@st.composite
def policies(draw: st.DrawFn) -> Sequence[ColumnMapping]:
    """Every way of treating what cannot be read or lies out of bounds."""
    unbounded = [OnInvalid.MISSING, OnInvalid.DROP_ROW]
    return [
        ColumnMapping(
            name, on_invalid=draw(st.sampled_from([*unbounded, OnInvalid.CLIP][: 2 + (i in _BOUNDED)]))
        )
        for i, name in enumerate(NAMES)
    ]


def rows_of(person: str, values: Sequence[str]) -> Iterator[Texts]:
    """A row with each of these values in all columns, and one in each column beside clean values."""
    for i, value in enumerate(values):
        yield {PERSON: person, **dict.fromkeys(NAMES, value)}
        yield {PERSON: person, **CLEAN, NAMES[i % len(NAMES)]: value}


def answers(folder: Path, mapping: DatasetMapping) -> tuple[Path, np.ndarray]:
    """An edition and what the aggregate gives over it."""
    edition = folder / f"edition-{next(_EDITIONS)}"
    make(mapping, DATASET, edition)
    return edition, np.array(numbers(compute(edition, AGGREGATE, DATASET)))


def check_neighbours(folder: Path, without: DatasetMapping, with_one: DatasetMapping) -> None:
    """One person more: the same shape, others' rows as they were, and no vector moves beyond its bound."""
    (before, first), (after, second) = answers(folder, without), answers(folder, with_one)
    kept, all_kept = contents(before, DATASET), contents(after, DATASET)
    before.unlink()
    after.unlink()
    assert first.shape == second.shape
    assert kept <= all_kept
    assert (all_kept - kept).total() <= DATASET.rows_max
    bounds = AGGREGATE.sensitivities(DATASET.contribution(departments_max=1))
    for moved, allowed in zip(second - first, bounds, strict=True):
        assert np.abs(moved).sum() <= allowed.d1
        assert (moved**2).sum() <= allowed.d2_squared


@given(
    others=st.lists(st.sampled_from(WORST), max_size=4),
    added=st.lists(st.sampled_from(WORST), min_size=1, max_size=4),
    mapped=policies(),
)
@settings(max_examples=10)
def test_the_worst_texts_stay_within_bounds(
    others: list[str], added: list[str], mapped: Sequence[ColumnMapping], folder: Path
) -> None:
    """Malformed, extreme and invisible texts in any column of a CSV file: an edition, within its bounds."""
    there = [row for i, value in enumerate(others) for row in rows_of(f"p{i}", [value])]
    without = csv_mapping(folder / "without.csv", there, DATASET, mapped)
    with_one = csv_mapping(folder / "with.csv", [*rows_of("eve", added), *there], DATASET, mapped)
    check_neighbours(folder, without, with_one)


def test_the_worst_identifier_is_one_person(folder: Path) -> None:
    """An identifier of any text is nobody or one person, who keeps at most the rows that count."""
    rows = [{PERSON: who, **CLEAN, "whole": str(i % 4), "wide": str(i)} for who in WORST for i in range(5)]
    edition = folder / f"edition-{next(_EDITIONS)}"
    report = make(csv_mapping(folder / "person.csv", rows, DATASET), DATASET, edition)
    held: Counter[object] = Counter()
    for (person, *_), copies in contents(edition, DATASET).items():
        held[person] += copies
    assert set(held.values()) == {DATASET.rows_max}, "everybody here has several rows"
    assert report.rows_kept == held.total() > 50


def typed_source(path: Path, column: str, values: Sequence[str]) -> DatasetMapping:
    """A Parquet file in which one column has a type of its own, with another person in each row."""
    texts = {"who": "NULL", **{name: f"'{text}'" for name, text in CLEAN.items()}}
    rows = [
        ", ".join(f"{sql} AS {name}" for name, sql in {**texts, "who": f"'p{i}'", column: value}.items())
        for i, value in enumerate(values)
    ]
    union = " UNION ALL ".join(f"SELECT {row}" for row in rows)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({union}) TO '{path}' (FORMAT parquet)")
    return DatasetMapping("stays", Source(SourceKind.PARQUET, path), "who")


@pytest.mark.parametrize(
    "column, value", [(column, value) for column, values in TYPED.items() for value in values]
)
def test_the_worst_typed_values_stay_within_bounds(column: str, value: str, folder: Path) -> None:
    """Limits of types, NaN, infinities and dates before and after all calendars, in typed columns."""
    nothing = f"NULL::{value.rpartition('::')[2]}"
    without = typed_source(folder / "without.parquet", column, [nothing])
    check_neighbours(folder, without, typed_source(folder / "with.parquet", column, [nothing, value]))


def test_a_column_of_nothing_but_nothing_is_missing(folder: Path) -> None:
    """A column without one value, which tools give a type of their own, is missing in every row."""
    mapping = typed_source(folder / "null.parquet", "whole", ["NULL", "NULL"])
    _, found = answers(folder, mapping)
    assert found[0].sum() == 2
    assert found[2].sum() == 0


def test_a_decimal_comma_keeps_the_bounds(folder: Path) -> None:
    """The worst texts are as harmless where numbers are written with a comma."""
    without = csv_mapping(folder / "without.csv", [], DATASET)
    with_one = csv_mapping(folder / "with.csv", list(rows_of("eve", WORST)), DATASET)
    changed = (
        replace(mapping, source=replace(mapping.source, decimal=",")) for mapping in (without, with_one)
    )
    check_neighbours(folder, *changed)

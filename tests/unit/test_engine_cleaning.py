"""Cleaning: from what departments write to codes, by rules that look at one row and are stated per column."""

from __future__ import annotations

import csv
from datetime import date
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from editions import make
from hypothesis import given, settings
from hypothesis import strategies as st

from fedstats.core.domain import Categories, Dates, Domain, Every, Numbers, Truth, days_of, truncate
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.engines import EditionReport
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, OnInvalid, Source, SourceKind

DROPPED = "dropped"
DAY = days_of(date(2025, 3, 14))


def dataset(domain: Domain) -> Dataset:
    """Rows of a number to tell them apart and one value."""
    columns = (
        ColumnDefinition("row", Numbers(Fraction(0), Fraction(100_000))),
        ColumnDefinition("x", domain),
    )
    unit = Unit(UnitKind.ROW, "records")
    return Dataset("records", unit, 1, 1_000, 1_000, columns, ("2025-09",), ("north",))


def cleaned(
    folder: Path, domain: Domain, source: Source, columns: tuple[ColumnMapping, ...]
) -> tuple[list[int | str | None], EditionReport]:
    """What became of the rows 0, 1, ... of a source, and the report."""
    definition = dataset(domain)
    mapping = DatasetMapping("records", source, columns=columns)
    report = make(mapping, definition, folder / "edition")
    with duckdb.connect(str(folder / "edition"), read_only=True) as connection:
        kept = dict(connection.execute("SELECT row, x FROM rows").fetchall())
    return [kept.get(row, DROPPED) for row in range(report.rows_read)], report


def of_texts(
    domain: Domain, texts: list[str], mapping: ColumnMapping | None = None
) -> tuple[list[int | str | None], EditionReport]:
    """The codes of texts that stand in a CSV file."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["row", "x"], *enumerate(texts)])
        source = Source(SourceKind.CSV, folder / "rows.csv")
        return cleaned(folder, domain, source, (mapping or ColumnMapping("x"),))


PERCENT = Numbers(Fraction(0), Fraction(100), Fraction(1, 2))
FIVES = Numbers(Fraction(-10), Fraction(10), Fraction(5))
CENTS = Numbers(Fraction(-1_000), Fraction(1_000), Fraction(1, 100))
HUGE = Numbers(Fraction(-(2**61)), Fraction(2**61))
THIRDS = Numbers(Fraction(0), Fraction(2), Fraction(1, 3))


@pytest.mark.parametrize(
    "domain, text, code",
    [
        (PERCENT, " 12.5 ", 25),
        (PERCENT, "12.24999", 24),
        (PERCENT, "1e1", 20),
        (PERCENT, "100.2", 200),
        (PERCENT, "-0.2", 0),
        (FIVES, "4.6", 1),
        (FIVES, "2.4999", 0),
        (FIVES, "-7.6", -2),
        (CENTS, "-0.07", -7),
        (CENTS, "+3", 300),
        (HUGE, str(2**61), 2**61),
        (HUGE, str(1 - 2**61), 1 - 2**61),
        (THIRDS, "0.3333333", 1),
        (THIRDS, "1.9", 6),
        *(
            (PERCENT, text, DROPPED)
            for text in ("100.3", "-1", "1e300", "-1e300", "inf", "nan", "", "x", "3,5")
        ),
        *((HUGE, text, DROPPED) for text in (str(2**61 + 1), "1" * 60, "-inf")),
    ],
)
def test_numbers_are_rounded_to_the_nearest_step(domain: Domain, text: str, code: int | str) -> None:
    """A number becomes its nearest step exactly; what is none, or out of bounds, drops its row by default."""
    assert of_texts(domain, [text])[0] == [code]


@given(
    step=st.sampled_from([Fraction(1), Fraction(5), Fraction(1, 4), Fraction(3, 100), Fraction(1, 1_000)]),
    texts=st.lists(st.decimals(-70, 70, places=5).map(str), min_size=1, max_size=20),
)
@settings(max_examples=15)
def test_no_number_moves_further_than_half_a_step(step: Fraction, texts: list[str]) -> None:
    """For any step, the code is that of a step nearest to the value."""
    codes, _ = of_texts(
        Numbers(-100 * step, 100 * step, step), texts, ColumnMapping("x", on_invalid=OnInvalid.CLIP)
    )
    for text, code in zip(texts, codes, strict=True):
        assert isinstance(code, int)
        nearest = min(max(Fraction(text), -100 * step), 100 * step)
        assert abs(code * step - nearest) <= step / 2


NUMBER = Numbers(Fraction(0), Fraction(10))
MAYBE = Numbers(Fraction(0), Fraction(10), nullable=True)


@pytest.mark.parametrize(
    "policy, domain, codes",
    [
        (None, NUMBER, [6, DROPPED, DROPPED, DROPPED, DROPPED]),
        (None, MAYBE, [6, None, None, None, None]),
        (OnInvalid.MISSING, MAYBE, [6, None, None, None, None]),
        (OnInvalid.DROP_ROW, MAYBE, [6, DROPPED, DROPPED, DROPPED, None]),
        (OnInvalid.CLIP, MAYBE, [6, 10, 0, None, None]),
        (OnInvalid.CLIP, NUMBER, [6, 10, 0, DROPPED, DROPPED]),
    ],
)
def test_each_policy_does_what_it_says(
    policy: OnInvalid | None, domain: Domain, codes: list[int | str | None]
) -> None:
    """Values too large, too small, unreadable or missing are treated as the policy says, and counted."""
    found, report = of_texts(domain, ["6", "1e40", "-3", "six", ""], ColumnMapping("x", on_invalid=policy))
    assert found == codes
    column = report.columns[1]
    assert (column.missing, column.invalid, column.out_of_bounds) == (1, 1, 2)
    assert report.rows_invalid == codes.count(DROPPED)
    assert report.rows_kept == len(codes) - codes.count(DROPPED)


def test_dates_are_read_in_the_formats_of_the_mapping() -> None:
    """Formats are tried in order; days that do not exist or are out of bounds are no dates of the column."""
    texts = ["2025-03-14", "14/03/2025", "30/02/2025", "2025-03-14T00:00", "1899-01-01", "infinity", ""]
    mapping = ColumnMapping("x", date_formats=("%Y-%m-%d", "%d/%m/%Y"))
    domain = Dates(DAY - 1, DAY + 10, nullable=True)
    assert of_texts(domain, texts, mapping)[0] == [DAY, DAY, None, None, None, None, None]
    clipping = ColumnMapping("x", on_invalid=OnInvalid.CLIP)
    clipped = of_texts(domain, ["1899-01-01", "2999-12-31", "14/03/2025"], clipping)[0]
    assert clipped == [DAY - 1, DAY + 10, None]


@pytest.mark.parametrize(
    "every, first", [(Every.WEEK, DAY - 4), (Every.MONTH, DAY - 13), (Every.YEAR, days_of(date(2025, 1, 1)))]
)
def test_a_column_of_periods_holds_their_first_days(every: Every, first: int) -> None:
    """A day becomes the start of its week, month or year where the definition says so."""
    assert of_texts(Dates(first, DAY + 400, every), ["2025-03-14"])[0] == [first]


def test_local_codes_become_shared_labels() -> None:
    """Codes are matched exactly after trimming; labels mean themselves; the default takes what is left."""
    domain = Categories(("Größe S", "it's L", "大"), nullable=True)
    texts = [" 1", "it's L", "大 ", "Größe S", "l", "", "n/a", "9"]
    codes = {"1": "Größe S", "l": "it's L"}
    plain = ColumnMapping("x", codes=codes, missing=("n/a",))
    assert of_texts(domain, texts, plain)[0] == [0, 1, 2, 0, 1, None, None, None]
    assert of_texts(domain, texts, plain)[1].columns[1].invalid == 1
    filled = ColumnMapping("x", codes=codes, missing=("n/a",), default="大")
    assert of_texts(domain, texts, filled)[0] == [0, 1, 2, 0, 1, None, None, 2]


def test_truth_values_have_many_spellings() -> None:
    """Yes and no in the usual spellings, and whatever else the mapping adds."""
    texts = ["true", "TRUE", "Yes", "1", "y", "no", "F", "0", "ja", "maybe"]
    found, _ = of_texts(Truth(nullable=True), texts, ColumnMapping("x", codes={"ja": "true"}))
    assert found == [1, 1, 1, 1, 1, 0, 0, 0, 1, None]


def test_the_first_local_column_that_says_something_counts(tmp_path: Path) -> None:
    """Several columns are looked through in order, past texts that mean missing; constants need none."""
    (tmp_path / "rows.csv").write_text("row,a,b\n0,,4\n1,3,4\n2,?,5\n3,,\n", encoding="utf-8")
    source = Source(SourceKind.CSV, tmp_path / "rows.csv")
    domain = Numbers(Fraction(0), Fraction(10), nullable=True)
    mapping = ColumnMapping("x", ("a", "b"), missing=("?",))
    assert cleaned(tmp_path, domain, source, (mapping,))[0] == [4, 3, 5, None]
    (tmp_path / "edition").unlink()
    assert cleaned(tmp_path, domain, source, (ColumnMapping("x", constant=" 7 "),))[0] == [7, 7, 7, 7]


QUARTERS = Numbers(Fraction(0), Fraction(9), Fraction(1, 4), nullable=True)
DIGITS = Numbers(Fraction(0), Fraction(9), nullable=True)
DAYS = Dates(DAY, DAY + 9, nullable=True)
TYPED = [
    (QUARTERS, "DOUBLE", ["2.5", "nan", "inf", "1e300"], [10, None, None, None]),
    (DIGITS, "UTINYINT", ["3", "200"], [3, None]),
    (QUARTERS, "INTEGER", ["3", "-2147483648"], [12, None]),
    (QUARTERS, "DECIMAL(38, 10)", ["3.25", "1e27"], [13, None]),
    (DIGITS, "HUGEINT", ["3", str(2**127 - 1)], [3, None]),
    (DAYS, "DATE", ["2025-03-15", "infinity", "-infinity"], [DAY + 1, None, None]),
    (DAYS, "TIMESTAMP", ["2025-03-15 23:59:59", "infinity"], [DAY + 1, None]),
    (Categories(("1", "2"), nullable=True), "FLOAT", ["1", "2.0", "1.5"], [0, 1, None]),
    (Truth(), "BOOLEAN", ["true", "false"], [1, 0]),
]


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
@pytest.mark.parametrize("domain, type_, values, codes", TYPED, ids=[case[1] for case in TYPED])
def test_typed_sources_mean_the_same(
    domain: Domain, type_: str, values: list[str], codes: list[int | str | None], kind: str, tmp_path: Path
) -> None:
    """Parquet files and DuckDB tables are read by type, extremes included, as their texts would be."""
    path = tmp_path / f"rows.{kind}"
    with duckdb.connect(str(path) if kind == "duckdb" else ":memory:") as connection:
        connection.execute(f"CREATE TABLE held (row INTEGER, x {type_})")
        connection.executemany(f"INSERT INTO held VALUES (?, CAST(? AS {type_}))", list(enumerate(values)))
        if kind == "parquet":
            connection.execute(f"COPY held TO '{path}' (FORMAT parquet)")
    source = Source(SourceKind(kind), path, table="held" if kind == "duckdb" else "")
    assert cleaned(tmp_path, domain, source, ())[0] == codes


@pytest.mark.parametrize("every", list(Every))
@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP"])
def test_an_absurd_date_stops_no_edition(every: Every, kind: str, tmp_path: Path) -> None:
    """The ends of what a typed column holds are out of bounds like any other date, for each granularity."""
    ends = {
        "DATE": ["5881580-07-10", "5877642-06-25 (BC)", "20250-01-06"],
        "TIMESTAMP": ["294247-01-10 04:00:54", "290309-12-22 (BC) 00:00:00", "20250-01-06 00:00:00"],
    }
    values = ["2025-03-14", *ends[kind]]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE held (row INTEGER, x {kind})")
        connection.executemany(f"INSERT INTO held VALUES (?, CAST(? AS {kind}))", list(enumerate(values)))
        connection.execute(f"COPY held TO '{tmp_path}/rows.parquet' (FORMAT parquet)")
    source = Source(SourceKind.PARQUET, tmp_path / "rows.parquet")
    lo, hi = truncate(DAY - 400, every), truncate(DAY, every)
    clipping = ColumnMapping("x", on_invalid=OnInvalid.CLIP)
    codes, report = cleaned(tmp_path, Dates(lo, hi, every), source, (clipping,))
    assert codes == [hi, hi, lo, hi]
    assert report.columns[1].out_of_bounds == len(values) - 1

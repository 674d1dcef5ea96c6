"""One large source for the benchmarks of the embedded engine: 20,000,000 rows of about 8,000,000 people.

Synthetic and always the same. Rows of one person lie anywhere, as in a department's own file; a person has
2.5 rows on average, one in forty more than the five that count; some numbers are missing and some rows stand
there twice. The rows need 0.3 GB of disk and about 20 s, an edition of them 0.2 GB more, and while it is made
another 2.5 GB. $FEDSTATS_BENCHMARK_DATA may name a folder where both stay for the next benchmark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import duckdb

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Categories, Dates, Numbers, Truth
from fedstats.core.expression import Column
from fedstats.core.grid import centred_grid
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.engines import EditionOrder, EditionReport, Resources, engine_of
from fedstats.engines.mapping import DatasetMapping, PersonCheck, Source, SourceKind

ROWS, NUMBERS = 20_000_000, 8_960_000
"""Rows, and numbers that they are drawn from: about 8,000,000 are drawn at least once."""
KEY = bytes(range(32))
RESOURCES = Resources()
"""What a node uses unless its configuration says otherwise."""

FUNCTIONS = tuple(f"C_{100 + i}" for i in range(23))
BANDS = ("0-17", "18-44", "45-64", "65-79", "80+")
DATASET = Dataset(
    name="waiting",
    unit=Unit(UnitKind.PERSON, "nhs_number", "nhs_number"),
    rows_max=5,
    people_max=20_000_000,
    people_about=8_000_000,
    columns=(
        ColumnDefinition("treatment_function", Categories(FUNCTIONS)),
        ColumnDefinition("age_band", Categories(BANDS)),
        ColumnDefinition("wait_days", Numbers(Fraction(0), Fraction(730))),
        ColumnDefinition("imd_decile", Numbers(Fraction(1), Fraction(10), nullable=True)),
        ColumnDefinition("sex", Categories(("F", "M", "X"), nullable=True)),
        ColumnDefinition("started", Dates(18_000, 20_500)),
        ColumnDefinition("urgent", Truth()),
    ),
    editions=("2025-09",),
    holders=("north",),
)

_WAIT = Column("wait_days")
_SHARE = Fraction(1, 3)
QUESTION = GroupedSums(
    (Column("treatment_function"), Column("age_band")),
    (
        Measure(MeasureKind.ROWS, None, None, _SHARE),
        Measure(MeasureKind.PEOPLE, None, None, _SHARE),
        Measure(MeasureKind.SUM, _WAIT, centred_grid(DATASET.column("wait_days").domain), _SHARE),
    ),
)
"""Rows, people and one sum in 115 cells."""


@contextmanager
def folder() -> Iterator[Path]:
    """Where the data are: a temporary folder, or the one that $FEDSTATS_BENCHMARK_DATA names, which stays."""
    kept = os.environ.get("FEDSTATS_BENCHMARK_DATA")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with TemporaryDirectory(prefix="fedstats-benchmark-") as name:
        yield Path(name)


_T = TypeVar("_T")


def apart(work: Callable[[Path], _T], place: Path) -> tuple[_T, float]:
    """What `work` returns in a fresh process, and the most memory that this process had, in MB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_measured, work, place).result()


def _measured(work: Callable[[Path], _T], place: Path) -> tuple[_T, float]:
    result = work(place)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return result, int(peak[1]) / 1_000 if peak else float("nan")


def source(place: Path) -> Path:
    """The rows as Parquet, made if they are not there."""
    path = place / "rows.parquet"
    if not path.exists():
        made = place / "rows.making"
        with duckdb.connect(
            config={"memory_limit": "4GB", "temp_directory": str(place / "spill")}
        ) as made_by:
            made_by.execute(f"CREATE TEMP TABLE numbers AS {_NUMBERS}")
            made_by.execute(f"COPY ({_ROWS}) TO '{made}' (FORMAT parquet, COMPRESSION snappy)")
        made.rename(path)
    return path


def make(place: Path, into: Path) -> EditionReport:
    """An edition of the rows, as `fedstats node refresh` makes it."""
    where = Source(SourceKind.PARQUET, source(place))
    mapping = DatasetMapping("waiting", where, "nhs_number", PersonCheck.NHS_NUMBER)
    order = EditionOrder("2025-09", KEY, 1_750_000_000, into)
    return engine_of("duckdb").make_edition(mapping, DATASET, order, RESOURCES)


def edition(place: Path) -> Path:
    """An edition of the rows, made if it is not there."""
    path = place / "edition.duckdb"
    if not path.exists():
        make(place, path)
    return path


_DIGITS = " + ".join(f"(n // {10 ** (9 - i)} % 10) * {11 - i}" for i in range(1, 10))
_NUMBERS = f"""
SELECT row_number() OVER () - 1 AS person, CAST(900000000 + n AS VARCHAR) || check_digit % 11 AS nhs_number
FROM (SELECT n, 11 - (90 + {_DIGITS}) % 11 AS check_digit FROM range({NUMBERS * 11 // 10 + 1_000}) t(n))
WHERE check_digit <> 10
"""  # noqa: S608  # numbers of ours
# Every two-hundredth row repeats the one before it; one in 300 has no number.
_ROWS = f"""
SELECT CASE WHEN h % 300 = 7 THEN NULL ELSE nhs_number END AS nhs_number,
    'C_' || (100 + h // 7 % 23) AS treatment_function,
    CASE h // 1009 % 5 {" ".join(f"WHEN {i} THEN '{band}'" for i, band in enumerate(BANDS))} END AS age_band,
    CAST(sqrt(h // 65537 % 532900) AS INTEGER) AS wait_days,
    CAST(CASE WHEN h // 31 % 50 = 0 THEN NULL ELSE 1 + h // 8191 % 10 END AS TINYINT) AS imd_decile,
    CASE WHEN h // 13 % 100 < 57 THEN 'F' WHEN h // 13 % 100 < 98 THEN 'M' END AS sex,
    DATE '2019-05-01' + CAST(h // 524287 % 2400 AS INTEGER) AS started,
    h // 127 % 6 = 0 AS urgent
FROM (SELECT hash(CASE WHEN i % 200 = 199 THEN i - 1 ELSE i END) AS h FROM range({ROWS}) t(i))
JOIN numbers ON person = h // 4294967296 % {NUMBERS}
"""  # noqa: S608  # numbers of ours

"""Sources written from rows of codes or of texts, the editions made of them, and a look inside."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb

from fedstats.core.aggregate.exact import Exact
from fedstats.core.aggregate.grouped_sums import GroupedSums
from fedstats.core.agreement import ListKind
from fedstats.core.domain import Categories, Domain, Numbers
from fedstats.core.evaluation import TextRow
from fedstats.core.expression import Expression
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.engines import EditionOrder, EditionReport, Resources, engine_of
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, Source, SourceKind

PERSON = "who"
KEY = bytes(range(32))
SMALL = Resources(memory_mb=128, threads=1)

Texts = Mapping[str, str]
"""A row of the source: local column to text."""
Contents = Counter[tuple[int | None, ...]]
"""What an edition holds: (pseudonym, code, code, ...) and how many rows are equal to it."""


def text_of(domain: Domain, code: int | str | None) -> str:
    """How a department would write a code: a decimal, an ISO date, a label, nothing where it is missing."""
    if code is None or isinstance(code, str):
        return code or ""
    if not isinstance(domain, Numbers):
        return domain.label(code)
    value = code * domain.step
    places = next(n for n in range(20) if (value * 10**n).denominator == 1)
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[: len(digits) - places]}.{digits[len(digits) - places :]}"


def texts_of(people: Mapping[str, Sequence[TextRow]], dataset: Dataset) -> list[Texts]:
    """The rows of a source in which each person has these rows."""
    return [
        {PERSON: person, **{c.name: text_of(c.domain, row[c.name]) for c in dataset.columns}}
        for person, rows in people.items()
        for row in rows
    ]


def csv_mapping(
    path: Path, rows: Iterable[Texts], dataset: Dataset, columns: Sequence[ColumnMapping] = ()
) -> DatasetMapping:
    """Write the rows as CSV with shared names, and map them."""
    names = [PERSON, *(column.name for column in dataset.columns)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    person = PERSON if dataset.unit.kind is UnitKind.PERSON else None
    return DatasetMapping(dataset.name, Source(SourceKind.CSV, path), person, columns=tuple(columns))


def make(
    mapping: DatasetMapping,
    dataset: Dataset,
    into: Path,
    *,
    engine: str = "duckdb",
    opt_outs: Path | None = None,
    list_kind: ListKind = ListKind.DENY,
) -> EditionReport:
    """Make an edition with little memory."""
    order = EditionOrder("2025-09", KEY, 1_750_000_000, into, opt_outs, list_kind)
    return engine_of(engine).make_edition(mapping, dataset, order, SMALL)


def compute(
    edition: Path,
    aggregate: GroupedSums,
    dataset: Dataset,
    *,
    where: Expression | None = None,
    cells_max: int | None = None,
    engine: str = "duckdb",
    values: Sequence[str] = (),
) -> Exact:
    """Compute on an edition with little memory."""
    bounds = dataset.contribution(departments_max=1, cells_max=cells_max)
    return engine_of(engine).compute(
        edition,
        aggregate,
        dataset=dataset,
        where=where,
        contribution=bounds,
        key=KEY,
        resources=SMALL,
        values=values,
    )


def numbers(exact: Exact) -> list[list[int]]:
    """The vectors as lists, which compare and show themselves."""
    return [vector.tolist() for vector in exact.vectors]


def contents(edition: Path, dataset: Dataset) -> Contents:
    """All rows of a DuckDB edition, with the pseudonym of those who have several."""
    columns = ", ".join(f'"{column.name}"' for column in dataset.columns)
    with duckdb.connect(str(edition), read_only=True) as connection:
        rows = connection.execute(f"SELECT _pseudonym, {columns} FROM rows LEFT JOIN people USING (_person)")
        return Counter(rows.fetchall())


def weight(count: int) -> Fraction:
    """The weight of each of `count` equal measures."""
    return Fraction(1, count)


PEOPLE = Dataset(
    name="visits",
    unit=Unit(UnitKind.PERSON, "nhs_number", "nhs_number"),
    rows_max=2,
    people_max=1_000_000,
    people_about=1_000,
    columns=(
        ColumnDefinition("age", Numbers(Fraction(0), Fraction(120))),
        ColumnDefinition("ward", Categories(("A", "Größe", "眼科"), nullable=True)),
    ),
    editions=("2025-09",),
    holders=("north",),
)
ROWS = replace(PEOPLE, unit=Unit(UnitKind.ROW, "records"), rows_max=1)
NUMBERS = ("9434765919", "9434765870", "9999999999")


def csv_of(path: Path, text: str, **options: str) -> Source:
    """A CSV file with this text."""
    path.write_text(text, encoding=options.get("encoding", "utf-8"))
    return Source(SourceKind.CSV, path, **options)


def mapped(source: Source, **options: Any) -> DatasetMapping:
    """The people of a source, by their NHS numbers."""
    return replace(DatasetMapping("visits", source, "who"), **options)

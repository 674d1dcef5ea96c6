"""Made-up rows of a dataset, from its public definition alone: to write code against before asking anything.

Every value is drawn evenly from its declared domain. Nothing here has seen data, so nothing can be learned
from it. The draws come from the operating system's randomness, as everywhere below the command line.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterator
from pathlib import Path

from fedstats.client.extras import load
from fedstats.core.domain import Categories, Domain, Numbers, Texts, Truth, date_of
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.errors import FileProblem, ValueInvalid

ROWS_MAX = 10_000_000
MISSING_ONE_IN = 10
DUMMY_TEXTS = 20

Value = str | int | float | bool | None


def names(dataset: Dataset) -> tuple[str, ...]:
    """The columns of the rows: department, person (where there is one), then those of the definition."""
    person = (dataset.unit.column,) if dataset.unit.column is not None else ()
    return (DEPARTMENT_KEY, *person, *(column.name for column in dataset.columns))


def rows(dataset: Dataset, count: int) -> Iterator[tuple[Value, ...]]:
    """So many rows; persons have between 1 and `rows_max` of them in a row.

    Raises
    ------
    ValueInvalid
        Fewer than 1 row, or more than ten million.

    """
    if not 1 <= count <= ROWS_MAX:
        raise ValueInvalid(f"The number of rows lies between 1 and {ROWS_MAX:,}.")
    draw = secrets.SystemRandom()
    with_person = dataset.unit.kind is UnitKind.PERSON
    person, left = 0, 0
    for _ in range(count):
        if left == 0:
            person, left = person + 1, draw.randint(1, dataset.rows_max)
        left -= 1
        values = (_value(column.domain, draw) for column in dataset.columns)
        department = draw.choice(dataset.holders)
        yield (department, f"dummy-{person}", *values) if with_person else (department, *values)


def write(dataset: Dataset, count: int, path: Path) -> None:
    """Write the rows as Parquet where the name ends so, else as CSV.

    Raises
    ------
    FileProblem
        The file cannot be written.
    ExtraMissing
        Parquet needs `fedstats[analysis]`.

    """
    drawn = rows(dataset, count)
    try:
        if path.suffix == ".parquet":
            pyarrow, parquet = load("pyarrow"), load("pyarrow.parquet")
            columns = zip(*drawn, strict=True)
            table = pyarrow.table([list(column) for column in columns], names=list(names(dataset)))
            parquet.write_table(table, path)
        else:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(names(dataset))
                writer.writerows(drawn)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be written: {problem.strerror}.") from None


def _value(domain: Domain, draw: secrets.SystemRandom) -> Value:
    if domain.nullable and draw.randrange(MISSING_ONE_IN) == 0:
        return None
    if isinstance(domain, Numbers):
        value = draw.randint(domain.lo_code, domain.hi_code) * domain.step
        return value.numerator if domain.step.denominator == 1 else float(value)
    if isinstance(domain, Categories):
        return draw.choice(domain.labels)
    if isinstance(domain, Truth):
        return draw.randrange(2) == 1
    if isinstance(domain, Texts):
        return f"made-up-{draw.randrange(DUMMY_TEXTS)}"[-domain.characters_max :]
    return date_of(draw.randint(domain.lo, domain.hi)).isoformat()

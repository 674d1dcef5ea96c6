"""A dataset's definition made from the data themselves, to try a question before there is an agreement.

Bounds, categories and the most rows of a person then come from the data, which no real definition may do:
these are facts about people. Whoever uses it says so; `notes` has the sentences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from fedstats.client.extras import load
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, Truth, days_of
from fedstats.core.grid import STEPS_MAX
from fedstats.core.names import LABEL_CHARACTERS_MAX
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import DEPARTMENT_KEY, ColumnDefinition, Dataset, Unit
from fedstats.errors import FedstatsError, ValueInvalid

LABELS_MAX = 200
"""A column with more labels becomes free text, which can be a key and nothing else."""
PLACES_MAX = 6
_NAMED_MAX = 1_000

ArrowTable = Any
ArrowColumn = Any
Values = Any
"""Arrow ships no types: a table, one of its columns, and the values of one as an array."""
Rows = Any
"""An Arrow table, a pandas frame, or a mapping of column names to equally long sequences."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """A definition, and what a reader must know of how it was made."""

    dataset: Dataset
    notes: tuple[str, ...]


def arrow_of(data: Rows) -> ArrowTable:
    """Any of the three forms in which rows are given, as an Arrow table without NaN.

    Raises
    ------
    ValueInvalid
        It is none of them, or its columns differ in length.
    ExtraMissing
        It needs `fedstats[analysis]`.

    """
    pyarrow = load("pyarrow")
    try:
        if isinstance(data, pyarrow.Table):
            made = data
        elif hasattr(data, "columns") and hasattr(data, "iloc"):  # a pandas frame, without importing pandas
            made = pyarrow.Table.from_pandas(data, preserve_index=False)
        else:
            made = pyarrow.table(
                {str(name): pyarrow.array(values, from_pandas=True) for name, values in dict(data).items()}
            )
    except (TypeError, ValueError) as problem:  # pyarrow's own errors are of these
        raise ValueInvalid(
            "These are no rows: give an Arrow table, a pandas frame, or a dict of equally long columns.",
            remedy=f"pyarrow says: {str(problem)[:200]}",
        ) from None
    return _plain(made)


def infer(table: ArrowTable, name: str, *, person: str | None, leave_out: Sequence[str] = ()) -> Inferred:
    """The definition of a table as `arrow_of` gives it; `person` names people, else each row is one.

    Raises
    ------
    ValueInvalid
        There is no such column, no row, or nothing that a question could be about.

    """
    if person is not None and person not in table.column_names:
        known = ", ".join(table.column_names[:12])
        raise ValueInvalid(f"The data have no column {person[:48]!r} that names people; they have {known}.")
    if not len(table):
        raise ValueInvalid("There is no row to try the question on.")
    columns, notes = [], list[str]()
    for column in table.column_names:
        if column in (person, DEPARTMENT_KEY, *leave_out):
            continue
        try:
            domain, said = _domain(column, table.column(column))
            columns.append(ColumnDefinition(column, domain, as_measure=not isinstance(domain, Texts)))
            notes += said
        except FedstatsError as problem:
            notes.append(f"{column[:48]!r} is left out: {problem.sentence}")
    people, rows_max = _people(table, person)
    unit = Unit(UnitKind.PERSON, person, person) if person else Unit(UnitKind.ROW, "records")
    dataset = Dataset(
        name=name,
        unit=unit,
        rows_max=rows_max,
        people_max=2 * people,
        people_about=people,
        columns=tuple(columns),
        editions=(),
        holders=(),
    )
    return Inferred(dataset, (_loudly(dataset), *notes))


def _loudly(dataset: Dataset) -> str:
    rows = f", and the most rows of a person ({dataset.rows_max})," if dataset.unit.column else ""
    return (
        f"THE DEFINITION WAS MADE FROM THE DATA: bounds and categories{rows} are what is in them. "
        "An agreement states them beforehand, and rarely so tightly: real noise will be wider. "
        "To try the definition that counts, give it as dataset."
    )


def _people(table: ArrowTable, person: str | None) -> tuple[int, int]:
    """How many people there are, and the most rows of one."""
    if person is None:
        return len(table), 1
    counts = load("pyarrow.compute").value_counts(table.column(person).drop_null())
    rows = [int(entry["counts"].as_py()) for entry in counts]
    if not rows:
        raise ValueInvalid(f"No row has a value in {person[:48]!r}, which names people.")
    return len(rows), max(rows)


def _plain(table: ArrowTable) -> ArrowTable:
    """Without dictionaries, NaN, times of day and decimals: as an edition reads numbers and dates."""
    pyarrow, compute = load("pyarrow"), load("pyarrow.compute")
    for i, field in enumerate(table.schema):
        column, types = table.column(i), pyarrow.types
        if types.is_dictionary(field.type):
            column = compute.cast(column, field.type.value_type)
        if types.is_decimal(column.type) or types.is_float16(column.type):
            column = compute.cast(column, pyarrow.float64())
        if types.is_timestamp(column.type):
            column = compute.cast(column, pyarrow.date32(), safe=False)
        if types.is_floating(column.type):
            usable = compute.is_finite(column)
            column = compute.if_else(usable, column, pyarrow.scalar(None, column.type))
        table = table.set_column(i, field.name, column)
    return table


def _domain(name: str, column: ArrowColumn) -> tuple[Domain, Sequence[str]]:
    """The domain of a column's values, and what was rounded or opened to make it one."""
    types = load("pyarrow").types
    nullable, values = column.null_count > 0, column.drop_null()
    if not len(values):
        raise ValueInvalid("it has no values.")
    if types.is_boolean(column.type):
        return Truth(nullable), ()
    if types.is_integer(column.type):
        return _numbers(values.to_numpy().astype(object), Fraction(1), nullable=nullable), ()
    if types.is_floating(column.type):
        return _floats(name, values.to_numpy().astype(np.float64), nullable=nullable)
    if types.is_date(column.type):
        days = [days_of(day) for day in _ends(values)]
        return Dates(min(days), max(days), nullable=nullable), ()
    if types.is_string(column.type) or types.is_large_string(column.type):
        return _texts(name, sorted(set(values.to_pylist())), nullable=nullable)
    raise ValueInvalid(f"values of type {column.type} are neither numbers, dates, truths nor labels.")


def _ends(values: Values) -> Iterator[date]:
    ends = load("pyarrow.compute").min_max(values)
    yield from (ends["min"].as_py(), ends["max"].as_py())


def _numbers(values: Values, step: Fraction, *, nullable: bool) -> Numbers:
    """The multiples of a step that hold all values; at least two, so that there is something to add."""
    lo = math.floor(Fraction(values.min()) / step + Fraction(1, 2)) * step
    hi = math.floor(Fraction(values.max()) / step + Fraction(1, 2)) * step
    return Numbers(lo, max(hi, lo + step), step, nullable)


def _floats(name: str, values: Values, *, nullable: bool) -> tuple[Numbers, Sequence[str]]:
    """Decimals of few places stay what they are; all others are cut into 2^12 steps or some more."""
    for places in range(PLACES_MAX + 1):
        scaled = values * 10.0**places
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.maximum(1, np.abs(scaled))):
            return _numbers(values, Fraction(1, 10**places), nullable=nullable), ()
    spread = float(values.max() - values.min()) or 1.0
    step = Fraction(10) ** math.floor(math.log10(spread / STEPS_MAX))
    said = f"{name} is rounded to steps of {float(step):g}."
    return _numbers(values, step, nullable=nullable), (said,)


def _texts(name: str, labels: Sequence[str], *, nullable: bool) -> tuple[Domain, Sequence[str]]:
    nullable = nullable or "" in labels  # an edition reads an empty text as missing
    labels = [label for label in labels if label]
    if len(labels) <= LABELS_MAX:
        return Categories(tuple(labels), nullable), ()
    longest = min(LABEL_CHARACTERS_MAX, max(map(len, labels)))
    said = f"{name} has {len(labels):,} values, so it is free text: a key whose rare values are not named."
    return Texts(longest, _NAMED_MAX, nullable), (said,)

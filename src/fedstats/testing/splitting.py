"""Rows dealt out to departments: as a column says, or evenly, all rows of a person at one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from fedstats.client.extras import load
from fedstats.core.names import check_department
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.errors import ValueInvalid
from fedstats.testing.inferring import ArrowTable

BY_COLUMN_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Split:
    """Each department's rows, how many people there are, and in how many departments one of them is at most.

    `homeless` counts the rows whose column says no department.
    """

    rows: Mapping[str, Any]
    people: int
    departments_of_one: int
    homeless: int

    @classmethod
    def of(
        cls,
        table: ArrowTable,
        dataset: Dataset,
        *,
        departments: int,
        by: str | None,
        generator: np.random.Generator,
    ) -> Self:
        """Deal out the rows of a table that holds the columns of a definition.

        Raises
        ------
        ValueInvalid
            There is no such column, or it names too many departments or one with an unusable name.

        """
        by = by or (DEPARTMENT_KEY if DEPARTMENT_KEY in table.column_names else None)
        person = _codes(table, dataset.unit.column)
        people = int(person.max(initial=-1)) + 1
        if by is None:
            places = generator.permutation(people) % departments
            home, names = places[person], [f"department-{i:02}" for i in range(1, departments + 1)]
        else:
            home, names = _homes(table, by)
        names_kept = [c.name for c in dataset.columns if c.name in table.column_names]
        kept = table.select(names_kept + ([dataset.unit.column] if dataset.unit.column else []))
        rows = {name: kept.take(np.flatnonzero(home == i)) for i, name in enumerate(names)}
        pairs = np.unique(np.stack([person[home >= 0], home[home >= 0]]), axis=1)
        several = int(np.bincount(pairs[0]).max(initial=1)) if dataset.unit.column else 1
        return cls(rows, people, several, int((home < 0).sum()))

    def notes(self, max_departments: int) -> Iterator[str]:
        """What a reader must know of it."""
        if self.homeless:
            yield f"{self.homeless:,} rows take no part: they name no department."
        if self.departments_of_one > max_departments:
            yield (
                f"Somebody is in {self.departments_of_one} departments, and max_departments is "
                f"{max_departments}: of such a person more is lost than epsilon says."
            )


def _codes(table: ArrowTable, column: str | None) -> np.ndarray:
    """The position of each row's person among all persons; a row without one is nobody else's."""
    if column is None:
        return np.arange(len(table))
    encoded = load("pyarrow.compute").dictionary_encode(table.column(column).combine_chunks())
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    codes = np.where(np.isnan(codes.astype(np.float64)), len(encoded.dictionary), codes)
    return np.asarray(codes, dtype=np.int64)


def _homes(table: ArrowTable, by: str) -> tuple[np.ndarray, list[str]]:
    """The position of each row's department, -1 where none is said, and the departments' names."""
    if by not in table.column_names:
        raise ValueInvalid(f"The data have no column {by[:48]!r} that says which department holds a row.")
    values = table.column(by).to_pylist()
    said = sorted({str(value) for value in values if value is not None and str(value)})
    if not 1 <= len(said) <= BY_COLUMN_MAX:
        raise ValueInvalid(
            f"The column {by[:48]!r} names {len(said):,} departments; the most is {BY_COLUMN_MAX:,}."
        )
    named = {text: _department(text) for text in said}
    names = sorted(set(named.values()))
    if len(names) < len(said):
        raise ValueInvalid(f"Two departments of column {by[:48]!r} would have one name.")
    place = {text: names.index(name) for text, name in named.items()}
    return np.array([place.get(str(value), -1) for value in values], dtype=np.int64), names


def _department(text: str) -> str:
    """A label as the name of a department: Site 3 is site-3, and 3 is d-3."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return check_department(name if name[:1].isalpha() else f"d-{name}")

"""Departments whose people are registered at practices that nobody listed: an open key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from samples import sample_dataset
from waiting import HEADER, Rows, federation

from fedstats.core.domain import Texts
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.testing.federation import Federation

PRACTICE = ColumnDefinition("practice", Texts(20, 50, nullable=True), as_measure=False)

People = Mapping[str, Mapping[str, int]]
"""Per department and practice, how many people; an empty practice is missing."""


def with_practice(dataset: Dataset | None = None, column: ColumnDefinition = PRACTICE) -> Dataset:
    """The sample dataset with the open key."""
    found = dataset or sample_dataset()
    return replace(found, columns=(*found.columns, column))


def practice_federation(
    folder: Path, people: People, *, column: ColumnDefinition = PRACTICE, **changes: Any
) -> Federation:
    """The federation of three departments with so many people at each practice, half of them women."""

    def rows(department: str) -> Rows:
        made: list[Sequence[object]] = []
        for practice, count in people.get(department, {}).items():
            for person in range(count):
                sex = "F" if person % 2 else "M"
                made.append(
                    (f"{department}-{practice}-{person}", 40, 10, sex, "2025-03-15", "", "LS", practice)
                )
        return made

    return federation(
        folder, rows, header=(*HEADER, "practice"), datasets=(with_practice(column=column),), **changes
    )

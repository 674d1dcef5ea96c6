"""The lot that decides which cells a person keeps is drawn from a name that others cannot change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from editions import compute, contents, csv_mapping, make, numbers, texts_of
from strategies import DATASET

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.evaluation import Row
from fedstats.core.expression import Column

PERSONS = 30


def row(*, age: int, sex: int) -> Row:
    """A row that only its person has."""
    plain: dict[str, int | None] = {column.name: None for column in DATASET.columns}
    zeros = dict.fromkeys(("score", "urgent"), 0)
    return {**plain, **zeros, "started": 20_100, "age": age, "sex": sex}


def three_rows(age: int) -> list[Row]:
    """Somebody with a row in each of three cells."""
    return [row(age=age, sex=sex) for sex in range(3)]


@pytest.mark.parametrize("newcomer", ["a", "p15x", "z"])
@pytest.mark.parametrize("cells_max", [1, 2])
def test_a_newcomer_moves_nobody_into_other_cells(newcomer: str, cells_max: int, tmp_path: Path) -> None:
    """Many people with more cells than they may keep: one more person leaves all of them where they were."""
    others = {f"p{i:02}": three_rows(i) for i in range(PERSONS)}
    everybody = {newcomer: three_rows(PERSONS), **others}
    counts = tuple(Measure(kind) for kind in (MeasureKind.ROWS, MeasureKind.PEOPLE))
    by_sex = GroupedSums((Column("sex"),), counts)
    found = []
    for name, people in (("without", others), ("with", everybody)):
        mapping = csv_mapping(tmp_path / f"{name}.csv", texts_of(people, DATASET), DATASET)
        make(mapping, DATASET, tmp_path / name)
        found.append(np.array(numbers(compute(tmp_path / name, by_sex, DATASET, cells_max=cells_max))))
    moved = found[1] - found[0]
    assert found[0].sum() == 2 * PERSONS * cells_max
    assert moved.min() >= 0
    assert moved.sum(axis=1).tolist() == [cells_max, cells_max]
    assert contents(tmp_path / "without", DATASET) <= contents(tmp_path / "with", DATASET)

"""Without noise, grid and clip every statistic is the pooled one: equal to 1e-8, on three sets of rows.

And on the grid, without noise, the departments' integers add up exactly to those of all rows together.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from editions import texts_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pooled_case import Case, Key, cases_of
from pooled_worlds import world
from strategies import DATASET, conditions, grouped_sums

from fedstats.core.aggregate.exact import Exact
from fedstats.core.aggregate.grouped_sums import GroupedSums
from fedstats.core.domain import Domain, Numbers
from fedstats.core.estimate import Table, Value
from fedstats.core.evaluation import Row
from fedstats.core.expression import Expression
from fedstats.core.statistic import Round
from fedstats.errors import InternalError
from fedstats.statistics import statistics
from fedstats.testing.pool import Pool

TOLERANCE = 1e-8
PERSON = {"who": "nhs_number"}
SOURCE = Path(__file__).parents[2] / "src"
ALL = [pytest.param(case, id=f"{name}: {case.title}") for name in statistics() for case in cases_of(name)]


@pytest.mark.parametrize("case", ALL)
def test_without_noise_and_grid_it_is_the_pooled_answer(case: Case) -> None:
    """From float64 totals of all departments, a statistic gives what plain pandas gives of all rows."""
    here = world(case.world)
    estimate = here.floats().answer(case.statistic(here.dataset))
    expected = case.pooled(here.frame)
    tables = {table.name: table for table in estimate.tables}
    assert set(expected) <= set(tables)
    for name, rows in expected.items():
        _check_equal(tables[name], rows)


def _check_equal(table: Table, expected: Mapping[Key, tuple[float, ...]]) -> None:
    """Every number that is expected is there, and every other cell is 0 or absent."""
    found = {row.key: row.cells for row in table if not row.total}
    assert set(expected) <= set(found)
    for key, cells in found.items():
        numbers = expected.get(key, (0.0,) * len(cells))
        assert len(numbers) == len(cells), f"{table.name} {key}: as many numbers as columns"
        for column, cell, number in zip(table.columns, cells, numbers, strict=True):
            if key not in expected and not isinstance(cell, Value):
                continue
            assert isinstance(cell, Value), f"{table.name} {key} {column} is absent, and is {number}"
            apart = abs(cell.value - number) / max(1.0, abs(number))
            assert apart <= TOLERANCE, f"{table.name} {key} {column}: {cell.value} and not {number}"


def test_every_statistic_is_compared() -> None:
    """A statistic without a case in tests/pooled_cases is one that nobody compared with the pooled answer."""
    assert [name for name in statistics() if not cases_of(name)] == []


@pytest.fixture(scope="module")
def people() -> Mapping[str, list[list[Row]]]:
    """Rows of every kind for three departments, some people in two of them, extremes and gaps often."""
    generator = np.random.default_rng(4)  # a fixed seed: what passes, passes again
    made = {}
    for name in ("north", "south", "west"):
        held: dict[int, list[Row]] = {}
        for _ in range(40):
            rows = held.setdefault(int(generator.integers(25)), [])
            row = {c.name: _drawn(c.domain, generator) for c in DATASET.columns}
            if len(rows) < DATASET.rows_max and row not in rows:
                rows.append(row)
        made[name] = list(held.values())
    return made


def _drawn(domain: Domain, generator: np.random.Generator) -> int | None:
    if domain.nullable and generator.random() < 0.2:
        return None
    if isinstance(domain, Numbers):
        ends = [domain.lo_code, domain.hi_code]
        return int(generator.choice([*ends, int(generator.integers(domain.lo_code, domain.hi_code + 1))]))
    return int(generator.choice(domain.codes()))


@pytest.fixture(scope="module")
def pool(people: Mapping[str, list[list[Row]]]) -> Pool:
    """Their editions."""
    rows = {
        name: texts_of({f"{name}-{i}": rows for i, rows in enumerate(held)}, DATASET)
        for name, held in people.items()
    }
    columns = {
        name: {PERSON.get(key, key): [row[key] or None for row in listed] for key in listed[0]}
        for name, listed in rows.items()
    }
    return Pool.of(DATASET, columns, departments_max=2)


@settings(max_examples=8)  # the engine equals the reference by a suite of its own; here it is adding up
@given(aggregate=grouped_sums(DATASET), where=st.one_of(st.none(), conditions(DATASET, depth=2)))
def test_on_the_grid_departments_add_up_to_the_pooled_reference(
    people: Mapping[str, list[list[Row]]], pool: Pool, aggregate: GroupedSums, where: Expression | None
) -> None:
    """The engine's totals over three departments equal the integer reference over all people."""
    every = [rows for held in people.values() for rows in held]
    expected = aggregate.reference(every, DATASET, where).vectors
    each = pool.totals(Round((aggregate,)), where).values()
    for i, vector in enumerate(expected):
        assert np.array_equal(sum(vectors[0][i] for vectors in each), vector)


def test_nothing_that_is_installed_can_reach_the_float_world() -> None:
    """No file of the package names it, no installation has it, and floats are no exact numbers."""
    named = [path for path in SOURCE.rglob("*.py") if "float_sums" in path.read_text(encoding="utf-8")]
    assert named == []
    code = "import importlib.util; print(importlib.util.find_spec('float_sums'))"
    ran = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "None"
    with pytest.raises(InternalError, match="64-bit integers"):
        Exact((np.zeros(3),))  # type: ignore[arg-type]  # what no engine may return

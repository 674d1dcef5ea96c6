"""Histograms over six sites, through the engine: noise intervals of bins hold, at every usual loss."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from pooled_worlds import world

from fedstats.core.estimate import Table, Value
from fedstats.statistics.table import Table as TableStatistic
from fedstats.testing.pool import Pool

DRAWS, BINS = 150, 7
QUESTION = (
    "SELECT HISTOGRAM(mdvis, 7) AS visits, COUNT(*) AS n, AVG(disea) AS a, STDDEV(disea) AS s FROM randhie"
)


@pytest.fixture(scope="module")
def pool() -> Pool:
    """People of six sites, several rows each."""
    return world("randhie").pool()


@pytest.mark.parametrize("epsilon", [Fraction(1, 2), Fraction(1), Fraction(4)])
def test_every_bin_is_covered(pool: Pool, epsilon: Fraction) -> None:
    """Counts of bins, and averages and standard deviations in them, lie in their noise intervals.

    Bins in which the noise hides the rows have a count and no average; they never mislead.
    """
    statistic = TableStatistic.from_sql(QUESTION, lambda _: pool.dataset)
    (exact,) = pool.exact(statistic, epsilon).tables
    held: dict[str, list[bool]] = {name: [] for name in exact.columns}
    for estimate in pool.draws(statistic, epsilon, DRAWS, seed=11):
        (table,) = estimate.tables
        for name, covered in _covered(table, exact):
            held[name].append(covered)
    assert len(held["n"]) == DRAWS * BINS
    assert all(np.mean(covered) >= covered_min(len(covered)) for covered in held.values())
    assert min(map(len, held.values())) > 1.5 * DRAWS


def covered_min(trials: int) -> float:
    """A true 95 % interval covers less about once in 100,000 runs, as 1,851 of 2,000."""
    return 0.95 - 4.26 * math.sqrt(0.95 * 0.05 / trials)


def _covered(table: Table, exact: Table) -> list[tuple[str, bool]]:
    """By column, whether each number's interval holds the one without noise."""
    return [
        (name, cell.noise_interval.lo <= truth.value <= cell.noise_interval.hi)
        for row, true in zip(table, exact, strict=True)
        for name, cell, truth in zip(table.columns, row.cells, true.cells, strict=True)
        if isinstance(cell, Value) and isinstance(truth, Value)
    ]

"""A description covers: of 2,000 releases of the same rows, 95 % of the noise intervals hold what rows give.

Every number at epsilon 0.5, 1 and 4. Fewer than 1,851 covered come about once in 100,000 runs for a true 95 %
interval; the generator has a fixed seed. The exact totals are computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import numpy as np
import pytest

from fedstats.core.domain import Categories, Dates, Numbers, Truth
from fedstats.core.estimate import Estimate, Value
from fedstats.core.noise import noise_sd
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.statistics.describe import Describe
from fedstats.testing.pool import Pool

DRAWS, COVERED_MIN = 2_000, 1_851
DEPARTMENTS = ("north", "south", "west")
FIRST, LAST = 18_000, 18_999
STARTED = np.datetime64("1970-01-01") + FIRST
VISITS = Dataset(
    name="visits",
    unit=Unit(UnitKind.PERSON, "people", "person"),
    rows_max=2,
    people_max=10**6,
    people_about=10**5,
    columns=(
        ColumnDefinition("wait", Numbers(Fraction(0), Fraction(730), nullable=True)),
        ColumnDefinition("priority", Categories(("routine", "urgent", "cancer"))),
        ColumnDefinition("seen", Truth()),
        ColumnDefinition("started", Dates(FIRST, LAST)),
    ),
    editions=("2025-09",),
    holders=DEPARTMENTS,
)
STATISTIC = Describe("visits", quantiles=(0.5, 0.92))

Place = tuple[str, tuple[str | None, ...], str]


def visits(rows: int, generator: np.random.Generator) -> Mapping[str, list[object]]:
    """Rows of two a person: skewed waits of which a tenth is missing, a rare priority, dates all over."""
    waits = np.minimum(generator.lognormal(4.5, 0.9, rows), 730).astype(int)
    gone = generator.random(rows) < 0.1
    priorities = generator.choice(["routine", "urgent", "cancer"], rows, p=[0.8, 0.17, 0.03])
    return {
        "person": [f"p{i // 2}" for i in range(rows)],
        "wait": [None if missing else wait for wait, missing in zip(waits.tolist(), gone, strict=True)],
        "priority": priorities.tolist(),
        "seen": (generator.random(rows) < 0.6).tolist(),
        "started": (STARTED + generator.integers(0, LAST - FIRST + 1, rows)).tolist(),
    }


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Three departments with 5,000 rows each."""
    generator = np.random.default_rng(11)  # a fixed seed: what passes, passes again
    return Pool.of(VISITS, {name: visits(5_000, generator) for name in DEPARTMENTS})


def places(estimate: Estimate) -> dict[Place, Value]:
    """Every number of an answer by its table, its row and its column."""
    return {
        (table.name, row.key, column): cell
        for table in estimate.tables
        for row in table
        for column, cell in zip(table.columns, row.cells, strict=True)
        if isinstance(cell, Value)
    }


def drawn(pool: Pool, ask: Ask, generator: np.random.Generator) -> Iterator[Estimate]:
    """2,000 answers, whose noise is drawn for each aggregate in one go."""
    order = STATISTIC.step(ask, [])
    assert isinstance(order, Round)
    plain = pool.result(STATISTIC, ask, order)
    mechanism = ask.loss.mechanism
    noisy = [
        [
            vector
            + np.rint(generator.normal(0, noise_sd(mechanism, scale, 3), (DRAWS, len(vector)))).astype(
                np.int64
            )
            for vector, scale in zip(vectors, scales, strict=True)
        ]
        for vectors, scales in zip(plain.total, plain.scales, strict=True)
    ]
    for draw in range(DRAWS):
        totals = tuple(tuple(vectors[draw] for vectors in aggregate) for aggregate in noisy)
        found = STATISTIC.step(ask, [RoundResult(order, totals, plain.scales, len(DEPARTMENTS))])
        assert isinstance(found, Estimate)
        yield found


@pytest.mark.parametrize("epsilon", [0.5, 1, 4])
def test_every_number_is_covered(pool: Pool, epsilon: float) -> None:
    """Rows, people, gaps, means, deviations, quantiles, dates and categories, each by its own interval.

    No interval is much wider than errors are; of quantiles the median may be twice as wide and a day, and the
    92nd percentile, where values are rare and noise may cross the line often, four times.
    """
    exact = places(pool.exact(STATISTIC))
    held, errors, widths = dict.fromkeys(exact, 0), _lists(exact), _lists(exact)
    generator = np.random.default_rng(12)  # a fixed seed: what passes, passes again
    for estimate in drawn(pool, pool.ask(epsilon), generator):
        for place, value in places(estimate).items():
            held[place] += value.noise_interval.lo <= exact[place].value <= value.noise_interval.hi
            errors[place].append(abs(value.value - exact[place].value))
            widths[place].append(value.noise_interval.half_width)
    assert {place[0] for place in exact} == {"dataset", "missing", "numbers", "dates", "categories"}
    assert min(held.values()) >= COVERED_MIN, {k: v for k, v in held.items() if v < COVERED_MIN}
    wide = {
        place: (np.mean(found), np.quantile(errors[place], 0.95))
        for place, found in widths.items()
        if np.mean(found) > width_max(place, float(np.quantile(errors[place], 0.95)))
    }
    assert not wide, wide


def width_max(place: Place, error: float) -> float:
    """How wide to each side an interval may be on average, where 95 % of errors are within `error`."""
    if {"50 %", "0.5"} & {*place[1], place[2]}:
        return 2 * error + 1
    if {"92 %", "0.92"} & {*place[1], place[2]}:
        return 4 * error + 1
    return 1.2 * error


def _lists(keys: Iterable[Place]) -> dict[Place, list[float]]:
    return {key: [] for key in keys}

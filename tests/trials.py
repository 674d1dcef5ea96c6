"""One cell of a table for each trial: 2,000 noise draws of an answer in one step, and what covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from strategies import DATASET

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.domain import Numbers
from fedstats.core.estimate import Cell, Estimate, Interval, Value
from fedstats.core.evaluation import Row
from fedstats.core.expression import columns_of
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.schema import ColumnDefinition
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.statistics.table import Table
from fedstats.testing.drawing import noise

TRIALS = 2_000
COVERED_MIN = 1_851
DEPARTMENTS = ("north", "south", "west")
TRIAL = ColumnDefinition("trial", Numbers(Fraction(1), Fraction(TRIALS)))
TRIALED = replace(DATASET, columns=(*DATASET.columns, TRIAL))

Integers = npt.NDArray[np.int64]
Question = tuple[Table, Ask, Round]


def tabled(
    outputs: str,
    *,
    mechanism: Mechanism = Mechanism.GAUSSIAN,
    epsilon: Fraction = Fraction(1),
    bound: str = "rows",
) -> Question:
    """A question with one cell per trial, and its round."""
    loss = epsilon if mechanism is Mechanism.LAPLACE else rho_from_epsilon(epsilon, Fraction(1, 2_000_000))
    sql = f"SELECT trial, {outputs} FROM waiting GROUP BY trial"
    statistic = Table.from_sql(sql, lambda _: TRIALED, bound=bound)
    ask = Ask(TRIALED, MechanismLoss(mechanism, loss), TRIALED.contribution(departments_max=2), DEPARTMENTS)
    order = statistic.step(ask, [])
    assert isinstance(order, Round)
    return statistic, ask, order


def noisy(
    question: Question, exact: Sequence[Integers], generator: np.random.Generator
) -> list[tuple[Cell, ...]]:
    """The cells of all trials, from exact totals (one value per trial for each measure) and fresh noise."""
    statistic, ask, order = question
    (scales,) = noise_scales(order.aggregates, ask.loss, ask.contribution)
    totals = tuple(
        vector + sum(noise(ask.loss.mechanism, generator, scale, TRIALS) for _ in DEPARTMENTS)
        for vector, scale in zip(exact, scales, strict=True)
    )
    estimate = statistic.step(ask, [RoundResult(order, (totals,), (scales,), len(DEPARTMENTS))])
    assert isinstance(estimate, Estimate)
    return [row.cells for row in estimate.tables[0]]


def exact_totals(question: Question, rows: Sequence[Row]) -> list[Integers]:
    """The totals of these rows per measure of the round, the same in every trial."""
    (aggregate,) = question[2].aggregates
    where = question[0].condition(TRIALED)
    read = sorted((aggregate.columns() | columns_of(where)) - {"trial"})
    counts = Counter(tuple(row[name] for name in read) for row in rows)
    distinct, totals = list(counts), [0] * len(aggregate.measures)
    for start in range(0, len(distinct), TRIALS):  # equal rows are computed once, each in a cell of its own
        part = distinct[start : start + TRIALS]
        people = [[{**dict(zip(read, values, strict=True)), "trial": i + 1}] for i, values in enumerate(part)]
        times = np.zeros(TRIALS, np.int64)
        times[: len(part)] = [counts[values] for values in part]
        vectors = aggregate.reference(people, TRIALED, where).vectors
        totals = [total + int(vector @ times) for total, vector in zip(totals, vectors, strict=True)]
    return [np.full(TRIALS, total, np.int64) for total in totals]


def covered(cells: Sequence[Cell], truth: float, *, population: bool = False) -> int:
    """How many cells have an interval with the truth in it; a cell without a number covers nothing."""
    return sum(found.lo <= truth <= found.hi for found in intervals(cells, population=population))


def intervals(cells: Sequence[Cell], *, population: bool = False) -> list[Interval]:
    """The intervals of one kind that there are."""
    values = [cell for cell in cells if isinstance(cell, Value)]
    found = [value.interval if population else value.noise_interval for value in values]
    return [interval for interval in found if interval is not None]


def some_rows(count: int) -> list[Row]:
    """Rows of a skewed population: a fifth is urgent, waits of 0 to 570 days, ages of 20 to 79."""
    plain = dict.fromkeys((column.name for column in DATASET.columns), 0)
    return [
        {
            **plain,
            "age": 20 + i % 60,
            "wait_days": (i % 20) ** 2 + i % 210,
            "urgent": int(i % 5 == 0),
            "cost": 4 * i % 8000,
        }
        for i in range(count)
    ]

"""A whole run of a statistic, step by step, and totals that no data would have. For `conformance`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fedstats.core.aggregate.exact import Integers
from fedstats.core.estimate import Estimate, Interval, Refusal, Value
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic, Vectors
from fedstats.testing.pool import Pool

ROUNDS_TRIED_MAX = 1_000
GREATEST = 2**52
"""The greatest total that a check makes up, over all departments."""

Answer = Callable[[Round], RoundResult]
Spoil = Callable[[np.random.Generator, Integers], Integers]


@dataclass(frozen=True, slots=True)
class Recorded:
    """`steps[k]` is what the statistic said of `history[:k]`; the last step is the estimate."""

    ask: Ask
    history: tuple[RoundResult, ...]
    steps: tuple[Round | Estimate, ...]

    @property
    def rounds(self) -> tuple[Round, ...]:
        """All rounds that it asked."""
        return tuple(step for step in self.steps if isinstance(step, Round))


def record(statistic: Statistic, ask: Ask, answer: Answer) -> Recorded:
    """Take a statistic through its rounds, whatever it declared, up to a thousand of them.

    Totals are handed over as copies, so that a step that writes into them spoils no other run.
    """
    history: list[RoundResult] = []
    steps: list[Round | Estimate] = []
    while len(history) <= ROUNDS_TRIED_MAX:
        step = statistic.step(ask, copy.deepcopy(tuple(history)))
        steps.append(step)
        if not isinstance(step, Round):
            break
        history.append(answer(step.normalised()))
    return Recorded(ask, tuple(history), tuple(steps))


def _greatest(_generator: np.random.Generator, vector: Integers) -> Integers:
    return np.full_like(vector, GREATEST)


def _small(generator: np.random.Generator, vector: Integers) -> Integers:
    return generator.integers(-3, 4, len(vector))


def _large(generator: np.random.Generator, vector: Integers) -> Integers:
    return generator.integers(-GREATEST, GREATEST, len(vector))


SPOILED: Mapping[str, Spoil] = {
    "totals that are all 0": lambda _, vector: np.zeros_like(vector),
    "totals that are all 1": lambda _, vector: np.ones_like(vector),
    "totals that are all -1": lambda _, vector: np.full_like(vector, -1),
    "totals that are all very large": _greatest,
    "totals that are all very negative": lambda generator, vector: -_greatest(generator, vector),
    "small totals of any sign": _small,
    "large totals of any sign": _large,
}
"""Totals that noise can bring about, or that bring out what a formula does at its ends."""


def spoiled(pool: Pool, statistic: Statistic, ask: Ask, how: Spoil, seed: int) -> Answer:
    """Answers with made-up totals in place of those of the pool; each department has about an equal part."""
    generator = np.random.default_rng(seed)  # made-up totals, no noise

    def answer(order: Round) -> RoundResult:
        plain = pool.result(statistic, ask, order)
        total: Vectors = tuple(tuple(how(generator, vector) for vector in each) for each in plain.total)
        names = tuple(plain.by_department or ())
        parts = {name: _part(total, i, len(names)) for i, name in enumerate(names)}
        return replace(plain, total=total, by_department=parts)

    return answer


def without_one(pool: Pool, statistic: Statistic, ask: Ask) -> Answer:
    """Answers in which one department refuses every round."""
    refused = ask.departments[-1]
    refusal = Refusal(refused, "FS-206", "The department has paused answering.")

    def answer(order: Round) -> RoundResult:
        plain = pool.result(statistic, ask, order)
        each = {name: vectors for name, vectors in (plain.by_department or {}).items() if name != refused}
        total = tuple(
            tuple(sum(vectors[1:], start=vectors[0]) for vectors in zip(*aggregates, strict=True))
            for aggregates in zip(*each.values(), strict=True)
        )
        absent = {refused: refusal}
        return replace(plain, total=total, by_department=each, noises=len(each), absent=absent)

    return answer


def _part(total: Vectors, position: int, departments: int) -> Vectors:
    """Parts that add up to the total, the first with what is left over."""
    return tuple(
        tuple(
            vector // departments + (vector % departments if position == 0 else 0) for vector in of_aggregate
        )
        for of_aggregate in total
    )


def not_numbers(estimate: Estimate) -> Iterator[str]:
    """Every cell that is no number and no absence, or whose intervals are none."""
    for table in estimate.tables:
        for row in table:
            for column, cell in zip(table.columns, row.cells, strict=True):
                place = f"{table.name} {'/'.join(map(str, row.key))} {column}".replace("  ", " ")
                if isinstance(cell, Value):
                    intervals = (cell.noise_interval, *([cell.interval] if cell.interval else []))
                    if not math.isfinite(cell.value) or not all(map(_is_interval, intervals)):
                        yield f"{place} is {cell.value} with intervals {_shown(intervals)}"


def _is_interval(interval: Interval) -> bool:
    return math.isfinite(interval.lo) and math.isfinite(interval.hi) and interval.lo <= interval.hi


def _shown(intervals: tuple[Interval, ...]) -> str:
    return ", ".join(f"[{interval.lo:g}, {interval.hi:g}]" for interval in intervals)

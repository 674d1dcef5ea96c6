"""Whatever way a person is bounded, the noise interval covers what is counted and is hardly too wide.

Somebody has up to three rows; whoever has more waits longer, so that the three ways have three answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from strategies import DATASET
from trials import COVERED_MIN, TRIALED, TRIALS, covered, intervals, noisy, tabled

from fedstats.core.bound import WEIGHT_ONE
from fedstats.core.estimate import Value
from fedstats.core.evaluation import Row

PLAIN: Row = {**dict.fromkeys((column.name for column in DATASET.columns), 0), "trial": 1}
PEOPLE: list[list[Row]] = [
    [
        {
            **PLAIN,
            "wait_days": None if (i + j) % 11 == 5 else (i * 37 + j * 101) % 300 * (1 + i % 3),
            "urgent": int(j == 1),
        }
        for j in range(1 + i % 3)
    ]
    for i in range(2_000)
]
OUTPUTS = (
    "COUNT(*)",
    "AVG(wait_days)",
    "SHARE(urgent)",
    "SUM(wait_days) / COUNT(*)",
    "COUNT(DISTINCT nhs_number)",
)


def weight(bound: str, rows: int) -> float:
    """What each row of a person with so many rows weighs."""
    return WEIGHT_ONE * int(bound[5:]) // rows / WEIGHT_ONE if int(bound[5:]) < rows else 1.0


def truths(bound: str) -> tuple[float, ...]:
    """What the outputs are about, by floats and a loop."""
    counted, known, waited, urgent, total = 0.0, 0.0, 0.0, 0.0, 0.0
    for rows in PEOPLE:
        waits = [row["wait_days"] for row in rows if row["wait_days"] is not None]
        if bound == "people":
            w, n = 1 / len(rows), len(waits)
            counted, known = counted + 1, known + bool(waits)
            waited += sum(waits) / n if n else 0
        else:
            w = 1.0 if bound == "rows" else weight(bound, len(rows))
            counted, known, waited = counted + w * len(rows), known + w * len(waits), waited + w * sum(waits)
        urgent += w * sum(int(row["urgent"] or 0) for row in rows)
    total = waited
    return counted, waited / known, urgent / counted, total / counted, float(len(PEOPLE))


def exact(question: object, people: Sequence[Sequence[Row]]) -> list[np.ndarray]:
    """The totals of these people, the same in every trial."""
    (aggregate,) = question[2].aggregates  # type: ignore[index]  # a question of `trials`
    vectors = aggregate.reference(people, TRIALED, None).vectors
    return [np.full(TRIALS, int(vector[0]), np.int64) for vector in vectors]


@pytest.mark.parametrize("epsilon", [Fraction(1, 2), Fraction(1), Fraction(4)])
@pytest.mark.parametrize("bound", ["people", "norm", "norm:2"])
def test_noise_intervals_cover_with_each_bound(bound: str, epsilon: Fraction) -> None:
    """What the bound defines lies in 95 % of the intervals; weights are in it as they are."""
    question = tabled(
        ", ".join(f"{output} AS c{i}" for i, output in enumerate(OUTPUTS)), epsilon=epsilon, bound=bound
    )
    drawn = noisy(question, exact(question, PEOPLE), np.random.default_rng(11))  # fixed seed
    about = truths("norm:1" if bound == "norm" else bound)
    for i, (output, truth) in enumerate(zip(OUTPUTS, about, strict=True)):
        cells = [found[i] for found in drawn]
        assert covered(cells, truth) >= COVERED_MIN, output
        errors = [abs(cell.value - truth) for cell in cells if isinstance(cell, Value)]
        widths = [interval.half_width for interval in intervals(cells)]
        assert np.mean(widths) <= 1.2 * np.quantile(errors, 0.95), output


def test_the_bounds_answer_three_questions_and_two_are_more_exact() -> None:
    """One average over rows, people and weighted rows: three numbers, of which the first is the widest."""
    found = {}
    for bound in ("rows", "people", "norm"):
        question = tabled("AVG(wait_days) AS mean", bound=bound)
        drawn = noisy(question, exact(question, PEOPLE), np.random.default_rng(3))  # fixed seed
        widths = [interval.half_width for interval in intervals([cells[0] for cells in drawn])]
        found[bound] = (truths("norm:1" if bound == "norm" else bound)[1], float(np.mean(widths)))
    assert found["rows"][0] > found["norm"][0] + 1
    assert found["norm"][1] < 0.75 * found["rows"][1]  # 1 of noise for 1 a person; 3 for 2
    assert found["people"][0] < found["rows"][0] - 1

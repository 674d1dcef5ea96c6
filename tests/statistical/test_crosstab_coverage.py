"""The test of independence keeps its level, finds what is there, and Cramer's V is covered.

2,000 releases (500 for Cramer's V), with the noise of one count of rows over three departments at epsilon
0.5, 1 and 4. Of a test at 5 %, more than 142 rejections of 2,000 happen about once in 100,000 runs, and so
do fewer than 453 covered of 500. The generator has a fixed seed.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from pooled_worlds import world

from fedstats.core.accounting import noise_scale, rho_from_epsilon
from fedstats.core.distributions import chi_square_point
from fedstats.core.estimate import Value
from fedstats.core.privacy import Mechanism, MechanismLoss, Sensitivity
from fedstats.statistics._independence import Independence
from fedstats.statistics.crosstab import Crosstab

TRIALS = 2_000
REJECTED_MAX = 142
FEW_TRIALS, FEW_COVERED_MIN = 500, 453
EPSILONS = (0.5, 1.0, 4.0)
ROWS, COLUMNS = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.15, 0.05])

Floats = npt.NDArray[np.float64]


def sd_of(epsilon: float) -> float:
    """The noise of a count over three departments."""
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(1, 2_000_000))
    loss = MechanismLoss(Mechanism.GAUSSIAN, rho)
    return math.sqrt(3) * float(noise_scale(Sensitivity(1, 1), loss))


def shares(v: float) -> Floats:
    """A table of shares with this Cramer's V."""
    independent = np.outer(ROWS, COLUMNS)
    across = np.array([1.0, -1.5, -4.0]), np.array([1.0, -0.5, -1.5, -2.5])
    tilt = independent * np.outer(across[0] - across[0] @ ROWS, across[1] - across[1] @ COLUMNS)
    size = math.sqrt((tilt**2 / independent).sum() / 2)
    return np.asarray(independent + tilt * v / size, dtype=np.float64)


def released(p: Floats, n: int, sd: float, generator: np.random.Generator) -> Independence:
    """One release of n people drawn anew."""
    counts = generator.multinomial(n, p.ravel()).reshape(p.shape)
    noisy = np.asarray(counts + np.rint(generator.normal(0, sd, p.shape)), dtype=np.float64)
    return Independence.of(noisy, sd**2)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("n", [400, 20_000])
def test_independent_keys_are_rejected_in_one_of_twenty(n: int, epsilon: float) -> None:
    """A test at 5 % is wrong about 5 times in 100, or says that it cannot be made."""
    generator, sd = np.random.default_rng(1), sd_of(epsilon)
    tables = [released(shares(0.0), n, sd, generator) for _ in range(TRIALS)]
    point = chi_square_point(0.05, tables[0].degrees)
    rejected = sum(t.testable and t.statistic > point for t in tables)
    assert rejected <= REJECTED_MAX
    if n > 400:
        assert rejected >= 62  # and it is no coward: fewer come about once in 100,000 runs, too


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_power_is_what_the_note_says(epsilon: float) -> None:
    """What `found_from` names at worst is found in 80 of 100 releases, and half of its best in fewer than half.

    Deviations here lie in common and in rare cells, so that the V that 80 of 100 show is between both. Of 300
    fewer than 205 come about once in 1,000,000 runs.
    """
    generator, sd, n = np.random.default_rng(2), sd_of(epsilon), 5_000
    best, worst = released(shares(0.0), n, sd, generator).found_from(0.8, 0.05)
    assert best <= worst
    found = [
        sum(released(shares(v), n, sd, generator).p_value < 0.05 for _ in range(300)) / 300
        for v in (worst, best / 2)
    ]
    assert found[0] > 0.68
    assert found[1] < 0.5


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("v", [0.0, 0.04])
def test_cramers_v_is_covered(v: float, epsilon: float) -> None:
    """The noise interval holds the V of the rows that were counted, the other that of the population."""
    generator, sd, n = np.random.default_rng(3), sd_of(epsilon), 10_000
    widths: list[float] = []
    noise = population = 0
    for _ in range(FEW_TRIALS):
        counts = generator.multinomial(n, shares(v).ravel()).reshape(3, 4).astype(np.float64)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
        exact = math.sqrt(float(((counts - expected) ** 2 / expected).sum()) / n / 2)
        found = Independence.of(counts + np.rint(generator.normal(0, sd, (3, 4))), sd**2).cramers_v()
        widths.append(found.noise_interval.half_width)
        assert found.interval is not None
        noise += found.noise_interval.lo <= exact <= found.noise_interval.hi
        population += found.interval.lo <= v <= found.interval.hi
    assert noise >= FEW_COVERED_MIN
    assert population >= FEW_COVERED_MIN
    assert np.mean(widths) < 0.0035 * sd / 2 + 0.002


def test_counts_shares_and_residuals_are_covered() -> None:
    """End to end over six sites with real noise: each column's noise interval holds what it hides."""
    pool = world("randhie").pool()
    statistic = Crosstab("randhie", "idp", "hlthg", where="year <= 2", count="people")
    exact = {
        (t.name, row.key): row.cells for t in pool.exact(statistic).tables[:2] for row in t if not row.total
    }
    covered: dict[tuple[str, int], list[bool]] = {}
    for estimate in pool.draws(statistic, 1, 80, seed=5):
        for table in estimate.tables[:2]:
            for row in table:
                for i, cell in enumerate(row.cells if not row.total else ()):
                    truth = exact[table.name, row.key][i]
                    assert isinstance(truth, Value)
                    assert isinstance(cell, Value)
                    found = cell.noise_interval
                    covered.setdefault((table.name, i), []).append(found.lo <= truth.value <= found.hi)
    assert len(covered) == 5
    assert all(np.mean(held) >= 0.88 for held in covered.values())  # 320 each; below once in 100,000 runs

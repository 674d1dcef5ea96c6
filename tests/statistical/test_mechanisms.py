"""The noise is the noise it says it is: its law by chi-square, its privacy by audit.

Noise of short vectors comes from OpenDP and of long ones from the table sampler; both stand before the same
gates. (What only the table sampler does, at large scales, is in test_table_sampler.py.)

False alarms: every gate is set at 2e-6 or less, and there are 24 that a right program could fail, so it fails
this file less than once in 2e4 runs. Power: each gate is shown to fail for noise that is too small.
FEDSTATS_AUDIT_DRAWS sets the draws per side; 1,000,000 takes some minutes and sees an error of 2 % in the
scale.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from math import log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from goodness_of_fit import chi_square_p_value

from fedstats.core.accounting import noise_scale
from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, MechanismLoss, Sensitivity
from fedstats.mechanisms import mechanism_of
from fedstats.mechanisms._opendp import LONG_CELLS_MIN

DRAWS = int(os.environ.get("FEDSTATS_AUDIT_DRAWS", "50000"))
ALARM = 1e-7
CERTAINTY = 1e-6
ONE = Sensitivity(d1=1, d2_squared=1)
NORMAL = NormalDist()

SCALES = [Fraction(3, 4), Fraction(4781, 1024), Fraction(61)]
"""One where almost all noise is -1, 0 or 1; one of epsilon 1; one of a sum."""


SHORT, LONG = LONG_CELLS_MIN - 1, DRAWS
EITHER_SAMPLER = pytest.mark.parametrize("cells", [SHORT, LONG])


def draw(mechanism: Mechanism, scale: Fraction, value: int, cells: int = LONG) -> Integers:
    """Release one exact value `DRAWS` times or a few more, in vectors of `cells`, each with fresh noise."""
    values, add_noise = np.full(cells, value, dtype=np.int64), mechanism_of(mechanism).add_noise
    vectors = [
        add_noise(values, scale=scale, sensitivity=ONE, allowed=Fraction(10**6))
        for _ in range(-(-DRAWS // cells))
    ]
    return np.concatenate(vectors)


# ------------------------------------------------------------------------------------------------ the law


@EITHER_SAMPLER
@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("scale", SCALES)
def test_the_noise_follows_its_exact_law(mechanism: Mechanism, scale: Fraction, cells: int) -> None:
    """Draws fit the discrete law's probabilities; false alarm 1e-7."""
    assert chi_square_p_value(draw(mechanism, scale, 0, cells), mechanism, float(scale)) > ALARM


@EITHER_SAMPLER
@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(7, 8), Fraction(9, 8)])
def test_noise_of_another_scale_does_not_pass_for_it(
    mechanism: Mechanism, factor: Fraction, cells: int
) -> None:
    """Half the noise, and noise an eighth too small or too large, is caught; missed below once in 1e6."""
    scale = SCALES[1]
    assert chi_square_p_value(draw(mechanism, scale * factor, 0, cells), mechanism, float(scale)) < ALARM


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_a_rounded_continuous_noise_does_not_pass_for_it(mechanism: Mechanism) -> None:
    """At a small scale the test tells the discrete law from a continuous one that was rounded."""
    scale, uniform = float(SCALES[0]), (np.arange(DRAWS) + 0.5) / DRAWS
    if mechanism is Mechanism.GAUSSIAN:
        continuous = [scale * NORMAL.inv_cdf(u) for u in uniform.tolist()]
    else:
        continuous = [scale * (log(2 * u) if u < 0.5 else -log(2 - 2 * u)) for u in uniform.tolist()]
    assert chi_square_p_value(np.rint(continuous).astype(np.int64), mechanism, scale) < ALARM


# ------------------------------------------------------------------------------------------------ the privacy


@EITHER_SAMPLER
@pytest.mark.parametrize("epsilon, power", [("0.5", 0.8), ("1", 0.8), ("3", 0.8), ("0.25", 0.6)])
def test_laplace_is_as_private_as_charged_and_the_audit_sees_it(
    epsilon: str, power: float, cells: int
) -> None:
    """No event tells D from D' better than epsilon, and the best one nearly does: the audit has eyes."""
    lower = certified_epsilon(*neighbours(Mechanism.LAPLACE, Fraction(epsilon), cells))
    assert power * float(epsilon) <= lower <= float(epsilon)


def test_the_audit_catches_half_the_laplace_noise() -> None:
    """Noise for epsilon 1 where 0.5 was charged is certified to lose more than 0.5."""
    assert certified_epsilon(*neighbours(Mechanism.LAPLACE, Fraction(1))) > 0.5


@EITHER_SAMPLER
@pytest.mark.parametrize("rho", [Fraction(1, 43), Fraction(1, 18)])
def test_the_gaussian_is_as_private_as_charged_and_the_audit_sees_it(rho: Fraction, cells: int) -> None:
    """D and D' differ like two normal laws sqrt(2 rho) apart (Dong, Roth, Su 2022), no more, and nearly so.

    From sigma 3 on the lattice moves that distance by less than 1 %, far inside the margin of the bounds; at
    sigma 1 it would be 5 %.
    """
    mu = sqrt(2 * float(rho))
    lower = certified_mu(*neighbours(Mechanism.GAUSSIAN, rho, cells))
    assert 0.4 * mu <= lower <= mu


def test_the_audit_catches_half_the_gaussian_noise() -> None:
    """Four times the charged rho, which is half the noise, is certified to lose more than was charged."""
    rho = Fraction(1, 43)
    assert certified_mu(*neighbours(Mechanism.GAUSSIAN, 4 * rho)) > sqrt(2 * float(rho))


def test_the_confidence_bounds_are_those_of_clopper_and_pearson() -> None:
    """Against closed forms: of n, none has the upper bound 1 - alpha^(1/n), all the lower alpha^(1/n)."""
    assert upper_bound(0, 20) == pytest.approx(1 - CERTAINTY ** (1 / 20))
    assert upper_bound(20, 20) == 1
    assert lower_bound(20, 20) == pytest.approx(CERTAINTY ** (1 / 20))
    assert lower_bound(0, 20) == 0
    assert binomial_cdf(2, 10, 0.3) == pytest.approx(0.7**10 + 10 * 0.3 * 0.7**9 + 45 * 0.09 * 0.7**8)


def neighbours(mechanism: Mechanism, amount: Fraction, cells: int = LONG) -> tuple[Integers, Integers]:
    """Releases of D (exact value 0) and of D' (one person more: 1), each for a loss of `amount`."""
    scale = noise_scale(ONE, MechanismLoss(mechanism, amount))
    return draw(mechanism, scale, 0, cells), draw(mechanism, scale, 1, cells)


def certified_epsilon(without: Integers, with_one: Integers) -> float:
    """Lower-bound epsilon: no event may be e^epsilon times as likely under D' as under D."""
    return certified(without, with_one, lambda likely, rare: log(likely / rare))


def certified_mu(without: Integers, with_one: Integers) -> float:
    """Lower-bound mu: no event may tell D' from D better than two unit normals mu apart."""
    return certified(without, with_one, lambda likely, rare: NORMAL.inv_cdf(likely) - NORMAL.inv_cdf(rare))


def certified(without: Integers, with_one: Integers, loss: Callable[[float, float], float]) -> float:
    """Lower-bound a loss by an event chosen on one half of the draws and certified on the other.

    The events are "at least t". Each of the two probabilities is bounded at 1e-6, so the result is above
    the truth less than twice in 1e6.
    """
    half = len(without) // 2

    def promise(threshold: int) -> float:
        likely, rare = (float(np.mean(side[:half] >= threshold)) for side in (with_one, without))
        margin = NORMAL.inv_cdf(1 - CERTAINTY) / sqrt(half)
        low, high = likely - margin * sqrt(likely * (1 - likely)), rare + margin * sqrt(rare * (1 - rare))
        return loss(low, high) if 0 < low < 1 and 0 < high < 1 else 0.0

    candidates = np.unique(np.quantile(with_one[:half], np.linspace(0.05, 0.95, 19)).astype(np.int64))
    threshold = max(candidates.tolist(), key=promise)
    likely, rare = (int(np.count_nonzero(side[half:] >= threshold)) for side in (with_one, without))
    return loss(lower_bound(likely, len(with_one) - half), upper_bound(rare, len(without) - half))


def lower_bound(successes: int, trials: int) -> float:
    """Clopper and Pearson 1934: the probability for which this many successes or more come once in 1e6."""
    return 1 - upper_bound(trials - successes, trials)


def upper_bound(successes: int, trials: int) -> float:
    """Clopper and Pearson 1934: the probability for which this few successes or fewer come once in 1e6."""
    if successes == trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(successes, trials, middle) > CERTAINTY else (low, middle)
    return high


def binomial_cdf(successes: int, trials: int, probability: float) -> float:
    """P(at most this many successes), summed term by term."""
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])
    k = np.arange(successes + 1)
    log_choices = log_factorials[trials] - log_factorials[k] - log_factorials[trials - k]
    return float(np.exp(log_choices + k * log(probability) + (trials - k) * log(1 - probability)).sum())

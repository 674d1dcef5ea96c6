"""The noise is the noise it says it is: its law by chi-square, its privacy by audit.

False alarms: every gate is set at 1e-6 or less, and there are fewer than twenty, so a right program fails
this file less than once in 1e4 runs. Power: each gate is shown to fail for noise that is too small.
FEDSTATS_AUDIT_DRAWS sets the draws per side; 1,000,000 takes some minutes and sees an error of 2 % in the
scale.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from fedstats.core.accounting import noise_scale
from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, MechanismLoss, Sensitivity
from fedstats.mechanisms import mechanism_of

DRAWS = int(os.environ.get("FEDSTATS_AUDIT_DRAWS", "50000"))
ALARM = 1e-7
CERTAINTY = 1e-6
ONE = Sensitivity(d1=1, d2_squared=1)
NORMAL = NormalDist()

SCALES = [Fraction(3, 4), Fraction(4781, 1024), Fraction(61)]
"""One where almost all noise is -1, 0 or 1; one of epsilon 1; one of a sum."""


def draw(mechanism: Mechanism, scale: Fraction, value: int, draws: int = DRAWS) -> Integers:
    """Release one exact value `draws` times, each time with fresh noise."""
    values = np.full(draws, value, dtype=np.int64)
    return mechanism_of(mechanism).add_noise(values, scale=scale, sensitivity=ONE, allowed=Fraction(10**6))


# ------------------------------------------------------------------------------------------------ the law


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("scale", SCALES)
def test_the_noise_follows_its_exact_law(mechanism: Mechanism, scale: Fraction) -> None:
    """Draws fit the discrete law's probabilities; false alarm 1e-7."""
    assert chi_square_p_value(draw(mechanism, scale, 0), mechanism, float(scale)) > ALARM


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(7, 8), Fraction(9, 8)])
def test_noise_of_another_scale_does_not_pass_for_it(mechanism: Mechanism, factor: Fraction) -> None:
    """Half the noise, and noise an eighth too small or too large, is caught; missed below once in 1e6."""
    scale = SCALES[1]
    assert chi_square_p_value(draw(mechanism, scale * factor, 0), mechanism, float(scale)) < ALARM


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_a_rounded_continuous_noise_does_not_pass_for_it(mechanism: Mechanism) -> None:
    """At a small scale the test tells the discrete law from a continuous one that was rounded."""
    scale, uniform = float(SCALES[0]), (np.arange(DRAWS) + 0.5) / DRAWS
    if mechanism is Mechanism.GAUSSIAN:
        continuous = [scale * NORMAL.inv_cdf(u) for u in uniform.tolist()]
    else:
        continuous = [scale * (log(2 * u) if u < 0.5 else -log(2 - 2 * u)) for u in uniform.tolist()]
    assert chi_square_p_value(np.rint(continuous).astype(np.int64), mechanism, scale) < ALARM


def chi_square_p_value(noise: Integers, mechanism: Mechanism, scale: float) -> float:
    """Pearson's test of draws against the exact probabilities.

    Cells: -m..m one by one or in runs, and both tails; runs are mirrored, so their number is odd, the
    degrees of freedom even, and the upper tail of chi-square is a finite sum (Abramowitz and Stegun
    26.4.5).
    """
    reach = int(40 * scale) + 10
    weights = np.array([weight(mechanism, scale, k) for k in range(reach + 1)])
    probabilities = weights / (2 * weights.sum() - weights[0])
    observed = np.bincount(np.minimum(np.abs(noise), reach), minlength=reach + 1)
    signs = np.bincount(np.minimum(noise[noise > 0], reach), minlength=reach + 1)
    statistic = (observed[0] - len(noise) * probabilities[0]) ** 2 / (len(noise) * probabilities[0])
    degrees = 0
    for run in runs_of_enough(probabilities, 100 / len(noise)):
        expected = len(noise) * probabilities[run].sum()
        positive = signs[run].sum()
        negative = observed[run].sum() - positive
        statistic += ((positive - expected) ** 2 + (negative - expected) ** 2) / expected
        degrees += 2
    terms = np.cumsum(np.concatenate([[0.0], np.log(statistic / 2) - np.log(np.arange(1, degrees // 2))]))
    return float(np.exp(terms - statistic / 2).sum())


def weight(mechanism: Mechanism, scale: float, k: int) -> float:
    """What the probability of k is proportional to."""
    return exp(-k / scale) if mechanism is Mechanism.LAPLACE else exp(-(k * k) / (2 * scale * scale))


def runs_of_enough(probabilities: NDArray[np.float64], least: float) -> list[slice]:
    """Cut 1, 2, 3, ... into runs of at least this probability each, the last of them with the whole tail."""
    cuts, total = [1], 0.0
    for k in range(1, len(probabilities)):
        total += probabilities[k]
        if total >= least and probabilities[k + 1 :].sum() >= least:
            cuts.append(k + 1)
            total = 0.0
    return [slice(start, end) for start, end in zip(cuts, [*cuts[1:], len(probabilities)], strict=True)]


# ------------------------------------------------------------------------------------------------ the privacy


@pytest.mark.parametrize("epsilon, power", [("0.5", 0.8), ("1", 0.8), ("3", 0.8), ("0.25", 0.6)])
def test_laplace_is_as_private_as_charged_and_the_audit_sees_it(epsilon: str, power: float) -> None:
    """No event tells D from D' better than epsilon, and the best one nearly does: the audit has eyes."""
    lower = certified_epsilon(*neighbours(Mechanism.LAPLACE, Fraction(epsilon)))
    assert power * float(epsilon) <= lower <= float(epsilon)


def test_the_audit_catches_half_the_laplace_noise() -> None:
    """Noise for epsilon 1 where 0.5 was charged is certified to lose more than 0.5."""
    assert certified_epsilon(*neighbours(Mechanism.LAPLACE, Fraction(1))) > 0.5


@pytest.mark.parametrize("rho", [Fraction(1, 43), Fraction(1, 18)])
def test_the_gaussian_is_as_private_as_charged_and_the_audit_sees_it(rho: Fraction) -> None:
    """D and D' differ like two normal laws sqrt(2 rho) apart (Dong, Roth, Su 2022), no more, and nearly so.

    From sigma 3 on the lattice moves that distance by less than 1 %, far inside the margin of the bounds; at
    sigma 1 it would be 5 %.
    """
    mu = sqrt(2 * float(rho))
    lower = certified_mu(*neighbours(Mechanism.GAUSSIAN, rho))
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


def neighbours(mechanism: Mechanism, amount: Fraction) -> tuple[Integers, Integers]:
    """Releases of D (exact value 0) and of D' (one person more: 1), each for a loss of `amount`."""
    scale = noise_scale(ONE, MechanismLoss(mechanism, amount))
    return draw(mechanism, scale, 0), draw(mechanism, scale, 1)


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

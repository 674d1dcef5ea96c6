from __future__ import annotations

from fractions import Fraction
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from fedstats.core.noise import noise_half_width, noise_sd
from fedstats.core.privacy import Mechanism
from fedstats.errors import ValueInvalid

SCALES = [Fraction(1, 10), Fraction(2, 3), Fraction(1), Fraction(7, 2), Fraction(25)]


def law(mechanism: Mechanism, scale: float, terms: int) -> NDArray[np.float64]:
    """Tabulate the sum's probabilities by plain convolution, odd length, 0 in the middle."""
    reach = int(40 * scale) + 8
    one = np.array([weight(mechanism, scale, k) for k in range(-reach, reach + 1)])
    one /= one.sum()
    total = one
    for _ in range(terms - 1):
        total = np.convolve(total, one)
    return total


def weight(mechanism: Mechanism, scale: float, k: int) -> float:
    """What the probability of k is proportional to."""
    return exp(-abs(k) / scale) if mechanism is Mechanism.LAPLACE else exp(-(k * k) / (2 * scale * scale))


def within(probabilities: NDArray[np.float64], width: int) -> float:
    """P(-width..width)."""
    middle = len(probabilities) // 2
    return float(probabilities[middle - width : middle + width + 1].sum()) if width >= 0 else 0.0


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("terms", [1, 2, 5])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_the_half_width_is_the_least_that_covers(
    mechanism: Mechanism, scale: Fraction, terms: int, level: float
) -> None:
    """The noise stays inside the interval as often as the level says, and no narrower interval does it."""
    probabilities = law(mechanism, float(scale), terms)
    width = noise_half_width(mechanism, scale, terms, level)
    assert within(probabilities, width) >= level - 1e-12
    assert within(probabilities, width - 1) < level + 1e-12


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("terms", [1, 5])
def test_the_standard_deviation_is_that_of_the_discrete_law(
    mechanism: Mechanism, scale: Fraction, terms: int
) -> None:
    """Small scales count too: a discrete Gaussian of sigma 0.1 varies far less than 0.1."""
    probabilities = law(mechanism, float(scale), terms)
    integers = np.arange(len(probabilities)) - len(probabilities) // 2
    expected = sqrt(float(np.sum(probabilities * integers**2)))
    assert noise_sd(mechanism, scale, terms) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("scale", [Fraction(5000), Fraction(10**7), Fraction(2**45, 3)])
def test_a_wide_gaussian_is_the_normal_law(scale: Fraction, level: float) -> None:
    """Where a table would be too long, the width is the normal quantile: never less, at most 0.2 % more."""
    for terms in (1, 5, 1000):
        normal = NormalDist().inv_cdf((1 + level) / 2) * float(scale) * sqrt(terms)
        assert normal <= noise_half_width(Mechanism.GAUSSIAN, scale, terms, level) + 0.5 <= normal * 1.002


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("scale", [Fraction(5000), Fraction(10**7), Fraction(2**45, 3)])
def test_a_wide_laplace_is_the_exponential_law(scale: Fraction, level: float) -> None:
    """One node: P(|noise| > w) = exp(-w/b), so the width is b ln(1 / (1 - level)), never less, 0.2 % more."""
    exact = float(scale) * -log(1 - level)
    assert exact <= noise_half_width(Mechanism.LAPLACE, scale, 1, level) + 0.5 <= exact * 1.002


def test_many_departments_make_noise_normal() -> None:
    """A hundred Laplace noises together spread like a normal law of their standard deviation."""
    sd = noise_sd(Mechanism.LAPLACE, Fraction(20), 100)
    assert noise_half_width(Mechanism.LAPLACE, Fraction(20), 100) == pytest.approx(1.96 * sd, rel=0.005)


@pytest.mark.parametrize(
    "scale, terms, level",
    [(Fraction(0), 1, 0.95), (Fraction(1), 0, 0.95), (Fraction(1), 10**6, 0.95), (Fraction(1), 1, 0.0)]
    + [(Fraction(1), 1, level) for level in (1.0, -1.0, float("nan"))],
)
def test_an_interval_without_meaning_is_refused(scale: Fraction, terms: int, level: float) -> None:
    """No interval for no noise, no departments, or a level that no finite interval has."""
    with pytest.raises(ValueInvalid):
        noise_half_width(Mechanism.GAUSSIAN, scale, terms, level)

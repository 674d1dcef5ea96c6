"""How far the noise of a total can reach: the sum of independent discrete noises of one scale.

A total adds the noise of every department that answered. Its law is computed, not looked up: the
probabilities of one discrete noise, convolved with themselves as often as there are departments. What costs
privacy is in `accounting`; what is here only says how wide an interval must be drawn, so floats are good
enough.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil, exp, expm1, sqrt

import numpy as np
from numpy.typing import NDArray

from fedstats.core.privacy import Mechanism
from fedstats.errors import ValueInvalid

TERMS_MAX = 100_000
"""More departments than this no federation has, and beyond it the reduced scale below would be too coarse."""

LEVEL_MAX = 1 - 1e-9
"""Beyond this level the half width would lie where floats no longer resolve the tail."""

_SPAN = 2**16
"""Integers on which a law is tabulated, -2^15 to 2^15 - 1: 32 standard deviations and more on either side."""

_SD_EXACT_MAX = 1000.0
"""Up to this standard deviation the law of a sum is computed at its own scale, above it at a reduced one."""

_GAUSSIAN_SMOOTH_SCALE = 2
"""From here the variance of the discrete Gaussian is sigma^2 to 1e-30 (Canonne, Kamath, Steinke 2020)."""


@lru_cache(maxsize=4096)
def noise_sd(mechanism: Mechanism, scale: Fraction, terms: int) -> float:
    """Compute the standard deviation of the sum of `terms` independent noises of this `scale`.

    Discrete Laplace: the variance is 2 q / (1 - q)^2 with q = exp(-1/b). Discrete Gaussian: sigma^2 from
    scale 2 on, and below it the sum over its probabilities, which is less than sigma^2.

    Raises
    ------
    ValueInvalid
        The scale is not positive, or `terms` is not between 1 and `TERMS_MAX`.

    """
    _check(scale, terms)
    b = float(scale)
    if mechanism is Mechanism.LAPLACE:
        variance = 2 * exp(-1 / b) / expm1(-1 / b) ** 2
    elif scale >= _GAUSSIAN_SMOOTH_SCALE:
        variance = b**2
    else:
        variance = float(np.sum(_law_of_one(mechanism, b) * _integers().astype(np.float64) ** 2))
    return sqrt(terms * variance)


@lru_cache(maxsize=4096)
def noise_half_width(mechanism: Mechanism, scale: Fraction, terms: int, level: float = 0.95) -> int:
    """Find the least integer w such that the summed noise lies in -w..w with probability `level` or more.

    Exact up to a standard deviation of 1,000. Above it the law is computed at a scale reduced to that, and
    its half width, plus the one step that the reduced law cannot resolve, is enlarged again: never too
    narrow, and at level 0.95 at most 0.2 % too wide.

    Raises
    ------
    ValueInvalid
        The scale is not positive, `terms` is not between 1 and `TERMS_MAX`, or the level not between 0 and 1.

    """
    _check(scale, terms)
    if not 0 < level <= LEVEL_MAX:
        raise ValueInvalid("The level of an interval must lie between 0 and 1, for example 0.95.")
    sd = noise_sd(mechanism, scale, terms)
    if sd <= _SD_EXACT_MAX:
        return _half_width(_law_of_sum(mechanism, float(scale), terms), level)
    reduced = scale * Fraction(_SD_EXACT_MAX / sd)
    step = sd / noise_sd(mechanism, reduced, terms)
    return ceil((_half_width(_law_of_sum(mechanism, float(reduced), terms), level) + 1) * step)


def _check(scale: Fraction, terms: int) -> None:
    if scale <= 0:
        raise ValueInvalid("A noise scale must be greater than 0.")
    if not 1 <= terms <= TERMS_MAX:
        raise ValueInvalid(f"A total has between 1 and {TERMS_MAX} releases.")


def _law_of_sum(mechanism: Mechanism, scale: float, terms: int) -> NDArray[np.float64]:
    """Tabulate the probabilities of the sum: convolution is a power of the Fourier transform.

    Shape (`_SPAN`,), index i for the integer i - `_SPAN` / 2.
    """
    transformed = np.fft.rfft(np.fft.ifftshift(_law_of_one(mechanism, scale)))
    return np.fft.fftshift(np.fft.irfft(transformed**terms, _SPAN))


def _law_of_one(mechanism: Mechanism, scale: float) -> NDArray[np.float64]:
    """Tabulate one noise, like `_law_of_sum`: P(k) ~ exp(-|k|/b), or ~ exp(-k^2 / (2 sigma^2))."""
    distance = np.abs(_integers()) / scale
    weights = np.exp(-distance if mechanism is Mechanism.LAPLACE else -(distance**2) / 2)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _integers() -> NDArray[np.int64]:
    return np.arange(-_SPAN // 2, _SPAN // 2, dtype=np.int64)


def _half_width(law: NDArray[np.float64], level: float) -> int:
    """Find the least w with P(-w..w) >= level. The law is symmetric: one side is summed."""
    middle = _SPAN // 2
    within = 2 * np.cumsum(law[middle:]) - law[middle]
    return int(np.searchsorted(within, level))

"""From which noisy number of people on a value of an open key is named.

Adding one person adds at most `cells_max` values that nobody had before, each with a count of 1. Without the
person none of them can be named; with the person one is named with probability P(1 + Z >= T), Z the noise.
The threshold T is the least integer for which the chance that any of them is named stays within delta:

    1 - (1 - P(Z >= T - 1))^cells_max <= delta.

On values that others have too the noise works as on any count. So the release is delta-approximately rho-zCDP
(Rogers 2023, "A Unifying Privacy Analysis Framework for Unknown Domain Algorithms", for this argument).

P is the discrete tail, counted exactly or from above. OpenDP 0.16's map is not used for T: it takes the
continuous tail, and for Laplace the tail above T - 1 where counts of T are named as well; both report a delta
that is too small (opendp issue 2922), by up to 2.8 times at sigma 2. `mechanisms` asks it too, as a lower
bound that must hold.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from math import ceil

from fedstats.core.accounting import exact_decimals
from fedstats.core.privacy import Mechanism
from fedstats.errors import LossInvalid

_STEPS_OF_SCALE = 1_000
"""A tail is added up integer by integer up to this scale, and above it in steps of a thousandth of it."""

_REACH_SCALES = 20
"""A tail from here on is below 1e-86."""

_DELTA_MIN = Fraction(1, 10**30)
_SLACK = Decimal("1e-25")
"""More than 60 digits lose in these sums and differences, and far less than a step of T is worth."""


@lru_cache(maxsize=256)
def least_threshold(mechanism: Mechanism, scale: Fraction, *, values: int, delta: Fraction) -> int:
    """Compute T for noise of this scale, where one person can have `values` values that nobody else has.

    For Gaussian scales above 1,000 it may be one thousandth of the scale above the least one.

    Raises
    ------
    LossInvalid
        Delta is not positive, or too small to compute with.

    """
    if not _DELTA_MIN <= delta < 1:
        raise LossInvalid("A key without a public list needs an additive delta above 0.")
    with exact_decimals():
        allowed = _chance_of_each(values, delta) * (1 - _SLACK)
        if mechanism is Mechanism.LAPLACE:
            return 1 + _laplace_reach(scale, allowed)
        return 1 + _gaussian_reach(scale, allowed)


def _chance_of_each(values: int, delta: Fraction) -> Decimal:
    """The p with 1 - (1 - p)^values = delta."""
    kept = 1 - Decimal(delta.numerator) / Decimal(delta.denominator)
    return 1 - (kept.ln() / values).exp()


def _laplace_reach(scale: Fraction, allowed: Decimal) -> int:
    """The least t >= 1 with P(Z >= t) <= allowed: P(Z >= t) = q^t / (1 + q), q = exp(-1 / b)."""
    inverse = Decimal(scale.denominator) / Decimal(scale.numerator)
    q = (-inverse).exp()
    t = max(1, ceil(-(allowed * (1 + q)).ln() / inverse) - 1)
    while (-inverse * t).exp() > allowed * (1 + q):
        t += 1
    return t


def _gaussian_reach(scale: Fraction, allowed: Decimal) -> int:
    """The least t >= 1 with P(Z >= t) <= allowed, or a multiple of the step a little above it.

    P(Z >= t) = A(t) / (1 + 2 A(1)), A(t) the sum of exp(-k^2 / (2 sigma^2)) over k >= t. The weights fall, so
    in steps of m, m times the weight at the first of each step is an upper bound of A, and m times that at
    the last a lower one.
    """
    step = max(1, int(scale / _STEPS_OF_SCALE))
    weights = _weights(scale, step)
    tails = list(accumulate(reversed(weights)))[::-1]  # tails[j]: the weights from j steps on
    total = 1 + 2 * step * tails[1]
    above = next(j for j, tail in enumerate(tails) if j and step * tail <= allowed * total)
    return above * step


def _weights(scale: Fraction, step: int) -> list[Decimal]:
    """exp(-(j step)^2 / (2 sigma^2)) for j = 0, 1, ...: each from the one before by the ratio of the two."""
    square = Fraction(step**2) / (2 * scale**2)
    ratio = (-Decimal(square.numerator) / Decimal(square.denominator)).exp()
    fall, weight, weights = ratio * ratio, Decimal(1), list[Decimal]()
    for _ in range(ceil(_REACH_SCALES * scale / step) + 2):
        weights.append(weight)
        weight, ratio = weight * ratio, ratio * fall
    return weights

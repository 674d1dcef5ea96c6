"""Chi-square laws, central and noncentral: what tests and intervals of squared distances rest on.

The standard library knows the normal law alone. These few lines need nothing but its `lgamma`, so that no
answer asks for a further package. Floats are good enough: what is computed here describes releases, and costs
no privacy.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, erfc, exp, floor, inf, isfinite, lgamma, log, sqrt

from fedstats.errors import ValueInvalid

_RELATIVE = 1e-15
_TERMS_MAX = 10_000
_NORMAL_FROM = 10_000.0
"""From this noncentrality the square root of a chi-square is normal with variance 1, to 0.005 of it."""
_REACH = 9.0
"""Standard deviations of a Poisson number beyond which nothing is left of it in floats."""
_STEPS_MAX = 100
_TOLERANCE = 1e-10


def chi_square_tail(value: float, degrees: float, noncentrality: float = 0.0) -> float:
    """The probability that a chi-square with so many degrees of freedom is `value` or more.

    The noncentral law is that of the central one with degrees + 2 J degrees of freedom, J Poisson with mean
    noncentrality / 2 (Johnson, Kotz and Balakrishnan 1995, chapter 29).

    Raises
    ------
    ValueInvalid
        The degrees of freedom are not above 0, the noncentrality is below 0, or one is no number.

    """
    if not (degrees > 0 and noncentrality >= 0 and isfinite(degrees) and isfinite(noncentrality)):
        raise ValueInvalid("A chi-square has degrees of freedom above 0 and a noncentrality not below 0.")
    if value <= 0:
        return 1.0
    if noncentrality == 0:
        return _gamma_tail(degrees / 2, value / 2)
    if noncentrality >= _NORMAL_FROM:
        return erfc((sqrt(value) - sqrt(noncentrality + degrees - 1)) / sqrt(2)) / 2
    return _mixed_tail(degrees / 2, value / 2, noncentrality / 2)


def chi_square_point(tail: float, degrees: float) -> float:
    """The value that a chi-square reaches or passes with probability `tail`, between 0 and 1."""
    if not 0 < tail < 1:
        raise ValueInvalid("A tail has a probability between 0 and 1.")
    return _root(lambda value: tail - chi_square_tail(value, degrees))


def noncentrality_of(value: float, degrees: float, tail: float) -> float:
    """The noncentrality with which a chi-square is `value` or more with probability `tail`; 0 if none is.

    With tail 0.025 and 0.975 these are the ends of a 95 % interval for the noncentrality (Venables 1975).
    """
    return _root(lambda noncentrality: chi_square_tail(value, degrees, noncentrality) - tail)


def _gamma_tail(shape: float, value: float) -> float:
    """The regularised upper incomplete gamma function Q(shape, value).

    By the series of the lower one up to shape + 1, by the continued fraction of Legendre in the form of Lentz
    beyond (Press and others, Numerical Recipes, 2007, section 6.2; the code is ours).
    """
    front = exp(shape * log(value) - value - lgamma(shape))
    if value < shape + 1:
        term = total = 1 / shape
        for i in range(1, _TERMS_MAX):
            term *= value / (shape + i)
            total += term
            if term < total * _RELATIVE:
                break
        return max(0.0, 1 - front * total)
    b = value + 1 - shape
    c, d = inf, 1 / b
    fraction = d
    for i in range(1, _TERMS_MAX):
        a = -i * (i - shape)
        b += 2
        d, c = 1 / (a * d + b), b + a / c
        fraction *= c * d
        if abs(c * d - 1) < _RELATIVE:
            break
    return front * fraction


def _mixed_tail(shape: float, value: float, mean: float) -> float:
    """The sum over j of Poisson(mean; j) Q(shape + j, value), by Q(a + 1, x) = Q(a, x) + x^a e^-x / a!."""
    first = max(0, floor(mean - _REACH * sqrt(mean) - _REACH))
    last = ceil(mean + _REACH * sqrt(mean) + _REACH)
    tail, total = _gamma_tail(shape + first, value), 0.0
    weight = exp(first * log(mean) - mean - lgamma(first + 1))
    step = exp((shape + first) * log(value) - value - lgamma(shape + first + 1))
    for j in range(first + 1, last + 2):
        total += weight * tail
        tail += step
        weight *= mean / j
        step *= value / (shape + j)
    return min(1.0, total)


def _root(increasing: Callable[[float], float]) -> float:
    """Where an increasing function crosses 0 above 0, to ten digits; 0 if it starts there or beyond.

    The false position with the weight of an end that stays put halved (Dowell and Jarratt 1971).
    """
    low, high = 0.0, 1.0
    below, above = increasing(low), increasing(high)
    if below >= 0:
        return 0.0
    while above < 0:
        low, below, high = high, above, 2 * high
        above = increasing(high)
    for _ in range(_STEPS_MAX):
        if high - low <= _TOLERANCE * high or above == below:
            break
        middle = (low * above - high * below) / (above - below)
        value = increasing(middle)
        if value >= 0:
            high, above, below = middle, value, below / 2
        else:
            low, below, above = middle, value, above / 2
    return high

"""Chi-square laws, central and noncentral: what tests and intervals of squared distances rest on.

The standard library knows the normal law alone. These few lines take its place with what it has (`lgamma`), so
that an answer does not depend on which version of another library computed it. Floats are good enough: what is
computed here describes releases, and costs no privacy.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, erfc, exp, floor, inf, isfinite, lgamma, log, sqrt

from fedstats.errors import ValueInvalid

_RELATIVE = 1e-15
_TERMS_MAX = 10_000
_NORMAL_FROM = 10_000.0
"""From this noncentrality the square root of a chi-square is normal with variance 1, to 0.005 of it."""
_REACH = 12.0
"""Standard deviations of a Poisson number beyond which nothing is left of it in floats."""
_HALVINGS = 200


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
    return _crossing(lambda value: chi_square_tail(value, degrees) <= tail)


def noncentrality_of(value: float, degrees: float, tail: float) -> float:
    """The noncentrality with which a chi-square is `value` or more with probability `tail`; 0 if none is.

    With tail 0.025 and 0.975 these are the ends of a 95 % interval for the noncentrality (Venables 1975).
    """
    return _crossing(lambda noncentrality: chi_square_tail(value, degrees, noncentrality) >= tail)


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
    for j in range(first, last + 1):
        total += exp(j * log(mean) - mean - lgamma(j + 1)) * tail
        tail += exp((shape + j) * log(value) - value - lgamma(shape + j + 1))
    return min(1.0, total)


def _crossing(reached: Callable[[float], bool]) -> float:
    """The least number of 0 or more from which on `reached` holds, to the last digits; 0 if it holds there."""
    if reached(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not reached(high):
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high

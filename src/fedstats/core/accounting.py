"""What a loss means: (epsilon, delta) to and from rho, and the noise scale that a loss buys.

Every client must derive the same rho and every node the same scale from the same query, so nothing here is a
float: fractions, and decimals of 60 digits in a context of this module's own.

The conversion is Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020),
section 2.3: a rho-zCDP mechanism is (epsilon, delta)-differentially private, for every alpha > 1, with

    delta = exp((alpha - 1)(alpha rho - epsilon)) / (alpha - 1) * (1 - 1/alpha)^alpha.

Any alpha gives a true guarantee, so an alpha that is only nearly the best can cost tightness, never privacy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    localcontext,
)
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, isqrt

from fedstats.core.privacy import RHO_STEP, Mechanism, MechanismLoss, Sensitivity
from fedstats.errors import InternalError, LossInvalid, TooLarge

EPSILON_MIN = Fraction(1, 1000)
"""The least loss that can be asked for: below it the noise hides any table of a whole country."""

EPSILON_MAX = Fraction(100)
"""The greatest loss that can be asked for: far above it the guarantee says nothing about anybody."""

SCALE_MIN = Fraction(1, 2**10)
"""The least noise scale: below it practically every released number would be the exact one."""

SCALE_MAX = Fraction(2**50)
"""The greatest noise scale: 4,096 of it fit between 2^62, where sums end, and 2^63, where int64 ends."""

_SCALE_BITS = 40
_SCALE_MARGIN = 1 + Fraction(1, 2**32)
_DIGITS = 60
_SHOWN_DIGITS = 12
_ROUNDING_SLACK = Decimal("1e-50")
_ROOT_TOLERANCE = Decimal("1e-30")
_ROOT_STEPS_MAX = 400
_EPSILON_TEXT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)
_EPSILON_PLACES_MAX = 12
_EPSILON_LENGTH_MAX = 32


def parse_epsilon(text: str) -> Fraction:
    """Read the loss that an analyst typed: a decimal number between 0.001 and 100.

    Raises
    ------
    LossInvalid
        The text is no finite decimal number, or is out of range, or has more than 12 decimal places.

    """
    written = text.strip()
    if len(written) > _EPSILON_LENGTH_MAX or not _EPSILON_TEXT.fullmatch(written):
        raise LossInvalid(f"'{written[:_EPSILON_LENGTH_MAX]}' is no decimal number of a few digits.")
    epsilon = Fraction(written)
    if epsilon <= 0:
        raise LossInvalid(f"A privacy loss of {written} is not possible: an answer always costs more than 0.")
    if epsilon < EPSILON_MIN:
        raise LossInvalid(f"A privacy loss of {written} is below 0.001: the noise would hide every answer.")
    if epsilon > EPSILON_MAX:
        raise LossInvalid(f"A privacy loss of {written} is above 100: it would protect nobody.")
    if (epsilon * 10**_EPSILON_PLACES_MAX).denominator != 1:
        raise LossInvalid(f"A privacy loss has at most {_EPSILON_PLACES_MAX} decimal places.")
    return epsilon


@lru_cache(maxsize=1024)  # a node converts the same few budgets at every question
def rho_from_epsilon(epsilon: Fraction, delta: Fraction) -> Fraction:
    """Convert an asked (epsilon, delta) to the greatest multiple of 2^-40 that keeps within it.

    Solved for rho, the bound of the module's docstring allows, for every alpha > 1,

        rho = (epsilon - ln(1 - 1/alpha) - (ln(1/delta) - ln alpha)/(alpha - 1)) / alpha,

    and this is the greatest of them. There the bound equals delta and its derivative in alpha,
    (2 alpha - 1) rho - epsilon + ln(1 - 1/alpha), is 0; without rho that is one increasing equation in alpha.

    Raises
    ------
    LossInvalid
        Epsilon is not positive, delta is not between 0 and 1, or the loss they allow is below 2^-40.

    """
    _check_epsilon(epsilon)
    _check_delta(delta)
    with exact_decimals():
        e, log_inverse_delta = _decimal(epsilon), -_decimal(delta).ln()

        def excess(beta: Decimal) -> Decimal:
            alpha = beta + 1
            return beta * beta * (e - _log_kept(beta)) / (alpha + beta) + alpha.ln() - log_inverse_delta

        beta = _root(excess)
        alpha = beta + 1
        rho = (e - _log_kept(beta) - (log_inverse_delta - alpha.ln()) / beta) / alpha
        steps = floor(Fraction(rho * (1 - _ROUNDING_SLACK)) / RHO_STEP)
    if steps < 1:
        raise LossInvalid(
            "This epsilon and delta are too small together: the loss they allow rounds to nothing."
        )
    return steps * RHO_STEP


def epsilon_from_rho(rho: Fraction, delta: Fraction) -> Decimal:
    """Convert a loss of `rho` (zCDP) to the least epsilon at `delta`, rounded up to 12 significant digits.

    Solved for epsilon, the bound of the module's docstring allows, for every alpha > 1,

        epsilon = alpha rho + ln(1 - 1/alpha) + (ln(1/delta) - ln alpha)/(alpha - 1),

    which is least where (alpha - 1)^2 rho + ln alpha = ln(1/delta).

    Raises
    ------
    LossInvalid
        Rho is negative, or delta is not between 0 and 1.

    """
    _check_rho(rho)
    _check_delta(delta)
    if rho == 0:
        return Decimal(0)
    with exact_decimals():
        r, log_inverse_delta = _decimal(rho), -_decimal(delta).ln()

        def excess(beta: Decimal) -> Decimal:
            return beta * beta * r + (beta + 1).ln() - log_inverse_delta

        beta = _root(excess)
        alpha = beta + 1
        epsilon = alpha * r + _log_kept(beta) + (log_inverse_delta - alpha.ln()) / beta
        return _rounded_up(max(epsilon, Decimal(0)))


def tail_epsilon_from_rho(rho: Fraction, delta: Fraction) -> Decimal:
    """Convert a loss of `rho` (zCDP) to what it exceeds with probability `delta` at most, rounded up.

    P[loss > rho + t] <= exp(-t^2 / (4 rho)), so epsilon = rho + 2 sqrt(rho ln(1/delta)) (Bun and Steinke
    2016, Lemma 3.5). It is more than `epsilon_from_rho` gives, whose delta is not the probability of a
    greater loss but what (epsilon, delta) allows beside e^epsilon.

    Raises
    ------
    LossInvalid
        Rho is negative, or delta is not between 0 and 1.

    """
    _check_rho(rho)
    _check_delta(delta)
    with exact_decimals():
        r = _decimal(rho)
        return _rounded_up(r + 2 * (r * -_decimal(delta).ln()).sqrt())


def delta_from_rho(rho: Fraction, epsilon: Fraction) -> Decimal:
    """Convert a loss of `rho` (zCDP) to the least delta at `epsilon`, rounded up to 12 significant digits.

    The logarithm of the bound of the module's docstring is convex in alpha; its derivative is
    (2 alpha - 1) rho - epsilon + ln(1 - 1/alpha).

    Raises
    ------
    LossInvalid
        Rho is negative, or epsilon is not positive.

    """
    _check_rho(rho)
    _check_epsilon(epsilon)
    if rho == 0:
        return Decimal(0)
    with exact_decimals():
        r, e = _decimal(rho), _decimal(epsilon)

        def slope(beta: Decimal) -> Decimal:
            return (2 * beta + 1) * r - e + _log_kept(beta)

        beta = _root(slope)
        alpha = beta + 1
        log_delta = beta * (alpha * r - e + _log_kept(beta)) - alpha.ln()
        return _rounded_up(log_delta.exp())


def noise_scale(sensitivity: Sensitivity, loss: MechanismLoss) -> Fraction:
    """Compute the noise scale of one measure that may lose `loss` at one node.

    Gaussian: sigma = D2 / sqrt(2 rho) (Canonne, Kamath, Steinke 2020). Laplace: b = D1 / epsilon (Dwork,
    McSherry, Nissim, Smith 2006; for the discrete law Ghosh, Roughgarden, Sundararajan 2009). The scale is
    enlarged by 2^-32 of itself and rounded up to about 40 bits: then it is exactly a float64, and a library
    that computes the loss from it in floats, with its own last bits rounded up, still finds no more than
    `loss`.

    Raises
    ------
    LossInvalid
        So much loss for so small a sensitivity would leave the numbers practically exact.
    TooLarge
        So little loss for so great a sensitivity needs noise that does not fit 64-bit sums.

    """
    if loss.mechanism is Mechanism.GAUSSIAN:
        squared = Fraction(sensitivity.d2_squared) / (2 * loss.amount)
    else:
        squared = (Fraction(sensitivity.d1) / loss.amount) ** 2
    scale = _square_root_up(squared * _SCALE_MARGIN**2)
    if scale < SCALE_MIN:
        raise LossInvalid(
            "The privacy loss is so great for this measure that its noise would round to nothing."
        )
    if scale > SCALE_MAX:
        raise TooLarge(
            "The noise of this measure would not fit 64-bit sums: its bounds are too wide for this loss.",
            remedy="Ask with a larger --epsilon, or narrow the bounds with CLAMP(x, lo, hi).",
        )
    return scale


def loss_of_scale(mechanism: Mechanism, sensitivity: Sensitivity, scale: Fraction) -> Fraction:
    """Compute the exact loss of noise of this `scale`: the inverse of `noise_scale`.

    It is rho for the Gaussian mechanism and epsilon for Laplace.

    Raises
    ------
    LossInvalid
        The scale is not positive.

    """
    if scale <= 0:
        raise LossInvalid("A noise scale must be greater than 0.")
    if mechanism is Mechanism.GAUSSIAN:
        return Fraction(sensitivity.d2_squared) / (2 * scale**2)
    return Fraction(sensitivity.d1) / scale


def _check_epsilon(epsilon: Fraction) -> None:
    if epsilon <= 0:
        raise LossInvalid("An epsilon must be greater than 0.")


def _check_delta(delta: Fraction) -> None:
    if not 0 < delta < 1:
        raise LossInvalid(
            "A delta must lie between 0 and 1.", remedy="Give a small probability, for example 0.000001."
        )


def _check_rho(rho: Fraction) -> None:
    if rho < 0:
        raise LossInvalid("A privacy loss cannot be negative.")


@contextmanager
def exact_decimals() -> Iterator[None]:
    """Compute in 60 digits, whatever decimal context the caller has: clients must agree to the last bit."""
    with localcontext(_context(_DIGITS, ROUND_HALF_EVEN)):
        yield


def _context(digits: int, rounding: str) -> Context:
    """Make a context whose exponents have no practical end: a tiny delta must not become 0."""
    traps = [InvalidOperation, DivisionByZero]
    return Context(prec=digits, rounding=rounding, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=traps)


def _decimal(number: Fraction) -> Decimal:
    """Convert a fraction, rounded to the digits of the context in force."""
    return Decimal(number.numerator) / Decimal(number.denominator)


def _log_kept(beta: Decimal) -> Decimal:
    """Compute ln(1 - 1/alpha) for alpha = 1 + beta, without the cancellation near alpha = 1."""
    return (beta / (beta + 1)).ln()


def _root(increasing: Callable[[Decimal], Decimal]) -> Decimal:
    """Find where an increasing function of a positive number crosses 0, to a relative 1e-30.

    All three conversions are an extremum over alpha, so this error enters them squared and is lost in their
    60 digits. The Illinois rule (Dowell and Jarratt 1971): the false position, with the weight of an end
    that stays put halved; it keeps the root between two ends and is faster than bisection.
    """
    low, high = _bracket(increasing)
    value_low, value_high = increasing(low), increasing(high)
    for _ in range(_ROOT_STEPS_MAX):
        if high - low <= high * _ROOT_TOLERANCE or value_high == value_low:
            return high
        middle = (low * value_high - high * value_low) / (value_high - value_low)
        value = increasing(middle)
        if value == 0:
            return middle
        if value > 0:
            high, value_high, value_low = middle, value, value_low / 2
        else:
            low, value_low, value_high = middle, value, value_high / 2
    raise InternalError("The conversion of a privacy loss did not converge.")


def _bracket(increasing: Callable[[Decimal], Decimal]) -> tuple[Decimal, Decimal]:
    """Find two powers of 2 in a row with the root between them."""
    low = Decimal(1)
    for _ in range(_ROOT_STEPS_MAX):
        if increasing(low) <= 0:
            break
        low /= 2
    for _ in range(_ROOT_STEPS_MAX):
        if increasing(low * 2) >= 0:
            return low, low * 2
        low *= 2
    raise InternalError("A privacy loss is too far from 1 to be converted.")


def _rounded_up(number: Decimal) -> Decimal:
    """Round up for display, after a slack far above what 60 digits lose and far below what 12 digits show."""
    return _context(_SHOWN_DIGITS, ROUND_CEILING).plus(number * (1 + _ROUNDING_SLACK))


def _square_root_up(squared: Fraction) -> Fraction:
    """Round the square root of a positive fraction up to 39 or 40 significant bits."""
    bits = squared.numerator.bit_length() - squared.denominator.bit_length()
    unit = Fraction(2) ** (bits // 2 - _SCALE_BITS + 1)
    mantissa = isqrt(ceil(squared / unit**2) - 1) + 1
    return mantissa * unit

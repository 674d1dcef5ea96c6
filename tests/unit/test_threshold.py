"""From which noisy number on a value is named: the least number that keeps the promise, and no lower one."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedstats.core.privacy import Mechanism
from fedstats.core.threshold import least_threshold
from fedstats.errors import LossInvalid

MILLIONTH = Fraction(1, 10**6)


def delta_of(mechanism: Mechanism, scale: Fraction, threshold: int, values: int) -> Decimal:
    """The chance that one of `values` single people is named, from the probability of each integer."""
    with localcontext() as context:
        context.prec = 50
        b = Decimal(scale.numerator) / Decimal(scale.denominator)
        reach = 60 * int(scale) + 60 if mechanism is Mechanism.LAPLACE else 16 * int(scale) + 16
        weights = [
            (-(k / b) if mechanism is Mechanism.LAPLACE else -(k * k) / (2 * b * b)).exp()
            for k in range(reach + 1)
        ]
        named = sum(weights[threshold - 1 :], Decimal(0)) / (2 * sum(weights) - 1)
        return 1 - (1 - named) ** values


@given(
    mechanism=st.sampled_from(Mechanism),
    scale=st.fractions(Fraction(1, 4), Fraction(40), max_denominator=8),
    values=st.integers(1, 10),
    digits=st.integers(2, 12),
)
@settings(max_examples=40)
def test_the_threshold_is_the_least_that_keeps_the_promise(
    mechanism: Mechanism, scale: Fraction, values: int, digits: int
) -> None:
    """At T the chance is within delta, and at T - 1 it is not."""
    delta = Fraction(1, 10**digits)
    least = least_threshold(mechanism, scale, values=values, delta=delta)
    assert Fraction(delta_of(mechanism, scale, least, values)) <= delta
    if least > 2:  # a count of 1 is below 2, where noise has no say
        assert Fraction(delta_of(mechanism, scale, least - 1, values)) > delta


def test_large_scales_are_rounded_up_a_little() -> None:
    """Above a scale of 1,000 T may be a thousandth of the scale too high, and is never too low."""
    scale = Fraction(2_500)
    least = least_threshold(Mechanism.GAUSSIAN, scale, values=3, delta=MILLIONTH)
    assert Fraction(delta_of(Mechanism.GAUSSIAN, scale, least, 3)) <= MILLIONTH
    assert Fraction(delta_of(Mechanism.GAUSSIAN, scale, least - 5, 3)) > MILLIONTH


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_every_scale_has_a_threshold(mechanism: Mechanism) -> None:
    """From the least to the greatest noise there is, T is found, and rises with the noise."""
    scales = [Fraction(1, 1_024), Fraction(1), Fraction(10**3), Fraction(10**9), Fraction(2**50)]
    found = [least_threshold(mechanism, scale, values=1, delta=MILLIONTH) for scale in scales]
    assert found == sorted(found)
    assert found[0] == 2  # without noise a single person is one, and two are named


@pytest.mark.parametrize("delta", [Fraction(0), Fraction(1), Fraction(1, 10**40)])
def test_without_delta_nothing_is_named(delta: Fraction) -> None:
    """No finite threshold keeps a chance of 0, so this is refused and not rounded."""
    with pytest.raises(LossInvalid, match="delta"):
        least_threshold(Mechanism.GAUSSIAN, Fraction(5), values=1, delta=delta)

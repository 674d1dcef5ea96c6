from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from fedstats.core.accounting import (
    EPSILON_MAX,
    EPSILON_MIN,
    SCALE_MAX,
    SCALE_MIN,
    epsilon_from_rho,
    loss_of_scale,
    noise_scale,
    parse_epsilon,
    rho_from_epsilon,
)
from fedstats.core.privacy import RHO_STEP, Mechanism, MechanismLoss, Sensitivity
from fedstats.errors import LossInvalid

EPSILONS = st.decimals(min_value="0.001", max_value="100", places=9).map(Fraction)
DELTAS = st.integers(4, 130).map(lambda bits: Fraction(1, 2**bits))
RHOS = st.integers(1, 2**47).map(lambda steps: steps * RHO_STEP)
SENSITIVITIES = st.builds(Sensitivity, st.integers(1, 2**30), st.integers(1, 2**60))
LOSSES = st.builds(
    MechanismLoss, st.sampled_from(Mechanism), st.fractions(Fraction(1, 10**9), 100, max_denominator=10**12)
)


@given(EPSILONS, DELTAS)
def test_a_converted_loss_is_within_what_was_asked_and_one_step_more_is_not(
    epsilon: Fraction, delta: Fraction
) -> None:
    """Shown back to the analyst, the signed rho is never above what they typed, and no rho is wasted."""
    rho = rho_from_epsilon(epsilon, delta)
    assert Fraction(epsilon_from_rho(rho, delta)) <= epsilon
    # Twelve shown digits, rounded up, can hide one step; a millionth more of rho cannot hide.
    assert Fraction(epsilon_from_rho(rho * (1 + Fraction(1, 10**6)) + RHO_STEP, delta)) > epsilon


@given(EPSILONS, EPSILONS, DELTAS)
def test_more_epsilon_buys_no_less_rho(one: Fraction, other: Fraction, delta: Fraction) -> None:
    """Asking for more is never answered with more noise."""
    small, great = sorted((one, other))
    assert rho_from_epsilon(small, delta) <= rho_from_epsilon(great, delta)


@given(RHOS, RHOS, DELTAS)
def test_more_rho_is_shown_as_no_less_epsilon(one: Fraction, other: Fraction, delta: Fraction) -> None:
    """The epsilon of a ledger never falls while its rho rises."""
    small, great = sorted((one, other))
    assert epsilon_from_rho(small, delta) <= epsilon_from_rho(great, delta)


@given(SENSITIVITIES, LOSSES)
def test_a_scale_is_exactly_a_float_and_costs_no_more_than_asked(
    sensitivity: Sensitivity, loss: MechanismLoss
) -> None:
    """The scale is never below the formula, at most a billionth of its loss is wasted, and no bit is lost."""
    unbounded = sensitivity.d2_squared / loss.amount if loss.mechanism is Mechanism.GAUSSIAN else None
    exact_scale = float(unbounded / 2) ** 0.5 if unbounded else float(sensitivity.d1 / loss.amount)
    assume(SCALE_MIN * 2 < exact_scale < SCALE_MAX / 2)
    scale = noise_scale(sensitivity, loss)
    assert Fraction(float(scale)) == scale
    spent = loss_of_scale(loss.mechanism, sensitivity, scale)
    assert loss.amount * (1 - Fraction(1, 10**9)) < spent < loss.amount


@given(st.text(max_size=40) | st.from_regex(r"\A[-+]?[0-9.]{1,8}(e[-+]?[0-9]{1,4})?\Z"))
def test_whatever_is_typed_is_an_epsilon_in_range_or_a_refusal(text: str) -> None:
    """No text crashes the reader, and none gets past its range."""
    try:
        epsilon = parse_epsilon(text)
    except LossInvalid:
        return
    assert EPSILON_MIN <= epsilon <= EPSILON_MAX

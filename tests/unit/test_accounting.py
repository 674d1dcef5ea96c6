from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from math import exp, log, log1p, sqrt
from statistics import NormalDist

import pytest

from fedstats.core.accounting import (
    SCALE_MAX,
    delta_from_rho,
    epsilon_from_rho,
    loss_of_scale,
    noise_scale,
    parse_epsilon,
    rho_from_epsilon,
)
from fedstats.core.privacy import RHO_STEP, Mechanism, MechanismLoss, Sensitivity
from fedstats.errors import FedstatsError, LossInvalid, TooLarge

ONE = Sensitivity(d1=1, d2_squared=1)
MICRO = Fraction(1, 10**6)
GRID = [
    (Fraction(epsilon), Fraction(delta))
    for epsilon in ("0.001", "0.1", "1", "3.5", "20", "100")
    for delta in ("1e-40", "1e-12", "1e-6", "5e-7", "0.01", "0.5", "0.999")
]


@pytest.mark.parametrize(
    "delta, steps, sigma",
    [(MICRO / 2, 25_219_989_345, "4.669"), (MICRO, 26_779_672_616, "4.531")],
    ids=["half of 1e-6", "1e-6"],
)
def test_epsilon_1_costs_what_the_design_worked_out(delta: Fraction, steps: int, sigma: str) -> None:
    """Epsilon 1 becomes the published rho, to its last step of 2^-40, and the published sigma of a count."""
    rho = rho_from_epsilon(Fraction(1), delta)
    assert rho == steps * RHO_STEP
    scale = noise_scale(ONE, MechanismLoss(Mechanism.GAUSSIAN, rho))
    assert f"{float(scale):.3f}" == sigma


@pytest.mark.parametrize("epsilon, delta", GRID)
def test_rho_is_the_greatest_step_that_keeps_within_epsilon_and_delta(
    epsilon: Fraction, delta: Fraction
) -> None:
    """One step of 2^-40 more would break the asked (epsilon, delta); the answer itself does not."""
    rho = rho_from_epsilon(epsilon, delta)
    assert (rho / RHO_STEP).denominator == 1
    assert delta_from_rho(rho, epsilon) <= Decimal(delta.numerator) / delta.denominator
    assert Fraction(delta_from_rho(rho + RHO_STEP, epsilon)) > delta
    assert Fraction(epsilon_from_rho(rho, delta)) <= epsilon


@pytest.mark.parametrize("epsilon, delta", [(e, d) for e, d in GRID if d >= MICRO / 2])
def test_the_conversion_agrees_with_the_published_formula_on_a_grid_of_alpha(
    epsilon: Fraction, delta: Fraction
) -> None:
    """No alpha of a fine grid gives a smaller delta than ours, and one of them nearly gives ours."""
    rho, target = float(rho_from_epsilon(epsilon, delta)), float(epsilon)

    def published(alpha: float) -> float:
        exponent = (alpha - 1) * (alpha * rho - target) + alpha * log1p(-1 / alpha)
        return exp(exponent - log(alpha - 1)) if exponent < 100 else float("inf")

    best = min(published(1 + exp(step / 500)) for step in range(-5000, 7000))
    ours = float(delta_from_rho(Fraction(rho), epsilon))
    assert ours <= best * (1 + 1e-9)
    assert best <= ours * (1 + 1e-4)


@pytest.mark.parametrize("epsilon, delta", [(e, d) for e, d in GRID if d <= MICRO])
def test_the_exact_law_of_gaussian_noise_keeps_the_promise(epsilon: Fraction, delta: Fraction) -> None:
    """The noise that rho buys is (epsilon, delta)-private by the exact formula of Balle and Wang 2018."""
    rho = rho_from_epsilon(epsilon, delta)
    half, moved = sqrt(float(rho) / 2), float(epsilon) / sqrt(2 * float(rho))
    normal = NormalDist()
    exact = normal.cdf(half - moved) - exp(float(epsilon)) * normal.cdf(-half - moved)
    assert exact <= float(delta)


def test_no_decimal_context_of_the_caller_changes_a_loss() -> None:
    """Two clients with other decimal settings sign the same bytes."""
    expected = rho_from_epsilon(Fraction(1), MICRO), epsilon_from_rho(Fraction(1, 7), MICRO)
    careless = decimal.Context(prec=3, rounding=decimal.ROUND_UP, Emin=-5, Emax=5)
    with decimal.localcontext(careless):
        assert (rho_from_epsilon(Fraction(1), MICRO), epsilon_from_rho(Fraction(1, 7), MICRO)) == expected


def test_no_loss_is_shown_as_no_loss() -> None:
    """A budget of which nothing was spent shows epsilon 0 and delta 0."""
    assert epsilon_from_rho(Fraction(0), MICRO) == 0
    assert delta_from_rho(Fraction(0), Fraction(1)) == 0


def test_a_loss_is_never_shown_as_none() -> None:
    """However small the loss: what is shown is rounded up, and a delta does not fall to 0."""
    assert delta_from_rho(RHO_STEP, Fraction(100)) > 0
    assert 0 <= epsilon_from_rho(RHO_STEP, Fraction(1, 10**40)) < Decimal("0.0001")


@pytest.mark.parametrize(
    "epsilon, delta", [("0", "0.1"), ("-1", "0.1"), ("1", "0"), ("1", "1"), ("1", "2"), ("1e-9", "1e-40")]
)
def test_a_loss_without_meaning_is_refused(epsilon: str, delta: str) -> None:
    """No epsilon at or below 0, no delta outside (0, 1), and no loss that rounds to nothing."""
    with pytest.raises(LossInvalid):
        rho_from_epsilon(Fraction(epsilon), Fraction(delta))


def test_a_negative_rho_is_not_converted() -> None:
    """A negative loss would be a gain of privacy by asking."""
    with pytest.raises(LossInvalid):
        epsilon_from_rho(Fraction(-1), MICRO)
    with pytest.raises(LossInvalid):
        delta_from_rho(Fraction(-1), Fraction(1))


@pytest.mark.parametrize(
    "text, value",
    [
        ("1", 1),
        (" 0.5 ", Fraction(1, 2)),
        (".25", Fraction(1, 4)),
        ("2.", 2),
        ("1e-3", Fraction(1, 1000)),
        ("100", 100),
        ("0.123456789012", Fraction(123456789012, 10**12)),
        ("+3", 3),
    ],
)
def test_a_typed_epsilon_is_read_exactly(text: str, value: Fraction) -> None:
    """What the analyst typed becomes exactly that fraction, with no float between."""
    assert parse_epsilon(text) == value


@pytest.mark.parametrize(
    "text, says",
    [
        ("0", "always costs more than 0"),
        ("-1", "always costs more than 0"),
        ("-0.0", "always costs more than 0"),
        ("nan", "no decimal number of a few digits"),
        ("inf", "no decimal number of a few digits"),
        ("-Infinity", "no decimal number of a few digits"),
        ("", "no decimal number of a few digits"),
        ("one", "no decimal number of a few digits"),
        ("0,5", "no decimal number of a few digits"),
        ("1/2", "no decimal number of a few digits"),
        ("1_0", "no decimal number of a few digits"),
        ("٣", "no decimal number of a few digits"),
        ("1" * 4000, "no decimal number of a few digits"),
        ("0.0009", "below 0.001"),
        ("1e-999", "below 0.001"),
        ("100.01", "above 100"),
        ("1e999", "above 100"),
        ("0.1234567890123", "12 decimal places"),
    ],
)
def test_an_epsilon_that_cannot_be_asked_is_refused_with_the_reason(text: str, says: str) -> None:
    """Zero, negative, not a number, infinite, text: each is told apart, and told what can be asked."""
    with pytest.raises(LossInvalid, match=says) as caught:
        parse_epsilon(text)
    assert "between 0.001 and 100" in str(caught.value)


def test_the_scales_are_the_textbook_ones() -> None:
    """Gaussian D2 / sqrt(2 rho), Laplace D1 / epsilon, enlarged by no more than a billionth."""
    sensitivity = Sensitivity(d1=6, d2_squared=12)
    gaussian = noise_scale(sensitivity, MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 50)))
    laplace = noise_scale(sensitivity, MechanismLoss(Mechanism.LAPLACE, Fraction(1, 5)))
    assert 12 * 25 < gaussian**2 < 12 * 25 * (1 + Fraction(1, 10**9))
    assert 30 < laplace < 30 * (1 + Fraction(1, 10**9))


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize(
    "d, amount, error", [(1, Fraction(10**9), LossInvalid), (2**40, Fraction(1, 2**40), TooLarge)]
)
def test_a_scale_that_cannot_be_used_is_refused(
    mechanism: Mechanism, d: int, amount: Fraction, error: type[FedstatsError]
) -> None:
    """Noise that rounds to nothing, and noise beyond 64-bit sums, are refused before anything is computed."""
    with pytest.raises(error):
        noise_scale(Sensitivity(d, d * d), MechanismLoss(mechanism, amount))


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_a_scale_of_nothing_has_no_loss(mechanism: Mechanism) -> None:
    """No noise is not a finite loss."""
    for scale in (Fraction(0), -SCALE_MAX):
        with pytest.raises(LossInvalid):
            loss_of_scale(mechanism, ONE, scale)

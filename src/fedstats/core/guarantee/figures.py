"""A loss as the figures that reports show: exact, and in decimals that are never better than the truth.

No figure here is a float. A loss is rounded up, and so is the belief that it allows; the exact fraction
stands beside every decimal that was rounded.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from fedstats.core.accounting import epsilon_from_rho, exact_decimals, tail_epsilon_from_rho
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import Document, decimal_text
from fedstats.core.privacy import Loss, Mechanism, MechanismLoss

SHOWN_DIGITS = 4
CERTAIN_PERCENT = Decimal("99.95")
"""From here a belief is called nearly 100 %."""


def promised(loss: MechanismLoss, delta_conversion: Fraction) -> tuple[Decimal, Fraction]:
    """The (epsilon, delta) of a loss, rounded up to four digits where long.

    An additive delta comes on top of that of the conversion; pure epsilon has that delta only.
    """
    added = Fraction(_rounded(loss.delta_add, ROUND_CEILING))
    if loss.mechanism is Mechanism.LAPLACE:
        return _rounded(loss.amount, ROUND_CEILING), added
    return _four_up(epsilon_from_rho(loss.amount, delta_conversion)), delta_conversion + added


def strict_epsilon(loss: MechanismLoss, delta_conversion: Fraction) -> Decimal:
    """What the odds change by at most, but for a chance of the delta that `promised` names, rounded up.

    This is what "except with one chance in a million" says to people, so plain sentences use it. The epsilon
    of (epsilon, delta) is less: its delta is not the chance of a greater loss. For pure epsilon they are one.
    """
    if loss.mechanism is Mechanism.LAPLACE:
        return _rounded(loss.amount, ROUND_CEILING)
    return _four_up(tail_epsilon_from_rho(loss.amount, delta_conversion))


def figures(loss: MechanismLoss, departments: int, delta_conversion: Fraction) -> Document:
    """The figures of a loss that a person has in so many departments together.

    Shape: `LOSS` in `form`. `strict` is the reading in which "except with probability delta" is a theorem:
    with that exception no answer moves the odds by more than e^epsilon (Bun and Steinke 2016, Lemma 3.5).
    """
    charge = loss.charge(departments)
    epsilon, delta = promised(loss, delta_conversion)
    strict = strict_epsilon(loss, delta_conversion)
    return {
        "epsilon": plain(epsilon),
        "delta": decimal_text(delta),
        "pure": loss.mechanism is Mechanism.LAPLACE,
        "rho": decimal_up(charge.rho),
        "rho_exact": fraction_text(charge.rho),
        "delta_add": decimal_up(charge.delta_add),
        "delta_add_exact": fraction_text(charge.delta_add),
        "belief_percent": plain(belief_percent(epsilon)),
        "strict": {"epsilon": plain(strict), "belief_percent": plain(belief_percent(strict))},
    }


def total_figures(loss: Loss, delta_conversion: Fraction) -> Document:
    """The same figures of a sum of charges, which may be nothing."""
    if loss.rho == 0:
        nothing = {"epsilon": "0", "belief_percent": "50"}
        added = _rounded(loss.delta_add, ROUND_CEILING)
        return {
            **nothing,
            "delta": plain(added),
            "pure": False,
            "rho": "0",
            "rho_exact": "0/1",
            "delta_add": plain(added),
            "delta_add_exact": fraction_text(loss.delta_add),
            "strict": nothing,
        }
    return figures(MechanismLoss(Mechanism.GAUSSIAN, loss.rho, loss.delta_add), 1, delta_conversion)


def belief_percent(epsilon: Decimal) -> Decimal:
    """To where a belief of 50 % can move at most, in percent: 100 e^epsilon / (1 + e^epsilon), rounded up.

    Source: Wasserman and Zhou 2010; e^epsilon bounds the change of the odds.
    """
    with exact_decimals():
        exact = 100 / (1 + (-epsilon).exp())
        return exact.quantize(Decimal("0.1"), rounding=ROUND_CEILING)


def belief_words(epsilon: Decimal) -> str:
    """The same for people."""
    percent = belief_percent(epsilon)
    return "nearly 100 %" if percent >= CERTAIN_PERCENT else f"{plain(percent)} %"


def agreed_belief_words(agreement: Agreement, most: Loss) -> str:
    """The same for all that an agreement allows, or for one question: strictly, but for its delta."""
    loss = MechanismLoss(Mechanism.GAUSSIAN, most.rho)
    return belief_words(strict_epsilon(loss, agreement.privacy.delta_conversion))


def chance_words(delta: Fraction) -> str:
    """A small probability as people say it, never smaller than it is."""
    return f"one chance in {int(1 / delta):,}"


def plain(value: Decimal) -> str:
    """A decimal without an exponent and without trailing zeros."""
    return f"{value.normalize():f}"


def decimal_up(value: Fraction) -> str:
    """Four digits, rounded up: for what must not be understated."""
    return plain(_rounded(value, ROUND_CEILING))


def decimal_down(value: Fraction) -> str:
    """Four digits, rounded down: for what must not be overstated, such as noise."""
    return plain(_rounded(value, ROUND_FLOOR))


def fraction_text(value: Fraction) -> str:
    """The exact value, as numerator/denominator."""
    return f"{value.numerator}/{value.denominator}"


def _rounded(value: Fraction, rounding: str) -> Decimal:
    """Shortened once, from the exact value: twice in one direction would be right, and less tight."""
    context = Context(prec=SHOWN_DIGITS, rounding=rounding, Emin=MIN_EMIN, Emax=MAX_EMAX)
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


def _four_up(value: Decimal) -> Decimal:
    return Context(prec=SHOWN_DIGITS, rounding=ROUND_CEILING).plus(value)

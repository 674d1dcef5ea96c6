"""What a question costs and what it promises, in numbers and in plain words. Pure."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from fedstats.core.accounting import epsilon_from_rho
from fedstats.core.agreement import Agreement
from fedstats.core.estimate import Cost, Guarantee
from fedstats.core.privacy import Contribution, Loss, Mechanism, MechanismLoss, UnitKind
from fedstats.core.rules import budget_of
from fedstats.core.schema import Dataset

SHOWN_DIGITS = 4
PER_MILLION = 1_000_000
CERTAIN = 0.9995  # from here a belief is shown as "nearly 100 %"


def cost_of(
    agreement: Agreement, loss: MechanismLoss, contribution: Contribution, *, left_ppm: int | None = None
) -> Cost:
    """The loss of a question, its share of the budget, and what a department says is left after it."""
    charge = loss.charge(contribution.departments_max)
    epsilon, delta = promised(agreement, loss)
    return Cost(
        loss=charge,
        epsilon=epsilon,
        delta=delta,
        pure=loss.mechanism is Mechanism.LAPLACE,
        used_percent=used_percent(agreement, charge),
        left_percent=None if left_ppm is None else 100 * left_ppm / PER_MILLION,
        delta_percent=delta_percent(agreement, charge),
    )


def used_percent(agreement: Agreement, charge: Loss) -> float:
    """The part of the agreement's whole budget that a charge is."""
    return float(100 * charge.rho / budget_of(agreement).rho)


def delta_percent(agreement: Agreement, charge: Loss) -> float | None:
    """The part of the agreement's additive delta that a charge is, None where it takes none."""
    return float(100 * charge.delta_add / budget_of(agreement).delta_add) if charge.delta_add else None


def promised(agreement: Agreement, loss: MechanismLoss) -> tuple[Decimal, Fraction]:
    """The (epsilon, delta) of a loss over the whole federation, rounded up to four digits where long.

    An additive delta comes on top of that of the conversion; pure epsilon has that delta only.
    """
    context = Context(prec=SHOWN_DIGITS, rounding=ROUND_CEILING)
    added = Fraction(context.divide(Decimal(loss.delta_add.numerator), Decimal(loss.delta_add.denominator)))
    if loss.mechanism is Mechanism.LAPLACE:
        return context.divide(Decimal(loss.amount.numerator), Decimal(loss.amount.denominator)), added
    delta = agreement.privacy.delta_conversion
    return context.plus(epsilon_from_rho(loss.amount, delta)), delta + added


def guarantee_of(
    agreement: Agreement,
    dataset: Dataset,
    loss: MechanismLoss,
    contribution: Contribution,
    participants: int,
) -> Guarantee:
    """The promise to one unit: whom it protects, under which bounds, and what it means for a belief."""
    epsilon, delta = promised(agreement, loss)
    return Guarantee(
        unit=unit_words(dataset),
        rows_max=contribution.rows_max,
        departments_max=contribution.departments_max,
        mechanism=loss.mechanism.value,
        epsilon=epsilon,
        delta=delta,
        sentence=" ".join(_sentences(dataset, contribution, epsilon, delta, participants)),
    )


def unit_words(dataset: Dataset) -> str:
    """Who is protected."""
    if dataset.unit.kind is UnitKind.ROW:
        return "one record"
    return f"one person ({dataset.unit.namespace}), with all their rows in all departments"


def belief_words(epsilon: Decimal) -> str:
    """To where a belief of 50 % can move at most: e^epsilon / (1 + e^epsilon)."""
    belief = 1 / (1 + math.exp(-float(epsilon)))
    if belief >= CERTAIN:
        return "nearly 100 %"
    return f"{math.ceil(belief * 1000) / 10:g} %"


def plain(value: Decimal) -> str:
    """A decimal without an exponent and without trailing zeros."""
    return f"{value.normalize():f}"


def chance_words(delta: Fraction) -> str:
    """A small probability as people say it."""
    return f"one chance in {round(1 / delta):,}"


def _sentences(
    dataset: Dataset, contribution: Contribution, epsilon: Decimal, delta: Fraction, participants: int
) -> list[str]:
    """Source of the belief bound: Wasserman and Zhou 2010; e^epsilon bounds the odds' change."""
    row = dataset.unit.kind is UnitKind.ROW
    about = "one record" if row else "you"
    aside = f", except with {chance_words(delta)}" if delta else ""
    belief = f"someone's belief in it can move from 50 % to at most {belief_words(epsilon)}"
    said = [f"Whatever the data says about {about}, {belief} because of this answer{aside}."]
    c = contribution.departments_max
    if row:
        said.append("The promise is per record: someone with several records is protected less.")
    elif c < participants:
        more = c + 1
        said.append(
            f"It holds for everyone who is in at most {c} of the departments; for someone in {more} of them "
            f"the loss is {more / c:.2g} times as much."
        )
    return said

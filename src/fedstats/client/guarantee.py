"""What a question costs and what it promises, in numbers and in plain words. Pure."""

from __future__ import annotations

from fedstats.core.agreement import Agreement
from fedstats.core.estimate import Cost, Guarantee
from fedstats.core.guarantee.figures import promised
from fedstats.core.guarantee.promise import sentence, unit_words
from fedstats.core.privacy import Contribution, Loss, Mechanism, MechanismLoss
from fedstats.core.rules import budget_of
from fedstats.core.schema import Dataset

PER_MILLION = 1_000_000


def cost_of(
    agreement: Agreement, loss: MechanismLoss, contribution: Contribution, *, left_ppm: int | None = None
) -> Cost:
    """The loss of a question, its share of the budget, and what a department says is left after it."""
    charge = loss.charge(contribution.departments_max)
    epsilon, delta = promised(loss, agreement.privacy.delta_conversion)
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


def guarantee_of(
    agreement: Agreement,
    dataset: Dataset,
    loss: MechanismLoss,
    contribution: Contribution,
    participants: int,
) -> Guarantee:
    """The promise to one unit: whom it protects, under which bounds, and what it means for a belief."""
    delta_conversion = agreement.privacy.delta_conversion
    epsilon, delta = promised(loss, delta_conversion)
    return Guarantee(
        unit=unit_words(dataset),
        rows_max=contribution.rows_max,
        departments_max=contribution.departments_max,
        mechanism=loss.mechanism.value,
        epsilon=epsilon,
        delta=delta,
        sentence=sentence(dataset, contribution, loss, delta_conversion, participants),
    )

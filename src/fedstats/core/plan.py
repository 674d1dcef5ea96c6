"""From a computation to its noise: sensitivities and scales, the same at every node and for every reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.accounting import noise_scale
from fedstats.core.aggregate import Aggregate
from fedstats.core.privacy import Contribution, MechanismLoss, Sensitivity
from fedstats.core.threshold import least_threshold


def noise_scales(
    aggregates: Sequence[Aggregate], loss: MechanismLoss, contribution: Contribution
) -> tuple[tuple[Fraction, ...], ...]:
    """The scale of every measure at one node, in the units of its vector.

    `loss` is the round's, over the federation: each node has 1/c of it (local mode), split over the measures
    by their weights (privacy.md: sigma_j = D_j / sqrt(2 rho w_j)).
    """
    at_node = loss.at_node(contribution.departments_max)
    return tuple(
        tuple(
            noise_scale(sensitivity, at_node.share(measure.weight))
            for measure, sensitivity in zip(
                aggregate.measures, aggregate.sensitivities(contribution), strict=True
            )
        )
        for aggregate in aggregates
    )


@dataclass(frozen=True, slots=True)
class ThresholdPlan:
    """How the values of an open key are chosen at one node: those with a noisy number of at least `least`.

    `scale` is that of the noise, `sensitivity` how far one unit moves the numbers, `loss` what it may cost at
    one node, and `values` how many values one unit can have.
    """

    scale: Fraction
    least: int
    sensitivity: Sensitivity
    loss: MechanismLoss
    values: int


def threshold_plan(
    aggregate: Aggregate, loss: MechanismLoss, contribution: Contribution
) -> ThresholdPlan | None:
    """The threshold of an aggregate with an open key, None for any other; `loss` is as in `noise_scales`.

    One unit counts once at each of at most L0 values. Each node has 1/c of rho and of the additive delta:
    a person may be in c departments.

    Raises
    ------
    LossInvalid
        The loss has no additive delta.

    """
    if aggregate.threshold_weight is None:
        return None
    at_node = loss.at_node(contribution.departments_max)
    of_numbers = MechanismLoss(
        at_node.mechanism, at_node.amount * aggregate.threshold_weight, at_node.delta_add
    )
    sensitivity = Sensitivity(contribution.cells_max, contribution.cells_max)
    scale = noise_scale(sensitivity, of_numbers)
    least = least_threshold(loss.mechanism, scale, values=contribution.cells_max, delta=of_numbers.delta_add)
    return ThresholdPlan(scale, least, sensitivity, of_numbers, contribution.cells_max)

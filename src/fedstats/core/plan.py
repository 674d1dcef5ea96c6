"""From a computation to its noise: sensitivities and scales, the same at every node and for every reader."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from fedstats.core.accounting import noise_scale
from fedstats.core.aggregate import Aggregate
from fedstats.core.privacy import Contribution, MechanismLoss


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
            noise_scale(measure.sensitivity(contribution), at_node.share(measure.weight))
            for measure in aggregate.measures
        )
        for aggregate in aggregates
    )

"""The only place of a node where exact numbers exist: what it returns carries noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.exact import Integers
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import MechanismLoss
from fedstats.core.query import Computation
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Vectors
from fedstats.engines import Engine, Resources
from fedstats.errors import InternalError
from fedstats.mechanisms import NoiseMechanism, mechanism_of


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of a computation, derived from its loss and its sensitivities and from nothing else.

    `at_node` is what this node may lose; `scales` has one scale for each measure of each aggregate.
    """

    mechanism: NoiseMechanism
    at_node: MechanismLoss
    scales: tuple[tuple[Fraction, ...], ...]

    @classmethod
    def of(cls, computation: Computation) -> Noise:
        """Plan the noise.

        Raises
        ------
        LossInvalid, TooLarge
            The loss is too great or too small for what is measured.
        ExtraMissing
            The noise library is not installed.

        """
        loss, contribution = computation.loss, computation.contribution
        return cls(
            mechanism=mechanism_of(loss.mechanism),
            at_node=loss.at_node(contribution.departments_max),
            scales=noise_scales(computation.aggregates, loss, contribution),
        )


@dataclass(frozen=True, slots=True)
class Workbench:
    """An engine with what it may use; `key` is the secret behind the keyed hashes of rows (32 bytes)."""

    engine: Engine
    resources: Resources
    key: bytes = field(repr=False)

    def rehearse(self, computation: Computation, dataset: Dataset) -> None:
        """Write every statement and run none: what cannot be asked of the engine fails before the charge."""
        for aggregate in computation.aggregates:
            self.engine.explain(
                aggregate, dataset=dataset, where=computation.where, contribution=computation.contribution
            )

    def compute(self, edition: Path, computation: Computation, dataset: Dataset, noise: Noise) -> Vectors:
        """Compute over an edition and add noise, measure by measure, each for its own sensitivity.

        Shapes: per aggregate, per measure, `aggregate.cells(dataset)` integers.
        """
        return tuple(
            self._noisy(edition, computation, dataset, noise, position)
            for position in range(len(computation.aggregates))
        )

    def _noisy(
        self, edition: Path, computation: Computation, dataset: Dataset, noise: Noise, position: int
    ) -> tuple[Integers, ...]:
        aggregate = computation.aggregates[position]
        exact = self.engine.compute(
            edition,
            aggregate,
            dataset=dataset,
            where=computation.where,
            contribution=computation.contribution,
            key=self.key,
            resources=self.resources,
        )
        if [len(vector) for vector in exact.vectors] != _shape(aggregate, dataset):
            raise InternalError("The engine's result has not the shape of the question.")
        return tuple(
            noise.mechanism.add_noise(
                vector,
                scale=scale,
                sensitivity=measure.sensitivity(computation.contribution),
                allowed=noise.at_node.share(measure.weight).amount,
            )
            for vector, measure, scale in zip(
                exact.vectors, aggregate.measures, noise.scales[position], strict=True
            )
        )


def _shape(aggregate: Aggregate, dataset: Dataset) -> list[int]:
    return [aggregate.cells(dataset)] * len(aggregate.measures)

"""The only place of a node where exact numbers exist: what it returns carries noise."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import open_keys
from fedstats.core.domain import Texts
from fedstats.core.plan import ThresholdPlan, noise_scales, threshold_plan
from fedstats.core.privacy import MechanismLoss
from fedstats.core.query import Computation
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Noisy
from fedstats.engines import Engine, Resources
from fedstats.errors import InternalError
from fedstats.mechanisms import NoiseMechanism, mechanism_of, named_values
from fedstats.wire.codec import ReleaseNote, encode_release
from fedstats.wire.codec.releases import SALT_BYTES


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of a computation, derived from its loss and its sensitivities and from nothing else.

    `at_node` is what this node may lose; `scales` has one scale for each measure of each aggregate, and
    `threshold` says how the values of an open key are chosen, None where no key is open.
    """

    mechanism: NoiseMechanism
    at_node: MechanismLoss
    scales: tuple[tuple[Fraction, ...], ...]
    threshold: ThresholdPlan | None

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
        plans = (threshold_plan(aggregate, loss, contribution) for aggregate in computation.aggregates)
        return cls(
            mechanism=mechanism_of(loss.mechanism),
            at_node=loss.at_node(contribution.departments_max),
            scales=noise_scales(computation.aggregates, loss, contribution),
            threshold=next((plan for plan in plans if plan is not None), None),
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
            self.engine.rehearse(
                aggregate, dataset=dataset, where=computation.where, contribution=computation.contribution
            )

    def compute(self, edition: Path, computation: Computation, dataset: Dataset, noise: Noise) -> Noisy:
        """Compute over an edition and add noise, measure by measure, each for its own sensitivity.

        Shapes: per aggregate, per measure, `aggregate.cells(dataset, values)` integers.
        """
        values = self._named(edition, computation, dataset, noise)
        vectors = tuple(
            self._noisy(edition, computation, dataset, noise, position, values)
            for position in range(len(computation.aggregates))
        )
        return Noisy(vectors, values)

    def _named(
        self, edition: Path, computation: Computation, dataset: Dataset, noise: Noise
    ) -> tuple[str, ...]:
        """The values of the open key that may be named: what follows looks at these alone."""
        for aggregate in computation.aggregates:
            key = aggregate.open_key(dataset)
            if key is None or noise.threshold is None:
                continue
            domain = dataset.column(key.name).domain
            if not isinstance(domain, Texts):
                raise InternalError("An open key is a column of free text.")
            found = self.engine.find_values(
                edition,
                aggregate,
                dataset=dataset,
                where=computation.where,
                contribution=computation.contribution,
                key=self.key,
                resources=self.resources,
            )
            return named_values(found, noise.threshold, noise.mechanism, values_max=domain.values_max)
        return ()

    def _noisy(  # what is computed, on what, with which noise
        self,
        edition: Path,
        computation: Computation,
        dataset: Dataset,
        noise: Noise,
        position: int,
        values: tuple[str, ...],
    ) -> tuple[Integers, ...]:
        aggregate = computation.aggregates[position]
        of_key = values if aggregate.open_key(dataset) is not None else ()
        exact = self.engine.compute(
            edition,
            aggregate,
            dataset=dataset,
            where=computation.where,
            contribution=computation.contribution,
            key=self.key,
            resources=self.resources,
            values=of_key,
        )
        shape = [aggregate.cells(dataset, of_key)] * len(aggregate.measures)
        if [len(vector) for vector in exact.vectors] != shape:
            raise InternalError("The engine's result has not the shape of the question.")
        return tuple(
            noise.mechanism.add_noise(
                vector,
                scale=scale,
                sensitivity=sensitivity,
                allowed=noise.at_node.share(measure.weight).amount,
            )
            for vector, measure, sensitivity, scale in zip(
                exact.vectors,
                aggregate.measures,
                aggregate.sensitivities(computation.contribution),
                noise.scales[position],
                strict=True,
            )
        )


def integers_max(computation: Computation, dataset: Dataset) -> int:
    """How many numbers a release can have at most; the texts of an open key take the room of some more."""
    integers = 0
    for aggregate in computation.aggregates:
        integers += len(aggregate.measures) * aggregate.cells(dataset)
        for key in open_keys(aggregate.keys, dataset):
            domain = dataset.column(key.name).domain
            integers += domain.values_max * domain.characters_max if isinstance(domain, Texts) else 0
    return integers


def released(department: str, computation: bytes, edition: str, noisy: Noisy) -> bytes:
    """The bytes that a node signs of a release that it just made, with a salt of their own.

    The salt is no noise and protects no number of the release: it keeps its published hash from being tried.
    """
    salt = secrets.token_bytes(SALT_BYTES)  # no noise: it keeps the hash from being tried
    return encode_release(ReleaseNote(department, computation, edition, noisy.vectors, salt, noisy.values))

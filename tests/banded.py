"""Waiting-times reports from made-up counts by band: exact totals of any number of cells, and any noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.aggregate import Aggregate
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Categories, Numbers
from fedstats.core.estimate import Estimate
from fedstats.core.expression import Column
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Mechanism, MechanismLoss, UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Ask, Mode, Round, RoundResult
from fedstats.statistics.waiting_times import WaitingTimes
from fedstats.testing.drawing import noise

BANDS = 105
STATUSES = ("admitted", "nonadmitted")

Counts = npt.NDArray[np.int64]
"""Exact counts of a department by group, kind and band: shape (groups, kinds, 105)."""
Draw = Callable[[float, int], npt.NDArray[np.float64]]
"""So many noises of a scale."""


def dataset_of(groups: Sequence[str], *, statuses: Sequence[str] = STATUSES) -> Dataset:
    """Pathways with a group, a status and the band of their wait."""
    columns = (
        ColumnDefinition("cell", Categories(tuple(groups))),
        ColumnDefinition("status", Categories(tuple(statuses))),
        ColumnDefinition("week", Numbers(Fraction(0), Fraction(BANDS - 1))),
    )
    unit = Unit(UnitKind.ROW, "pathways")
    return Dataset("waits", unit, 1, 10_000_000, 1_000_000, columns, ("2025-09",), ())


def loss_of(epsilon: Fraction | int, mechanism: Mechanism = Mechanism.GAUSSIAN) -> MechanismLoss:
    """The loss of a question."""
    if mechanism is Mechanism.LAPLACE:
        return MechanismLoss(mechanism, Fraction(epsilon))
    return MechanismLoss(mechanism, rho_from_epsilon(Fraction(epsilon), Fraction(1, 2_000_000)))


def asked(
    dataset: Dataset,
    departments: Sequence[str],
    loss: MechanismLoss | None = None,
    *,
    mode: Mode = Mode.LOCAL,
    disclosure: DisclosureProfile = DisclosureProfile.NONE,
) -> Ask:
    """What a session would tell the statistic."""
    contribution = dataset.contribution(departments_max=1)
    return Ask(dataset, loss or loss_of(1), contribution, tuple(departments), mode, disclosure)


def result_of(
    statistic: WaitingTimes, ask: Ask, exact: Mapping[str, Counts], draw: Draw | None = None
) -> RoundResult:
    """The round's result from exact counts by department, with the noise of each, or none."""
    order = statistic.step(ask, [])
    assert isinstance(order, Round)
    scales = noise_scales(order.aggregates, ask.loss, ask.contribution)
    each = {
        name: tuple(
            (_vector(aggregate, counts) + _noise(draw, scale, aggregate, counts),)
            for aggregate, (scale,) in zip(order.aggregates, scales, strict=True)
        )
        for name, counts in exact.items()
    }
    total = tuple(
        tuple(np.sum(vectors, axis=0) for vectors in zip(*aggregates, strict=True))
        for aggregates in zip(*each.values(), strict=True)
    )
    if draw is None:
        scales = tuple((Fraction(1, 1024),) for _ in scales)
    return RoundResult(order, total, scales, len(each), each)  # type: ignore[arg-type]  # floats are totals here


def report(
    statistic: WaitingTimes, ask: Ask, exact: Mapping[str, Counts], draw: Draw | None = None
) -> Estimate:
    """The answer from exact counts by department, with the noise of each, or none."""
    estimate = statistic.step(ask, [result_of(statistic, ask, exact, draw)])
    assert isinstance(estimate, Estimate)
    return estimate


def _vector(aggregate: Aggregate, counts: Counts) -> npt.NDArray[np.int64]:
    """The counts over the keys of an aggregate, in its order: the group, the kind and the band."""
    order = [_axis(key) for key in aggregate.keys]
    left = tuple(axis for axis in range(3) if axis not in order)
    kept = [axis for axis in range(3) if axis in order]
    return np.asarray(counts.sum(axis=left).transpose([kept.index(axis) for axis in order]).ravel())


def _axis(key: object) -> int:
    if isinstance(key, Column):
        return {"cell": 0, "week": 2}[key.name]
    return 1  # the kind, an expression over the status


def _noise(
    draw: Draw | None, scale: Fraction, aggregate: Aggregate, counts: Counts
) -> npt.NDArray[np.float64]:
    size = _vector(aggregate, counts).size
    return np.zeros(size) if draw is None else draw(float(scale), size)


def drawn(generator: np.random.Generator, mechanism: Mechanism) -> Draw:
    """Discrete noise from a generator, as the totals of this file are: floats."""

    def draw(scale: float, size: int) -> npt.NDArray[np.float64]:
        return noise(mechanism, generator, Fraction(scale), size).astype(np.float64)

    return draw

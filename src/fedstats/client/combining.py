"""Adding up what departments released, where each may have named other values of an open key. Pure.

The values of all are put in one order. A department that did not name a value adds nothing there, which is
not a 0 of its own: who named what stays with the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.exact import Integers
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Contribution, MechanismLoss
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Noisy, Round, RoundResult, Vectors
from fedstats.errors import TooLarge

TOTAL_MAX = 2**63 - 1


def combined(
    released: Mapping[str, Noisy],
    asked: Round,
    *,
    dataset: Dataset,
    loss: MechanismLoss,
    contribution: Contribution,
) -> RoundResult:
    """The result of a round that at least one department answered; `loss` is the round's.

    Raises
    ------
    TooLarge
        The total does not fit 64 bits, which honest releases cannot bring about.

    """
    values = tuple(sorted({value for noisy in released.values() for value in noisy.values}))
    each = {name: _over(values, noisy, asked, dataset) for name, noisy in sorted(released.items())}
    return RoundResult(
        round=asked,
        total=_total(list(each.values())),
        scales=noise_scales(asked.aggregates, loss, contribution),
        noises=len(each),
        by_department=each,
        values=values,
        named_by=_named_by(values, released),
    )


def _named_by(values: Sequence[str], released: Mapping[str, Noisy]) -> tuple[frozenset[str], ...]:
    named: dict[str, set[str]] = {value: set() for value in values}
    for department, noisy in released.items():
        for value in noisy.values:
            named[value].add(department)
    return tuple(frozenset(named[value]) for value in values)


def _over(values: tuple[str, ...], noisy: Noisy, asked: Round, dataset: Dataset) -> Vectors:
    """A department's vectors over the values of all."""
    if noisy.values == values:
        return noisy.vectors
    return tuple(
        tuple(_spread(vector, aggregate, dataset, noisy.values, values) for vector in vectors)
        for vectors, aggregate in zip(noisy.vectors, asked.aggregates, strict=True)
    )


def _spread(
    vector: Integers, aggregate: Aggregate, dataset: Dataset, own: Sequence[str], values: Sequence[str]
) -> Integers:
    """The vector with zeros at the values that are not among its own."""
    key = aggregate.open_key(dataset)
    if key is None:
        return vector
    axis = aggregate.keys.index(key)
    before, after = aggregate.key_cells(dataset, own), aggregate.key_cells(dataset, values)
    spread = np.zeros([len(cells) for cells in after], dtype=np.int64)
    place = {cell: i for i, cell in enumerate(after[axis])}
    rows = np.array([place[cell] for cell in before[axis]], dtype=np.intp)
    np.moveaxis(spread, axis, 0)[rows] = np.moveaxis(
        vector.reshape([len(cells) for cells in before]), axis, 0
    )
    return spread.ravel()


def _total(releases: Sequence[Vectors]) -> Vectors:
    """The sums over departments. int64 wraps silently, so the greatest possible total is looked at first."""
    total = []
    for aggregates in zip(*releases, strict=True):
        measures: list[Integers] = []
        for vectors in zip(*aggregates, strict=True):
            if sum(_reach(vector) for vector in vectors) > TOTAL_MAX:
                raise TooLarge("The total of the departments' releases does not fit 64 bits.")
            measures.append(np.sum(np.stack(vectors), axis=0, dtype=np.int64))
        total.append(tuple(measures))
    return tuple(total)


def _reach(vector: Integers) -> int:
    """The greatest distance from 0, also of a vector without cells."""
    return max(abs(int(vector.min(initial=0))), abs(int(vector.max(initial=0))))

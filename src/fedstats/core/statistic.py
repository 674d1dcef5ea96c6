"""Statistics: a kind of question is a frozen dataclass with one pure method, `step(ask, history)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import ClassVar, Protocol, runtime_checkable

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.exact import Integers
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.estimate import Estimate, Refusal
from fedstats.core.expression import Expression
from fedstats.core.privacy import Contribution, MechanismLoss
from fedstats.core.schema import Dataset
from fedstats.errors import ValueInvalid

AGGREGATES_MAX = 64
SHARE_STEP = Fraction(1, 2**20)
"""Shares of a loss are signed as multiples of this, so that exact sums of charges stay short."""


class Mode(Enum):
    """Who sees one department's numbers: everybody with noise (local), or nobody (secure)."""

    LOCAL = "local"
    SECURE = "secure"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a statistic knows of the question it answers; `loss` is the whole query's, over the federation.

    `disclosure` is by which profile its numbers must be shown.
    """

    dataset: Dataset
    loss: MechanismLoss
    contribution: Contribution
    departments: tuple[str, ...]
    mode: Mode = Mode.LOCAL
    disclosure: DisclosureProfile = DisclosureProfile.NONE


@dataclass(frozen=True, slots=True)
class Round:
    """What is asked of all nodes at once: aggregates, and the share of the query's loss that they may use.

    Raises
    ------
    ValueInvalid
        The weights of all measures do not add up to 1, or the share is not in (0, 1].

    """

    aggregates: tuple[Aggregate, ...]
    share: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        """Weights are shares of the round's loss: they add up to exactly 1."""
        if not 1 <= len(self.aggregates) <= AGGREGATES_MAX or not 0 < self.share <= 1:
            raise ValueInvalid("A round has between 1 and 64 aggregates and a share above 0 and not above 1.")
        if sum(weight for aggregate in self.aggregates for weight in aggregate.weights) != 1:
            raise ValueInvalid("The weights of a round's measures must add up to 1.")
        if sum(aggregate.threshold_weight is not None for aggregate in self.aggregates) > 1:
            raise ValueInvalid("A round has at most one aggregate with a key of free text.")

    @property
    def opens(self) -> bool:
        """Whether it has a key whose values nobody listed, which costs additive delta."""
        return any(aggregate.threshold_weight is not None for aggregate in self.aggregates)

    def normalised(self) -> Round:
        """The one round that stands for all orders of writing it, with its share rounded down to the grid.

        Raises
        ------
        ValueInvalid
            The share is less than 2^-20.

        """
        aggregates = sorted(
            (aggregate.normalised() for aggregate in self.aggregates),
            key=lambda a: repr((a.keys, a.measures, a.bound, a.tree)),
        )
        return Round(tuple(aggregates), self.share // SHARE_STEP * SHARE_STEP)


Vectors = tuple[tuple[Integers, ...], ...]
"""Noisy integers: per aggregate of the round, per measure, one int64 vector over the cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Noisy:
    """What one department released for a round: integers, and the values of the open key that it named.

    `values` are distinct and sorted; there are none where no key of the round is open.
    """

    vectors: Vectors
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What came back from one round.

    `total` is the sum over the departments that answered; `scales` holds each measure's noise scale at one
    node (in the units of the vector), `noises` how many independent noises of that scale the total carries.
    Where a key is open, `values` are all that were named, the vectors go over these, and `named_by` says for
    each which departments named it: of the others a total and their own numbers hold nothing at it.
    """

    round: Round
    total: Vectors
    scales: tuple[tuple[Fraction, ...], ...]
    noises: int
    by_department: Mapping[str, Vectors] | None = None
    absent: Mapping[str, Refusal] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    named_by: tuple[frozenset[str], ...] = ()


@runtime_checkable
class Statistic(Protocol):
    """A kind of question: its fields are its parameters; its pure `step` decides what is next.

    One of several rounds whose later ones look at other columns, keys or expressions than the first is also
    `Announcing`: what it did not announce before it saw anything, it cannot ask.

    One that keeps to the profile in `ask.disclosure` says so: with a class variable `discloses = True`, and
    in `disclosure` of its estimate. Others can be asked only where the agreement's profile is `none`.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    rounds_max: ClassVar[int]

    @property
    def dataset(self) -> str:
        """The dataset it asks about."""

    def condition(self, dataset: Dataset) -> Expression | None:
        """The condition on rows, for the whole query; `dataset` is the definition that it is asked about."""

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """Ask for the next round, or turn the totals into the estimate."""


@runtime_checkable
class Announcing(Protocol):
    """A statistic that says beforehand what its later rounds may ask for."""

    def later(self, ask: Ask) -> Sequence[Aggregate]:
        """Aggregates with all columns, keys and measured expressions of later rounds; grids may differ."""

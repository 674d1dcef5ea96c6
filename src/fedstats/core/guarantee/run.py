"""What a guarantee is said about: one query, and what departments answered to its rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from fedstats.core.agreement import Agreement
from fedstats.core.privacy import MechanismLoss
from fedstats.core.query import Query
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Round
from fedstats.errors import ValueInvalid


@dataclass(frozen=True, slots=True)
class AnsweredRound:
    """One round: what was asked, who released (with the SHA-256 of what each signed), who did not and why.

    `absent` holds stable codes; `values` are those of an open key that any department named; `editions` are
    the revisions of the asked edition that the releases are about.
    """

    asked: Round
    releases: Mapping[str, str]
    absent: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    editions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A query under its agreement, with its rounds in order; all of it may be shown to anybody.

    `used_ppm` is what the fullest department said was used of the agreement's budget afterwards, in parts per
    million (nobody signs it), `free_at` who answered from the record. `agreement_hash` is of the signed text.

    Raises
    ------
    ValueInvalid
        There is no round.

    """

    agreement: Agreement
    agreement_hash: str
    query: Query
    query_hash: str
    asked_by: str
    asked_at_s: int
    participants: tuple[str, ...]
    rounds: tuple[AnsweredRound, ...]
    software: str
    used_ppm: int | None = None
    free_at: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A guarantee is about something."""
        if not self.rounds:
            raise ValueInvalid("A query without a round has released nothing, so nothing is promised of it.")

    @property
    def dataset(self) -> Dataset:
        """What it asked about, as the agreement defines it."""
        return self.agreement.dataset(self.query.dataset)

    @property
    def loss(self) -> MechanismLoss:
        """What all its rounds may have lost over the federation: losses of rounds add up."""
        losses = [self.query.loss_of(answered.asked) for answered in self.rounds]
        return MechanismLoss(
            self.query.loss.mechanism,
            sum((loss.amount for loss in losses), Fraction(0)),
            sum((loss.delta_add for loss in losses), Fraction(0)),
        )

"""Queries, rounds and computations: what an analyst signs, and what a recorded answer is filed under."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

from fedstats.core.aggregate import Aggregate
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.expression import Expression, columns_of, normalise, order_key
from fedstats.core.names import (
    check_agreement,
    check_department,
    check_identifier,
    check_scheduled_edition,
    check_text,
)
from fedstats.core.privacy import DELTA_STEP, RHO_STEP, Contribution, MechanismLoss
from fedstats.core.statistic import Mode, Round
from fedstats.core.times import SECONDS_MAX
from fedstats.errors import OutsideScope, ValueInvalid

HASH_BYTES = 32
NONCE_BYTES = 16
ROUNDS_MAX = 1_000
PARTICIPANTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query may touch in all its rounds, fixed before the first so that no total can steer it."""

    columns: tuple[str, ...]
    keys: tuple[Expression, ...]
    aggregates: tuple[str, ...]
    measures: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        """Names are names: refusals and the register may quote them."""
        for column in self.columns:
            check_identifier(column, what="column")
        for kind in self.aggregates:
            check_identifier(kind, what="kind of aggregate")

    @classmethod
    def of(cls, aggregates: Iterable[Aggregate], where: Expression | None) -> Self:
        """The least scope that holds these aggregates and this condition."""
        listed = list(aggregates)
        columns = columns_of(where).union(*(aggregate.columns() for aggregate in listed))
        keys = {normalise(key) for aggregate in listed for key in aggregate.keys}
        kinds = {aggregate.kind for aggregate in listed}
        measured = {
            normalise(measure.expression)
            for aggregate in listed
            for measure in aggregate.measures
            if measure.expression is not None
        }
        return cls(
            tuple(sorted(columns)),
            tuple(sorted(keys, key=order_key)),
            tuple(sorted(kinds)),
            tuple(sorted(measured, key=order_key)),
        )

    def check(self, aggregates: Iterable[Aggregate], where: Expression | None) -> None:
        """Refuse what goes beyond it.

        Raises
        ------
        OutsideScope
            A column, a key or a kind of aggregate was not announced.

        """
        asked = Scope.of(aggregates, where)
        for what, new in (
            ("the columns", set(asked.columns) - set(self.columns)),
            ("the kinds of aggregate", set(asked.aggregates) - set(self.aggregates)),
        ):
            if new:
                sentence = (
                    f"The round uses {what} {', '.join(sorted(new))}, which the query did not announce."
                )
                raise OutsideScope(sentence)
        if set(asked.keys) - set(self.keys):
            raise OutsideScope("The round groups by a key that the query did not announce.")
        if set(asked.measures) - set(self.measures):  # their literals could be chosen after seeing totals
            raise OutsideScope("The round measures an expression that the query did not announce.")


@dataclass(frozen=True, slots=True)
class StatisticLabel:
    """Which statistic asks, for readers of the register; nodes check none of it."""

    name: str
    version: str
    parameters: str

    def __post_init__(self) -> None:
        """Printable, bounded."""
        check_identifier(self.name, what="statistic")
        check_text(self.version, what="version of a statistic")
        check_text(self.parameters, what="parameters of a statistic")


@dataclass(frozen=True, slots=True)
class Query:
    """One question, as its analyst signs it; times are seconds since 1970, `nonce` makes its hash unique.

    `edition` is one of the agreement's schedule. Each department answers from its newest revision of it and
    says which that is: they repair their data, and their lists of opt-outs change, on days of their own.

    `disclosure` is by which profile its answer will be shown: departments refuse one that is not the
    agreement's. It says nothing of what is computed.
    """

    agreement: str
    agreement_version: int
    purpose: str
    dataset: str
    edition: str
    where: Expression | None
    scope: Scope
    loss: MechanismLoss
    contribution: Contribution
    mode: Mode
    rounds_max: int
    deadline_s: int
    statistic: StatisticLabel
    nonce: bytes
    disclosure: DisclosureProfile = DisclosureProfile.NONE

    def __post_init__(self) -> None:
        """Names are names, counts are in range."""
        check_agreement(self.agreement)
        check_agreement(self.purpose, what="purpose")
        check_identifier(self.dataset, what="dataset")
        check_scheduled_edition(self.edition)
        if not 1 <= self.agreement_version < 2**31 or not 1 <= self.rounds_max <= ROUNDS_MAX:
            raise ValueInvalid("The version or the number of rounds is out of range.")
        if not 0 <= self.deadline_s < SECONDS_MAX or len(self.nonce) != NONCE_BYTES:
            raise ValueInvalid("The deadline or the nonce of the query is out of range.")
        # Other denominators would make the ledger's exact sums grow for ever.
        if self.loss.amount % RHO_STEP or self.loss.delta_add % DELTA_STEP:
            raise ValueInvalid("The loss of a query is a multiple of 2^-40, its additive delta one of 2^-60.")

    def loss_of(self, asked: Round) -> MechanismLoss:
        """What one round of it may lose over the federation; only an open key costs additive delta."""
        loss = self.loss.share(asked.share)
        return loss if asked.opens else replace(loss, delta_add=Fraction(0))


@dataclass(frozen=True, slots=True)
class RoundOrder:
    """One round of a query, as its analyst signs it.

    `totals_before` is the hash of the salted releases that the totals of all earlier rounds were made of
    (empty in round 0), so that it binds and tells nothing; `participants` are the departments that are asked,
    the same in every round unless the analyst signs a smaller set.
    """

    query: bytes
    number: int
    round: Round
    participants: tuple[str, ...]
    totals_before: bytes

    def __post_init__(self) -> None:
        """Hashes have their length, participants are distinct and sorted."""
        if len(self.query) != HASH_BYTES or len(self.totals_before) not in (0, HASH_BYTES):
            raise ValueInvalid("A hash has 32 bytes.")
        if (self.number == 0) != (not self.totals_before) or not 0 <= self.number < ROUNDS_MAX:
            raise ValueInvalid("Only the first round has no totals before it.")
        if not 1 <= len(self.participants) <= PARTICIPANTS_MAX:
            raise ValueInvalid("A round asks at least one department.")
        if list(self.participants) != sorted(set(self.participants)):
            raise ValueInvalid("The participants of a round are sorted and distinct.")
        for department in self.participants:
            check_department(department)
        if self.round != self.round.normalised():
            raise ValueInvalid("A signed round is in its normal form.")


@dataclass(frozen=True, slots=True)
class Proceeding:
    """An analyst's word that a round goes on without departments that have not answered, as she signs it.

    The releases of `participants` alone count from now on; `left_out` had not answered. A department in
    neither had refused, or its release was not valid.
    """

    query: bytes
    number: int
    participants: tuple[str, ...]
    left_out: tuple[str, ...]

    def __post_init__(self) -> None:
        """A hash, a number, and departments that are distinct and sorted; somebody is left out."""
        if len(self.query) != HASH_BYTES or not 0 <= self.number < ROUNDS_MAX:
            raise ValueInvalid("The query or the number of the round is out of range.")
        if not self.left_out or len(self.participants) + len(self.left_out) > PARTICIPANTS_MAX:
            raise ValueInvalid("Whoever goes on leaves out at least one department.")
        for departments in (self.participants, self.left_out):
            if list(departments) != sorted(set(departments)):
                raise ValueInvalid("The departments are sorted and distinct.")
            for department in departments:
                check_department(department)
        if set(self.participants) & set(self.left_out):
            raise ValueInvalid("A department cannot take part and be left out.")


@dataclass(frozen=True, slots=True)
class Computation:
    """What is computed, and nothing of who asks: with a revision of the edition, the key of recorded answers.

    Two rounds with one computation get one release of a revision and are charged once for it. Noise scales
    follow from it.
    """

    agreement: str
    agreement_version: int
    dataset: str
    edition: str
    where: Expression | None
    aggregates: tuple[Aggregate, ...]
    loss: MechanismLoss
    contribution: Contribution
    mode: Mode

    @classmethod
    def of(cls, query: Query, order: RoundOrder) -> Self:
        """The computation of one round, in its normal form."""
        return cls(
            agreement=query.agreement,
            agreement_version=query.agreement_version,
            dataset=query.dataset,
            edition=query.edition,
            where=None if query.where is None else normalise(query.where),
            aggregates=order.round.normalised().aggregates,
            loss=query.loss_of(order.round),
            contribution=query.contribution,
            mode=query.mode,
        )

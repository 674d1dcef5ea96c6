"""What the departments answered to one round: verified, and added up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fedstats.client.authority import Authority
from fedstats.client.combining import combined
from fedstats.client.guarantee import PER_MILLION
from fedstats.core.aggregate.grouped_sums import open_keys
from fedstats.core.agreement import Agreement
from fedstats.core.domain import Texts
from fedstats.core.estimate import Refusal
from fedstats.core.query import Computation, Query, RoundOrder
from fedstats.core.rules import base_edition
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Noisy, RoundResult
from fedstats.errors import (
    AgreementNotInForce,
    FedstatsError,
    MessageInvalid,
    NodeFailed,
    NoReplyInTime,
    NotAnswered,
    Spent,
    who_acts,
)
from fedstats.identity.keys import Context
from fedstats.wire.codec import (
    ReleaseNote,
    computation_hash,
    decode_refusal,
    decode_release,
    releases_hash,
    signed_from,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import analysts_pb2

NOT_IN_TIME = "It did not answer in time."
WENT_ON = "It had not answered when the analyst went on without it."


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The verified answers to one round: every participant is in exactly one of the two tables."""

    released: Mapping[str, Noisy]
    absent: Mapping[str, Refusal]
    silent: tuple[str, ...] = ()  # the participants that have not answered, sorted; absent too
    left_ppm: int | None = None  # the least that a department says is left of its budget, per million
    used_ppm: int | None = field(default=None)
    free: frozenset[str] = frozenset()  # departments that say that they answered from their record
    hashes: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of what each signed that released
    editions: Mapping[str, str] = field(default_factory=dict)  # the revision that each of them answered from


@dataclass(frozen=True, slots=True)
class Told:
    """What departments said over the rounds: budgets, which nobody signs, and of their releases the rest."""

    left_ppm: int | None = None
    charged: frozenset[str] = frozenset()
    used_ppm: int | None = None
    hashes: tuple[Mapping[str, str], ...] = ()
    editions: tuple[Mapping[str, str], ...] = ()

    @property
    def releases_hash(self) -> bytes:
        """By which the next round names all that was released so far."""
        return releases_hash([{name: bytes.fromhex(h) for name, h in of.items()} for of in self.hashes])

    def after(self, outcomes: Outcomes) -> Told:
        """What was said until the end of this round."""
        charged = frozenset(outcomes.released) - outcomes.free
        return Told(
            self.left_ppm if outcomes.left_ppm is None else outcomes.left_ppm,
            self.charged | charged,
            self.used_ppm if outcomes.used_ppm is None else outcomes.used_ppm,
            (*self.hashes, outcomes.hashes),
            (*self.editions, outcomes.editions),
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must fit besides its question.

    `presented` is the `task_hash` of what every node was to be shown; `between` says when an answer can have
    been signed: from when the question was asked, until now (seconds since 1970).
    """

    presented: bytes
    between: tuple[int, int]


def verify_outcomes(
    messages: Iterable[analysts_pb2.Outcome],
    query: Query,
    order: RoundOrder,
    agreement: Agreement,
    authority: Authority,
    *,
    expected: Expected,
    why_silent: str = NOT_IN_TIME,
) -> Outcomes:
    """Sort the outcomes of a round into releases and absences; one that is not valid is an absence.

    A release counts when the department's appointed node signed it for exactly this computation, and its
    vectors have the shape that the computation gives; a refusal when it is one to what the analyst signed.
    A department without an outcome did not answer.
    """
    released, absent = dict[str, ReleaseNote](), dict[str, Refusal]()
    left, used, free, hashes = [], [], set[str](), dict[str, str]()
    due = _Due.of(query, order, agreement.dataset(query.dataset))
    for message in messages:
        department = message.department
        if department not in order.participants or department in released or department in absent:
            continue
        try:
            outcome = _verified(message, due, agreement, authority, expected)
        except FedstatsError as problem:
            why = f"Its answer does not count: {problem.sentence}"
            absent[department] = Refusal(department, problem.code, why)
            continue
        if isinstance(outcome, Refusal):
            absent[department] = outcome
        else:
            released[department] = outcome
            hashes[department] = sha256(message.release.payload).hex()
        if message.HasField("budget"):
            left.append(min(message.budget.left_ppm, PER_MILLION))  # nobody signs these: they only inform
            used.append(min(message.budget.used_ppm, PER_MILLION))
            free |= {department} if message.budget.free and department in released else set()
    silent = tuple(name for name in order.participants if name not in released and name not in absent)
    absent |= {name: Refusal(name, NoReplyInTime.code, why_silent) for name in silent}
    return Outcomes(
        {name: note.noisy for name, note in released.items()},
        absent,
        silent,
        left_ppm=min(left, default=None),
        used_ppm=max(used, default=None),
        free=frozenset(free),
        hashes=hashes,
        editions={name: note.edition for name, note in released.items()},
    )


def add_up(outcomes: Outcomes, query: Query, order: RoundOrder, dataset: Dataset) -> RoundResult:
    """The result of a round: the total over the departments that answered, and its noise.

    Raises
    ------
    TooLarge
        The total does not fit 64 bits, which honest releases cannot bring about.

    """
    result = combined(
        outcomes.released,
        order.round,
        dataset=dataset,
        loss=query.loss.share(order.round.share),
        contribution=query.contribution,
    )
    return replace(result, absent=dict(sorted(outcomes.absent.items())))


def check_enough(outcomes: Outcomes, agreement: Agreement, job: str) -> None:
    """Return if the agreement allows an answer from those that answered.

    Raises
    ------
    NotAnswered
        A department is absent and the agreement allows no partial answers, or too few answered.

    """
    if not outcomes.absent and len(outcomes.released) >= agreement.nodes_min:
        return
    if agreement.partial and len(outcomes.released) >= agreement.nodes_min:
        return
    reasons: dict[str, list[str]] = {}  # one reason of many departments is said once
    for department, r in sorted(outcomes.absent.items()):
        reasons.setdefault(f"{r.code} {r.sentence} {who_acts(r.code)}".rstrip(), []).append(department)
    why = " ".join(f"{', '.join(departments)}: {reason}" for reason, departments in reasons.items())
    needed = f"at least {agreement.nodes_min}" if agreement.partial else "all"
    charged = bool(outcomes.released) or any(refusal.charged for refusal in outcomes.absent.values())
    raise NotAnswered(
        f"{len(outcomes.released)} of {len(outcomes.released) + len(outcomes.absent)} departments answered, "
        f"and agreement {agreement.id} needs {needed}. {why}",
        remedy=_what_to_do({refusal.code for refusal in outcomes.absent.values()}, agreement, job),
        spent=Spent.CHARGED if charged else Spent.NOTHING,
    )


def _what_to_do(codes: set[str], agreement: Agreement, job: str) -> str:
    """Where it is the analyst who can go on: ask the same again, or anew under another version."""
    if codes & {NodeFailed.code, NoReplyInTime.code}:
        return f"Once that is mended, the same question costs nothing more: fedstats resume {job}"
    if AgreementNotInForce.code in codes:
        return (
            "A version that was just accepted reaches every department within a minute: then ask anew, which "
            f"asks under it. Where it is in force shows: fedstats agreement status {agreement.id}"
        )
    return ""


@dataclass(frozen=True, slots=True)
class _Due:
    """What is due from each department alike, worked out once; `shape` is for no value of an open key."""

    query: Query
    order: RoundOrder
    dataset: Dataset
    computation: bytes
    shape: Sequence[Sequence[int]]

    @classmethod
    def of(cls, query: Query, order: RoundOrder, dataset: Dataset) -> _Due:
        """From what was signed."""
        computation = computation_hash(Computation.of(query, order))
        return cls(query, order, dataset, computation, _shape(order, dataset, ()))

    def shape_with(self, values: Sequence[str]) -> Sequence[Sequence[int]]:
        """How long each vector is where a department named these."""
        return _shape(self.order, self.dataset, values) if values else self.shape


def _verified(
    message: analysts_pb2.Outcome,
    due: _Due,
    agreement: Agreement,
    authority: Authority,
    expected: Expected,
) -> ReleaseNote | Refusal:
    if message.WhichOneof("what") == "release":
        return _release(message, due, agreement, authority, expected)
    signed = signed_from(message.refusal)
    authority.check_node(agreement, message.department, signed.key, expected.between)
    note = decode_refusal(signed.verify(Context.REFUSAL))
    if (note.department, note.query, note.number) != (message.department, due.order.query, due.order.number):
        raise MessageInvalid("The refusal is one to another question.")
    if note.presented != expected.presented:
        raise MessageInvalid("The department was shown something else than this question, and refused that.")
    return Refusal(note.department, note.code, note.sentence, note.charged)


def _release(
    message: analysts_pb2.Outcome,
    due: _Due,
    agreement: Agreement,
    authority: Authority,
    expected: Expected,
) -> ReleaseNote:
    signed = signed_from(message.release)
    authority.check_node(agreement, message.department, signed.key, expected.between)
    note = decode_release(signed.verify(Context.RELEASE))
    if note.department != message.department:
        raise MessageInvalid("The release is another department's.")
    if note.computation != due.computation:
        raise MessageInvalid("The release answers another question.")
    if base_edition(note.edition) != due.query.edition:
        raise MessageInvalid("The release is about another edition than the question.")
    _check_values(note.values, due.order, due.dataset)
    shape = [[len(vector) for vector in vectors] for vectors in note.vectors]
    if shape != due.shape_with(note.values):
        raise MessageInvalid("The release has another shape than the question.")
    return note


def _check_values(values: Sequence[str], order: RoundOrder, dataset: Dataset) -> None:
    """Refuse values of no open key, too many of them, and such as its column cannot have."""
    domains = [
        dataset.column(key.name).domain
        for aggregate in order.round.aggregates
        for key in open_keys(aggregate.keys, dataset)
    ]
    fitting = [domain for domain in domains if isinstance(domain, Texts)]
    if len(values) > sum(domain.values_max for domain in fitting):
        raise MessageInvalid("The release names more values than the question may have.")
    for value in values:
        for domain in fitting:
            domain.check(value)


def _shape(order: RoundOrder, dataset: Dataset, values: Sequence[str]) -> list[list[int]]:
    """How long each vector is: one number per cell, for every measure of every aggregate."""
    return [
        [aggregate.cells(dataset, values)] * len(aggregate.measures) for aggregate in order.round.aggregates
    ]

"""What the departments answered to one round: verified, and added up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fedstats.client.authority import Authority
from fedstats.client.guarantee import PER_MILLION
from fedstats.core.aggregate.exact import Integers
from fedstats.core.agreement import Agreement
from fedstats.core.estimate import Refusal
from fedstats.core.plan import noise_scales
from fedstats.core.query import Computation, Query, RoundOrder
from fedstats.core.schema import Dataset
from fedstats.core.statistic import RoundResult, Vectors
from fedstats.errors import (
    FedstatsError,
    MessageInvalid,
    NodeFailed,
    NoReplyInTime,
    NotAnswered,
    Spent,
    TooLarge,
    who_acts,
)
from fedstats.identity.keys import Context
from fedstats.wire.codec import computation_hash, decode_refusal, decode_release, signed_from
from fedstats.wire.v1 import analysts_pb2

NOT_IN_TIME = "It did not answer in time."
WENT_ON = "It had not answered when the analyst went on without it."
TOTAL_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The verified answers to one round: every participant is in exactly one of the two tables."""

    released: Mapping[str, Vectors]
    absent: Mapping[str, Refusal]
    silent: tuple[str, ...] = ()  # the participants that have not answered, sorted; absent too
    left_ppm: int | None = None  # the least that a department says is left of its budget, per million
    used_ppm: int | None = field(default=None)


def verify_outcomes(
    messages: Iterable[analysts_pb2.Outcome],
    query: Query,
    order: RoundOrder,
    agreement: Agreement,
    authority: Authority,
    *,
    now_s: int,
    why_silent: str = NOT_IN_TIME,
) -> Outcomes:
    """Sort the outcomes of a round into releases and absences; one that is not valid is an absence.

    A release counts when the department's appointed node signed it for exactly this computation, and its
    vectors have the shape that the computation gives. A department without an outcome did not answer.
    """
    released: dict[str, Vectors] = {}
    absent: dict[str, Refusal] = {}
    left, used = [], []
    for message in messages:
        department = message.department
        if department not in order.participants or department in released or department in absent:
            continue
        try:
            outcome = _verified(message, query, order, agreement, authority, now_s)
        except FedstatsError as problem:
            absent[department] = Refusal(
                department, problem.code, f"Its answer does not count: {problem.sentence}"
            )
            continue
        if isinstance(outcome, Refusal):
            absent[department] = outcome
        else:
            released[department] = outcome
        if message.HasField("budget"):
            left.append(min(message.budget.left_ppm, PER_MILLION))  # nobody signs these: they only inform
            used.append(min(message.budget.used_ppm, PER_MILLION))
    silent = tuple(name for name in order.participants if name not in released and name not in absent)
    for department in silent:
        absent[department] = Refusal(department, NoReplyInTime.code, why_silent)
    return Outcomes(
        released, absent, silent, left_ppm=min(left, default=None), used_ppm=max(used, default=None)
    )


def add_up(outcomes: Outcomes, query: Query, order: RoundOrder) -> RoundResult:
    """The result of a round: the total over the departments that answered, and its noise.

    Raises
    ------
    TooLarge
        The total does not fit 64 bits, which honest releases cannot bring about.

    """
    releases = list(outcomes.released.values())
    return RoundResult(
        round=order.round,
        total=_total(releases),
        scales=noise_scales(order.round.aggregates, query.loss.share(order.round.share), query.contribution),
        noises=len(releases),
        by_department=dict(sorted(outcomes.released.items())),
        absent=dict(sorted(outcomes.absent.items())),
    )


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
    why = " ".join(
        f"{r.department}: {r.code} {r.sentence} {who_acts(r.code)}".rstrip()
        for _, r in sorted(outcomes.absent.items())
    )
    needed = f"at least {agreement.nodes_min}" if agreement.partial else "all"
    charged = bool(outcomes.released) or any(refusal.charged for refusal in outcomes.absent.values())
    again = any(r.code in (NodeFailed.code, NoReplyInTime.code) for r in outcomes.absent.values())
    remedy = (
        f"Once that is mended, the same question costs nothing more: fedstats resume {job}" if again else ""
    )
    raise NotAnswered(
        f"{len(outcomes.released)} of {len(outcomes.released) + len(outcomes.absent)} departments answered, "
        f"and agreement {agreement.id} needs {needed}. {why}",
        remedy=remedy,
        spent=Spent.CHARGED if charged else Spent.NOTHING,
    )


def _verified(
    message: analysts_pb2.Outcome,
    query: Query,
    order: RoundOrder,
    agreement: Agreement,
    authority: Authority,
    now_s: int,
) -> Vectors | Refusal:
    if message.WhichOneof("what") == "release":
        return _release(message, query, order, agreement, authority, now_s)
    signed = signed_from(message.refusal)
    authority.check_node(agreement, message.department, signed.key, now_s=now_s)
    note = decode_refusal(signed.verify(Context.REFUSAL))
    if (note.department, note.query, note.number) != (message.department, order.query, order.number):
        raise MessageInvalid("The refusal is one to another question.")
    return Refusal(note.department, note.code, note.sentence, note.charged)


def _release(
    message: analysts_pb2.Outcome,
    query: Query,
    order: RoundOrder,
    agreement: Agreement,
    authority: Authority,
    now_s: int,
) -> Vectors:
    signed = signed_from(message.release)
    authority.check_node(agreement, message.department, signed.key, now_s=now_s)
    note = decode_release(signed.verify(Context.RELEASE))
    if note.department != message.department:
        raise MessageInvalid("The release is another department's.")
    if note.computation != computation_hash(Computation.of(query, order)):
        raise MessageInvalid("The release answers another question.")
    shape = [[len(vector) for vector in vectors] for vectors in note.vectors]
    if shape != _shape(order, agreement.dataset(query.dataset)):
        raise MessageInvalid("The release has another shape than the question.")
    return note.vectors


def _shape(order: RoundOrder, dataset: Dataset) -> list[list[int]]:
    """How long each vector is: one number per cell, for every measure of every aggregate."""
    return [[aggregate.cells(dataset)] * len(aggregate.measures) for aggregate in order.round.aggregates]


def _total(releases: list[Vectors]) -> Vectors:
    """The sums over departments. int64 wraps silently, so the greatest possible total is looked at first."""
    total = []
    for aggregates in zip(*releases, strict=True):
        measures: list[Integers] = []
        for vectors in zip(*aggregates, strict=True):
            reach = sum(max(abs(int(v.min())), abs(int(v.max()))) for v in vectors)
            if reach > TOTAL_MAX:
                raise TooLarge("The total of the departments' releases does not fit 64 bits.")
            measures.append(np.sum(np.stack(vectors), axis=0, dtype=np.int64))
        total.append(tuple(measures))
    return tuple(total)

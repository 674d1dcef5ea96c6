"""A hostile coordinator or node: what comes back counts only where the right key signed the right thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyst_world import (
    AnalystWorld,
    Tampering,
    analyst_world,
    exact_vectors,
    people,
    refusing,
    signed_release,
)
from coordinator_world import CONTROLLERS, computation_of
from samples import seed_key

from fedstats.client.following import Progress
from fedstats.client.session import Session
from fedstats.core.appointment import Revocation
from fedstats.core.estimate import Value
from fedstats.core.query import RoundOrder
from fedstats.core.statistic import Vectors
from fedstats.errors import FedstatsError, MessageInvalid, SignatureInvalid, StillWaiting, TooLarge
from fedstats.identity.keys import Context, Signed
from fedstats.wire import codec
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import analysts_pb2, nodes_pb2, signed_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt"


def longer(vectors: Vectors) -> Vectors:
    """The same with one number more in every vector."""
    return tuple(tuple(np.append(v, np.int64(0)) for v in measures) for measures in vectors)


def tampered(world: AnalystWorld, change: Callable[[Any], None]) -> Session:
    """A session through such a coordinator."""
    session = world.session()
    session.transport = Tampering(session.transport, change)
    return session


def total_without_west(world: AnalystWorld) -> tuple[float, str]:
    """What the analyst gets, and why west is not in it."""
    with world.session() as session:
        answer = session.query(COUNT, epsilon=1)
    cell = answer.table.rows[0].cells[0]
    assert isinstance(cell, Value)
    (absent,) = [p.refusal for p in answer.participants if p.refusal]
    assert absent.department == "west"
    return cell.value, absent.sentence


def test_a_release_by_a_stranger_does_not_count(tmp_path: Path) -> None:
    """Only the key that west's controller appointed speaks for west, whoever relays it."""

    def by_stranger(task: nodes_pb2.Task, _department: str) -> nodes_pb2.ReportRequest:
        vectors = exact_vectors(task, people(5_000))
        signed = signed_release("west", computation_of(task), vectors, key="stranger")
        return nodes_pb2.ReportRequest(release=signed)

    world = analyst_world(tmp_path, west=by_stranger)
    assert total_without_west(world) == (
        200.0,
        "Its answer does not count: The key that signed for west is not appointed as its node.",
    )


def test_a_revoked_node_does_not_count(tmp_path: Path) -> None:
    """From the moment west's controller revokes its node's key, releases by it are absences."""
    world = analyst_world(tmp_path)
    note = Revocation("west", seed_key("node west").public.raw, 1, "the machine was stolen")
    signed = Signed.make(Context.REVOCATION, codec.encode_revocation(note), seed_key("controller west"))
    world.world.publish(CONTROLLERS["west"], revocation=codec.signed_to(signed))
    value, why = total_without_west(world)
    assert (value, "revoked by west" in why) == (200.0, True)


Change = Callable[[analysts_pb2.Outcome, RoundOrder], None]
"""What is done to one department's outcome of a round."""


def changed_outcome(department: str, change: Change) -> Callable[[Any], None]:
    """A change to what one department answered, as the coordinator relays it."""

    def apply(reply: Any) -> None:
        if isinstance(reply, analysts_pb2.FetchReply):
            for record in reply.rounds:
                for outcome in record.outcomes:
                    if outcome.department == department:
                        change(outcome, codec.decode_round(record.round.payload))

    return apply


def bend(payload: bytes) -> bytes:
    """The same bytes with the last one changed."""
    return payload[:-1] + bytes([payload[-1] ^ 1])


def another_question(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """A release that the node itself signed, of another computation."""
    vectors = codec.decode_release(outcome.release.payload).vectors
    outcome.release.CopyFrom(signed_release("west", sha256(b"another"), vectors))


def another_edition(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """The node's own release of this computation, which says that it is about another edition."""
    note = codec.decode_release(outcome.release.payload)
    outcome.release.CopyFrom(signed_release("west", note.computation, note.vectors, edition="2025-10"))


def wrong_shape(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """More numbers than cells, signed by the node itself."""
    note = codec.decode_release(outcome.release.payload)
    outcome.release.CopyFrom(signed_release("west", note.computation, longer(note.vectors)))


def another_departments(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """South's release under west's name."""
    note = codec.decode_release(outcome.release.payload)
    outcome.release.CopyFrom(signed_release("south", note.computation, note.vectors))


def in_anothers_name(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """West's node signs a release that says it is south's."""
    note = codec.decode_release(outcome.release.payload)
    signed = signed_release("south", note.computation, note.vectors, key="node west")
    outcome.release.CopyFrom(signed)


def changed_number(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """One bit of the noisy numbers."""
    outcome.release.payload = bend(outcome.release.payload)


def refusal(query: bytes, key: str, presented: bytes = bytes(32)) -> signed_pb2.Signed:
    """West's refusal of a query, signed with some key."""
    note = codec.RefusalNote("west", query, 0, "FS-207", "No.", charged=False, presented=presented)
    return codec.signed_to(Signed.make(Context.REFUSAL, codec.encode_refusal(note), seed_key(key)))


def invented_refusal(outcome: analysts_pb2.Outcome, order: RoundOrder) -> None:
    """A refusal of this question that the coordinator signed itself."""
    outcome.refusal.CopyFrom(refusal(order.query, "coordinator"))


def old_refusal(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
    """A true refusal by west, of another question."""
    outcome.refusal.CopyFrom(refusal(b"q" * 32, "node west"))


def refusal_of_another_appointment(outcome: analysts_pb2.Outcome, order: RoundOrder) -> None:
    """A true refusal by west of this very query, to which the coordinator had put another appointment."""
    outcome.refusal.CopyFrom(refusal(order.query, "node west", presented=sha256(b"altered")))


CHANGES = [
    refusal_of_another_appointment,
    another_question,
    another_edition,
    wrong_shape,
    another_departments,
    in_anothers_name,
    changed_number,
    invented_refusal,
    old_refusal,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_outcome_is_an_absence(tmp_path: Path, change: Change) -> None:
    """Whatever is done to west's answer, it is left out with a reason, and the others count."""
    with tampered(analyst_world(tmp_path), changed_outcome("west", change)) as session:
        answer = session.query(COUNT, epsilon=1)
    cell = answer.table.rows[0].cells[0]
    assert isinstance(cell, Value)
    assert cell.value == 200
    (absent,) = [p.refusal for p in answer.participants if p.refusal]
    assert (absent.department, absent.sentence.startswith("Its answer does not count")) == ("west", True)


def test_an_outcome_counts_once_and_only_of_those_who_were_asked(tmp_path: Path) -> None:
    """Second words, and outcomes of departments that were not asked, change nothing."""

    def doubled(reply: Any) -> None:
        if isinstance(reply, analysts_pb2.FetchReply):
            for record in reply.rounds:
                for outcome in list(record.outcomes):
                    second = record.outcomes.add()
                    second.CopyFrom(outcome)
                    second.release.payload = bend(outcome.release.payload)
                record.outcomes.add(department="nowhere")

    with tampered(analyst_world(tmp_path), doubled) as session:
        answer = session.query(COUNT, epsilon=1)
    cell = answer.table.rows[0].cells[0]
    assert isinstance(cell, Value)
    assert cell.value == 300
    assert not [p for p in answer.participants if p.refusal]


def test_a_total_that_does_not_fit_is_refused_and_never_wraps(tmp_path: Path) -> None:
    """Departments that send the greatest integers get an error, not a small sum."""

    def huge(outcome: analysts_pb2.Outcome, _order: RoundOrder) -> None:
        note = codec.decode_release(outcome.release.payload)
        vectors = tuple(tuple(np.full_like(v, 2**62) for v in measures) for measures in note.vectors)
        outcome.release.CopyFrom(signed_release(outcome.department, note.computation, vectors))

    def all_of_them(reply: Any) -> None:
        for name in ("north", "south"):
            changed_outcome(name, huge)(reply)

    with tampered(analyst_world(tmp_path), all_of_them) as session, pytest.raises(TooLarge):
        session.query(COUNT, epsilon=1)


def forged_round(reply: Any) -> None:
    """The coordinator holds a round that the analyst did not sign."""
    if isinstance(reply, analysts_pb2.FetchReply):
        for record in reply.rounds:
            payload = record.round.payload
            record.round.CopyFrom(
                codec.signed_to(Signed.make(Context.ROUND, payload, seed_key("coordinator")))
            )


def bent_round(reply: Any) -> None:
    """The coordinator changes a round under the analyst's signature."""
    if isinstance(reply, analysts_pb2.FetchReply):
        for record in reply.rounds:
            record.round.payload = bend(record.round.payload)


@pytest.mark.parametrize("change,kind", [(forged_round, MessageInvalid), (bent_round, SignatureInvalid)])
def test_a_job_is_not_resumed_from_rounds_that_others_signed(
    tmp_path: Path, change: Callable[[Any], None], kind: type[FedstatsError]
) -> None:
    """The rounds of a job are this analyst's, whatever the coordinator says."""
    world = analyst_world(tmp_path, west=refusing())  # an answer from all would be seen again without it
    with world.session() as session:
        job = session.query(COUNT, epsilon=1).job
    with tampered(world, change) as session, pytest.raises(kind):
        session.resume(job)


def test_junk_among_the_documents_of_authority_is_passed_over(tmp_path: Path) -> None:
    """Anybody may send the coordinator junk; what can be read and is signed still counts."""

    def junk(reply: Any) -> None:
        for name, fields in (("agreements", {"document": b"{}"}), ("appointments", {"payload": b"x"})):
            if hasattr(reply, name):
                getattr(reply, name).add(**fields)

    with tampered(analyst_world(tmp_path), junk) as session:
        cell = session.query(COUNT, epsilon=1).table.rows[0].cells[0]
    assert isinstance(cell, Value)


def test_progress_tells_of_those_that_were_asked_alone(tmp_path: Path) -> None:
    """Departments that the coordinator made up are not shown; its sentences bring no control characters."""
    world, told = analyst_world(tmp_path), list[Progress]()

    def talkative(reply: Any) -> None:
        if isinstance(reply, analysts_pb2.WatchReply):
            reply.tasks.add(department="\x1b[2Jeast", state=analysts_pb2.TASK_STATE_RELEASED)
            for task in reply.tasks:
                task.sentence = "line\n\x1b[31m" + 2_000 * "x"

    with tampered(world, talkative) as session:
        session.query(COUNT, epsilon=1, progress=told.append)
    assert {d.department for progress in told for d in progress.departments} == {"north", "south", "west"}
    for department in (d for progress in told for d in progress.departments):
        assert department.sentence.isprintable()
        assert len(department.sentence) <= 300


@pytest.mark.parametrize("seen_s", [2**62, -(2**62)])
def test_a_time_that_no_calendar_has_is_no_crash(tmp_path: Path, seen_s: int) -> None:
    """Whatever the coordinator says of when a node was seen, the analyst is told whom she waits for."""

    def lying(reply: Any) -> None:
        if isinstance(reply, analysts_pb2.WatchReply):
            for task in reply.tasks:
                task.state, task.node_seen_s = analysts_pb2.TASK_STATE_OFFERED, seen_s

    with (
        tampered(analyst_world(tmp_path), lying) as session,
        pytest.raises(StillWaiting, match="it waits for north"),
    ):
        session.query(COUNT, epsilon=1, wait_s=0)


def test_nobody_has_more_than_the_whole_budget(tmp_path: Path) -> None:
    """What is left is told by the departments and not signed: it is never shown as more than everything."""

    def generous(reply: Any) -> None:
        for record in getattr(reply, "rounds", ()):
            for outcome in record.outcomes:
                outcome.budget.left_ppm = 2**32 - 1

    with tampered(analyst_world(tmp_path), generous) as session:
        answer = session.query(COUNT, epsilon=1)
    assert answer.cost is not None
    assert answer.cost.left_percent == 100

"""Jobs: a client that died or lost messages goes on where it was, pays once, and signs no other question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from analyst_world import AnalystWorld, analyst_world, people, refusing, releasing, signed_release
from coordinator_world import ANALYST
from samples import seed_key
from two_rounds import Twice

from fedstats.client.jobs import JobState
from fedstats.client.session import Session, connect
from fedstats.core.estimate import Value
from fedstats.errors import JobUnknown, NetworkError, NotAnswered, RoundConflict
from fedstats.identity.key_files import write_key
from fedstats.identity.peer import Peer
from fedstats.testing.transport import Fault, SimulatedNetwork
from fedstats.wire import codec
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import FETCH, SUBMIT, WATCH
from fedstats.wire.v1 import analysts_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt"


def total(session: Session, job: str) -> float:
    """The only number of a job's answer."""
    cell = session.resume(job).table.rows[0].cells[0]
    assert isinstance(cell, Value)
    return cell.value


def questions(world: AnalystWorld) -> int:
    """How many questions the public register shows."""
    return [entry.kind for entry in world.world.register()].count("query")


def faulty_session(world: AnalystWorld, method: Method[Any, Any], fault: Fault, times: int) -> Session:
    """A session over a network that does this to the first calls of one method."""
    left = [times]

    def faults(_peer: Peer, called: Method[Any, Any]) -> Fault:
        if called == method and left[0] > 0:
            left[0] -= 1
            return fault
        return Fault.NONE

    network = SimulatedNetwork(lambda: world.world.coordinator, ANALYST, faults=lambda: faults)
    return connect(world.home.folder, transport=network, now=world.world.clock, pause=world.pause)


@pytest.mark.parametrize("method", [SUBMIT, FETCH])
@pytest.mark.parametrize("fault", [Fault.REQUEST_LOST, Fault.REPLY_LOST])
def test_a_lost_message_leaves_a_job_to_resume(
    tmp_path: Path, method: Method[Any, Any], fault: Fault
) -> None:
    """Wherever the network breaks, the job is kept; resuming ends with the answer, asked once."""
    world = analyst_world(tmp_path)
    with faulty_session(world, method, fault, times=1) as session:
        with pytest.raises(NetworkError) as caught:
            session.query(COUNT, epsilon=1)
        (job,) = session.jobs()
        assert f"fedstats resume {job.name}" in caught.value.advice
        assert total(session, job.name) == 300
        assert session.jobs()[0].state is JobState.ANSWERED
    assert questions(world) == 1


@pytest.mark.parametrize("fault", [Fault.REQUEST_LOST, Fault.REPLY_LOST, Fault.DOUBLED])
def test_a_coordinator_that_is_away_is_waited_for(tmp_path: Path, fault: Fault) -> None:
    """While the question is out, lost polls cost nothing but time."""
    world = analyst_world(tmp_path)
    with faulty_session(world, WATCH, fault, times=5) as session:
        answer = session.query(COUNT, epsilon=1)
    assert answer.table.rows


def test_doubled_messages_ask_once(tmp_path: Path) -> None:
    """A Submit that arrives twice is one question."""
    world = analyst_world(tmp_path)
    with faulty_session(world, SUBMIT, Fault.DOUBLED, times=9) as session:
        session.query(COUNT, epsilon=1)
    assert questions(world) == 1


def test_an_answer_can_be_seen_again(tmp_path: Path) -> None:
    """Resuming an answered job gives the same answer and asks nothing."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        answer = session.query("SELECT sex, AVG(age) AS a FROM rtt GROUP BY sex", epsilon=1)
        entries = len(world.world.register())
        again = session.resume(answer.job)
    assert again == answer
    assert len(world.world.register()) == entries


def test_departments_that_could_not_answer_are_asked_again(tmp_path: Path) -> None:
    """After a node failed, resuming the job asks it again and the answer comes."""
    world = analyst_world(
        tmp_path, north=refusing("FS-299", "It failed."), west=refusing("FS-206", "Paused.")
    )
    with world.session() as session:
        with pytest.raises(NotAnswered, match="FS-299") as caught:
            session.query(COUNT, epsilon=1)
        job = session.jobs()[0].name
        assert f"fedstats resume {job}" in caught.value.advice
        world.answers["north"] = releasing(people(7))
        world.answers["west"] = releasing(people(1))
        assert total(session, job) == 108
    assert questions(world) == 1


def test_later_rounds_build_on_earlier_ones_and_resume_in_between(tmp_path: Path) -> None:
    """A statistic of two rounds gets both totals; cut off in between, it signs the same rounds."""
    whole = analyst_world(tmp_path / "whole")
    with whole.session() as session:
        expected = session.run(Twice(), epsilon=1).table.rows[0].cells
    world = analyst_world(tmp_path / "cut")
    submits = [0]

    def faults(_peer: Peer, called: Method[Any, Any]) -> Fault:
        submits[0] += called == SUBMIT
        return Fault.REQUEST_LOST if called == SUBMIT and submits[0] == 2 else Fault.NONE

    network = SimulatedNetwork(lambda: world.world.coordinator, ANALYST, faults=lambda: faults)
    session = connect(world.home.folder, transport=network, now=world.world.clock, pause=world.pause)
    with session:
        with pytest.raises(NetworkError):
            session.run(Twice(), epsilon=1)
        answer = session.resume(session.jobs()[0].name, statistic=Twice())
    assert answer.table.rows[0].cells == expected
    assert [entry.kind for entry in world.world.register()].count("round") == 1


def test_a_round_goes_on_with_those_who_answered_the_last(tmp_path: Path) -> None:
    """A department that refused is not asked in later rounds."""
    world = analyst_world(tmp_path, west=refusing())
    with world.session() as session:
        first = session.run(Twice(), epsilon=1)
    assert [p.department for p in first.participants if p.refusal] == ["west"]
    asked = [json.loads(e.document)["departments"] for e in world.world.register() if e.kind == "round"]
    assert asked == [["north", "south"]]


class LateRelease:
    """A coordinator that relays a release by west for the first round, after the second was asked."""

    def __init__(self, world: AnalystWorld) -> None:
        """Carry calls honestly, but for that."""
        self._honest = SimulatedNetwork(lambda: world.world.coordinator, ANALYST)

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry one call."""
        reply = self._honest.call(method, request, timeout_s)
        if isinstance(reply, analysts_pb2.FetchReply) and reply.rounds[0].outcomes:
            outcomes = reply.rounds[0].outcomes
            (north,) = [o for o in outcomes if o.department == "north"]
            (west,) = [o for o in outcomes if o.department == "west"]
            note = codec.decode_release(north.release.payload)
            west.release.CopyFrom(signed_release("west", note.computation, note.vectors))
        return reply


def test_a_late_release_does_not_change_what_later_rounds_were_built_on(tmp_path: Path) -> None:
    """A job is resumed from the totals that its later rounds were signed after, whoever answered since."""
    world = analyst_world(tmp_path, west=refusing())
    with world.session() as session:
        first = session.run(Twice(), epsilon=1)
    late = connect(world.home.folder, transport=LateRelease(world), now=world.world.clock, pause=world.pause)
    with late:
        again = late.resume(first.job, statistic=Twice())
    assert again.table == first.table


def test_a_statistic_that_changed_is_not_resumed(tmp_path: Path) -> None:
    """A job asks what was signed; another version of its statistic is refused before anything is sent."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        job = session.run(Twice(), epsilon=1).job
        with pytest.raises(RoundConflict, match="no longer asks"):
            session.resume(job, statistic=Twice(threshold=61))
        with pytest.raises(JobUnknown, match="asked from Python"):
            session.resume(job)


def test_a_job_belongs_to_the_key_that_asked_it(tmp_path: Path) -> None:
    """A home with another key cannot go on with a job, and a name that fits no job is said so."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        job = session.query(COUNT, epsilon=1).job
        write_key(world.home.signing_key_file, seed_key("new"), replace=True)
        with pytest.raises(JobUnknown, match="another key"):
            session.resume(job)
        with pytest.raises(JobUnknown, match="No job"):
            session.resume("ffff" if not job.startswith("ffff") else "0000")
        with pytest.raises(JobUnknown, match="first four"):
            session.resume(job[:3])

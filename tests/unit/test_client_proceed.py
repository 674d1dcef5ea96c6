"""`proceed` as the analyst meets it: what she is told while she waits, what she decides, what she gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from analyst_world import AnalystWorld, analyst_world, people, refusing, releasing, silent
from coordinator_world import ANALYST
from samples import DEPARTMENTS, seed_key
from two_rounds import Twice

from fedstats.client.session import Session, connect
from fedstats.core.estimate import Value
from fedstats.core.query import Proceeding
from fedstats.errors import MessageInvalid, NoReplyInTime, OutsideAgreement, Spent, StillWaiting
from fedstats.identity.keys import Context, Signed
from fedstats.testing.transport import Fault, SimulatedNetwork
from fedstats.wire import codec
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import PROCEED
from fedstats.wire.v1 import analysts_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt"


def total(session: Session, job: str) -> float:
    """The only number of a job's answer."""
    cell = session.resume(job).table.rows[0].cells[0]
    assert isinstance(cell, Value)
    return cell.value


def waiting_for(session: Session, sql: str = COUNT) -> StillWaiting:
    """Ask and wait a minute; what the analyst is told then."""
    with pytest.raises(StillWaiting) as told:
        session.query(sql, epsilon=1, wait_s=60)
    return told.value


def kinds(world: AnalystWorld) -> list[str]:
    """What the register shows."""
    return [entry.kind for entry in world.world.register()]


def test_whoever_waits_is_told_for_whom_and_what_she_can_do(tmp_path: Path) -> None:
    """Who answered, who has not and since when, both ways to go on, and that budget was spent."""
    world = analyst_world(tmp_path, south=refusing(), west=silent)
    world.answers["south"] = releasing(people(10))
    with world.session() as session:
        told = waiting_for(session)
        job = session.jobs()[0].name
    assert f"2 of 3 departments answered job {job}; it waits for west (computing)." in told.sentence
    assert f"fedstats proceed {job}" in told.advice
    assert told.spent is Spent.CHARGED


def test_a_node_that_is_away_is_named_with_the_time_it_was_last_seen(tmp_path: Path) -> None:
    """A node that does not even ask for work is told apart from one that computes."""
    world = analyst_world(tmp_path)
    del world.answers["west"]
    with world.session() as session:
        assert "west (its node was last seen 2026-06-01 08:00 UTC)" in waiting_for(session).sentence


def test_proceed_answers_without_the_silent_department(tmp_path: Path) -> None:
    """The total is of those who answered; west is absent with the reason, and the answer stays this one."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        waiting_for(session)
        job = session.jobs()[0].name
        answer = session.proceed(job)
        assert total(session, job) == 200
        (absent,) = [p.refusal for p in answer.participants if p.refusal]
        assert absent.department == "west"
        assert "went on without it" in absent.sentence
        world.answers["west"] = releasing(people(100))  # the node comes back
        world.pause(600)
        assert session.resume(job) == answer
        assert session.proceed(job) == answer
    assert kinds(world).count("proceeded") == 1


def test_proceed_when_all_have_answered_is_resume(tmp_path: Path) -> None:
    """Nobody is left out, nothing is registered, and the whole answer comes."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        answer = session.query(COUNT, epsilon=1)
        assert session.proceed(answer.job) == answer
    assert "proceeded" not in kinds(world)


def test_proceed_after_the_deadline_is_resume(tmp_path: Path) -> None:
    """The deadline has already ended the waiting; nothing is left to decide."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        waiting_for(session)
        world.world.clock.pass_s(90_000)
        answer = session.proceed(session.jobs()[0].name)
    assert [p.refusal.sentence for p in answer.participants if p.refusal] == ["It did not answer in time."]
    assert "proceeded" not in kinds(world)


def test_too_few_answers_are_refused_with_the_rule(tmp_path: Path) -> None:
    """The agreement needs two: the question stays open, and ends once a second department answers."""
    world = analyst_world(tmp_path, south=silent, west=silent)
    with world.session() as session:
        told = waiting_for(session)
        job = session.jobs()[0].name
        assert "proceed" not in told.advice
        assert "needs 2 departments" in told.advice
        with pytest.raises(OutsideAgreement, match="at least 2 departments, and 1 answered so far"):
            session.proceed(job)
        world.answers["south"] = releasing(people(5))
        world.pause(120)
        session.proceed(job)
        assert total(session, job) == 105


def test_a_refusal_keeps_its_own_reason(tmp_path: Path) -> None:
    """Who refused is absent for that, who was silent for the other; neither is asked again."""
    world = analyst_world(tmp_path, north=refusing("FS-206", "Paused."), west=silent)
    world.answers["south"] = releasing(people(3))
    with world.session() as session:
        told = waiting_for(session)
        assert "1 of 3 departments answered" in told.sentence
        assert "; north refused; it waits for west" in told.sentence


def test_later_rounds_ask_whoever_is_left(tmp_path: Path) -> None:
    """A statistic of two rounds: west is left out of the first, and the second is asked of the others."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        with pytest.raises(StillWaiting):
            session.run(Twice(), epsilon=1, wait_s=60)
        job = session.jobs()[0].name
        answer = session.proceed(job, statistic=Twice())
        assert session.resume(job, statistic=Twice()) == answer
    (asked,) = [json.loads(e.document)["departments"] for e in world.world.register() if e.kind == "round"]
    assert asked == ["north", "south"]
    assert [p.department for p in answer.participants if p.refusal] == ["west"]


class Between:
    """A network on which something happens just before the first Proceed arrives, and a reply is lost."""

    def __init__(self, world: AnalystWorld, *, fault: Fault = Fault.NONE) -> None:
        """Let every department work in that moment."""
        self.world, self.fault, self.seen = world, fault, 0
        self._network = SimulatedNetwork(lambda: world.world.coordinator, ANALYST)

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry one call."""
        if method == PROCEED:
            self.seen += 1
            if self.seen == 1 and self.fault is Fault.NONE:
                self.world.answers["west"] = releasing(people(50))
                self.world.pause(61)  # west's lease ends, and it answers
        reply = self._network.call(method, request, timeout_s)
        if method == PROCEED and self.seen == 1 and self.fault is Fault.REPLY_LOST:
            raise NoReplyInTime("The reply was lost.")
        return reply


def between(world: AnalystWorld, network: Between) -> Session:
    """A session over that network."""
    return connect(world.home.folder, transport=network, now=world.world.clock, pause=world.pause)


def test_an_answer_that_comes_at_the_last_moment_counts(tmp_path: Path) -> None:
    """West answers between the look and the decision: nobody is left out."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        waiting_for(session)
        job = session.jobs()[0].name
    with between(world, Between(world)) as session:
        answer = session.proceed(job)
        assert total(session, job) == 250
    assert all(p.refusal is None for p in answer.participants)


def test_a_lost_reply_leaves_a_decision_that_stands(tmp_path: Path) -> None:
    """The network breaks after the decision was stored: the error says what to type, and that ends it."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        waiting_for(session)
        job = session.jobs()[0].name
    with between(world, Between(world, fault=Fault.REPLY_LOST)) as session:
        with pytest.raises(NoReplyInTime) as told:
            session.proceed(job)
        assert f"fedstats resume {job}" in told.value.advice
        assert total(session, job) == 200


class ForgedDecision:
    """A coordinator that makes up a decision to leave departments out."""

    def __init__(self, world: AnalystWorld, key: str) -> None:
        """Sign it with another key."""
        self._key = seed_key(key)
        self._honest = SimulatedNetwork(lambda: world.world.coordinator, ANALYST)

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry one call, and add the decision to what is fetched."""
        reply = self._honest.call(method, request, timeout_s)
        if isinstance(reply, analysts_pb2.FetchReply) and reply.rounds:
            query = codec.decode_round(reply.rounds[0].round.payload).query
            said = Proceeding(query, 0, ("north",), ("south", "west"))
            made = Signed.make(Context.PROCEEDING, codec.encode_proceeding(said), self._key)
            reply.rounds[0].proceeding.CopyFrom(codec.signed_to(made))
        return reply


def test_the_coordinator_cannot_decide_in_her_place(tmp_path: Path) -> None:
    """A decision that this analyst's key did not sign ends the job's resuming, loudly."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        waiting_for(session)
        job = session.jobs()[0].name
    forged = connect(
        world.home.folder,
        transport=ForgedDecision(world, "somebody"),
        now=world.world.clock,
        pause=world.pause,
    )
    with forged, pytest.raises(MessageInvalid, match="this key did not sign"):
        forged.resume(job)


def test_all_departments_are_in_exactly_one_list(tmp_path: Path) -> None:
    """Whoever reads the answer sees every department: answered, or absent with a reason."""
    world = analyst_world(tmp_path, north=silent)
    with world.session() as session:
        waiting_for(session)
        answer = session.proceed(session.jobs()[0].name)
    assert [p.department for p in answer.participants] == list(DEPARTMENTS)

"""A whole federation in which one department decides by hand: questions wait, through faults and restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from samples import NOW_S
from two_rounds import Twice
from waiting import federation

from fedstats.cli.jobs import state_words
from fedstats.client.answer import Answer
from fedstats.coordinator.register import outcome_text, parsed
from fedstats.core.reason import Reason
from fedstats.errors import StillWaiting
from fedstats.identity.peer import Peer, Role
from fedstats.node.approval_terms import Decide, PolicyTerms
from fedstats.node.approvals import Approvals
from fedstats.node.state import State
from fedstats.testing.federation import Federation
from fedstats.testing.transport import Fault
from fedstats.wire.method import Method
from fedstats.wire.methods import LEASE, REPORT

SQL = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"
NODE = "south"
Decision = Callable[[Approvals, bytes], object]


def by_hand(
    folder: Path, *, reply_deadline_s: int = 0, checkpoints: Mapping[str, Callable[[str], None]] | None = None
) -> Federation:
    """The federation in which a person of south decides about each question."""
    fed = federation(folder, reply_deadline_s=reply_deadline_s, checkpoints=checkpoints)
    fed.configure(NODE, policy={"decide": "each"})
    fed.start_node(NODE)
    return fed


def approve(approvals: Approvals, query: bytes) -> None:
    """A person says yes."""
    approvals.approve(query, None, now_s=NOW_S)


def refuse(approvals: Approvals, query: bytes) -> None:
    """A person says no, and why."""
    approvals.refuse(query, Reason.PURPOSE, now_s=NOW_S)


def decide(fed: Federation, decision: Decision) -> None:
    """What somebody types at south, beside the running node and knowing nothing of it but its folder."""
    with State(fed.node_home(NODE).state) as state:
        approvals = Approvals(state, PolicyTerms(Decide.EACH))
        (standing,) = [found for found in approvals.all(now_s=NOW_S) if found.undecided]
        decision(approvals, standing.query)


def change_mind(fed: Federation) -> None:
    """Somebody refuses what was approved."""
    with State(fed.node_home(NODE).state) as state:
        approvals = Approvals(state, PolicyTerms(Decide.EACH))
        refuse(approvals, approvals.all(now_s=NOW_S)[-1].query)


def refusal(answer: Answer) -> str:
    """The code with which south is absent; empty where it took part."""
    (found,) = [p.refusal for p in answer.participants if p.department == NODE]
    return found.code if found else ""


def ask(fed: Federation, **options: Any) -> str:
    """Ask, and wait a minute in vain; the job, whose state names whom it waits for."""
    with fed.session() as session, pytest.raises(StillWaiting) as waits:
        session.query(SQL, epsilon=1, wait_s=60, **options)
    assert "waits for approval by south (since 2026-06-01 08:00 UTC)." in str(waits.value)
    assert "until 2026-" in str(waits.value)
    with fed.session() as session:
        (job,) = session.jobs()
        assert state_words(job, NOW_S).startswith("waits for approval by south (since ")
        return job.name


def losing(method: Method[Any, Any], fault: Fault, times: int) -> Callable[[Peer, Method[Any, Any]], Fault]:
    """A network that does this to the first few calls of south's node."""
    left = iter(range(times))

    def faults(peer: Peer, called: Method[Any, Any]) -> Fault:
        hit = peer == Peer(Role.NODE, NODE) and called is method and next(left, None) is not None
        return fault if hit else Fault.NONE

    return faults


FAULTS: Mapping[str, tuple[Method[Any, Any], Fault]] = {
    "report lost": (REPORT, Fault.REQUEST_LOST),
    "report doubled": (REPORT, Fault.DOUBLED),
    "reply to the poll lost": (LEASE, Fault.REPLY_LOST),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_question_that_waits_survives_restarts_on_every_side(tmp_path: Path, fault: str) -> None:
    """Analyst, coordinator and node all die while it waits, and messages are lost before and after."""
    with by_hand(tmp_path) as fed:
        fed.faults = losing(*FAULTS[fault], times=2)
        job = ask(fed)
        fed.stop_coordinator()
        fed.start_node(NODE)
        with fed.session() as session, pytest.raises(StillWaiting, match="approval by south"):
            session.resume(job, wait_s=60)
        assert fed.nodes[NODE].ledger.entries() == ()
        fed.stop_node(NODE)
        decide(fed, approve)  # with no process of the node there
        fed.stop_coordinator()
        fed.faults = losing(*FAULTS[fault], times=2)
        fed.start_node(NODE)
        with fed.session() as session:
            answer = session.resume(job, wait_s=600)
            assert refusal(answer) == ""
            assert session.resume(job).table == answer.table
        assert [entry.recorded for entry in fed.nodes[NODE].ledger.entries()] == [True]


def test_a_refused_question_is_answered_by_the_others(tmp_path: Path) -> None:
    """The reason's category travels; whoever refused charged nothing."""
    with by_hand(tmp_path) as fed:
        job = ask(fed)
        decide(fed, refuse)
        with fed.session() as session:
            answer = session.resume(job, wait_s=60)
        assert refusal(answer) == "FS-207"
        sentence = next(p.refusal.sentence for p in answer.participants if p.refusal)
        assert "it does not serve the agreed purpose (purpose)" in sentence
        assert fed.nodes[NODE].ledger.entries() == ()
        ended = parsed(fed.coordinator.desk.store.register.entries(after=0, entries_max=1_000)[-1].document)
        assert ended["reasons"] == {NODE: "purpose"}  # which is public
        assert f"{NODE} (FS-207: purpose)" in outcome_text(ended)


def test_what_need_not_be_decided_any_more_is_not_waited_for(tmp_path: Path) -> None:
    """The department leaves the agreement: the question ends with that, and nobody waits for its person."""
    with by_hand(tmp_path) as fed:
        job = ask(fed)
        fed.nodes[NODE].withdraw(fed.agreement.id, Reason.LEGAL)
        with fed.session() as session:
            assert refusal(session.resume(job, wait_s=60)) == "FS-202"


@pytest.mark.parametrize("changes_mind", [False, True])
def test_one_approval_is_for_all_rounds(tmp_path: Path, *, changes_mind: bool) -> None:
    """The second round is not asked about again; refused in between, it is not answered."""
    mind: list[Federation] = []

    def checkpoint(step: str) -> None:
        if step == "report" and mind and mind[0].nodes[NODE].ledger.entries():
            change_mind(mind.pop())

    with by_hand(tmp_path, checkpoints={NODE: checkpoint}) as fed:
        with fed.session() as session, pytest.raises(StillWaiting):
            session.run(Twice(), epsilon=1, wait_s=30)
        decide(fed, approve)
        mind += [fed] if changes_mind else []
        with fed.session() as session:
            answer = session.resume(session.jobs()[0].name, statistic=Twice(), wait_s=60)
        assert refusal(answer) == ("FS-207" if changes_mind else "")
        assert len(fed.nodes[NODE].ledger.entries()) == (1 if changes_mind else 2)


STEPS = ("reserve", "answer")


@pytest.mark.parametrize("step", STEPS)
def test_a_refusal_counts_until_the_answer_is_sent(tmp_path: Path, step: str) -> None:
    """Whoever approved, and then refuses while it is computed or about to be sent: no release."""
    running: list[Federation] = []

    def checkpoint(done: str) -> None:
        if done == step and running:
            change_mind(running.pop())

    with by_hand(tmp_path, checkpoints={NODE: checkpoint}) as fed:
        job = ask(fed)
        decide(fed, approve)
        running.append(fed)
        with fed.session() as session:
            assert refusal(session.resume(job, wait_s=60)) == "FS-207"
        assert not running


def test_the_clock_of_an_answer_starts_at_its_computation(tmp_path: Path) -> None:
    """However late it is approved, the answer leaves two seconds after the node began, like any other."""
    reported_s: list[float] = []
    begun_s: list[float] = []
    clocks: list[Federation] = []

    def checkpoint(step: str) -> None:
        if step == "approve" and clocks:
            begun_s.append(clocks[0].clock())

    with by_hand(tmp_path, reply_deadline_s=2, checkpoints={NODE: checkpoint}) as fed:
        clocks.append(fed)
        job = ask(fed)
        fed.clock.pass_s(1_234.567)
        decide(fed, approve)

        def faults(peer: Peer, method: Method[Any, Any]) -> Fault:
            if method is REPORT and peer.name == NODE:
                reported_s.append(fed.clock())
            return Fault.NONE

        fed.faults = faults
        with fed.session() as session:
            assert refusal(session.resume(job, wait_s=60)) == ""
        assert reported_s == [begun_s[0] + 2]
        assert begun_s[0] > NOW_S + 1_234


def test_a_deadline_that_passes_ends_the_waiting(tmp_path: Path) -> None:
    """Nobody decided in time: the answer does without the department, and its list is empty."""
    with by_hand(tmp_path) as fed:
        job = ask(fed)
        fed.clock.pass_s(40 * 86_400)
        fed.work()
        with fed.session() as session:
            answer = session.resume(job)
        assert refusal(answer)
        assert fed.nodes[NODE].approvals.all(now_s=int(fed.clock())) == ()
        assert not fed.nodes[NODE].approvals.parked(now_s=int(fed.clock()))

"""What was answered before is free, and every reader is told so: the analyst, programs, the register."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from samples import DEPARTMENTS
from waiting import federation

from fedstats.client.answer import Answer
from fedstats.core.estimate import Cost
from fedstats.identity.peer import Peer
from fedstats.testing.federation import Federation
from fedstats.testing.transport import Fault
from fedstats.wire.method import Method
from fedstats.wire.methods import REPORT

COUNT = "SELECT COUNT(*) AS n FROM rtt"


def cost(answer: Answer) -> Cost:
    """What an answer says that it cost."""
    assert answer.cost is not None
    return answer.cost


def told(fed: Federation) -> list[str]:
    """What the register says of how questions ended."""
    from fedstats.coordinator.register import OUTCOME, parsed, sentence_of

    entries = fed.coordinator.desk.store.register.entries()
    return [sentence_of(e.kind, parsed(e.document)) for e in entries if e.kind == OUTCOME]


def test_a_repeat_says_that_it_was_free(tmp_path: Path) -> None:
    """The first answer says what it cost, also when it is looked at again; the repeat says: nothing."""
    with federation(tmp_path) as fed, fed.session() as session:
        first = session.query(COUNT, epsilon=1, wait_s=60)
        again = session.query("SELECT COUNT(*) AS other FROM rtt", epsilon=1, wait_s=60)
        assert not cost(first).free
        assert (cost(again).free, cost(again).free_at) == (True, DEPARTMENTS)
        assert "Cost: nothing. Every department had answered this before" in str(again)
        document: dict[str, Any] = json.loads(again.to_json())
        assert document["cost"]["free"] is True
        assert not cost(session.resume(first.job, wait_s=60)).free
        paid, free = told(fed)
        assert "free" not in paid
        assert free.endswith("from the record, which is free, by all of them.")


def test_who_had_not_answered_before_charges(tmp_path: Path) -> None:
    """Where one department answers for the first time, the cost is the question's, free at the others."""
    with federation(tmp_path) as fed, fed.session() as session:
        fed.stop_node("west")
        first = session.query(COUNT, epsilon=1, wait_s=100_000)
        assert [p.department for p in first.participants if p.refusal] == ["west"]
        fed.start_node("west")
        fed.work()
        second = session.query(COUNT, epsilon=1, wait_s=600)
        assert (cost(second).free, cost(second).free_at) == (False, ("north", "south"))
        assert "Free at north, south: answered before." in str(second)
        assert "by north, south" in told(fed)[-1]


def test_an_answer_that_was_sent_twice_is_not_free(tmp_path: Path) -> None:
    """The first report is lost and the record answers: this question charged it all the same."""
    with federation(tmp_path) as fed, fed.session() as session:
        lost: list[Peer] = []

        def faults(peer: Peer, method: Method[Any, Any]) -> Fault:
            if method is REPORT and peer not in lost:
                lost.append(peer)
                return Fault.REQUEST_LOST
            return Fault.NONE

        fed.faults = faults
        answer = session.query(COUNT, epsilon=1, wait_s=600)
        assert len(lost) == 3
        assert (cost(answer).free, cost(answer).free_at) == (False, ())

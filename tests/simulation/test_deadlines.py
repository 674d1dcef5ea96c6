"""A whole federation with reply deadlines: answers leave at them, and late ones are asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from waiting import federation

from fedstats.identity.peer import Peer
from fedstats.testing.federation import Federation
from fedstats.testing.transport import Fault
from fedstats.wire.method import Method
from fedstats.wire.methods import REPORT

SQL = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"


def test_answers_leave_at_the_deadline_and_recorded_ones_at_once(tmp_path: Path) -> None:
    """Every report comes exactly two seconds after the question reached the nodes; the same again at once."""
    with federation(tmp_path, reply_deadline_s=2) as fed, fed.session() as session:
        reported_s: list[float] = []

        def faults(_peer: Peer, method: Method[Any, Any]) -> Fault:
            if method is REPORT:
                reported_s.append(fed.clock())
            return Fault.NONE

        fed.faults = faults
        asked_s = fed.clock()
        first = session.query(SQL, epsilon=1, wait_s=60)
        begun_s = asked_s + 0.5  # the client's first pause lets the nodes work
        assert reported_s == [begun_s + 2] * 3
        again = session.query(SQL, epsilon=1, wait_s=60)
        assert again.table == first.table
        assert all(len(node.ledger.entries()) == 1 for node in fed.nodes.values())


def test_a_late_answer_is_asked_for_again_without_being_told_to(tmp_path: Path) -> None:
    """One department needs three seconds: its FS-298 is followed by its release, under the one charge."""
    slow: list[Federation] = []

    def checkpoint(step: str) -> None:
        if step == "compute" and slow:
            slow.pop().clock.pass_s(3)

    told: list[str] = []
    with federation(tmp_path, checkpoints={"south": checkpoint}, reply_deadline_s=2) as fed:
        slow.append(fed)
        with fed.session() as session:
            answer = session.query(SQL, epsilon=1, wait_s=60, progress=lambda p: told.append(p.problem))
        assert not slow
        assert [p.refusal for p in answer.participants] == [None] * 3
        assert any("south was not ready" in sentence for sentence in told)
        assert all(len(node.ledger.entries()) == 1 for node in fed.nodes.values())


def test_a_department_that_is_late_every_time_is_absent_with_its_code(tmp_path: Path) -> None:
    """What takes hours is not asked for for ever: the answer goes on without it, and says what to do."""
    late: list[Federation] = []

    def checkpoint(step: str) -> None:
        if step == "compute" and late:
            late.pop().clock.pass_s(3_600)

    with federation(tmp_path, checkpoints={"south": checkpoint}, reply_deadline_s=2) as fed:
        late.append(fed)
        with fed.session() as session:
            answer = session.query(SQL, epsilon=1, wait_s=7_200)
            assert [p.department for p in answer.participants if p.refusal] in ([], ["south"])
            again = session.resume(answer.job, wait_s=7_200)
        assert [p.refusal for p in again.participants] == [None] * 3

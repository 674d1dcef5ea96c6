"""The coordinator is away for a minute, at any moment of a round: nothing is lost, and one charge is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from waiting import federation

from fedstats.errors import CoordinatorUnreachable
from fedstats.identity.peer import Peer, Role
from fedstats.testing.federation import Federation
from fedstats.testing.transport import Fault
from fedstats.wire import methods
from fedstats.wire.method import Method

MINUTE_S = 60.0
COUNT = "SELECT COUNT(*) FROM rtt"


class Away:
    """The coordinator answers nobody for a minute from the moment when a method is first called."""

    def __init__(self, fed: Federation, method: Method[Any, Any], role: Role) -> None:
        """Wait for the moment; the process ends then, and starts again over its store."""
        self._fed, self._moment = fed, (method, role)
        self._until_s = 0.0

    def __call__(self, peer: Peer, method: Method[Any, Any]) -> Fault:
        """Decide the fate of one call."""
        now_s = self._fed.clock()
        if not self._until_s and (method, peer.role) == self._moment:
            self._fed.stop_coordinator()
            self._until_s = now_s + MINUTE_S
        return Fault.REQUEST_LOST if now_s < self._until_s else Fault.NONE

    @property
    def was(self) -> bool:
        """Whether the moment came."""
        return bool(self._until_s)


MOMENTS: dict[str, tuple[Method[Any, Any], Role]] = {
    "while the question is out": (methods.WATCH, Role.ANALYST),
    "when nodes ask for work": (methods.LEASE, Role.NODE),
    "when a node has charged and answers": (methods.REPORT, Role.NODE),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_minute_without_a_coordinator_costs_a_minute(tmp_path: Path, moment: str) -> None:
    """The client waits, the nodes ask again, the answer comes whole: registered once, charged once."""
    with federation(tmp_path) as fed, fed.session() as session:
        away = Away(fed, *MOMENTS[moment])
        fed.faults = away
        told: list[str] = []
        started_s = fed.clock()
        answer = session.query(
            COUNT, epsilon=1, wait_s=600, progress=lambda progress: told.append(progress.problem)
        )
        assert away.was
        assert MINUTE_S <= fed.clock() - started_s <= 5 * MINUTE_S
        assert any("lost" in problem for problem in told), "whoever waits is told why"
        assert [p.refusal for p in answer.participants] == [None] * 3
        assert [[e.recorded for e in node.ledger.entries()] for node in fed.nodes.values()] == [[True]] * 3
        entries = fed.coordinator.desk.store.register.entries()
        assert [entry.kind for entry in entries].count("query") == 1


@pytest.mark.parametrize("method", [methods.CATALOGUE, methods.SUBMIT, methods.FETCH])
def test_a_command_during_that_minute_says_what_to_type_later(
    tmp_path: Path, method: Method[Any, Any]
) -> None:
    """Before the question is stored nothing was asked; after that it is kept, and is resumed at no cost."""
    with federation(tmp_path) as fed, fed.session() as session:
        fed.faults = Away(fed, method, Role.ANALYST)
        with pytest.raises(CoordinatorUnreachable) as told:
            session.query(COUNT, epsilon=1, wait_s=600)
        fed.clock.pass_s(MINUTE_S)
        jobs = session.jobs()
        if method == methods.CATALOGUE:
            assert not jobs
            answer = session.query(COUNT, epsilon=1, wait_s=600)
        else:
            assert f"fedstats resume {jobs[0].name}" in told.value.advice
            answer = session.resume(jobs[0].name, wait_s=600)
        assert [p.refusal for p in answer.participants] == [None] * 3
        assert [len(node.ledger.entries()) for node in fed.nodes.values()] == [1] * 3

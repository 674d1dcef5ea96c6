"""A department's kill switches in the middle of an answer: what was decided counts, until it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from samples import DEPARTMENTS
from waiting import federation

from fedstats.client.controller import revoke
from fedstats.core.reason import Reason
from fedstats.identity.keys import SigningKey
from fedstats.identity.peer import Peer
from fedstats.testing.federation import ANALYST, Federation
from fedstats.testing.transport import Fault
from fedstats.wire.codec import signed_to
from fedstats.wire.method import Method
from fedstats.wire.methods import REPORT
from fedstats.wire.v1 import agreements_pb2

SQL = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"
NODE = "south"
AFTER_THE_CHARGE = ("reserve", "compute", "record", "answer")


@dataclass
class Switch:
    """Does `act` on the federation once, when the node of `NODE` has done `step`."""

    step: str
    act: Callable[[Federation], None]
    on: list[Federation] = field(default_factory=list)
    pulled: bool = False

    def checkpoint(self, step: str) -> None:
        """Hear that a step is done."""
        if step == self.step and self.on and not self.pulled:
            self.pulled = True
            self.act(self.on[0])


def pause(fed: Federation) -> None:
    """Somebody types `fedstats node pause`."""
    fed.nodes[NODE].policy.pause(Reason.SECURITY, now_s=int(fed.clock()))


def withdraw(fed: Federation) -> None:
    """Somebody types `fedstats node withdraw`."""
    fed.nodes[NODE].withdraw(fed.agreement.id)


def hear_revocation(fed: Federation) -> None:
    """The node hears that the analyst's controller revoked the appointment."""
    department = DEPARTMENTS[0]
    analyst = SigningKey.from_seed(sha256(f"analyst {ANALYST}".encode()).digest()).public
    signed = revoke(fed.controllers[department], department, analyst, reason="left", now_s=int(fed.clock()))
    fed.nodes[NODE].agreements.learn(agreements_pb2.AuthorityReply(revocations=[signed_to(signed)]))


ACTS = {"pause": pause, "withdraw": withdraw, "revoke": hear_revocation}
CODES = {"pause": {"FS-206"}, "withdraw": {"FS-202", "FS-299"}, "revoke": {"FS-201"}}


@pytest.mark.parametrize("step", AFTER_THE_CHARGE)
@pytest.mark.parametrize("act", ACTS)
def test_a_kill_switch_holds_back_an_answer_that_was_not_sent(tmp_path: Path, act: str, step: str) -> None:
    """Pause, withdrawal and revocation between the charge and the sending: no release, and one charge."""
    switch = Switch(step, ACTS[act])
    with federation(tmp_path, checkpoints={NODE: switch.checkpoint}) as fed, fed.session() as session:
        switch.on.append(fed)
        answer = session.query(SQL, epsilon=1, wait_s=120)
        assert switch.pulled
        refusals = {p.department: p.refusal for p in answer.estimate.participants}
        refusal = refusals.pop(NODE)
        assert refusal is not None, "a release was sent"
        assert refusal.code in CODES[act]
        assert refusal.charged
        assert set(refusals.values()) == {None}
        assert len(fed.nodes[NODE].ledger.entries()) == 1


def test_an_answer_that_could_not_be_sent_is_asked_about_again(tmp_path: Path) -> None:
    """The report is lost, then the department pauses: when the task comes again, nothing is released."""
    with federation(tmp_path) as fed, fed.session() as session:
        lost: list[Peer] = []

        def faults(peer: Peer, method: Method[Any, Any]) -> Fault:
            if method is REPORT and peer.name == NODE and not lost:
                lost.append(peer)
                pause(fed)
                return Fault.REQUEST_LOST
            return Fault.NONE

        fed.faults = faults
        answer = session.query(SQL, epsilon=1, wait_s=600)
        assert lost
        refusals = {p.department: p.refusal for p in answer.estimate.participants}
        refusal = refusals[NODE]
        assert refusal is not None
        assert refusal.code == "FS-206"
        assert [entry.recorded for entry in fed.nodes[NODE].ledger.entries()] == [True]

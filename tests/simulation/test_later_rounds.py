"""Later rounds name what came before them, without telling it; whoever stops in between goes on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from two_rounds import Twice
from waiting import federation

from fedstats.errors import NetworkError
from fedstats.identity.peer import Peer
from fedstats.testing.federation import Federation
from fedstats.testing.transport import Fault
from fedstats.wire import codec
from fedstats.wire.method import Method
from fedstats.wire.methods import FETCH, SUBMIT
from fedstats.wire.v1 import analysts_pb2


def lose_second_submit(fed: Federation) -> None:
    """The network fails once, just as the second round is sent."""
    seen = [0]

    def faults(_peer: Peer, called: Method[Any, Any]) -> Fault:
        seen[0] += called == SUBMIT
        return Fault.REQUEST_LOST if called == SUBMIT and seen[0] == 2 else Fault.NONE

    fed.faults = faults


def test_a_later_round_names_salted_releases(tmp_path: Path) -> None:
    """Cut off between the rounds, everything restarted: the same second round, paid once; it tells no total.

    What it names is a hash of what the departments signed, which other salts of the same numbers change: so
    nobody who sees the signed round can try out what the answers before it were.
    """
    with federation(tmp_path) as fed:
        lose_second_submit(fed)
        with fed.session() as session, pytest.raises(NetworkError):
            session.run(Twice(), epsilon=1, wait_s=600)
        fed.stop_coordinator()
        for name in tuple(fed.nodes):
            fed.start_node(name)
        with fed.session() as session:
            job = session.jobs()[0]
            answer = session.resume(job.name, statistic=Twice(), wait_s=600)
            assert session.resume(job.name, statistic=Twice(), wait_s=600).table == answer.table
            fetched = session.transport.call(FETCH, analysts_pb2.FetchRequest(query=job.query_hash))
        assert [len(node.ledger.entries()) for node in fed.nodes.values()] == [2, 2, 2]
    first, second = fetched.rounds
    released = sorted((o.department, o.release.payload) for o in first.outcomes)
    hashes = b"".join(sha256(payload).digest() for _, payload in released)
    order = codec.decode_round(second.round.payload)
    assert order.totals_before == sha256(sha256(hashes).digest()).digest()
    notes = [codec.decode_release(payload) for _, payload in released]
    assert len({note.salt for note in notes}) == len(notes)
    salted = {n.department: sha256(codec.encode_release(replace(n, salt=bytes(16)))).digest() for n in notes}
    assert codec.releases_hash([salted]) != order.totals_before


def test_bounds_that_are_chosen_first_cost_nothing_more_when_cut_off(tmp_path: Path) -> None:
    """AUTO: the whole cost is told before anything is sent; stopped between the rounds, the job goes on."""
    sql = "SELECT sex, AVG(AUTO(age)) AS mean FROM rtt GROUP BY sex"
    said: list[str] = []
    with federation(tmp_path) as fed:
        lose_second_submit(fed)
        with fed.session() as session, pytest.raises(NetworkError):
            session.query(sql, epsilon=2, wait_s=600, announce=said.append)
        for name in tuple(fed.nodes):
            fed.start_node(name)
        with fed.session() as session:
            answer = session.resume(session.jobs()[0].name, wait_s=600)
            job = session.jobs()[0]
        charged = {sum(entry.loss.rho for entry in node.ledger.entries()) for node in fed.nodes.values()}
        assert [len(node.ledger.entries()) for node in fed.nodes.values()] == [2, 2, 2]
    assert said[0].startswith("Asks up to 2 rounds; loses epsilon 2 in all")
    asked = codec.decode_query(job.query.payload).loss.amount
    assert asked * (1 - Fraction(1, 2**18)) < min(charged) <= max(charged) <= asked
    assert any("declared bounds" in note or "is cut off at" in note for note in answer.estimate.notes)

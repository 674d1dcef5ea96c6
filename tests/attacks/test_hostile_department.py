"""A department that lies, or somebody with what was stolen from one: a certificate, a key, a log."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from samples import NOW_S
from waiting import federation

from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.privacy import Loss
from fedstats.core.witness import CapTotal, Mark, Witness
from fedstats.errors import FedstatsError, NotPermitted
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.testing.federation import Federation
from fedstats.wire import codec
from fedstats.wire.methods import LEASE, PUBLISH
from fedstats.wire.v1 import agreements_pb2, nodes_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt WHERE age <= {}"
THIEF = SigningKey.from_seed(b"thief".ljust(32, b"."))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Federation]:
    """A federation of this test's own, which it may damage."""
    with federation(tmp_path, nodes_min=2) as made:
        yield made


def absent(fed: Federation, age: int) -> dict[str, str]:
    """Ask; who did not answer, and what was said about it."""
    with fed.session() as session:
        answer = session.query(COUNT.format(age), epsilon="0.1", wait_s=60)
    return {p.refusal.department: p.refusal.sentence for p in answer.participants if p.refusal}


def strangers_appointment(department: str) -> agreements_pb2.PublishRequest:
    """A stranger's word, in the department's name, that the thief's key is its node's."""
    said = Appointment(department, AppointedRole.NODE, department, THIEF.public.raw, NOW_S - 9, NOW_S + 9_000)
    signed = Signed.make(Context.APPOINTMENT, codec.encode_appointment(said), THIEF)
    return agreements_pb2.PublishRequest(appointment=codec.signed_to(signed))


def strangers_witness(department: str) -> nodes_pb2.LeaseRequest:
    """A ledger that never was, as the thief's key vouches for it: everything is spent."""
    spent = (CapTotal("agreement", "RTT-2026", Loss(Fraction(10**6))),)
    said = Witness(department, b"w" * 16, 1, Mark(99, b"h" * 32), (), (), spent, NOW_S)
    signed = Signed.make(Context.WITNESS, codec.encode_witness(said), THIEF)
    return nodes_pb2.LeaseRequest(witness=codec.signed_to(signed))


@pytest.mark.parametrize("known", [True, False], ids=["the controller is known", "nobody has spoken yet"])
def test_a_stolen_node_certificate_stops_no_node(own: Federation, *, known: bool) -> None:
    """It appoints nobody and shows no ledger that counts, before the controller's first word and after."""
    if not known:  # as on the first day, before the controller has sent anything
        own.coordinator.desk.store.bindings.end("north", own.clock())
    stolen = own.network(Peer(Role.NODE, "north"))
    with pytest.raises(FedstatsError) as problem:
        stolen.call(PUBLISH, strangers_appointment("north"))
    assert isinstance(problem.value, NotPermitted) is not known
    stolen.call(LEASE, strangers_witness("north"))
    own.nodes["north"].poll_once()  # which says again what it holds: a certificate alone can hide that
    assert absent(own, 31) == {}

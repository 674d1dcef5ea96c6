"""What the coordinator keeps of witnesses, whoever has a department's certificate and not its key."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from coordinator_world import CONTROLLERS, NODES, World, appointment, ready_world
from samples import NOW_S, seed_key

from fedstats.coordinator.store_witnesses import BYTES_MAX, LEDGERS_EACH_MAX
from fedstats.core.appointment import AppointedRole
from fedstats.core.privacy import Loss
from fedstats.core.witness import CapTotal, Mark, Witness
from fedstats.errors import TooLarge
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.wire import codec, methods
from fedstats.wire.codec import decode_witness, encode_witness
from fedstats.wire.v1 import nodes_pb2

NODE, THIEF = seed_key("node north"), seed_key("thief")
LEDGER = b"L" * 16


@pytest.fixture
def world() -> World:
    """A federation whose node in the north is appointed."""
    made = ready_world()
    appoint(made, NODE)
    return made


def appoint(world: World, key: SigningKey) -> None:
    """North's controller says that this key is its node's."""
    said = appointment(role=AppointedRole.NODE, name="north", key=key.public.raw)
    world.publish(CONTROLLERS["north"], appointment=codec.signed_to(said))


def witness(links: int, *, ledger: bytes = LEDGER, totals: tuple[CapTotal, ...] = ()) -> Witness:
    """A witness of a chain that is so long."""
    marks = tuple(Mark(n, n.to_bytes(32, "big")) for n in range(max(links - 3, 0), links))
    tip = Mark(links, ledger + links.to_bytes(16, "big"))
    return Witness("north", ledger, 1, tip, marks if ledger == LEDGER else (), (), totals, NOW_S)


def told(world: World, shown: Witness, key: SigningKey = NODE) -> list[int]:
    """How long the chains are that a node is told of when it asks for work and shows this."""
    signed = codec.signed_to(Signed.make(Context.WITNESS, encode_witness(shown), key))
    reply = world.coordinator.call(methods.LEASE, nodes_pb2.LeaseRequest(witness=signed), NODES["north"])
    return [decode_witness(record.witness.payload).links for record in reply.witnesses]


def test_a_stolen_certificate_makes_the_coordinator_forget_nothing(world: World) -> None:
    """Whoever has the certificate alone shows a longer chain in vain: an older copy is still recognised."""
    assert told(world, witness(10)) == []
    told(world, witness(2**40), THIEF)
    assert told(world, witness(20)) == []
    assert told(world, witness(5)) == [20]


def test_a_stolen_certificate_fills_no_room(world: World) -> None:
    """Witnesses of a key that nobody appointed make room for those that count, as many as are shown."""
    for number in range(3 * LEDGERS_EACH_MAX):
        told(world, witness(7, ledger=bytes([number]) * 16), THIEF)
    assert told(world, witness(10)) == []
    assert told(world, witness(5)) == [10]
    assert len(world.store.witnesses.signed("north")) <= LEDGERS_EACH_MAX


def test_a_witness_counts_once_its_key_is_appointed(world: World) -> None:
    """A node that answered before its controller appointed it is held to what it had spent by then."""
    new = seed_key("node north 2")
    told(world, witness(10), new)
    assert told(world, witness(5), new) == []
    appoint(world, new)
    assert told(world, witness(5), new) == [10]


def test_a_department_cannot_slow_the_others_down(world: World) -> None:
    """The largest witnesses that one department can show cost each call for work a fraction of a second."""
    exact = Loss(Fraction(1, 10**300 + 7), Fraction(1, 10**300 + 9))
    totals = tuple(CapTotal("agreement", f"{n:03d}", exact) for n in range(150))
    for number in range(LEDGERS_EACH_MAX):
        told(world, witness(7, ledger=bytes([number]) * 16, totals=totals))
    began_s = time.process_time()
    assert len(told(world, witness(1, ledger=b"z" * 16), THIEF)) == LEDGERS_EACH_MAX
    assert time.process_time() - began_s < 0.5
    with pytest.raises(TooLarge, match="more than"):
        told(world, witness(7, ledger=b"y" * 16))


def test_a_witness_has_a_size(world: World) -> None:
    """One that is larger than any node's is refused before it is stored."""
    totals = tuple(
        CapTotal("agreement", f"{n:04d}{'x' * 190}", Loss(Fraction(n + 1, 7))) for n in range(1_000)
    )
    shown = witness(7, totals=totals)
    assert len(encode_witness(shown)) > BYTES_MAX
    with pytest.raises(TooLarge, match="at most"):
        told(world, shown)
    assert not world.store.witnesses.signed("north")

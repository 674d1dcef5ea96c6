"""Forged, absurd and foreign words about logs: heads, cosignatures, proofs, results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacked import charges, task_for
from coordinator_world import (
    AUDITOR,
    CONTROLLERS,
    World,
    appoint_nodes,
    cosignature,
    heads,
    log_head,
    ready_world,
)
from samples import NOW_S, seed_key
from waiting import federation

from fedstats.client.home import Home
from fedstats.client.publishing_result import publish_result
from fedstats.client.register_reading import verify_register
from fedstats.core.agreement_document import canonical_json
from fedstats.core.appointment import Revocation
from fedstats.errors import MessageInvalid, NotFound, SignatureInvalid
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import Showing, of
from fedstats.testing.transport import HONEST, Relay, SimulatedNetwork
from fedstats.wire import codec, methods
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import analysts_pb2, nodes_pb2, signed_pb2

Kind = type[signed_pb2.LogHead] | type[signed_pb2.Cosignature]
LONG_PATH = [bytes(32)] * 10_000
COUNT = "SELECT COUNT(*) AS n FROM rtt WHERE age <= {}"
NODE = "north"


@pytest.fixture
def world() -> World:
    """A coordinator whose nodes were appointed."""
    world = ready_world()
    appoint_nodes(world)
    return world


def of_size(
    signed: signed_pb2.Signed, size: int, kind: Kind, context: Context, key: SigningKey
) -> signed_pb2.Signed:
    """The same word about a log of another size, truly signed."""
    said = kind.FromString(signed.payload)
    said.size = size
    payload = said.SerializeToString(deterministic=True)
    return codec.signed_to(Signed.make(context, payload, key))


@pytest.mark.parametrize("size", [2**62 + 1, 2**63, 2**64 - 1])
def test_no_log_has_so_many_entries(world: World, size: int) -> None:
    """A department that signs for more entries than there can be is refused, and nothing of it is shown."""
    key = seed_key(f"node {NODE}")
    head = of_size(log_head(NODE, 5), size, signed_pb2.LogHead, Context.LOG_HEAD, key)
    word = of_size(cosignature(world, NODE), size, signed_pb2.Cosignature, Context.COSIGNATURE, key)
    for told in ({"head": head}, {"cosignature": word}):
        with pytest.raises(MessageInvalid):
            world.lease(NODE, **told)
    assert not heads(world).heads
    assert not heads(world).cosignatures


def test_a_forged_cosignature_is_not_kept(world: World) -> None:
    """Neither one that was changed after it was signed, nor one by a stranger in the department's name."""
    changed = cosignature(world, NODE)
    changed.signature = bytes([changed.signature[0] ^ 1]) + changed.signature[1:]
    stranger = cosignature(world, NODE)
    made = Signed.make(Context.COSIGNATURE, stranger.payload, SigningKey.generate())
    for _ in range(2):  # and not when it is repeated either
        with pytest.raises(SignatureInvalid):
            world.lease(NODE, cosignature=changed)
    world.lease(NODE, cosignature=codec.signed_to(made))
    assert not heads(world).cosignatures


def test_what_a_revoked_key_signs_convicts_nobody(world: World, tmp_path: Path) -> None:
    """A stolen key of a node says that it saw another register: no reader counts it once it is revoked."""
    world.lease("south", cosignature=cosignature(world, "south"))
    world.lease(NODE, cosignature=cosignature(world, NODE, root=b"r" * 32))
    network = SimulatedNetwork(lambda: world.coordinator, AUDITOR)
    assert verify_register(Home.at(tmp_path / "before"), network, [], anew=False).faults
    said = codec.encode_revocation(Revocation(NODE, seed_key(f"node {NODE}").public.raw, NOW_S, "stolen"))
    signed = Signed.make(Context.REVOCATION, said, seed_key(f"controller {NODE}"))
    world.publish(CONTROLLERS[NODE], revocation=codec.signed_to(signed))
    found = verify_register(Home.at(tmp_path / "after"), network, [], anew=False)
    assert found.faults == ()
    assert list(found.cosigned) == ["south"]


def test_a_word_that_came_before_its_key_was_appointed_counts_afterwards() -> None:
    """A node repeats its newest word with every call, so nothing is lost when its controller is late."""
    world = ready_world()
    word = cosignature(world, NODE)
    world.lease(NODE, cosignature=word)
    assert not heads(world).cosignatures
    appoint_nodes(world)
    world.lease(NODE, cosignature=word)
    assert list(heads(world).cosignatures) == [word]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation of these attacks' own."""
    with federation(tmp_path_factory.mktemp("logs"), nodes_min=1) as made:
        yield made


def test_an_absurd_register_is_not_taken(own: Federation) -> None:
    """More entries than there can be are no head at all; none, where some were seen, is another register."""
    node, key = own.nodes[NODE], SigningKey.from_seed(sha256(b"register"))
    node.poll_once()
    seen = node.register.seen()
    assert seen is not None

    def shows(size: int) -> Relay:
        head = of_size(codec.signed_to(seen.signed), size, signed_pb2.LogHead, Context.LOG_HEAD, key)
        return Relay(leaving=of(nodes_pb2.LeaseReply, lambda reply: reply.register_head.CopyFrom(head)))

    own.relay = shows(2**63)
    with pytest.raises(MessageInvalid):
        node.poll_once()
    assert not node.register.forks()
    own.relay = shows(0)
    node.poll_once()
    own.relay = HONEST
    assert len(node.register.forks()) == 1
    assert node.register.seen() == seen
    assert node.register.forget(now_s=int(own.clock()))


def long_consistency(reply: nodes_pb2.LeaseReply) -> None:
    """A proof that nobody wants to compute."""
    reply.register_consistency.path.extend(LONG_PATH)


def test_a_proof_of_ten_thousand_hashes_is_not_computed(own: Federation) -> None:
    """Node and analyst refuse it by its length: nothing is charged, and afterwards all goes on."""
    task, showing, before = task_for(own, NODE, COUNT.format(51)), Showing(NODE), charges(own)
    forged = nodes_pb2.Task.FromString(task.SerializeToString())
    forged.registered.inclusion.path.extend(LONG_PATH)
    refusal = codec.decode_refusal(showing.answer(own, forged).refusal.payload)
    assert (refusal.code, refusal.charged) == ("FS-220", False)

    def change(reply: analysts_pb2.SubmitReply) -> None:
        reply.registered.inclusion.path.extend(LONG_PATH)

    own.relay = Relay(leaving=of(analysts_pb2.SubmitReply, change))
    with own.session() as session, pytest.raises(MessageInvalid):
        session.query(COUNT.format(52), epsilon="0.1", wait_s=60)
    own.relay = Relay(leaving=of(nodes_pb2.LeaseReply, long_consistency))
    with pytest.raises(MessageInvalid):
        own.nodes[NODE].poll_once()
    assert charges(own) == before
    own.relay = HONEST
    own.nodes[NODE].poll_once()
    assert not own.nodes[NODE].register.forks()


def test_nobody_publishes_anothers_result(own: Federation) -> None:
    """Not with a key of their own, and not with a copy of hers through their own certificate."""
    other = SimulatedNetwork(lambda: own.coordinator, Peer(Role.ANALYST, "b.jones"))
    own.relay = HONEST
    with own.session() as session:
        answer = session.query(COUNT.format(53), epsilon="0.5", wait_s=600)
        number = publish_result(session, answer.job, answer)
        entry = own.coordinator.desk.store.register.entry(number)
        assert entry is not None
        payload = canonical_json(json.loads(entry.document)["result"])
        for key in (session.home.signing_key(), SigningKey.generate()):
            signed = Signed.make(Context.RESULT, payload.replace(b'"note":""', b'"note":"Mine."'), key)
            request = analysts_pb2.PublishResultRequest(result=codec.signed_to(signed))
            with pytest.raises(NotFound):
                other.call(methods.PUBLISH_RESULT, request)
    assert own.coordinator.desk.store.register.count() == number

"""A member who sends anything at all: the coordinator answers with an error of its own, and goes on."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from coordinator_world import (
    ANALYST,
    ANALYST_KEY,
    AUDITOR,
    CONTROLLERS,
    HOLDING,
    NODES,
    World,
    acceptance,
    agreement_signatures,
    appointment,
    cosignature,
    log_head,
    ready_world,
    refusal,
    release,
    submission,
)
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import NOW_S, seed_key

from fedstats.core.agreement_document import canonical_json
from fedstats.core.privacy import Loss
from fedstats.core.query import Proceeding
from fedstats.core.witness import CapTotal, Mark, Witness
from fedstats.errors import FedstatsError, InternalError
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.testing.mutations import mutations
from fedstats.wire import codec, methods
from fedstats.wire.method import Method
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2, signed_pb2

TOKEN = Peer(Role.JOIN, "0" * 20)
CSR = TlsKey.generate().request()


def proceeding(query: bytes) -> signed_pb2.Signed:
    """The analyst goes on without west."""
    narrowed = Proceeding(query, 0, ("north", "south"), ("west",))
    return codec.signed_to(Signed.make(Context.PROCEEDING, codec.encode_proceeding(narrowed), ANALYST_KEY))


def witness() -> signed_pb2.Signed:
    """How far north's ledger has come."""
    spent = (CapTotal("agreement", "A", Loss(Fraction(1))),)
    seen = codec.encode_witness(Witness("north", b"l" * 16, 1, Mark(3, b"h" * 32), (), (), spent, NOW_S))
    return codec.signed_to(Signed.make(Context.WITNESS, seen, seed_key("node north")))


def honest(world: World) -> list[tuple[Method[Any, Any], Message, Peer]]:
    """A good request to every method, to begin from."""
    query = world.submit(submission())
    task = world.lease("north")
    assert task is not None
    (signature, *_) = agreement_signatures()
    agreement = codec.signed_to(signature)
    north = NODES["north"]
    release_of = codec.signed_to(codec.signed_from(release(task, "north")))
    return [
        (methods.JOIN_NODE, signed_pb2.JoinRequest(certificate_request=CSR, signing_key=b"k" * 32), TOKEN),
        (methods.RENEW_NODE, nodes_pb2.RenewRequest(certificate_request=CSR), north),
        (methods.LEASE, lease_request(world, task), north),
        (methods.REPORT, nodes_pb2.ReportRequest(task=task.id, release=release_of), north),
        (methods.REPORT, nodes_pb2.ReportRequest(task=task.id, refusal=refusal(task, "north")), north),
        (methods.REPORT, nodes_pb2.ReportRequest(task=task.id, lease_token=task.lease_token), north),
        (methods.CATALOGUE, analysts_pb2.CatalogueRequest(), ANALYST),
        (methods.SUBMIT, submission(), ANALYST),
        (methods.WATCH, analysts_pb2.WatchRequest(query=query, seen=1, wait_s=9), ANALYST),
        (methods.FETCH, analysts_pb2.FetchRequest(query=query), ANALYST),
        (methods.PROCEED, analysts_pb2.ProceedRequest(proceeding=proceeding(query)), ANALYST),
        (methods.PUBLISH, agreements_pb2.PublishRequest(agreement=agreement), CONTROLLERS["north"]),
        (
            methods.PUBLISH,
            agreements_pb2.PublishRequest(acceptance=codec.signed_to(acceptance("north", NOW_S))),
            north,
        ),
        (
            methods.PUBLISH,
            agreements_pb2.PublishRequest(appointment=codec.signed_to(appointment())),
            CONTROLLERS["north"],
        ),
        (methods.SIGN, agreements_pb2.SignRequest(agreement=agreement), CONTROLLERS["north"]),
        (methods.FETCH_AUTHORITY, agreements_pb2.AuthorityRequest(), ANALYST),
        (methods.PUBLISH_RESULT, analysts_pb2.PublishResultRequest(result=published(query)), ANALYST),
        (methods.HEADS, agreements_pb2.HeadsRequest(), ANALYST),
        (methods.PROOF, agreements_pb2.ProofRequest(number=2, size=3, first=1, second=3), AUDITOR),
        (methods.REGISTER, agreements_pb2.RegisterRequest(after=1, entries_max=2**32 - 2), ANALYST),
    ]


def published(query: bytes) -> signed_pb2.Signed:
    """A result of which nothing is right but its form."""
    document = {"query": query.hex(), "tables": []}
    return codec.signed_to(Signed.make(Context.RESULT, canonical_json(document), ANALYST_KEY))


def lease_request(world: World, task: nodes_pb2.Task) -> nodes_pb2.LeaseRequest:
    """A node asks for work and says all that it can say."""
    return nodes_pb2.LeaseRequest(
        wait_s=9,
        holdings=[HOLDING],
        decisions=[nodes_pb2.Decision(task=task.id)],
        software="x 1",
        witness=witness(),
        head=log_head("north", 3),
        cosignature=cosignature(world, "north"),
        register_size=2,
    )


def answered(world: World, method: Method[Any, Any], request: Message, peer: Peer) -> bool:
    """Whether the call succeeded; any other end than a typed error is a failure of the test."""
    topics = world.coordinator.polls[method].topics if method in world.coordinator.polls else None
    try:
        if topics is not None:
            topics(request, peer)
        world.coordinator.call(method, request, peer)
    except InternalError:
        raise
    except FedstatsError:
        return False
    return True


def test_every_method_is_served_and_survives_every_changed_field() -> None:
    """Each field of a good request to each method, changed in turn, ends in a reply or in a typed error."""
    world = ready_world()
    requests = honest(world)
    assert {method for method, _, _ in requests} | {methods.JOIN_ANALYST, methods.RENEW_ANALYST} == {
        *world.coordinator.answers,
        *world.coordinator.polls,
    }
    for method, request, peer in requests:
        for _path, changed in mutations(request):
            answered(world, method, changed, peer)
    assert answered(world, methods.SUBMIT, submission(), ANALYST)


texts = st.text(max_size=8)
payloads = st.one_of(st.binary(max_size=80), st.sampled_from([b"\x0a\xff\xff\xff\xff\x0f", b"\x08" * 40]))


@given(st.data())
@settings(max_examples=150)
def test_random_bytes_end_in_a_typed_error(data: st.DataObject) -> None:
    """Whatever decodes as a request at all, to whichever method, is answered or refused."""
    method, _, peer = data.draw(st.sampled_from(REQUESTS))
    try:
        request = method.request.FromString(data.draw(payloads))
    except DecodeError:
        return
    answered(WORLD, method, request, peer)


@given(st.data())
@settings(max_examples=150)
def test_signed_rubbish_ends_in_a_typed_error(data: st.DataObject) -> None:
    """Random payloads, keys and signatures inside otherwise good requests are refused as malformed."""
    rubbish = signed_pb2.Signed(
        payload=data.draw(payloads),
        key=data.draw(st.binary(min_size=30, max_size=33)),
        signature=data.draw(st.binary(min_size=62, max_size=65)),
    )
    requests: list[tuple[Method[Any, Any], Message, Peer]] = [
        (
            methods.SUBMIT,
            analysts_pb2.SubmitRequest(query=rubbish, round=rubbish, appointment=rubbish),
            ANALYST,
        ),
        (methods.PUBLISH, agreements_pb2.PublishRequest(agreement=rubbish), ANALYST),
        (methods.PUBLISH, agreements_pb2.PublishRequest(revocation=rubbish), ANALYST),
        (methods.SIGN, agreements_pb2.SignRequest(agreement=rubbish), ANALYST),
        (
            methods.REPORT,
            nodes_pb2.ReportRequest(task=WORLD_TASK, release=rubbish, lease_token=data.draw(texts)),
            NODES["north"],
        ),
    ]
    for method, request, peer in requests:
        assert not answered(WORLD, method, request, peer)


WORLD = ready_world()
REQUESTS = honest(WORLD)
WORLD_TASK = WORLD.store.tasks.tasks(WORLD.submit(submission()), 0)[0].id

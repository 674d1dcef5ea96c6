"""Documents that carry authority, and the register that names them: kept as signed, never rewritten."""

from __future__ import annotations

import json

import pytest
from coordinator_world import (
    ANALYST,
    CONTROLLERS,
    DOCUMENT,
    NODES,
    World,
    acceptance,
    agreement_signatures,
    appointment,
    ready_world,
)
from google.protobuf.message import Message
from mutations import mutations
from samples import DEPARTMENTS, NOW_S, sample_agreement, seed_key

from fedstats.coordinator import store_documents
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.errors import AgreementInvalid, FedstatsError, MessageInvalid, NotFound, NotPermitted, TooLarge
from fedstats.identity.keys import Context, Signed
from fedstats.wire import codec, methods
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import agreements_pb2, signed_pb2


@pytest.fixture
def world() -> World:
    """Nobody has joined; documents need no members."""
    return World()


def fetched(world: World) -> agreements_pb2.AuthorityReply:
    """Everything that was published."""
    return world.coordinator.call(methods.FETCH_AUTHORITY, agreements_pb2.AuthorityRequest(), ANALYST)


def kinds(world: World) -> list[str]:
    """The kinds of the register's entries."""
    return [entry.kind for entry in world.register()]


def test_an_agreement_collects_signatures(world: World) -> None:
    """The first controller publishes, the others sign; readers get the bytes and every signature back."""
    first, *others = agreement_signatures()
    world.publish(CONTROLLERS["north"], agreement=codec.signed_to(first))
    for signed in others:
        request = agreements_pb2.SignRequest(agreement=codec.signed_to(signed))
        world.coordinator.call(methods.SIGN, request, CONTROLLERS["south"])
    (record,) = fetched(world).agreements
    assert record.document == DOCUMENT
    assert {bytes(signature.signature) for signature in record.signatures} == {
        signed.signature for signed in agreement_signatures()
    }
    assert {bytes(signature.payload) for signature in record.signatures} == {b""}
    assert kinds(world) == ["agreement-published", *["agreement-signed"] * 3]


def test_the_register_tells_what_was_agreed(world: World) -> None:
    """The entry of a new agreement holds purposes, legal gateway, departments, data and budget."""
    (first, *_) = agreement_signatures()
    world.publish(CONTROLLERS["north"], agreement=codec.signed_to(first))
    document = json.loads(world.register()[0].document)
    assert document["purposes"][0]["prohibited"] == ["No insurance."]
    assert document["public"]["legal_gateway"] == "Health Act, section 1."
    assert [c["organisation"] for c in document["controllers"]] == [
        "North Trust",
        "South Trust",
        "West Trust",
    ]
    assert document["privacy"]["epsilon"] == "8"
    assert document["hash"] == sha256(DOCUMENT).hex()
    assert "key" not in document["controllers"][0]


def test_publishing_twice_changes_nothing(world: World) -> None:
    """Every document may come again after a lost reply: one record, one entry, nobody is woken."""
    documents: list[dict[str, signed_pb2.Signed]] = [
        {"agreement": codec.signed_to(next(iter(agreement_signatures())))},
        {"acceptance": codec.signed_to(acceptance("north", NOW_S))},
        {"appointment": codec.signed_to(appointment())},
    ]
    for document in documents:
        revision = world.publish(NODES["north"], **document)
        entries = len(world.register())
        world.rung.clear()
        assert world.publish(NODES["north"], **document) == revision
        assert world.rung == []
        assert len(world.register()) == entries
    assert len(fetched(world).appointments) == 1


def test_only_a_controller_of_the_agreement_can_put_it_there(world: World) -> None:
    """A signature by a stranger, or for another kind of document, publishes nothing."""
    stranger = Signed.make(Context.AGREEMENT, DOCUMENT, seed_key("stranger"))
    with pytest.raises(AgreementInvalid):
        world.publish(ANALYST, agreement=codec.signed_to(stranger))
    other_kind = Signed.make(Context.QUERY, DOCUMENT, seed_key("controller north"))
    with pytest.raises(FedstatsError):
        world.publish(ANALYST, agreement=codec.signed_to(other_kind))
    assert kinds(world) == []


def test_signing_needs_a_published_agreement(world: World) -> None:
    """Sign never publishes, so that a controller sees what there is before adding a name to it."""
    (first, *_) = agreement_signatures()
    request = agreements_pb2.SignRequest(agreement=codec.signed_to(first))
    with pytest.raises(NotFound):
        world.coordinator.call(methods.SIGN, request, CONTROLLERS["north"])
    with pytest.raises(NotFound):
        world.publish(NODES["north"], acceptance=codec.signed_to(acceptance("north", NOW_S)))


def test_the_last_word_on_an_agreement_counts() -> None:
    """A withdrawal after an acceptance stands, however late older words come; in a tie the careful one."""
    world = ready_world()
    before = len(world.register())
    words = [(NOW_S + 5, False), (NOW_S + 9, True), (NOW_S + 7, False), (NOW_S + 9, False)]
    for at_s, withdrawn in words:
        said = acceptance("north", at_s, withdrawn=withdrawn)
        world.publish(NODES["north"], acceptance=codec.signed_to(said))
    (record,) = fetched(world).agreements
    (last,) = record.acceptances
    note = codec.decode_acceptance(codec.signed_from(last).verify(Context.ACCEPTANCE))
    assert (note.at_s, note.withdrawn) == (NOW_S + 9, True)
    assert kinds(world)[before:] == ["agreement-accepted", "agreement-withdrawn"]


def test_a_department_speaks_through_its_own_node() -> None:
    """Another node, or a person, cannot say that a department accepted."""
    world = ready_world()
    said = codec.signed_to(acceptance("north", NOW_S))
    for peer in (NODES["south"], ANALYST, CONTROLLERS["north"]):
        with pytest.raises(NotPermitted):
            world.publish(peer, acceptance=said)


def as_request(message: Message) -> agreements_pb2.PublishRequest:
    """A changed request, which is still one."""
    assert isinstance(message, agreements_pb2.PublishRequest)
    return message


def test_no_field_of_a_document_can_be_changed(world: World) -> None:
    """Each field of each published document flipped in turn is refused, and leaves no trace."""
    documents = {
        "agreement": codec.signed_to(next(iter(agreement_signatures()))),
        "appointment": codec.signed_to(appointment()),
    }
    tried = 0
    for name, signed in documents.items():
        for _path, changed in mutations(agreements_pb2.PublishRequest(**{name: signed})):
            tried += 1
            with pytest.raises(FedstatsError):
                world.coordinator.call(methods.PUBLISH, as_request(changed), NODES["north"])
    assert tried >= 6
    assert kinds(world) == []
    assert fetched(world).revision == 0


def test_one_peer_cannot_fill_the_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and sizes are bounded for each peer and for all, and one peer's fill leaves room for others."""
    monkeypatch.setattr(store_documents, "STATEMENTS_PER_PEER_MAX", 2)
    monkeypatch.setattr(store_documents, "AGREEMENTS_PER_PEER_MAX", 2)

    def appoint(until_s: int) -> dict[str, signed_pb2.Signed]:
        return {"appointment": codec.signed_to(appointment(until_s=until_s))}

    def agree(version: int) -> dict[str, signed_pb2.Signed]:
        document = canonical_json(document_of(sample_agreement(version=version)))
        return {"agreement": codec.signed_to(next(iter(agreement_signatures(document))))}

    for make in (appoint, agree):
        for number in (NOW_S + 1, NOW_S + 2):
            world.publish(ANALYST, **make(number))
        with pytest.raises(TooLarge):
            world.publish(ANALYST, **make(NOW_S + 3))
        world.publish(CONTROLLERS["north"], **make(NOW_S + 3))


def test_an_empty_publication_is_malformed(world: World) -> None:
    """A request without a document is refused with a sentence."""
    with pytest.raises(MessageInvalid):
        world.coordinator.call(methods.PUBLISH, agreements_pb2.PublishRequest(), ANALYST)


def test_the_register_is_read_in_pages() -> None:
    """However many are asked for, pages join without a gap, and an end is an empty page."""
    world = ready_world()
    pages: list[int] = []
    while True:
        request = agreements_pb2.RegisterRequest(after=pages[-1] if pages else 0, entries_max=3)
        page = world.coordinator.call(methods.REGISTER, request, NODES["north"]).entries
        if not page:
            break
        assert len(page) <= 3
        pages += [entry.number for entry in page]
    assert pages == list(range(1, 5))
    beyond = agreements_pb2.RegisterRequest(after=2**64 - 1)
    assert len(world.coordinator.call(methods.REGISTER, beyond, ANALYST).entries) == 0


def test_who_may_have_signed_is_named_in_the_register(world: World) -> None:
    """Each signature's entry names the department whose controller's key it is."""
    for signed in agreement_signatures():
        world.publish(CONTROLLERS["north"], agreement=codec.signed_to(signed))
    signed_by = [
        json.loads(e.document)["department"] for e in world.register() if e.kind == "agreement-signed"
    ]
    assert signed_by == list(DEPARTMENTS)

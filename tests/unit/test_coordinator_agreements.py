"""Documents that carry authority, and the register that names them: kept as signed, never rewritten."""

from __future__ import annotations

import json
from dataclasses import replace

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
from samples import DEPARTMENTS, NOW_S, sample_agreement, seed_key

from fedstats.coordinator import store_documents
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import Revocation
from fedstats.errors import (
    AgreementInvalid,
    AppointmentInvalid,
    FedstatsError,
    MessageInvalid,
    NotFound,
    NotPermitted,
    TooLarge,
)
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.testing.mutations import mutations
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
    for department, signed in zip(("south", "west"), others, strict=True):
        request = agreements_pb2.SignRequest(agreement=codec.signed_to(signed))
        world.coordinator.call(methods.SIGN, request, CONTROLLERS[department])
    (record,) = fetched(world).agreements
    assert record.document == DOCUMENT
    assert {bytes(signature.signature) for signature in record.signatures} == {
        signed.signature for signed in agreement_signatures()
    }
    assert {bytes(signature.payload) for signature in record.signatures} == {b""}
    assert kinds(world) == [
        "controller-bound",
        "agreement-published",
        "agreement-signed",
        *["controller-bound", "agreement-signed"] * 2,
    ]


def test_the_register_tells_what_was_agreed(world: World) -> None:
    """The entry of a new agreement holds every field of it: without the hash it is what was signed."""
    (first, *_) = agreement_signatures()
    world.publish(CONTROLLERS["north"], agreement=codec.signed_to(first))
    document = json.loads(world.register()[1].document)
    assert document["purposes"][0]["prohibited"] == ["No insurance."]
    assert document["public"]["legal_gateway"] == "Health Act, section 1."
    assert [c["organisation"] for c in document["controllers"]] == [
        "North Trust",
        "South Trust",
        "West Trust",
    ]
    assert document["privacy"]["epsilon"] == "8"
    assert document["hash"] == sha256(DOCUMENT).hex()
    assert (
        sha256(canonical_json({k: v for k, v in document.items() if k != "hash"})).hex() == document["hash"]
    )
    signed = json.loads(world.register()[2].document)
    key = PublicKey(bytes.fromhex(signed["key"]))
    key.verify(Context.AGREEMENT, DOCUMENT, bytes.fromhex(signed["signature"]))
    assert signed["key"] == document["controllers"][0]["key"]


def test_publishing_twice_changes_nothing(world: World) -> None:
    """Every document may come again after a lost reply: one record, one entry, nobody is woken."""
    documents: list[dict[str, signed_pb2.Signed]] = [
        {"agreement": codec.signed_to(next(iter(agreement_signatures())))},
        {"acceptance": codec.signed_to(acceptance("north", NOW_S))},
        {"appointment": codec.signed_to(appointment())},
    ]
    for document, peer in zip(documents, (CONTROLLERS["north"], NODES["north"], NODES["north"]), strict=True):
        revision = world.publish(peer, **document)
        entries = len(world.register())
        world.rung.clear()
        assert world.publish(peer, **document) == revision
        assert world.rung == []
        assert len(world.register()) == entries
    assert len(fetched(world).appointments) == 1


def test_only_a_controller_of_the_agreement_can_put_it_there(world: World) -> None:
    """A signature by a stranger, or for another kind of document, publishes nothing."""
    stranger = Signed.make(Context.AGREEMENT, DOCUMENT, seed_key("stranger"))
    with pytest.raises(AgreementInvalid):
        world.publish(CONTROLLERS["north"], agreement=codec.signed_to(stranger))
    other_kind = Signed.make(Context.QUERY, DOCUMENT, seed_key("controller north"))
    with pytest.raises(FedstatsError):
        world.publish(CONTROLLERS["north"], agreement=codec.signed_to(other_kind))
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
    assert json.loads(world.register()[-1].document)["reason"] == "governance"  # which is public


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


def test_one_department_cannot_fill_the_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are bounded for each department, whichever certificate it uses; others' room stays theirs."""
    monkeypatch.setattr(store_documents, "STATEMENTS_EACH_MAX", 2)
    monkeypatch.setattr(store_documents, "AGREEMENTS_EACH_MAX", 2)

    def appoint(number: int, department: str) -> dict[str, signed_pb2.Signed]:
        said = appointment(department, department=department, until_s=NOW_S + number)
        return {"appointment": codec.signed_to(said)}

    def agree(number: int, department: str) -> dict[str, signed_pb2.Signed]:
        document = canonical_json(document_of(sample_agreement(version=number)))
        by = dict(zip(DEPARTMENTS, agreement_signatures(document), strict=True))
        return {"agreement": codec.signed_to(by[department])}

    for make in (appoint, agree):
        for number in (1, 2):
            world.publish(CONTROLLERS["north"], **make(number, "north"))
        for peer in (CONTROLLERS["north"], NODES["north"]):
            with pytest.raises(TooLarge, match="north"):
                world.publish(peer, **make(3, "north"))
        world.publish(CONTROLLERS["south"], **make(3, "south"))


def test_the_size_of_one_departments_agreements_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large texts of one department leave the others' room as it was."""
    monkeypatch.setattr(store_documents, "AGREEMENT_BYTES_EACH_MAX", len(DOCUMENT) + 100)
    other = canonical_json(document_of(sample_agreement(version=2)))
    north, south, _ = (codec.signed_to(signed) for signed in agreement_signatures(other))
    world.publish(CONTROLLERS["north"], agreement=codec.signed_to(next(iter(agreement_signatures()))))
    with pytest.raises(TooLarge):
        world.publish(CONTROLLERS["north"], agreement=north)
    world.publish(CONTROLLERS["south"], agreement=south)


def test_only_a_departments_own_certificates_bring_its_documents(world: World) -> None:
    """Neither an analyst, nor another department, nor a token publishes or signs in a department's name."""
    (first, *_) = agreement_signatures()
    said = Revocation("north", b"k" * 32, NOW_S, "left")
    revoked = Signed.make(Context.REVOCATION, codec.encode_revocation(said), seed_key("controller north"))
    documents = {
        "agreement": codec.signed_to(first),
        "appointment": codec.signed_to(appointment()),
        "revocation": codec.signed_to(revoked),
    }
    strangers = (ANALYST, CONTROLLERS["south"], NODES["south"], Peer(Role.JOIN, "0" * 20))
    for peer in strangers:
        for name, signed in documents.items():
            with pytest.raises(NotPermitted):
                world.publish(peer, **{name: signed})
    assert kinds(world) == []
    for name, signed in documents.items():
        world.publish(CONTROLLERS["north"], **{name: signed})
    request = agreements_pb2.SignRequest(agreement=codec.signed_to(first))
    for peer in strangers:
        with pytest.raises(NotPermitted):
            world.coordinator.call(methods.SIGN, request, peer)


def forged(department: str, **changes: object) -> bytes:
    """An agreement that names another key for a department's controller."""
    sample = sample_agreement(**changes)
    controllers = tuple(
        replace(c, key=seed_key(f"forged {department}").public.raw) if c.department == department else c
        for c in sample.controllers
    )
    return canonical_json(document_of(replace(sample, controllers=controllers)))


def test_the_first_document_of_a_controller_binds_its_key(world: World) -> None:
    """From then on no agreement may name another key for the department, and no other key speaks for it."""
    world.publish(CONTROLLERS["south"], appointment=codec.signed_to(appointment("south", department="south")))
    assert kinds(world) == ["controller-bound"]
    bound = json.loads(world.register()[0].document)
    assert bound == {"department": "south", "fingerprint": seed_key("controller south").public.fingerprint}
    document = forged("south")
    by_north = Signed.make(Context.AGREEMENT, document, seed_key("controller north"))
    with pytest.raises(AgreementInvalid, match="controller of south"):
        world.publish(CONTROLLERS["north"], agreement=codec.signed_to(by_north))
    by_thief = Signed.make(Context.AGREEMENT, document, seed_key("forged south"))
    with pytest.raises(AgreementInvalid, match="controller of south"):
        world.publish(CONTROLLERS["south"], agreement=codec.signed_to(by_thief))
    with pytest.raises(AppointmentInvalid, match="controller of south"):
        world.publish(
            NODES["south"], appointment=codec.signed_to(appointment("forged south", department="south"))
        )
    assert kinds(world) == ["controller-bound"]


def test_an_agreement_with_a_wrong_key_cannot_be_signed_later(world: World) -> None:
    """A text that was published before a department was known gets no signature that goes against its key."""
    document = forged("south")
    north = codec.signed_to(Signed.make(Context.AGREEMENT, document, seed_key("controller north")))
    world.publish(CONTROLLERS["north"], agreement=north)
    world.publish(CONTROLLERS["south"], appointment=codec.signed_to(appointment("south", department="south")))
    west = codec.signed_to(Signed.make(Context.AGREEMENT, document, seed_key("controller west")))
    with pytest.raises(AgreementInvalid, match="controller of south"):
        world.coordinator.call(methods.SIGN, agreements_pb2.SignRequest(agreement=west), CONTROLLERS["west"])


def test_a_node_binds_no_key(world: World) -> None:
    """Before its controller has spoken a node's certificate brings nothing; the controller's key binds."""
    with pytest.raises(NotPermitted, match="not known here yet"):
        world.publish(NODES["north"], appointment=codec.signed_to(appointment("forged")))
    world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment()))
    assert [b.key for b in world.store.bindings.all()] == [seed_key("controller north").public]


def test_a_refused_document_binds_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binding and keeping are one transaction."""
    monkeypatch.setattr(store_documents, "STATEMENTS_EACH_MAX", 0)
    with pytest.raises(TooLarge):
        world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment()))
    assert world.store.bindings.all() == []
    assert kinds(world) == []


def test_a_lost_key_is_replaced_by_whoever_hosts_the_coordinator(world: World) -> None:
    """After the binding is ended the controller's next document binds the new key; the public reads both."""
    world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment()))
    with pytest.raises(NotFound):
        world.store.bindings.end("south", world.clock())
    world.store.bindings.end("north", world.clock())
    world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment("new north")))
    with pytest.raises(AppointmentInvalid):
        world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment(until_s=NOW_S + 9)))
    assert kinds(world) == ["controller-bound", "controller-unbound", "controller-bound"]


def test_an_acceptance_from_the_future_is_refused() -> None:
    """It would outweigh every later word of the department until then."""
    world = ready_world()
    with pytest.raises(MessageInvalid, match="ahead"):
        world.publish(NODES["north"], acceptance=codec.signed_to(acceptance("north", NOW_S + 90_000)))
    world.publish(NODES["north"], acceptance=codec.signed_to(acceptance("north", NOW_S + 80_000)))


def test_a_department_that_is_no_party_accepts_nothing() -> None:
    """Only those whom an agreement names have a word on it."""
    world = ready_world()
    said = codec.signed_to(acceptance("east", NOW_S))
    with pytest.raises(NotPermitted, match="no party"):
        world.publish(Peer(Role.NODE, "east"), acceptance=said)


def test_the_size_of_one_departments_statements_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many documents take a department's own room; another department can still revoke."""
    monkeypatch.setattr(store_documents, "STATEMENT_BYTES_EACH_MAX", 400)

    def revoke(department: str, reason: str) -> signed_pb2.Signed:
        said = codec.encode_revocation(Revocation(department, b"k" * 32, NOW_S, reason))
        return codec.signed_to(Signed.make(Context.REVOCATION, said, seed_key(f"controller {department}")))

    world.publish(CONTROLLERS["north"], revocation=revoke("north", "a" * 70))
    with pytest.raises(TooLarge):
        world.publish(CONTROLLERS["north"], revocation=revoke("north", "b" * 70))
    world.publish(CONTROLLERS["south"], revocation=revoke("south", "a" * 70))


def test_news_wakes_those_whom_it_concerns(world: World) -> None:
    """An agreement concerns the departments it names; an appointment those that share an agreement."""
    east = appointment("east", department="east")
    world.publish(Peer(Role.CONTROLLER, "east"), appointment=codec.signed_to(east))
    assert world.rung == ["authority east"]
    world.rung.clear()
    world.publish(CONTROLLERS["north"], agreement=codec.signed_to(next(iter(agreement_signatures()))))
    assert world.rung == ["authority north", "authority south", "authority west"]
    world.rung.clear()
    world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment()))
    assert world.rung == ["authority north", "authority south", "authority west"]
    revision = world.store.documents.revision_for
    assert revision("north") == revision("west") == world.store.documents.revision()
    assert 0 < revision("east") < revision("north")
    as_node = world.coordinator.call(
        methods.FETCH_AUTHORITY, agreements_pb2.AuthorityRequest(), Peer(Role.NODE, "east")
    )
    assert as_node.revision == revision("east")


def test_an_empty_publication_is_malformed(world: World) -> None:
    """A request without a document is refused with a sentence."""
    with pytest.raises(MessageInvalid):
        world.coordinator.call(methods.PUBLISH, agreements_pb2.PublishRequest(), NODES["north"])


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
    assert pages == list(range(1, 8))
    beyond = agreements_pb2.RegisterRequest(after=2**64 - 1)
    assert len(world.coordinator.call(methods.REGISTER, beyond, ANALYST).entries) == 0


def test_who_may_have_signed_is_named_in_the_register(world: World) -> None:
    """Each signature's entry names the department whose controller's key it is."""
    for department, signed in zip(DEPARTMENTS, agreement_signatures(), strict=True):
        world.publish(CONTROLLERS[department], agreement=codec.signed_to(signed))
    signed_by = [
        json.loads(e.document)["department"] for e in world.register() if e.kind == "agreement-signed"
    ]
    assert signed_by == list(DEPARTMENTS)

"""The node's own copy of agreements: what is accepted, what is in force, what a coordinator cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from samples import DEPARTMENTS, NOW_S, TODAY, sample_agreement, seed_key

from fedstats.core.agreement import Agreement, Controller, PrivacyTerms
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import Revocation
from fedstats.core.reason import Reason
from fedstats.errors import AgreementInvalid, AgreementNotInForce, AlreadyExists, KeyUnknown, NameUnknown
from fedstats.identity.keys import Context, Signed
from fedstats.identity.trust import TrustStore
from fedstats.node import hearing
from fedstats.node.agreements import Agreements, Standing
from fedstats.node.datasets import held_datasets
from fedstats.node.state import State
from fedstats.wire.codec import encode_revocation, signed_to
from fedstats.wire.v1 import agreements_pb2, signed_pb2

WIDER = PrivacyTerms(Fraction(16), Fraction(1, 10**6), Fraction(2), 2)


def yes(_: Standing) -> bool:
    """A person who agrees."""
    return True


def record(agreement: Agreement, signers: tuple[str, ...] = DEPARTMENTS) -> agreements_pb2.AgreementRecord:
    """The agreement as the coordinator relays it, signed by these departments' controllers."""
    document = canonical_json(document_of(agreement))
    signed = [Signed.make(Context.AGREEMENT, document, seed_key(f"controller {name}")) for name in signers]
    messages = [signed_to(signature) for signature in signed]
    for message in messages:
        message.ClearField("payload")
    return agreements_pb2.AgreementRecord(document=document, signatures=messages)


def reply(*records: agreements_pb2.AgreementRecord) -> agreements_pb2.AuthorityReply:
    """What the coordinator relays."""
    return agreements_pb2.AuthorityReply(revision=1, agreements=records)


@pytest.fixture
def trust(tmp_path: Path) -> TrustStore:
    """All controllers' keys were compared."""
    store = TrustStore(tmp_path / "trust.json")
    for name in DEPARTMENTS:
        store.trust(name, seed_key(f"controller {name}").public.fingerprint)
    return store


@pytest.fixture
def agreements(tmp_path: Path, trust: TrustStore) -> Iterator[Agreements]:
    """The agreements of the node of north."""
    State.make(tmp_path / "state.sqlite", "north")
    with State(tmp_path / "state.sqlite") as state:
        yield Agreements(state, trust)


def test_only_what_the_department_accepted_and_all_signed_is_in_force(agreements: Agreements) -> None:
    """A proposal is nothing; acceptance and every signature together are everything."""
    agreements.learn(reply(record(sample_agreement(), ("north",))))
    with pytest.raises(AgreementNotInForce):
        agreements.in_force("RTT-2026", 1)
    assert agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    with pytest.raises(AgreementNotInForce, match="not signed by south, west"):
        agreements.in_force("RTT-2026", 1)
    agreements.learn(reply(record(sample_agreement(), ("south",))))
    with pytest.raises(AgreementNotInForce, match="not signed by west"):
        agreements.in_force("RTT-2026", 1)
    assert agreements.current(TODAY) == ()
    agreements.learn(reply(record(sample_agreement(), ("west",))))
    assert agreements.in_force("RTT-2026", 1) == sample_agreement()
    assert agreements.current(TODAY) == (sample_agreement(),)
    assert agreements.current(date(2020, 1, 1)) == ()


def test_a_person_confirms(agreements: Agreements) -> None:
    """Nothing is accepted when the person who is asked says no, and the person sees the whole agreement."""
    agreements.learn(reply(record(sample_agreement())))
    shown = []

    def no(standing: Standing) -> bool:
        shown.append(standing)
        return False

    assert not agreements.accept("RTT-2026", 1, no, now_s=NOW_S)
    assert shown[0].agreement == sample_agreement()
    assert agreements.acceptances() == ()
    with pytest.raises(AgreementNotInForce):
        agreements.in_force("RTT-2026", 1)


def test_every_key_is_compared_first(agreements: Agreements, trust: TrustStore) -> None:
    """An agreement with a controller whose key was not compared here cannot be accepted."""
    stranger = sample_agreement(
        controllers=(
            *sample_agreement().controllers[:2],
            Controller("west", "West Trust", seed_key("controller impostor").public.raw),
        )
    )
    agreements.learn(reply(record(stranger)))
    with pytest.raises(KeyUnknown, match="west"):
        agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    trust.trust("west", seed_key("controller impostor").public.fingerprint, replace=True)
    assert agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)


def test_trust_taken_back_ends_the_agreement(agreements: Agreements, trust: TrustStore) -> None:
    """When a controller's key is replaced here, what the old key signed is no longer in force."""
    agreements.learn(reply(record(sample_agreement())))
    agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    assert agreements.in_force("RTT-2026", 1) == sample_agreement()
    trust.trust("west", seed_key("a new key").public.fingerprint, replace=True)
    with pytest.raises(AgreementNotInForce):
        agreements.in_force("RTT-2026", 1)


def test_the_own_controller_signs_first(agreements: Agreements) -> None:
    """IT does not accept what its own controller has not signed."""
    agreements.learn(reply(record(sample_agreement(), ("south", "west"))))
    with pytest.raises(AgreementNotInForce, match="own controller"):
        agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)


def test_a_coordinator_cannot_widen_an_agreement(agreements: Agreements) -> None:
    """Another text under the same name and version, whoever signed it, changes nothing that was accepted."""
    agreements.learn(reply(record(sample_agreement())))
    agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    wider = sample_agreement(privacy=WIDER)
    agreements.learn(reply(record(wider)))
    assert agreements.in_force("RTT-2026", 1) == sample_agreement()
    with pytest.raises(AgreementInvalid, match="different texts"):
        agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)


def test_signatures_under_another_text_do_not_count(agreements: Agreements) -> None:
    """The controllers' signatures cannot be moved to another document."""
    moved = record(sample_agreement())
    moved.document = canonical_json(document_of(sample_agreement(privacy=WIDER)))
    agreements.learn(reply(moved))
    (standing,) = agreements.all()
    assert standing.unsigned == DEPARTMENTS
    with pytest.raises(AgreementNotInForce):
        agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)


def test_a_new_version_replaces_the_old_one(agreements: Agreements) -> None:
    """After version 2 was accepted nothing is answered under version 1, and version 1 does not come back."""
    first, second = sample_agreement(), sample_agreement(version=2, privacy=WIDER)
    agreements.learn(reply(record(first), record(second)))
    agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    agreements.accept("RTT-2026", 2, yes, now_s=NOW_S + 1)
    assert agreements.in_force("RTT-2026", 2) == second
    with pytest.raises(AgreementNotInForce, match="it was replaced by version 2"):
        agreements.in_force("RTT-2026", 1)
    with pytest.raises(AgreementNotInForce, match="version 2 is, and version 3 was not accepted yet"):
        agreements.in_force("RTT-2026", 3)
    with pytest.raises(AlreadyExists):
        agreements.accept("RTT-2026", 1, yes, now_s=NOW_S + 2)
    (acceptance,) = agreements.acceptances()
    assert (acceptance.at_s, acceptance.withdrawn) == (NOW_S + 1, False)


def test_withdrawal_needs_nobody(agreements: Agreements) -> None:
    """The department leaves at any moment; coming back is another decision of its own."""
    with pytest.raises(NameUnknown):
        agreements.withdraw("RTT-2026", now_s=NOW_S)
    agreements.learn(reply(record(sample_agreement())))
    agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    agreements.withdraw("RTT-2026", Reason.LEGAL, now_s=NOW_S + 5, note="see the minutes")
    with pytest.raises(AgreementNotInForce):
        agreements.in_force("RTT-2026", 1)
    agreements.learn(reply(record(sample_agreement())))
    with pytest.raises(AgreementNotInForce):
        agreements.in_force("RTT-2026", 1)
    (acceptance,) = agreements.acceptances()
    assert (acceptance.withdrawn, acceptance.at_s) == (True, NOW_S + 5)
    assert acceptance.reason is Reason.LEGAL  # the note stays here
    agreements.accept("RTT-2026", 1, yes, now_s=NOW_S + 9)
    assert agreements.in_force("RTT-2026", 1) == sample_agreement()


def test_proposals_mirror_the_coordinator_and_acceptances_do_not(agreements: Agreements) -> None:
    """A coordinator that forgets takes its proposals with it, and nothing that was accepted."""
    agreements.learn(reply(record(sample_agreement()), record(sample_agreement(id="OTHER"))))
    agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    agreements.learn(reply())
    assert [standing.agreement.id for standing in agreements.all()] == ["RTT-2026"]
    assert agreements.in_force("RTT-2026", 1) == sample_agreement()


def test_what_is_malformed_is_left_out(agreements: Agreements) -> None:
    """One broken document, or one that is none of ours, does not keep the others from being heard."""
    strange = sample_agreement(
        id="NOT-OURS",
        controllers=sample_agreement().controllers[1:],
        datasets=(replace(sample_agreement().datasets[0], holders=("south", "west")),),
        analysts=("*@south",),
    )
    broken = record(sample_agreement(id="BROKEN"))
    broken.signatures[0].signature = b"short"
    forged = record(sample_agreement(id="FORGED"))
    forged.signatures[0].signature = bytes(64)
    garbage = agreements_pb2.AgreementRecord(document=b"{", signatures=broken.signatures)
    agreements.learn(reply(garbage, record(strange), broken, forged, record(sample_agreement())))
    standings = {s.agreement.id: s.unsigned for s in agreements.all()}
    assert standings == {"BROKEN": ("north",), "FORGED": ("north",), "RTT-2026": ()}


def test_a_revocation_stays_heard(agreements: Agreements) -> None:
    """A revocation by a compared key counts for ever; one by anybody else, or forged, never."""
    key = seed_key("analyst").public.raw

    def revocation(by: str, department: str = "north") -> agreements_pb2.AuthorityReply:
        payload = encode_revocation(Revocation(department, key, NOW_S, "left"))
        signed = signed_to(Signed.make(Context.REVOCATION, payload, seed_key(by)))
        return agreements_pb2.AuthorityReply(revocations=[signed])

    forged = revocation("controller north")
    forged.revocations[0].signature = bytes(64)
    for rejected in (revocation("stranger"), revocation("controller south"), forged):
        agreements.learn(rejected)
        assert agreements.revoked(sample_agreement()) == frozenset()
    agreements.learn(revocation("controller north"))
    agreements.learn(reply())
    assert agreements.revoked(sample_agreement()) == {("north", key)}


def spoken_for(agreement: Agreement, key: str) -> Agreement:
    """The agreement with one more controller, whose key is the stranger's: he can sign it truly."""
    stranger = Controller("zz-office", "Office", seed_key(key).public.raw)
    return replace(agreement, controllers=(*agreement.controllers, stranger))


def decoy(agreement: Agreement) -> agreements_pb2.AgreementRecord:
    """What a stranger can publish: the true keys are listed, and only his own signed."""
    document = canonical_json(document_of(spoken_for(agreement, "stranger")))
    signed = Signed.make(Context.AGREEMENT, document, seed_key("stranger"))
    return agreements_pb2.AgreementRecord(document=document, signatures=[signed_to(signed)])


def test_a_decoy_is_in_nobodys_way(agreements: Agreements, trust: TrustStore) -> None:
    """Other texts of the same version, or of a newer one, do not keep the true one from being taken."""
    mine = sample_agreement()
    impostor = replace(
        mine,
        controllers=(
            Controller("north", "North Trust", seed_key("stranger").public.raw),
            *mine.controllers[1:],
        ),
    )
    document = canonical_json(document_of(impostor))
    signed = signed_to(Signed.make(Context.AGREEMENT, document, seed_key("stranger")))
    forged = agreements_pb2.AgreementRecord(document=document, signatures=[signed])
    agreements.learn(reply(decoy(mine), record(mine), forged, decoy(replace(mine, version=9))))
    assert agreements.proposal("RTT-2026").agreement == mine
    assert held_datasets(agreements.all(), "north")[0].standing.agreement == mine
    assert agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
    assert agreements.in_force("RTT-2026", 1) == mine
    with pytest.raises(AgreementNotInForce, match="own controller"):
        agreements.proposal("RTT-2026", 9)
    trust.trust("zz-office", seed_key("another").public.fingerprint)
    with pytest.raises(KeyUnknown, match="zz-office"):
        agreements.proposal("RTT-2026", 9)


def test_before_any_key_was_compared_there_is_a_text_to_compare_for(tmp_path: Path) -> None:
    """On the first day the proposal is found, so that its keys can be compared; accepting waits for that."""
    State.make(tmp_path / "state.sqlite", "north")
    with State(tmp_path / "state.sqlite") as state:
        store = TrustStore(tmp_path / "trust.json")
        agreements = Agreements(state, store)
        agreements.learn(reply(record(sample_agreement())))
        assert agreements.proposal("RTT-2026").untrusted == DEPARTMENTS
        with pytest.raises(KeyUnknown, match="north, south, west"):
            agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)
        for name in DEPARTMENTS:
            store.trust(name, seed_key(f"controller {name}").public.fingerprint)
        assert agreements.accept("RTT-2026", 1, yes, now_s=NOW_S)


def test_decoys_cannot_fill_a_limit(agreements: Agreements, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many proposals strangers publish, what the own controller signed is heard."""
    monkeypatch.setattr(hearing, "AGREEMENTS_MAX", 3)
    junk = [decoy(sample_agreement(id=f"D{number}")) for number in range(5)]
    agreements.learn(reply(*junk, record(sample_agreement()), *junk))
    heard = {standing.agreement.id for standing in agreements.all()}
    assert heard == {"RTT-2026", "D4", "D3", "D2"}


def test_junk_cannot_crowd_out_a_revocation(agreements: Agreements, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many revocations strangers publish, and in whichever department's name, a true one is heard."""
    monkeypatch.setattr(hearing, "REVOCATIONS_MAX", 3)

    def revocation(number: int, by: str, department: str) -> signed_pb2.Signed:
        payload = encode_revocation(Revocation(department, seed_key(f"{number}").public.raw, NOW_S, "x"))
        return signed_to(Signed.make(Context.REVOCATION, payload, seed_key(by)))

    junk = [revocation(number, "stranger", "north") for number in range(9)]
    junk += [revocation(number, "controller south", "north") for number in range(9)]
    true = revocation(99, "controller north", "north")
    broken = signed_pb2.Signed(payload=b"x", key=b"short", signature=b"")
    agreements.learn(agreements_pb2.AuthorityReply(revocations=[*junk, broken, true, *junk]))
    assert agreements.revoked(sample_agreement()) == {("north", seed_key("99").public.raw)}
    newer = [revocation(number, "controller north", "north") for number in range(5)]
    agreements.learn(agreements_pb2.AuthorityReply(revocations=newer))
    revoked = {key for _, key in agreements.revoked(sample_agreement())}
    assert revoked == {seed_key(name).public.raw for name in ("99", "4", "3", "2")}


def test_text_that_is_no_text_is_left_out(agreements: Agreements) -> None:
    """Half a surrogate pair in a document is one more way of being malformed, and stops nothing."""
    document = canonical_json(document_of(sample_agreement(id="BAD"))).replace(
        b"Waiting times", b"\\ud800", 1
    )
    signed = Signed.make(Context.AGREEMENT, document, seed_key("controller north"))
    bad = agreements_pb2.AgreementRecord(document=document, signatures=[signed_to(signed)])
    agreements.learn(reply(record(sample_agreement()), bad))
    assert [standing.agreement.id for standing in agreements.all()] == ["RTT-2026"]

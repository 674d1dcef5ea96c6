"""Decoys: texts with another one's name and version, and which text is meant all the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from samples import sample_agreement, seed_key

from fedstats.client.authority import Record, authority_of
from fedstats.client.standing import best_first, choose_to_sign, contradicted, doubts, earlier, vouchers
from fedstats.core.agreement import Agreement, Controller
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.errors import AgreementInvalid, KeyUnknown, NotAuthorised
from fedstats.identity.keys import Context, Signed
from fedstats.wire import codec
from fedstats.wire.v1 import agreements_pb2, signed_pb2

MALLORY = seed_key("mallory")
ALL = {name: seed_key(f"controller {name}").public.fingerprint for name in ("north", "south", "west")}
OWN = {"north": ALL["north"]}
REAL = sample_agreement(version=5)
# The true keys, and one more controller: whoever signs by ID would sign this if names were enough.
DECOY = replace(REAL, controllers=(*REAL.controllers, Controller("office", "Office", MALLORY.public.raw)))
# The true departments with keys of somebody else.
SWAPPED = replace(
    REAL, controllers=tuple(replace(c, key=seed_key(c.department).public.raw) for c in REAL.controllers)
)


def record(agreement: Agreement, *signers: str) -> Record:
    """A published text with these departments' signatures (`mallory`: hers)."""
    document = canonical_json(document_of(agreement))
    keys = [MALLORY if name == "mallory" else seed_key(f"controller {name}") for name in signers]
    return Record(
        document, agreement, tuple(Signed.make(Context.AGREEMENT, document, key) for key in keys), ()
    )


def test_a_text_is_known_by_the_keys_that_are_trusted_here() -> None:
    """Who vouches for it, whom it contradicts, and what to say of it."""
    real, decoy, swapped = record(REAL, "south"), record(DECOY, "mallory"), record(SWAPPED)
    assert vouchers(real, ALL) == ("south",)
    assert vouchers(real, OWN) == vouchers(decoy, ALL) == ()
    assert contradicted(SWAPPED, OWN) == ("north",)
    assert contradicted(DECOY, ALL) == ()
    assert doubts(real, ALL) == ""
    assert "not signed with any key" in doubts(decoy, ALL)
    assert "another key for north, south, west" in doubts(swapped, ALL)
    assert "not signed with any key" in doubts(real, {})


def test_a_trusted_signature_comes_before_a_higher_version() -> None:
    """What is shown first is what a trusted controller signed, whatever a stranger publishes later."""
    real = record(REAL, "south")
    decoy, swapped = record(replace(DECOY, version=9), "mallory"), record(replace(SWAPPED, version=10))
    assert best_first([swapped, decoy, real], ALL) == (real, decoy, swapped)


def test_a_new_version_is_compared_with_what_was_agreed() -> None:
    """Not with a later text of a stranger that already says what the new one widens."""
    agreed, new = record(REAL, "north", "south", "west"), replace(REAL, version=9)
    mine = record(replace(REAL, version=6), "north")
    decoys = [record(replace(DECOY, version=8), "mallory"), record(replace(SWAPPED, version=7))]

    def compared(records: Sequence[Record], trusted: dict[str, str]) -> tuple[int, str]:
        found = earlier(records, new, "north", trusted)
        assert found is not None
        return found.agreement.version, found.words

    assert compared([*decoys, mine, agreed], ALL) == (5, "all controllers signed")
    assert compared([*decoys, mine, agreed], OWN) == (6, "you signed before")
    assert compared(decoys, ALL)[1].startswith("was published, and does not count here")
    assert earlier([agreed], REAL, "north", ALL) is None
    same_number = earlier([agreed], replace(REAL, nodes_min=1), "north", ALL)
    assert same_number is not None
    assert same_number.agreement == REAL


@pytest.mark.parametrize(
    "decoys",
    [
        [record(DECOY, "mallory")],
        [record(replace(DECOY, version=9), "mallory")],
        [record(SWAPPED), record(replace(SWAPPED, version=7))],
    ],
)
def test_decoys_do_not_keep_anybody_from_signing(decoys: Sequence[Record]) -> None:
    """The text that another trusted controller signed is chosen, whatever version the decoys have."""
    real = record(REAL, "south")
    chosen = choose_to_sign([*decoys, real], "north", ALL)
    assert chosen.record == real
    assert all(other in decoys for other in chosen.passed_over)


def test_without_a_trusted_signature_several_texts_are_told_apart_by_their_hash() -> None:
    """Nothing is guessed: the hashes are named, and a prefix chooses."""
    real, decoy = record(REAL, "south"), record(DECOY, "mallory")
    with pytest.raises(AgreementInvalid, match=real.hash.hex()[:12]) as refused:
        choose_to_sign([decoy, real], "north", OWN)
    assert decoy.hash.hex()[:12] in refused.value.sentence
    assert "--hash" in refused.value.advice
    for one in (real, decoy):
        prefix = one.hash.hex()[:8].upper()
        assert choose_to_sign([decoy, real], "north", OWN, hash_prefix=prefix).record == one
    with pytest.raises(AgreementInvalid, match="begins so"):
        choose_to_sign([decoy, real], "north", OWN, hash_prefix="x")


def test_a_first_text_is_signed_and_the_newest_of_them() -> None:
    """With only the own key trusted, as at the beginning, the newest text is chosen."""
    old, new = record(REAL, "north", "south"), record(replace(REAL, version=6), "south")
    assert choose_to_sign([old, new], "north", OWN).record == new


def test_a_text_that_contradicts_trusted_keys_is_never_signed() -> None:
    """Not even by its hash: another key for a department must be compared first."""
    swapped = record(SWAPPED)
    with pytest.raises(KeyUnknown, match="north"):
        choose_to_sign([swapped], "north", OWN)
    with pytest.raises(KeyUnknown):
        choose_to_sign([swapped], "north", OWN, hash_prefix=swapped.hash.hex())
    with pytest.raises(KeyUnknown, match="east"):
        choose_to_sign([record(REAL)], "east", OWN)


@pytest.mark.parametrize(
    "junk",
    [b"", b"{", b"\xff", b'{"id": "\\ud800"}', b'"\\udfff"', b"[" * 50_000, b'{"version": 1e999}', b"NaN"],
)
def test_one_record_that_cannot_be_read_hides_no_other(junk: bytes) -> None:
    """Whatever a stranger publishes, the rest is there."""
    real = record(REAL, "south")
    lone = canonical_json(document_of(REAL)).replace(b"What we do.", b"What \\ud800 we do.")
    reply = agreements_pb2.AuthorityReply(
        agreements=[
            agreements_pb2.AgreementRecord(document=junk),
            agreements_pb2.AgreementRecord(document=lone),
            agreements_pb2.AgreementRecord(document=real.document),
        ],
        appointments=[signed_pb2.Signed(payload=junk, key=b"x")],
        revocations=[codec.signed_to(Signed.make(Context.REVOCATION, junk, MALLORY))],
    )
    found = authority_of(reply)
    assert [one.hash for one in found.records] == [hashlib.sha256(real.document).digest()]
    assert found.revocations == ()


def test_a_signed_revocation_that_cannot_be_read_stops_nobody() -> None:
    """Even made with a controller's key it revokes nothing, and every other check goes on."""
    analyst, north = seed_key("a.smith").public, seed_key("controller north")
    appointment = Appointment("north", AppointedRole.ANALYST, "a.smith", analyst.raw, 1_000, 2_000)
    signed = Signed.make(Context.APPOINTMENT, codec.encode_appointment(appointment), north)
    reply = agreements_pb2.AuthorityReply(
        appointments=[
            codec.signed_to(Signed.make(Context.APPOINTMENT, b"junk", MALLORY)),
            codec.signed_to(signed),
        ],
        revocations=[codec.signed_to(Signed.make(Context.REVOCATION, b"junk", north))],
    )
    authority = authority_of(reply)
    assert authority.analyst(REAL, analyst, now_s=1_500) == signed
    assert authority.appointed_key(analyst.fingerprint) == analyst
    assert authority.appointed_key(MALLORY.public.fingerprint) is None
    with pytest.raises(NotAuthorised):
        authority.analyst(REAL, MALLORY.public, now_s=1_500)

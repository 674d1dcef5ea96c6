"""Who may do what: agreements by all their controllers, appointments and revocations by one."""

from __future__ import annotations

import pytest
from samples import DEPARTMENTS, NOW_S, sample_agreement, seed_key

from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole, Appointment, Revocation
from fedstats.errors import (
    AgreementNotInForce,
    AppointmentInvalid,
    FedstatsError,
    KeyUnknown,
    SignatureInvalid,
)
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.testing.mutations import mutations
from fedstats.wire import codec
from fedstats.wire.authority import revoked_keys, unsigned_by, verify_agreement, verify_appointment
from fedstats.wire.v1 import signed_pb2

AGREEMENT = sample_agreement()
DOCUMENT = canonical_json(document_of(AGREEMENT))
CONTROLLERS = {name: seed_key(f"controller {name}") for name in DEPARTMENTS}
SIGNATURES = [Signed.make(Context.AGREEMENT, DOCUMENT, key) for key in CONTROLLERS.values()]
ANALYST = seed_key("a.smith")


def trusted(department: str, key: PublicKey) -> bool:
    """The controllers' keys were compared by telephone."""
    return CONTROLLERS[department].public == key


def appoint(by: str = "north", /, **changes: object) -> Signed:
    """An appointment of a.smith@north, signed by `by`'s controller; `changes` replace its fields."""
    fields: dict[str, object] = {
        "department": "north",
        "role": AppointedRole.ANALYST,
        "name": "a.smith",
        "key": ANALYST.public.raw,
        "from_s": NOW_S - 10,
        "until_s": NOW_S + 10,
    }
    appointment = Appointment(**{**fields, **changes})  # type: ignore[arg-type]  # a table of fields
    return Signed.make(Context.APPOINTMENT, codec.encode_appointment(appointment), CONTROLLERS[by])


def verified(
    signed: Signed, revoked: frozenset[tuple[str, bytes]] = frozenset(), now_s: int = NOW_S
) -> Appointment:
    """Verify as an analyst's appointment under the sample agreement."""
    return verify_appointment(signed, AppointedRole.ANALYST, AGREEMENT, now_s=now_s, revoked=revoked)


def test_an_agreement_needs_every_controller() -> None:
    """It counts with all signatures, and without any one of them it does not."""
    assert verify_agreement(DOCUMENT, SIGNATURES, trusted) == AGREEMENT
    for i, department in enumerate(DEPARTMENTS):
        rest = SIGNATURES[:i] + SIGNATURES[i + 1 :]
        with pytest.raises(AgreementNotInForce, match=department):
            verify_agreement(DOCUMENT, rest, trusted)


def test_a_controllers_key_must_have_been_compared() -> None:
    """A swapped key in an otherwise complete agreement is refused by whoever compared fingerprints."""
    with pytest.raises(KeyUnknown, match="west"):
        verify_agreement(DOCUMENT, SIGNATURES, lambda department, _key: department != "west")


def test_signatures_of_another_kind_or_document_do_not_count() -> None:
    """A signature under another context, document or by a stranger leaves the controller unsigned."""
    other = canonical_json(document_of(sample_agreement(version=2)))
    north = CONTROLLERS["north"]
    for wrong in (
        Signed.make(Context.QUERY, DOCUMENT, north),
        Signed.make(Context.AGREEMENT, other, north),
        Signed.make(Context.AGREEMENT, DOCUMENT, seed_key("stranger")),
        Signed(DOCUMENT, north.public, SIGNATURES[1].signature),
    ):
        assert "north" in unsigned_by(AGREEMENT, DOCUMENT, [wrong, *SIGNATURES[1:]])


def test_an_appointment_by_the_own_controller_holds() -> None:
    """North's controller appoints north's analyst."""
    assert verified(appoint()).name == "a.smith"


def test_a_controller_speaks_for_its_own_organisation_only() -> None:
    """South's controller cannot appoint an analyst in north's name."""
    with pytest.raises(AppointmentInvalid):
        verified(appoint("south"))


@pytest.mark.parametrize(
    "changes",
    [
        {"role": AppointedRole.NODE, "name": "north"},
        {"name": "b.jones"},
        {"from_s": NOW_S + 1},
        {"until_s": NOW_S},
    ],
)
def test_an_appointment_is_for_its_role_list_and_time(changes: dict[str, object]) -> None:
    """A node is no analyst, a colleague is not on the list, early and late are refused."""
    with pytest.raises(AppointmentInvalid):
        verified(appoint("north", **changes))


def test_a_revocation_that_cannot_be_read_stops_nothing() -> None:
    """Whatever a stranger, or even a controller, signs as a revocation: the true ones count."""
    payload = codec.encode_revocation(Revocation("north", ANALYST.public.raw, NOW_S, "left"))
    broken = [Signed.make(Context.REVOCATION, b"\xff", key) for key in (ANALYST, *CONTROLLERS.values())]
    forged = Signed(payload, CONTROLLERS["north"].public, bytes(64))
    true = Signed.make(Context.REVOCATION, payload, CONTROLLERS["north"])
    assert revoked_keys([*broken, forged], AGREEMENT) == frozenset()
    assert revoked_keys([*broken, forged, true], AGREEMENT) == {("north", ANALYST.public.raw)}


def test_a_revocation_by_the_own_controller_ends_it_and_a_strangers_does_not() -> None:
    """Only the department that appointed a key can revoke it."""
    payload = codec.encode_revocation(Revocation("north", ANALYST.public.raw, NOW_S, "left"))
    own = revoked_keys([Signed.make(Context.REVOCATION, payload, CONTROLLERS["north"])], AGREEMENT)
    with pytest.raises(AppointmentInvalid, match="revoked"):
        verified(appoint(), own)
    foreign = revoked_keys([Signed.make(Context.REVOCATION, payload, CONTROLLERS["south"])], AGREEMENT)
    assert verified(appoint(), foreign).name == "a.smith"


def test_every_changed_field_of_an_appointment_is_refused() -> None:
    """The signature covers every field: each one changed in turn is refused."""
    signed = appoint()
    message = signed_pb2.Appointment.FromString(signed.payload)
    changed = [other.SerializeToString(deterministic=True) for _, other in mutations(message)]
    assert len(changed) == len(message.DESCRIPTOR.fields)
    for payload in changed:
        with pytest.raises(SignatureInvalid):
            verified(Signed(payload, signed.key, signed.signature))


def test_every_flipped_bit_of_an_agreement_is_refused() -> None:
    """One flipped bit anywhere in the document is refused, whatever it does to the JSON."""
    for i in range(0, len(DOCUMENT), 7):
        flipped = DOCUMENT[:i] + bytes([DOCUMENT[i] ^ 1]) + DOCUMENT[i + 1 :]
        with pytest.raises(FedstatsError):
            verify_agreement(flipped, [Signed(flipped, s.key, s.signature) for s in SIGNATURES], trusted)

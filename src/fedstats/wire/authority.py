"""Verifying who may do what: agreements by all their controllers, appointments and revocations by one.

Nodes and clients use the same rules; neither believes the coordinator, which only relays these documents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_from_json
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.witness import Witness
from fedstats.errors import (
    AgreementNotInForce,
    AppointmentInvalid,
    KeyUnknown,
    MessageInvalid,
    SignatureInvalid,
)
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.wire.codec.authority import decode_appointment, decode_revocation
from fedstats.wire.codec.witnesses import decode_witness

Trusted = Callable[[str, PublicKey], bool]
"""Whether this key was compared out of band and is trusted as the controller of this department."""


def verify_agreement(document: bytes, signatures: Sequence[Signed], trusted: Trusted) -> Agreement:
    """The agreement, when every one of its controllers signed exactly these bytes with a key trusted here.

    Raises
    ------
    AgreementInvalid
        The document is no canonical agreement.
    KeyUnknown
        A controller's key has not been compared and trusted here.
    AgreementNotInForce
        A controller has not signed.

    """
    agreement = agreement_from_json(document)
    for controller in agreement.controllers:
        if not trusted(controller.department, PublicKey(controller.key)):
            fingerprint = PublicKey(controller.key).fingerprint
            sentence = f"The key of {controller.department}'s controller, {fingerprint}, is not trusted here."
            raise KeyUnknown(
                sentence,
                remedy=f"Compare it by telephone, then: fedstats controller trust {controller.department} ..",
            )
    missing = unsigned_by(agreement, document, signatures)
    if missing:
        sentence = (
            f"Agreement {agreement.id} version {agreement.version} is not signed by {', '.join(missing)}."
        )
        raise AgreementNotInForce(sentence)
    return agreement


def unsigned_by(agreement: Agreement, document: bytes, signatures: Iterable[Signed]) -> tuple[str, ...]:
    """The departments whose controller has not (validly) signed this document."""
    signed = {s.key.raw for s in signatures if s.payload == document and _holds(s, Context.AGREEMENT)}
    return tuple(c.department for c in agreement.controllers if c.key not in signed)


def verify_appointment(
    signed: Signed,
    role: AppointedRole,
    agreement: Agreement,
    *,
    now_s: int,
    revoked: Collection[tuple[str, bytes]],
) -> Appointment:
    """The appointment, when the agreement's controller of that department made it and it holds now.

    `revoked` are (department, key) pairs of `revoked_keys`.

    Raises
    ------
    SignatureInvalid, MessageInvalid
        The bytes or the signature are not valid.
    AppointmentInvalid
        Made by someone else, for another role, expired, revoked, or not on the agreement's list.

    """
    appointment = decode_appointment(signed.verify(Context.APPOINTMENT))
    department = appointment.department
    controller = agreement.controller(department)
    if controller is None or controller.key != signed.key.raw:
        sentence = (
            f"{department}'s controller in {agreement.id} did not make the appointment of {appointment.name}."
        )
        raise AppointmentInvalid(sentence)
    if appointment.role is not role:
        sentence = f"{appointment.name} is not appointed as {role.value}."
        raise AppointmentInvalid(sentence)
    if not appointment.holds_at(now_s):
        sentence = f"The appointment of {appointment.name} by {department} has expired, or has not begun."
        raise AppointmentInvalid(sentence, remedy=f"Ask {department}'s controller for a new one.")
    if (department, appointment.key) in revoked:
        sentence = f"The appointment of {appointment.name} was revoked by {department}."
        raise AppointmentInvalid(sentence)
    if role is AppointedRole.ANALYST and not agreement.allows_analyst(appointment.name, department):
        sentence = (
            f"{appointment.name}@{department} is not on the list of analysts of agreement {agreement.id}."
        )
        raise AppointmentInvalid(sentence)
    return appointment


def verify_witness(
    signed: Signed, department: str, *, own: PublicKey, appointments: Iterable[Signed], trusted: Trusted
) -> Witness:
    """The witness of a department's ledger: signed by its own node's key, or by one that it had before.

    A former key counts when the department's controller ever appointed it, expired and revoked ones too: what
    was spent under it stays spent.

    Raises
    ------
    SignatureInvalid, MessageInvalid
        The bytes or the signature are not valid, or it is another department's.
    KeyUnknown
        No controller who is trusted here appointed the key for this department.

    """
    witness = decode_witness(signed.verify(Context.WITNESS))
    if witness.department != department:
        raise MessageInvalid(f"This is a witness of another ledger than {department}'s.")
    if signed.key == own or was_appointed(signed.key, department, appointments, trusted):
        return witness
    raise KeyUnknown(
        f"An earlier node of {department} spent budget, and the key {signed.key.fingerprint} that says so"
        " was not appointed by a controller who is trusted here. Until that is known nothing is answered.",
        remedy="Compare the key of your own controller by telephone, then: "
        f"fedstats controller trust {department} FINGERPRINT",
    )


def was_appointed(key: PublicKey, department: str, appointments: Iterable[Signed], trusted: Trusted) -> bool:
    """Whether the department's trusted controller ever said that this is its node's key."""
    return any(_appoints(signed, department, key, trusted) for signed in appointments)


def revoked_keys(revocations: Iterable[Signed], agreement: Agreement) -> frozenset[tuple[str, bytes]]:
    """The (department, key) pairs that the agreement's own controllers revoked; others count nothing."""
    found, keys = set(), {controller.key for controller in agreement.controllers}
    for signed in revocations:
        if signed.key.raw not in keys:  # before anything is verified: strangers can publish many
            continue
        try:
            revocation = decode_revocation(signed.verify(Context.REVOCATION))
        except (SignatureInvalid, MessageInvalid):
            continue
        controller = agreement.controller(revocation.department)
        if controller is not None and controller.key == signed.key.raw:
            found.add((revocation.department, revocation.key))
    return frozenset(found)


def _appoints(signed: Signed, department: str, key: PublicKey, trusted: Trusted) -> bool:
    """Whether this is the word of the department's trusted controller that the key is, or was, its node's."""
    try:
        appointment = decode_appointment(signed.payload)
        named = (appointment.department, appointment.role, appointment.key)
        if named != (department, AppointedRole.NODE, key.raw) or not trusted(department, signed.key):
            return False
        signed.verify(Context.APPOINTMENT)
    except (SignatureInvalid, MessageInvalid):
        return False
    return True


def _holds(signed: Signed, context: Context) -> bool:
    try:
        signed.verify(context)
    except SignatureInvalid:
        return False
    return True

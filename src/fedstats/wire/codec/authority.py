"""Appointments, revocations, acceptances and approvals as signed bytes."""

from __future__ import annotations

from fedstats.core.appointment import Acceptance, AppointedRole, Appointment, Revocation
from fedstats.core.approval import Approval
from fedstats.core.reason import Reason
from fedstats.wire.codec.strict import decode_strictly, to_bytes
from fedstats.wire.v1 import signed_pb2

_ROLES = {AppointedRole.NODE: signed_pb2.ROLE_NODE, AppointedRole.ANALYST: signed_pb2.ROLE_ANALYST}
_ROLES_BACK = {number: role for role, number in _ROLES.items()}


def encode_appointment(appointment: Appointment) -> bytes:
    """The bytes that a controller signs."""
    return to_bytes(_appointment_to(appointment))


def decode_appointment(payload: bytes) -> Appointment:
    """The appointment in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of an appointment.

    """
    return decode_strictly(payload, signed_pb2.Appointment, _appointment_from, _appointment_to)


def encode_revocation(revocation: Revocation) -> bytes:
    """The bytes that a controller signs."""
    return to_bytes(_revocation_to(revocation))


def decode_revocation(payload: bytes) -> Revocation:
    """The revocation in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a revocation.

    """
    return decode_strictly(
        payload,
        signed_pb2.Revocation,
        lambda m: Revocation(m.department, m.key, m.at_s, m.reason),
        _revocation_to,
    )


def encode_acceptance(acceptance: Acceptance) -> bytes:
    """The bytes that a node signs."""
    return to_bytes(_acceptance_to(acceptance))


def decode_acceptance(payload: bytes) -> Acceptance:
    """The acceptance in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of an acceptance.

    """
    return decode_strictly(
        payload,
        signed_pb2.Acceptance,
        _acceptance_from,
        _acceptance_to,
    )


def encode_approval(approval: Approval) -> bytes:
    """The bytes that an approver signs."""
    return to_bytes(_approval_to(approval))


def decode_approval(payload: bytes) -> Approval:
    """The approval in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of an approval.

    """
    return decode_strictly(
        payload, signed_pb2.Approval, lambda m: Approval(m.department, m.query, m.at_s), _approval_to
    )


def _approval_to(approval: Approval) -> signed_pb2.Approval:
    return signed_pb2.Approval(department=approval.department, query=approval.query, at_s=approval.at_s)


def _appointment_to(appointment: Appointment) -> signed_pb2.Appointment:
    return signed_pb2.Appointment(
        department=appointment.department,
        role=_ROLES[appointment.role],
        name=appointment.name,
        key=appointment.key,
        from_s=appointment.from_s,
        until_s=appointment.until_s,
    )


def _appointment_from(message: signed_pb2.Appointment) -> Appointment:
    if message.role not in _ROLES_BACK:
        raise ValueError
    return Appointment(
        department=message.department,
        role=_ROLES_BACK[message.role],
        name=message.name,
        key=message.key,
        from_s=message.from_s,
        until_s=message.until_s,
    )


def _revocation_to(revocation: Revocation) -> signed_pb2.Revocation:
    return signed_pb2.Revocation(
        department=revocation.department, key=revocation.key, at_s=revocation.at_s, reason=revocation.reason
    )


def _acceptance_to(acceptance: Acceptance) -> signed_pb2.Acceptance:
    return signed_pb2.Acceptance(
        department=acceptance.department,
        agreement=acceptance.agreement,
        withdrawn=acceptance.withdrawn,
        at_s=acceptance.at_s,
        reason=acceptance.reason.value if acceptance.reason else "",
    )


def _acceptance_from(message: signed_pb2.Acceptance) -> Acceptance:
    reason = Reason.of(message.reason) if message.reason else None
    return Acceptance(message.department, message.agreement, message.withdrawn, message.at_s, reason)

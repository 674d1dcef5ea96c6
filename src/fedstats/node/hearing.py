"""What a node keeps of what the coordinator relays: what its own controller signed first, junk never.

Whoever may publish can publish much. So what is relayed is sorted by whom this node trusts before anything is
counted: no limit here can be filled by somebody whose key was not compared here.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256

from fedstats.core.agreement_document import agreement_from_json
from fedstats.core.appointment import AppointedRole
from fedstats.errors import FedstatsError
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.journal.events import DOCUMENT_LEFT_OUT
from fedstats.journal.security import alarm
from fedstats.wire.codec import decode_appointment, decode_revocation, signed_from
from fedstats.wire.v1 import agreements_pb2, signed_pb2

AGREEMENTS_MAX = 200  # proposals that the own controller signed, and as many again that it did not sign yet
REVOCATIONS_MAX = 10_000  # of one controller's key

Fingerprints = Mapping[str, str]
"""The fingerprint of each department's controller that was compared here."""


def hear_agreements(
    sqlite: sqlite3.Connection,
    department: str,
    trusted: Fingerprints,
    records: Iterable[agreements_pb2.AgreementRecord],
) -> None:
    """Keep the newest proposals that name this department, with the signatures of their controllers.

    Those signed by the department's own controller, with the key that was compared here, have a limit of
    their own, which nobody else's can fill.
    """
    named = f'"department":"{department}"'.encode()  # as canonical JSON has it, in nothing else
    kept = Counter[bool]()
    for record in reversed(list(records)):  # the coordinator relays the oldest first
        with leaving_out_what_is_malformed():
            if named not in record.document:
                continue
            own = _is_signed_by(trusted.get(department, ""), record)
            if kept[own] < AGREEMENTS_MAX:
                kept[own] += _keep_agreement(sqlite, department, record)


def hear_revocations(
    sqlite: sqlite3.Connection, trusted: Fingerprints, messages: Iterable[signed_pb2.Signed]
) -> None:
    """Keep the revocations that are made with a key that was compared here; the newest of each key."""
    compared = set(trusted.values())
    kept = Counter[bytes]()
    for message in reversed(list(messages)):
        with leaving_out_what_is_malformed():
            if PublicKey(message.key).fingerprint not in compared:
                continue  # before anything is counted or verified
            if kept[message.key] < REVOCATIONS_MAX:
                kept[message.key] += _keep_revocation(sqlite, trusted, message)


def appointed_nodes(trusted: Fingerprints, appointments: Iterable[Signed]) -> frozenset[tuple[str, bytes]]:
    """(department, key) of each node that a controller whose key was compared here appointed at any time."""
    found = set()
    for signed in appointments:
        with suppress(FedstatsError, ValueError):
            if signed.key.fingerprint not in trusted.values():
                continue  # before anything is verified
            appointment = decode_appointment(signed.payload)
            if appointment.role is AppointedRole.NODE and (
                trusted.get(appointment.department) == signed.key.fingerprint
            ):
                signed.verify(Context.APPOINTMENT)
                found.add((appointment.department, appointment.key))
    return frozenset(found)


def readable(messages: Iterable[signed_pb2.Signed]) -> tuple[Signed, ...]:
    """Those that are signed documents at all; their signatures are not verified yet."""
    found = []
    for message in messages:
        with leaving_out_what_is_malformed():
            found.append(signed_from(message))
    return tuple(found)


@contextmanager
def leaving_out_what_is_malformed() -> Iterator[None]:
    """Log what one document raises and go on with the next: a broken one must not silence the others."""
    try:
        yield
    except (FedstatsError, ValueError, TypeError, ArithmeticError, RecursionError) as problem:
        DOCUMENT_LEFT_OUT(problem=problem)
        if isinstance(problem, FedstatsError):
            alarm(problem)


def _is_signed_by(fingerprint: str, record: agreements_pb2.AgreementRecord) -> bool:
    """Whether the key of this fingerprint signed the document."""
    for message in record.signatures:
        try:
            key = PublicKey(message.key)
            if key.fingerprint == fingerprint:
                key.verify(Context.AGREEMENT, record.document, message.signature)
                return True
        except FedstatsError:  # no key, or not its signature
            continue
    return False


def _keep_agreement(
    sqlite: sqlite3.Connection, department: str, record: agreements_pb2.AgreementRecord
) -> bool:
    document = record.document
    agreement = agreement_from_json(document)
    if department not in agreement.departments:
        return False
    digest = sha256(document).digest()
    sqlite.execute(
        "INSERT OR IGNORE INTO agreement (hash, id, version, document) VALUES (?, ?, ?, ?)",
        (digest, agreement.id, agreement.version, document),
    )
    controllers = {controller.key for controller in agreement.controllers}
    for message in {m.key: m for m in record.signatures if m.key in controllers}.values():
        with leaving_out_what_is_malformed():
            signed = Signed(document, PublicKey(message.key), message.signature)
            signed.verify(Context.AGREEMENT)
            sqlite.execute(
                "INSERT OR IGNORE INTO signature VALUES (?, ?, ?)", (digest, signed.key.raw, signed.signature)
            )
    return True


def _keep_revocation(sqlite: sqlite3.Connection, trusted: Fingerprints, message: signed_pb2.Signed) -> bool:
    known = sqlite.execute(
        "SELECT 1 FROM revocation WHERE payload = ? AND key = ?", (message.payload, message.key)
    )
    if known.fetchone():
        return True
    signed = signed_from(message)
    revocation = decode_revocation(signed.verify(Context.REVOCATION))
    if trusted.get(revocation.department) != signed.key.fingerprint:
        return False
    sqlite.execute(
        "INSERT INTO revocation VALUES (?, ?, ?)", (signed.payload, signed.key.raw, signed.signature)
    )
    return True

"""The agreement under which somebody asks: published, signed by all, its controller appointed the analyst."""

from __future__ import annotations

from functools import lru_cache

from fedstats.coordinator.store import Store
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_from_json
from fedstats.core.appointment import AppointedRole
from fedstats.core.query import Query
from fedstats.errors import AgreementNotInForce, AppointmentInvalid, FedstatsError
from fedstats.identity.keys import Signed
from fedstats.wire.authority import revoked_keys, unsigned_by, verify_appointment
from fedstats.wire.codec import decode_appointment, signed_from

READ_MAX = 16  # agreements that are kept as read


def agreement_of(store: Store, query: Query, appointment: Signed, now_s: float) -> Agreement:
    """The published agreement that is signed by all and whose controller appointed the analyst.

    Raises
    ------
    AgreementNotInForce
        No agreement of this name was published and signed by all its controllers.
    AppointmentInvalid
        None of them appointed the analyst.

    """
    name = f"Agreement {query.agreement} version {query.agreement_version}"
    problem: FedstatsError = AgreementNotInForce(f"{name} has not been published here.")
    for stored in store.documents.agreements_of(query.agreement, query.agreement_version):
        # First what costs nothing: anybody may have published something large under this name.
        if appointment.key not in {signature.key for signature in stored.signatures}:
            problem = AgreementNotInForce(f"{name} is not signed by the controller who appointed you.")
            continue
        agreement, missing = _read(stored.document, tuple(stored.signatures))
        if missing:
            problem = AgreementNotInForce(f"{name} lacks the signatures of {', '.join(missing)}.")
            continue
        try:
            _check_appointment(store, appointment, agreement, now_s)
        except AppointmentInvalid as refusal:
            problem = refusal
        else:
            return agreement
    raise problem


@lru_cache(maxsize=READ_MAX)
def _read(document: bytes, signatures: tuple[Signed, ...]) -> tuple[Agreement, tuple[str, ...]]:
    """The agreement, and who has not signed it: with a thousand controllers that takes half a second."""
    agreement = agreement_from_json(document)
    return agreement, unsigned_by(agreement, document, signatures)


def _check_appointment(store: Store, signed: Signed, agreement: Agreement, now_s: float) -> None:
    about = decode_appointment(signed.payload)
    said = store.documents.revocation(about.department, signed.key.raw, about.key)
    revoked = revoked_keys([signed_from(said)] if said else [], agreement)
    verify_appointment(signed, AppointedRole.ANALYST, agreement, now_s=int(now_s), revoked=revoked)

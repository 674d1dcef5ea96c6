"""What the controllers signed, as the coordinator relayed it: agreements, appointments, revocations.

Nothing here is believed before `wire.authority` verified it against the keys trusted on this computer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from fedstats.core.agreement import Agreement, Controller
from fedstats.core.agreement_document import agreement_from_json
from fedstats.core.appointment import Acceptance, AppointedRole, Appointment
from fedstats.errors import (
    AgreementNotInForce,
    AppointmentInvalid,
    AuthorityError,
    FedstatsError,
    KeyUnknown,
    NameUnknown,
    NotAuthorised,
)
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.wire.authority import Trusted, revoked_keys, unsigned_by, verify_agreement, verify_appointment
from fedstats.wire.codec import decode_acceptance, decode_appointment, decode_revocation, signed_from
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import agreements_pb2, signed_pb2

log = logging.getLogger("fedstats.client")


@dataclass(frozen=True, slots=True)
class Record:
    """One version of an agreement as it was relayed, with the signatures under it. Not verified."""

    document: bytes
    agreement: Agreement
    signatures: tuple[Signed, ...]
    acceptances: tuple[Signed, ...]

    @property
    def hash(self) -> bytes:
        """SHA-256 of what is signed."""
        return sha256(self.document)

    @property
    def unsigned(self) -> tuple[str, ...]:
        """The departments whose controller has not signed."""
        return unsigned_by(self.agreement, self.document, self.signatures)

    def verified(self, trusted: Trusted) -> Agreement:
        """The agreement, when all its controllers signed it with keys trusted here; raises AuthorityError."""
        return verify_agreement(self.document, self.signatures, trusted)

    def strangers(self, trusted: Trusted) -> tuple[Controller, ...]:
        """The controllers whose keys are not trusted here yet."""
        return tuple(c for c in self.agreement.controllers if not trusted(c.department, PublicKey(c.key)))


@dataclass(frozen=True, slots=True)
class Authority:
    """Everything that was relayed. What cannot be read is left out: anybody may send the coordinator junk."""

    records: tuple[Record, ...]
    appointments: tuple[Signed, ...]
    revocations: tuple[Signed, ...]

    def versions(self, agreement_id: str) -> tuple[Record, ...]:
        """All versions of one agreement, the newest first.

        Raises
        ------
        NameUnknown
            There is none of this name.

        """
        found = [record for record in self.records if record.agreement.id == agreement_id]
        if not found:
            known = ", ".join(sorted({record.agreement.id for record in self.records})) or "none yet"
            raise NameUnknown(
                f"No agreement is called {agreement_id[:48]!r}; there is {known}.",
                remedy="See them with: fedstats agreement list",
            )
        return tuple(sorted(found, key=lambda record: -record.agreement.version))

    def accepted_by(self, record: Record) -> tuple[str, ...]:
        """The departments whose node says that the agreement was accepted there and not withdrawn from."""
        newest = self.decisions(record)
        return tuple(
            name for name in record.agreement.departments if name in newest and not newest[name].withdrawn
        )

    def decisions(self, record: Record) -> Mapping[str, Acceptance]:
        """What each department's node said last about the agreement, as far as an appointed key signed it."""
        newest: dict[str, Acceptance] = {}
        nodes = {(a.department, a.key) for a in self._appointed(AppointedRole.NODE, record.agreement)}
        keys = {key for _, key in nodes}  # looked at first, so that junk is cheap
        for signed in record.acceptances:
            if signed.key.raw not in keys:
                continue
            try:
                note = decode_acceptance(signed.verify(Context.ACCEPTANCE))
            except (FedstatsError, ValueError):
                continue
            known = newest.get(note.department)
            # At one second the withdrawal wins, as at the coordinator: what stops needs nobody else.
            newer = known is None or (note.at_s, note.withdrawn) > (known.at_s, known.withdrawn)
            if note.agreement == record.hash and (note.department, signed.key.raw) in nodes and newer:
                newest[note.department] = note
        return newest

    def nodes(self) -> frozenset[tuple[str, bytes]]:
        """(department, key) of each node that a controller ever appointed, under agreements signed by all.

        Without those that were revoked: nobody can prove when a revoked key signed.
        """
        found = set()
        for record in self.records:
            if not record.unsigned:
                revoked = self._revoked(record.agreement)
                appointed = self._appointed(AppointedRole.NODE, record.agreement)
                found |= {(a.department, a.key) for a in appointed} - revoked
        return frozenset(found)

    def analyst(self, agreement: Agreement, key: PublicKey, *, now_s: int) -> Signed:
        """The appointment of this analyst's key under the agreement.

        Raises
        ------
        NotAuthorised
            No controller of the agreement appointed the key, or none of the appointments counts now.

        """
        problem = "No controller appointed your key yet."
        revoked = self._revoked(agreement)
        for signed in self.appointments:
            appointment = _decoded(signed)
            if appointment is None or appointment.key != key.raw:
                continue
            try:
                verify_appointment(signed, AppointedRole.ANALYST, agreement, now_s=now_s, revoked=revoked)
            except FedstatsError as refusal:
                problem = refusal.sentence
            else:
                return signed
        printing = "fedstats rotate-key --now" if self.ended(agreement, key) else "fedstats join"
        raise NotAuthorised(
            problem, remedy=f"Give your organisation's controller the line that this prints: {printing}"
        )

    def ended(self, agreement: Agreement, key: PublicKey) -> bool:
        """Whether a controller revoked the key: appointing it again would change nothing."""
        return any(raw == key.raw for _, raw in self._revoked(agreement))

    def check_node(
        self, agreement: Agreement, department: str, key: PublicKey, between: tuple[int, int]
    ) -> None:
        """Return if the department's controller appointed this key as its node, at some time in `between`.

        So an answer stays valid when the appointment ends after it was given. A revocation has no such
        grace: who holds a revoked key could say that anything was signed before.

        Raises
        ------
        AppointmentInvalid
            Nobody did, or none of the appointments counts now.

        """
        refusal = AppointmentInvalid(f"The key that signed for {department} is not appointed as its node.")
        revoked = self._revoked(agreement)
        for signed in self.appointments:
            appointment = _decoded(signed)
            if appointment is None or (appointment.department, appointment.key) != (department, key.raw):
                continue
            since_s, now_s = between
            at_s = min(now_s, max(appointment.until_s - 1, since_s))  # the last moment that may count
            try:
                verify_appointment(signed, AppointedRole.NODE, agreement, now_s=at_s, revoked=revoked)
            except FedstatsError as problem:
                refusal = AppointmentInvalid(problem.sentence)
            else:
                return
        raise refusal

    def appointed_key(self, fingerprint: str) -> PublicKey | None:
        """The key of this fingerprint among those in appointments, whoever made them; None: there is none."""
        for signed in self.appointments:
            appointment = _decoded(signed)
            if appointment is not None and PublicKey(appointment.key).has_fingerprint(fingerprint):
                return PublicKey(appointment.key)
        return None

    def _revoked(self, agreement: Agreement) -> frozenset[tuple[str, bytes]]:
        """What the agreement's own controllers revoked; looking at the key first keeps junk cheap."""
        keys = {controller.key for controller in agreement.controllers}
        return revoked_keys((signed for signed in self.revocations if signed.key.raw in keys), agreement)

    def _appointed(self, role: AppointedRole, agreement: Agreement) -> Iterable[Appointment]:
        """What the agreement's controllers appointed at any time, expired ones too."""
        keys = {controller.key for controller in agreement.controllers}
        for signed in self.appointments:
            appointment = _decoded(signed) if signed.key.raw in keys else None
            if appointment is None or appointment.role is not role:
                continue
            try:
                verify_appointment(signed, role, agreement, now_s=appointment.from_s, revoked=())
            except (AuthorityError, ValueError):
                continue
            yield appointment


def authority_of(reply: agreements_pb2.AuthorityReply) -> Authority:
    """What a reply of the coordinator holds, as far as it can be read."""
    records = (_record(message) for message in reply.agreements)
    return Authority(
        records=tuple(record for record in records if record is not None),
        appointments=_readable(reply.appointments),
        revocations=tuple(filter(_is_revocation, _readable(reply.revocations))),
    )


def in_force(versions: Sequence[Record], trusted: Trusted, today: date) -> tuple[Agreement, ...]:
    """The versions that all controllers signed with trusted keys and that run today, the newest first.

    Raises
    ------
    KeyUnknown
        There is none, and a version has controllers whose keys are not trusted on this computer.
    AgreementNotInForce
        No version is signed by all, or none runs today.

    """
    found: list[Agreement] = []
    problem: FedstatsError = AgreementNotInForce()
    for record in reversed(versions):
        try:
            agreement = record.verified(trusted)
            _check_runs(agreement, today)
        except KeyUnknown:
            problem = _strangers_met(record, trusted)
        except (AuthorityError, AgreementNotInForce) as refusal:
            problem = problem if isinstance(problem, KeyUnknown) else refusal
        else:
            found.insert(0, agreement)
    if not found:
        raise problem
    return tuple(found)


def _check_runs(agreement: Agreement, today: date) -> None:
    if not agreement.starts_on <= today <= agreement.ends_on:
        dates = f"from {agreement.starts_on} to {agreement.ends_on}"
        raise AgreementNotInForce(f"Agreement {agreement.id} runs {dates}; today is {today}.")


def _strangers_met(record: Record, trusted: Trusted) -> KeyUnknown:
    names = ", ".join(controller.department for controller in record.strangers(trusted))
    return KeyUnknown(
        f"The keys of these controllers are not trusted on this computer: {names}.",
        remedy=f"Compare their fingerprints and trust them: fedstats use {record.agreement.id}",
    )


def _record(message: agreements_pb2.AgreementRecord) -> Record | None:
    try:
        agreement = agreement_from_json(message.document)
    except Exception:  # whatever is wrong with one record must not hide all the others
        log.info("left out an agreement that cannot be read", exc_info=True)
        return None
    keys = {controller.key for controller in agreement.controllers}
    signatures = (  # on the wire their payload is left empty: it is the document
        signed_pb2.Signed(payload=message.document, key=m.key, signature=m.signature)
        for m in message.signatures
        if m.key in keys
    )
    return Record(message.document, agreement, _readable(signatures), _readable(message.acceptances))


def _readable(messages: Iterable[signed_pb2.Signed]) -> tuple[Signed, ...]:
    found = []
    for message in messages:
        with suppress(FedstatsError, ValueError):
            found.append(signed_from(message))
    return tuple(found)


def _decoded(signed: Signed) -> Appointment | None:
    """What an appointment says; None if it is none. Its signature is verified elsewhere."""
    try:
        return decode_appointment(signed.payload)
    except (FedstatsError, ValueError):
        return None


def _is_revocation(signed: Signed) -> bool:
    try:
        decode_revocation(signed.payload)
    except (FedstatsError, ValueError):
        return False
    return True

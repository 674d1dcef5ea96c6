"""The node's own copy of every agreement: proposed by the coordinator, accepted by the department, in force.

    proposed --accept (the department)--> accepted --every controller signed, within its dates--> in force
        accepted | in force --withdraw (the department)--> withdrawn --accept--> accepted

Accepting a new version ends the older ones here. The coordinator only brings documents: what counts are the
controllers' signatures, with keys that were compared by telephone, and what this department decided.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_from_json
from fedstats.core.appointment import Acceptance
from fedstats.core.names import check_text
from fedstats.core.reason import Reason
from fedstats.errors import (
    AgreementInvalid,
    AgreementNotInForce,
    AlreadyExists,
    KeyUnknown,
    NameUnknown,
)
from fedstats.identity.keys import PublicKey, Signed
from fedstats.identity.trust import TrustStore
from fedstats.journal.security import AGREEMENT_ACCEPTED, AGREEMENT_WITHDRAWN
from fedstats.node.hearing import hear_agreements, hear_revocations
from fedstats.node.log_entries import ACCEPTED, WITHDRAWN
from fedstats.node.state import State
from fedstats.wire.authority import revoked_keys, unsigned_by, verify_agreement
from fedstats.wire.v1 import agreements_pb2

VERIFIED_MAX = 200  # texts that are remembered as verified

Confirm = Callable[["Standing"], bool]
"""Shows a person what is to be accepted, and returns whether they accept it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One agreement as this node knows it. `unsigned` and `untrusted` name departments."""

    hash: bytes
    agreement: Agreement
    accepted_s: int | None
    withdrawn_s: int | None
    unsigned: tuple[str, ...]
    untrusted: tuple[str, ...]

    @property
    def words(self) -> str:
        """Where it stands, in a few words."""
        if self.accepted_s is None:
            return "proposed"
        if self.withdrawn_s is not None:
            return "withdrawn here"
        waits = [f"{', '.join(self.unsigned)} to sign"] if self.unsigned else []
        waits += [f"the keys of {', '.join(self.untrusted)} to be compared"] if self.untrusted else []
        return f"accepted, waits for {' and '.join(waits)}" if waits else "accepted and signed by all"


class Agreements:
    """What the node knows of agreements and revocations."""

    def __init__(self, state: State, trust: TrustStore) -> None:
        """Use this node's records and the keys that were compared here."""
        self._state = state
        self._trust = trust
        self._verified: dict[object, Agreement] = {}

    def learn(self, reply: agreements_pb2.AuthorityReply) -> None:
        """Keep what the coordinator relays: proposals that name this department, signatures, revocations.

        Revocations count when they are made with a key that was compared here, and stay. Whatever is
        malformed is left out and logged. Proposals mirror the reply; what was accepted stays whatever the
        coordinator says.
        """
        with self._state.change() as sqlite:
            sqlite.execute(
                "DELETE FROM signature WHERE hash IN (SELECT hash FROM agreement WHERE accepted_s IS NULL)"
            )
            sqlite.execute("DELETE FROM agreement WHERE accepted_s IS NULL")
            department, trusted = self._state.department, self._trust.all()
            hear_agreements(sqlite, department, trusted, reply.agreements)
            hear_revocations(sqlite, trusted, reply.revocations)

    def proposal(self, id_: str, version: int | None = None) -> Standing:
        """The text that can be accepted under this name: of this version, or of the newest.

        Whoever else published something under the same name, only a text counts that the department's own
        controller signed and whose keys do not contradict those that were compared here. Keys that were not
        compared yet are no contradiction: then this is the text to compare them for.

        Raises
        ------
        NameUnknown
            There is no such proposal.
        KeyUnknown
            Its keys are others than those that were compared here.
        AgreementNotInForce
            The department's own controller has not signed.
        AgreementInvalid
            The own controller signed several texts of this version.

        """
        found = [s for s in self.all() if s.agreement.id == id_ and version in (None, s.agreement.version)]
        if not found:
            which = "" if version is None else f" version {version} of"
            raise NameUnknown(f"No{which} agreement {id_[:48]!r} is known here.", remedy=_FETCH)
        known = self._trust.all()
        consistent = [standing for standing in found if not known.keys() & set(standing.untrusted)]
        if not consistent:
            names = ", ".join(sorted(known.keys() & {name for s in found for name in s.untrusted}))
            raise KeyUnknown(f"{id_} names other keys than those compared here for: {names}.")
        signed = [standing for standing in consistent if self._state.department not in standing.unsigned]
        if not signed:
            raise AgreementNotInForce(
                f"Its own controller has not signed {id_}.",
                remedy="The controller types: fedstats agreement sign",
            )
        newest = max(standing.agreement.version for standing in signed)
        texts = [standing for standing in signed if standing.agreement.version == newest]
        if len(texts) > 1:
            prefixes = ", ".join(standing.hash.hex()[:12] for standing in texts)
            raise AgreementInvalid(
                f"Its own controller signed {len(texts)} different texts of {id_} {newest}: {prefixes}.",
                remedy="Ask the controller to sign one text under a new version."
                if self._state.department in known
                else "Compare the key of this department's own controller first: fedstats controller trust",
            )
        return texts[0]

    def accept(self, id_: str, version: int, confirm: Confirm, *, now_s: int) -> bool:
        """Accept the `proposal` of this version for the department, once a person confirmed it.

        Every controller's key must have been compared here, and the department's own controller must have
        signed; the others may sign later. False if the person did not confirm.

        Raises
        ------
        NameUnknown
            There is no such proposal.
        KeyUnknown
            A controller's key was not compared and trusted here.
        AgreementNotInForce, AgreementInvalid
            The department's own controller has not signed, or signed several texts.
        AlreadyExists
            A newer version, or this version with another text, was accepted here.

        """
        standing = self.proposal(id_, version)
        self._check_acceptable(standing)
        if not confirm(standing):
            return False
        with self._state.change() as sqlite:
            done = sqlite.execute(
                "UPDATE agreement SET accepted_s = ?, withdrawn_s = NULL, withdrawn_reason = NULL,"
                " withdrawn_note = '' WHERE hash = ?",
                (now_s, standing.hash),
            )
            if done.rowcount == 0:
                raise NameUnknown(f"The proposal of {id_} was taken back meanwhile.")
            document = {"agreement": id_, "version": version, "hash": standing.hash.hex()}
            self._state.log.enter(ACCEPTED, document, now_s=now_s)
        AGREEMENT_ACCEPTED(agreement=id_, agreement_version=version)
        return True

    def withdraw(self, id_: str, reason: Reason = Reason.OTHER, *, now_s: int, note: str = "") -> None:
        """Leave an agreement, whatever the others say: from now on nothing is answered under it.

        The reason's category is public; the note stays here.

        Raises
        ------
        NameUnknown
            No agreement of this name was accepted here.

        """
        check_text(note, what="note")
        with self._state.change() as sqlite:
            done = sqlite.execute(
                "UPDATE agreement SET withdrawn_s = ?, withdrawn_reason = ?, withdrawn_note = ?"
                " WHERE id = ? AND accepted_s IS NOT NULL",
                (now_s, reason.value, note, id_),
            )
            if done.rowcount == 0:
                raise NameUnknown(f"No agreement {id_} was accepted here.")
            self._state.log.enter(WITHDRAWN, {"agreement": id_, "reason": reason.value}, now_s=now_s)
        AGREEMENT_WITHDRAWN(agreement=id_, reason=reason.value)

    def in_force(self, id_: str, version: int) -> Agreement:
        """The agreement, from this node's own copy; its dates are checked with the query.

        Raises
        ------
        AgreementNotInForce
            This version is not accepted here, is withdrawn or replaced, or lacks signatures by trusted keys.

        """
        with self._state.look() as sqlite:
            row = sqlite.execute(
                "SELECT hash, version, document FROM agreement WHERE id = ? AND accepted_s IS NOT NULL"
                " AND withdrawn_s IS NULL ORDER BY version DESC LIMIT 1",
                (id_,),
            ).fetchone()
            signatures = _signatures(sqlite, row[0], row[2]) if row else ()
            left = sqlite.execute(
                "SELECT withdrawn_reason FROM agreement WHERE id = ? AND withdrawn_s IS NOT NULL"
                " ORDER BY version DESC LIMIT 1",
                (id_,),
            ).fetchone()
        if row is None and left is not None:
            why = Reason(left[0]).words
            raise AgreementNotInForce(f"The department withdrew from agreement {id_}: {why}.")
        if row is None or row[1] != version:
            raise AgreementNotInForce(_not_in_force(id_, version, None if row is None else row[1]))
        return self._verify(row[2], signatures)

    def accepted(self, id_: str) -> Agreement:
        """The newest version ever accepted here, whatever became of it; raises AgreementNotInForce."""
        with self._state.look() as sqlite:
            row = sqlite.execute(
                "SELECT document FROM agreement WHERE id = ? AND accepted_s IS NOT NULL"
                " ORDER BY version DESC LIMIT 1",
                (id_,),
            ).fetchone()
        if row is None:
            raise AgreementNotInForce(f"No agreement {id_} was accepted here.")
        return agreement_from_json(row[0])

    def current(self, today: date) -> tuple[Agreement, ...]:
        """Every agreement in force today."""
        found = []
        with self._state.look() as sqlite:
            rows = sqlite.execute(
                "SELECT id, MAX(version) FROM agreement WHERE accepted_s IS NOT NULL AND withdrawn_s IS NULL"
                " GROUP BY id ORDER BY id"
            ).fetchall()
        for id_, version in rows:
            try:
                agreement = self.in_force(id_, version)
            except AgreementNotInForce:
                continue
            if agreement.starts_on <= today <= agreement.ends_on:
                found.append(agreement)
        return tuple(found)

    def all(self) -> tuple[Standing, ...]:
        """Everything that is known, by id and version."""
        with self._state.look() as sqlite:
            rows = sqlite.execute(
                "SELECT hash, document, accepted_s, withdrawn_s FROM agreement ORDER BY id, version"
            ).fetchall()
            signed = {row[0]: _signatures(sqlite, row[0], row[1]) for row in rows}
        return tuple(
            self._standing(hash_, document, signed[hash_], accepted_s, withdrawn_s)
            for hash_, document, accepted_s, withdrawn_s in rows
        )

    def revoked(self, agreement: Agreement) -> frozenset[tuple[str, bytes]]:
        """The (department, key) pairs that the agreement's controllers revoked, as far as is known here."""
        with self._state.look() as sqlite:
            rows = sqlite.execute("SELECT payload, key, signature FROM revocation").fetchall()
        return revoked_keys([Signed(p, PublicKey(k), s) for p, k, s in rows], agreement)

    def acceptances(self) -> tuple[Acceptance, ...]:
        """What the department decided, for the coordinator and the public: the newest version of each id."""
        with self._state.look() as sqlite:
            rows = sqlite.execute(
                "SELECT hash, accepted_s, withdrawn_s, withdrawn_reason, MAX(version) FROM agreement"
                " WHERE accepted_s IS NOT NULL GROUP BY id ORDER BY id"
            ).fetchall()
        return tuple(
            Acceptance(self._state.department, hash_, withdrawn=False, at_s=accepted)
            if withdrawn is None
            else Acceptance(self._state.department, hash_, withdrawn=True, at_s=withdrawn, reason=Reason(why))
            for hash_, accepted, withdrawn, why, _ in rows
        )

    def _standing(
        self,
        hash_: bytes,
        document: bytes,
        signatures: tuple[Signed, ...],
        accepted_s: int | None,
        withdrawn_s: int | None,
    ) -> Standing:
        agreement = agreement_from_json(document)
        untrusted = [
            c.department
            for c in agreement.controllers
            if not self._trust.is_trusted(c.department, PublicKey(c.key))
        ]
        unsigned = unsigned_by(agreement, document, signatures)
        return Standing(hash_, agreement, accepted_s, withdrawn_s, unsigned, tuple(untrusted))

    def _check_acceptable(self, standing: Standing) -> None:
        agreement = standing.agreement
        if standing.untrusted:
            names = ", ".join(standing.untrusted)
            raise KeyUnknown(f"The keys of these controllers were not compared here yet: {names}.")
        with self._state.look() as sqlite:
            newer = sqlite.execute(
                "SELECT version FROM agreement WHERE id = ? AND accepted_s IS NOT NULL AND version >= ?"
                " AND hash != ?",
                (agreement.id, agreement.version, standing.hash),
            ).fetchone()
        if newer:
            raise AlreadyExists(f"Version {newer[0]} of {agreement.id} was accepted here already.")

    def _verify(self, document: bytes, signatures: tuple[Signed, ...]) -> Agreement:
        """Verify all signatures, once for the same text, signatures and trusted keys."""
        facts = (document, signatures, tuple(self._trust.all().items()))
        if facts not in self._verified:
            try:
                agreement = verify_agreement(document, signatures, self._trust.is_trusted)
            except KeyUnknown as problem:
                raise AgreementNotInForce(problem.sentence) from None
            if len(self._verified) >= VERIFIED_MAX:
                self._verified.clear()
            self._verified[facts] = agreement
        return self._verified[facts]


def _not_in_force(id_: str, version: int, accepted: int | None) -> str:
    """Why a version counts nothing here, which tells an analyst whether to wait or to ask anew."""
    if accepted is None:
        return f"Version {version} of {id_} is not in force here."
    replaced = f"it was replaced by version {accepted}."
    waiting = f"version {accepted} is, and version {version} was not accepted yet."
    return f"Version {version} of {id_} is not in force here: {replaced if version < accepted else waiting}"


def _signatures(sqlite: sqlite3.Connection, hash_: bytes, document: bytes) -> tuple[Signed, ...]:
    rows: Iterable[tuple[bytes, bytes]] = sqlite.execute(
        "SELECT key, signature FROM signature WHERE hash = ? ORDER BY key", (hash_,)
    )
    return tuple(Signed(document, PublicKey(key), signature) for key, signature in rows)


_FETCH = (
    "Type fedstats agreement show, or ask whoever publishes it; a running node fetches what is published."
)

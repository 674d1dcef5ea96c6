"""Documents that carry authority, as they were signed. Each method that writes is one transaction.

Nothing here is believed: the documents are kept for readers who verify every signature themselves. What is
checked before (`agreements`, and the keys that departments are bound to) only keeps rubbish out. Limits are
each department's own, so that none can take another's room.

Methods that write return the departments that the change concerns: their nodes have something to fetch.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from fedstats.coordinator.register import (
    AGREEMENT_ACCEPTED,
    AGREEMENT_PUBLISHED,
    AGREEMENT_SIGNED,
    AGREEMENT_WITHDRAWN,
    agreement_entry,
    agreement_step,
)
from fedstats.coordinator.store_bindings import bind, check_named, check_signer
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_register import append
from fedstats.core.agreement import Agreement
from fedstats.core.appointment import Acceptance, Appointment, Revocation
from fedstats.errors import NotFound, NotPermitted, TooLarge
from fedstats.identity.keys import PublicKey, Signed
from fedstats.identity.peer import Peer
from fedstats.wire.codec import signed_to
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import signed_pb2

AGREEMENTS_EACH_MAX = 50  # that one department published
AGREEMENT_BYTES_EACH_MAX = 4_000_000
AGREEMENT_BYTES_MAX = 40_000_000  # of all together, so that one reply holds them
STATEMENTS_EACH_MAX = 1_000  # of each kind: nobody's appointments crowd out a revocation
STATEMENT_BYTES_EACH_MAX = 400_000
STATEMENT_BYTES_MAX = 8_000_000

APPOINTMENTS_SHOWN_MAX = 8  # of one key, beside what it signed

Concerned = frozenset[str]
"""The departments that a change concerns; empty if nothing changed."""

NOBODY: Concerned = frozenset()


@dataclass(frozen=True, slots=True)
class StoredAgreement:
    """An agreement's document with the signatures and the acceptances that came for it."""

    hash: bytes
    document: bytes
    signatures: tuple[Signed, ...]
    acceptances: tuple[signed_pb2.Signed, ...]


class Documents:
    """Agreements with their signatures and acceptances, appointments and revocations."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def publish(self, agreement: Agreement, signed: Signed, peer: Peer, now_s: float) -> Concerned:
        """Keep an agreement, if it is new, with this signature by the controller of the peer's department.

        Raises
        ------
        AgreementInvalid
            It names another key for a controller than the one that is bound.
        TooLarge
            This department, or all together, have published too much.

        """
        digest = sha256(signed.payload)
        with self._file.transaction() as db:
            check_named(db, agreement)
            bind(db, peer, signed.key, now_s)
            if db.execute("SELECT 1 FROM agreements WHERE hash = ?", (digest,)).fetchone() is None:
                _check_room_for_agreement(db, peer.name, len(signed.payload))
                db.execute(
                    "INSERT INTO agreements VALUES (?, ?, ?, ?, ?, ?)",
                    (digest, agreement.id, agreement.version, signed.payload, peer.name, int(now_s)),
                )
                db.executemany(
                    "INSERT INTO parties VALUES (?, ?)",
                    [(controller.department, digest) for controller in agreement.controllers],
                )
                append(db, AGREEMENT_PUBLISHED, agreement_entry(agreement, digest), now_s)
            return _sign(db, agreement, signed, now_s)

    def sign(self, agreement: Agreement, signed: Signed, peer: Peer, now_s: float) -> Concerned:
        """Keep one more signature, by the controller of the peer's department, under a published agreement.

        Raises
        ------
        NotFound
            It was not published.
        AgreementInvalid
            It names another key for a controller than the one that is bound.

        """
        with self._file.transaction() as db:
            _check_published(db, sha256(signed.payload))
            check_named(db, agreement)
            bind(db, peer, signed.key, now_s)
            return _sign(db, agreement, signed, now_s)

    def accept(self, acceptance: Acceptance, signed: Signed, now_s: float) -> Concerned:
        """Keep a department's last word on an agreement; an older one that comes late changes nothing.

        Raises
        ------
        NotFound
            The agreement was not published here.
        NotPermitted
            The agreement does not name the department.

        """
        with self._file.transaction() as db:
            agreement = _check_published(db, acceptance.agreement)
            if acceptance.department not in _parties(db, acceptance.agreement):
                raise NotPermitted(f"{acceptance.department} is no party of agreement {agreement['id']}.")
            changed = db.execute(
                "INSERT INTO acceptances VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET withdrawn = excluded.withdrawn, signed_at_s = excluded.signed_at_s,"
                " signed = excluded.signed"
                # Of two words of the same second the careful one counts.
                " WHERE (excluded.signed_at_s, excluded.withdrawn) > (signed_at_s, withdrawn)",
                (
                    acceptance.agreement,
                    acceptance.department,
                    int(acceptance.withdrawn),
                    acceptance.at_s,
                    signed_to(signed).SerializeToString(),
                ),
            ).rowcount
            if not changed:
                return NOBODY
            kind = AGREEMENT_WITHDRAWN if acceptance.withdrawn else AGREEMENT_ACCEPTED
            why = {"reason": acceptance.reason.value} if acceptance.reason else {}
            step = agreement_step(
                agreement["id"], agreement["version"], acceptance.agreement, acceptance.department, **why
            )
            append(db, kind, step, now_s)
            return _revise(db, _parties(db, acceptance.agreement))

    def state(self, said: Appointment | Revocation, signed: Signed, peer: Peer, now_s: float) -> Concerned:
        """Keep an appointment or a revocation by the controller of the peer's department.

        Raises
        ------
        AppointmentInvalid
            Another key than the bound one signed it.
        TooLarge
            This department, or all together, have published too many.

        """
        kind = "appointment" if isinstance(said, Appointment) else "revocation"
        content = signed_to(signed).SerializeToString()
        with self._file.transaction() as db:
            check_signer(db, said.department, signed.key)
            bind(db, peer, signed.key, now_s)
            digest = sha256(content)
            if db.execute("SELECT 1 FROM statements WHERE digest = ?", (digest,)).fetchone():
                return NOBODY
            _check_room_for_statement(db, kind, said.department, len(content))
            db.execute(
                "INSERT INTO statements VALUES (?, ?, ?, ?, ?, ?, ?)",
                (digest, kind, said.department, signed.key.raw, said.key, content, int(now_s)),
            )
            return _revise(db, _partners(db, said.department))

    def revision(self) -> int:
        """A number that grows with every change."""
        row = self._file.row("SELECT value FROM revision")
        return int(row["value"]) if row else 0

    def revision_for(self, department: str) -> int:
        """The revision of the last change that concerns a department."""
        row = self._file.row("SELECT revision FROM news WHERE department = ?", department)
        return int(row["revision"]) if row else 0

    def revocation(self, department: str, signer: bytes, key: bytes) -> signed_pb2.Signed | None:
        """The revocation of a key that a department's controller (its key: `signer`) published."""
        row = self._file.row(
            "SELECT signed FROM statements WHERE kind = 'revocation' AND department = ? AND signer = ?"
            " AND about = ? LIMIT 1",
            department,
            signer,
            key,
        )
        return signed_pb2.Signed.FromString(row["signed"]) if row else None

    def statements(self, kind: str) -> list[signed_pb2.Signed]:
        """All appointments, or all revocations (`kind`), in the order in which they came."""
        rows = self._file.rows("SELECT signed FROM statements WHERE kind = ? ORDER BY rowid", kind)
        return [signed_pb2.Signed.FromString(row["signed"]) for row in rows]

    def appointments_of(self, department: str, key: bytes) -> list[signed_pb2.Signed]:
        """The appointments of one key by a department, the newest first, a few of them."""
        rows = self._file.rows(
            "SELECT signed FROM statements WHERE kind = 'appointment' AND department = ? AND about = ?"
            " ORDER BY rowid DESC LIMIT ?",
            department,
            key,
            APPOINTMENTS_SHOWN_MAX,
        )
        return [signed_pb2.Signed.FromString(row["signed"]) for row in rows]

    def agreements(self) -> list[StoredAgreement]:
        """All agreements, in the order in which they came."""
        return [self._stored(row) for row in self._file.rows("SELECT * FROM agreements ORDER BY rowid")]

    def agreements_of(self, identifier: str, version: int) -> list[StoredAgreement]:
        """Whatever was published under this id and version: several, if somebody used another's name."""
        rows = self._file.rows(
            "SELECT * FROM agreements WHERE id = ? AND version = ? ORDER BY rowid", identifier, version
        )
        return [self._stored(row) for row in rows]

    def _stored(self, agreement: sqlite3.Row) -> StoredAgreement:
        digest, document = agreement["hash"], agreement["document"]
        signatures = self._file.rows(
            "SELECT * FROM signatures WHERE agreement = ? ORDER BY at_s, key", digest
        )
        accepted = self._file.rows(
            "SELECT signed FROM acceptances WHERE agreement = ? ORDER BY department", digest
        )
        return StoredAgreement(
            hash=digest,
            document=document,
            signatures=tuple(Signed(document, PublicKey(row["key"]), row["signature"]) for row in signatures),
            acceptances=tuple(signed_pb2.Signed.FromString(row["signed"]) for row in accepted),
        )


def _sign(db: sqlite3.Connection, agreement: Agreement, signed: Signed, now_s: float) -> Concerned:
    """Keep a signature once; its entry names the controller's department that the key belongs to."""
    digest = sha256(signed.payload)
    added = db.execute(
        "INSERT INTO signatures VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (digest, signed.key.raw, signed.signature, int(now_s)),
    ).rowcount
    if not added:
        return NOBODY
    department = next(c.department for c in agreement.controllers if c.key == signed.key.raw)
    step = agreement_step(
        agreement.id,
        agreement.version,
        digest,
        department,
        key=signed.key.raw.hex(),
        signature=signed.signature.hex(),
    )
    append(db, AGREEMENT_SIGNED, step, now_s)
    return _revise(db, _parties(db, digest))


def _parties(db: sqlite3.Connection, agreement: bytes) -> Concerned:
    """The departments that an agreement names as its controllers."""
    rows = db.execute("SELECT department FROM parties WHERE agreement = ?", (agreement,))
    return frozenset(row["department"] for row in rows)


def _partners(db: sqlite3.Connection, department: str) -> Concerned:
    """A department and all that share an agreement with it."""
    rows = db.execute(
        "SELECT DISTINCT other.department FROM parties AS own JOIN parties AS other USING (agreement)"
        " WHERE own.department = ?",
        (department,),
    )
    return frozenset({department, *(row["department"] for row in rows)})


def _revise(db: sqlite3.Connection, concerned: Concerned) -> Concerned:
    """Count a change, and note for whom it is news."""
    db.execute("UPDATE revision SET value = value + 1")
    db.executemany(
        "INSERT INTO news SELECT ?, value FROM revision WHERE TRUE"
        " ON CONFLICT DO UPDATE SET revision = excluded.revision",
        [(department,) for department in concerned],
    )
    return concerned


def _check_published(db: sqlite3.Connection, digest: bytes) -> sqlite3.Row:
    found: sqlite3.Row | None = db.execute("SELECT * FROM agreements WHERE hash = ?", (digest,)).fetchone()
    if found is None:
        raise NotFound(
            "This agreement has not been published here.", remedy="Type: fedstats agreement publish"
        )
    return found


def _check_room_for_agreement(db: sqlite3.Connection, department: str, size: int) -> None:
    held = "SELECT COUNT(*), COALESCE(SUM(LENGTH(document)), 0) FROM agreements"
    mine, mine_bytes = db.execute(f"{held} WHERE department = ?", (department,)).fetchone()
    if mine >= AGREEMENTS_EACH_MAX or mine_bytes + size > AGREEMENT_BYTES_EACH_MAX:
        raise TooLarge(f"{department} has published as many agreements as one department can.")
    _, all_bytes = db.execute(held).fetchone()
    if all_bytes + size > AGREEMENT_BYTES_MAX:
        raise TooLarge("The coordinator holds as many agreements as it can.")


def _check_room_for_statement(db: sqlite3.Connection, kind: str, department: str, size: int) -> None:
    held = "SELECT COUNT(*), COALESCE(SUM(LENGTH(signed)), 0) FROM statements WHERE kind = ?"
    mine, mine_bytes = db.execute(f"{held} AND department = ?", (kind, department)).fetchone()
    if mine >= STATEMENTS_EACH_MAX or mine_bytes + size > STATEMENT_BYTES_EACH_MAX:
        raise TooLarge(f"{department} has published as many documents of this kind ({kind}) as it can.")
    _, all_bytes = db.execute(held, (kind,)).fetchone()
    if all_bytes + size > STATEMENT_BYTES_MAX:
        raise TooLarge(f"The coordinator holds as many documents of this kind ({kind}) as it can.")

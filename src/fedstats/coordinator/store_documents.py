"""Documents that carry authority, as they were signed. Each method that writes is one transaction.

Nothing here is believed: the documents are kept for readers who verify every signature themselves. What is
checked before (`agreements`) only keeps rubbish out.
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
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_register import append
from fedstats.core.agreement import Agreement
from fedstats.core.appointment import Acceptance
from fedstats.errors import NotFound, TooLarge
from fedstats.identity.keys import PublicKey, Signed
from fedstats.wire.codec import signed_to
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import signed_pb2

AGREEMENTS_PER_PEER_MAX = 200
AGREEMENT_BYTES_MAX = 32_000_000  # of all together, so that one reply holds them
STATEMENTS_PER_PEER_MAX = 5_000  # of each kind: nobody's appointments crowd out a revocation
STATEMENTS_MAX = 50_000


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

    def publish(self, agreement: Agreement, signed: Signed, peer: str, now_s: float) -> None:
        """Keep an agreement, if it is new, with this signature of one of its controllers.

        Raises
        ------
        TooLarge
            This peer, or all together, have published too much.

        """
        digest = sha256(signed.payload)
        with self._file.transaction() as db:
            if db.execute("SELECT 1 FROM agreements WHERE hash = ?", (digest,)).fetchone() is None:
                _check_room_for_agreement(db, peer, len(signed.payload))
                db.execute(
                    "INSERT INTO agreements VALUES (?, ?, ?, ?, ?, ?)",
                    (digest, agreement.id, agreement.version, signed.payload, peer, int(now_s)),
                )
                append(db, AGREEMENT_PUBLISHED, agreement_entry(agreement, digest), now_s)
                _revise(db)
            _sign(db, agreement, digest, signed, now_s)

    def sign(self, agreement: Agreement, signed: Signed, now_s: float) -> None:
        """Keep one more signature under an agreement that was published.

        Raises
        ------
        NotFound
            It was not.

        """
        digest = sha256(signed.payload)
        with self._file.transaction() as db:
            _check_published(db, digest)
            _sign(db, agreement, digest, signed, now_s)

    def accept(self, acceptance: Acceptance, signed: Signed, now_s: float) -> None:
        """Keep a department's last word on an agreement; an older one that comes late changes nothing.

        Raises
        ------
        NotFound
            The agreement was not published here.

        """
        with self._file.transaction() as db:
            agreement = _check_published(db, acceptance.agreement)
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
            if changed:
                kind = AGREEMENT_WITHDRAWN if acceptance.withdrawn else AGREEMENT_ACCEPTED
                step = agreement_step(
                    agreement["id"], agreement["version"], acceptance.agreement, acceptance.department
                )
                append(db, kind, step, now_s)
                _revise(db)

    def state(self, kind: str, signed: Signed, peer: str, now_s: float) -> None:
        """Keep an appointment or a revocation (`kind`).

        Raises
        ------
        TooLarge
            This peer, or all together, have published too many.

        """
        content = signed_to(signed).SerializeToString()
        with self._file.transaction() as db:
            digest = sha256(content)
            if db.execute("SELECT 1 FROM statements WHERE digest = ?", (digest,)).fetchone():
                return
            _check_room_for_statement(db, kind, peer)
            db.execute(
                "INSERT INTO statements VALUES (?, ?, ?, ?, ?)", (digest, kind, content, peer, int(now_s))
            )
            _revise(db)

    def revision(self) -> int:
        """A number that grows with every change."""
        row = self._file.row("SELECT value FROM revision")
        return int(row["value"]) if row else 0

    def statements(self, kind: str) -> list[signed_pb2.Signed]:
        """All appointments, or all revocations (`kind`), in the order in which they came."""
        rows = self._file.rows("SELECT signed FROM statements WHERE kind = ? ORDER BY rowid", kind)
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


def _sign(db: sqlite3.Connection, agreement: Agreement, digest: bytes, signed: Signed, now_s: float) -> None:
    """Keep a signature once; its entry names the controllers' departments that the key belongs to."""
    added = db.execute(
        "INSERT INTO signatures VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (digest, signed.key.raw, signed.signature, int(now_s)),
    ).rowcount
    if added:
        department = next(c.department for c in agreement.controllers if c.key == signed.key.raw)
        append(
            db, AGREEMENT_SIGNED, agreement_step(agreement.id, agreement.version, digest, department), now_s
        )
        _revise(db)


def _revise(db: sqlite3.Connection) -> None:
    db.execute("UPDATE revision SET value = value + 1")


def _check_published(db: sqlite3.Connection, digest: bytes) -> sqlite3.Row:
    found: sqlite3.Row | None = db.execute("SELECT * FROM agreements WHERE hash = ?", (digest,)).fetchone()
    if found is None:
        raise NotFound(
            "This agreement has not been published here.", remedy="Type: fedstats agreement publish"
        )
    return found


def _check_room_for_agreement(db: sqlite3.Connection, peer: str, size: int) -> None:
    (mine,) = db.execute("SELECT COUNT(*) FROM agreements WHERE peer = ?", (peer,)).fetchone()
    (held,) = db.execute("SELECT COALESCE(SUM(LENGTH(document)), 0) FROM agreements").fetchone()
    if mine >= AGREEMENTS_PER_PEER_MAX or held + size > AGREEMENT_BYTES_MAX:
        raise TooLarge("The coordinator holds as many agreements as it can.")


def _check_room_for_statement(db: sqlite3.Connection, kind: str, peer: str) -> None:
    (mine,) = db.execute(
        "SELECT COUNT(*) FROM statements WHERE peer = ? AND kind = ?", (peer, kind)
    ).fetchone()
    (held,) = db.execute("SELECT COUNT(*) FROM statements WHERE kind = ?", (kind,)).fetchone()
    if mine >= STATEMENTS_PER_PEER_MAX or held >= STATEMENTS_MAX:
        raise TooLarge(f"The coordinator holds as many documents of this kind ({kind}) as it can.")

"""The public register: entries are appended and read, and nothing else. It is a Merkle log (RFC 6962)."""

from __future__ import annotations

import sqlite3

from fedstats.coordinator.store_file import StoreFile
from fedstats.core.agreement_document import Document, canonical_json
from fedstats.transparency import stored
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import Proof
from fedstats.wire.v1 import signed_pb2

PAGE_ENTRIES_MAX = 1_000
PAGE_BYTES_MAX = 8_000_000


class Register:
    """Reading the register; whoever writes an entry does so in the transaction of what it is about."""

    def __init__(self, file: StoreFile) -> None:
        """Read from this store."""
        self._file = file

    def entries(self, *, after: int = 0, entries_max: int = PAGE_ENTRIES_MAX) -> list[LogEntry]:
        """The entries that follow number `after`, as many as make a page."""
        most = min(max(entries_max, 1), PAGE_ENTRIES_MAX)
        rows = self._file.rows("SELECT * FROM register WHERE number > ? ORDER BY number LIMIT ?", after, most)
        page: list[LogEntry] = []
        size = 0
        for row in rows:
            size += len(row["document"])
            if page and size > PAGE_BYTES_MAX:
                break
            page.append(_entry(row))
        return page

    def entry(self, number: int) -> LogEntry | None:
        """One entry."""
        row = self._file.row("SELECT * FROM register WHERE number = ?", number)
        return None if row is None else _entry(row)

    def count(self) -> int:
        """How many entries there are."""
        row = self._file.row("SELECT MAX(number) FROM register")
        return int(row[0] or 0) if row else 0

    def log(self) -> bytes:
        """The random id that this log was given when it was made."""
        row = self._file.row("SELECT id FROM register_log")
        return bytes(row["id"]) if row else b""

    def root(self, size: int) -> bytes:
        """The root of the tree over the first `size` entries; raises ValueError if there are fewer."""
        with self._file.reading() as db:
            return stored.root_at(db, size)

    def inclusion(self, number: int, size: int) -> Proof:
        """Proof that an entry is among the first `size`; raises ValueError if it is not."""
        with self._file.reading() as db:
            return stored.prove_inclusion(db, number - 1, size)

    def consistency(self, first: int, second: int) -> Proof:
        """Proof that the register of `second` entries begins with that of `first`; raises ValueError."""
        with self._file.reading() as db:
            return stored.prove_consistency(db, first, second)

    def head(self) -> signed_pb2.Signed | None:
        """The head as it was signed, if it is of the register as it is."""
        row = self._file.row(
            "SELECT signed FROM register_head WHERE size = (SELECT COALESCE(MAX(number), 0) FROM register)"
        )
        return None if row is None else signed_pb2.Signed.FromString(row["signed"])

    def keep_head(self, size: int, signed: signed_pb2.Signed) -> None:
        """Keep the signed head of this size in the place of the one before: each size is signed once.

        It is kept with what it is of. A head in memory would outlive entries whose commit failed, and the
        register would then have two heads of one size.
        """
        with self._file.transaction() as db:
            db.execute("DELETE FROM register_head")
            db.execute("INSERT INTO register_head VALUES (?, ?)", (size, signed.SerializeToString()))


def append(db: sqlite3.Connection, kind: str, document: Document, now_s: float) -> int:
    """Add an entry at the end, inside a transaction that is open, and its leaf with it; its number.

    Times never go back along the register, so that nothing can be entered as if it had come before: an entry
    that is made while the clock is behind has the time of the one before it.
    """
    number, newest_s = db.execute(
        "SELECT number + 1, at_s FROM register ORDER BY number DESC LIMIT 1"
    ).fetchone() or (1, 0)
    entry = LogEntry(number, max(int(now_s), newest_s), kind, canonical_json(document))
    db.execute(
        "INSERT INTO register VALUES (?, ?, ?, ?)", (entry.number, entry.at_s, entry.kind, entry.document)
    )
    stored.append(db, entry.leaf)
    return entry.number


def _entry(row: sqlite3.Row) -> LogEntry:
    return LogEntry(row["number"], row["at_s"], row["kind"], row["document"])

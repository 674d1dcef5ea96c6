"""The public register: entries are appended and read, and nothing else."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from fedstats.coordinator.store_file import StoreFile
from fedstats.core.agreement_document import Document, canonical_json

PAGE_ENTRIES_MAX = 1_000
PAGE_BYTES_MAX = 8_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the register. Numbers have no gaps; `document` is canonical JSON."""

    number: int
    at_s: int
    kind: str
    document: bytes


class Register:
    """Reading the register; whoever writes an entry does so in the transaction of what it is about."""

    def __init__(self, file: StoreFile) -> None:
        """Read from this store."""
        self._file = file

    def entries(self, *, after: int = 0, entries_max: int = PAGE_ENTRIES_MAX) -> list[Entry]:
        """The entries that follow number `after`, as many as make a page."""
        most = min(max(entries_max, 1), PAGE_ENTRIES_MAX)
        rows = self._file.rows("SELECT * FROM register WHERE number > ? ORDER BY number LIMIT ?", after, most)
        page: list[Entry] = []
        size = 0
        for row in rows:
            size += len(row["document"])
            if page and size > PAGE_BYTES_MAX:
                break
            page.append(Entry(row["number"], row["at_s"], row["kind"], row["document"]))
        return page

    def count(self) -> int:
        """How many entries there are."""
        row = self._file.row("SELECT COUNT(*) FROM register")
        return int(row[0]) if row else 0


def append(db: sqlite3.Connection, kind: str, document: Document, now_s: float) -> None:
    """Add an entry at the end, inside a transaction that is open."""
    db.execute(
        "INSERT INTO register SELECT COALESCE(MAX(number), 0) + 1, ?, ?, ? FROM register",
        (int(now_s), kind, canonical_json(document)),
    )

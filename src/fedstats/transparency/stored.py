"""The tree's hashes in SQLite, appended in the caller's own transaction.

So an entry and what it is about are there together or not at all. Where the entries themselves are is the
caller's affair: the node and the coordinator have tables of their own. Reading needs read access only.
"""

from __future__ import annotations

import sqlite3

from fedstats.transparency.tree import HashOf, Proof, completed, consistency, inclusion, leaf_hash, root

SCHEMA = """
CREATE TABLE log_hash (
  level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TRIGGER log_hash_keeps BEFORE DELETE ON log_hash
    BEGIN SELECT RAISE(ABORT, 'the log keeps every hash'); END;
CREATE TRIGGER log_hash_stays BEFORE UPDATE ON log_hash
    BEGIN SELECT RAISE(ABORT, 'the log changes no hash'); END;
"""


def append(sqlite: sqlite3.Connection, leaf: bytes) -> int:
    """Add a leaf at the end, inside a transaction that is open; its index, from 0."""
    index = size(sqlite)
    rows = completed(index, leaf_hash(leaf), hash_of(sqlite))
    sqlite.executemany("INSERT INTO log_hash VALUES (?, ?, ?)", list(rows))
    return index


def size(sqlite: sqlite3.Connection) -> int:
    """How many leaves there are."""
    (last,) = sqlite.execute("SELECT MAX(position) FROM log_hash WHERE level = 0").fetchone()
    return 0 if last is None else int(last) + 1


def root_at(sqlite: sqlite3.Connection, leaves: int) -> bytes:
    """The root of the first so many leaves; raises ValueError if there are fewer."""
    return root(leaves, _within(sqlite, leaves))


def prove_inclusion(sqlite: sqlite3.Connection, index: int, leaves: int) -> Proof:
    """Proof that leaf `index` (from 0) is among the first so many; raises ValueError if it is not."""
    return inclusion(index, leaves, _within(sqlite, leaves))


def prove_consistency(sqlite: sqlite3.Connection, first: int, second: int) -> Proof:
    """Proof that the first `second` leaves begin with the first `first`; raises ValueError if they cannot."""
    return consistency(first, second, _within(sqlite, second))


def hash_of(sqlite: sqlite3.Connection) -> HashOf:
    """Look up stored hashes; where one is missing the look-up raises ValueError."""

    def look(level: int, position: int) -> bytes:
        row = sqlite.execute(
            "SELECT hash FROM log_hash WHERE level = ? AND position = ?", (level, position)
        ).fetchone()
        if row is None:
            raise ValueError(f"the log has no hash of subtree ({level}, {position})")
        return bytes(row[0])

    return look


def _within(sqlite: sqlite3.Connection, leaves: int) -> HashOf:
    """The hashes of a log that has so many leaves."""
    if leaves > size(sqlite):
        raise ValueError(f"the log has fewer than {leaves} leaves")
    return hash_of(sqlite)

"""What the node's log holds: entries that are only ever added, the hashes of their tree, and signed heads.

A head commits to every entry before it. The node signs one for each size that it tells anybody, in the same
transaction as the entry where it can, so that a change of the file is found at the very entry. Whoever may
sign as the node could make other heads; against that, other departments keep the heads that they were told.
"""

from __future__ import annotations

import sqlite3

from fedstats.transparency import stored
from fedstats.transparency.check import Kept
from fedstats.transparency.entry import LogEntry

VERSION = 1

_TABLES = """
CREATE TABLE log (id BLOB NOT NULL, department TEXT NOT NULL);
CREATE TABLE entry (
  number INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, kind TEXT NOT NULL, document BLOB NOT NULL);
CREATE TABLE head (
  size INTEGER PRIMARY KEY, root BLOB NOT NULL, at_s INTEGER NOT NULL, key BLOB NOT NULL,
  signature BLOB NOT NULL);
CREATE TABLE once (what BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""
_KEPT = ("log", "entry", "head", "once")
SCHEMA = (
    _TABLES
    + stored.SCHEMA
    + "".join(
        f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'what the log says never changes'); END;\n"
        for table in _KEPT
        for verb in ("UPDATE", "DELETE")
    )
)
ENTRY_COLUMNS = "number, at_s, kind, document"

HeadRow = tuple[int, bytes, int, bytes, bytes]
"""A kept head: size, root, at_s, key, signature."""


def last_s(sqlite: sqlite3.Connection) -> int:
    """The latest moment that the log names: whatever a clock says, nothing after it is earlier."""
    entry = sqlite.execute("SELECT at_s FROM entry ORDER BY number DESC LIMIT 1").fetchone()
    head = sqlite.execute("SELECT at_s FROM head ORDER BY size DESC LIMIT 1").fetchone()
    return max((row[0] for row in (entry, head) if row is not None), default=0)


def append(sqlite: sqlite3.Connection, kind: str, document: bytes, *, at_s: int) -> LogEntry:
    """Add an entry with its hashes, inside a transaction that is open."""
    entry = LogEntry(stored.size(sqlite) + 1, at_s, kind, document)
    sqlite.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (entry.number, at_s, kind, document))
    stored.append(sqlite, entry.leaf)
    return entry


def read_log(sqlite: sqlite3.Connection) -> Kept:
    """The whole log as the file holds it; damage that SQLite itself sees raises sqlite3.DatabaseError.

    A flipped bit may make a number of a text: what has not its type is read as something that no entry says.
    """
    sqlite.text_factory = bytes
    rows = sqlite.execute(f"SELECT {ENTRY_COLUMNS} FROM entry ORDER BY number")  # noqa: S608 # constants
    entries = [
        LogEntry(number, at_s if isinstance(at_s, int) else -1, _text(kind), _raw(document))
        for number, at_s, kind, document in rows
    ]
    found = {
        (level, position): _raw(hash_)
        for level, position, hash_ in sqlite.execute("SELECT level, position, hash FROM log_hash")
    }
    leaves = sum(level == 0 for level, _ in found)
    hashes = [found.get((0, position), b"") for position in range(leaves)]
    return Kept(entries, hashes, lambda level, position: found.get((level, position)))


def read_heads(sqlite: sqlite3.Connection) -> list[HeadRow]:
    """The heads that were signed, by size."""
    rows = sqlite.execute("SELECT size, root, at_s, key, signature FROM head ORDER BY size")
    return [
        (size, _raw(root), at_s if isinstance(at_s, int) else -1, _raw(key), _raw(signature))
        for size, root, at_s, key, signature in rows
    ]


def _raw(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else repr(value)

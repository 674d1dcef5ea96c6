"""What the ledger's file holds: its tables, its chain, and the check of all of it.

Every row that is ever written is a link of one chain:

    head[0] = SHA-256(id of the ledger)
    head[n] = SHA-256(head[n-1], kind, SHA-256(row n), SHA-256(all totals after it))

So one flipped bit is found, and two copies of a ledger that went different ways never have the same head
again. Rounds and releases are links too, not charges alone: a copy that forgot a release would draw its noise
a second time under the same charge.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import NoReturn

from fedstats.core.privacy import NO_LOSS, Loss
from fedstats.core.witness import Mark
from fedstats.errors import LedgerCorrupt, UsageError
from fedstats.node.caps import CapKind

VERSION = 2

_TABLES = """
CREATE TABLE ledger (id BLOB NOT NULL);
CREATE TABLE link (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, content BLOB NOT NULL, totals BLOB NOT NULL,
  head BLOB NOT NULL);
CREATE TABLE round (
  link INTEGER NOT NULL UNIQUE REFERENCES link (number),
  query BLOB NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, share TEXT NOT NULL,
  participants TEXT NOT NULL,
  PRIMARY KEY (query, number));
CREATE TABLE entry (
  link INTEGER NOT NULL UNIQUE REFERENCES link (number),
  number INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, agreement TEXT NOT NULL, version INTEGER NOT NULL,
  namespace TEXT NOT NULL, dataset TEXT NOT NULL, edition TEXT NOT NULL, purpose TEXT NOT NULL,
  analyst TEXT NOT NULL, query BLOB NOT NULL, round INTEGER NOT NULL, computation BLOB NOT NULL UNIQUE,
  rho TEXT NOT NULL, delta_add TEXT NOT NULL);
CREATE TABLE release (
  link INTEGER NOT NULL UNIQUE REFERENCES link (number),
  computation BLOB PRIMARY KEY REFERENCES entry (computation), bytes BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE TABLE carried (
  link INTEGER PRIMARY KEY REFERENCES link (number), at_s INTEGER NOT NULL, epoch INTEGER NOT NULL,
  id BLOB NOT NULL, witness BLOB NOT NULL, losses TEXT NOT NULL);
CREATE TABLE total (
  kind TEXT NOT NULL, name TEXT NOT NULL, rho TEXT NOT NULL, delta_add TEXT NOT NULL,
  PRIMARY KEY (kind, name));
"""
KINDS = ("round", "entry", "release", "carried")
_UNCHANGING = dict.fromkeys(("ledger", "link", *KINDS), ("UPDATE", "DELETE")) | {"total": ("DELETE",)}
SCHEMA = _TABLES + "".join(
    f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, 'what the ledger says never changes'); END;\n"
    for table, verbs in _UNCHANGING.items()
    for verb in verbs
)

Totals = dict[tuple[str, str], Loss]
"""What was spent, by kind and name of the limit."""


def append(sqlite: sqlite3.Connection, kind: str, row: Mapping[str, object]) -> None:
    """Write a row, and the link that commits to it, to the totals as they are now, and to all before it."""
    before = tip(sqlite)
    content, spent = digest(*row.values()), digest_of_totals(totals(sqlite))
    values = (before.links + 1, kind, content, spent, digest(before.head, kind, content, spent))
    sqlite.execute("INSERT INTO link VALUES (?, ?, ?, ?, ?)", values)
    columns, marks = ", ".join(("link", *row)), ", ".join("?" * (1 + len(row)))
    sqlite.execute(
        f"INSERT INTO {kind} ({columns}) VALUES ({marks})",  # noqa: S608 # constants
        (before.links + 1, *row.values()),
    )


def tip(sqlite: sqlite3.Connection) -> Mark:
    """Where the chain ends."""
    last = sqlite.execute("SELECT number, head FROM link ORDER BY number DESC LIMIT 1").fetchone()
    return Mark(0, _origin(sqlite)) if last is None else Mark(*last)


def head_at(sqlite: sqlite3.Connection, links: int) -> bytes | None:
    """The head of the chain after so many links; None if it is not that long."""
    if links == 0:
        return _origin(sqlite)
    row = sqlite.execute("SELECT head FROM link WHERE number = ?", (links,)).fetchone()
    return None if row is None else bytes(row[0])


def totals(sqlite: sqlite3.Connection) -> Totals:
    """What was spent under every limit that was ever charged."""
    rows = sqlite.execute("SELECT kind, name, rho, delta_add FROM total ORDER BY kind, name")
    return {(kind, name): loss_of(rho, delta) for kind, name, rho, delta in rows}


def check_tip(sqlite: sqlite3.Connection, path: Path) -> None:
    """Return if the totals are those that the last link committed to: cheap enough for every change.

    Raises
    ------
    LedgerCorrupt
        They are not.

    """
    with reading(path):
        last = sqlite.execute("SELECT totals FROM link ORDER BY number DESC LIMIT 1").fetchone()
        expected = digest_of_totals({}) if last is None else bytes(last[0])
        if digest_of_totals(totals(sqlite)) != expected:
            raise LedgerCorrupt(f"The totals in {path} are not those that were charged.")


def check_release(sqlite: sqlite3.Connection, path: Path, link: int, row: tuple[object, ...]) -> None:
    """Return if a release is the one that was recorded; raises LedgerCorrupt."""
    known = sqlite.execute("SELECT content FROM link WHERE number = ?", (link,)).fetchone()
    if known is None or bytes(known[0]) != digest(*row):
        raise LedgerCorrupt(f"A release in {path} is not the one that was recorded.")


def verify(sqlite: sqlite3.Connection, path: Path) -> None:
    """Check the file, and compute the whole chain and all totals anew from the rows.

    Raises
    ------
    LedgerCorrupt
        The file is damaged, or something in it is not what was written.

    """
    with reading(path):
        (sound,) = sqlite.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok" or sqlite.execute("PRAGMA foreign_key_check").fetchone():
            _damaged(path)
        if _schema_of(sqlite) != _schema():
            _damaged(path)
        spent: Totals = {}
        head, number = _origin(sqlite), 0
        links = sqlite.execute("SELECT number, kind, content, totals, head FROM link ORDER BY number")
        for number, link in enumerate(links, start=1):
            kind, row = link[1], _row(sqlite, link[1], number)
            _add(spent, kind, row)
            content, after = digest(*row.values()), digest_of_totals(spent)
            head = digest(head, kind, content, after)
            if link != (number, kind, content, after, head):
                _damaged(path)
        if number != sum(_count(sqlite, kind) for kind in KINDS):
            _damaged(path)
        if totals(sqlite) != spent:
            raise LedgerCorrupt(f"The totals in {path} are not those of its entries.")


def carried_losses(text: str) -> Totals:
    """What a carried ledger added to the totals, as it is kept: a line for each limit."""
    parts = (line.split("\t") for line in text.splitlines())
    return {(kind, name): loss_of(rho, delta) for kind, name, rho, delta in parts}


def losses_text(losses: Totals) -> str:
    """The same as text."""
    return "\n".join(
        f"{kind}\t{name}\t{loss.rho}\t{loss.delta_add}" for (kind, name), loss in sorted(losses.items())
    )


def loss_of(rho: str, delta_add: str) -> Loss:
    """Exact numbers are kept as text: `1/40`."""
    return Loss(Fraction(rho), Fraction(delta_add))


def digest(*parts: object) -> bytes:
    """SHA-256 of these values, each with its type and length, so that no two lists give the same bytes."""
    made = sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        made.update(f"{type(part).__name__} {len(raw)} ".encode() + raw)
    return made.digest()


def digest_of_totals(spent: Totals) -> bytes:
    """SHA-256 of all totals, in the order of their names."""
    lines = ((*cap, str(loss.rho), str(loss.delta_add)) for cap, loss in sorted(spent.items()))
    return digest(*chain.from_iterable(lines))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What is no number, no text or no hash, in a file that SQLite finds sound, was put there by somebody."""
    try:
        yield
    except (ValueError, TypeError, ZeroDivisionError, UsageError):
        raise LedgerCorrupt(f"{path} holds what fedstats never wrote.") from None


def _row(sqlite: sqlite3.Connection, kind: str, link: int) -> dict[str, object]:
    """What one link commits to. One at a time: releases may be large."""
    if kind not in KINDS:
        raise ValueError
    cursor = sqlite.execute(f"SELECT * FROM {kind} WHERE link = ?", (link,))  # noqa: S608 # constants
    columns = [column[0] for column in cursor.description]
    row = dict(zip(columns, cursor.fetchone() or (), strict=True))
    del row["link"]
    return row


def _count(sqlite: sqlite3.Connection, kind: str) -> int:
    (found,) = sqlite.execute(f"SELECT COUNT(*) FROM {kind}").fetchone()  # noqa: S608 # constants
    return int(found)


def _add(spent: Totals, kind: str, row: Mapping[str, object]) -> None:
    """What a row added to the totals."""
    added: Totals = {}
    if kind == "entry":
        loss = loss_of(str(row["rho"]), str(row["delta_add"]))
        added[CapKind.AGREEMENT.value, str(row["agreement"])] = loss
        added[CapKind.LIFETIME.value, str(row["namespace"])] = loss
    elif kind == "carried":
        added = carried_losses(str(row["losses"]))
    for cap, loss in added.items():
        spent[cap] = spent.get(cap, NO_LOSS) + loss


def _origin(sqlite: sqlite3.Connection) -> bytes:
    """Where the chain begins."""
    (id_,) = sqlite.execute("SELECT id FROM ledger").fetchone()
    return digest("ledger", id_)


def _schema_of(sqlite: sqlite3.Connection) -> list[tuple[str, ...]]:
    """The tables and triggers of a file: a trigger that was changed no longer guards anything."""
    return sqlite.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()


@cache
def _schema() -> list[tuple[str, ...]]:
    with sqlite3.connect(":memory:") as empty:
        empty.executescript(SCHEMA)
        found = _schema_of(empty)
    empty.close()
    return found


def _damaged(path: Path) -> NoReturn:
    raise LedgerCorrupt(f"{path} is damaged.")

"""The department's own log: what was decided here, what was answered and refused, in a file that only grows.

An entry is written before what it tells of takes effect: before an answer or a refusal leaves, before a
pause or an acceptance counts. So a crash leaves at most an entry whose effect never came, and never an effect
that no entry tells of. Nothing in it is a row, a count or a literal; persons are named where they act by
appointment.

Entries of the ledger that have none here (the crash came between) are added when the node starts.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from fedstats.core.agreement_document import Document, canonical_json
from fedstats.core.log_head import LOG_ID_BYTES, LogHead
from fedstats.core.names import check_department
from fedstats.errors import FileProblem, LogDamaged
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.node.database import Database
from fedstats.node.log_entries import BEGAN, KEY_CHANGED, RENEWED, Former, former_of
from fedstats.node.log_file import SCHEMA, VERSION, HeadRow, append, last_s
from fedstats.transparency import stored
from fedstats.transparency.entry import LogEntry
from fedstats.wire.codec import encode_log_head

NAMING = (BEGAN, KEY_CHANGED, RENEWED)
"""The kinds of entry that name the key by which the node signs from then on."""


class Log:
    """The file `log.sqlite`. Safe to use from several threads and beside a running node."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises
        ------
        LogDamaged
            It is missing, damaged, or its last entries are not those of its hashes and heads.
        FileProblem
            It cannot be opened for writing.

        """
        self._database = Database(path, version=VERSION, busy=FileProblem, damaged=LogDamaged)
        self._key: Callable[[], SigningKey] | None = None
        self._at_once = True
        self._named = b""
        self.path = path
        try:
            with self._database.look() as sqlite:
                self.id, self.department = sqlite.execute("SELECT id, department FROM log").fetchone()
                _check_end(sqlite, path)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def create(path: Path, department: str) -> bool:
        """Make an empty one for this department's node; False if there is one already.

        A log that is lost is not replaced by itself: its new id tells everybody that it was.
        """
        # Random, so that no two logs have one id; no secret, and no noise.
        name, id_ = check_department(department), secrets.token_hex(LOG_ID_BYTES)
        schema = f"{SCHEMA} INSERT INTO log VALUES (X'{id_}', '{name}');"  # noqa: S608 # hexadecimal, a name
        return Database.create(path, schema, version=VERSION)

    def sign_with(self, key: Callable[[], SigningKey], *, at_once: bool = True) -> None:
        """From now on each entry gets its head at once, signed with this key as it is at the time.

        Not `at_once`: entries name the key and wait for a head, because nobody looked yet whether this is the
        newest log.
        """
        self._key, self._at_once = key, at_once

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def enter(
        self,
        kind: str,
        document: Document,
        *,
        now_s: int,
        once: bytes = b"",
        covers: Iterable[bytes] = (),
    ) -> LogEntry | None:
        """Add an entry, durably; None if one was added for the same `once` (32 bytes) before.

        `covers` names what the entry tells of besides, for `has`.

        Raises
        ------
        FileProblem
            It could not be made durable: then what it tells of must not happen.

        """
        with self._database.change() as sqlite:
            if once and _number_of(sqlite, once):
                return None
            moment_s = max(now_s, last_s(sqlite))
            self._name_key(sqlite, moment_s)
            entry = append(sqlite, kind, canonical_json(document), at_s=moment_s)
            named = [(what, entry.number) for what in (once, *covers) if what]
            sqlite.executemany("INSERT OR IGNORE INTO once VALUES (?, ?)", named)
            if self._key is not None and self._at_once:
                self._sign(sqlite, entry.number, moment_s, self._key())
        return entry

    def name_key(self, *, now_s: int) -> None:
        """Enter by which key the node signs, if the log does not say so yet."""
        with self._database.change() as sqlite:
            self._name_key(sqlite, max(now_s, last_s(sqlite)))

    def has(self, once: bytes) -> bool:
        """Whether there is an entry for this."""
        with self._database.look() as sqlite:
            return _number_of(sqlite, once) is not None

    def head(self, *, now_s: int) -> Signed | None:
        """The log as it is now, signed by the node; None of a log without entries, or without a key."""
        with self._database.look() as sqlite:
            size = stored.size(sqlite)
            known = self._signed(sqlite, size)
        if known is not None or size == 0 or self._key is None or not self._at_once:
            return known
        with self._database.change() as sqlite:
            size = stored.size(sqlite)
            known = self._signed(sqlite, size)
            return known or self._sign(sqlite, size, max(now_s, last_s(sqlite)), self._key())

    def size(self) -> int:
        """How many entries there are."""
        with self._database.look() as sqlite:
            return stored.size(sqlite)

    def continues(self, size: int, root: bytes) -> bool:
        """Whether the first so many entries have this root."""
        with self._database.look() as sqlite, suppress(ValueError):
            return stored.root_at(sqlite, size) == root
        return False

    def named_keys(self) -> frozenset[bytes]:
        """The keys by which the log says that the node signs, or signed."""
        with self._database.look() as sqlite:
            rows = sqlite.execute("SELECT document FROM entry WHERE kind IN (?, ?, ?)", NAMING).fetchall()
        return frozenset(bytes.fromhex(json.loads(document)["key"]) for (document,) in rows)

    def former(self) -> tuple[Former, ...]:
        """The logs that this one took the place of."""
        renewed = self.last(RENEWED)
        return () if renewed is None else former_of(renewed.read())

    def last(self, kind: str) -> LogEntry | None:
        """The newest entry of a kind."""
        with self._database.look() as sqlite:
            sql = "SELECT number, at_s, kind, document FROM entry WHERE kind = ? ORDER BY number DESC LIMIT 1"
            row = sqlite.execute(sql, (kind,)).fetchone()
        return None if row is None else LogEntry(*row)

    def crowded(self, *, now_s: int, entries_max: int, within_s: int) -> bool:
        """Whether so many entries were added within so many seconds."""
        with self._database.look() as sqlite:
            sql = "SELECT at_s FROM entry WHERE number = ?"
            row = sqlite.execute(sql, (stored.size(sqlite) - entries_max + 1,)).fetchone()
        return row is not None and row[0] > now_s - within_s

    def _name_key(self, sqlite: sqlite3.Connection, at_s: int) -> None:
        """Say in the log itself whose signatures its heads have, before there is one."""
        if self._key is None or (key := self._key()).public.raw == self._named:
            return
        sql = "SELECT kind, document FROM entry WHERE kind IN (?, ?, ?) ORDER BY number DESC LIMIT 1"
        row = sqlite.execute(sql, NAMING).fetchone()
        digits = key.public.raw.hex()
        if row is None or digits not in row[1].decode():
            document = {"department": self.department, "key": digits}
            kind = BEGAN if row is None else KEY_CHANGED
            number = append(sqlite, kind, canonical_json(document), at_s=at_s).number
            if self._at_once:
                self._sign(sqlite, number, at_s, key)
        self._named = key.public.raw

    def _sign(self, sqlite: sqlite3.Connection, size: int, at_s: int, key: SigningKey) -> Signed:
        head = LogHead(self.id, self.department, size, stored.root_at(sqlite, size), at_s)
        signed = Signed.make(Context.LOG_HEAD, encode_log_head(head), key)
        row = (size, head.root, at_s, signed.key.raw, signed.signature)
        sqlite.execute("INSERT INTO head VALUES (?, ?, ?, ?, ?)", row)
        return signed

    def _signed(self, sqlite: sqlite3.Connection, size: int) -> Signed | None:
        sql = "SELECT size, root, at_s, key, signature FROM head WHERE size = ?"
        row = sqlite.execute(sql, (size,)).fetchone()
        return None if row is None else signed_head(self.id, self.department, row)


def signed_head(log: bytes, department: str, row: HeadRow) -> Signed:
    """A kept head as it was told."""
    size, root, at_s, key, signature = row
    payload = encode_log_head(LogHead(log, department, size, root, at_s))
    return Signed(payload, PublicKey(key), signature)


def _number_of(sqlite: sqlite3.Connection, once: bytes) -> int | None:
    row = sqlite.execute("SELECT number FROM once WHERE what = ?", (once,)).fetchone()
    return None if row is None else int(row[0])


def _check_end(sqlite: sqlite3.Connection, path: Path) -> None:
    """Return if as many entries as hashes are there, and the last one and the newest head fit.

    All of it is looked at by `fedstats audit verify`; this is what a start can afford.
    """
    size = stored.size(sqlite)
    last = sqlite.execute(
        "SELECT number, at_s, kind, document FROM entry ORDER BY number DESC LIMIT 1"
    ).fetchone()
    head = sqlite.execute("SELECT size, root FROM head ORDER BY size DESC LIMIT 1").fetchone()
    try:
        sound = size == (0 if last is None else last[0])
        sound = sound and (last is None or LogEntry(*last).hash == stored.hash_of(sqlite)(0, size - 1))
        sound = sound and (head is None or stored.root_at(sqlite, head[0]) == head[1])
    except (ValueError, TypeError):
        sound = False
    if not sound:
        raise LogDamaged(f"The end of {path} is not what was written.")

"""Queries and rounds. Each method that writes is one transaction.

A question's entry in the public register is written in the transaction that stores its tasks, before them: no
node can lease what the public cannot read about.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from fedstats.coordinator.register import PROCEEDED, QUERY, RESULT, ROUND, proceeding_entry, round_entry
from fedstats.coordinator.rounds import Task
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_register import append
from fedstats.coordinator.store_tasks import Change, StoredTask, leave_out, task_id, tell_outcome
from fedstats.core.agreement_document import Document
from fedstats.core.query import Proceeding, RoundOrder
from fedstats.identity.keys import Signed
from fedstats.wire.codec import signed_to
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import signed_pb2


@dataclass(frozen=True, slots=True)
class StoredRound:
    """A round as it was signed, and what releases of it must be of."""

    query: bytes
    number: int
    signed: signed_pb2.Signed
    payload_digest: bytes
    computation: bytes
    release_bytes: int  # of one department
    asked: int  # departments
    version: int
    proceeding: signed_pb2.Signed | None  # where the analyst went on without some departments
    open: int  # departments without an outcome


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """A query as it was signed."""

    hash: bytes
    signed: signed_pb2.Signed
    key: bytes
    appointment: signed_pb2.Signed
    peer: str  # who submitted it
    deadline_s: int
    entry: int  # its number in the register


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked query with one checked round of it, ready to be stored."""

    query: Signed
    order: RoundOrder
    round: Signed
    appointment: Signed
    deadline_s: int
    computation: bytes
    release_bytes: int
    peer: str


class Questions:
    """Queries with their rounds."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def submit(self, new: Submission, entry: Document, now_s: float) -> list[StoredTask]:
        """Store a round (its query too, if this is the first), write its entry, and offer its tasks."""
        query, number = new.order.query, new.order.number
        with self._file.transaction() as db:
            # The entry comes first: see the module's docstring.
            written = append(
                db, QUERY if number == 0 else ROUND, entry if number == 0 else round_entry(new.order), now_s
            )
            if number == 0:
                db.execute(
                    "INSERT INTO queries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        query,
                        signed_to(new.query).SerializeToString(),
                        new.query.key.raw,
                        signed_to(new.appointment).SerializeToString(),
                        new.peer,
                        new.deadline_s,
                        int(now_s),
                        written,
                    ),
                )
            db.execute(
                "INSERT INTO rounds (query, number, signed, payload_digest, computation, release_bytes,"
                " asked, open, deadline_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    query,
                    number,
                    signed_to(new.round).SerializeToString(),
                    sha256(new.round.payload),
                    new.computation,
                    new.release_bytes,
                    len(new.order.participants),
                    len(new.order.participants),
                    new.deadline_s,
                ),
            )
            tasks = [
                StoredTask(task_id(query, number, name), query, number, name, Task(new.deadline_s, now_s))
                for name in new.order.participants
            ]
            db.executemany(
                "INSERT INTO tasks (id, query, number, department, deadline_s, state, since_s)"
                " VALUES (?, ?, ?, ?, ?, 'offered', ?)",
                [(t.id, t.query, t.number, t.department, t.task.deadline_s, t.task.since_s) for t in tasks],
            )
            return tasks

    def proceed(self, proceeding: Proceeding, signed: Signed, now_s: float) -> list[Change]:
        """Store that the analyst goes on, write its entry, and close the tasks of those who are left out."""
        query, number = proceeding.query, proceeding.number
        with self._file.transaction() as db:
            append(db, PROCEEDED, proceeding_entry(proceeding), now_s)
            db.execute(
                "UPDATE rounds SET proceeding = ? WHERE query = ? AND number = ?",
                (signed_to(signed).SerializeToString(), query, number),
            )
            return leave_out(db, query, number, proceeding.left_out, now_s)

    def publish(self, query: bytes, digest: bytes, entry: Document, now_s: float) -> int:
        """Enter a published result of a query; the number of its entry."""
        with self._file.transaction() as db:
            number = append(db, RESULT, entry, now_s)
            db.execute("INSERT INTO results VALUES (?, ?, ?)", (digest, query, number))
            return number

    def result(self, digest: bytes) -> int | None:
        """The number of the entry of a result, by the SHA-256 of what was signed; None if it is new."""
        row = self._file.row("SELECT entry FROM results WHERE digest = ?", digest)
        return None if row is None else int(row["entry"])

    def results(self, query: bytes) -> list[int]:
        """The numbers of the entries of all results of a query."""
        rows = self._file.rows("SELECT entry FROM results WHERE query = ? ORDER BY entry", query)
        return [int(row["entry"]) for row in rows]

    def tell_missing(self, now_s: float) -> None:
        """Write into the register who had not answered when the deadline passed, once for each round."""
        due = "SELECT query, number FROM rounds WHERE open > 0 AND told_missing = 0 AND deadline_s <= ?"
        for row in self._file.rows(due, now_s):
            with self._file.transaction() as db:
                key = (row["query"], row["number"])
                db.execute("UPDATE rounds SET told_missing = 1 WHERE query = ? AND number = ?", key)
                tell_outcome(db, *key, now_s)

    def query(self, query: bytes) -> StoredQuery | None:
        """A query by its hash."""
        row = self._file.row("SELECT * FROM queries WHERE hash = ?", query)
        if row is None:
            return None
        signed, appointment = (signed_pb2.Signed.FromString(row[name]) for name in ("signed", "appointment"))
        return StoredQuery(
            row["hash"], signed, row["key"], appointment, row["peer"], row["deadline_s"], row["entry"]
        )

    def rounds(self, query: bytes) -> list[StoredRound]:
        """All rounds of a query, in order."""
        rows = self._file.rows("SELECT * FROM rounds WHERE query = ? ORDER BY number", query)
        return [_round(row) for row in rows]

    def round(self, query: bytes, number: int) -> StoredRound | None:
        """One round of a query."""
        row = self._file.row("SELECT * FROM rounds WHERE query = ? AND number = ?", query, number)
        return None if row is None else _round(row)

    def open_queries(self, peer: str, now_s: float) -> int:
        """How many queries this peer has brought whose deadline is still to come."""
        row = self._file.row("SELECT COUNT(*) FROM queries WHERE peer = ? AND deadline_s > ?", peer, now_s)
        return int(row[0]) if row else 0

    def queries_since(self, peer: str, since_s: float) -> int:
        """How many queries this peer has brought since then, whatever their deadlines."""
        row = self._file.row("SELECT COUNT(*) FROM queries WHERE peer = ? AND at_s > ?", peer, since_s)
        return int(row[0]) if row else 0

    def stored_bytes(self, query: bytes) -> int:
        """How large a query and its rounds are together."""
        row = self._file.row(
            "SELECT (SELECT COALESCE(SUM(LENGTH(signed)), 0) FROM queries WHERE hash = ?1)"
            " + (SELECT COALESCE(SUM(LENGTH(signed)), 0) FROM rounds WHERE query = ?1)",
            query,
        )
        return int(row[0]) if row else 0


def _round(row: sqlite3.Row) -> StoredRound:
    return StoredRound(
        query=row["query"],
        number=row["number"],
        signed=signed_pb2.Signed.FromString(row["signed"]),
        payload_digest=row["payload_digest"],
        computation=row["computation"],
        release_bytes=row["release_bytes"],
        asked=row["asked"],
        version=row["version"],
        proceeding=signed_pb2.Signed.FromString(row["proceeding"]) if row["proceeding"] else None,
        open=row["open"],
    )

"""What departments sign about logs: heads of their own, and cosignatures under heads of the register.

Kept is the newest of each, and for good what cannot be true at the same time: the first two roots of one
size, or a head of the register that is not the register's. Whoever reads decides what that means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from fedstats.coordinator.store_file import StoreFile
from fedstats.core.log_head import Cosignature, LogHead
from fedstats.wire.v1 import signed_pb2

LOGS_EACH_MAX = 4  # of one department: one, and another after each time that its node was built anew
FORKED_LOGS_EACH_MAX = 4  # of one department: beyond these, what it tells of new logs is not kept
ROOTS_EACH_MAX = 2  # of one log at one size: they prove that it was changed, more would prove no more
CONTRADICTIONS_EACH_MAX = 8


@dataclass(frozen=True, slots=True)
class Place:
    """How far a department's log had come."""

    log: bytes
    size: int
    root: bytes


class Logs:
    """Heads and cosignatures, by department. What comes here is verified already."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def keep_head(self, head: LogHead, signed: signed_pb2.Signed, now_s: float) -> bool:
        """Keep the head of a department's log, unless a later one is here; whether it contradicts one."""
        keeper, log = head.keeper, head.log
        newest = "SELECT MAX(size) FROM log_heads WHERE department = ? AND log = ?"
        with self._file.transaction() as db:
            (size,) = db.execute(newest, (keeper, log)).fetchone()
            if size is not None and head.size < size:
                return False
            roots = "SELECT COUNT(*) FROM log_heads WHERE department = ? AND log = ? AND size = ?"
            if db.execute(roots, (keeper, log, head.size)).fetchone()[0] >= ROOTS_EACH_MAX:
                return True
            if size is None and not _has_room(db, keeper):
                return False
            db.execute(
                "INSERT OR IGNORE INTO log_heads VALUES (?, ?, ?, ?, ?, ?)",
                (keeper, log, head.size, head.root, signed.SerializeToString(), int(now_s)),
            )
            db.execute(
                "DELETE FROM log_heads WHERE department = ?1 AND log = ?2 AND size < ?3 AND size IS NOT"
                " (SELECT size FROM log_heads WHERE department = ?1 AND log = ?2"
                " GROUP BY size HAVING COUNT(*) > 1 ORDER BY size LIMIT 1)",
                (keeper, log, head.size),
            )
            _forget_surplus(db, keeper)
            return bool(db.execute(roots, (keeper, log, head.size)).fetchone()[0] > 1)

    def keep_cosignature(
        self, cosignature: Cosignature, signed: signed_pb2.Signed, now_s: float, *, contradicts: bool
    ) -> None:
        """Keep a department's newest cosignature, and a few of those that contradict the register."""
        name = cosignature.department
        with self._file.transaction() as db:
            held = "SELECT COUNT(*), MAX(size) FROM cosignatures WHERE department = ? AND contradicts = ?"
            count, newest = db.execute(held, (name, int(contradicts))).fetchone()
            if contradicts:
                if count >= CONTRADICTIONS_EACH_MAX:
                    return
            elif newest is not None and newest >= cosignature.size:
                return
            else:
                db.execute("DELETE FROM cosignatures WHERE department = ? AND NOT contradicts", (name,))
            db.execute(
                "INSERT OR IGNORE INTO cosignatures VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    cosignature.log,
                    cosignature.size,
                    cosignature.root,
                    int(contradicts),
                    signed.SerializeToString(),
                    int(now_s),
                ),
            )

    def heads(self) -> list[signed_pb2.Signed]:
        """All heads of departments' logs as they were signed, by department."""
        return self._signed("SELECT signed FROM log_heads ORDER BY department, at_s, size, root")

    def cosignatures(self) -> list[signed_pb2.Signed]:
        """All cosignatures as they were signed, by department."""
        return self._signed("SELECT signed FROM cosignatures ORDER BY department, size, root")

    def cosigned_size(self, department: str) -> int:
        """Up to which size a department has cosigned the register."""
        sql = "SELECT MAX(size) FROM cosignatures WHERE department = ? AND NOT contradicts"
        row = self._file.row(sql, department)
        return int(row[0] or 0) if row else 0

    def _signed(self, sql: str) -> list[signed_pb2.Signed]:
        return [signed_pb2.Signed.FromString(row["signed"]) for row in self._file.rows(sql)]


def places(db: sqlite3.Connection, departments: Collection[str]) -> dict[str, Place]:
    """How far each department's log had come when its node last said so."""
    rows = db.execute("SELECT department, log, size, root FROM log_heads ORDER BY at_s, size")
    known = {row["department"]: Place(row["log"], row["size"], row["root"]) for row in rows}
    return {name: known[name] for name in departments if name in known}


def _has_room(db: sqlite3.Connection, department: str) -> bool:
    """Whether another log of the department is listened to: one that changed so many is known for it."""
    sql = (
        "SELECT COUNT(*) FROM (SELECT 1 FROM log_heads WHERE department = ? GROUP BY log"
        " HAVING COUNT(*) > COUNT(DISTINCT size))"
    )
    return bool(db.execute(sql, (department,)).fetchone()[0] < FORKED_LOGS_EACH_MAX)


def _forget_surplus(db: sqlite3.Connection, department: str) -> None:
    """Forget the logs that were heard of longest ago, but none that is proved to have been changed."""
    sql = (
        "SELECT log FROM log_heads WHERE department = ? GROUP BY log HAVING COUNT(*) = COUNT(DISTINCT size)"
        " ORDER BY MAX(at_s) DESC LIMIT -1 OFFSET ?"
    )
    for row in db.execute(sql, (department, LOGS_EACH_MAX)).fetchall():
        db.execute("DELETE FROM log_heads WHERE department = ? AND log = ?", (department, row["log"]))

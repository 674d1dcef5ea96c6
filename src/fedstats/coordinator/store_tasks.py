"""Tasks: one department's part of a round. Whatever writes is one transaction: load, `advance`, save."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from fedstats.coordinator.register import OUTCOME, outcome_entry, standing_entry
from fedstats.coordinator.rounds import (
    AskedAgain,
    Decided,
    Effect,
    Event,
    Expired,
    LeaseAsked,
    LeftOut,
    Lost,
    Outcome,
    State,
    Task,
    advance,
)
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_logs import places
from fedstats.coordinator.store_register import append
from fedstats.core.agreement_document import Document
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import analysts_pb2


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task with its names."""

    id: str
    query: bytes
    number: int
    department: str
    task: Task


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a task: who must be woken follows from it."""

    before: StoredTask
    after: StoredTask
    effects: frozenset[Effect]
    round_over: bool = False  # it was the last task of its round that had no outcome

    @property
    def is_change(self) -> bool:
        """Whether anything changed."""
        return self.before.task != self.after.task


class Tasks:
    """The tasks of all rounds."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def lease(self, department: str, token: str, lease_s: float, now_s: float) -> StoredTask | None:
        """Lease the department's next task, those that were leased least first, then the oldest."""
        with self._file.transaction() as db:
            found = _tasks(
                db,
                "department = ? AND state = 'offered' AND deadline_s > ? ORDER BY leases, rowid LIMIT 1",
                department,
                now_s,
            )
            for task in found:
                change = _apply(db, task, LeaseAsked(token, lease_s), now_s)
                return change.after if Effect.HAND_OVER in change.effects else None
            return None

    def has_offer(self, department: str, now_s: float) -> bool:
        """Whether `lease` would find a task: asked by every waiting poll, so it writes nothing."""
        sql = "SELECT 1 FROM tasks WHERE department = ? AND state = 'offered' AND deadline_s > ? LIMIT 1"
        return self._file.row(sql, department, now_s) is not None

    def move(
        self, identifier: str, event: Event, now_s: float, outcome: analysts_pb2.Outcome | None = None
    ) -> Change:
        """Let an event happen to a task that is there; `outcome` is kept if it is the task's first."""
        with self._file.transaction() as db:
            (task,) = _tasks(db, "id = ?", identifier)
            return _apply(db, task, event, now_s, outcome)

    def decide(self, department: str, identifier: str, now_s: float) -> Change | None:
        """A person at the department has decided about a waiting task of it; None if it has no such task."""
        with self._file.transaction() as db:
            for task in _tasks(db, "id = ? AND department = ? AND state = 'waiting'", identifier, department):
                return _apply(db, task, Decided(), now_s)
            return None

    def lose(
        self, department: str, running: frozenset[str], waiting: frozenset[str], now_s: float
    ) -> list[Change]:
        """Offer again what a department holds, and its node does not know of (any more).

        The node names what is `running` in it, and what is `waiting` for a person.
        """
        open_ = "SELECT id, state FROM tasks WHERE department = ? AND state IN ('leased', 'waiting')"
        known = {"leased": running, "waiting": running | waiting}
        rows = self._file.rows(open_, department)
        lost = [row["id"] for row in rows if row["id"] not in known[row["state"]]]
        return [self.move(identifier, Lost(), now_s) for identifier in lost]

    def expire(self, now_s: float) -> list[Change]:
        """Offer again every task whose lease has ended."""
        due = "SELECT id FROM tasks WHERE state = 'leased' AND expires_s <= ?"
        if not self._file.rows(due, now_s):
            return []
        with self._file.transaction() as db:
            tasks = _tasks(db, "state = 'leased' AND expires_s <= ?", now_s)
            return [_apply(db, task, Expired(), now_s) for task in tasks]

    def ask_again(self, query: bytes, number: int, now_s: float) -> list[Change]:
        """Offer again what was refused for a reason that may have ended, in the newest round only."""
        with self._file.transaction() as db:
            newest = "SELECT MAX(number) FROM rounds WHERE query = ?"
            if db.execute(newest, (query,)).fetchone()[0] != number:
                return []  # later rounds are built on the totals without it
            rows = _tasks(db, "query = ? AND number = ? AND state = 'refused'", query, number)
            return [_apply(db, row, AskedAgain(), now_s) for row in rows]

    def may_ask_again(self, query: bytes, number: int) -> bool:
        """Whether `ask_again` could find a refused task: asked by repeated Submits, it writes nothing."""
        sql = "SELECT 1 FROM tasks WHERE query = ? AND number = ? AND state = 'refused' LIMIT 1"
        return self._file.row(sql, query, number) is not None

    def task(self, identifier: str) -> StoredTask | None:
        """A task by its id, without its outcome's bytes."""
        row = self._file.row(f"SELECT {_COLUMNS} FROM tasks WHERE id = ?", identifier)  # noqa: S608 # a constant
        return None if row is None else _task(row)

    def tasks(self, query: bytes, number: int) -> list[StoredTask]:
        """All tasks of a round by department, without their outcomes' bytes."""
        rows = self._file.rows(
            f"SELECT {_COLUMNS} FROM tasks WHERE query = ? AND number = ? ORDER BY department",  # noqa: S608 # a constant
            query,
            number,
        )
        return [_task(row) for row in rows]

    def outcomes(self, query: bytes, number: int) -> list[analysts_pb2.Outcome]:
        """What the departments answered in a round, by department."""
        rows = self._file.rows(
            "SELECT outcome FROM tasks WHERE query = ? AND number = ? AND outcome IS NOT NULL"
            " ORDER BY department",
            query,
            number,
        )
        return [analysts_pb2.Outcome.FromString(row["outcome"]) for row in rows]


def task_id(query: bytes, number: int, department: str) -> str:
    """The name of a task: part of the query's hash, the round, the department."""
    return f"{query.hex()[:32]}-{number}-{department}"


def _apply(
    db: sqlite3.Connection,
    stored: StoredTask,
    event: Event,
    now_s: float,
    reported: analysts_pb2.Outcome | None = None,
) -> Change:
    """Advance one task and save what changed, inside a transaction that is open."""
    task, effects = advance(stored.task, event, now_s)
    after = StoredTask(stored.id, stored.query, stored.number, stored.department, task)
    if task == stored.task:
        return Change(stored, after, effects)
    outcome = task.outcome
    db.execute(
        "UPDATE tasks SET state = ?, since_s = ?, leases = ?, token = ?, expires_s = ?, sentence = ?,"
        " code = ?, reason = ?, digest = ?, free = ?, outcome = ?, used_ppm = ? WHERE id = ?",
        (
            task.state.value,
            task.since_s,
            task.leases,
            task.token,
            task.expires_s,
            task.sentence,
            outcome.code if outcome else "",
            outcome.reason if outcome else "",
            outcome.digest if outcome else None,
            bool(outcome and outcome.free),
            reported.SerializeToString() if outcome and reported else None,
            reported.budget.used_ppm if outcome and reported and reported.HasField("budget") else None,
            stored.id,
        ),
    )
    opened = int(stored.task.is_over) - int(task.is_over)
    db.execute(
        "UPDATE rounds SET version = version + 1, open = open + ? WHERE query = ? AND number = ?",
        (opened, stored.query, stored.number),
    )
    round_over = opened < 0 and _is_over(db, stored.query, stored.number)
    if round_over:
        tell_outcome(db, stored.query, stored.number, now_s)
    return Change(stored, after, effects, round_over)


def leave_out(
    db: sqlite3.Connection, query: bytes, number: int, departments: Collection[str], now_s: float
) -> list[Change]:
    """Close the tasks of these departments, inside a transaction that is open."""
    tasks = _tasks(db, "query = ? AND number = ?", query, number)
    return [_apply(db, task, LeftOut(), now_s) for task in tasks if task.department in departments]


def _is_over(db: sqlite3.Connection, query: bytes, number: int) -> bool:
    sql = "SELECT open FROM rounds WHERE query = ? AND number = ?"
    return bool(db.execute(sql, (query, number)).fetchone()["open"] == 0)


def tell_outcome(db: sqlite3.Connection, query: bytes, number: int, now_s: float) -> None:
    """Write how a round stands into the register, with one hash over all that was answered."""
    tasks = _tasks(db, "query = ? AND number = ? ORDER BY department", query, number)
    outcomes = {task.department: task.task.outcome for task in tasks}
    entry = outcome_entry(
        query,
        number,
        released=[name for name, outcome in outcomes.items() if outcome and not outcome.code],
        free=[name for name, outcome in outcomes.items() if outcome and outcome.free],
        refused={name: outcome.code for name, outcome in outcomes.items() if outcome and outcome.code},
        reasons={name: outcome.reason for name, outcome in outcomes.items() if outcome and outcome.reason},
        missing=[task.department for task in tasks if not task.task.is_over],
        left_out=[task.department for task in tasks if task.task.state is State.LEFT_OUT],
    )
    answered = [name for name, outcome in outcomes.items() if outcome]
    entry |= standing_entry(_used_ppm(db, query, number), _places(db, answered))
    entry["hash"] = sha256(b"".join(_digests(outcomes))).hex()
    append(db, OUTCOME, entry, now_s)


def _used_ppm(db: sqlite3.Connection, query: bytes, number: int) -> dict[str, int]:
    """The part of its budget that each department which answered says is used."""
    rows = db.execute(
        "SELECT department, used_ppm FROM tasks WHERE query = ? AND number = ? AND used_ppm IS NOT NULL",
        (query, number),
    )
    return {row["department"]: row["used_ppm"] for row in rows}


def _places(db: sqlite3.Connection, departments: Collection[str]) -> dict[str, Document]:
    """How far the logs of those who answered had come."""
    return {
        name: {"log": place.log.hex(), "size": place.size, "root": place.root.hex()}
        for name, place in places(db, departments).items()
    }


def _digests(outcomes: Mapping[str, Outcome | None]) -> Iterator[bytes]:
    return (outcome.digest for _, outcome in sorted(outcomes.items()) if outcome is not None)


_COLUMNS = (
    "id, query, number, department, deadline_s, state, since_s, leases, token, expires_s, sentence, code,"
    " reason, digest, free"
)


def _tasks(db: sqlite3.Connection, condition: str, *values: object) -> list[StoredTask]:
    """The tasks that fulfil a condition (SQL text of this module), without their outcomes' bytes."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM tasks WHERE {condition}", values)  # noqa: S608 # constants only
    return [_task(row) for row in rows]


def _task(row: sqlite3.Row) -> StoredTask:
    outcome = (
        None
        if row["digest"] is None
        else Outcome(row["digest"], row["code"], row["sentence"], row["reason"], bool(row["free"]))
    )
    task = Task(
        deadline_s=row["deadline_s"],
        since_s=row["since_s"],
        state=State(row["state"]),
        leases=row["leases"],
        token=row["token"],
        expires_s=row["expires_s"],
        sentence=row["sentence"],
        outcome=outcome,
    )
    return StoredTask(row["id"], row["query"], row["number"], row["department"], task)

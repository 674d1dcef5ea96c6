r"""What people at the department decided about questions: the one place in which it is written and read.

    asked --approve (as many as are needed)--> approved --refuse (one)--> refused
      \--refuse (one)--> refused (final: the analyst asks anew)         \--deadline--> forgotten

What lets something out may need two people, each by a signature that is verified whenever it is relied on;
what stops it needs one and no key. An approval is for one signed query: all its rounds, its whole loss. It
reserves nothing, and it beats nothing: a pause, a withdrawal, a revocation and the ledger count besides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass
from typing import Any

from fedstats.core.agreement_document import Document
from fedstats.core.approval import Approval
from fedstats.core.names import check_text
from fedstats.core.reason import Reason
from fedstats.core.times import minute_of
from fedstats.errors import ApprovalInvalid, ApprovalsFull, FedstatsError, QuestionUnknown, Vetoed
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.journal.security import APPROVAL_ASKED, QUESTION_APPROVED, QUESTION_VETOED
from fedstats.node import log_entries
from fedstats.node.approval_terms import Decide, PolicyTerms
from fedstats.node.state import State
from fedstats.wire.codec import decode_approval, encode_approval
from fedstats.wire.v1 import nodes_pb2

UNDECIDED_OF_ANALYST_MAX = 20
UNDECIDED_MAX = 500
TASK_BYTES_MAX = 200_000
ID_CHARACTERS = 10
ID_CHARACTERS_MIN = 4
ANYBODY = b""
"""In the place of a key: an approval that was typed where no approvers are named."""


@dataclass(frozen=True, slots=True)
class Question:
    """What waits for a person: a verified question as the coordinator brought it."""

    query: bytes
    agreement: str
    agreement_version: int
    analyst: str
    deadline_s: int
    task: nodes_pb2.Task


@dataclass(frozen=True, slots=True)
class Standing:
    """A question on the list; `approvers` names those whose approval counts now, of `needed`.

    Times are seconds since 1970.
    """

    query: bytes
    agreement: str
    agreement_version: int
    analyst: str
    asked_s: int
    deadline_s: int
    reason: Reason | None  # of a refusal
    note: str
    parked: str | None  # the task that waits at the coordinator
    task: nodes_pb2.Task
    approvers: tuple[str, ...]
    needed: int

    @property
    def id(self) -> str:
        """What people type, and how the analyst's own list calls it."""
        return self.query.hex()[:ID_CHARACTERS]

    @property
    def undecided(self) -> bool:
        """Whether it waits for a person."""
        return self.reason is None and not self.approved

    @property
    def approved(self) -> bool:
        """Whether it may be answered, as far as people here decide."""
        return self.reason is None and len(self.approvers) >= self.needed

    @property
    def words(self) -> str:
        """Where it stands, in a few words."""
        if self.reason is not None:
            return f"refused ({self.reason.value})"
        if self.approved:
            return "approved"
        return f"{len(self.approvers)} of {self.needed} approvals" if self.approvers else "waits"


class Approvals:
    """The department's list of questions. It needs no coordinator and lasts over restarts."""

    def __init__(self, state: State, terms: PolicyTerms) -> None:
        """Use this node's records, and what node.toml says about deciding."""
        self._state, self.terms = state, terms

    def ask(self, question: Question, *, now_s: int) -> str:
        """Nothing if the question may be answered, else whom it waits for, as the analyst reads it.

        The first time it comes onto the list.

        Raises
        ------
        Vetoed
            Somebody refused it.
        ApprovalsFull
            Too much waits already, of this analyst or in all.

        """
        with self._state.look() as sqlite:
            standing = self._found(sqlite, question.query)
        if standing is not None and standing.reason is not None:
            word, words = standing.reason.value, standing.reason.words
            raise Vetoed(f"The department refused this question: {words} ({word}).", reason=word)
        if self.terms.rule(question.agreement).decide is Decide.AUTO or (standing and standing.approved):
            return ""
        with self._state.change() as sqlite:
            if standing is None:
                _check_room(sqlite, question, now_s)
                _add(sqlite, question, now_s)
                self._state.log.enter(log_entries.APPROVAL_ASKED, _entry(question), now_s=now_s)
            sqlite.execute(
                "UPDATE question SET parked = ? WHERE query = ?", (question.task.id, question.query)
            )
        if standing is None:
            APPROVAL_ASKED(query=question.query.hex(), agreement=question.agreement)
        asked_s = standing.asked_s if standing else now_s
        return f"waits for approval by {self._state.department} since {minute_of(asked_s)}"

    def approve(self, query: bytes, key: SigningKey | None, *, now_s: int) -> Standing:
        """Let a question be answered, with an approver's key where node.toml names approvers.

        Raises
        ------
        QuestionUnknown
            It is not on the list (any more).
        ApprovalInvalid
            It was refused, its deadline has passed, or the key is missing or no approver's.

        """
        payload = encode_approval(Approval(self._state.department, query, now_s))
        with self._state.change() as sqlite:
            standing = self._known(sqlite, query)
            if standing.reason is not None:
                raise ApprovalInvalid("It was refused, which is final: the analyst may ask anew.")
            if now_s > standing.deadline_s:
                raise ApprovalInvalid(f"Its deadline passed at {minute_of(standing.deadline_s)}.")
            raw, signature = self._signature(payload, key)
            sqlite.execute(
                "INSERT OR REPLACE INTO approval VALUES (?, ?, ?, ?)", (query, raw, payload, signature)
            )
            standing = self._known(sqlite, query)
            approver = self.terms.approver(raw)
            by = approver.name if approver else self._state.department
            self._state.log.enter(log_entries.APPROVED, {"query": query.hex(), "by": by}, now_s=now_s)
        QUESTION_APPROVED(
            query=query.hex(),
            agreement=standing.agreement,
            approvals=len(standing.approvers),
            needed=standing.needed,
        )
        return standing

    def refuse(self, query: bytes, reason: Reason, *, now_s: int, note: str = "") -> Standing:
        """Let a question not be answered, or no further: what has not been sent stays here. Final.

        Raises
        ------
        QuestionUnknown
            It is not on the list (any more).

        """
        check_text(note, what="note")
        with self._state.change() as sqlite:
            self._known(sqlite, query)
            sqlite.execute(
                "UPDATE question SET decided_s = ?, reason = ?, note = ? WHERE query = ?",
                (now_s, reason.value, note, query),
            )
            standing = self._known(sqlite, query)
            entry = {"query": query.hex(), "agreement": standing.agreement, "reason": reason.value}
            self._state.log.enter(log_entries.VETOED, entry, now_s=now_s)
        QUESTION_VETOED(query=query.hex(), agreement=standing.agreement, reason=reason.value)
        return standing

    def all(self, *, now_s: int) -> tuple[Standing, ...]:
        """Every question whose deadline has not passed, the oldest first."""
        with self._state.look() as sqlite:
            return self._standings(sqlite, "deadline_s >= ? ORDER BY asked_s, query", now_s)

    def find(self, typed: str, *, now_s: int) -> Standing:
        """The question whose hash begins like this (four digits or more); raises QuestionUnknown."""
        digits = typed.strip().lower()
        if len(digits) < ID_CHARACTERS_MIN:
            raise QuestionUnknown("Type at least the first four digits of the question's id.")
        found = [standing for standing in self.all(now_s=now_s) if standing.query.hex().startswith(digits)]
        if len(found) != 1:
            which = f"{len(found)} questions begin" if found else "No question on the list begins"
            raise QuestionUnknown(f"{which} with {digits[:16]!r}.")
        return found[0]

    def parked(self, *, now_s: int) -> bool:
        """Whether a task waits at the coordinator; what has passed its deadline is forgotten."""
        with self._state.look() as sqlite:
            row = sqlite.execute("SELECT MIN(deadline_s), COUNT(parked) FROM question").fetchone()
        if row[0] is not None and row[0] < now_s:
            with self._state.change() as sqlite:
                sqlite.execute("DELETE FROM question WHERE deadline_s < ?", (now_s,))
        return bool(row[1])

    def tasks(self) -> tuple[str, ...]:
        """The tasks that wait here for a person, as the coordinator calls them."""
        with self._state.look() as sqlite:
            rows = sqlite.execute("SELECT parked FROM question WHERE parked IS NOT NULL").fetchall()
        return tuple(task for (task,) in rows)

    def decided(self, in_force: Container[tuple[str, int]], *, now_s: int) -> tuple[nodes_pb2.Decision, ...]:
        """What became of tasks that wait at the coordinator, to be told until `told`.

        A question that nobody need decide any more goes on as well: the agreement is not in force any more,
        say, and the task then gets its refusal.
        """
        if not self.parked(now_s=now_s):
            return ()
        with self._state.look() as sqlite:
            standings = self._standings(sqlite, "parked IS NOT NULL")
        return tuple(
            nodes_pb2.Decision(task=standing.parked, approved=standing.approved)
            for standing in standings
            if not standing.undecided
            or (standing.agreement, standing.agreement_version) not in in_force
            or self.terms.rule(standing.agreement).decide is Decide.AUTO
        )

    def told(self, decisions: Collection[nodes_pb2.Decision]) -> None:
        """The coordinator has heard these; a task that it hands out afterwards may wait again."""
        if decisions:
            with self._state.change() as sqlite:
                sqlite.executemany(
                    "UPDATE question SET parked = NULL WHERE parked = ?", [(d.task,) for d in decisions]
                )

    def _signature(self, payload: bytes, key: SigningKey | None) -> tuple[bytes, bytes]:
        """Whose approval this is, and the signature, which is empty where no approvers are named."""
        if not self.terms.approvers:
            return ANYBODY, b""
        if key is None:
            raise ApprovalInvalid("node.toml names approvers, so an approval needs the key of one of them.")
        if self.terms.approver(key.public.raw) is None:
            raise ApprovalInvalid(f"node.toml names no approver with the key {key.public.fingerprint}.")
        return key.public.raw, key.sign(Context.APPROVAL, payload)

    def _known(self, sqlite: sqlite3.Connection, query: bytes) -> Standing:
        standing = self._found(sqlite, query)
        if standing is None:
            raise QuestionUnknown("This question is not on the list any more.")
        return standing

    def _found(self, sqlite: sqlite3.Connection, query: bytes) -> Standing | None:
        return next(iter(self._standings(sqlite, "query = ?", query)), None)

    def _standings(self, sqlite: sqlite3.Connection, condition: str, *values: object) -> tuple[Standing, ...]:
        rows = sqlite.execute(f"SELECT {_COLUMNS} FROM question WHERE {condition}", values).fetchall()  # noqa: S608 # our own conditions
        return tuple(self._standing(sqlite, *row) for row in rows)

    def _standing(self, sqlite: sqlite3.Connection, query: bytes, task: bytes, *facts: Any) -> Standing:  # noqa: ANN401 # as SQLite has them
        agreement, version, analyst, asked_s, deadline_s, reason, note, parked = facts
        return Standing(
            query=query,
            task=nodes_pb2.Task.FromString(task),
            agreement=agreement,
            agreement_version=version,
            analyst=analyst,
            asked_s=asked_s,
            deadline_s=deadline_s,
            reason=None if reason is None else Reason(reason),
            note=note,
            parked=parked,
            approvers=tuple(self._approvers(sqlite, query)),
            needed=self.terms.rule(agreement).needed,
        )

    def _approvers(self, sqlite: sqlite3.Connection, query: bytes) -> Iterator[str]:
        """Whose approval of this query counts now: each signature is verified anew."""
        rows = sqlite.execute(
            "SELECT approver, payload, signature FROM approval WHERE query = ? ORDER BY rowid", (query,)
        ).fetchall()
        for key, payload, signature in rows:
            if key == ANYBODY and not self.terms.approvers:
                yield self._state.department
            approver = self.terms.approver(key)
            if approver is not None and self._holds(approver.key, payload, signature, query):
                yield approver.name

    def _holds(self, key: PublicKey, payload: bytes, signature: bytes, query: bytes) -> bool:
        try:
            said = decode_approval(Signed(payload, key, signature).verify(Context.APPROVAL))
        except FedstatsError:
            return False
        return (said.department, said.query) == (self._state.department, query)


_COLUMNS = "query, task, agreement, agreement_version, analyst, asked_s, deadline_s, reason, note, parked"


def _check_room(sqlite: sqlite3.Connection, question: Question, now_s: int) -> None:
    """Whoever asks much must wait: a list that nobody can read to its end is no list."""
    if question.task.ByteSize() > TASK_BYTES_MAX:
        raise ApprovalsFull("The question is too long for a person to decide about.")
    sqlite.execute("DELETE FROM question WHERE deadline_s < ?", (now_s,))
    # Those with an approval count until they are refused or over: a second one may be missing.
    rows = sqlite.execute(
        "SELECT analyst, COUNT(*) FROM question WHERE reason IS NULL AND parked IS NOT NULL GROUP BY analyst"
    ).fetchall()
    waiting = dict(rows)
    if waiting.get(question.analyst, 0) >= UNDECIDED_OF_ANALYST_MAX:
        raise ApprovalsFull(
            f"{UNDECIDED_OF_ANALYST_MAX} questions of this analyst wait to be decided already."
        )
    if sum(waiting.values()) >= UNDECIDED_MAX:
        raise ApprovalsFull(f"{UNDECIDED_MAX} questions wait to be decided already.")


def _add(sqlite: sqlite3.Connection, question: Question, now_s: int) -> None:
    shown = nodes_pb2.Task(
        query=question.task.query,
        round=question.task.round,
        appointment=question.task.appointment,
        phase=question.task.phase,
    )
    sqlite.execute(
        "INSERT OR IGNORE INTO question (query, agreement, agreement_version, analyst, asked_s, deadline_s,"
        " task) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            question.query,
            question.agreement,
            question.agreement_version,
            question.analyst,
            now_s,
            question.deadline_s,
            shown.SerializeToString(deterministic=True),
        ),
    )


def _entry(question: Question) -> Document:
    return {
        "query": question.query.hex(),
        "agreement": question.agreement,
        "version": question.agreement_version,
        "analyst": question.analyst,
    }

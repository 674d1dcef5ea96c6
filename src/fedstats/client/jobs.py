"""The questions of this computer: each is kept, signed, before it is sent, so that it can be resumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fedstats.client.origin import TABLE, Origin
from fedstats.client.private import keep_private
from fedstats.client.replaying import Kept
from fedstats.errors import FileProblem, JobUnknown
from fedstats.identity.keys import PublicKey, Signed

JOB_CHARACTERS = 10
JOB_CHARACTERS_MIN = 4
BUSY_S = 20.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    query_hash BLOB PRIMARY KEY,
    asked_at_s INTEGER NOT NULL,
    agreement TEXT NOT NULL,
    purpose TEXT NOT NULL,
    dataset TEXT NOT NULL,
    edition TEXT NOT NULL,
    question TEXT NOT NULL,
    statistic TEXT NOT NULL,
    parameters TEXT NOT NULL,
    file_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    sentence TEXT NOT NULL,
    key BLOB NOT NULL,
    query BLOB NOT NULL,
    query_signature BLOB NOT NULL,
    round BLOB NOT NULL,
    round_signature BLOB NOT NULL,
    appointment BLOB NOT NULL,
    appointment_key BLOB NOT NULL,
    appointment_signature BLOB NOT NULL
) STRICT
"""

_ANSWERS = """
CREATE TABLE IF NOT EXISTS answers (
    query_hash BLOB PRIMARY KEY REFERENCES jobs,
    authority BLOB NOT NULL,
    fetched BLOB NOT NULL,
    answered_at_s INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    agreement_version INTEGER NOT NULL,
    left_ppm INTEGER
) STRICT
"""


class JobState(Enum):
    """How far a job is, as this computer last knew."""

    ASKED = "asked"
    ANSWERED = "answered"
    NOT_ANSWERED = "not answered"


@dataclass(frozen=True, slots=True)
class Job:
    """A signed question with its first round.

    `origin` is where its statistic comes from; None where only whoever asked it can make it again.
    """

    query_hash: bytes
    asked_at_s: int
    agreement: str
    purpose: str
    dataset: str
    edition: str
    question: str
    origin: Origin | None
    query: Signed
    round: Signed
    appointment: Signed
    state: JobState = JobState.ASKED
    sentence: str = ""

    @property
    def name(self) -> str:
        """What people type: the first digits of the query's hash."""
        return job_name(self.query_hash)

    @property
    def sql(self) -> str:
        """The question as it was typed; empty where it was not asked in SQL."""
        return str(self.origin.plain.get("sql", "")) if self.origin and self.origin.statistic == TABLE else ""


def job_name(query_hash: bytes) -> str:
    """The first digits of a query's hash."""
    return query_hash.hex()[:JOB_CHARACTERS]


class JobStore:
    """The file `jobs.sqlite`. Every method is one transaction and durable when it returns."""

    def __init__(self, path: Path) -> None:
        """Use this file; it is made when the first job is added."""
        self._path = path

    def add(self, job: Job) -> None:
        """Keep a job before it is sent."""
        signed = (job.query, job.round, job.appointment)
        (query, query_sig), (order, order_sig), (appointment, appointment_sig) = (
            (s.payload, s.signature) for s in signed
        )
        row = {
            **{name: getattr(job, name) for name in _PLAIN},
            **{name: getattr(job.origin, name, "") for name in _ORIGIN},
            "state": job.state.value,
            "key": job.query.key.raw,
            "query": query,
            "query_signature": query_sig,
            "round": order,
            "round_signature": order_sig,
            "appointment": appointment,
            "appointment_key": job.appointment.key.raw,
            "appointment_signature": appointment_sig,
        }
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        with self._transaction() as database:
            database.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", row)  # noqa: S608 # our own names

    def finish(self, query_hash: bytes, state: JobState, sentence: str = "") -> None:
        """Remember how a job ended."""
        with self._transaction() as database:
            database.execute(
                "UPDATE jobs SET state = ?, sentence = ? WHERE query_hash = ?",
                (state.value, sentence, query_hash),
            )

    def moved(self, query_hash: bytes, statistic: str) -> None:
        """Remember where the file of a job's statistic is now."""
        with self._transaction() as database:
            database.execute("UPDATE jobs SET statistic = ? WHERE query_hash = ?", (statistic, query_hash))

    def note(self, query_hash: bytes, sentence: str) -> None:
        """Remember how far a job is that has not ended."""
        with self._transaction() as database:
            database.execute(
                "UPDATE jobs SET sentence = ? WHERE query_hash = ? AND state = ?",
                (sentence, query_hash, JobState.ASKED.value),
            )

    def keep(self, query_hash: bytes, kept: Kept) -> None:
        """Keep what an answer was made of, in place of what was kept before."""
        row = (query_hash, *(getattr(kept, name) for name in _KEPT))
        with self._transaction() as database:
            marks = ", ".join("?" * len(row))
            names = ", ".join(_KEPT)
            database.execute(f"INSERT OR REPLACE INTO answers (query_hash, {names}) VALUES ({marks})", row)  # noqa: S608 # our own names

    def kept(self, query_hash: bytes) -> Kept | None:
        """What was kept of a job's answer; None if nothing was."""
        with self._transaction() as database:
            row = database.execute("SELECT * FROM answers WHERE query_hash = ?", (query_hash,)).fetchone()
        if row is None:
            return None
        return Kept(**{**{name: row[name] for name in _KEPT}, "complete": bool(row["complete"])})

    def left_ppm(self, agreement: str, version: int) -> int | None:
        """What was left of an agreement's budget when departments last said so; None if they never did."""
        sql = (
            "SELECT left_ppm FROM answers JOIN jobs USING (query_hash) WHERE agreement = ?"
            " AND agreement_version = ? AND left_ppm IS NOT NULL ORDER BY answered_at_s DESC LIMIT 1"
        )
        with self._transaction() as database:
            row = database.execute(sql, (agreement, version)).fetchone()
        return None if row is None else int(row["left_ppm"])

    def all(self) -> tuple[Job, ...]:
        """Every job, the newest first."""
        with self._transaction() as database:
            rows = database.execute("SELECT * FROM jobs ORDER BY asked_at_s DESC, query_hash").fetchall()
        return tuple(_job(row) for row in rows)

    def find(self, name: str) -> Job:
        """The job whose name begins like this (four digits or more).

        Raises
        ------
        JobUnknown
            There is none, or more than one.

        """
        typed = name.strip().lower()
        if len(typed) < JOB_CHARACTERS_MIN:
            raise JobUnknown(f"The name of a job has {JOB_CHARACTERS} digits; type at least the first four.")
        found = [job for job in self.all() if job.query_hash.hex().startswith(typed)]
        if len(found) != 1:
            many = f"{len(found)} jobs begin" if found else "No job of this computer begins"
            raise JobUnknown(f"{many} with {typed[:16]!r}.")
        return found[0]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        keep_private(self._path)  # what SQLite writes beside it has the same mode
        try:
            database = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as problem:
            raise FileProblem(f"{self._path} cannot be opened: {problem}.") from None
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")  # what was signed must survive a power cut
            database.execute("BEGIN IMMEDIATE")
            database.execute(_SCHEMA)
            database.execute(_ANSWERS)
            yield database
            database.execute("COMMIT")
        except sqlite3.Error as problem:
            raise FileProblem(f"{self._path} cannot be used: {problem}.") from None
        finally:
            database.close()  # without COMMIT, what was begun is undone


_PLAIN = (
    "query_hash", "asked_at_s", "agreement", "purpose", "dataset", "edition", "question", "sentence",
)  # fmt: skip


_ORIGIN = ("statistic", "parameters", "file_hash")
_KEPT = ("authority", "fetched", "answered_at_s", "complete", "agreement_version", "left_ppm")


def _job(row: sqlite3.Row) -> Job:
    key = PublicKey(row["key"])
    return Job(
        **{name: row[name] for name in _PLAIN},
        origin=Origin(**{name: row[name] for name in _ORIGIN}) if row["statistic"] else None,
        state=JobState(row["state"]),
        query=Signed(row["query"], key, row["query_signature"]),
        round=Signed(row["round"], key, row["round_signature"]),
        appointment=Signed(
            row["appointment"], PublicKey(row["appointment_key"]), row["appointment_signature"]
        ),
    )

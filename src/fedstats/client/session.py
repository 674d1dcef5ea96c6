"""A session: asks questions, follows them, verifies and adds up what comes back.

with fedstats.connect() as session:
    answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1)
    print(answer)
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from fedstats.client.aiming import Aim
from fedstats.client.answer import Answer
from fedstats.client.asking import Under, parameters_text
from fedstats.client.authority import Authority, authority_of
from fedstats.client.custom.file import FileStatistic
from fedstats.client.custom.process import Limits
from fedstats.client.directory import DatasetEntry, Directory
from fedstats.client.explanation import Explanation, explain
from fedstats.client.following import Patience, Tell
from fedstats.client.home import Home
from fedstats.client.jobs import Job, JobStore
from fedstats.client.joining import open_channel
from fedstats.client.keyring import signing
from fedstats.client.parameters import Given, plain_of
from fedstats.client.preparing import Prepared, Preparing
from fedstats.client.register_seen import Continuing
from fedstats.client.replaying import Remembering, Replaying, kept_of
from fedstats.client.rounds import Asked, Rounds
from fedstats.client.taking_up import Take, taken_up
from fedstats.core.bound import BoundKind
from fedstats.core.statistic import Statistic
from fedstats.errors import CoordinatorUnreachable, NoReplyInTime
from fedstats.identity.keys import Context, Signed
from fedstats.wire.codec import encode_round
from fedstats.wire.method import Transport
from fedstats.wire.methods import CATALOGUE, FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2, analysts_pb2

Announce = Callable[[str], None]
"""Is told in one sentence what a question may cost in all, before anything is sent."""


class Session:
    """A connection to one federation, as the analyst of one home. Use it as a context manager, or close it.

    `now` gives seconds since 1970; `pause` waits between attempts; `close` ends the transport's connection.
    """

    def __init__(
        self,
        home: Home,
        transport: Transport,
        *,
        now: Callable[[], float],
        pause: Callable[[float], None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Talk through `transport`; nothing is sent yet."""
        self.home = home
        self.transport: Transport = Remembering(transport)
        self._now = now
        self._pause = pause
        self._close = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection. Jobs go on."""
        self._close()

    def query(  # noqa: PLR0913 # one parameter per choice that the analyst has
        self,
        sql: str,
        *,
        epsilon: float | str | None = None,
        target: float | str | None = None,
        purpose: str = "",
        agreement: str = "",
        edition: str = "",
        pure: bool = False,
        bound: str = BoundKind.ROWS.value,
        totals: bool = False,
        progress: Tell | None = None,
        wait_s: float | None = None,
        announce: Announce | None = None,
    ) -> Answer:
        """Ask a question in SQL and wait for the answer, until its deadline or for `wait_s` seconds.

        `epsilon` is the loss of one person over the whole federation; `target`, in its place, the widest half
        width that is exact enough (50, "2%" of the public size, "5% of JOB"), for which the least epsilon is
        asked. `pure` asks for pure epsilon (Laplace); `totals` adds the cells up over each key. `bound` says
        how the rows of one person count: rows, people, norm, norm:3 or auto. What is not given comes from
        `fedstats use`, or is the only or newest there is. `progress` is told of each change, `announce` what
        it may cost in all, before anything is sent, where it asks more than one round.

        Raises
        ------
        LanguageError, Refused, AuthorityError
            The question cannot be asked like this, is not allowed, or nobody appointed this key.
        TargetOutOfReach
            Nothing that may be asked is as exact as `target`.
        StillWaiting
            The time was up first: the job goes on.
        NotAnswered
            Too few departments answered.

        """
        under = Under(epsilon, target, purpose, agreement, edition, pure, bound)
        preparing = self._preparing()
        prepared = preparing.prepare(preparing.asking(sql, under, totals=totals), under)
        if announce is not None and prepared.draft.query.rounds_max > 1:
            announce(prepared.sentence)
        return self._ask(preparing.directory, prepared, progress, wait_s)

    def run(  # noqa: PLR0913 # one parameter per choice that the analyst has
        self,
        statistic: Statistic,
        *,
        epsilon: float | str | None = None,
        target: float | str | None = None,
        purpose: str = "",
        agreement: str = "",
        edition: str = "",
        pure: bool = False,
        progress: Tell | None = None,
        wait_s: float | None = None,
        announce: Announce | None = None,
    ) -> Answer:
        """Ask a statistic, as `query` does; the register shows its parameters.

        The job remembers a built-in one, and one of a file (`client.opening.statistic_at`); to resume
        another, give it again. `announce` is told what it may cost in all, before anything is sent.

        Raises
        ------
        StatisticFailed, StatisticStopped
            It raised, never ended, or gave back what it may not; the error says what was spent.

        """
        under = Under(epsilon, target, purpose, agreement, edition, pure)
        preparing = self._preparing()
        prepared = preparing.prepare(preparing.asking(statistic, under), under)
        if announce is not None:
            announce(prepared.sentence)
        return self._ask(preparing.directory, prepared, progress, wait_s)

    def explain(  # noqa: PLR0913 # one parameter per choice that the analyst has
        self,
        question: str | Statistic,
        *,
        epsilon: float | str | None = None,
        target: float | str | None = None,
        purpose: str = "",
        agreement: str = "",
        edition: str = "",
        pure: bool = False,
        bound: str = BoundKind.ROWS.value,
    ) -> Explanation:
        """Say what a question (SQL or a statistic) would cost and how wide its intervals would be.

        Raises as `query`, for everything that can be known beforehand.
        """
        under = Under(epsilon, target, purpose, agreement, edition, pure, bound)
        preparing = self._preparing()
        prepared = preparing.prepare(preparing.asking(question, under), under)
        return explain(prepared.draft, prepared.asking.statistic, prepared.epsilon, prepared.aimed)

    def aim(
        self,
        question: str | Statistic,
        *,
        target: float | str,
        purpose: str = "",
        agreement: str = "",
        edition: str = "",
        pure: bool = False,
        bound: str = BoundKind.ROWS.value,
    ) -> Aim:
        """Find the least epsilon for an accuracy, as `query` does, and ask nothing."""
        under = Under(None, target, purpose, agreement, edition, pure, bound)
        preparing = self._preparing()
        return preparing.aim(preparing.asking(question, under), under)

    def datasets(self) -> tuple[DatasetEntry, ...]:
        """Every dataset that can be asked about: those of agreements in force with trusted controllers."""
        return self.directory().entries()

    def dataset(self, name: str, *, agreement: str = "") -> DatasetEntry:
        """One dataset; raises NameUnknown where there is none, or where several agreements have it."""
        return self.directory().find(name, agreement=agreement)

    def jobs(self) -> tuple[Job, ...]:
        """The questions of this computer, the newest first."""
        return self._jobs.all()

    def job(self, name: str) -> Job:
        """The question of this computer whose name begins like this; raises JobUnknown."""
        return self._jobs.find(name)

    def resume(
        self,
        job: str,
        *,
        statistic: Statistic | Path | None = None,
        totals: bool = False,
        progress: Tell | None = None,
        wait_s: float | None = None,
        ask: bool = True,
        limits: Limits | None = None,
    ) -> Answer:
        """Take a job up again; nothing is paid twice.

        `statistic` is needed for a job whose class was defined in a notebook; of one whose file was moved,
        where the file is. An answer from all departments is shown from what this computer kept of it, also
        while the coordinator is away; so is any other then, or without `ask`. Else who could not answer is
        asked again.

        Raises
        ------
        JobUnknown
            No job of this computer is called so, it was asked with another key, or it needs its statistic.
        StatisticChanged
            The file of its statistic is not the one that it was asked with.
        StillWaiting, NotAnswered
            As `query`.
        RoundConflict
            The statistic no longer asks what was signed.

        """
        take = Take(statistic, totals=totals, limits=limits or Limits())
        seen = self._jobs.kept(self._jobs.find(job).query_hash)
        if seen is None or (ask and not seen.complete):
            try:
                return self._resumed(self._asked(job, take), progress, wait_s)
            except (CoordinatorUnreachable, NoReplyInTime):
                if seen is None:
                    raise
        then = Session(self.home, Replaying(seen), now=lambda: seen.answered_at_s, pause=lambda _: None)
        return then._resumed(then._asked(job, take), None, wait_s)  # this class's own

    def view(self, job: str, *, statistic: Statistic | Path | None = None, **fields: Given) -> Answer:
        """Show the answer of a job with other free parameters of its statistic: nothing is asked or spent.

        Raises
        ------
        ParameterInvalid
            A field is not free: another value would be a new question.
        JobUnknown, StatisticChanged, RoundConflict, NotAnswered
            As `resume`.

        """
        take = Take(statistic, fields={name: plain_of(value) for name, value in fields.items()})
        seen = self._jobs.kept(self._jobs.find(job).query_hash)
        if seen is None:
            return self._resumed(self._asked(job, take), None, 0)
        then = Session(self.home, Replaying(seen), now=lambda: seen.answered_at_s, pause=lambda _: None)
        return then._resumed(then._asked(job, take), None, 0)  # this class's own

    def proceed(
        self,
        job: str,
        *,
        statistic: Statistic | Path | None = None,
        totals: bool = False,
        progress: Tell | None = None,
        wait_s: float | None = None,
    ) -> Answer:
        """Go on without the departments that have not answered; what they answer later is not counted.

        Signed and final: the public register shows who was left out. Where all have answered, as `resume`.

        Raises
        ------
        OutsideAgreement
            The agreement needs more departments than have answered.
        JobUnknown, StatisticChanged, StillWaiting, NotAnswered, RoundConflict
            As `resume`.

        """
        asked = self._asked(job, Take(statistic, totals=totals))
        return self._kept(asked, self._rounds(asked.query.deadline_s, progress, wait_s).proceed(asked))

    def authority(self) -> Authority:
        """What the controllers signed, as the coordinator relays it. Not verified yet."""
        return authority_of(self.transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))

    def directory(self) -> Directory:
        """What can be asked about here, now."""
        catalogue = self.transport.call(CATALOGUE, analysts_pb2.CatalogueRequest())
        now_s = self._now()
        today = datetime.fromtimestamp(now_s, UTC).date()
        return Directory(self.authority(), catalogue, self.home.trust.is_trusted, today, now_s)

    def _resumed(self, asked: Asked, progress: Tell | None, wait_s: float | None) -> Answer:
        return self._kept(asked, self._rounds(asked.query.deadline_s, progress, wait_s).resume(asked))

    def _kept(self, asked: Asked, answer: Answer) -> Answer:
        """The answer; what it was made of is kept, unless it is large."""
        seen = kept_of(self.transport, asked.query, answer, answered_at_s=int(self._now()))
        if seen is not None:
            self._jobs.keep(asked.job.query_hash, seen)
        return answer

    def _asked(self, job: str, take: Take) -> Asked:
        asked = taken_up(self._jobs.find(job), take, self.home, self.directory)
        if isinstance(take.statistic, Path) and isinstance(asked.statistic, FileStatistic):
            self._jobs.moved(asked.job.query_hash, asked.statistic.file.reference)
        return asked

    def _preparing(self) -> Preparing:
        return Preparing(
            self.home, self._jobs, self.directory(), self._now, lambda job: self.resume(job, wait_s=0).table
        )

    def _ask(
        self, directory: Directory, prepared: Prepared, progress: Tell | None, wait_s: float | None
    ) -> Answer:
        drafted = prepared.draft
        query, agreement, now_s = drafted.query, drafted.terms.agreement, int(self._now())
        key, appointment = signing(self.home, directory.authority, agreement, now_s=now_s)
        job = Job(
            query_hash=drafted.order.query,
            asked_at_s=now_s,
            agreement=agreement.id,
            purpose=query.purpose,
            dataset=query.dataset,
            edition=query.edition,
            question=parameters_text(query.statistic.parameters),
            origin=prepared.asking.origin,
            query=Signed.make(Context.QUERY, drafted.payload, key),
            round=Signed.make(Context.ROUND, encode_round(drafted.order), key),
            appointment=appointment,
        )
        self._jobs.add(job)  # kept before it is sent: whatever happens next, `resume` finds it
        statistic = prepared.asking.statistic
        asked = Asked(job, statistic, query, drafted.order, agreement, directory.authority, key)
        return self._kept(asked, self._rounds(query.deadline_s, progress, wait_s).ask(asked))

    def _rounds(self, deadline_s: int, progress: Tell | None, wait_s: float | None) -> Rounds:
        until_s = deadline_s if wait_s is None else min(deadline_s, self._now() + wait_s)
        patience = Patience(until_s, self._now, self._pause)
        return Rounds(self.transport, self._jobs, patience, progress or (lambda _: None))

    @property
    def _jobs(self) -> JobStore:
        self.home.prepare()
        return JobStore(self.home.jobs_file)


def connect(
    home: str | Path | None = None,
    *,
    transport: Transport | None = None,
    now: Callable[[], float] = time.time,
    pause: Callable[[float], None] | None = None,
) -> Session:
    """Open a session for the analyst of this home (by default `$FEDSTATS_HOME`, or the XDG folders).

    `transport`, `now` and `pause` are for simulations: in place of the network, the clock and waiting.

    Raises
    ------
    NotJoined
        The home has joined no federation.

    """
    found = Home.at(Path(home).expanduser()) if home is not None else Home.find(os.environ)
    seen, waiting = found.register_seen, pause or _pause
    if transport is not None:
        return Session(found, Continuing(transport, seen), now=now, pause=waiting)
    channel = open_channel(found, now=now)
    return Session(found, Continuing(channel, seen), now=now, pause=waiting, close=channel.close)


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)

"""A session: asks questions, follows them, verifies and adds up what comes back.

with fedstats.connect() as session:
    answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1)
    print(answer)
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from fedstats.client.aiming import Aim, aim, parse_target
from fedstats.client.answer import Answer
from fedstats.client.asking import Draft, Terms, Under, choose_purpose, draft, loss_of, parameters_text
from fedstats.client.authority import Authority, authority_of
from fedstats.client.catalogue import choose
from fedstats.client.directory import DatasetEntry, Directory
from fedstats.client.explanation import Explanation, explain
from fedstats.client.following import Patience, Tell
from fedstats.client.home import Home
from fedstats.client.jobs import Job, JobStore
from fedstats.client.joining import open_channel
from fedstats.client.keyring import key_that_signed, signing
from fedstats.client.register_seen import Continuing
from fedstats.client.replaying import Remembering, Replaying, kept_of
from fedstats.client.rounds import Asked, Rounds, kept
from fedstats.core.accounting import EPSILON_MIN, parse_epsilon
from fedstats.core.query import NONCE_BYTES
from fedstats.core.statistic import Statistic
from fedstats.errors import CoordinatorUnreachable, JobUnknown, NoReplyInTime
from fedstats.identity.keys import Context, Signed
from fedstats.statistics.table import Table
from fedstats.wire.codec import decode_query, decode_round, encode_round
from fedstats.wire.method import Transport
from fedstats.wire.methods import CATALOGUE, FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2, analysts_pb2


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
        totals: bool = False,
        progress: Tell | None = None,
        wait_s: float | None = None,
    ) -> Answer:
        """Ask a question in SQL and wait for the answer, until its deadline or for `wait_s` seconds.

        `epsilon` is the loss of one person over the whole federation; `target`, in its place, the widest half
        width that is exact enough (50, "2%" of the public size, "5% of JOB"), for which the least epsilon is
        asked. `pure` asks for pure epsilon (Laplace); `totals` adds the cells up over each key. What is not
        given comes from `fedstats use`, or is the only or newest there is. `progress` is told of each change.

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
        under = Under(epsilon, target, purpose, agreement, edition, pure)
        directory, statistic = self._parsed(sql, under, totals=totals)
        drafted, _ = self._draft(directory, statistic, sql, under)
        return self._ask(directory, drafted, statistic, sql, progress, wait_s)

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
    ) -> Answer:
        """Ask a statistic, as `query` does; the register shows its fields. To resume it, give it again."""
        under = Under(epsilon, target, purpose, agreement, edition, pure)
        directory = self.directory()
        drafted, _ = self._draft(directory, statistic, repr(statistic), under)
        return self._ask(directory, drafted, statistic, "", progress, wait_s)

    def explain(
        self,
        sql: str,
        *,
        epsilon: float | str | None = None,
        target: float | str | None = None,
        purpose: str = "",
        agreement: str = "",
        edition: str = "",
        pure: bool = False,
    ) -> Explanation:
        """Say what a question would cost and how wide its intervals would be; nothing is asked or spent.

        Raises as `query`, for everything that can be known beforehand.
        """
        under = Under(epsilon, target, purpose, agreement, edition, pure)
        directory, statistic = self._parsed(sql, under)
        drafted, aimed = self._draft(directory, statistic, sql, under)
        epsilon_asked = aimed.epsilon if aimed else parse_epsilon(str(epsilon))
        return explain(drafted, statistic, epsilon_asked, aimed)

    def aim(
        self,
        sql: str,
        *,
        target: float | str,
        purpose: str = "",
        agreement: str = "",
        edition: str = "",
        pure: bool = False,
    ) -> Aim:
        """Find the least epsilon for an accuracy, as `query` does, and ask nothing."""
        under = Under(None, target, purpose, agreement, edition, pure)
        directory, statistic = self._parsed(sql, under)
        return self._aim(self._terms(directory, statistic, under), statistic, sql, under)

    def datasets(self) -> tuple[DatasetEntry, ...]:
        """Every dataset that can be asked about: those of agreements in force with trusted controllers."""
        return self.directory().entries()

    def dataset(self, name: str, *, agreement: str = "") -> DatasetEntry:
        """One dataset; raises NameUnknown where there is none, or where several agreements have it."""
        return self.directory().find(name, agreement=agreement)

    def jobs(self) -> tuple[Job, ...]:
        """The questions of this computer, the newest first."""
        return self._jobs.all()

    def resume(
        self,
        job: str,
        *,
        statistic: Statistic | None = None,
        totals: bool = False,
        progress: Tell | None = None,
        wait_s: float | None = None,
        ask: bool = True,
    ) -> Answer:
        """Take a job up again; nothing is paid twice. One that came from Python needs its `statistic` again.

        An answer from all departments is shown from what this computer kept of it, also while the coordinator
        is away; so is any other then, or without `ask`. Else who could not answer is asked again.

        Raises
        ------
        JobUnknown
            No job of this computer is called so, it was asked with another key, or it needs its statistic.
        StillWaiting, NotAnswered
            As `query`.
        RoundConflict
            The statistic no longer asks what was signed.

        """
        seen = self._jobs.kept(self._jobs.find(job).query_hash)
        if seen is None or (ask and not seen.complete):
            try:
                return self._resumed(self._asked(job, statistic, totals=totals), progress, wait_s)
            except (CoordinatorUnreachable, NoReplyInTime):
                if seen is None:
                    raise
        then = Session(self.home, Replaying(seen), now=lambda: seen.answered_at_s, pause=lambda _: None)
        return then._resumed(then._asked(job, statistic, totals=totals), None, wait_s)  # this class's own

    def proceed(
        self,
        job: str,
        *,
        statistic: Statistic | None = None,
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
        JobUnknown, StillWaiting, NotAnswered, RoundConflict
            As `resume`.

        """
        asked = self._asked(job, statistic, totals=totals)
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

    def _asked(self, job: str, statistic: Statistic | None, *, totals: bool) -> Asked:
        """A kept job with everything that is needed to go on with it."""
        found = self._jobs.find(job)
        key = key_that_signed(self.home, found.query.key)
        if key is None:
            raise JobUnknown(f"Job {found.name} was asked with another key than this home has.", remedy="")
        if statistic is None and not found.sql:
            raise JobUnknown(
                f"Job {found.name} was asked from Python.",
                remedy=f"Give its statistic again: session.resume({found.name!r}, statistic=...)",
            )
        query = decode_query(found.query.payload)
        try:
            directory = self.directory()
        except (CoordinatorUnreachable, NoReplyInTime) as problem:
            raise kept(problem, found) from None
        agreement = directory.agreement(query.agreement, version=query.agreement_version)
        return Asked(
            job=found,
            statistic=statistic or Table.from_sql(found.sql, agreement.dataset, totals=totals),
            query=query,
            first=decode_round(found.round.payload),
            agreement=agreement,
            authority=directory.authority,
            key=key,
        )

    def _parsed(self, sql: str, under: Under, *, totals: bool = False) -> tuple[Directory, Table]:
        directory, named = self.directory(), under.agreement or self.home.config().agreement
        definition = partial(directory.find, agreement=named)
        return directory, Table.from_sql(sql, lambda name: definition(name).dataset, totals=totals)

    def _draft(
        self, directory: Directory, statistic: Statistic, text: str, under: Under
    ) -> tuple[Draft, Aim | None]:
        """Everything that can go wrong before sending goes wrong here, and costs nothing."""
        terms = self._terms(directory, statistic, under)
        aimed = None if under.target is None else self._aim(terms, statistic, text, under)
        epsilon = parse_epsilon(str(under.epsilon)) if aimed is None else aimed.epsilon
        return self._drafted(terms, statistic, text, epsilon, under), aimed

    def _aim(self, terms: Terms, statistic: Statistic, text: str, under: Under) -> Aim:
        target = parse_target(str(under.target))
        earlier = self.resume(target.job, wait_s=0).table if target.job else None
        least = self._drafted(terms, statistic, text, EPSILON_MIN, under)
        left_ppm = self._jobs.left_ppm(terms.agreement.id, terms.agreement.version)
        return aim(least, statistic, target, pure=under.pure, earlier=earlier, left_ppm=left_ppm)

    def _terms(self, directory: Directory, statistic: Statistic, under: Under) -> Terms:
        named, config = under.agreement or self.home.config().agreement, self.home.config()
        entry = directory.find(statistic.dataset, agreement=named)
        agreement = entry.agreement
        used = config.purpose if agreement.id == config.agreement else ""
        return Terms(
            agreement=agreement,
            purpose=choose_purpose(agreement, under.purpose or used),
            dataset=entry.dataset,
            choice=choose(agreement, entry.dataset, entry.holdings, under.edition or None),
        )

    def _drafted(
        self, terms: Terms, statistic: Statistic, text: str, epsilon: Fraction, under: Under
    ) -> Draft:
        loss = loss_of(terms.agreement, epsilon, pure=under.pure)
        nonce = secrets.token_bytes(NONCE_BYTES)
        return draft(statistic, text, terms, loss, now_s=int(self._now()), nonce=nonce)

    def _ask(
        self,
        directory: Directory,
        drafted: Draft,
        statistic: Statistic,
        sql: str,
        progress: Tell | None,
        wait_s: float | None,
    ) -> Answer:
        query, agreement, now_s = drafted.query, drafted.terms.agreement, int(self._now())
        key, appointment = signing(self.home, directory.authority, agreement, now_s=int(self._now()))
        job = Job(
            query_hash=drafted.order.query,
            asked_at_s=now_s,
            agreement=agreement.id,
            purpose=query.purpose,
            dataset=query.dataset,
            edition=query.edition,
            question=parameters_text(query.statistic.parameters),
            sql=sql,
            query=Signed.make(Context.QUERY, drafted.payload, key),
            round=Signed.make(Context.ROUND, encode_round(drafted.order), key),
            appointment=appointment,
        )
        self._jobs.add(job)  # kept before it is sent: whatever happens next, `resume` finds it
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

"""A job of this computer with everything that is needed to go on with it, or to look at it in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fedstats.client.custom.process import Limits
from fedstats.client.directory import Directory
from fedstats.client.home import Home
from fedstats.client.jobs import Job
from fedstats.client.keyring import key_that_signed
from fedstats.client.opening import not_free, opened, table_of, viewed
from fedstats.client.origin import TABLE
from fedstats.client.rounds import Asked, kept
from fedstats.core.agreement import Agreement
from fedstats.core.statistic import Statistic
from fedstats.errors import CoordinatorUnreachable, JobUnknown, NoReplyInTime
from fedstats.wire.codec import decode_query, decode_round

TOTALS = ("totals",)
"""What of a question in SQL changes only what is shown."""


@dataclass(frozen=True, slots=True)
class Take:
    """How a job is taken up: with a statistic given again (or where its file is now), and in which view.

    `fields` are free parameters to change, as JSON has them; `totals` adds up the cells of a table.
    """

    statistic: Statistic | Path | None = None
    totals: bool = False
    fields: Mapping[str, object] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


def taken_up(job: Job, take: Take, home: Home, directory: Callable[[], Directory]) -> Asked:
    """The job with its statistic, the agreement that it was asked under, and the key that signed it.

    Raises
    ------
    JobUnknown
        It was asked with another key than this home has, or its statistic must be given again.
    StatisticChanged, ParameterInvalid
        Its file is another one, or a field would make it a new question.
    CoordinatorUnreachable, NoReplyInTime
        The network failed: the job is kept.

    """
    key = key_that_signed(home, job.query.key)
    if key is None:
        raise JobUnknown(f"Job {job.name} was asked with another key than this home has.", remedy="")
    if job.origin is None and (take.statistic is None or isinstance(take.statistic, Path)):
        raise JobUnknown(
            f"Job {job.name} was asked from Python, with a class that only its author has.",
            remedy=f"Give its statistic again: session.resume({job.name!r}, statistic=...)",
        )
    query = decode_query(job.query.payload)
    try:
        found = directory()
    except (CoordinatorUnreachable, NoReplyInTime) as problem:
        raise kept(problem, job) from None
    agreement = found.agreement(query.agreement, version=query.agreement_version)
    return Asked(
        job=job,
        statistic=_statistic(job, take, agreement),
        query=query,
        first=decode_round(job.round.payload),
        agreement=agreement,
        authority=found.authority,
        key=key,
    )


def _statistic(job: Job, take: Take, agreement: Agreement) -> Statistic:
    """The statistic given, or the one remembered, in the view that is wanted."""
    if take.statistic is not None and not isinstance(take.statistic, Path):
        return viewed(take.statistic, take.fields, job=job.name) if take.fields else take.statistic
    if job.origin is None:  # refused before
        raise JobUnknown
    copy = take.statistic
    if job.origin.statistic == TABLE:
        bound = sorted(set(take.fields) - set(TOTALS))
        if bound:
            raise not_free(bound, TOTALS, job.name)
        plain = {**job.origin.plain, **take.fields}
        totals = take.totals or plain.get("totals") is True
        return table_of({**plain, "totals": totals}, agreement.dataset)
    statistic = opened(job.origin, agreement.dataset, job=job.name, limits=take.limits, copy=copy)
    return viewed(statistic, take.fields, job=job.name) if take.fields else statistic

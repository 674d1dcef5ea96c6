"""`fedstats jobs`, `fedstats resume` and `fedstats proceed`: the questions of this computer."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.answering import (
    chosen_format,
    output_options,
    put_out,
    statistic_option,
    table_option,
    totals_option,
)
from fedstats.cli.running import home_at, home_option, say, say_hanging, say_json, session_at
from fedstats.core.times import iso_of

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.client.jobs import Job

QUESTION_INDENT = 12  # behind the name of its job


@click.command
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", help="table or json."
)
@home_option
def jobs(*, form: str, home: Path | None) -> None:
    """List the questions of this computer.

    The newest comes first. A job waits until somebody looks whether it was answered; after its deadline, what
    came by then counts. Take one up again, or see its answer again, with: fedstats resume JOB
    """
    from fedstats.client.jobs import JobStore

    found = home_at(home)
    found.prepare()
    kept = JobStore(found.jobs_file).all()
    if form == "json":
        say_json([_document(job) for job in kept])
    elif not kept:
        say("Nothing was asked from this computer yet.")
    else:
        _show(kept)


@click.command
@click.argument("job")
@statistic_option
@totals_option
@table_option
@output_options
@home_option
def resume(
    *,
    job: str,
    statistic: Path | None,
    totals: bool,
    table: str | None,
    form: str | None,
    output: Path | None,
    wait_s: float | None,
    home: Path | None,
) -> None:
    """Take a question up again, or show its answer again, free.

    JOB is its name, or the first four digits of it. Departments that could not answer are asked again
    under the same charge. The job knows what was asked; a statistic from a file needs that file, unchanged.
    """
    from fedstats.cli.progress import shown

    chosen = chosen_format(form, output)
    with session_at(home) as session, shown(quiet=False) as tell:
        answer = session.resume(job, statistic=statistic, totals=totals, progress=tell, wait_s=wait_s)
    put_out(answer, chosen, output, table)


@click.command
@click.argument("job")
@statistic_option
@totals_option
@table_option
@output_options
@home_option
def proceed(
    *,
    job: str,
    statistic: Path | None,
    totals: bool,
    table: str | None,
    form: str | None,
    output: Path | None,
    wait_s: float | None,
    home: Path | None,
) -> None:
    """Go on without the departments that have not answered, where the agreement allows it.

    JOB is its name, or the first four digits of it. What they answer later is not counted. This is final, is
    signed with your key, and the public register shows whom you went on without.
    """
    from fedstats.cli.progress import shown

    chosen = chosen_format(form, output)
    with session_at(home) as session, shown(quiet=False) as tell:
        answer = session.proceed(job, statistic=statistic, totals=totals, progress=tell, wait_s=wait_s)
    put_out(answer, chosen, output, table)


def _show(kept: tuple[Job, ...]) -> None:
    """Two lines a job: names that are typed again are never shortened, however narrow the terminal is."""
    widest = max(len(job.agreement) for job in kept)
    for job in kept:
        head = f"{job.name}  {_time(job):%Y-%m-%d %H:%M}  {job.agreement:<{widest}}  {job.edition}"
        say_hanging(f"{head}  {state_words(job, time.time())}", indent=QUESTION_INDENT)
        say_hanging(" " * QUESTION_INDENT + " ".join(job.question.split()), indent=QUESTION_INDENT + 2)


def state_words(job: Job, now_s: float) -> str:
    """How far a job is, as this computer knows."""
    from fedstats.client.jobs import JobState
    from fedstats.wire.codec import decode_query

    if job.state is not JobState.ASKED:
        return str(job.state.value)
    waits = now_s < decode_query(job.query.payload).deadline_s
    return (job.sentence or "waiting") if waits else "deadline passed"


def _document(job: Job) -> dict[str, str]:
    return {
        "job": job.name,
        "query": job.query_hash.hex(),
        "asked_at": iso_of(job.asked_at_s),
        "state": job.state.name.lower(),
        "sentence": job.sentence,
        "agreement": job.agreement,
        "purpose": job.purpose,
        "dataset": job.dataset,
        "edition": job.edition,
        "question": job.question,
        "statistic": job.origin.statistic if job.origin else "",
        "file_hash": job.origin.file_hash if job.origin else "",
    }


def _time(job: Job) -> datetime:
    return datetime.fromtimestamp(job.asked_at_s, UTC)

"""`fedstats guarantee`: what an answer promises to the people whose data it used."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fedstats.cli.answering import check_writable
from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say_error, session_at, write_text


@click.command
@click.argument("job")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    help="A page to read, or the whole report as JSON. Default: text, or what FILE's ending says.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to this file.")
@home_option
def guarantee(*, job: str, form: str | None, output: Path | None, home: Path | None) -> None:
    """Show what an answer promises to the people whose data it used.

    JOB is its name, or the first four digits of it. The report says which loss of privacy the answer cost,
    for whom the promise holds and against whom, how the noise was made, and what is not protected. Nobody
    is asked anything for it, and nothing is spent.
    """
    from fedstats.core.guarantee.page import page_of

    if output is not None:
        check_writable(output)
    ending = output.suffix if output is not None else ""
    chosen = form or ("json" if ending == ".json" else "text")
    with session_at(home) as session:
        report = session.resume(job, wait_s=0, ask=False).guarantee_report()
    write_text(output, page_of(report) if chosen == "text" else json.dumps(report, indent=2))
    if output is not None:
        say_error(f"Wrote {output}.")

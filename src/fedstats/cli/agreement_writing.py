"""Agreements as files: write one, check one, and the schema of what is signed."""

from __future__ import annotations

from pathlib import Path

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say, say_json, write_text
from fedstats.errors import AlreadyExists

PROBLEM_EXIT_CODE = 1


@click.command(short_help="Write an agreement: answer questions, or fill in a file.")
@click.option(
    "--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE. Default: print."
)
@click.option("--blank", is_flag=True, help="Ask nothing: write the commented file to fill in.")
@click.option(
    "--from",
    "source",
    metavar="FILE|ID",
    default="",
    help="Begin the next version of this one; ID@VERSION names an older one.",
)
@home_option
def new(*, output: Path | None, blank: bool, source: str, home: Path | None) -> None:
    """Write an agreement: answer questions, or fill in a commented file.

    At a terminal it asks, with a suggestion for each answer, and writes a commented file. Ctrl-D ends the
    questions and keeps what was answered; the rest says FILL IN. Without a terminal, or with --blank, the
    file to fill in is written at once. With --from it is the next version of an agreement that exists.
    """
    from fedstats.cli.agreement_dialogue import asked, can_ask, file_asked
    from fedstats.cli.agreement_shown import today_utc
    from fedstats.cli.agreement_sources import text_of
    from fedstats.client.agreement_file import next_version, template

    if output is not None and output.exists():
        raise AlreadyExists(f"{output} exists already and is not overwritten.")
    if source:
        written = next_version(text_of(source, home).agreement)
    elif can_ask(blank=blank):
        output = file_asked(output)
        written = asked(today_utc())
    else:
        written = template()
    write_text(output, written)
    if output is not None:
        _say_next(output, source)


def _say_next(output: Path, source: str) -> None:
    if source:
        say(f"Wrote {output}, the next version. Change what shall change, then see it:")
        say(f"  fedstats agreement diff {source} {output}")
    else:
        say(f"Wrote {output}. Fill in what says FILL IN, if anything does, then:")
        say(f"  fedstats agreement check {output}")


@click.command(short_help="Say what is wrong or missing in a file, or what it means.")
@click.argument("file", type=FilePath(dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="json: id, subject, health, found and fix of each gap. Default: table.",
)
def check(*, file: Path, form: str) -> None:
    """Say what is wrong or missing in an agreement in FILE, or what it means in plain English.

    A problem is what makes an agreement useless, weaker than it seems, or unlawful to rely on: the command
    then ends with 1. Advice is worth a second look and ends with 0.
    """
    from fedstats.cli.agreement_shown import say_agreement, today_utc
    from fedstats.client.agreement_file import read_agreement
    from fedstats.client.agreement_gaps import gaps

    found, _ = read_agreement(file)
    lacking = gaps(found, today_utc())
    problems = sum(gap.health.value == "problem" for gap in lacking)
    if form == "json":
        fields = ("id", "subject", "found", "fix")
        say_json([{"health": g.health.value, **{name: getattr(g, name) for name in fields}} for g in lacking])
    else:
        say_agreement(found)
        many = f"{problems or 'No'} problem{'' if problems == 1 else 's'}"
        can = "It can be signed" if not problems else "Mend them first; it could be signed all the same"
        say(f"{many}, {len(lacking) - problems} advice. {can}: fedstats agreement sign {file}")
    if problems:
        raise SystemExit(PROBLEM_EXIT_CODE)


@click.command
def schema() -> None:
    """Print the JSON Schema of a signed agreement.

    It describes the canonical JSON that controllers sign, in which every key is written out; dates and
    decimals are texts. What a schema cannot say (holders are departments, bounds are in order) the program
    checks besides.
    """
    from fedstats.core.agreement_schema import agreement_schema

    say_json(agreement_schema())

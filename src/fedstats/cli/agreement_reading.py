"""Reading agreements: the list, one in plain English or as a file, where it stands, what changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say, say_json, say_table, session_at, write_text
from fedstats.errors import AlreadyExists, ValueInvalid

if TYPE_CHECKING:  # imported when a command runs
    from collections.abc import Mapping

    from fedstats.client.agreement_status import Status
    from fedstats.client.authority import Authority, Record

NEVER = "-"


@click.command(name="list")
@home_option
def list_agreements(*, home: Path | None) -> None:
    """List the agreements that were published."""
    from fedstats.client.standing import hash_words

    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
    if not authority.records:
        say("No agreement was published yet.")
    for record in sorted(authority.records, key=lambda r: (r.agreement.id, -r.agreement.version)):
        found = record.agreement
        say(f"{found.id} version {found.version}: {found.title}")
        say(f"  SHA-256 {hash_words(record.hash)}; {_standing(authority, record, trusted)}")


@click.command(short_help="Show one in plain English, or as a file.")
@click.argument("name", metavar="ID")
@click.option("--toml", is_flag=True, help="As the commented file that people write, exactly what is signed.")
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="With --toml: write to FILE.")
@home_option
def show(*, name: str, toml: bool, output: Path | None, home: Path | None) -> None:
    """Show an agreement in plain English, who signed it, and where it was accepted.

    Of several texts, the newest that a controller signed whose key is trusted here; ID@VERSION names one.
    """
    from fedstats.cli.agreement_shown import say_agreement
    from fedstats.cli.agreement_sources import published, text_of
    from fedstats.client.agreement_file import as_file
    from fedstats.client.standing import best_first, doubts, hash_words

    if toml:
        _write_new(output, as_file(text_of(name, home).agreement))
        return
    if output is not None:
        raise ValueInvalid(
            "--output goes with --toml.", remedy=f"Type: fedstats agreement show {name} --toml"
        )
    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
    best = best_first(published(authority, name), trusted)[0]
    say_agreement(best.agreement)
    if doubt := doubts(best, trusted):
        say(f"Be careful: this text is {doubt}.")
        say()
    every = best_first(authority.versions(best.agreement.id), trusted)
    for record in (best, *(r for r in every if r.hash != best.hash)):
        head = f"Version {record.agreement.version}, SHA-256 {hash_words(record.hash)}"
        say(f"{head}: {_standing(authority, record, trusted)}")


@click.command(short_help="Show who signed one, and where it is in force.")
@click.argument("name", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="json: everything, with times in UTC. Default: table.",
)
@home_option
def status(*, name: str, form: str, home: Path | None) -> None:
    """Show who signed an agreement and when, where it is in force since when, and where it was left and why.

    Signatures are dated by the register. ID@VERSION names a version; else it is the one that may be relied
    on most, as in `show`.
    """
    from fedstats.cli.agreement_shown import today_utc
    from fedstats.cli.agreement_sources import published
    from fedstats.client.agreement_status import document_of_status, status_of
    from fedstats.client.signed_when import signed_when
    from fedstats.client.standing import best_first, doubts

    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
        best = best_first(published(authority, name), trusted)[0]
        times = signed_when(session.transport, best)
    found = status_of(authority, best, times, today_utc())
    if form == "json":
        say_json({**document_of_status(found), "doubts": doubts(best, trusted)})
        return
    _say_status(found, doubts(best, trusted))


def _say_status(found: Status, doubt: str) -> None:
    from rich.table import Table

    from fedstats.client.agreement_status import due_words
    from fedstats.client.standing import hash_words

    agreement = found.agreement
    say(f"{agreement.title} ({agreement.id} version {agreement.version}, SHA-256 {hash_words(found.hash)})")
    if doubt:
        say(f"Be careful: this text is {doubt}.")
    table = Table("Department", "Signed (UTC)", "Accepted (UTC)", "Now")
    for standing in found.standings:
        signed = _minute(standing.signed_s) if standing.signed_s else ("yes" if standing.signed else NEVER)
        accepted = _minute(standing.accepted_s) if standing.accepted_s else NEVER
        now = standing.stage.value
        if standing.withdrawn_s:
            now = f"withdrawn on {_minute(standing.withdrawn_s)[:10]} ({standing.reason})"
        elif now == "in force" and standing.since_s:
            now = f"in force since {_minute(standing.since_s)[:10]}"
        table.add_row(standing.department, signed, accepted, now)
    say_table(table)
    review = due_words(found.review_days, "review", "the review was due")
    say(f"{review[0].upper()}{review[1:]}; {due_words(found.end_days, 'it ends', 'it ended')}.")
    if found.newer:
        newest = f"{agreement.id}@{found.newer[-1]}"
        say(f"There is a newer version: fedstats agreement diff {agreement.id}@{agreement.version} {newest}")


def _minute(at_s: int | None) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_s or 0, UTC):%Y-%m-%d %H:%M}"


@click.command(short_help="Say what a new version widens, changes and narrows.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="json: term, effect and sentence of each change. Default: table.",
)
@home_option
def diff(*, old: str, new: str, form: str, home: Path | None) -> None:
    """Say what the agreement NEW widens, changes and narrows, compared with OLD, in plain words.

    OLD and NEW are each a FILE, an ID (the newest version that can be relied on), or ID@VERSION.
    """
    from fedstats.cli.agreement_shown import say_changes
    from fedstats.cli.agreement_sources import text_of
    from fedstats.core.agreement_changes import changes

    before, after = text_of(old, home), text_of(new, home)
    found = changes(before.agreement, after.agreement)
    if form == "json":
        say_json([{"term": c.term, "effect": c.effect.value, "sentence": c.sentence} for c in found])
        return
    say(f"From {before.words} to {after.words}:")
    say_changes(before.agreement, after.agreement, found)


def _write_new(output: Path | None, text: str) -> None:
    if output is not None and output.exists():
        raise AlreadyExists(f"{output} exists already and is not overwritten.")
    write_text(output, text)
    if output is not None:
        say(f"Wrote {output}.")


def _standing(authority: Authority, record: Record, trusted: Mapping[str, str]) -> str:
    from fedstats.client.standing import doubts

    unsigned, accepted = record.unsigned, authority.accepted_by(record)
    signed = f"waits for the signatures of {', '.join(unsigned)}" if unsigned else "signed by all"
    standing = f"{signed}; accepted by {', '.join(accepted) or 'no department yet'}"
    doubt = doubts(record, trusted)
    return f"{doubt}; {standing}" if doubt else standing

"""`fedstats document`: what data protection asks for, made of an agreement and its runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.answering import check_writable
from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say_error, session_at, write_text
from fedstats.errors import FileProblem

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.client.documents.dossier import Dossier

Command = TypeVar("Command", bound=Callable[..., object])


@click.group
def document() -> None:
    """Write what data protection asks for: DPIA, ATRS, SATRE, Five Safes.

    Each is Markdown, made of an agreement and of what the public register shows under it. What fedstats
    cannot know is marked [TO FILL IN], and nothing is made up. AGREEMENT is its ID, or a TOML file of one
    that is not published yet, which has no runs.
    """


def source_options(command: Command) -> Command:
    """Add what every document has: its agreement, where to write it, whose home."""
    for option in (
        home_option,
        click.option(
            "--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE. Default: print."
        ),
        click.argument("agreement", metavar="AGREEMENT|FILE"),
    ):
        command = option(command)
    return command


@document.command(short_help="The annex of a data protection impact assessment.")
@source_options
def dpia(*, agreement: str, output: Path | None, home: Path | None) -> None:
    """Write the annex of a data protection impact assessment.

    In the seven steps of the ICO's template. Likelihood, severity and sign-off are left to people.
    """
    _put_out("dpia", agreement, output, home)


@document.command(short_help="A record of the Algorithmic Transparency Recording Standard.")
@source_options
def atrs(*, agreement: str, output: Path | None, home: Path | None) -> None:
    """Write a record of the Algorithmic Transparency Recording Standard, tiers 1 and 2."""
    _put_out("atrs", agreement, output, home)


@document.command(short_help="The record of disclosure control for SATRE.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("markdown", "json")),
    help="Default: markdown, or what FILE's ending says.",
)
@source_options
def satre(*, form: str | None, agreement: str, output: Path | None, home: Path | None) -> None:
    """Write the record of disclosure control for SATRE, section 3.3: every output with its loss."""
    from fedstats.client.documents.satre import record_of

    ending = output.suffix if output is not None else ""
    if (form or ("json" if ending == ".json" else "markdown")) == "markdown":
        _put_out("satre", agreement, output, home)
        return
    _check(output)
    _write(output, json.dumps(record_of(_dossier(agreement, home)), indent=2))


@document.command(name="five-safes", short_help="A summary by the Five Safes.")
@source_options
def five_safes(*, agreement: str, output: Path | None, home: Path | None) -> None:
    """Write a summary by the Five Safes: projects, people, settings, data, outputs."""
    _put_out("five-safes", agreement, output, home)


def _put_out(name: str, agreement: str, output: Path | None, home: Path | None) -> None:
    from fedstats.client.documents import PAGES

    _check(output)
    _write(output, PAGES[name](_dossier(agreement, home)))


def _check(output: Path | None) -> None:
    if output is not None:
        check_writable(output)


def _write(output: Path | None, text: str) -> None:
    write_text(output, text)
    if output is not None:
        say_error(f"Wrote {output}.")


def _dossier(source: str, home: Path | None) -> Dossier:
    """Of a file; or of the published text of this name that fits the keys trusted here, with its runs."""
    from fedstats.client.agreement_file import read_agreement
    from fedstats.client.documents.dossier import Dossier, entries_over
    from fedstats.client.standing import best_first, doubts

    path = Path(source)
    if path.is_file():
        found, signed = read_agreement(path)
        return Dossier(found, sha256(signed).hexdigest())
    if path.suffix:
        raise FileProblem(f"There is no file {source}.")
    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
        best = best_first(authority.versions(source), trusted)[0]
        signed_by = tuple(name for name in best.agreement.departments if name not in best.unsigned)
        dossier = Dossier(
            best.agreement, best.hash.hex(), signed_by, authority.accepted_by(best), doubts(best, trusted)
        )
        return dossier.with_register(entries_over(session.transport))

"""`fedstats node approvals` and `fedstats node approvers`: what people decide about questions."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_life import reason_options
from fedstats.cli.node_local import config_option, folder_option, home_of, node_of
from fedstats.cli.passphrase import from_file, new_passphrase
from fedstats.cli.paths import FilePath
from fedstats.cli.running import agreed, say, say_json, say_sections, say_table
from fedstats.core.times import iso_of

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.identity.keys import SigningKey
    from fedstats.node.approvals import Standing


@click.group
def approvals() -> None:
    """Decide about questions, where node.toml says that a person does.

    Needs no coordinator, and works beside a running node, which goes on within seconds.
    """


@approvals.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that were decided, too.")
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", help="table or json."
)
@folder_option
@config_option
def list_(*, everything: bool, form: str, home: Path, config_file: Path | None) -> None:
    """List the questions that wait for a person here."""
    with node_of(home, config_file) as node:
        found = node.approvals.all(now_s=int(time.time()))
    shown = [standing for standing in found if everything or standing.undecided]
    if form == "json":
        say_json([_document(standing) for standing in shown])
    elif not shown:
        say("No question waits to be decided.")
    else:
        _show(shown)
        say("Read one, then decide: fedstats node approvals show ID")


@approvals.command
@click.argument("question", metavar="ID")
@folder_option
@config_option
def show(*, question: str, home: Path, config_file: Path | None) -> None:
    """Show the question ID: what it asks, of whom, what it costs, and what would leave.

    ID is its name in the list, or the first four digits of it. The words are made here, from what the
    analyst signed. No data is looked at.
    """
    from fedstats.node.deciding import sections

    with node_of(home, config_file) as node:
        standing = node.approvals.find(question, now_s=int(time.time()))
        say_sections(sections(node.runner, standing))
    if standing.undecided:
        say(f"To let it be answered:  fedstats node approvals approve {standing.id}")
        say(f"To refuse it:  fedstats node approvals refuse {standing.id} --reason WORD")


@approvals.command
@click.argument("question", metavar="ID")
@click.option(
    "--key",
    "key_file",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Your key, where node.toml names approvers.",
)
@click.option(
    "--passphrase-file",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Read the key's passphrase from the first line of this file. Default: ask.",
)
@click.option("--yes", is_flag=True, help="Approve without showing it and asking. For scripts.")
@folder_option
@config_option
def approve(  # one parameter for each option
    *,
    question: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    home: Path,
    config_file: Path | None,
) -> None:
    """Let the question ID be answered: all its rounds, at the cost that it shows.

    Until an answer has left it can still be refused.
    """
    from fedstats.journal.output import security_of
    from fedstats.node.deciding import sections

    with node_of(home, config_file) as node, security_of("node", node.home.logs):
        standing = node.approvals.find(question, now_s=int(time.time()))
        if not yes and standing.undecided:  # what was decided is not put to anybody again
            say_sections(sections(node.runner, standing))
            agreed(f"Approve question {standing.id}?", abort=True)
        key = _opened(key_file, passphrase_file) if key_file else None
        decided = node.approvals.approve(standing.query, key, now_s=int(time.time()))
    if decided.approved:
        say(f"Approved question {decided.id}. A running node answers it within seconds.")
    else:
        say(f"Approved by {', '.join(decided.approvers)}; {decided.needed} approvals are needed.")


@approvals.command
@click.argument("question", metavar="ID")
@reason_options
@folder_option
def refuse(*, question: str, reason: str, note: str, home: Path) -> None:
    """Refuse the question ID: nothing more leaves for it. Final; it needs one person and no key.

    Works after an approval too: whatever was not sent yet stays here.
    """
    from fedstats.core.reason import Reason
    from fedstats.journal.output import security_of
    from fedstats.node.approval_terms import PolicyTerms
    from fedstats.node.approvals import Approvals
    from fedstats.node.state import State

    place, now_s = home_of(home), int(time.time())
    with security_of("node", place.logs), State(place.state) as state:
        list_of = Approvals(state, PolicyTerms())  # what stops needs no configuration
        standing = list_of.find(question, now_s=now_s)
        list_of.refuse(standing.query, Reason(reason), now_s=now_s, note=note)
    say(f"Refused question {standing.id} ({reason}). The analyst is told the reason's word.")


@click.group
def approvers() -> None:
    """The keys of those whose approval counts."""


@approvers.command
@click.argument("name")
@click.option(
    "--output",
    required=True,
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Where to write the key. Keep it where only you can read it.",
)
@click.option("--no-passphrase", is_flag=True, help="Keep the key unencrypted: for demonstrations and tests.")
@click.option(
    "--passphrase-file",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Read the passphrase from the first line of this file. Default: ask.",
)
def init(*, name: str, output: Path, no_passphrase: bool, passphrase_file: Path | None) -> None:
    """Make a key for the approver NAME, and print the lines that IT puts into node.toml."""
    from fedstats.core.names import check_analyst
    from fedstats.identity.key_files import write_key
    from fedstats.identity.keys import SigningKey

    check_analyst(name, what="approver")
    passphrase = new_passphrase(none=no_passphrase, file=passphrase_file)
    key = SigningKey.generate()
    write_key(output, key, passphrase=passphrase)
    say(f"Made the key of {name} in {output}: {key.public.fingerprint}")
    say("IT puts this into node.toml, and starts the node anew:")
    say("  [[policy.approvers]]")
    say(f'  name = "{name}"')
    say(f'  key = "{key.public.raw.hex()}"')


def _opened(path: Path, passphrase_file: Path | None) -> SigningKey:
    from fedstats.identity.key_files import is_locked, read_signing_key

    if not is_locked(path):
        return read_signing_key(path)
    if passphrase_file is not None:
        return read_signing_key(path, passphrase=from_file(passphrase_file))
    return read_signing_key(
        path, passphrase=click.prompt("Passphrase of your key", hide_input=True, err=True)
    )


def _show(found: list[Standing]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("id", "asked", "until", "analyst", "agreement", "state"):
        table.add_column(heading, no_wrap=True)
    for standing in found:
        times = (_moment(standing.asked_s), _moment(standing.deadline_s))
        texts = (standing.id, *times, standing.analyst, standing.agreement, standing.words)
        table.add_row(*(Text(text) for text in texts))
    say_table(table)


def _document(standing: Standing) -> dict[str, object]:
    return {
        "id": standing.id,
        "query": standing.query.hex(),
        "analyst": standing.analyst,
        "agreement": standing.agreement,
        "asked_at": iso_of(standing.asked_s),
        "deadline": iso_of(standing.deadline_s),
        "approvers": list(standing.approvers),
        "needed": standing.needed,
        "state": standing.words,
    }


def _moment(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"

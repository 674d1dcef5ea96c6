"""A node's life: join, run, pause, resume, withdraw, and its configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from fedstats.cli.log_options import chosen, log_options
from fedstats.cli.network import network_at, network_options, network_with
from fedstats.cli.node_local import config_option, folder_option, home_of
from fedstats.cli.running import say
from fedstats.cli.tokens import token_text
from fedstats.core.reason import Reason

Command = TypeVar("Command", bound=Callable[..., object])


@click.command
@click.argument("token")
@network_options
@folder_option
@config_option
def join(
    *,
    token: str,
    proxy: str,
    proxy_credentials_file: Path | None,
    ca_file: Path | None,
    home: Path,
    config_file: Path | None,
) -> None:
    """Join a federation with the one-use TOKEN that its coordinator's host gave you.

    Type - for TOKEN and paste it, or give it on standard input: what is typed as TOKEN is seen by everybody
    on this computer for as long as the command runs, and stays in the shell's history.

    Makes the node's keys on this machine, and an empty ledger. After a lost connection, type it again.
    How the coordinator is reached is in node.toml, in [coordinator], if there is one, or in the options.
    """
    from fedstats.node.home import Home
    from fedstats.node.joining import introduction
    from fedstats.node.joining import join as join_federation

    place = Home(home)
    known = network_at(place, config_file)
    network = network_with(known, proxy=proxy, proxy_credentials_file=proxy_credentials_file, ca_file=ca_file)
    joined = join_federation(place, token_text(token), now=time.time, network=network)
    peer = joined.peer
    key = place.read_node_key().public
    say(f"Joined as the node of {peer.name}. Keys and ledger are in {home}.")
    if joined.words:
        say(joined.words)
    say(f"The node's key: {key.fingerprint}")
    say()
    say("Your controller now appoints this key, which gives it its authority:")
    say(f"  {introduction(peer.name, key)}")
    if network != known:
        say()
        say("Put into node.toml, so that the running node reaches the coordinator in the same way:")
        for line in ("[coordinator]", *network.toml()):
            say(f"  {line}")


@click.command
@folder_option
@config_option
@log_options
def run(*, home: Path, config_file: Path | None, log_format: str | None, log_level: str | None) -> None:
    """Answer questions until told to stop.

    SIGTERM or Ctrl-C ends it cleanly: a running computation is finished, recorded and sent. Its log goes
    to standard output, and security events to logs/security.jsonl in the node's folder too; neither holds
    data, literals or exact counts.
    """
    import signal

    from fedstats.journal.events import NODE_STARTED, NODE_STOPPED
    from fedstats.journal.meters import NODE
    from fedstats.journal.metrics import metrics
    from fedstats.journal.output import journal
    from fedstats.node.agent import Agent
    from fedstats.node.alone import alone
    from fedstats.node.config import read_config
    from fedstats.node.connection import Connection
    from fedstats.node.gauges import gauges
    from fedstats.node.service import Node

    place = home_of(home)
    config = read_config(config_file or place.config)
    with alone(place), journal("node", chosen(config.log, log_format, log_level), place.logs):
        connection = Connection(place, now=time.time, network=config.coordinator)
        with Node(place, config, connection, now=time.time) as node:
            node.editions.sweep(now_s=int(time.time()))
            agent = Agent(node, before_lease=connection.renew_if_due)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: agent.stop_soon())
            with metrics(config.metrics, NODE, lambda: gauges(node)):
                NODE_STARTED(department=node.department, address=connection.address)
                agent.run(connection.close)
        NODE_STOPPED()


def reason_options(command: Command) -> Command:
    """Add `--reason` and `--note`: what the public is told, and what stays here."""
    reason = click.option(
        "--reason",
        type=click.Choice(tuple(reason.value for reason in Reason)),
        default="other",
        show_default=True,
        help="Why: only this word is public.",
    )
    note = click.option("--note", default="", metavar="TEXT", help="For your own records; it stays here.")
    return reason(note(command))


@click.command
@reason_options
@folder_option
def pause(*, reason: str, note: str, home: Path) -> None:
    """Answer nothing, not even what was answered before, until resumed.

    Works at once, also beside a running node, and needs no coordinator.
    """
    from fedstats.journal.output import security_of
    from fedstats.node.policy import Policy
    from fedstats.node.state import State

    place = home_of(home)
    with security_of("node", place.logs), State(place.state) as state:
        Policy(state).pause(Reason(reason), now_s=int(time.time()), note=note)
    say(f"Paused ({reason}). Answer again with: fedstats node resume")


@click.command
@folder_option
def resume(*, home: Path) -> None:
    """Answer again after a pause."""
    from fedstats.journal.output import security_of
    from fedstats.node.policy import Policy
    from fedstats.node.state import State

    place = home_of(home)
    with security_of("node", place.logs), State(place.state) as state:
        Policy(state).resume(now_s=int(time.time()))
    say("Answering again.")


@click.command(short_help="Leave an agreement, and delete its editions.")
@click.argument("agreement", metavar="ID")
@reason_options
@click.option("--yes", is_flag=True, help="Withdraw without asking. For scripts.")
@folder_option
def withdraw(*, agreement: str, reason: str, note: str, yes: bool, home: Path) -> None:
    """Leave the agreement ID: answer nothing more under it, and delete its editions.

    Works at once and needs no coordinator; a running node tells it. What left before cannot be taken
    back. The ledger stays: it is never deleted.
    """
    from fedstats.journal.output import security_of
    from fedstats.node.agreements import Agreements
    from fedstats.node.editions import Editions
    from fedstats.node.state import State

    place = home_of(home)
    if not yes:
        click.confirm(f"Leave {agreement} and delete its editions on this machine?", abort=True)
    with security_of("node", place.logs), State(place.state) as state:
        accepted = Agreements(state, place.trust)
        accepted.withdraw(agreement, Reason(reason), now_s=int(time.time()), note=note)
        Editions(state, place.editions).delete(agreement, now_s=int(time.time()))
    say(f"Left {agreement}. Its editions are deleted.")


@click.command
@click.option("--example", is_flag=True, help="Print a commented node.toml with every setting.")
@folder_option
@config_option
def config(*, example: bool, home: Path, config_file: Path | None) -> None:
    """Check node.toml, or print an example with every setting."""
    from fedstats.node.config import read_config
    from fedstats.node.config_example import example_config
    from fedstats.node.home import Home

    if example:
        click.echo(example_config(), nl=False)
        return
    path = config_file or Home(home).config
    found = read_config(path)
    say(f"{path} is valid. Datasets: {len(found.datasets)}; lifetime caps: {len(found.lifetime)}.")


@click.command("rotate-key")
@click.option("--again", is_flag=True, help="Make another one in the place of a new key that still waits.")
@folder_option
def rotate_key(*, again: bool, home: Path) -> None:
    """Make a new key for the node; it signs as soon as your controller has appointed it.

    Until then the old key signs, and a running node changes over by itself. What was answered stays valid:
    recorded answers are signed anew, with the same numbers. Revoke the old key only if it may be stolen:
    then what it signed no longer counts.
    """
    from fedstats.node.joining import introduction
    from fedstats.node.node_key import make_next_key
    from fedstats.node.state import State

    place = home_of(home)
    with State(place.state) as state:
        department = state.department
    key = make_next_key(place, again=again)
    say(f"Made a new key for the node of {department}: {key.fingerprint}")
    say("Your controller now appoints this key:")
    say(f"  {introduction(department, key)}")
    say("Until then the old key signs; a running node changes over by itself.")

"""`fedstats coordinator`: for whoever hosts a federation's coordinator."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.checkup import checkup_options, show, tell
from fedstats.cli.log_options import chosen, log_options
from fedstats.cli.next_step import remember_home
from fedstats.cli.paths import FilePath
from fedstats.cli.running import say, terminal
from fedstats.errors import ConfigInvalid

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.coordinator.home import Home
    from fedstats.coordinator.store_members import Member
    from fedstats.identity.peer import Role

Command = TypeVar("Command", bound=Callable[..., object])

HOME = Path("/var/lib/fedstats-coordinator")
DAYS_DEFAULT = 7
PORT_DEFAULT = 8443


@click.group
def coordinator() -> None:
    """Run a federation's coordinator: it relays signed questions and keeps the public register.

    It sees no rows, and it cannot forge a question, appoint anybody or widen an agreement.
    """


def folder_option(command: Command) -> Command:
    """Add `--home FOLDER`: the coordinator's folder."""
    return click.option(
        "--home",
        callback=remember_home,
        type=FilePath(file_okay=False),
        default=HOME,
        show_default=True,
        metavar="FOLDER",
        help="Where the coordinator keeps everything.",
    )(command)


@coordinator.command(short_help="Make a coordinator: its authority, its store, its configuration.")
@click.option(
    "--host",
    required=True,
    metavar="NAME[:PORT]",
    help=f"Where nodes and analysts will reach it; the port is {PORT_DEFAULT} unless you say another.",
)
@click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    help="Where it listens on this machine. Default: that port on every address (loopback for localhost).",
)
@click.option("--title", metavar="TEXT", help="What people see as the issuer of certificates.")
@folder_option
def init(*, host: str, listen: str | None, title: str | None, home: Path) -> None:
    """Make a coordinator: its certificate authority, its store, its configuration."""
    from fedstats.coordinator.authority import fingerprint_of
    from fedstats.coordinator.config import Config
    from fedstats.coordinator.home import Home
    from fedstats.coordinator.home import init as make
    from fedstats.identity.address import is_loopback, split_address

    address = host if _has_port(host) else f"{host}:{PORT_DEFAULT}"
    name, port = split_address(address)
    everywhere = f"127.0.0.1:{port}" if is_loopback(name) else f"[::]:{port}"
    config = Config(address=address, listen=listen or everywhere, title=title or Config().title)
    made = Home(home)
    authority = make(made, config, now=datetime.now(UTC))
    say(f"Made a coordinator in {home}. Its settings are in {made.config_file}.")
    say(f"Authority: SHA-256 {fingerprint_of(authority)}")
    say()
    say("Start it:             fedstats coordinator run")
    say("Let somebody join it: fedstats coordinator invite node DEPARTMENT")


@coordinator.command(short_help="Serve until told to stop.")
@folder_option
@log_options
def run(*, home: Path, log_format: str | None, log_level: str | None) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C).

    Its log goes to standard output, the first line once it takes calls, and security events to
    logs/security.jsonl in its folder too.
    """
    from fedstats.coordinator.authority import fingerprint_of, renew_if_due
    from fedstats.coordinator.gauges import gauges
    from fedstats.coordinator.home import Home
    from fedstats.coordinator.server import run as serve
    from fedstats.journal.events import COORDINATOR_STARTED, COORDINATOR_STOPPED
    from fedstats.journal.meters import COORDINATOR
    from fedstats.journal.metrics import metrics
    from fedstats.journal.output import journal

    found = Home(home)
    config = found.config()

    def announce(port: int) -> None:
        COORDINATOR_STARTED(port=port, address=config.address, authority_sha256=fingerprint_of(authority))

    with journal("coordinator", chosen(config.log, log_format, log_level), found.logs):
        authority = renew_if_due(found.authority_folder, found.authority(), now=datetime.now(UTC))
        store = found.store()
        try:
            with metrics(config.metrics, COORDINATOR, lambda: gauges(found, authority, time.time())):
                serve(config, store, authority, found.register_key(), on_listening=announce)
        finally:
            store.close()
        COORDINATOR_STOPPED()


@coordinator.command(short_help="Make a one-use token that lets somebody join.")
@click.argument("role", type=click.Choice(["node", "analyst", "controller", "auditor"]))
@click.argument("name", metavar="NAME")
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=DAYS_DEFAULT,
    show_default=True,
    help="How long the token can be used.",
)
@click.option(
    "--again",
    is_flag=True,
    help="NAME joined before and joins once more, with new keys; its old certificates end at once.",
)
@folder_option
def invite(*, role: str, name: str, days: int, again: bool, home: Path) -> None:
    """Make a one-use token that lets somebody join.

    NAME is the department for a node or a controller, and the own name of an analyst or an auditor. Only the
    token goes to standard output. Whoever has it can join in that name, so pass it on over a channel that
    you trust. It opens the connection and gives no right to ask or to answer: controllers give that. An
    auditor reads the public register and what proves it, and may do nothing else.

    The first document that a controller sends binds its key: no other key speaks for its department from then
    on, until you type `fedstats coordinator rebind`.
    """
    from fedstats.coordinator.authority import Admission
    from fedstats.identity.peer import Peer, Role
    from fedstats.journal.output import security_of

    found = _home(home)
    config, store = found.config(), found.store()
    try:
        admission = Admission(found.authority(), store.members, time.time)
        with security_of("coordinator", found.logs):
            token = admission.invite(
                Peer(Role(role), name), address=config.address, lifetime=timedelta(days=days), again=again
            )
    finally:
        store.close()
    command = "fedstats node join -" if role == "node" else "fedstats join -"
    until = f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
    click.echo(f"For the {role} {name}, once, until {until}, to paste after typing: {command}", err=True)
    say(token.text())


@coordinator.command(short_help="End a member: its certificates open nothing any more.")
@click.argument("role", type=click.Choice(["node", "analyst", "controller", "auditor"]))
@click.argument("name", metavar="NAME")
@folder_option
def remove(*, role: str, name: str, home: Path) -> None:
    """End a member: its certificates and tokens open nothing any more, from now on.

    NAME is as for `invite`. What it published and asked stays where it is, and so does the key that its
    controller is known by. To let it join again, invite it again.
    """
    from fedstats.identity.peer import Peer, Role
    from fedstats.journal.output import security_of

    found = _home(home)
    store = found.store()
    try:
        with security_of("coordinator", found.logs):
            store.members.remove(Peer(Role(role), name))
    finally:
        store.close()
    say(f"The {role} {name} is no member any more. Its certificates are refused from now on.")


@coordinator.command(short_help="Let a department's controller speak by a new key.")
@click.argument("department", metavar="DEPARTMENT")
@folder_option
def rebind(*, department: str, home: Path) -> None:
    """Forget the key by which a department's controller is known, for example because it was lost.

    The key that signs the controller's next document is the known one from then on. Do this only after the
    department told you, on a channel that you trust; the public register says that it was done.
    """
    from fedstats.journal.output import security_of

    found = _home(home)
    store = found.store()
    try:
        with security_of("coordinator", found.logs):
            ended = store.bindings.end(department, time.time())
    finally:
        store.close()
    say(f"The controller of {department} is no longer known by the key {ended.key.fingerprint}.")
    say(f"The next document that the controller of {department} sends binds a new key.")


@coordinator.command(short_help="Show the nodes that joined, whether they answer, and what they hold.")
@folder_option
def nodes(*, home: Path) -> None:
    """Show the nodes that joined: whether they answer, when they last asked for work, what they hold."""
    from rich.table import Table

    from fedstats.core.presence import presence
    from fedstats.identity.peer import Role

    table = Table("Department", "State", "Joined", "Last seen", "Certificate until", "Software", "Editions")
    for member in _members(home, {Role.NODE}):
        editions = ", ".join(f"{held.dataset} {held.edition}" for held in member.holdings)
        table.add_row(
            member.name,
            presence(seen_s=member.seen_s, paused=member.paused, now_s=time.time()),
            _day(member.joined_s),
            _minute(member.seen_s),
            _day(member.certificate_until_s),
            member.software or "-",
            editions or "-",
        )
    terminal().print(table)
    _say_invited(home, {Role.NODE})


@coordinator.command(short_help="Show the analysts, controllers and auditors that joined.")
@click.option(
    "--certificate", metavar="SERIAL", help="Say whose certificate a security event speaks of, and no more."
)
@folder_option
def analysts(*, certificate: str | None, home: Path) -> None:
    """Show the analysts, controllers and auditors that joined."""
    if certificate is not None:
        _say_holder(home, certificate)
        return
    from rich.table import Table

    from fedstats.identity.keys import PublicKey
    from fedstats.identity.peer import Role

    table = Table("Name", "Role", "Joined", "Certificate until", "Signing key as told (fingerprint)")
    people = {Role.ANALYST, Role.CONTROLLER, Role.AUDITOR}
    for member in _members(home, people):
        key = PublicKey(member.signing_key).fingerprint if member.signing_key else "-"
        until = _day(member.certificate_until_s)
        table.add_row(member.name, member.role.value, _day(member.joined_s), until, key)
    terminal().print(table)
    _say_invited(home, people)


@coordinator.command(short_help="Print the settings.")
@click.option("--example", is_flag=True, help="Print an example with every setting and its default.")
@folder_option
def config(*, example: bool, home: Path) -> None:
    """Print the settings that are in force, or an example of them."""
    from fedstats.coordinator.config import Config, toml_of

    click.echo(toml_of(Config() if example else _home(home).config()), nl=False)


@coordinator.command(short_help="Check everything that can be checked here.")
@checkup_options
@folder_option
def doctor(*, form: str, offline: bool, home: Path) -> None:
    """Check everything that can be checked on this machine, and say how to mend what is wrong.

    It may run beside the coordinator, and changes nothing. Exit code 0 if all is well or there are warnings
    only, 1 if there is a problem.
    """
    from fedstats.coordinator.doctor import Doctor

    show(Doctor(_home(home), time.time, offline=offline, tell=tell).examine(), form)


def _home(folder: Path) -> Home:
    from fedstats.coordinator.home import Home

    return Home(folder)


def _has_port(host: str) -> bool:
    """Whether NAME[:PORT] has its port; an IPv6 address has one only after its brackets."""
    if host.count(":") > 1 and not host.startswith("["):
        raise ConfigInvalid(f"{host[:64]!r}: write an IPv6 address in brackets, such as [2001:db8::1]:8443.")
    return ":" in host.rpartition("]")[2]


def _members(folder: Path, roles: set[Role]) -> list[Member]:
    store = _home(folder).store()
    try:
        return [member for member in store.members.all() if member.role in roles]
    finally:
        store.close()


def _say_holder(folder: Path, serial: str) -> None:
    store = _home(folder).store()
    try:
        holder = store.members.holder(serial)
    finally:
        store.close()
    say(f"{holder.role.value} {holder.name}")


def _say_invited(folder: Path, roles: set[Role]) -> None:
    """Name the tokens that nobody has used yet."""
    store = _home(folder).store()
    try:
        invitations = store.members.invitations(time.time())
    finally:
        store.close()
    for invited in invitations:
        if invited.role in roles:
            until = _minute(invited.expires_s)
            say(f"Invited, not joined yet: {invited.role.value} {invited.name}, until {until} UTC")


def _day(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}" if at_s else "never"


def _minute(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}" if at_s else "never"

"""`fedstats node init`: from token to first edition, in one sitting. Each step is a command of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.network import network_at, network_options, network_with
from fedstats.cli.node_local import folder_option
from fedstats.cli.paths import FilePath
from fedstats.cli.running import say, say_for_others
from fedstats.cli.tokens import token_text
from fedstats.errors import FedstatsError, UsageError

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.cli.node_mapping import Answers
    from fedstats.core.schema import Dataset
    from fedstats.node.agreements import Standing
    from fedstats.node.config import NodeConfig
    from fedstats.node.home import Home
    from fedstats.wire.network import Network

LIFETIME_EPSILON = "20"
LIFETIME_DELTA = "0.00001"
_ASKED = "The token that the coordinator's host gave you (it is not shown)"


@click.command
@click.option("--token", default="", metavar="TOKEN", help="The token that the coordinator's host gave you.")
@click.option(
    "--controller-home",
    type=FilePath(file_okay=False),
    metavar="FOLDER",
    help="The controller's folder, if the controller's key is on this computer or shall be made here.",
)
@click.option("--agreement", default="", metavar="ID", help="The agreement to accept.")
@click.option(
    "--source",
    type=FilePath(),
    metavar="PATH",
    help="Where the data is: CSV or Parquet files, or a DuckDB file.",
)
@click.option("--person", default="", metavar="COLUMN", help="The source's column that identifies people.")
@click.option(
    "--opt-outs",
    type=FilePath(),
    metavar="FILE",
    help="The opt-out list that the agreement asks for: one identifier and a comma a line.",
)
@click.option(
    "--lifetime-epsilon",
    default="",
    metavar="E",
    help="The most that all answers together may ever reveal about one person. "
    f"Default: ask, or {LIFETIME_EPSILON} with --yes.",
)
@click.option("--edition", default="", metavar="NAME", help="The first edition to make.")
@network_options
@click.option("--trust", is_flag=True, help="Trust the controllers' keys without asking: they are printed.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what was typed, and guesses. For scripts.")
@folder_option
def init(
    *,
    token: str,
    controller_home: Path | None,
    agreement: str,
    source: Path | None,
    person: str,
    opt_outs: Path | None,
    lifetime_epsilon: str,
    edition: str,
    proxy: str,
    proxy_credentials_file: Path | None,
    ca_file: Path | None,
    trust: bool,
    yes: bool,
    home: Path,
) -> None:
    """Set a node up in one sitting: token, controller, agreement, source and columns, first edition.

    What is done already is not done again, so a sitting that was broken off goes on where it stopped. A
    node.toml that exists is used as it is.
    """
    from fedstats.cli.node_mapping import Answers
    from fedstats.node.config import NodeConfig
    from fedstats.node.home import Home

    answers = Answers(source, person, opt_outs, yes=yes)
    place = Home(home)
    network = network_with(
        network_at(place), proxy=proxy, proxy_credentials_file=proxy_credentials_file, ca_file=ca_file
    )
    _joined(place, token, network, answers)
    answers.go_on(place.path)
    _appointed(place, network, controller_home, answers)
    standing = _accepted(place, network, agreement, answers, trust=trust)
    if standing is None:
        return
    _configured(place, standing, NodeConfig(coordinator=network), lifetime_epsilon, answers)
    _first_edition(place, standing, edition, answers)
    _step("Done")
    say("Check everything:   fedstats node doctor")
    say("Answer questions:   fedstats node run")


def _joined(home: Home, token: str, network: Network, answers: Answers) -> None:
    from fedstats.node.joining import join

    _step("1. Joining")
    if home.certificate.exists():
        say("This node has joined already.")
        return
    typed = token_text(token) if token or answers.yes else click.prompt(_ASKED, hide_input=True)
    joined = join(home, typed, now=time.time, network=network)
    say(f"Joined as the node of {joined.peer.name}. Its keys and its ledger are in {home.path}.")
    if joined.words:
        say(joined.words)


def _appointed(home: Home, network: Network, controller_home: Path | None, answers: Answers) -> None:
    from fedstats.node.joining import introduction
    from fedstats.node.state import State

    _step("2. The controller")
    with State(home.state) as state:
        department = state.department
    key = home.read_node_key().public
    if controller_home is None and not answers.yes:
        say("The controller signs agreements and appoints this node, with a key of their own.")
        if click.confirm("Is that key on this computer, or shall it be made here?", default=False):
            controller_home = Path(
                answers.ask("In which folder?", str(Path("~/.config/fedstats").expanduser()))
            )
    if controller_home is None:
        say("The controller types, on their own computer:")
        say(f"  fedstats controller init {department}")
        say(f"  {introduction(department, key)}")
        return
    _appoint_here(home, network, department, controller_home)


def _appoint_here(home: Home, network: Network, department: str, folder: Path) -> None:
    """Make the controller's key where there is none, and appoint the node.

    A coordinator takes nothing through a node's certificate before its controller has spoken: then the signed
    appointment waits in a file for the controller's own certificate.
    """
    from datetime import UTC, datetime, timedelta

    from fedstats.cli.controller import init as make_controller
    from fedstats.cli.passphrase import open_key
    from fedstats.client.agreement_file import SignedFile, write_signed
    from fedstats.client.controller import appoint
    from fedstats.client.home import Home as ControllerHome
    from fedstats.client.publishing import publish
    from fedstats.core.appointment import AppointedRole
    from fedstats.errors import NotPermitted
    from fedstats.node.connection import Connection

    controller = ControllerHome.at(folder)
    if not controller.controller_key_file.exists():
        click.get_current_context().invoke(
            make_controller, department=department, no_passphrase=False, passphrase_file=None, home=folder
        )
    now_s, key = int(time.time()), open_key(controller, None)
    until = datetime.fromtimestamp(now_s, UTC).date() + timedelta(days=365)
    node_key = home.read_node_key().public
    signed = appoint(key, department, AppointedRole.NODE, department, node_key, until=until, now_s=now_s)
    home.trust.trust(department, key.public.fingerprint)
    say(f"The controller of {department} appointed this node until {until}.")
    file = SignedFile("appointment", signed)
    connection = Connection(home, now=time.time, network=network)
    try:
        publish(connection, file)
    except NotPermitted:
        waiting = folder / f"appointment-{department}.json"
        write_signed(waiting, file)
        say("It was not sent yet: the controller's first document comes through the controller's own")
        say("certificate. Whoever hosts the coordinator types, and gives you the token:")
        say_for_others(f"  fedstats coordinator invite controller {department}")
        say("Then here, with that token:")
        say(f"  fedstats join - --home {folder}")
        say(f"  fedstats agreement publish {waiting} --home {folder}")
    finally:
        connection.close()


def _accepted(
    home: Home, network: Network, agreement: str, answers: Answers, *, trust: bool
) -> Standing | None:
    """The agreement that the department accepted, now or before; None if there is none to accept yet."""
    from fedstats.cli.accepting import accept_at_node
    from fedstats.node.agreements import Agreements
    from fedstats.node.state import State

    _step("3. The agreement")
    _learn(home, network)
    with State(home.state) as state:
        known = Agreements(state, home.trust).all()
    if not known:
        say("No agreement that names this department was published yet. When one is, go on with:")
        say("  fedstats node init")
        return None
    ids = sorted({standing.agreement.id for standing in known})
    name = agreement or (ids[0] if len(ids) == 1 else answers.one_of("Which agreement?", ids, ids[0]))
    chosen = [standing for standing in known if standing.agreement.id == name]
    accepted = [s for s in chosen if s.accepted_s is not None and s.withdrawn_s is None]
    if not accepted:
        accept_at_node(name, version=None, trust=trust, yes=answers.yes, folder=home.path)
        with State(home.state) as state:
            everything = Agreements(state, home.trust).all()
        accepted = [s for s in everything if s.agreement.id == name and s.accepted_s is not None]
    else:
        say(f"{name} version {accepted[-1].agreement.version} was accepted: {accepted[-1].words}.")
    return accepted[-1] if accepted else None


def _learn(home: Home, network: Network) -> None:
    """Hear what was published; a coordinator that is away does not end the sitting."""
    from fedstats.node.agreements import Agreements
    from fedstats.node.connection import Connection
    from fedstats.node.state import State
    from fedstats.wire.methods import FETCH_AUTHORITY
    from fedstats.wire.v1 import agreements_pb2

    try:
        connection = Connection(home, now=time.time, network=network)
        try:
            reply = connection.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
        finally:
            connection.close()
    except FedstatsError as problem:
        say(f"What is new at the coordinator is not known: {problem}")
        return
    with State(home.state) as state:
        Agreements(state, home.trust).learn(reply)


def _configured(
    home: Home, standing: Standing, base: NodeConfig, lifetime_epsilon: str, answers: Answers
) -> None:
    from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
    from fedstats.node.config_text import config_text

    _step("4. Your data")
    if home.config.exists():
        say(f"{home.config} is there already and is used as it is.")
        return
    config = _config(home, standing, base, lifetime_epsilon, answers)
    write_durably(home.config, config_text(config).encode(), mode=PRIVATE_MODE, replace=False)
    answers.draft.end()
    say(f"Wrote {home.config}. Read it, and change what you like.")


def _config(
    home: Home, standing: Standing, base: NodeConfig, lifetime_epsilon: str, answers: Answers
) -> NodeConfig:
    from fedstats.cli.node_mapping import Mapper
    from fedstats.core.accounting import parse_epsilon
    from fedstats.engines import engine_of
    from fedstats.node.config import LifetimeTerms
    from fedstats.node.datasets import held_datasets
    from fedstats.node.service import ENGINE
    from fedstats.node.state import State

    with State(home.state) as state:
        held = held_datasets([standing], state.department)
    mappings = [Mapper(one, engine_of(ENGINE), base.resources, answers).map() for one in held]
    question = "The most that all answers together may ever reveal about one person, as epsilon"
    terms: LifetimeTerms | None = None
    while terms is None:
        typed = lifetime_epsilon or answers.ask(question, LIFETIME_EPSILON)
        try:
            terms = LifetimeTerms(parse_epsilon(typed), Fraction(LIFETIME_DELTA))
        except UsageError as problem:
            if lifetime_epsilon or answers.yes:
                raise
            answers.ask_again(question, problem.sentence)
    namespaces = {one.dataset.unit.namespace for one in held}
    return replace(
        base,
        lifetime=dict.fromkeys(sorted(namespaces), terms),
        datasets=tuple(mappings),
    )


def _first_edition(home: Home, standing: Standing, edition: str, answers: Answers) -> None:
    from fedstats.cli.node_data import refresh
    from fedstats.node.datasets import held_datasets
    from fedstats.node.editions import Editions
    from fedstats.node.state import State

    _step("5. The first edition")
    with State(home.state) as state:
        here = {
            (e.dataset, e.base)
            for e in Editions(state, home.editions).all()
            if e.agreement == standing.agreement.id
        }
        held = held_datasets([standing], state.department)
    for one in held:
        name = edition or _scheduled(one.dataset, answers)
        if (one.dataset.name, name) in here:
            say(f"Edition {name} of {one.dataset.name} is here already.")
            continue
        click.get_current_context().invoke(
            refresh,
            edition=name,
            dataset=one.dataset.name,
            revise=False,
            agreement=standing.agreement.id,
            home=home.path,
            config_file=None,
        )


def _scheduled(dataset: Dataset, answers: Answers) -> str:
    """An edition of the agreement's schedule."""
    said = answers.one_of(f"Which edition of {dataset.name}?", dataset.editions, dataset.editions[-1])
    answers.draft.end()
    return said


def _step(title: str) -> None:
    say()
    click.echo(click.style(title, bold=True))

"""The ledger of a node: what was spent, and how an older copy is brought up to date."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_local import config_option, folder_option, home_of
from fedstats.cli.running import say, say_json
from fedstats.core.times import minute_of

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.privacy import Loss
    from fedstats.node.caps import Cap, CapStatus
    from fedstats.node.carrying import Carriage
    from fedstats.node.home import Home
    from fedstats.node.ledger import Entry
    from fedstats.wire.method import Transport
    from fedstats.wire.network import Network


@click.group(invoke_without_command=True)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Default: table."
)
@folder_option
@config_option
@click.pass_context
def ledger(context: click.Context, *, form: str, home: Path, config_file: Path | None) -> None:
    """Show what was spent of each budget, and for what. All of it may be shown to anybody."""
    from fedstats.node.ledger import Ledger

    if context.invoked_subcommand is not None:
        return

    place = home_of(home)
    with Ledger(place.ledger) as opened:
        caps = caps_here(place, config_file)
        statuses, entries = opened.status(caps.values()), opened.entries()
        carriages = opened.carriages()
        unknown = {
            f"{kind.value} {name}": loss
            for (kind, name), loss in opened.totals().items()
            if (kind, name) not in caps
        }
    if form == "json":
        say_json(_ledger_document(statuses, unknown, entries, carriages))
    else:
        _say_ledger(statuses, unknown, entries, carriages)


@ledger.command
@click.option(
    "--new",
    "anew",
    is_flag=True,
    help="Where the ledger is lost or damaged and there is no copy: make a new one.",
)
@folder_option
@config_option
def recover(*, anew: bool, home: Path, config_file: Path | None) -> None:
    """Carry forward what a witness says was spent, after an older ledger was restored (FS-703).

    The coordinator, and the file under [witness] in node.toml, remember how far this department's ledger had
    come. What they know and the ledger does not is added to it, so that it counts as spent; nothing is ever
    given back. May be typed again at any time.

    First make sure that no other copy of this node runs, and that none is ever started again.
    """
    from fedstats.node.config import NodeConfig, read_config
    from fedstats.node.recovering import begin_anew, carry_forward

    place = home_of(home)
    path = config_file or place.config
    known = read_config(path) if path.exists() or config_file else NodeConfig()
    file = known.witness.file
    with connected(place, known.coordinator) as transport:
        work = begin_anew if anew else carry_forward
        recovered = work(place, file, transport, now=time.time)
    if recovered.problem is not None:
        say(f"The coordinator was not heard, only what was known here counts: {recovered.problem}")
    if not recovered.witnesses:
        say("The ledger contains everything that its witnesses know. Nothing had to be carried forward.")
    for witness in recovered.witnesses:
        at = minute_of(witness.at_s)
        say(f"Carried forward what was spent until {at}, as its witness says ({witness.links} links).")
    for name, (before, after) in recovered.changes.items():
        say(f"  {name}: rho {float(before.rho):.6g} before, {float(after.rho):.6g} now")
    if recovered.kept is not None:
        say(f"The damaged ledger was kept in {recovered.kept}.")
    say("The node may answer again: fedstats node run")


@contextmanager
def connected(place: Home, network: Network) -> Iterator[Transport | None]:
    """The connection to the coordinator; None where the node has joined none."""
    from fedstats.errors import NotJoined
    from fedstats.node.connection import Connection

    try:
        connection = Connection(place, now=time.time, network=network)
    except NotJoined:
        yield None
        return
    try:
        yield connection
    finally:
        connection.close()


def caps_here(place: Home, config_file: Path | None) -> dict[tuple[object, str], Cap]:
    """Every limit that is known today: of the accepted agreements, and of the configuration."""
    from fedstats.errors import FileProblem
    from fedstats.node.agreements import Agreements
    from fedstats.node.caps import agreement_cap
    from fedstats.node.config import read_config
    from fedstats.node.state import State

    with State(place.state) as state:
        standings = Agreements(state, place.trust).all()
    caps = [
        agreement_cap(s.agreement) for s in standings if s.accepted_s is not None
    ]  # the newest comes last
    try:
        caps += read_config(config_file or place.config).lifetime_caps.values()
    except FileProblem:
        if config_file is not None:
            raise
    return {(cap.kind, cap.name): cap for cap in caps}


def _say_ledger(
    statuses: tuple[CapStatus, ...],
    unknown: Mapping[str, Loss],
    entries: tuple[Entry, ...],
    carriages: tuple[Carriage, ...],
) -> None:
    from fedstats.node.caps import percent

    for status in statuses:
        cap = status.cap
        used, left = percent(status.used_share, up=True), percent(1 - status.used_share)
        say(f"{cap.kind.value} {cap.name}: {used} used, {left} left")
        say(f"  rho {float(status.spent.rho):.6g} of {float(cap.budget.rho):.6g}")
    for name, loss in unknown.items():
        say(f"{name}: rho {float(loss.rho):.6g} spent; its budget is not known here today")
    say()
    say(f"{len(entries)} charge{'' if len(entries) == 1 else 's'}")
    for entry in entries:
        at = datetime.fromtimestamp(entry.at_s, UTC)
        state = "" if entry.recorded else " (no answer was made yet)"
        say(
            f"  {entry.number:>5} {at:%Y-%m-%d %H:%M} {entry.analyst} for {entry.purpose}: {entry.dataset} "
            f"{entry.edition}, rho {float(entry.loss.rho):.6g} under {entry.agreement}{state}"
        )
    for carriage in carriages:
        at = datetime.fromtimestamp(carriage.at_s, UTC)
        said = datetime.fromtimestamp(carriage.witness.at_s, UTC)
        say(f"Carried forward on {at:%Y-%m-%d %H:%M}, from the ledger that a witness saw on {said:%Y-%m-%d}:")
        for (kind, name), loss in carriage.losses.items():
            say(f"  {kind} {name}: rho {float(loss.rho):.6g}")


def _ledger_document(
    statuses: tuple[CapStatus, ...],
    unknown: Mapping[str, Loss],
    entries: tuple[Entry, ...],
    carriages: tuple[Carriage, ...],
) -> dict[str, object]:
    return {
        "caps": [
            {
                "kind": status.cap.kind.value,
                "name": status.cap.name,
                "budget": _loss_document(status.cap.budget),
                "spent": _loss_document(status.spent),
                "left": _loss_document(status.left),
                "used_percent": float(status.used_share * 100),
            }
            for status in statuses
        ],
        "unknown_caps": {name: _loss_document(loss) for name, loss in unknown.items()},
        "carried_forward": [
            {
                "at_s": carriage.at_s,
                "from_ledger": carriage.witness.ledger.hex(),
                "witness_at_s": carriage.witness.at_s,
                "losses": {
                    f"{kind} {name}": _loss_document(loss) for (kind, name), loss in carriage.losses.items()
                },
            }
            for carriage in carriages
        ],
        "entries": [
            {
                "number": entry.number,
                "at_s": entry.at_s,
                "analyst": entry.analyst,
                "purpose": entry.purpose,
                "agreement": entry.agreement,
                "agreement_version": entry.agreement_version,
                "namespace": entry.namespace,
                "dataset": entry.dataset,
                "edition": entry.edition,
                "query": entry.query.hex(),
                "round": entry.round,
                "computation": entry.computation.hex(),
                "loss": _loss_document(entry.loss),
                "recorded": entry.recorded,
            }
            for entry in entries
        ],
    }


def _loss_document(loss: Loss) -> dict[str, str]:
    """Exact, as fractions in text."""
    return {"rho": str(loss.rho), "delta_add": str(loss.delta_add)}

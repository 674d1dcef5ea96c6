"""Accepting an agreement at a node: fetch what was published, compare keys, read it, say yes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.agreement_shown import say_changes
from fedstats.cli.meeting import meet
from fedstats.cli.network import network_at
from fedstats.cli.running import agreed, say, say_sections
from fedstats.client.agreement_words import summary
from fedstats.client.standing import contradicted
from fedstats.core.agreement_changes import changes
from fedstats.errors import NameUnknown, NetworkError, NotJoined
from fedstats.journal.output import security_of
from fedstats.node.agreements import Agreements, Standing
from fedstats.node.caps import agreement_cap, percent
from fedstats.node.connection import Connection
from fedstats.node.home import DEFAULT_HOME, Home
from fedstats.node.ledger import Ledger
from fedstats.node.state import State
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2

if TYPE_CHECKING:  # for a type only
    from collections.abc import Mapping, Sequence

    from fedstats.core.agreement import Agreement


def accept_at_node(name: str, *, version: int | None, trust: bool, yes: bool, folder: Path | None) -> None:
    """Accept a version of an agreement at the node in `folder`; raises as `Agreements.accept`."""
    home = Home(folder or DEFAULT_HOME)
    home.check_exists()
    with security_of("node", home.logs), State(home.state) as state:
        agreements = Agreements(state, home.trust)
        _fetch(home, agreements)
        standing = _wanted(agreements.all(), name, version, state.department, home.trust.all())
        meet(standing.agreement, home.trust, trust=trust)
        number = standing.agreement.version
        before = _before(agreements.all(), standing.agreement)

        def confirm(found: Standing) -> bool:
            return _confirm(found, before, home, yes=yes)

        if agreements.accept(name, number, confirm, now_s=int(time.time())):
            say(f"{state.department} accepts {name} version {number}.")
            _say_next(standing)
        else:
            say("Nothing was accepted.")


def _fetch(home: Home, agreements: Agreements) -> None:
    """Learn what was published; without a connection, what is known here already has to do."""
    try:
        connection = Connection(home, now=time.time, network=network_at(home))
    except NotJoined:
        return
    try:
        agreements.learn(connection.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))
    except NetworkError as problem:
        say(f"What is new at the coordinator is not known: {problem}")
    finally:
        connection.close()


def _wanted(
    known: Sequence[Standing], name: str, version: int | None, department: str, trusted: Mapping[str, str]
) -> Standing:
    """The newest text that contradicts no key trusted here and that its own controller signed."""
    found = [
        standing
        for standing in known
        if standing.agreement.id == name and version in (None, standing.agreement.version)
    ]
    if not found:
        listed = ", ".join(sorted({standing.agreement.id for standing in known})) or "none yet"
        raise NameUnknown(
            f"No agreement {name[:48]!r} for this department was published; there is {listed}.", remedy=""
        )

    def rank(standing: Standing) -> tuple[bool, bool, int]:
        sound = not contradicted(standing.agreement, trusted)
        return sound, department not in standing.unsigned, standing.agreement.version

    return max(found, key=rank)


def _before(known: Sequence[Standing], new: Agreement) -> Agreement | None:
    """The newest version below `new` that was accepted here, also if it was left since."""
    accepted = [
        s.agreement
        for s in known
        if s.agreement.id == new.id and s.accepted_s is not None and s.agreement.version < new.version
    ]
    return max(accepted, key=lambda agreement: agreement.version, default=None)


def _confirm(standing: Standing, before: Agreement | None, home: Home, *, yes: bool) -> bool:
    """Show what it means and what it changes, and ask."""
    say_sections(summary(standing.agreement))
    if before is not None:
        head = f"What changes against version {before.version}, which was accepted here"
        click.echo(click.style(head, bold=True))
        say_changes(before, standing.agreement, changes(before, standing.agreement))
        _say_left(standing.agreement, home)
        say()
    return yes or agreed("Accept it for your department?")


def _say_left(agreement: Agreement, home: Home) -> None:
    """What the node's own ledger leaves of the new budget; nothing where there is no ledger to read."""
    if not home.ledger.exists():
        return
    with Ledger(home.ledger) as ledger:
        (status,) = ledger.status([agreement_cap(agreement)])
    left = percent(1 - status.used_share, up=False)
    say(f"Of the budget of version {agreement.version}, {left} is left here.")


def _say_next(standing: Standing) -> None:
    if standing.unsigned:
        say(f"It is in force once these have signed, too: {', '.join(standing.unsigned)}.")
    say("Editions that are here already go on serving.")
    say("For a dataset that has none yet:  fedstats node refresh --edition NAME")

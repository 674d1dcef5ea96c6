"""Accepting an agreement at a node: fetch what was published, compare keys, read it, say yes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from fedstats.cli.meeting import meet
from fedstats.cli.network import network_at
from fedstats.cli.running import agreed, say, say_sections
from fedstats.client.agreement_words import summary
from fedstats.client.standing import contradicted
from fedstats.errors import NameUnknown, NetworkError, NotJoined
from fedstats.journal.output import security_of
from fedstats.node.agreements import Agreements, Standing
from fedstats.node.connection import Connection
from fedstats.node.home import DEFAULT_HOME, Home
from fedstats.node.state import State
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2

if TYPE_CHECKING:  # for a type only
    from collections.abc import Mapping, Sequence


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
        if agreements.accept(name, number, lambda found: _confirm(found, yes=yes), now_s=int(time.time())):
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


def _confirm(standing: Standing, *, yes: bool) -> bool:
    """Show what it means, and ask."""
    say_sections(summary(standing.agreement))
    return yes or agreed("Accept it for your department?")


def _say_next(standing: Standing) -> None:
    if standing.unsigned:
        say(f"It is in force once these have signed, too: {', '.join(standing.unsigned)}.")
    say("Editions that are here already go on serving.")
    say("For a dataset that has none yet:  fedstats node refresh --edition NAME")

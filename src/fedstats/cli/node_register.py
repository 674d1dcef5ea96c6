"""What a node saw of the public register, and what a person decides after it was shown two."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fedstats.cli.node_local import folder_option, home_of
from fedstats.cli.running import say
from fedstats.core.times import minute_of


@click.group(invoke_without_command=True)
@folder_option
@click.pass_context
def register(context: click.Context, *, home: Path) -> None:
    """Show the newest head of the public register that this node saw, and whether two were shown.

    The head, the number of entries and the key can be compared with another department's by telephone.
    """
    from fedstats.identity.keys import PublicKey
    from fedstats.node.register_view import RegisterView
    from fedstats.node.state import State

    if context.invoked_subcommand is not None:
        return
    place = home_of(home)
    with State(place.state) as state:
        view = RegisterView(state, key=place.read_node_key, now=time.time, demanded=True)
        seen, forks = view.seen(), view.forks()
    if seen is None:
        say("This node has seen no register yet.")
        return
    say(f"Entries: {seen.head.size}, as of {minute_of(seen.head.at_s)}")
    say(f"Root: {seen.head.root.hex()}")
    say(f"Signed with: {PublicKey(seen.signed.key.raw).fingerprint}")
    if forks:
        say("The coordinator showed another register that does not continue this one: FS-705.")
        say("The two signed heads are in the log: fedstats audit show")
        say("When it is settled: fedstats node register forget")


@register.command
@click.option("--yes", is_flag=True, help="Do it without asking. For scripts.")
@folder_option
def forget(*, yes: bool, home: Path) -> None:
    """Go on with whatever register the coordinator shows next, after it showed two, or changed its key.

    Only after you know why: until then this node answers nothing (FS-220). The evidence stays in the log.
    """
    from fedstats.journal.output import security_of
    from fedstats.node.register_view import RegisterView
    from fedstats.node.state import State

    place = home_of(home)
    if not yes:
        click.confirm("Forget the register that this node saw?", abort=True)
    with security_of("node", place.logs), State(place.state) as state:
        view = RegisterView(state, key=place.read_node_key, now=time.time, demanded=True)
        forgotten = view.forget(now_s=int(time.time()))
    if forgotten:
        say("Forgotten. The register that is shown next is the one that later ones must continue.")
    else:
        say("This node has seen no register; there is nothing to forget.")

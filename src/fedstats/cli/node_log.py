"""The node's own log: how far it has come, and a new one where it cannot be continued."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fedstats.cli.node_local import config_option, folder_option, home_of
from fedstats.cli.running import say


@click.group(invoke_without_command=True)
@folder_option
@click.pass_context
def log(context: click.Context, *, home: Path) -> None:
    """Show how far this department's log has come, and whether others remember another one.

    What it tells: fedstats audit show. Whether it is what was written: fedstats audit verify.
    """
    from fedstats.node.log_witness import LogWitness
    from fedstats.node.state import State

    if context.invoked_subcommand is not None:
        return
    place = home_of(home)
    with State(place.state) as state:
        witness = LogWitness(state, own=lambda: place.read_node_key().public)
        say(f"Log {state.log.id.hex()} of {state.department}: {state.log.size()} entries")
        for former in state.log.former():
            say(f"Before it: log {former.log.hex()}, of which {former.size} entries are known")
        witness.check()


@log.command
@click.option("--yes", is_flag=True, help="Do it without asking. For scripts.")
@folder_option
@config_option
def renew(*, yes: bool, home: Path, config_file: Path | None) -> None:
    """Begin a new log where this one is lost, damaged, or older than what the node signed for (FS-704).

    The first entry of the new log says that, why, and how far the former one had come; what the ledger
    charged is entered again. The old file is kept as evidence, and the heads that others keep of it stay
    valid. Everybody sees that the log was begun anew. A sound log is never replaced.

    First stop the node, and make sure that no other copy of it runs. If a newer copy of the log exists, put
    it back instead.
    """
    from fedstats.cli.node_ledger import connected
    from fedstats.journal.output import security_of
    from fedstats.node.config import NodeConfig, read_config
    from fedstats.node.renewing import renew as begun

    place = home_of(home)
    path = config_file or place.config
    known = read_config(path) if path.exists() or config_file else NodeConfig()
    if not yes:
        click.confirm("Begin a new log, for everybody to see?", abort=True)
    with security_of("node", place.logs), connected(place, known.coordinator) as transport:
        renewed = begun(place, transport, now=time.time)
    say(f"A new log has begun ({renewed.log.hex()}), because the former one was {renewed.why.value}.")
    for former in renewed.former:
        say(f"  of log {former.log.hex()} {former.size} entries were known, root {former.root.hex()}")
    if not renewed.former:
        say("  nobody knows how far the former one had come")
    say(f"What is left of the old file is in {renewed.kept}. Do not delete it: it is evidence.")
    say("The node may answer again: fedstats node run")

"""`fedstats node`: for a department's IT. Its commands are listed here and imported when they are used."""

from __future__ import annotations

import click

from fedstats.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("fedstats.cli.node_init:init", "Set a node up, from token to first edition, in one sitting."),
    "join": ("fedstats.cli.node_life:join", "Join a federation with a token."),
    "refresh": ("fedstats.cli.node_data:refresh", "Make an edition of a dataset from your data."),
    "run": ("fedstats.cli.node_life:run", "Answer questions until told to stop."),
    "status": ("fedstats.cli.node_doctor:status", "Show which rules would stop an answer today."),
    "doctor": ("fedstats.cli.node_doctor:doctor", "Check everything, and say how to mend it."),
    "datasets": ("fedstats.cli.node_data:datasets", "Show what the agreements define, and where it is here."),
    "explain": ("fedstats.cli.node_question:explain", "Print the SQL that a question becomes."),
    "try": ("fedstats.cli.node_question:try_", "Show, on this machine only, what would leave."),
    "ledger": ("fedstats.cli.node_ledger:ledger", "Show what was spent of each budget, and for what."),
    "guarantee": (
        "fedstats.cli.node_guarantee:guarantee",
        "Show what this department has promised in all its answers.",
    ),
    "approvals": ("fedstats.cli.node_approvals:approvals", "Decide about questions that wait for a person."),
    "approvers": ("fedstats.cli.node_approvals:approvers", "Make the keys of those whose approval counts."),
    "pause": ("fedstats.cli.node_life:pause", "Answer nothing until resumed."),
    "resume": ("fedstats.cli.node_life:resume", "Answer again."),
    "withdraw": ("fedstats.cli.node_life:withdraw", "Leave an agreement, and delete its editions."),
    "register": ("fedstats.cli.node_register:register", "Show what this node saw of the public register."),
    "log": ("fedstats.cli.node_log:log", "Show how far this department's log has come."),
    "rotate-key": ("fedstats.cli.node_life:rotate_key", "Make a new key for the node."),
    "config": ("fedstats.cli.node_life:config", "Check node.toml, or show every setting."),
}


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def node() -> None:
    """Run a department's node: it answers agreed questions beside your own data.

    Rows stay where they are. What leaves is an aggregate with noise, charged to a budget that the node
    itself keeps. You can pause it, or leave an agreement, at any moment.
    """

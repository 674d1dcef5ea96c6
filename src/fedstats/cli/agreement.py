"""`fedstats agreement`: an agreement's whole life. Its commands are listed here and imported when used."""

from __future__ import annotations

import click

from fedstats.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("fedstats.cli.agreement_writing:new", "Write an agreement: answer questions, or fill in a file."),
    "check": (
        "fedstats.cli.agreement_writing:check",
        "Say what is wrong or missing in a file, or what it means.",
    ),
    "diff": ("fedstats.cli.agreement_reading:diff", "Say what a new version widens, changes and narrows."),
    "sign": ("fedstats.cli.agreement_signing:sign", "Sign one with your department's controller's key."),
    "publish": ("fedstats.cli.agreement_signing:publish", "Send a signed document from another machine."),
    "list": ("fedstats.cli.agreement_reading:list_agreements", "List the agreements that were published."),
    "show": ("fedstats.cli.agreement_reading:show", "Show one in plain English, or as a file."),
    "status": ("fedstats.cli.agreement_reading:status", "Show who signed one, and where it is in force."),
    "accept": ("fedstats.cli.agreement_signing:accept", "Accept one for the department of this node."),
    "withdraw": ("fedstats.cli.node_life:withdraw", "Leave one at this node, and delete its editions."),
    "schema": ("fedstats.cli.agreement_writing:schema", "Print the JSON Schema of a signed agreement."),
}


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def agreement() -> None:
    """Write, read, sign and accept agreements.

    An agreement says which questions may be asked of which data, for what, by whom, and at what cost in
    privacy. It is in force at a department once every controller signed it and the department accepted
    it. A new version is signed and accepted again, and inherits what was spent.
    """

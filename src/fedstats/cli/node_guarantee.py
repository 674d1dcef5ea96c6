"""`fedstats node guarantee`: what a department has promised in all its answers, from its own ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_ledger import caps_here
from fedstats.cli.node_local import config_option, folder_option, home_of
from fedstats.cli.running import say, say_json

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.node.guarantee import Spending


@click.command
@click.argument("query", required=False, default="", metavar="[QUERY]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Default: text.")
@folder_option
@config_option
def guarantee(*, query: str, form: str, home: Path, config_file: Path | None) -> None:
    """Show what this department has promised in all its answers.

    Only the department's own ledger knows it: what someone lost in privacy by everything that was answered
    about them, over all agreements. With QUERY, the first digits of a query's hash, what that one cost. All
    of it may be shown to anybody.
    """
    from fedstats.node.guarantee import query_report, report_of
    from fedstats.node.guarantee_words import lines, query_lines

    spending = _spending(home, config_file)
    report = query_report(spending, query) if query else report_of(spending)
    if form == "json":
        say_json(report)
    else:
        for line in query_lines(report) if query else lines(report):
            say(line)


def _spending(home: Path, config_file: Path | None) -> Spending:
    from fedstats.node.agreements import Agreements
    from fedstats.node.guarantee import Spending
    from fedstats.node.ledger import Ledger
    from fedstats.node.state import State

    place = home_of(home)
    with State(place.state) as state:
        standings, department = Agreements(state, place.trust).all(), state.department
    known = {(s.agreement.id, s.agreement.version): s.agreement for s in standings}
    with Ledger(place.ledger) as ledger:
        statuses = ledger.status(caps_here(place, config_file).values())
        return Spending(department, statuses, ledger.entries(), known)

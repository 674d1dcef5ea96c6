"""Live progress of a question, one line for each department, while somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fedstats.cli.ending import INTERRUPTED
from fedstats.cli.running import say_error, terminal
from fedstats.client.following import DepartmentProgress, Progress, Tell

SILENT_S = 120  # a node that has not asked for work for so long is probably away


@contextmanager
def shown(*, quiet: bool) -> Iterator[Tell]:
    """What tells of progress: a table on stderr that is drawn anew, or nothing where nobody watches.

    Ctrl-C ends the waiting and not the question: it says how to take the question up again.
    """
    console = terminal(stderr=True)
    newest: list[Progress] = []
    try:
        if quiet or not console.is_terminal:
            yield newest.append
        else:
            with Live(console=console, transient=True, auto_refresh=False) as live:

                def tell(progress: Progress) -> None:
                    newest.append(progress)
                    live.update(drawn(progress, time.time()), refresh=True)

                yield tell
    except KeyboardInterrupt:
        if newest:
            say_error(f"\nThe question goes on without you. See later: fedstats resume {newest[-1].job}")
        raise click.exceptions.Exit(INTERRUPTED) from None


def drawn(progress: Progress, now_s: float) -> Table:
    """One line for each department, and what is in the way."""
    table = Table.grid(padding=(0, 2))
    number = "" if progress.round_number == 0 else f", round {progress.round_number + 1}"
    table.add_row(Text(f"Job {progress.job}{number}", style="bold"), Text(progress.problem, style="yellow"))
    for department in progress.departments:
        table.add_row(Text(f"  {department.department}"), _state(department, now_s))
    return table


def _state(department: DepartmentProgress, now_s: float) -> Text:
    style = {"answered": "green", "refused": "red"}.get(department.state, "")
    text = Text(department.state, style=style)
    if department.sentence:
        text.append(f": {department.sentence}", style="dim")
    elif not department.over and department.node_seen_s == 0:
        text.append(": its node has not connected yet", style="yellow")
    elif not department.over and now_s - department.node_seen_s > SILENT_S:
        minutes = int((now_s - department.node_seen_s) // 60)
        text.append(f": its node was last seen {minutes} minutes ago", style="yellow")
    return text

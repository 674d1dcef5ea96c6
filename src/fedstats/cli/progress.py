"""Live progress of a question, one line for each department, while somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fedstats.cli.ending import INTERRUPTED
from fedstats.cli.running import say_error, terminal
from fedstats.client.following import DepartmentProgress, Progress, Tell

SILENT_S = 120  # a node that has not asked for work for so long is probably away
QUIET_S = 10.0  # without a terminal, nothing is said of a question that is answered sooner
NAMED_MAX = 10
HOUR_S, DAY_S = 3_600, 86_400


@contextmanager
def shown(*, quiet: bool) -> Iterator[Tell]:
    """What tells of progress on stderr: a table drawn anew, or without a terminal a line at each change.

    Ctrl-C ends the waiting and not the question: it says how to take the question up again.
    """
    console = terminal(stderr=True)
    newest: list[Progress] = []
    try:
        if quiet:
            yield newest.append
        elif not console.is_terminal:
            lines = Lines(time.time())

            def note(progress: Progress) -> None:
                newest.append(progress)
                for line in lines.heard(progress, time.time()):
                    say_error(line)

            yield note
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


@dataclass(slots=True)
class Lines:
    """What a log is told of a question: who is awaited and why, once for each change; times since 1970."""

    started_s: float
    _said: object = None
    _noted: str = ""

    def heard(self, progress: Progress, now_s: float) -> Iterator[str]:
        """The lines that this progress is worth."""
        if progress.problem and progress.problem != self._noted:
            self._noted = progress.problem
            yield f"Job {progress.job}: {progress.problem}"
        states = [(d.department, d.state, _is_silent(d, now_s)) for d in progress.departments]
        if now_s - self.started_s >= QUIET_S and states and states != self._said and not progress.over:
            self._said = states
            yield f"Job {progress.job}: {waiting_line(progress, now_s)}"


def waiting_line(progress: Progress, now_s: float) -> str:
    """Who answered, who is awaited and why, and what the analyst can do."""
    over = sum(d.over for d in progress.departments)
    awaited = [d for d in progress.departments if not (d.over or d.waits_for_approval)]
    names = ", ".join(f"{d.department} ({_awaited(d, now_s)})" for d in awaited[:NAMED_MAX])
    more = f" and {len(awaited) - NAMED_MAX} more" if len(awaited) > NAMED_MAX else ""
    waits = [progress.approval_words] if progress.approval_words else []
    waits += [f"waiting for {names}{more}"] if names else []
    line = f"{over} of {len(progress.departments)} answered; {' and '.join(waits)}."
    if over and any(_is_silent(d, now_s) for d in awaited):
        line += f" To go on without, where the agreement allows it: fedstats proceed {progress.job}"
    return line


def drawn(progress: Progress, now_s: float) -> Table:
    """One line for each department, and what is in the way."""
    table = Table.grid(padding=(0, 2))
    number = "" if progress.round_number == 0 else f", round {progress.round_number + 1}"
    table.add_row(Text(f"Job {progress.job}{number}", style="bold"), Text(progress.problem, style="yellow"))
    for department in progress.departments:
        table.add_row(Text(f"  {department.department}"), _state(department, now_s))
    silent = any(_is_silent(department, now_s) for department in progress.departments)
    if silent and any(department.over for department in progress.departments):
        how = f"on without it, where allowed: fedstats proceed {progress.job}"
        table.add_row(Text(""), Text(how, style="dim"))
    return table


def _state(department: DepartmentProgress, now_s: float) -> Text:
    style = {"answered": "green", "refused": "red"}.get(department.state, "")
    text = Text(department.state, style=style)
    if department.waits_for_approval:
        text.append(f" {department.since}", style="dim")
    elif department.sentence:
        text.append(f": {department.sentence}", style="dim")
    elif _is_silent(department, now_s):
        text.append(f": {_awaited(department, now_s)}", style="yellow")
    return text


def _is_silent(department: DepartmentProgress, now_s: float) -> bool:
    person = department.waits_for_approval  # who decides in her own time; the node need not be there
    return not (department.over or person) and now_s - department.node_seen_s > SILENT_S


def _awaited(department: DepartmentProgress, now_s: float) -> str:
    """Why a department is awaited."""
    if not _is_silent(department, now_s):
        return department.sentence or department.state
    if department.node_seen_s == 0:
        return "its node has not connected yet"
    return f"its node was last seen {_ago(now_s - department.node_seen_s)} ago"


def _ago(seconds: float) -> str:
    if seconds < 2 * HOUR_S:
        return f"{int(seconds // 60)} minutes"
    return f"{int(seconds // HOUR_S)} hours" if seconds < 2 * DAY_S else f"{int(seconds // DAY_S)} days"

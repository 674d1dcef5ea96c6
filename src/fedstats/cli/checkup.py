"""What the doctors' commands share: how checks are shown, and the exit code."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.next_step import with_home
from fedstats.cli.running import say, say_json
from fedstats.client.printable import printable

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.checks import Check

Command = TypeVar("Command", bound=Callable[..., object])

PROBLEM_EXIT_CODE = 1
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
WIDTH = len("problem ")


def format_option(command: Command) -> Command:
    """Add `--format`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        help="json: id, subject, health, found and fix of each check. Default: table.",
    )(command)


def checkup_options(command: Command) -> Command:
    """Add `--format` and `--offline`."""
    offline = click.option("--offline", is_flag=True, help="Leave out what needs the network.")
    return format_option(offline(command))


def tell(words: str) -> None:
    """Say at a terminal what takes a while; nowhere else, since it is no finding."""
    if sys.stderr.isatty():
        click.echo(click.style(f"{'':{WIDTH}} {printable(words)} ...", dim=True), err=True)


def show(checks: Iterable[Check], form: str) -> None:
    """Print the checks as they are made, and end with 1 if there is a problem; warnings alone end with 0."""
    healths: Counter[str] = Counter()
    documents = []
    for check in checks:
        healths[check.health.value] += 1
        documents.append(_document(check))
        if form == "table":
            _show(check)
    if form == "json":
        say_json(documents)
    else:
        say()
        say(_summary(healths))
    if healths["problem"]:
        raise SystemExit(PROBLEM_EXIT_CODE)


def _show(check: Check) -> None:
    health = check.health.value
    mark = click.style(f"{health:<{WIDTH}}", fg=COLOURS[health])
    head = f"{check.id} {check.subject}".rstrip()
    click.echo(f"{mark} {printable(f'{head}: {check.found}')}")
    if check.fix:
        say(f"{'':{WIDTH}} fix: {check.fix}")


def _summary(healths: Counter[str]) -> str:
    def many(word: str) -> str:
        count = healths[word]
        return f"{count or 'no'} {word}{'' if count == 1 else 's'}"

    total = healths.total()
    return f"{total} check{'' if total == 1 else 's'}: {many('problem')}, {many('warning')}."


def _document(check: Check) -> dict[str, str]:
    return {
        "id": check.id,
        "subject": check.subject,
        "health": check.health.value,
        "found": check.found,
        "fix": with_home(check.fix),
    }

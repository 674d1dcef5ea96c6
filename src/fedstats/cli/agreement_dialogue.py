"""`fedstats agreement new` at a terminal: questions on stderr, so that standard output stays the file."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import click

from fedstats.cli.running import say_error
from fedstats.client.printable import printable


def can_ask(*, blank: bool) -> bool:
    """Whether there is somebody to ask, who did not ask for the blank file."""
    return not blank and sys.stdin.isatty() and sys.stderr.isatty()


def file_asked(output: Path | None) -> Path | None:
    """Where to write: what --output says, or what is answered where the file would go to the screen."""
    if output is not None or not sys.stdout.isatty():
        return output
    while True:
        path = Path(str(click.prompt("Write it to which file", default="agreement.toml", err=True)).strip())
        if not path.exists():
            return path
        say_error(f"  {path} exists already and is not overwritten.")


def asked(today: date) -> str:
    """The file that the answers make."""
    from fedstats.client.agreement_draft import drafted
    from fedstats.client.agreement_file import template
    from fedstats.client.agreement_toml import toml_of

    document, finished = drafted(_ask, say_error, today)
    if not finished:
        say_error("\nStopped. What was said is kept; the rest says FILL IN.")
    return toml_of(document, template())


def _ask(question: str, suggestion: str) -> str:
    try:
        return str(
            click.prompt(printable(question), default=suggestion, show_default=bool(suggestion), err=True)
        )
    except click.Abort as end:
        stopped = isinstance(end.__context__, EOFError)  # and not Ctrl-C
        raise (EOFError if stopped else click.Abort) from None

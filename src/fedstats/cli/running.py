"""What many commands have in common: the home folder, the terminal, the output file.

Whatever is printed goes through `say`, `say_error`, `say_sections`, `say_table`, `terminal` or `write_text`:
much of it was written by other people, and none of it may steer the terminal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.next_step import remember_home, with_home
from fedstats.cli.paths import FilePath
from fedstats.client.printable import printable
from fedstats.errors import FileProblem

if TYPE_CHECKING:  # imported when a command runs, so that help stays quick
    from rich.console import Console
    from rich.table import Table

    from fedstats.client.home import Home
    from fedstats.client.session import Session

Command = TypeVar("Command", bound=Callable[..., object])

PROSE_COLUMNS = 100
PLAIN_COLUMNS = 1_000  # without a terminal no line is cut or wrapped


def home_option(command: Command) -> Command:
    """Add `--home FOLDER`: the analyst's or controller's folder."""
    return click.option(
        "--home",
        callback=remember_home,
        type=FilePath(file_okay=False),
        metavar="FOLDER",
        help="Where your keys and jobs are. Default: $FEDSTATS_HOME, else ~/.config/fedstats.",
    )(command)


def home_at(folder: Path | None) -> Home:
    """The home that `--home` names, or the default one."""
    from fedstats.client.home import Home

    return Home.at(folder) if folder is not None else Home.find(os.environ)


def session_at(folder: Path | None) -> Session:
    """A connection to the federation of this home; close it, or use it in a `with` block."""
    from fedstats.client.session import connect

    return connect(folder)


def terminal(*, stderr: bool = False) -> Console:
    """Where to print: with colours on a terminal (unless NO_COLOR says otherwise), plain text anywhere else.

    Nothing that is printed is taken for markup: labels and titles come from other people.
    """
    from fedstats.cli.screen import Screen

    console = Screen(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        return console
    return Screen(stderr=stderr, highlight=False, markup=False, emoji=False, width=PLAIN_COLUMNS)


def say(text: str = "") -> None:
    """Print plain text, and a line break."""
    click.echo(printable(with_home(text)))


def say_for_others(text: str) -> None:
    """Print a command that others type on their own computers: it stays as it is, without our `--home`."""
    click.echo(printable(text))


def say_json(document: object) -> None:
    """Print a document for programs, untouched; in ASCII, so that nothing in it can steer a terminal."""
    import json

    click.echo(json.dumps(document, indent=2))


def say_error(text: str) -> None:
    """Print plain text to stderr, and a line break."""
    click.echo(printable(with_home(text)), err=True)


def agreed(question: str, *, abort: bool = False) -> bool:
    """Whether the person at the terminal says yes; `abort`: a no ends the command."""
    return click.confirm(printable(question), default=False, abort=abort)


def columns() -> int:
    """How wide prose is: as the terminal, and at most 100 characters."""
    import shutil

    return min(shutil.get_terminal_size((PROSE_COLUMNS, 24)).columns, PROSE_COLUMNS)


def say_table(table: Table) -> None:
    """Print a table; without a terminal, no line ends in spaces."""
    console = terminal()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(line.rstrip())


def say_hanging(text: str, *, indent: int) -> None:
    """Print one line; at a terminal it is wrapped, and goes on `indent` characters further in."""
    import textwrap

    if terminal().is_terminal:
        text = textwrap.fill(
            text,
            columns(),
            subsequent_indent=" " * indent,
            break_on_hyphens=False,  # names, dates and fingerprints stay whole
        )
    say(text)


def say_sections(sections: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    """Print headings with their lines, wrapped to the terminal."""
    import textwrap

    width = columns()
    for heading, lines in sections:
        if not any(lines):
            continue
        click.echo(click.style(printable(heading), bold=True))
        for line in lines:
            indent = "  " + " " * (len(line) - len(line.lstrip()))
            wrapped = textwrap.TextWrapper(
                width,
                initial_indent=indent,
                subsequent_indent=indent + "  ",
                break_on_hyphens=False,  # fingerprints stay whole, for reading aloud and copying
            )
            say(wrapped.fill(line.strip()))
        click.echo()


def write_text(path: Path | None, text: str) -> None:
    """Print a document, or write it to the file that `--output` names; raises FileProblem."""
    if path is None:
        click.echo(printable(text), nl=not text.endswith("\n"))
        return
    try:
        path.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    except OSError as problem:
        raise FileProblem(f"{path} cannot be written: {problem.strerror}.") from None

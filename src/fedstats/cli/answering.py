"""How an answer is printed or written: what `query` and `resume` have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.next_step import with_home
from fedstats.cli.paths import FilePath
from fedstats.cli.running import say_error, terminal, write_text
from fedstats.errors import ConfigInvalid, FileProblem

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.client.answer import Answer

Command = TypeVar("Command", bound=Callable[..., object])

FORMATS = ("table", "json", "csv", "parquet")


def totals_option(command: Command) -> Command:
    """Add `--totals`."""
    return click.option(
        "--totals",
        is_flag=True,
        help="Add rows labelled all, which add up the cells over each key. Free: the same release is used.",
    )(command)


def output_options(command: Command) -> Command:
    """Add `--format`, `--output` and `--wait`."""
    for option in (
        click.option(
            "--wait",
            "wait_s",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            help="Return after so long, answered or not; the question goes on. Default: until its deadline, "
            "one day.",
        ),
        click.option(
            "--output",
            type=FilePath(dir_okay=False),
            metavar="FILE",
            help="Write to this file.",
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            help="table (default), json, csv or parquet; --output FILE.csv chooses by its ending.",
        ),
    ):
        command = option(command)
    return command


def chosen_format(form: str | None, output: Path | None) -> str:
    """The format asked for, or the one that the file's ending names.

    To be asked before anything is spent: a file that cannot be written would cost the answer.

    Raises
    ------
    ConfigInvalid
        Parquet cannot be printed.
    FileProblem
        The file cannot be written.

    """
    if output is not None:
        check_writable(output)
    ending = output.suffix[1:] if output is not None else ""
    chosen = form or (ending if ending in FORMATS else "table")
    if chosen == "parquet" and output is None:
        raise ConfigInvalid("Parquet is no text.", remedy="Say where to write it: --output FILE.parquet")
    return chosen


def check_writable(output: Path) -> None:
    """Return if a file of this name can be written; raises FileProblem."""
    folder = output.parent
    if (
        output.is_dir()
        or not folder.is_dir()
        or not os.access(output if output.exists() else folder, os.W_OK)
    ):
        raise FileProblem(
            f"{output} cannot be written.", remedy="Name a file in a folder that you can write to."
        )


def put_out(answer: Answer, form: str, output: Path | None) -> None:
    """Print the answer, or write it to the file."""
    if form == "parquet" and output is not None:
        answer.write_parquet(output)
    elif form in ("json", "csv"):
        write_text(output, answer.to_json() if form == "json" else answer.to_csv())
    elif output is not None:
        write_text(output, str(answer))
    else:
        _show(answer)
    if output is not None:
        say_error(f"Wrote {output}.")


def _show(answer: Answer) -> None:
    """Print to the terminal, through a pager where it is longer than the screen."""
    from fedstats.client.render import lines_of, show

    console = terminal()
    if console.is_terminal and lines_of(answer.estimate) > console.height:
        with console.pager():  # without colours: not every pager understands them
            show(answer.estimate, answer.question, console, with_home)
    else:
        show(answer.estimate, answer.question, console, with_home)

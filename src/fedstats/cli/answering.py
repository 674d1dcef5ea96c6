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

FORMATS_OF_TABLES = ("csv", "parquet")
FORMATS = ("table", "json", *FORMATS_OF_TABLES)


def totals_option(command: Command) -> Command:
    """Add `--totals`."""
    return click.option(
        "--totals",
        is_flag=True,
        help="Add rows labelled all, which add up the cells over each key. Free: the same release is used.",
    )(command)


def statistic_option(command: Command) -> Command:
    """Add `--statistic`."""
    return click.option(
        "--statistic",
        type=FilePath(dir_okay=False),
        metavar="FILE.py",
        help="Where the file of the job's statistic is now, if it was moved; the job remembers it.",
    )(command)


def table_option(command: Command) -> Command:
    """Add `--table`."""
    return click.option(
        "--table",
        "table",
        metavar="NAME",
        help="Which table of the answer, where it has several and the format holds one.",
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
            type=FilePath(),
            metavar="FILE",
            help="Write to this file; csv and parquet also into a folder, one file for each table.",
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
        check_writable(output, folder=form in FORMATS_OF_TABLES)
    ending = output.suffix[1:] if output is not None else ""
    chosen = form or (ending if ending in FORMATS else "table")
    if chosen == "parquet" and output is None:
        raise ConfigInvalid("Parquet is no text.", remedy="Say where to write it: --output FILE.parquet")
    return chosen


def check_writable(output: Path, *, folder: bool = False) -> None:
    """Return if a file of this name can be written, or files into this `folder`; raises FileProblem."""
    within = output if output.is_dir() else output.parent
    if (
        (output.is_dir() and not folder)
        or not within.is_dir()
        or not os.access(output if output.exists() else within, os.W_OK)
    ):
        remedy = "Name a file in a folder that you can write to."
        if output.is_dir():
            remedy += " One file for each table comes into a folder with --format csv or parquet."
        raise FileProblem(f"{output} cannot be written.", remedy=remedy)


def put_out(answer: Answer, form: str, output: Path | None, table: str | None = None) -> None:
    """Print the answer, or write it to the file; `table` where the format holds one."""
    if output is not None and output.is_dir():
        _write_tables(answer, form, output, table)
        return
    if form == "parquet" and output is not None:
        answer.write_parquet(output, table)
    elif form in ("json", "csv"):
        write_text(output, answer.to_json() if form == "json" else answer.to_csv(table))
    elif output is not None:
        write_text(output, str(answer))
    else:
        _show(answer)
    if output is not None:
        say_error(f"Wrote {output}.")


def _write_tables(answer: Answer, form: str, folder: Path, name: str | None) -> None:
    """One file for each table, or for the one that was named."""
    for file, table in answer.tables.files(form):
        if name is None or table == answer.tables[name]:
            path = folder / file
            if form == "parquet":
                answer.write_parquet(path, table.name)
            else:
                write_text(path, answer.to_csv(table.name))
            say_error(f"Wrote {path}.")


def _show(answer: Answer) -> None:
    """Print to the terminal, through a pager where it is longer than the screen."""
    from fedstats.client.render import lines_of, show

    console = terminal()
    if console.is_terminal and lines_of(answer.estimate, console.width) > console.height:
        with console.pager():  # without colours: not every pager understands them
            show(answer.estimate, answer.question, console, with_home)
    else:
        show(answer.estimate, answer.question, console, with_home)

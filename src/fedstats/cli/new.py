"""`fedstats new`: a new analysis to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.running import say


@click.command
@click.argument("name")
@click.option(
    "--folder",
    type=FilePath(file_okay=False),
    metavar="FOLDER",
    default=Path(),
    help="Where the files go. Default: here.",
)
def new(*, name: str, folder: Path) -> None:
    """Begin an analysis of your own: a Python file and its test.

    NAME is that of the analysis, such as late_share. NAME.py is a statistic that works as it is, with
    comments on what to change; test_NAME.py tries it on made-up rows, without any department.
    docs/statistics.md is the guide.
    """
    from fedstats.client.skeleton import Skeleton

    skeleton = Skeleton(name)
    written = skeleton.write(folder)
    say(f"Wrote {' and '.join(map(str, written))}. Next:")
    say()
    at = written[0] if folder.is_absolute() else f"./{written[0].as_posix()}"
    asked = f"fedstats run {shlex.quote(f'{at}:{skeleton.class_name}')}"
    say(f"  python -m pytest {shlex.quote(str(written[1]))}")
    say(f"  {asked} --help")
    say(f"  {asked} --dataset NAME --value COLUMN --epsilon 1 --explain")

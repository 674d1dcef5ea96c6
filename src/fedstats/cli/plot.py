"""`fedstats plot`: the answer of a job as a picture, in a file or here in the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from fedstats.cli.answering import check_writable, table_option
from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say, say_error, session_at

PLAIN_COLUMNS = 100  # where no terminal says how wide it is


@click.command
@click.argument("job")
@table_option
@click.option("--column", metavar="NAME", help="Draw this column of the table. Default: the statistic's own.")
@click.option(
    "--output",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Write a picture: FILE.svg, FILE.png or FILE.pdf. Default: draw it here.",
)
@home_option
def plot(*, job: str, table: str | None, column: str | None, output: Path | None, home: Path | None) -> None:
    """Draw the answer of a job: bars with their noise, histograms, curves, funnels. Free.

    JOB is its name, or the first four digits of it. What is drawn is the job's answer as it was released;
    nothing is asked again. Without --output it is drawn with characters, as wide as the terminal, in plain
    ASCII where the terminal shows nothing else.

      fedstats plot 6d24 --output funnel.svg
    """
    if output is not None:
        check_writable(output)
    with session_at(home) as session:
        answer = session.resume(job, wait_s=0, ask=False)
    if output is not None:
        answer.write_picture(output, table, column)
        say_error(f"Wrote {output}.")
        return
    say(answer.draw(table, column, columns=_columns(), ascii_only=_is_plain()))


def _columns() -> int:
    """How wide the terminal is."""
    import shutil

    return shutil.get_terminal_size((PLAIN_COLUMNS, 24)).columns


def _is_plain() -> bool:
    """Whether whatever shows the picture knows ASCII only."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    return os.environ.get("TERM") in ("dumb", "linux") or not encoding.startswith("utf")

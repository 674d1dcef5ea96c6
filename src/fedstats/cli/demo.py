"""`fedstats demo`: the main job on made-up patients, with every part real."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import click

from fedstats.cli.paths import FilePath
from fedstats.errors import AlreadyExists

PATHWAYS_DEFAULT = 20_000


@click.command
@click.option("--keep", is_flag=True, help="Leave it running, and say what to type next; Ctrl-C ends it.")
@click.option(
    "--pathways",
    type=click.IntRange(100, 1_000_000),
    default=PATHWAYS_DEFAULT,
    show_default=True,
    help="How many pathways each trust has.",
)
@click.option(
    "--folder",
    type=FilePath(file_okay=False),
    metavar="FOLDER",
    help="Where to put everything: an empty folder, which stays. Default: one that is deleted at the end.",
)
def demo(*, keep: bool, pathways: int, folder: Path | None) -> None:
    """Show a whole federation at work on this computer.

    Makes five NHS trusts with made-up patients, a coordinator and an analyst, each a process of its own with
    mutual TLS; has the five sign an agreement; asks three questions through the real command line; and prints
    beside every answer the truth, which only the demo can know, and every trust's ledger before and after.
    Then it shows who decides: one trust approves by hand, all refuse another purpose, one leaves, and a
    log that was edited is found out.
    """
    from rich.console import Console

    from fedstats.demo.processes import ending_on_signals
    from fedstats.demo.story import tell

    console = Console(highlight=False)
    wait = _wait if keep else None
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise AlreadyExists(f"{folder} is not empty.", remedy="Name an empty or a new folder.")
        folder.mkdir(parents=True, exist_ok=True)
        with ending_on_signals():
            tell(folder, console, pathways_per_trust=pathways, keep=wait)
        return
    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="fedstats-demo-") as made:
        tell(Path(made), console, pathways_per_trust=pathways, keep=wait)


def _wait() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo()

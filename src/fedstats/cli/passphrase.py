"""Opening the controller's key: from a file, or by asking the person at the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.paths import FilePath
from fedstats.errors import FileProblem

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.client.home import Home
    from fedstats.identity.keys import SigningKey

Command = TypeVar("Command", bound=Callable[..., object])


def passphrase_option(command: Command) -> Command:
    """Add `--passphrase-file FILE`."""
    return click.option(
        "--passphrase-file",
        type=FilePath(dir_okay=False),
        metavar="FILE",
        help="Read the passphrase of the controller's key from the first line of this file. Default: ask.",
    )(command)


def from_file(path: Path) -> str:
    """The first line of a file; raises FileProblem."""
    try:
        return path.read_text(encoding="utf-8").split("\n", maxsplit=1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError):
        raise FileProblem(f"{path} cannot be read.") from None


def new_passphrase(*, none: bool, file: Path | None) -> str | None:
    """The passphrase for a key that is being made: out of a file or typed twice; `none` for no passphrase."""
    if file is not None:
        return from_file(file)
    if none:
        return None
    typed: str = click.prompt("A passphrase for the key", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def open_key(home: Home, passphrase_file: Path | None) -> SigningKey:
    """The controller's key of this home."""
    from fedstats.client.controller import needs_passphrase, read_key

    if not needs_passphrase(home):
        return read_key(home)
    if passphrase_file is not None:
        return read_key(home, passphrase=from_file(passphrase_file))
    return read_key(
        home, passphrase=click.prompt("Passphrase of the controller's key", hide_input=True, err=True)
    )

"""How this computer reaches the coordinator, as options: for commands that run before it is configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.paths import FilePath

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.node.home import Home
    from fedstats.wire.network import Network

Command = TypeVar("Command", bound=Callable[..., object])


def network_options(command: Command) -> Command:
    """Add `--proxy`, `--proxy-credentials-file` and `--ca-file`."""
    for option in (
        click.option(
            "--ca-file",
            type=FilePath(dir_okay=False),
            metavar="FILE",
            help="Authorities (PEM) to believe besides the federation's, where the coordinator's own "
            "certificate comes from another organisation's.",
        ),
        click.option(
            "--proxy-credentials-file",
            type=FilePath(dir_okay=False),
            metavar="FILE",
            help="One line, USER:PASSWORD, for the proxy; only you may be able to read it (chmod 600).",
        ),
        click.option(
            "--proxy",
            default="",
            metavar="URL",
            help="http://HOST:PORT, where $https_proxy does not say it already.",
        ),
    ):
        command = option(command)
    return command


def network_with(
    known: Network, *, proxy: str, proxy_credentials_file: Path | None, ca_file: Path | None
) -> Network:
    """What is configured, with what was typed; raises ConfigInvalid."""
    typed = {
        "proxy": proxy,
        "proxy_credentials_file": proxy_credentials_file and proxy_credentials_file.expanduser().absolute(),
        "ca_file": ca_file and ca_file.expanduser().absolute(),
    }
    return replace(known, **{name: value for name, value in typed.items() if value})  # type: ignore[arg-type]  # a table of fields


def network_at(home: Home, config_file: Path | None = None) -> Network:
    """What node.toml says; the defaults where there is none yet. Raises ConfigInvalid, FileProblem."""
    from fedstats.node.config import read_config
    from fedstats.wire.network import Network

    path = config_file or home.config
    return read_config(path).coordinator if config_file or path.exists() else Network()

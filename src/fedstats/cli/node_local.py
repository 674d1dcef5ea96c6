"""What the commands of `fedstats node` share: the folder, the configuration, the dataset that is meant."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.next_step import remember_home
from fedstats.cli.paths import FilePath

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.node.datasets import Held
    from fedstats.node.home import Home
    from fedstats.node.service import Node

Command = TypeVar("Command", bound=Callable[..., object])


def folder_option(command: Command) -> Command:
    """Add `--home FOLDER`: the node's folder."""
    return click.option(
        "--home",
        callback=remember_home,
        type=FilePath(file_okay=False),
        default=Path("/var/lib/fedstats"),
        show_default=True,
        metavar="FOLDER",
        help="Where the node keeps its keys, ledger, agreements and editions.",
    )(command)


def config_option(command: Command) -> Command:
    """Add `--config FILE`: node.toml."""
    return click.option(
        "--config",
        "config_file",
        type=FilePath(dir_okay=False),
        metavar="FILE",
        help="The configuration. Default: node.toml in the node's folder, else /etc/fedstats/node.toml.",
    )(command)


def dataset_options(command: Command) -> Command:
    """Add `--agreement ID`: for a dataset that several agreements define."""
    return click.option(
        "--agreement",
        default="",
        metavar="ID",
        help="The agreement that defines the dataset, where several do.",
    )(command)


def home_of(folder: Path) -> Home:
    """The node's home in this folder; raises NotJoined where there is none."""
    from fedstats.node.home import Home

    home = Home(folder)
    home.check_exists()
    return home


def node_of(folder: Path, config_file: Path | None) -> Node:
    """The node in this folder, for work that needs no connection."""
    from fedstats.node.config import read_config
    from fedstats.node.service import Node

    home = home_of(folder)
    return Node(home, read_config(config_file or home.config), now=time.time)


def held_by(node: Node, name: str, agreement: str) -> Held:
    """The dataset that a command names, or the only one."""
    from fedstats.node.datasets import find_dataset, held_datasets

    return find_dataset(held_datasets(node.agreements.all(), node.department), name, agreement=agreement)

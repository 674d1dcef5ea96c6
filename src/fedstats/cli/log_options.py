"""How a daemon writes its log, where the command line says otherwise than the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.journal.settings import LogTerms

Command = TypeVar("Command", bound=Callable[..., object])


def log_options(command: Command) -> Command:
    """Add `--log-format` and `--log-level`."""
    form = click.option(
        "--log-format",
        type=click.Choice(["auto", "json", "text"]),
        help="JSON lines, or text for people. Default: as configured, else text on a terminal only.",
    )
    level = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="The least that is written. Default: as configured, else info.",
    )
    return form(level(command))


def chosen(terms: LogTerms, log_format: str | None, log_level: str | None) -> LogTerms:
    """What was configured, with what was typed instead."""
    return replace(terms, format=log_format or terms.format, level=log_level or terms.level)

"""The `fedstats` command. Its groups and commands are listed here and imported when they are used."""

from __future__ import annotations

import click

from fedstats.cli.lazy import LazyGroup

# name: (where the click command is, the line that help shows). Kept here so that help imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {}


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="fedstats", message="fedstats %(version)s")
def main() -> None:
    """Statistics over data that stays in several government departments.

    Rows never leave a department. What leaves is an aggregate with differential-privacy noise,
    asked for a stated purpose under an agreement that every department signed.
    """

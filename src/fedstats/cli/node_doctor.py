"""`fedstats node doctor` and `fedstats node status`: check, problem, how to fix."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fedstats.cli.checkup import checkup_options, format_option, show, tell
from fedstats.cli.node_local import config_option, folder_option, node_of


@click.command
@checkup_options
@folder_option
@config_option
def doctor(*, form: str, offline: bool, home: Path, config_file: Path | None) -> None:
    """Check everything that can be checked, and say how to mend what is wrong.

    It may run beside the node, changes nothing and spends nothing. What it shows is for your department only.
    Exit code 0 if all is well or there are warnings only, 1 if there is a problem.
    """
    from fedstats.node.doctor import Doctor
    from fedstats.node.home import Home

    place = Home(home)
    examined = Doctor(place, config_file or place.config, time.time, offline=offline, tell=tell).examine()
    show(examined, form)


@click.command
@format_option
@folder_option
@config_option
def status(*, form: str, home: Path, config_file: Path | None) -> None:
    """Show, for each agreement, what would be answered today, and which rule would stop the rest.

    It asks nobody, reads no data and spends nothing. Exit code 0 if nothing or warnings only, 1 if something
    stops answers. fedstats node doctor examines the machine, the source and the way to the coordinator too.
    """
    from fedstats.node.status import Outlook

    with node_of(home, config_file) as node:
        show(Outlook(node).examine(), form)

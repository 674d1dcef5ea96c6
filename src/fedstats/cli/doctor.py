"""`fedstats doctor`: whether an analyst or a controller could work from this computer now."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fedstats.cli.checkup import checkup_options, show, tell
from fedstats.cli.running import home_at, home_option


@click.command
@checkup_options
@home_option
def doctor(*, form: str, offline: bool, home: Path | None) -> None:
    """Check this computer and its way to the coordinator, and say how to mend it.

    For analysts and controllers. A node has fedstats node doctor, a coordinator fedstats coordinator doctor.
    Exit code 0 if all is well or there are warnings only, 1 if there is a problem.
    """
    from fedstats.client.doctor import Doctor

    show(Doctor(home_at(home), time.time, offline=offline, tell=tell).examine(), form)

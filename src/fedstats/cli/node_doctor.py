"""`fedstats node doctor`: check, problem, how to fix."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from fedstats.cli.node_local import config_option, folder_option
from fedstats.cli.running import say

PROBLEM_EXIT_CODE = 1


@click.command
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Default: table."
)
@folder_option
@config_option
def doctor(*, form: str, home: Path, config_file: Path | None) -> None:
    """Check everything that can be checked, and say how to mend what is wrong.

    Exit code 0 if all is well or there are warnings only, 1 if there is a problem.
    """
    from fedstats.node.doctor import Doctor, Health
    from fedstats.node.home import Home

    place = Home(home)
    checks = Doctor(place, config_file or place.config, time.time).examine()
    if form == "json":
        found = [{"check": c.name, "health": c.health.value, "found": c.found, "fix": c.fix} for c in checks]
        click.echo(json.dumps(found, indent=2))
    else:
        for check in checks:
            say(f"{check.health.value:<8} {check.name}: {check.found}")
            if check.fix and check.health is not Health.OK:
                say(f"         {check.fix}")
    if any(check.health is Health.PROBLEM for check in checks):
        raise SystemExit(PROBLEM_EXIT_CODE)

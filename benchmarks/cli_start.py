"""How long `fedstats --help` takes, in milliseconds, against Python itself and the libraries it must load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from _measuring import Result, medians_s

name = "cli_start"
unit = "ms"
target = 200.0

FEDSTATS = str(Path(sys.executable).with_name("fedstats"))


def run() -> Result:
    """Start each program in turn, 15 times."""
    programs = {
        "fedstats --help": [FEDSTATS, "--help"],
        "Python alone": [sys.executable, "-c", "pass"],
        "Python and click": [sys.executable, "-c", "import click"],
    }
    taken = medians_s({label: starting(command) for label, command in programs.items()}, repeats=15)
    details = {f"{label}, ms": 1000 * seconds for label, seconds in taken.items()}
    return Result(1000 * taken["fedstats --help"], details)


def starting(command: list[str]) -> Callable[[], object]:
    """Run a program to its end, and see that it succeeded."""
    return lambda: subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # named above

"""How long `fedstats demo` takes once everything is installed, in seconds, from the command to its end.

Five trusts with 20,000 pathways each: their files, a coordinator, five nodes, an agreement, three questions.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from _measuring import Result

name = "demo"
unit = "s"
target = 60.0

FEDSTATS = str(Path(sys.executable).with_name("fedstats"))
HEADING = re.compile(r"^(.*\S)  (\d+) s$", re.MULTILINE)
"""The demo's chapters say when they began."""


def run() -> Result:
    """Run it once, as a person does: a second run would find warm files."""
    start = perf_counter()
    ran = subprocess.run([FEDSTATS, "demo"], check=True, capture_output=True, text=True)  # noqa: S603 # ours
    taken_s = perf_counter() - start
    begun = {f"{title[:60]}, from s": float(second) for title, second in HEADING.findall(ran.stdout)}
    return Result(taken_s, begun)

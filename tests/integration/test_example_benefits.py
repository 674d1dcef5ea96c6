"""The example over benefits, as its reader runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fedstats.demo.processes import environment

PROGRAM = Path(__file__).parents[2] / "examples" / "benefits_federation.py"
RUN_S_MAX = 240


def test_three_departments_answer_and_the_price_of_being_in_several_is_said() -> None:
    """Three processes answer; every benefit has a share with its noise; c = 3 is sqrt(3) as wide as c = 1."""
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), "--people", "3000"],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
        env=environment(),
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    page = ran.stdout
    assert page.count("Answered: dwp, hmrc, home-office.") == 3
    assert len(re.findall(r"^[a-z ]+? +[0-9,]+ ± +[0-9]+ +[0-9.]+ (?:±|\[)", page, re.MULTILINE)) == 7
    three, one = (int(text) for text in re.findall(r"± (\d+) payments", page))
    assert three / one == pytest.approx(3**0.5, abs=0.05)
    (ratio,) = re.findall(r"ratio +(\d\.\d\d)", page)
    assert float(ratio) == pytest.approx(3**0.5, abs=0.05)
    (buys_back,) = re.findall(r"back with c = 3 +(\d\.\d\d)", page)
    assert 1.6 < float(buys_back) < 1.9  # epsilon grows a little faster than the root of rho
    assert "though they are 3,000 people" in page

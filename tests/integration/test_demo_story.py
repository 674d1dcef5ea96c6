"""The demo from its first line to its last, in real processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fedstats.demo.founding import Places
from fedstats.demo.processes import command, environment
from fedstats.demo.trusts import TRUSTS

DEMO_S_MAX = 280


@pytest.mark.real
def test_the_demo_shows_who_decides_and_what_the_logs_tell(tmp_path: Path) -> None:
    """One trust approves by hand, all five refuse another purpose, one leaves, and an edited log is named."""
    folder = tmp_path / "demo"
    arguments = ["demo", "--pathways", "300", "--folder", str(folder)]
    ran = subprocess.run(
        command(arguments), capture_output=True, text=True, check=False, env=environment(), timeout=DEMO_S_MAX
    )
    told = ran.stdout
    assert ran.returncode == 0, f"{told[-2000:]}\n{ran.stderr}"
    approved, refused, left, logs = (
        told.index(words) for words in ("approvals approve", "for another purpose", " withdraws", "rewrite")
    )
    assert "And the analyst reads:" in told[approved:refused]
    assert told[refused:left].count("FS-203 Purpose debt-recovery") == len(TRUSTS)
    absent = told[told.index(f"Absent: {TRUSTS[4].department} (FS-202): ", left) :][:120]
    assert "withdrew from agreement RTT-2026" in " ".join(absent.split())
    assert "FS-704" in ran.stderr, "the edited log is refused"
    assert "was changed" in told[told.index("edits one byte", logs) :], "the entry is named"
    verify = ["audit", "verify", "--home", str(Places(folder).node(TRUSTS[0]))]
    again = subprocess.run(command(verify), capture_output=True, text=True, check=False, env=environment())
    assert again.returncode == 0, (
        f"the edit is undone, so that the trust answers under --keep: {again.stdout}"
    )

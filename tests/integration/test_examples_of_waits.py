"""The examples about deprivation and about A&E, as their readers run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fedstats.demo.processes import environment

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "data"
RUN_S_MAX = 240


def run(example: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program with these arguments, to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / example), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
        env=environment(),
    )


def test_waits_by_deprivation_are_reported_and_drawn(tmp_path: Path) -> None:
    """Five trusts in processes of their own: a report beside the truth, a picture, and more from the release.

    Of 20 intervals at 95 %, fewer than 14 that hold the truth have a chance below 1e-4.
    """
    drawn = tmp_path / "report.svg"
    ran = run("rtt_by_deprivation.py", "--pathways", 6_000, "--epsilon", 2, "--plot", drawn)
    assert ran.returncode == 0, ran.stderr
    held = re.search(r"hold the truth (\d+) times in 20", ran.stdout)
    assert held is not None
    assert int(held[1]) >= 14
    assert "at no cost" in ran.stdout
    assert len(re.findall(r"weeks  \d", ran.stdout)) == 6
    assert drawn.read_text(encoding="utf-8").lstrip().startswith("<?xml")


@pytest.mark.slow
def test_four_hours_in_a_and_e_beside_what_is_published(tmp_path: Path) -> None:
    """From a file in the published format to private figures; attendances of other months are left out."""
    lines = ["period,org_code,type,attendances,breaches,admissions"]
    for month in ("2018-12", "2019-01", "2019-02", "2019-03"):
        lines += [
            f"{month}-01,R{i},{kind},2000.0,{100 * i}.0,9.0" for i in range(6) for kind in ("1", "other")
        ]
    (tmp_path / "ae_attendances.csv").write_text("\n".join(lines))
    ran = run("ae_four_hours.py", "--data", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "6 organisations over 5 nodes" in ran.stderr
    (march,) = [line for line in ran.stdout.splitlines() if "2019-03" in line and "England" in line]
    count, share, published = re.findall(r"[\d,.]+", march.replace("2019-03", ""))[::2][:3]
    assert abs(int(count.replace(",", "")) - 24_000) < 600
    assert abs(float(share) - 87.5) < 1
    assert float(published) == 87.5


def test_without_the_counts_it_says_where_they_are(tmp_path: Path) -> None:
    """Whoever has no data learns what is needed and who publishes it; nothing is started."""
    ran = run("ae_four_hours.py", "--data", tmp_path)
    assert ran.returncode == 1
    assert "NHS England" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not PUBLISHED.is_dir(),
    reason=f"LEFT OUT: the attendances are not in {PUBLISHED}, so no published figure was compared.",
)
def test_the_published_four_hours_of_march_2019_are_found_again() -> None:
    """Six million attendances at 227 organisations: England in March 2019 was 86.6 %."""
    ran = run("ae_four_hours.py", "--data", PUBLISHED)
    assert ran.returncode == 0, ran.stderr
    (march,) = [line for line in ran.stdout.splitlines() if "2019-03" in line and "England" in line]
    assert march.count("86.6 %") == 2
    held = re.search(r"share (\d+) times in (\d+)", ran.stdout)
    assert held is not None
    assert int(held[1]) >= 0.92 * int(held[2])

"""The example over published waiting times, as its reader runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fedstats.demo.processes import environment

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "rtt_published.py"
PUBLISHED = ROOT.parent / "shared" / "data"
RUN_S_MAX = 240
FIGURES_LEFT_OUT_MAX = 20
"""Of 141 intervals at 95 %, which fail independently at most: more have a chance below 1e-4 (2e-5)."""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The program with these arguments, to its end."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
        env=environment(),
    )


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """A folder with counts in the published format: six trusts, two functions, and the row of totals."""
    lines = duckdb.sql(
        "SELECT part, '2025-09' AS period, 'R' || trust AS prov, tfc, week AS w, "
        "CASE WHEN tfc = 'C_999' THEN 800 ELSE 400 END - 3 * week AS n "
        "FROM (VALUES ('admitted'), ('nonadmitted')) AS parts (part), "
        "(VALUES ('C_100'), ('X02'), ('C_999')) AS functions (tfc), "
        "range(6) AS trusts (trust), range(105) AS weeks (week)"
    )
    assert lines is not None
    lines.write_parquet(str(tmp_path / "rtt_completed_by_provider_tfc_week_2025-09.parquet"))
    regions = "".join(f"R{trust},Trust {trust},{'Y56' if trust < 4 else 'Y62'}\n" for trust in range(6))
    (tmp_path / "providers.csv").write_text(f"prov,name,region\n{regions}")
    return tmp_path


def figures_left_out(figures: list[dict[str, Any]]) -> int:
    """How many published figures lie outside their intervals."""
    shares = [(f["within_18_published"], f["within_18_interval"]) for f in figures if f["within_18_interval"]]
    weeks = [week for f in figures for week in f["weeks"] if "lo" in week]
    wrong_shares = [published for published, (lo, hi) in shares if not lo <= published <= hi]
    wrong_weeks = [week for week in weeks if not week["lo"] <= week["published"] <= week["hi"]]
    return len(wrong_shares) + len(wrong_weeks)


def test_the_example_answers_beside_the_published_figures(counts: Path) -> None:
    """From a folder in the published format to private figures, over real nodes; totals count nobody twice.

    England's share within 18 weeks is as exact as its interval says; of 18 intervals at 95 %, 8 outside have
    a chance below 1e-5.
    """
    ran = run("--data", counts, "--nodes", 3, "--format", "json")
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert "6 trusts over 3 nodes" in ran.stderr
    exact = 6 * 2 * sum(400 - 3 * week for week in range(105))
    (england, *_) = result["figures"]
    assert england["treatment_function"] == "England"
    assert abs(england["pathways"] - exact) < exact / 100  # some 300 times its standard deviation
    within = sum(400 - 3 * week for week in range(18)) / sum(400 - 3 * week for week in range(105))
    assert england["within_18_published"] == pytest.approx(within)
    assert len(result["figures"]) == 6
    assert figures_left_out(result["figures"]) < 8


def test_a_folder_without_counts_is_refused_with_where_to_get_them(tmp_path: Path) -> None:
    """Whoever has no data learns what is needed and who publishes it; nothing is started."""
    ran = run("--data", tmp_path)
    assert ran.returncode == 1
    assert "NHS England publishes" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_month_that_is_not_there_names_those_that_are(counts: Path) -> None:
    """A wrong month is answered with the right ones."""
    ran = run("--data", counts, "--month", "2031-01")
    assert ran.returncode == 1
    assert "it has 2025-09" in ran.stderr


@pytest.mark.slow
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"LEFT OUT: there is no {PUBLISHED}")
def test_the_published_figures_of_september_2025_are_found_again() -> None:
    """150 trusts over 20 nodes: England's shares again, and intervals that hold what is published.

    Of some 141 intervals at 95 %, more than FIGURES_LEFT_OUT_MAX outside have a chance below 1e-4.
    """
    ran = run("--data", PUBLISHED, "--format", "json")
    assert ran.returncode == 0, ran.stderr
    assert "150 trusts over 20 nodes" in ran.stderr
    figures = json.loads(ran.stdout)["figures"]
    england = {f["part"]: f for f in figures if f["treatment_function"] == "England"}
    assert england["admitted"]["within_18"] == pytest.approx(0.578, abs=0.004)
    assert england["nonadmitted"]["within_18"] == pytest.approx(0.658, abs=0.002)
    assert figures_left_out(figures) <= FIGURES_LEFT_OUT_MAX

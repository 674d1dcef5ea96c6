"""The register's page in a real browser: everything is shown, and nothing of it runs or calls out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from coordinator_world import ready_world, submission
from samples import NOW_S, sample_query

from fedstats.coordinator.register_page import page_of
from fedstats.core.query import StatisticLabel

pytestmark = pytest.mark.real

POISON = (
    "SELECT '<script>document.title=\"taken over\"</script>' "
    "<img src=x onerror=\"document.title='taken over'\">"
)
BROWSER_S_MAX = 60


def browser() -> str:
    """The browser of this machine; its absence is a failure, not a reason to pass."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "this test needs Chromium: apt-get install chromium"
    return found


def browse(tmp_path: Path, *arguments: str) -> str:
    """Run the browser once, without a window, a profile or a network of its own."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", *quiet]
    done = subprocess.run(
        [*command, f"--user-data-dir={tmp_path / 'profile'}", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=BROWSER_S_MAX,
    )
    return done.stdout


def test_the_page_shows_a_hostile_question_as_text(tmp_path: Path) -> None:
    """A question made of tags appears as its own text; no script runs and the title stays."""
    world = ready_world()
    world.submit(submission(sample_query(statistic=StatisticLabel("table", "1", POISON))))
    page = tmp_path / "register.html"
    page.write_text(page_of(world.store.register.entries(), made_s=NOW_S), encoding="utf-8")
    shown = browse(tmp_path, "--dump-dom", page.as_uri())
    assert "taken over</title>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown
    assert "http://" not in shown.replace("http://www.w3.org", "")
    picture = tmp_path / "register.png"
    browse(tmp_path, f"--screenshot={picture}", "--window-size=1000,1400", page.as_uri())
    assert picture.stat().st_size > 10_000, "a picture with something on it"

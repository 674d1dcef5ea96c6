"""A new analysis, begun as a researcher does: it works as it was written, and so does the guide."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fedstats.cli import main
from fedstats.client.skeleton import Skeleton
from fedstats.errors import AlreadyExists, ValueInvalid

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "statistics.md"
RUN_S_MAX = 240
LINE_LENGTH = 110


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments in a fresh folder, with nothing of this repository but the package."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "FEDSTATS_HOME": str(folder / "home")},
    )


def test_what_is_written_passes_its_own_test_and_says_what_it_takes(tmp_path: Path) -> None:
    """The printed commands, one after the other: pytest passes, and --help shows the parameters."""
    began = typed(tmp_path, "-m", "fedstats", "new", "late_share")
    assert began.returncode == 0, began.stderr
    commands = re.findall(r"^  (.+)$", began.stdout, re.MULTILINE)
    assert commands[:2] == [
        "python -m pytest test_late_share.py",
        "fedstats run ./late_share.py:LateShare --help",
    ]
    tested = typed(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_late_share.py")
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
    helped = typed(tmp_path, "-m", "fedstats", *commands[1].split()[1:])
    for part in ("Averages of one value by groups.", "--value SQL", "--where SQL", "--by KEY", "[required]"):
        assert part in helped.stdout
    again = typed(tmp_path, "-m", "fedstats", "new", "late_share")
    assert again.returncode == 2
    assert again.stderr.startswith("FS-105 late_share.py is there already.")


def test_nothing_is_written_over_and_the_lines_are_short(tmp_path: Path) -> None:
    """Where one of both files is there, neither is written; both fit the width that people read."""
    (tmp_path / "test_mine.py").write_text("")
    with pytest.raises(AlreadyExists):
        Skeleton("mine").write(tmp_path)
    assert not (tmp_path / "mine.py").exists()
    written = Skeleton("mine").write(tmp_path / "deeper" / "still")
    assert all(len(line) <= LINE_LENGTH for path in written for line in path.read_text().splitlines())


def test_what_to_type_next_is_one_word_each_for_a_shell(tmp_path: Path) -> None:
    """A folder with blanks or signs is quoted: what is pasted runs what was written, and nothing else."""
    folder = tmp_path / "my work; $x"
    began = CliRunner().invoke(main, ["new", "mine", "--folder", str(folder)])
    tested, helped, _ = (shlex.split(line) for line in re.findall(r"^  (.+)$", began.output, re.MULTILINE))
    assert tested == ["python", "-m", "pytest", str(folder / "test_mine.py")]
    assert helped == ["fedstats", "run", f"{folder / 'mine.py'}:Mine", "--help"]


@pytest.mark.parametrize(
    "name", ["late-share", "Late", "1st", "class", "table", "statistics", "fedstats", "a" * 49]
)
def test_a_name_must_be_free_for_python_and_the_register(name: str) -> None:
    """What Python, this package or the register calls otherwise is refused before a file is there."""
    with pytest.raises(ValueInvalid):
        Skeleton(name)
    assert CliRunner().invoke(main, ["new", name]).exit_code == 2


def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    """The Python of docs/statistics.md, in its order, runs in a fresh folder."""
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    (tmp_path / "late_share.py").write_text(blocks[0])
    (tmp_path / "guide.py").write_text("\n".join(blocks[1:]))
    ran = typed(tmp_path, "guide.py")
    assert ran.returncode == 0, ran.stderr
    assert "share by sex" in ran.stdout
    helped = typed(tmp_path, "-m", "fedstats", "run", "./late_share.py:LateShare", "--help")
    assert "--days DAYS" in helped.stdout

"""The search of the suite's logs has power: what must not stand in a log is found, wherever a test put it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from suite_log import leaks, lines_of_files, plant

from fedstats.identity.token import PREFIX

TESTS = Path(__file__).resolve().parents[1]

LEAKY = '''
import logging
from pathlib import Path

from suite_log import plant


def test_words(tmp_path: Path) -> None:
    """A client's logger quotes a person."""
    logging.getLogger("fedstats.client").info("left out %s", "zq-person-north-7")


def test_planted() -> None:
    """A value that only this process knows, at the lowest level."""
    logging.getLogger("fedstats.journal").debug("%s", plant("tr0ub4dor&3"))


def test_process(tmp_path: Path) -> None:
    """A process left a log with an exact sum in it."""
    (tmp_path / "node.log").write_text('{"event": "computed", "total": 48271905}')


def test_clean() -> None:
    """Nothing that anybody may not see."""
    logging.getLogger("fedstats.client").info("left out an agreement that cannot be read")
'''


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_run_that_logs_data_fails_and_names_line_and_test(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """All tests pass, and yet the run fails, in this process and in workers: each leak with its place."""
    path = tmp_path / "test_leaky.py"
    path.write_text(LEAKY)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    for name in [name for name in environment if name.startswith("PYTEST_XDIST")]:
        del environment[name]
    options = ["-q", "-p", "conftest", "-p", "no:cacheprovider", "-c", str(TESTS.parent / "pyproject.toml")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *options,
        f"--basetemp={tmp_path / 'base'}",
        *workers,
        str(path),
    ]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, cwd=TESTS.parent
    )
    shutil.rmtree(tmp_path / "base")  # or the run around this one would find it, too
    assert "4 passed" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    found = [line for line in ran.stdout.splitlines() if line.startswith("DATA IN A LOG: ")]
    assert len(found) == 3
    assert any("test_words: a person's id in the log" in line for line in found)
    assert any("test_planted: a planted value in the log" in line for line in found)
    assert any("node.log: an exact sum in the log" in line for line in found)


@pytest.mark.parametrize(
    "line",
    [
        "zq-person-all-3",
        "value zq-value",
        "9000000012",
        f"{PREFIX}AAECAwQFBg",
        "-----BEGIN PRIVATE KEY-----",
        "fedstats-key1.AAAA",
        "http://somebody:secret@proxy.example:8080",
        "SELECT x FROM rtt",
        "age <= 317.25",
    ],
)
def test_every_kind_of_value_is_seen(line: str) -> None:
    """Each mark that the tests' data bears is found in a line."""
    assert len(list(leaks([(f'{{"event": "{line}"}}', "here")]))) == 1


def test_what_daemons_write_all_day_is_not_taken_for_data() -> None:
    """Hashes, tasks, addresses and times are no data."""
    line = (
        '{"timestamp": "2026-06-01T08:00:00.250Z", "task": "0123456789abcdef0123456789abcdef-0-north", '
        '"address": "localhost:49271", "query": "90123456789012345678901234567890", "again_in_s": 0.5}'
    )
    assert list(leaks([(line, "here")])) == []


def test_short_values_cannot_be_planted() -> None:
    """A value that would be found by chance is refused."""
    with pytest.raises(AssertionError):
        plant("65")


def test_files_are_searched_by_name(tmp_path: Path) -> None:
    """Logs of processes and security files, at any depth, and nothing else."""
    for name in ("a/node.log", "a/b/logs/security.jsonl", "log", "rtt.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("line\n")
    found = {Path(source).relative_to(tmp_path).as_posix() for _, source in lines_of_files(tmp_path)}
    assert found == {"a/node.log", "a/b/logs/security.jsonl", "log"}

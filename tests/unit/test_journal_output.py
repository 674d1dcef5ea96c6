"""Where lines go, and that work goes on where they cannot go."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fedstats.errors import FedstatsError, LedgerCorrupt
from fedstats.journal.event import LOST
from fedstats.journal.events import NODE_STARTED, NODE_STOPPED, ROUND_OFFERED
from fedstats.journal.output import ALIKE_A_MINUTE_MAX, SECURITY_FILE, journal, security_of
from fedstats.journal.security import PAUSED, RESUMED
from fedstats.journal.settings import LogTerms

JSON = LogTerms(format="json")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(folder: Path, *, terms: LogTerms = JSON) -> tuple[Any, Path]:
    """A journal that writes to a file of the folder, and the file."""
    path = folder / "out.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return journal("node", terms, folder / "logs", descriptor=descriptor), path


def test_security_events_stand_apart_for_this_account_only(tmp_path: Path) -> None:
    """They are in the general log and in a file of their own, which nobody else can read."""
    opened, path = written(tmp_path)
    with opened:
        NODE_STARTED(department="north", address="localhost:8443")
        PAUSED(reason="maintenance")
    assert [line["event"] for line in read(path)] == ["node_started", "paused"]
    apart = tmp_path / "logs" / SECURITY_FILE
    (line,) = read(apart)
    assert (line["security"], line["reason"], line["level"]) == ("SEC-403", "maintenance", "info")
    assert stat.S_IMODE(apart.stat().st_mode) == 0o600
    assert stat.S_IMODE(apart.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can type a command for another account")
def test_a_command_that_root_types_takes_the_file_from_no_daemon(tmp_path: Path) -> None:
    """What root's command makes belongs to the daemon's account; what was there keeps its owner."""
    home, account = tmp_path / "home", 54_321
    home.mkdir()
    os.chown(home, account, account)
    apart = home / "logs" / SECURITY_FILE
    with security_of("node", home / "logs"):
        PAUSED(reason="other")
        RESUMED()
    assert len(read(apart)) == 2
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (apart, apart.parent)} == {
        (account, account)
    }
    apart.unlink()
    (trap := home / "trap").touch()
    apart.hardlink_to(trap)
    with security_of("node", home / "logs"):
        PAUSED(reason="other")
    assert trap.stat().st_uid == 0


def test_a_rotated_file_is_made_anew(tmp_path: Path) -> None:
    """What logrotate moved away stays as it is, and the next event is in a new file."""
    apart = tmp_path / "logs" / SECURITY_FILE
    with security_of("node", tmp_path / "logs"):
        PAUSED(reason="other")
        apart.rename(apart.with_suffix(".1"))
        RESUMED()
    assert [line["event"] for line in read(apart)] == ["resumed"]
    assert [line["event"] for line in read(apart.with_suffix(".1"))] == ["paused"]


def test_security_events_are_written_at_every_level(tmp_path: Path) -> None:
    """A log that is turned down to errors still says who paused, in the security file."""
    opened, path = written(tmp_path, terms=LogTerms("json", "error"))
    with opened:
        PAUSED(reason="other")
    assert read(path) == []
    assert len(read(tmp_path / "logs" / SECURITY_FILE)) == 1


def test_a_flood_of_refusals_fills_no_disk(tmp_path: Path) -> None:
    """Of one security event so many lines are written in a minute and no more; the rest is counted."""
    opened, path = written(tmp_path)
    lost = LOST.lines
    with opened:
        for _ in range(2 * ALIKE_A_MINUTE_MAX + 100):
            PAUSED(reason="other")
    both = len(read(path)), len(read(tmp_path / "logs" / SECURITY_FILE))
    assert all(ALIKE_A_MINUTE_MAX <= lines <= 2 * ALIKE_A_MINUTE_MAX for lines in both)  # a minute may end
    assert LOST.lines > lost


def test_text_is_for_people(tmp_path: Path) -> None:
    """As text, one line an event, with its fields and without escape codes where no terminal reads it."""
    opened, path = written(tmp_path, terms=LogTerms("text"))
    with opened:
        ROUND_OFFERED(query=b"\xab", round=0, departments=3)
    (line,) = path.read_text().splitlines()
    assert "round_offered" in line
    assert "departments=3" in line
    assert "\x1b" not in line


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """Where no byte can be written, neither to the log nor to the security file, work goes on."""
    lost = LOST.lines
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / SECURITY_FILE).symlink_to("/dev/full")
    with journal("node", JSON, tmp_path / "logs", descriptor=os.open("/dev/full", os.O_WRONLY)):
        PAUSED(reason="other")
        NODE_STOPPED()
    assert LOST.lines >= lost + 3


def test_a_closed_or_stuck_reader_stops_nothing(tmp_path: Path) -> None:
    """Nobody reads the pipe: lines wait, then are lost and counted; then it breaks; nobody ever waits."""
    reading, writing = os.pipe()
    with journal("node", JSON, tmp_path, descriptor=writing):
        lost = LOST.lines
        for _ in range(12_000):
            NODE_STOPPED()
        assert LOST.lines > lost  # more than fit the pipe and the queue
        os.close(reading)
        NODE_STOPPED()
    os.close(writing)


def test_what_nobody_caught_is_noted_without_its_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception that ends a thread, or the process: its type and our lines, and no message anywhere."""

    def fail() -> None:
        raise ValueError("zq-value")

    opened, path = written(tmp_path)

    def fail_twice() -> None:
        with opened:
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
            fail()

    with pytest.raises(SystemExit) as ended:
        fail_twice()
    assert ended.value.code == 70
    assert [(line["event"], line["problem"]) for line in read(path)] == [("uncaught", "ValueError")] * 2
    assert "zq-value" not in path.read_text() + capfd.readouterr().err


def test_why_a_daemon_cannot_run_is_a_security_event_if_it_is_one(tmp_path: Path) -> None:
    """A damaged ledger ends the node with its own sentence, and those who watch hear of it."""
    opened, path = written(tmp_path)
    with pytest.raises(FedstatsError, match="damaged"), opened:
        raise LedgerCorrupt
    assert [line["event"] for line in read(path)] == ["ledger_refused", "ended_early"]
    assert len(read(tmp_path / "logs" / SECURITY_FILE)) == 1


def test_the_log_of_before_comes_back(tmp_path: Path) -> None:
    """Afterwards logging is as it was: the journal of one command leaves nothing behind."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    opened, _ = written(tmp_path)
    with opened:
        assert root.handlers != before[0]
    assert (root.handlers, root.level, sys.excepthook, threading.excepthook) == before


def test_an_analyst_needs_neither_structlog_nor_prometheus() -> None:
    """What an analyst imports, the wire among it, works without what only daemons install."""
    code = (
        "import sys; sys.modules['structlog'] = sys.modules['prometheus_client'] = None;"
        "import fedstats.client.session, fedstats.wire.channel, fedstats.wire.server;"
        "from fedstats.journal.events import NODE_STOPPED; NODE_STOPPED()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

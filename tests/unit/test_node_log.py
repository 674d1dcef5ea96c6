"""The node's log: it only grows, tells of everything that left, and no byte of it changes unseen."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from one_node import Analyst, make_home, open_node
from samples import NOW_S, sample_query, seed_key

from fedstats.core.reason import Reason
from fedstats.errors import LogDamaged
from fedstats.identity.keys import Context
from fedstats.node.home import Home
from fedstats.node.log import Log
from fedstats.node.log_file import read_heads, read_log
from fedstats.node.service import Node
from fedstats.transparency.check import Kept, examine
from fedstats.wire.codec import decode_log_head
from fedstats.wire.v1 import nodes_pb2

KEY = seed_key("node north")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """An empty log of north, signed for by its node."""
    Log.create(tmp_path / "log.sqlite", "north")
    made = Log(tmp_path / "log.sqlite")
    made.sign_with(lambda: KEY)
    return made


def read(path: Path) -> Kept:
    """A log that was found sound."""
    with closing(sqlite3.connect(path)) as sqlite:
        kept = read_log(sqlite)
        assert examine(kept, [row[:2] for row in read_heads(sqlite)]).faults == ()
    return kept


def kinds(home: Home) -> list[str]:
    """What the log of a node tells of."""
    return [entry.kind for entry in read(home.log).entries]


def test_a_log_grows_once_for_each_thing_and_its_time_never_goes_back(log: Log) -> None:
    """The same thing has one entry, a clock that is set back moves no entry back, each size has its head."""
    assert log.head(now_s=5) is None
    first = log.enter("paused", {"reason": "other"}, now_s=100, once=b"1" * 32)
    assert first is not None
    assert log.enter("paused", {"reason": "security"}, now_s=101, once=b"1" * 32) is None
    second = log.enter("resumed", {}, now_s=50)
    assert second is not None
    assert (second.number, second.at_s) == (3, 100)
    signed = log.head(now_s=7)
    assert signed is not None
    head = decode_log_head(signed.verify(Context.LOG_HEAD))
    assert (head.log, head.keeper, head.size, head.at_s) == (log.id, "north", 3, 100)
    assert [row[0] for row in heads_of(log)] == [1, 2, 3]
    assert read(log.path).entries[1:] == [first, second]
    log.close()


def heads_of(log: Log) -> list[tuple[int, bytes, int, bytes, bytes]]:
    """The kept heads."""
    with closing(sqlite3.connect(log.path)) as sqlite:
        return read_heads(sqlite)


@pytest.mark.parametrize("table", ["log", "entry", "head", "once", "log_hash"])
def test_no_statement_changes_what_the_log_says(log: Log, table: str) -> None:
    """Neither an update nor a delete passes, in any table."""
    log.enter("resumed", {}, now_s=1, once=b"1" * 32)
    log.close()
    with closing(sqlite3.connect(log.path)) as sqlite:
        (column, *_) = [row[1] for row in sqlite.execute(f"PRAGMA table_info({table})")]
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
            with pytest.raises(sqlite3.IntegrityError, match="the log"):
                sqlite.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER entry_DELETE; DELETE FROM entry WHERE number = 3",
        "DROP TRIGGER entry_UPDATE; UPDATE entry SET at_s = at_s - 1 WHERE number = 3",
        "DROP TRIGGER head_UPDATE; UPDATE head SET root = x'00' WHERE size = 3",
        "DROP TRIGGER log_hash_keeps; DELETE FROM log_hash WHERE level = 0 AND position = 2",
    ],
)
def test_a_log_whose_end_is_not_what_was_written_is_not_used(log: Log, change: str) -> None:
    """FS-704 at the start: nothing is added to what somebody changed."""
    log.enter("paused", {"reason": "other"}, now_s=1)
    log.enter("resumed", {}, now_s=2)
    log.close()
    with closing(sqlite3.connect(log.path)) as sqlite:
        sqlite.executescript(change)
    with pytest.raises(LogDamaged, match="FS-704"):
        Log(log.path)


def test_a_log_that_is_missing_is_not_replaced(tmp_path: Path) -> None:
    """A node whose log is gone does not begin another one in silence."""
    home = make_home(tmp_path)
    home.log.unlink()
    with pytest.raises(LogDamaged, match="missing"):
        open_node(home)


class Taker:
    """A coordinator that takes every report, and remembers the newest."""

    def __init__(self) -> None:
        self.report = nodes_pb2.ReportRequest()

    def call(
        self, method: object, request: nodes_pb2.ReportRequest, timeout_s: float | None = None
    ) -> object:
        """Take it."""
        del timeout_s, method
        self.report = request
        return nodes_pb2.ReportReply()


def work(node: Node, task: nodes_pb2.Task) -> None:
    """Answer a task and send it, as often as the coordinator likes: three times."""
    for _ in range(3):
        node.work(task)


def test_the_log_tells_of_what_left_and_of_what_was_decided(tmp_path: Path) -> None:
    """Answers with their cost, refusals with their code, acceptance, edition, pause: each once, in order."""
    home, taker, analyst = make_home(tmp_path), Taker(), Analyst()
    with open_node(home, transport=taker) as node:
        node.catch_up()
        work(node, analyst.task())
        answered = read(home.log).entries[-1].read()
        head = decode_log_head(taker.report.head.payload)
        assert head.size == len(kinds(home))
        node.policy.pause(Reason.SECURITY, now_s=NOW_S)
        work(node, analyst.task())
        node.policy.resume(now_s=NOW_S)
        work(node, Analyst("a.smith").task(sample_query(purpose="marketing")))
        node.withdraw("RTT-2026")
        work(node, analyst.task())
    assert kinds(home) == [
        *("began", "agreement-accepted", "edition-made", "answered"),
        *("paused", "refused", "resumed", "refused"),
        *("agreement-withdrawn", "editions-deleted", "refused"),
    ]
    codes = [entry.read()["code"] for entry in read(home.log).entries if entry.kind == "refused"]
    assert codes == ["FS-206", "FS-203", "FS-202"]
    assert answered["analyst"] == "a.smith@north"
    assert answered["spent_before"] == {"rho": "0", "delta_add": "0"}
    assert answered["spent_after"] == answered["charge"]


def test_whoever_is_nobody_makes_the_log_grow_by_one_entry_a_day(tmp_path: Path) -> None:
    """A thousand tasks that no appointed analyst signed have one entry, and so has each of their codes."""
    home, analyst = make_home(tmp_path), Analyst("a.smith")
    with open_node(home, transport=Taker()) as node:
        before = len(kinds(home))
        for number in range(50):
            task = Analyst(f"nobody.{number}").task()
            task.appointment.CopyFrom(analyst.appointment())
            node.work(task)
            task.query.payload += b"%d" % number
            node.work(task)
    assert kinds(home)[before:] == ["refused-unlisted"]

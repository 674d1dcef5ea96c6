"""kill -9 of a real node, on a real edition, between each pair of the runner's steps."""

from __future__ import annotations

import csv
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from one_node import Analyst, make_home, open_node, release_of
from samples import sample_query

from fedstats.core.privacy import Loss
from fedstats.engines import engine_of
from fedstats.node.home import Home
from fedstats.node.log_file import read_heads, read_log
from fedstats.transparency.check import examine
from fedstats.transparency.entry import LogEntry

STEPS = (
    "verify",
    "registered",
    "allow",
    "bind",
    "find",
    "plan",
    "reserve",
    "compute",
    "record",
    "answer",
    "enter",
)
CHARGED = STEPS[STEPS.index("reserve") :]
TASK = Analyst().task()

# One process for each step, which dies there as the power would have it. They are forked after the imports,
# which take longer than all the rest; each opens files, database and connection for itself.
DYING_NODES = """
import os, signal, sys
from pathlib import Path
from one_node import open_node
from fedstats.engines import engine_of
from fedstats.node.home import Home
from fedstats.wire.v1 import nodes_pb2

class Relay:
    def call(self, method, request, timeout_s=None):
        raise SystemExit("the answer was sent")

def work(home, step, task):
    def die(here):
        if here == step:
            os.kill(os.getpid(), signal.SIGKILL)
    with open_node(home, engine=engine_of("duckdb"), checkpoint=die, transport=Relay()) as node:
        node.work(task)

engine_of("duckdb")
task = nodes_pb2.Task.FromString(sys.stdin.buffer.read())
for step in sys.argv[2:]:
    child = os.fork()
    if child == 0:
        try:
            work(Home(Path(sys.argv[1]) / step), step, task)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    print(step, os.waitstatus_to_exitcode(status))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of north with an edition that DuckDB made from a file."""
    made = tmp_path_factory.mktemp("north")
    with (made / "rtt.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["nhs_number", "age", "cost", "sex", "started", "urgent", "postcode_area"])
        for i in range(400):
            rows.writerow([f"9{i:09d}", 20 + i % 60, "12.25", "FM"[i % 2], "2025-03-01", "true", "LS"])
    make_home(made, engine=engine_of("duckdb"))
    return made


@pytest.fixture(scope="module")
def killed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each step, a home whose node was killed there."""
    homes = tmp_path_factory.mktemp("killed")
    for step in STEPS:
        shutil.copytree(folder / "home", homes / step)
    ran = subprocess.run(
        [sys.executable, "-c", DYING_NODES, homes, *STEPS],
        input=TASK.SerializeToString(),
        cwd=Path(__file__).parents[1],
        check=True,
        stdout=subprocess.PIPE,
    )
    died = dict(line.split() for line in ran.stdout.decode().splitlines())
    assert died == dict.fromkeys(STEPS, str(-signal.SIGKILL))
    return homes


@pytest.mark.parametrize("step", STEPS)
def test_a_node_that_is_killed_charges_once_and_answers_later(
    killed: Path, tmp_path: Path, step: str
) -> None:
    """Wherever the node dies, the question is answered by its successor, once charged, once released."""
    home = Home(tmp_path / step)
    shutil.copytree(killed / step, home.path)
    with open_node(home, engine=engine_of("duckdb")) as node:
        assert len(node.ledger.entries()) == (step in CHARGED)
        recorded = [node.ledger.find(entry.computation) for entry in node.ledger.entries()]
        report = node.runner.run(TASK)
        release_of(report)
        if any(recorded):
            assert report.release.SerializeToString() == recorded[0]
        assert node.runner.run(TASK) == report
        (entry,) = node.ledger.entries()
        assert (entry.loss, entry.recorded) == (Loss(sample_query().loss.amount), True)
        node.ledger.verify()


@pytest.mark.parametrize("step", STEPS)
def test_a_node_that_is_killed_leaves_a_log_that_tells_of_every_charge(
    killed: Path, tmp_path: Path, step: str
) -> None:
    """Wherever the node dies, its log verifies, and after a start tells once of the charge and the answer."""
    home = Home(tmp_path / step)
    shutil.copytree(killed / step, home.path)
    entries = entries_of(home)
    assert [e.kind for e in entries].count("answered") == (step == "enter")
    with open_node(home, engine=engine_of("duckdb"), transport=Taker()) as node:
        node.catch_up()
        caught_up = [e.kind for e in entries_of(home)[len(entries) :]]
        told = step in CHARGED and step != "enter"
        assert caught_up == ["charged"] * told
        node.work(TASK)
        node.work(TASK)
        kinds = [e.kind for e in entries_of(home)]
        assert kinds.count("answered") == 1
        assert kinds.count("charged") == told


class Taker:
    """A coordinator that takes every report."""

    def call(self, method: Any, request: Any, timeout_s: float | None = None) -> Any:
        """Take it."""
        del request, timeout_s
        return method.reply()


def entries_of(home: Home) -> Sequence[LogEntry]:
    """What the log says, after it was found sound."""
    with closing(sqlite3.connect(home.log)) as sqlite:
        kept = read_log(sqlite)
        assert examine(kept, [row[:2] for row in read_heads(sqlite)]).faults == ()
    return kept.entries

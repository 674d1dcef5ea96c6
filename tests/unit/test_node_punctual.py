"""Replies leave at deadlines that public facts give, exactly, whatever the computation took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_node import REGISTER, Analyst, ReferenceEngine, make_home, open_node, refusal_of, release_of
from samples import NOW_S, sample_dataset, sample_query

from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.reason import Reason
from fedstats.errors import Refused, ReplyLate
from fedstats.node.agent import Agent
from fedstats.node.home import Home
from fedstats.node.punctual import Punctual, period_s
from fedstats.node.service import Node, is_ready
from fedstats.testing.clock import ManualClock
from fedstats.wire.codec import decode_witness
from fedstats.wire.method import Method
from fedstats.wire.methods import HEADS, LEASE, REPORT
from fedstats.wire.v1 import nodes_pb2

ANALYST = Analyst()
DEADLINE_S = 2
MOMENT_S = 0.001


@dataclass
class Bench:
    """A node on a manual clock whose computations take `work_s` and may fail."""

    home: Home
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_S))
    work_s: float = 0.5
    fails: bool = False
    meanwhile: Callable[[], None] = lambda: None

    def compute(self) -> None:
        """Let the time of one computation pass."""
        self.clock.pass_s(self.work_s)
        self.meanwhile()
        if self.fails:
            raise ValueError("a bug")

    def node(self, **settings: object) -> Node:
        """The node, with a deadline."""
        engine = ReferenceEngine(before_compute=self.compute)
        changes = {"reply_deadline_s": DEADLINE_S, "now": self.clock, "engine": engine, **settings}
        return open_node(self.home, **changes)  # type: ignore[arg-type]  # a table of settings


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """North's node, with one edition."""
    return Bench(make_home(tmp_path, engine=ReferenceEngine()))


@dataclass
class Desk:
    """A coordinator that hands out these tasks and keeps the reports."""

    tasks: list[nodes_pb2.Task]
    reports: list[nodes_pb2.ReportRequest] = field(default_factory=list)

    def call(self, method: Method[Any, Any], request: Any, timeout_s: float | None = None) -> Any:
        """Answer a node's calls."""
        del timeout_s
        if method is HEADS:
            return REGISTER
        reply = method.reply()
        if method is LEASE and self.tasks:
            reply.task.CopyFrom(self.tasks.pop(0))
        if method is REPORT:
            self.reports.append(request)
        return reply


def replies(node: Node, clock: ManualClock, at_s: float) -> list[nodes_pb2.ReportRequest]:
    """What is due at a time and was not due a moment before."""
    clock.pass_s(at_s - MOMENT_S - clock())
    assert node.runner.due() == ()
    clock.pass_s(at_s - clock())
    return [report for _, report in node.runner.due()]


@pytest.mark.parametrize("work_s", [0.0, 0.5, 1.999])
def test_a_reply_leaves_at_its_deadline_whatever_the_work_took(bench: Bench, work_s: float) -> None:
    """Nobody waits in `run`; the release is due exactly two seconds after the task was begun."""
    bench.work_s = work_s
    with bench.node() as node:
        assert not is_ready(node.runner.run(ANALYST.task()))
        assert bench.clock() == pytest.approx(NOW_S + work_s)
        (report,) = replies(node, bench.clock, NOW_S + DEADLINE_S)
        release_of(report)
        assert node.runner.punctual.next_s() is None


def test_work_that_ends_later_is_one_fixed_refusal_and_stays_charged(bench: Bench) -> None:
    """FS-298 at the deadline, charged; the release is recorded, and asking again gets it, free."""
    bench.work_s = 2.5
    with bench.node() as node:
        node.runner.run(ANALYST.task())
        ((_, report),) = node.runner.due()
        refusal = refusal_of(report)
        assert (refusal.code, refusal.charged) == ("FS-298", True)
        assert not report.HasField("budget")
        assert not is_ready(node.runner.run(ANALYST.task()))
        (again,) = replies(node, bench.clock, NOW_S + 2 * DEADLINE_S)
        release_of(again)
        assert node.runner.run(ANALYST.task()).release == again.release
        assert [entry.recorded for entry in node.ledger.entries()] == [True]


def test_the_late_refusal_leaves_while_the_work_goes_on(bench: Bench) -> None:
    """At the deadline the reply is there although the computation is not over."""
    found: list[str] = []
    bench.work_s = DEADLINE_S
    with bench.node() as node:

        def look() -> None:
            found.extend(refusal_of(report).code for _, report in node.runner.due())

        bench.meanwhile = look
        node.runner.run(ANALYST.task())
        assert found == ["FS-298"]
        assert node.runner.due() == ()


def test_a_failure_after_the_charge_waits_for_the_deadline_too(bench: Bench) -> None:
    """FS-299 leaves when a release would have left; then the question may be computed again, uncharged."""
    bench.fails = True
    with bench.node() as node:
        assert not is_ready(node.runner.run(ANALYST.task()))
        (report,) = replies(node, bench.clock, NOW_S + DEADLINE_S)
        assert refusal_of(report).code == "FS-299"
        bench.fails = False
        begun_s = bench.clock()
        node.runner.run(ANALYST.task())
        (report,) = replies(node, bench.clock, begun_s + DEADLINE_S)
        release_of(report)
        assert len(node.ledger.entries()) == 1


def test_nobody_learns_before_the_deadline_that_an_answer_is_recorded(bench: Bench) -> None:
    """The same asked by somebody else meanwhile waits for the same deadline: one computation, one charge."""
    with bench.node() as node:
        node.runner.run(ANALYST.task())
        bench.clock.pass_s(1)
        assert not is_ready(node.runner.run(Analyst("b.jones", "south").task(sample_query(nonce=bytes(16)))))
        first, second = replies(node, bench.clock, NOW_S + DEADLINE_S)
        assert first.release == second.release
        assert len(node.ledger.entries()) == 1


def test_recorded_answers_and_refusals_leave_at_once(bench: Bench) -> None:
    """What public facts, the ledger or the record decide needs no deadline: the data have no part in it."""
    with bench.node() as node:
        node.runner.run(ANALYST.task())
        (first,) = replies(node, bench.clock, NOW_S + DEADLINE_S)
        assert node.runner.run(ANALYST.task()).release == first.release
        greedy = sample_query(loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(1_000)))
        assert refusal_of(node.runner.run(ANALYST.task(greedy))).code == "FS-203"
        node.policy.pause(Reason.OTHER, now_s=NOW_S)
        assert refusal_of(node.runner.run(ANALYST.task())).code == "FS-206"


def test_a_pause_before_the_deadline_holds_the_reply_back(bench: Bench) -> None:
    """What the department decides while a reply waits counts: a charged FS-206 goes at the deadline."""
    desk = Desk([ANALYST.task()])
    with bench.node(transport=desk) as node:
        assert node.poll_once()
        assert desk.reports == []
        node.policy.pause(Reason.SECURITY, now_s=NOW_S)
        bench.clock.pass_s(DEADLINE_S)
        assert node.poll_once()
        (report,) = desk.reports
        refusal = refusal_of(report)
        assert (refusal.code, refusal.charged) == ("FS-206", True)


def test_a_node_that_died_before_the_deadline_computes_again_uncharged(bench: Bench) -> None:
    """Killed while the reply waits: nothing of the first noise has left, so new noise needs no new charge."""
    with bench.node() as node:
        node.runner.run(ANALYST.task())
    with bench.node() as node:
        begun_s = bench.clock()
        assert not is_ready(node.runner.run(ANALYST.task()))
        (report,) = replies(node, bench.clock, begun_s + DEADLINE_S)
        release_of(report)
        assert len(node.ledger.entries()) == 1


def test_no_ledger_tells_before_the_deadline_that_the_work_is_over(bench: Bench) -> None:
    """Every report carries a witness of the ledger: it says nothing new until the outcome may be known."""

    def links() -> int:
        return decode_witness(node.witnesses.tell().payload).links

    with bench.node() as node:
        bench.meanwhile = lambda: running.append(links())
        running: list[int] = []
        node.runner.run(ANALYST.task())
        assert [links()] == running
        bench.clock.pass_s(DEADLINE_S - MOMENT_S - bench.work_s)
        assert (links(), node.runner.due()) == (running[0], ())
        bench.clock.pass_s(MOMENT_S)
        release_of(node.runner.due()[0][1])
        assert links() == running[0] + 1


def test_a_release_that_nobody_waits_for_any_more_is_recorded(bench: Bench) -> None:
    """All replies left while the work went on: recorded when the next period ends, not computed again."""
    bench.work_s = DEADLINE_S + MOMENT_S
    with bench.node() as node:

        def reply() -> None:
            assert [refusal_of(report).code for _, report in node.runner.due()] == ["FS-298"]

        bench.meanwhile = reply
        node.runner.run(ANALYST.task())
        assert node.runner.punctual.next_s() == NOW_S + 2 * DEADLINE_S
        bench.clock.pass_s(2 * DEADLINE_S)
        release_of(node.runner.run(ANALYST.task()))


def test_stopping_sends_the_replies_that_wait(bench: Bench) -> None:
    """SIGTERM while a reply waits: the daemon ends after it was sent."""
    stop, desk = Event(), Desk([ANALYST.task()])
    bench.meanwhile = stop.set

    def checkpoint(step: str) -> None:
        if step == "compute":
            bench.clock.pass_s(DEADLINE_S - bench.work_s)

    with bench.node(transport=desk, checkpoint=checkpoint) as node:
        Agent(node, stop, fraction=lambda: 0.0).run(lambda: None)
    (report,) = desk.reports
    release_of(report)


def test_the_next_task_is_taken_when_the_last_ones_outcome_may_be_known(bench: Bench) -> None:
    """Else who asks two questions would learn from when the second is begun how long the first one took."""
    stop, leased_s, started_s = Event(), list[float](), monotonic()
    bench.work_s = 0

    def now() -> float:
        return NOW_S + monotonic() - started_s

    class Watching(Desk):
        def call(self, method: Method[Any, Any], request: Any, timeout_s: float | None = None) -> Any:
            if method is LEASE:
                leased_s.append(now())
                stop.set() if len(leased_s) > 1 else None
            return super().call(method, request, timeout_s)

    desk = Watching([ANALYST.task()])
    with bench.node(transport=desk, tasks_max=1, now=now, reply_deadline_s=1) as node:
        Agent(node, stop, fraction=lambda: 0.0).run(lambda: None)
    release_of(desk.reports[0])
    assert leased_s[1] - leased_s[0] >= 1


def test_a_clock_that_is_set_back_keeps_no_worker() -> None:
    """An hour back while a worker rests: it takes the next question when it would have taken it."""
    clock = [0.99, 0.99, -3_600.0]  # when the work ends, when the rest begins, and from then on
    punctual: Punctual[int] = Punctual(lambda: clock.pop(0) if len(clock) > 1 else clock[0])
    punctual.begin(b"question", 0, begun_s=0, period_s=1)
    punctual.finish(b"question", lambda: None)
    punctual.rest()
    assert clock == [-3_600.0]


def test_the_period_follows_from_public_facts() -> None:
    """One deadline for each ten million rows that there can be, one more for half a million numbers."""
    dataset = sample_dataset()  # at most 100,000 people with 3 rows
    assert period_s(0, dataset, 1) == 0
    assert period_s(2, dataset, 1) == 2
    assert period_s(2, dataset, 1_900_000) == 2 + 3 * 2
    large = replace(dataset, people_max=8_000_000, people_about=60_000_000)
    assert period_s(2, large, 100) == 2 * 3


def heard(work_s: float, asks_s: list[float]) -> Iterator[tuple[float, type[Refused] | None]]:
    """When somebody who asks at these times hears what, if the work takes so long; times from the start."""
    clock = ManualClock(0)
    punctual: Punctual[int] = Punctual(clock)
    punctual.begin(b"question", 0, begun_s=0, period_s=DEADLINE_S)
    events = sorted([*asks_s, work_s, *(float(s) for s in range(0, 40, DEADLINE_S))])
    for at_s in events:
        clock.pass_s(at_s - clock())
        if at_s == work_s:
            punctual.finish(b"question", lambda: None)
        for _, refusal in punctual.due():
            yield clock(), None if refusal is None else type(refusal)
        if at_s in asks_s and not punctual.joins(b"question", 0):
            yield clock(), None  # from the record


@given(
    work_s=st.tuples(st.floats(0.001, 19.9), st.floats(0.001, 19.9)),
    asks_s=st.lists(st.floats(0.001, 30), max_size=8, unique=True),
)
def test_the_clock_tells_only_in_which_period_the_work_ended(
    work_s: tuple[float, float], asks_s: list[float]
) -> None:
    """Whoever asks however often: two works that end in one period are told apart by nothing."""
    first, second = work_s
    if first in asks_s or second in asks_s or first % DEADLINE_S == 0 or second % DEADLINE_S == 0:
        return
    if ceil(first / DEADLINE_S) == ceil(second / DEADLINE_S):
        assert list(heard(first, asks_s)) == list(heard(second, asks_s))
    assert next(heard(first, []))[1] is (None if first < DEADLINE_S else ReplyLate)

"""A node at work: one step at a time, with a coordinator that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from one_node import (
    REGISTER,
    Analyst,
    ReferenceEngine,
    make_home,
    open_node,
    published,
    refusal_of,
    release_of,
)
from samples import NOW_S, sample_agreement, seed_key

from fedstats.core.appointment import Revocation
from fedstats.core.reason import Reason
from fedstats.errors import (
    CertificateProblem,
    CoordinatorUnreachable,
    FedstatsError,
    NotFound,
    NotJoined,
    NotPermitted,
    ProxyRefused,
)
from fedstats.identity.keys import Context, Signed
from fedstats.node.agent import Agent
from fedstats.node.home import Home
from fedstats.node.service import Node
from fedstats.wire.codec import decode_acceptance, encode_revocation, signed_from, signed_to
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import FETCH_AUTHORITY, HEADS, LEASE, POLL_S_MAX, PUBLISH, REPORT
from fedstats.wire.v1 import agreements_pb2, nodes_pb2

ANALYST = Analyst()


@dataclass
class Relay:
    """What a node hears of a coordinator. `fails` holds the errors of the next calls, None for a good one."""

    tasks: list[nodes_pb2.Task] = field(default_factory=list)
    reports: list[nodes_pb2.ReportRequest] = field(default_factory=list)
    leases: list[nodes_pb2.LeaseRequest] = field(default_factory=list)
    accepted: list[agreements_pb2.PublishRequest] = field(default_factory=list)
    authority: agreements_pb2.AuthorityReply = field(
        default_factory=lambda: agreements_pb2.AuthorityReply(
            revision=1, agreements=[published(sample_agreement())]
        )
    )
    fetched: int = 0
    fails: dict[str, list[Exception | None]] = field(default_factory=dict)
    idle: Event = field(default_factory=Event)

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Through bytes, as on the wire."""
        del timeout_s
        waiting = self.fails.get(method.name, [])
        if waiting and (error := waiting.pop(0)) is not None:
            raise error
        answers: dict[str, Any] = {
            LEASE.name: self.lease,
            REPORT.name: self.report,
            PUBLISH.name: self.publish,
            FETCH_AUTHORITY.name: self.fetch,
            HEADS.name: lambda _: REGISTER,
        }
        reply = answers[method.name](method.request.FromString(request.SerializeToString()))
        return method.reply.FromString(reply.SerializeToString())

    def lease(self, request: nodes_pb2.LeaseRequest) -> nodes_pb2.LeaseReply:
        """The next task."""
        self.leases.append(request)
        reply = nodes_pb2.LeaseReply(authority_revision=self.authority.revision)
        if self.tasks:
            reply.task.CopyFrom(self.tasks.pop(0))
        else:
            self.idle.set()
        return reply

    def report(self, request: nodes_pb2.ReportRequest) -> nodes_pb2.ReportReply:
        """Keep the answer."""
        self.reports.append(request)
        return nodes_pb2.ReportReply()

    def publish(self, request: agreements_pb2.PublishRequest) -> agreements_pb2.PublishReply:
        """Keep the acceptance."""
        self.accepted.append(request)
        return agreements_pb2.PublishReply()

    def fetch(self, request: agreements_pb2.AuthorityRequest) -> agreements_pb2.AuthorityReply:
        """What was published."""
        del request
        self.fetched += 1
        return self.authority


def numbered(number: int) -> nodes_pb2.Task:
    """The sample task under a name of its own."""
    task = ANALYST.task()
    task.id = f"task-{number}"
    return task


@pytest.fixture
def relay() -> Relay:
    """A coordinator with nothing to do."""
    return Relay()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of north."""
    return make_home(tmp_path)


@pytest.fixture
def node(home: Home, relay: Relay) -> Iterator[Node]:
    """The node of north, connected."""
    with open_node(home, transport=relay) as opened:
        yield opened


def test_one_step_takes_one_task_and_answers_it(node: Node, relay: Relay) -> None:
    """A step without work says so; a step with work leaves the answer at the coordinator."""
    assert not node.poll_once()
    relay.tasks.append(ANALYST.task())
    assert node.poll_once()
    (report,) = relay.reports
    release_of(report)
    assert (report.task, report.lease_token) == ("task", "lease")
    assert not node.poll_once()


def test_a_node_says_what_it_holds_and_accepted(node: Node, relay: Relay) -> None:
    """Every lease names the editions; an acceptance is sent once, signed by the node."""
    node.poll_once(wait_s=7)
    node.poll_once()
    first = relay.leases[0]
    assert first.wait_s == 7
    assert [(h.agreement, h.agreement_version, h.dataset, h.edition) for h in first.holdings] == [
        ("RTT-2026", 1, "rtt", "2025-09")
    ]
    (request,) = relay.accepted
    signed = signed_from(request.acceptance)
    acceptance = decode_acceptance(signed.verify(Context.ACCEPTANCE))
    assert signed.key == seed_key("node north").public
    assert (acceptance.department, acceptance.withdrawn) == ("north", False)


def test_a_withdrawal_is_announced_and_takes_the_editions_with_it(
    home: Home, node: Node, relay: Relay
) -> None:
    """What is typed beside a running node reaches the coordinator at its next step."""
    node.poll_once()
    with open_node(home) as typed:
        typed.withdraw("RTT-2026")
    node.poll_once()
    signed = signed_from(relay.accepted[-1].acceptance)
    assert decode_acceptance(signed.payload).withdrawn
    assert list(relay.leases[-1].holdings) == []
    assert [path for path in home.editions.rglob("*") if path.is_file()] == []


def test_authority_is_fetched_when_it_changed(node: Node, relay: Relay) -> None:
    """The node fetches at its start and whenever the revision moves, and not otherwise."""
    for _ in range(3):
        node.poll_once()
    assert relay.fetched == 1
    relay.authority.revision = 2
    for _ in range(3):
        node.poll_once()
    assert relay.fetched == 2


def test_authority_is_fetched_anew_when_another_key_was_compared(
    home: Home, node: Node, relay: Relay
) -> None:
    """What is kept of it depends on the trusted keys, so a key that was compared beside the node counts."""
    node.poll_once()
    home.trust.trust("east", seed_key("controller east").public.fingerprint)
    for _ in range(2):
        node.poll_once()
    assert relay.fetched == 2


def test_a_revocation_is_heard_before_the_task_that_came_with_it(node: Node, relay: Relay) -> None:
    """A task and the revocation of its analyst arrive together: the revocation counts."""
    node.poll_once()
    revocation = Revocation("north", ANALYST.key.public.raw, NOW_S, "left")
    signed = Signed.make(Context.REVOCATION, encode_revocation(revocation), seed_key("controller north"))
    relay.authority.revocations.append(signed_to(signed))
    relay.authority.revision = 2
    relay.tasks.append(ANALYST.task())
    node.poll_once()
    assert relay.reports[0].WhichOneof("outcome") == "refusal"


def test_a_lost_report_is_made_good_when_the_task_comes_again(node: Node, relay: Relay) -> None:
    """After a lost report the same task is answered from the record: the same bytes, one charge."""
    relay.fails["Report"] = [CoordinatorUnreachable()]
    relay.tasks += [ANALYST.task(), ANALYST.task(), ANALYST.task()]
    with pytest.raises(CoordinatorUnreachable):
        node.poll_once()
    assert node.poll_once()
    assert node.poll_once()
    assert relay.reports[0] == relay.reports[1]
    assert len(node.ledger.entries()) == 1


def test_a_coordinator_that_does_not_take_an_acceptance_stops_nothing(node: Node, relay: Relay) -> None:
    """Work goes on where the coordinator refuses a document; where it is away, the document is sent later."""
    relay.fails["Publish"] = [CoordinatorUnreachable(), NotPermitted()]
    with pytest.raises(CoordinatorUnreachable):
        node.poll_once()
    assert relay.leases == []
    node.poll_once()
    assert (len(relay.leases), relay.accepted, relay.fails["Publish"]) == (1, [], [])


def test_a_task_that_is_running_is_not_started_twice(home: Home, relay: Relay) -> None:
    """When a lease runs out under a slow worker, the task that comes again is left to that worker."""
    with open_node(home, transport=relay) as node:
        relay.tasks += [ANALYST.task(), ANALYST.task()]
        first = node.lease(0)
        assert first is not None
        assert node.lease(0) is None
        node.work(first)
        relay.tasks.append(ANALYST.task())
        assert node.lease(0) is not None


def test_without_a_connection_only_local_work_is_done(home: Home) -> None:
    """A node that was opened for a local command says that it is not connected."""
    with open_node(home) as node, pytest.raises(NotJoined):
        node.poll_once()


def test_a_signal_that_comes_while_the_daemon_begins_to_wait_ends_it(home: Home, relay: Relay) -> None:
    """A handler interrupts the main thread anywhere, also while it holds the lock of what it waits for."""
    with open_node(home, transport=relay) as node:
        agent = Agent(node)
        with agent.stop._cond:  # type: ignore[attr-defined] # where a signal found it: setting it here hangs
            agent.stop_soon()
        assert agent.stop.wait(60)


def test_the_daemon_works_through_failures_and_ends_cleanly(home: Home, relay: Relay) -> None:
    """The coordinator goes away and comes back, an answer is refused, and every other task is answered."""
    relay.tasks += [numbered(i) for i in range(6)]
    relay.fails["Lease"] = [CoordinatorUnreachable(), None, CoordinatorUnreachable(), ValueError("a bug")]
    relay.fails["Report"] = [CoordinatorUnreachable(), NotFound()]
    closed = []
    with open_node(home, transport=relay, tasks_max=2) as node:
        stop = Event()

        def renew() -> None:
            if relay.idle.is_set():
                stop.set()

        Agent(node, stop, before_lease=renew, fraction=lambda: 0.0).run(lambda: closed.append(True))
        assert len(node.ledger.entries()) == 1
    assert closed == [True]
    assert {report.task for report in relay.reports} >= {f"task-{i}" for i in range(6)} - {"task-0", "task-1"}
    assert len(relay.reports) == 5  # one was not taken
    assert all(request.wait_s == POLL_S_MAX for request in relay.leases)


def test_stopping_finishes_the_running_task(home: Home, relay: Relay) -> None:
    """SIGTERM in the middle of a computation: its answer is recorded and sent before the daemon ends."""
    stop = Event()
    relay.tasks.append(ANALYST.task())
    engine = ReferenceEngine(before_compute=stop.set)
    with open_node(home, transport=relay, engine=engine) as node:
        Agent(node, stop, fraction=lambda: 0.0).run(lambda: None)
        (entry,) = node.ledger.entries()
        assert entry.recorded
    (report,) = relay.reports
    release_of(report)


@pytest.mark.parametrize("resumed", [False, True])
def test_every_try_to_send_asks_whether_it_is_still_allowed(
    home: Home, relay: Relay, *, resumed: bool
) -> None:
    """Paused between two tries: a signed refusal goes out and the record stays; resumed: the release goes."""
    with open_node(home, transport=relay) as node:
        task = ANALYST.task()
        report = node.runner.run(task)
        relay.fails["Report"] = [CoordinatorUnreachable()]
        with pytest.raises(CoordinatorUnreachable):
            node.report(task, report)
        node.policy.pause(Reason.GOVERNANCE, now_s=NOW_S)
        if resumed:
            node.policy.resume(now_s=NOW_S)
        node.report(task, report)
        (sent,) = relay.reports
        assert (sent.task, sent.lease_token) == (task.id, task.lease_token)
        if resumed:
            assert sent == report
        else:
            refusal = refusal_of(sent)
            assert (refusal.code, refusal.charged) == ("FS-206", True)
            assert not sent.HasField("budget")
        assert [entry.recorded for entry in node.ledger.entries()] == [True]


@pytest.mark.parametrize("problem", [CoordinatorUnreachable(), ProxyRefused(), CertificateProblem()])
def test_an_acceptance_that_did_not_reach_the_coordinator_is_said_again(
    node: Node, relay: Relay, problem: FedstatsError
) -> None:
    """What a proxy or TLS kept back was not said: the next call for work says it."""
    relay.fails["Publish"] = [problem]
    with pytest.raises(type(problem)):
        node.poll_once()
    assert not relay.accepted
    node.poll_once()
    assert len(relay.accepted) == 1

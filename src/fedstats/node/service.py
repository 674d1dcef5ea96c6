"""One node put together: its home, its engine, its runner, and its work one step at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime
from threading import Lock
from types import TracebackType
from typing import Self

from fedstats.core.agreement import Agreement
from fedstats.core.appointment import Acceptance
from fedstats.core.reason import Reason
from fedstats.engines import Engine, engine_of
from fedstats.errors import (
    CertificateProblem,
    CoordinatorUnreachable,
    FedstatsError,
    NoReplyInTime,
    NotJoined,
    ProxyRefused,
    UsageError,
)
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.journal.events import ACCEPTANCE_NOT_TAKEN, TASK_ANSWERED, WORK_ASKED
from fedstats.journal.security import NODE_KEY_CHANGED
from fedstats.node.agreements import Agreements
from fedstats.node.approvals import Approvals
from fedstats.node.clock_check import ClockCheck
from fedstats.node.computing import Workbench
from fedstats.node.config import NodeConfig
from fedstats.node.editions import Editions
from fedstats.node.hearing import appointed_nodes, readable
from fedstats.node.home import Home
from fedstats.node.ledger import Ledger
from fedstats.node.log_witness import LogWitness
from fedstats.node.node_key import NodeKey
from fedstats.node.opt_outs import OptOutLists
from fedstats.node.outcomes import Outcomes
from fedstats.node.policy import Policy
from fedstats.node.punctual import Punctual
from fedstats.node.register_gossip import HEADS_EVERY_S, gather
from fedstats.node.register_view import RegisterView
from fedstats.node.runner import Runner
from fedstats.node.state import State
from fedstats.node.witness import Witnesses
from fedstats.wire.authority import was_appointed
from fedstats.wire.codec import encode_acceptance, signed_to
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH_AUTHORITY, LEASE, PUBLISH, REPORT
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import agreements_pb2, nodes_pb2, signed_pb2

ENGINE = "duckdb"  # reads files and DuckDB; one source is in one engine
NOT_HEARD = (CoordinatorUnreachable, NoReplyInTime, CertificateProblem, ProxyRefused, UsageError)
"""What keeps a call from the coordinator: then it is made again."""
DECISION_POLL_S = 3  # while a question waits for a person, whose decision another process writes down
INSTANCE_BYTES = 16  # a random name of this process, which tells it from an earlier one


def is_ready(report: nodes_pb2.ReportRequest) -> bool:
    """Whether a report has its outcome; without one, the reply waits for its deadline."""
    return report.WhichOneof("outcome") is not None


class Node:
    """A node that is ready to work, in several threads if need be; close it, or use it in a `with` block."""

    _appointments: tuple[Signed, ...] = ()

    def __init__(
        self,
        home: Home,
        config: NodeConfig,
        transport: Transport | None = None,
        *,
        now: Callable[[], float],
        engine: Engine | None = None,
        checkpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open everything that the home holds; without a transport only local work can be done.

        Raises
        ------
        NotJoined
            There is no node in this folder.
        LedgerCorrupt, FedstatsError
            The ledger or another file is missing or damaged, or the engine is not installed.

        """
        self.home, self.config, self.now = home, config, now
        self._key = NodeKey(home)
        self.ledger = Ledger(home.ledger)
        self._state = State(home.state)
        self.department: str = self._state.department
        self.log = self._state.log
        self.log_witness = LogWitness(self._state, own=lambda: self._key().public)
        self.log.sign_with(self._key, at_once=transport is not None)  # else a node signs later
        self.agreements = Agreements(self._state, home.trust)
        self.policy = Policy(self._state)
        self.approvals = Approvals(self._state, config.policy)
        self.editions = Editions(self._state, home.editions, OptOutLists(config.datasets, now))
        self.witnesses = Witnesses(
            self.ledger, self._state, home.trust, key=self._key, now=now, file=config.witness.file
        )
        self.bench = Workbench(engine or engine_of(ENGINE), config.resources, home.read_edition_key())
        self.clock = ClockCheck(now)
        self._checkpoint = checkpoint
        self.register = RegisterView(
            self._state, key=self._key, now=now, demanded=config.policy.register_proof
        )
        self.runner = self._new_runner()
        self.outcomes = Outcomes(self.log, self.ledger, self.agreements, now)
        self._caught_up, self._gathered_s = False, 0.0
        self._transport = transport
        self._turn, self._running, self._instance = Lock(), set[str](), secrets.token_bytes(INSTANCE_BYTES)
        self._announced: tuple[Acceptance, ...] = ()
        self._revision: int | None = None
        self._trusted: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; the transport belongs to the caller."""
        self.ledger.close()
        self._state.close()

    def poll_once(self, wait_s: int = 0) -> bool:
        """Send what is due, hear what is new, take at most one task and run it; False: nothing to do.

        Raises
        ------
        NetworkError
            The coordinator did not answer. Whatever was recorded is sent when the task is offered again.

        """
        sent = self.send_due()
        task = self.lease(wait_s)
        if task is None:
            return sent
        self.work(task)
        return True

    def lease(self, wait_s: int) -> nodes_pb2.Task | None:
        """The next task, waiting for it at most `wait_s`; None if there is none that is not running already.

        What the controllers published, revocations above all, is heard before a task is handed out, and so is
        how far the department's ledger had come.

        Raises
        ------
        LedgerRestored
            The ledger here is not the newest: the node takes no task.
        LogDamaged
            Nor may it with a log that is not the newest.

        """
        self.witnesses.check()
        self.log_witness.check()
        self.exchange_authority()
        self._gather_heads()
        self.catch_up()  # signs for entries: only after the log was found to be the newest
        with self._turn:
            running = sorted(self._running)
        in_force, now_s = self.in_force(), int(self.now())
        decided = self._decided(in_force, running, now_s=now_s)
        if self.approvals.parked(now_s=now_s):  # what is decided here is told within seconds
            wait_s = min(wait_s, DECISION_POLL_S)
        request = nodes_pb2.LeaseRequest(
            wait_s=wait_s,
            holdings=self.editions.holdings(in_force),
            decisions=decided,
            software=SOFTWARE,
            paused=pause.reason.value if (pause := self.policy.paused()) else "",
            witness=self.witnesses.told(),
            head=self._head(),
            cosignature=self.register.cosignature(),
            register_size=seen.head.size if (seen := self.register.seen()) is not None else 0,
            instance=self._instance,
            running=running,
            waiting=self.approvals.tasks(),
        )
        reply = self.transport.call(LEASE, request)
        self.approvals.told(decided)  # before its task is taken again, which may wait anew
        WORK_ASKED(found=reply.HasField("task"))
        self._hear(reply, request.register_size)
        if not reply.HasField("task"):
            return None
        with self._turn:
            if reply.task.id in self._running:  # the lease ran out while a worker was still at it
                return None
            self._running.add(reply.task.id)
        return reply.task

    def _hear(self, reply: nodes_pb2.LeaseReply, register_size: int) -> None:
        """Take what comes with every lease, before its task: clock, witnesses, register, authority."""
        self.clock.compare(reply.now_s)
        self.witnesses.hear(reply.witnesses)
        if reply.HasField("register_head"):
            proven = reply.HasField("register_consistency")
            proof = reply.register_consistency if proven else None
            self.register.hear(reply.register_head, proof, asked=register_size)
        if reply.authority_revision != self._revision:
            self._fetch_authority()

    def work(self, task: nodes_pb2.Task) -> None:
        """Run a leased task, and report it unless its reply is due later; raises as `poll_once`."""
        waits = False
        try:
            report = self.runner.run(task)
            waits = not is_ready(report)
            if not waits:
                self.report(task, report)
        finally:
            if not waits:
                self.done(task)

    def send_due(self) -> bool:
        """Send the replies whose deadline has come; False if there was none. Raises as `poll_once`."""
        due = self.runner.due()
        for task, _ in due:
            self.done(task)
        for task, report in due:
            self.report(task, report)
        return bool(due)

    def report(self, task: nodes_pb2.Task, report: nodes_pb2.ReportRequest) -> None:
        """Send the answer to a task, once, if it is still allowed; raises as `poll_once`, and LogDamaged."""
        self.log_witness.check()
        self._checkpoint("answer")
        sent = self.runner.allowed_now(task, report)
        if sent.WhichOneof("outcome") == "release":
            self.witnesses.keep()  # before the release leaves
        self.outcomes.enter(task, sent)  # before anything leaves, be it a refusal
        self._checkpoint("enter")
        sent.witness.CopyFrom(self.witnesses.tell())
        if (head := self._head()) is not None:
            sent.head.CopyFrom(head)
        self.transport.call(REPORT, sent)
        self._checkpoint("report")
        TASK_ANSWERED(task=sent.task, outcome=sent.WhichOneof("outcome"))

    def catch_up(self) -> None:
        """Enter into the log, once, whatever a crash kept from being entered, while nothing is running."""
        if not self._caught_up:
            self.log.name_key(now_s=int(self.now()))
            self.outcomes.catch_up()
            self._caught_up = True

    @property
    def running(self) -> int:
        """How many tasks are being worked on."""
        return len(self._running)

    def done(self, task: nodes_pb2.Task) -> None:
        """The task may be taken again."""
        with self._turn:
            self._running.discard(task.id)

    def withdraw(self, agreement: str, reason: Reason = Reason.OTHER) -> None:
        """Leave an agreement and delete its editions; the coordinator hears of it when it can.

        Raises
        ------
        NameUnknown
            No agreement of this name was accepted here.
        FileProblem
            An edition cannot be deleted.

        """
        self.agreements.withdraw(agreement, reason, now_s=int(self.now()))
        self.editions.delete(agreement, now_s=int(self.now()))

    def exchange_authority(self) -> None:
        """Say what the department decided about agreements and fetch what was published, if either is new.

        What is kept of it depends on the keys that were compared here, so it is fetched after these changed.
        """
        acceptances = self.agreements.acceptances()
        news = [acceptance for acceptance in acceptances if acceptance not in self._announced]
        for acceptance in news:
            self._announce(acceptance)
        self._announced = acceptances
        if news or self._revision is None or self._trusted != self.home.trust.all():
            self._fetch_authority()

    def in_force(self) -> tuple[Agreement, ...]:
        """The agreements in force here today."""
        return self.agreements.current(datetime.fromtimestamp(self.now(), UTC).date())

    @property
    def key(self) -> SigningKey:
        """The key that signs what the node says, as it is now."""
        return self._key()

    @property
    def transport(self) -> Transport:
        """The connection to the coordinator; raises NotJoined where there is none."""
        if self._transport is None:
            raise NotJoined(f"The node in {self.home.path} is not connected.")
        return self._transport

    def _new_runner(self) -> Runner:
        return Runner(
            department=self.department,
            key=self._key,
            agreements=self.agreements,
            policy=self.policy,
            approvals=self.approvals,
            register=self.register,
            editions=self.editions,
            ledger=self.ledger,
            witnesses=self.witnesses,
            bench=self.bench,
            lifetime=self.config.lifetime_caps,
            now=self.now,
            punctual=Punctual(self.now),
            reply_deadline_s=self.config.reply_deadline_s,
            checkpoint=self._checkpoint,
        )

    def _gather_heads(self) -> None:
        """Now and then, keep what the coordinator knows of the register's head and of departments' logs."""
        if self.now() >= self._gathered_s + HEADS_EVERY_S:
            nodes = appointed_nodes(self.home.trust.all(), self._appointments)
            gather(self.register, self.transport, nodes, own=self._compare_log)
            self._gathered_s = self.now()

    def _compare_log(self, heads: Iterable[signed_pb2.Signed]) -> None:
        """Return if the log here continues what the coordinator relays of it; raises LogDamaged."""
        self.log_witness.hear(
            heads,
            appointed=lambda key: was_appointed(
                key, self.department, self._appointments, self.home.trust.is_trusted
            ),
        )

    def _head(self) -> signed_pb2.Signed | None:
        """The head of the log as it is now, which others remember."""
        head = self.log.head(now_s=int(self.now()))
        return None if head is None else signed_to(head)

    def _decided(
        self, in_force: Iterable[Agreement], running: Container[str], *, now_s: int
    ) -> tuple[nodes_pb2.Decision, ...]:
        """What the coordinator has to hear of; it has not heard yet that a task that is running waits."""
        versions = {(agreement.id, agreement.version) for agreement in in_force}
        decided = self.approvals.decided(versions, now_s=now_s)
        return tuple(decision for decision in decided if decision.task not in running)

    def _announce(self, acceptance: Acceptance) -> None:
        signed = Signed.make(Context.ACCEPTANCE, encode_acceptance(acceptance), self.key)
        try:
            self.transport.call(PUBLISH, agreements_pb2.PublishRequest(acceptance=signed_to(signed)))
        except NOT_HEARD:
            raise
        except FedstatsError as problem:  # the coordinator does not know the agreement, say: work goes on
            ACCEPTANCE_NOT_TAKEN(problem=problem)

    def _fetch_authority(self) -> None:
        trusted = self.home.trust.all()
        reply = self.transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
        self.agreements.learn(reply)
        self._revision, self._trusted = reply.revision, trusted
        self._appointments = readable(reply.appointments)
        if self._key.take_over(self.department, self._appointments, now_s=int(self.now())):
            if self._caught_up:  # else it is named as soon as anything may be signed
                self.log.name_key(now_s=int(self.now()))
            NODE_KEY_CHANGED()

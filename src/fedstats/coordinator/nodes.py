"""The service Nodes: a node asks for work and answers it, under its own certificate's name only."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedstats.coordinator.desk import Desk, Poll, authority, offers, progress
from fedstats.coordinator.register_log import RegisterLog
from fedstats.coordinator.rounds import Effect, Event, Outcome, Parked, Reported, State
from fedstats.coordinator.store_members import Holding
from fedstats.coordinator.store_questions import StoredQuery, StoredRound
from fedstats.coordinator.store_tasks import Change, StoredTask
from fedstats.coordinator.witnessing import Witnessing
from fedstats.core.names import check_agreement, check_edition, check_identifier, check_label, check_text
from fedstats.errors import InternalError, MessageInvalid, NotFound
from fedstats.identity.keys import Context
from fedstats.identity.peer import Peer
from fedstats.journal.events import TASK_LEASED, TASK_LOST, TASK_MOVED
from fedstats.journal.security import OUTCOME_CONFLICTED
from fedstats.wire.codec import decode_refusal, decode_release, signed_from
from fedstats.wire.codec.strict import rejecting, sha256
from fedstats.wire.v1 import analysts_pb2, nodes_pb2, query_pb2, signed_pb2

HOLDINGS_MAX = 1_000
DECISIONS_MAX = 1_000
INSTANCE_BYTES_MAX = 16
RUNNING_MAX = 1_000
ROUNDS_READ_MAX = 32
SEEN_EVERY_S = 60
"""How often it is stored that a node is there; in between it is known to this process only."""
PARTS_PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Presence:
    """What a node said of itself when it was last stored."""

    announced: bytes
    stored_s: float


@dataclass(frozen=True, slots=True)
class Nodes:
    """What nodes call."""

    desk: Desk
    witnessing: Witnessing
    log: RegisterLog
    seen_s: dict[str, float] = field(default_factory=dict)  # when each node last asked for work
    _presences: dict[str, Presence] = field(default_factory=dict)
    _read: dict[tuple[bytes, int], tuple[StoredQuery, StoredRound]] = field(default_factory=dict)

    def lease_poll(self) -> Poll[nodes_pb2.LeaseRequest, nodes_pb2.LeaseReply]:
        """Lease as a long poll: ends with a task, or when there are new agreements to fetch."""
        return Poll(
            wait_s=lambda request: request.wait_s,
            arrive=self.arrive,
            look=self.look,
            idle=lambda request, peer: self._reply(None, peer, request, self._not_in(request, peer)),
            topics=lambda _request, peer: (offers(peer.name),),
            ends=lambda peer: (authority(peer.name),),
            line=lambda request, peer: peer.name if request.instance else "",
            refresh=self._refresh,
        )

    def arrive(self, request: nodes_pb2.LeaseRequest, peer: Peer) -> nodes_pb2.LeaseReply:
        """The node is here, with these editions and its ledger as far as this; people decided about tasks.

        The reply is for a wait in which nothing happens.

        Raises
        ------
        MessageInvalid
            A name in the request is none, or there are too many; or the witness is not valid.

        """
        now_s = self.desk.now()
        if len(request.decisions) > DECISIONS_MAX:
            raise MessageInvalid(f"More than {DECISIONS_MAX} decisions came at once.")
        if request.HasField("witness"):
            self.witnessing.hear(request.witness, peer.name)
        if request.HasField("head"):
            self.log.hear_head(request.head, peer.name)
        if request.HasField("cosignature"):
            self.log.hear_cosignature(request.cosignature, peer.name)
        self._announce(request, peer.name, now_s)
        for decision in request.decisions:
            change = self.desk.store.tasks.decide(peer.name, decision.task, now_s)
            if change is not None:
                self.desk.tell(change)
        if request.instance:
            self._lose(request, peer.name, now_s)
        return self._reply(None, peer, request, self._not_in(request, peer))

    def look(self, request: nodes_pb2.LeaseRequest, peer: Peer) -> nodes_pb2.LeaseReply | None:
        """The department's next task, leased now; None if there is none.

        A node whose ledger is behind what is known of it gets no task, and hears at once why.
        """
        witnesses = self._not_in(request, peer)
        if witnesses:
            return self._reply(None, peer, request, witnesses)
        now_s, tasks = self.desk.now(), self.desk.store.tasks
        if not tasks.has_offer(peer.name, now_s):
            return None
        leased = tasks.lease(peer.name, self.desk.new_token(), self.desk.limits.lease_s, now_s)
        if leased is None:
            return None
        TASK_LEASED(task=leased.id, attempt=leased.task.leases)
        self.desk.ring(progress(leased.query, leased.number))
        return self._reply(leased, peer, request, witnesses)

    def report(self, request: nodes_pb2.ReportRequest, peer: Peer) -> nodes_pb2.ReportReply:
        """Take a node's answer. The same one may come again, and late: the first stays.

        Raises
        ------
        NotFound
            This department has no such task, or the analyst went on without it.
        MessageInvalid, SignatureInvalid
            The answer is malformed, not signed by the key it names, or not of this task.

        """
        task = self.desk.store.tasks.task(request.task)
        if task is None or task.department != peer.name:
            raise NotFound(f"{peer.name} has no task of this name here.")
        if request.HasField("witness"):  # durable before the answer is: nothing leaves without its witness
            self.witnessing.hear(request.witness, peer.name)
        if request.HasField("head"):
            self.log.hear_head(request.head, peer.name)
        if task.task.state is State.LEFT_OUT:
            raise NotFound(
                f"The analyst went on without {peer.name}: what it answers to this task is not counted.",
                remedy="A release that was recorded stays so, and answers the same question free.",
            )
        outcome = analysts_pb2.Outcome(department=peer.name, budget=_budget(request))
        kind = request.WhichOneof("outcome")
        event: Event
        if kind == "release":
            event = Reported(self._released(request, task))
            outcome.release.CopyFrom(request.release)
        elif kind == "refusal":
            event = Reported(_refused(request, task))
            outcome.refusal.CopyFrom(request.refusal)
        elif kind == "waiting":
            with rejecting("Waiting"):
                event = Parked(request.lease_token, check_text(request.waiting.sentence, what="sentence"))
        else:
            raise MessageInvalid("The report has no outcome that this coordinator knows.")
        change = self.desk.store.tasks.move(task.id, event, self.desk.now(), outcome)
        self._note(change)
        self.desk.tell(change)
        return nodes_pb2.ReportReply()

    def _refresh(self, reply: nodes_pb2.LeaseReply) -> None:
        """The time is that of the reply, by which nodes compare their clocks."""
        reply.now_s = int(self.desk.now())

    def _lose(self, request: nodes_pb2.LeaseRequest, department: str, now_s: float) -> None:
        """Offer again at once what a process that is gone had leased, or what a lost reply had brought."""
        named = len(request.running) + len(request.waiting)
        if len(request.instance) > INSTANCE_BYTES_MAX or named > RUNNING_MAX:
            raise MessageInvalid("The node names its process or its tasks at too great length.")
        running, waiting = frozenset(request.running), frozenset(request.waiting)
        for change in self.desk.store.tasks.lose(department, running, waiting, now_s):
            TASK_LOST(task=change.after.id)
            self.desk.tell(change)

    def _announce(self, request: nodes_pb2.LeaseRequest, department: str, now_s: float) -> None:
        """Remember who is here; write it down only when something changed or a while has passed."""
        if len(request.holdings) > HOLDINGS_MAX:
            raise MessageInvalid(f"More than {HOLDINGS_MAX} editions were announced.")
        with rejecting("LeaseRequest"):
            holdings = sorted({_holding(message) for message in request.holdings})
            software = (
                check_label(request.software, what="version of the software") if request.software else ""
            )
            paused = check_label(request.paused, what="reason of a pause") if request.paused else ""
        self.seen_s[department] = now_s
        announced = sha256(repr((holdings, software, paused)).encode())
        known = self._presences.get(department)
        if known is None or known.announced != announced or now_s >= known.stored_s + SEEN_EVERY_S:
            self.desk.store.members.announce(department, holdings, software, now_s, paused=paused)
            self._presences[department] = Presence(announced, now_s)

    def _not_in(self, request: nodes_pb2.LeaseRequest, peer: Peer) -> list[signed_pb2.WitnessRecord]:
        """What is known of the department's ledgers, and the node's own witness does not contain."""
        own = self.witnessing.hear(request.witness, peer.name) if request.HasField("witness") else None
        return self.witnessing.records(peer.name, own)

    def _reply(
        self,
        leased: StoredTask | None,
        peer: Peer,
        request: nodes_pb2.LeaseRequest,
        witnesses: list[signed_pb2.WitnessRecord],
    ) -> nodes_pb2.LeaseReply:
        reply = nodes_pb2.LeaseReply(
            authority_revision=self.desk.store.documents.revision_for(peer.name),
            witnesses=witnesses,
            now_s=int(self.desk.now()),
        )
        if leased is not None or request.register_size != self.desk.store.register.count():
            reply.register_head.CopyFrom(self.log.head())
            continued = self.log.since(request.register_size)
            if continued is not None:
                reply.register_consistency.CopyFrom(continued)
        if leased is not None:
            query, order = self._asked(leased)
            reply.task.CopyFrom(
                nodes_pb2.Task(
                    id=leased.id,
                    query=query.signed,
                    round=order.signed,
                    appointment=query.appointment,
                    attempt=leased.task.leases,
                    phase=nodes_pb2.PHASE_COMPUTE,
                    lease_token=leased.task.token,
                    expires_s=int(leased.task.expires_s),
                    registered=self.log.registered(leased.query),
                )
            )
        return reply

    def _released(self, request: nodes_pb2.ReportRequest, task: StoredTask) -> Outcome:
        """A release of exactly this round's computation, no larger than it can be."""
        signed = signed_from(request.release)
        note = decode_release(signed.verify(Context.RELEASE))
        _, order = self._asked(task)
        if (note.department, note.computation) != (task.department, order.computation):
            raise MessageInvalid("The release is of another computation or department.")
        size = sum(vector.nbytes for measures in note.vectors for vector in measures)
        if size > order.release_bytes:
            raise MessageInvalid("The release has more numbers than the round asks for.")
        return Outcome(sha256(signed.payload), free=request.budget.free)

    def _asked(self, task: StoredTask) -> tuple[StoredQuery, StoredRound]:
        """What was signed, which never changes: read once for all departments of a round."""
        key = (task.query, task.number)
        known = self._read.get(key)
        if known is None:
            questions = self.desk.store.questions
            query, order = questions.query(task.query), questions.round(task.query, task.number)
            if query is None or order is None:
                raise InternalError(f"Task {task.id} has no query or no round.")
            if len(self._read) >= ROUNDS_READ_MAX:
                self._read.clear()
            known = self._read[key] = query, order
        return known

    def _note(self, change: Change) -> None:
        if Effect.CONFLICT in change.effects:
            OUTCOME_CONFLICTED(task=change.after.id)
        elif change.is_change:
            TASK_MOVED(task=change.after.id, state=change.after.task.state.value.replace(" ", "_"))


def _refused(request: nodes_pb2.ReportRequest, task: StoredTask) -> Outcome:
    """A refusal of exactly this round by this department."""
    signed = signed_from(request.refusal)
    note = decode_refusal(signed.verify(Context.REFUSAL))
    if (note.department, note.query, note.number) != (task.department, task.query, task.number):
        raise MessageInvalid("The refusal is of another round or department.")
    reason = note.reason.value if note.reason else ""
    return Outcome(sha256(signed.payload), note.code, note.sentence, reason=reason)


def _holding(message: nodes_pb2.Holding) -> Holding:
    return Holding(
        check_agreement(message.agreement),
        message.agreement_version,
        check_identifier(message.dataset, what="dataset"),
        check_edition(message.edition),
    )


def _budget(request: nodes_pb2.ReportRequest) -> query_pb2.Budget | None:
    if not request.HasField("budget"):
        return None
    if max(request.budget.used_ppm, request.budget.left_ppm) > PARTS_PER_MILLION:
        raise MessageInvalid("A budget has at most a million parts per million.")
    return request.budget

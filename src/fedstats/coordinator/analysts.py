"""The service Analysts: a question comes in, its progress and its answers go out.

Whether it may be asked is for the nodes to decide. The checks here spare them what they would refuse anyway,
and the public register what nobody signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fedstats.coordinator.asked_under import agreement_of
from fedstats.coordinator.desk import Desk, Poll, account, ended, offers, progress
from fedstats.coordinator.register_log import RegisterLog
from fedstats.coordinator.rounds import State
from fedstats.coordinator.store_questions import StoredQuery, StoredRound, Submission
from fedstats.core.agreement import Agreement
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.query import HASH_BYTES, Computation, Query, RoundOrder
from fedstats.core.query_entry import query_entry
from fedstats.core.rules import check_query, check_round
from fedstats.errors import (
    AppointmentInvalid,
    DeadlinePassed,
    MessageInvalid,
    NotFound,
    RoundConflict,
    TooLarge,
)
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.journal.events import ROUND_OFFERED
from fedstats.wire.codec import (
    computation_hash,
    decode_appointment,
    decode_proceeding,
    decode_query,
    decode_round,
    signed_from,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import analysts_pb2, nodes_pb2

QUERY_BYTES_MAX = 500_000
ROUND_BYTES_MAX = 1_400_000
APPOINTMENT_BYTES_MAX = 10_000
NUMBER_BYTES = 8
DAY_S = 86_400
SETTLE_S = 0.25
"""Of a round with a thousand departments, each of their steps would else be a report on all of them."""

_STATES = {
    State.OFFERED: analysts_pb2.TASK_STATE_OFFERED,
    State.LEASED: analysts_pb2.TASK_STATE_LEASED,
    State.WAITING: analysts_pb2.TASK_STATE_WAITING,
    State.RELEASED: analysts_pb2.TASK_STATE_RELEASED,
    State.REFUSED: analysts_pb2.TASK_STATE_REFUSED,
    State.LEFT_OUT: analysts_pb2.TASK_STATE_LEFT_OUT,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a Submit brings: decoded, signed by one key, bound together; not compared with the store."""

    query: Query
    query_signed: Signed
    order: RoundOrder
    round_signed: Signed
    appointment: Appointment
    appointment_signed: Signed


@dataclass(frozen=True, slots=True)
class Analysts:
    """What analysts call. `seen_s` says when each node last asked for work."""

    desk: Desk
    log: RegisterLog
    seen_s: Mapping[str, float] = field(default_factory=dict)

    def submit(self, request: analysts_pb2.SubmitRequest, peer: Peer) -> analysts_pb2.SubmitReply:
        """Register and store a signed round, its query too if it is the first, and offer its tasks.

        The same round again is no new question. It asks those departments again that refused for a reason
        which may have ended, as long as no later round builds on the totals without them.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            A part is malformed, not signed, or they do not belong together.
        RoundConflict
            The round was submitted with other content, by another key, or comes too early.
        DeadlinePassed
            The query's deadline is over, or implausibly far away.
        AgreementNotInForce, AppointmentInvalid
            No agreement of this name was published and signed by all its controllers, or none of them
            appointed the analyst; or the appointment is in another name than the certificate.
        OutsideAgreement, OutsideScope
            The query or the round is not what the agreement allows.
        NotFound
            A participant's node has not joined.
        TooLarge
            The answers would not fit one reply, the query is too large with all its rounds, or this analyst
            has too many questions.

        """
        asked = _read(request)
        digest, number = asked.order.query, asked.order.number
        known = self.desk.store.questions.query(digest)
        if known is not None and (known.key, known.peer) != (asked.query_signed.key.raw, account(peer)):
            raise RoundConflict("This query was submitted by another analyst.")
        _check_own_name(asked, peer)
        before = self.desk.store.questions.rounds(digest)
        if number < len(before):
            self._submit_again(asked, before[number])
        else:
            self._submit_first(asked, known, before, peer)
        return analysts_pb2.SubmitReply(
            query=digest,
            registered=self.log.registered(digest),
            register_consistency=self.log.since(request.register_size),
        )

    def watch_poll(self) -> Poll[analysts_pb2.WatchRequest, analysts_pb2.WatchReply]:
        """Watch as a long poll: ends when a task of the round has changed."""
        return Poll(
            wait_s=lambda request: request.wait_s,
            arrive=lambda _request, _peer: None,
            look=self._news,
            idle=self._progress,
            topics=lambda request, _peer: (progress(_named(request), request.number),),
            settle_s=SETTLE_S,
            ripe=self._ripe,
            hurry=lambda request, _peer: (ended(_named(request), request.number),),
        )

    def fetch(self, request: analysts_pb2.FetchRequest, peer: Peer) -> analysts_pb2.FetchReply:
        """Everything of one query, for the analyst who submitted it.

        Raises
        ------
        NotFound
            This analyst submitted no such query.

        """
        query = self._own(request.query, peer)
        records = [
            analysts_pb2.RoundRecord(
                round=stored.signed,
                outcomes=[]
                if request.statements_only
                else self.desk.store.tasks.outcomes(stored.query, stored.number),
                proceeding=stored.proceeding,
            )
            for stored in self.desk.store.questions.rounds(request.query)
        ]
        return analysts_pb2.FetchReply(query=query.signed, appointment=query.appointment, rounds=records)

    def catalogue(self, request: analysts_pb2.CatalogueRequest, peer: Peer) -> analysts_pb2.CatalogueReply:
        """Which nodes have joined, what they hold, and when they last asked for work."""
        del request, peer
        nodes = [member for member in self.desk.store.members.all() if member.role is Role.NODE]
        return analysts_pb2.CatalogueReply(
            nodes=[
                analysts_pb2.NodeHoldings(
                    department=node.name,
                    holdings=[
                        nodes_pb2.Holding(
                            agreement=held.agreement,
                            agreement_version=held.agreement_version,
                            dataset=held.dataset,
                            edition=held.edition,
                        )
                        for held in node.holdings
                    ],
                    seen_s=self._seen_s(node.name, node.seen_s),
                    paused=node.paused,
                )
                for node in nodes
            ]
        )

    def _submit_again(self, asked: Asked, stored: StoredRound) -> None:
        if stored.payload_digest != sha256(asked.round_signed.payload):
            raise RoundConflict("This round was submitted before, with other content.")
        if stored.proceeding is not None:
            return  # the analyst has decided what this round is
        if not self.desk.store.tasks.may_ask_again(stored.query, stored.number):
            return
        # Since the first time the agreement may have ended, or the appointment.
        self._check_allowed(asked, self._agreement_of(asked))
        for change in self.desk.store.tasks.ask_again(stored.query, stored.number, self.desk.now()):
            self.desk.tell(change)

    def _submit_first(
        self, asked: Asked, known: StoredQuery | None, before: list[StoredRound], peer: Peer
    ) -> None:
        order, now_s = asked.order, self.desk.now()
        if order.number != len(before):
            raise RoundConflict(f"Round {order.number} came before round {len(before)}.")
        _check_goes_on(order, before)
        self._check_deadline(asked.query, now_s)
        agreement = self._agreement_of(asked)
        unknown = self.desk.store.members.unknown_nodes(order.participants)
        if unknown:
            raise NotFound(f"No node has joined for {', '.join(unknown)}.")
        self._check_allowed(asked, agreement)
        release_bytes = _release_bytes(asked, agreement)
        taken = sum(stored.release_bytes * stored.asked for stored in before)
        if taken + release_bytes * len(order.participants) > self.desk.limits.reply_bytes_max:
            raise TooLarge(
                "The answers of all departments together would be larger than a reply can be.",
                remedy="Use fewer or coarser keys, or fewer measures.",
            )
        self._check_room(asked, account(peer), is_new=known is None)
        submission = Submission(
            query=asked.query_signed,
            order=order,
            round=asked.round_signed,
            appointment=asked.appointment_signed,
            deadline_s=asked.query.deadline_s,
            computation=computation_hash(Computation.of(asked.query, order)),
            release_bytes=release_bytes,
            peer=account(peer),
        )
        entry = query_entry(asked.query, order, asked.appointment, agreement)
        for task in self.desk.store.questions.submit(submission, entry, now_s):
            self.desk.ring(offers(task.department))
        ROUND_OFFERED(query=order.query, round=order.number, departments=len(order.participants))

    def _check_allowed(self, asked: Asked, agreement: Agreement) -> None:
        """What every node would refuse is neither registered nor stored."""
        check_query(agreement, asked.query, datetime.fromtimestamp(self.desk.now(), UTC).date())
        check_round(agreement, asked.query, asked.order)

    def _check_room(self, asked: Asked, account: str, *, is_new: bool) -> None:
        questions, limits, now_s = self.desk.store.questions, self.desk.limits, self.desk.now()
        if is_new and questions.open_queries(account, now_s) >= limits.open_queries_max:
            raise TooLarge(
                f"You have {limits.open_queries_max:,} questions whose deadline is still to come,"
                " which is the most."
            )
        if is_new and questions.queries_since(account, now_s - DAY_S) >= limits.queries_per_day_max:
            raise TooLarge(
                f"You have asked {limits.queries_per_day_max:,} questions in 24 hours, which is the most.",
                remedy="Go on tomorrow.",
            )
        size = len(asked.query_signed.payload) if is_new else questions.stored_bytes(asked.order.query)
        if size + len(asked.round_signed.payload) > limits.query_bytes_max:
            raise TooLarge(
                f"A query and its rounds have at most {limits.query_bytes_max:,} bytes together.",
                remedy="Ask a new question, with fewer rounds or shorter expressions.",
            )

    def _check_deadline(self, query: Query, now_s: float) -> None:
        if now_s >= query.deadline_s:
            raise DeadlinePassed
        if query.deadline_s > now_s + self.desk.limits.deadline_days_max * DAY_S:
            raise DeadlinePassed(
                f"The query's deadline is more than {self.desk.limits.deadline_days_max} days away.",
                remedy="Ask with an earlier deadline; is the clock of this computer right?",
            )

    def _agreement_of(self, asked: Asked) -> Agreement:
        return agreement_of(self.desk.store, asked.query, asked.appointment_signed, self.desk.now())

    def _own(self, query: bytes, peer: Peer) -> StoredQuery:
        """A query that this analyst submitted; of another's nobody learns that it is there."""
        stored = self.desk.store.questions.query(query)
        if stored is None or stored.peer != account(peer):
            raise NotFound("The coordinator has no query of this hash that you submitted.")
        return stored

    def _check_round(self, request: analysts_pb2.WatchRequest, peer: Peer) -> StoredRound:
        self._own(request.query, peer)
        stored = self.desk.store.questions.round(request.query, request.number)
        if stored is None:
            raise NotFound("The coordinator has no such round.")
        return stored

    def _ripe(self, request: analysts_pb2.WatchRequest, peer: Peer) -> bool:
        """Whether the analyst should hear at once: it is the first look at the round, or the last."""
        return not request.seen or self._check_round(request, peer).open == 0

    def _news(self, request: analysts_pb2.WatchRequest, peer: Peer) -> analysts_pb2.WatchReply | None:
        if self._check_round(request, peer).version == request.seen:
            return None
        return self._progress(request, peer)

    def _progress(self, request: analysts_pb2.WatchRequest, peer: Peer) -> analysts_pb2.WatchReply:
        version = self._check_round(request, peer).version
        seen = self.desk.store.members.nodes_seen()
        return analysts_pb2.WatchReply(
            version=version,
            tasks=[
                analysts_pb2.TaskStatus(
                    department=stored.department,
                    state=_STATES[stored.task.state],
                    sentence=stored.task.sentence,
                    since_s=int(stored.task.since_s),
                    node_seen_s=self._seen_s(stored.department, seen.get(stored.department, 0)),
                )
                for stored in self.desk.store.tasks.tasks(request.query, request.number)
            ],
        )

    def _seen_s(self, department: str, stored_s: int) -> int:
        """When a node last asked for work: what this process saw is newer than what is stored."""
        return int(max(self.seen_s.get(department, 0), stored_s))


def _check_goes_on(order: RoundOrder, before: list[StoredRound]) -> None:
    """A later round asks nobody whom the analyst went on without."""
    signed = before[-1].proceeding if before else None
    if signed is not None and set(order.participants) & set(decode_proceeding(signed.payload).left_out):
        raise RoundConflict("This round asks a department that the analyst went on without.")


def _named(request: analysts_pb2.WatchRequest) -> bytes:
    if len(request.query) != HASH_BYTES:
        raise MessageInvalid("A query is named by its hash of 32 bytes.")
    return request.query


def _read(request: analysts_pb2.SubmitRequest) -> Asked:
    """Decode and verify the three signed parts, and that they belong together."""
    query_signed, round_signed = signed_from(request.query), signed_from(request.round)
    appointment_signed = signed_from(request.appointment)
    for signed, most in (
        (query_signed, QUERY_BYTES_MAX),
        (round_signed, ROUND_BYTES_MAX),
        (appointment_signed, APPOINTMENT_BYTES_MAX),
    ):
        if len(signed.payload) > most:
            raise MessageInvalid("A part of the question is too large.")
    asked = Asked(
        query=decode_query(query_signed.verify(Context.QUERY)),
        query_signed=query_signed,
        order=decode_round(round_signed.verify(Context.ROUND)),
        round_signed=round_signed,
        appointment=decode_appointment(appointment_signed.verify(Context.APPOINTMENT)),
        appointment_signed=appointment_signed,
    )
    if asked.order.query != sha256(query_signed.payload):
        raise MessageInvalid("The round is of another query.")
    if asked.order.number >= asked.query.rounds_max:
        raise MessageInvalid("The round is one more than its query announced.")
    keys = {query_signed.key, round_signed.key, PublicKey(asked.appointment.key)}
    if len(keys) != 1 or asked.appointment.role is not AppointedRole.ANALYST:
        raise MessageInvalid("The query, the round and the appointment are not of one analyst's key.")
    return asked


def _check_own_name(asked: Asked, peer: Peer) -> None:
    """Whoever copied a colleague's key would need the colleague's certificate as well."""
    if asked.appointment.name != peer.name:
        raise AppointmentInvalid(
            f"The question is signed with the key of {asked.appointment.name}, and came through the"
            f" certificate of {peer.name}.",
            remedy="Everybody asks with a key of their own. If a key was copied, its controller revokes it:"
            " fedstats controller revoke",
        )


def _release_bytes(asked: Asked, agreement: Agreement) -> int:
    """How large the vectors of one department's release are.

    Raises
    ------
    LanguageError
        The round does not fit the definition of its dataset, or has too many cells.

    """
    dataset = agreement.dataset(asked.query.dataset)
    return sum(
        aggregate.cells(dataset) * len(aggregate.measures) * NUMBER_BYTES
        for aggregate in asked.order.round.aggregates
    )

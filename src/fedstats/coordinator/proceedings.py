"""The method Proceed: the analyst signs that a round goes on without departments that have not answered."""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.coordinator.asked_under import agreement_of
from fedstats.coordinator.desk import Desk, account
from fedstats.coordinator.rounds import State
from fedstats.coordinator.store_questions import StoredQuery
from fedstats.core.query import Proceeding
from fedstats.core.rules import check_proceeding
from fedstats.errors import DeadlinePassed, NotFound, RoundConflict
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer
from fedstats.journal.events import ROUND_NARROWED
from fedstats.wire.codec import decode_proceeding, decode_query, decode_round, signed_from
from fedstats.wire.v1 import analysts_pb2


@dataclass(frozen=True, slots=True)
class Proceedings:
    """What analysts call to go on."""

    desk: Desk

    def proceed(self, request: analysts_pb2.ProceedRequest, peer: Peer) -> analysts_pb2.ProceedReply:
        """Register and store a signed proceeding, and close the tasks of those who are left out.

        The same one again changes nothing. From then on the round is what its participants released.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is malformed or not signed.
        NotFound
            This analyst submitted no such round.
        RoundConflict
            It is signed by another key; it was decided otherwise before; a later round builds on this one; or
            a department has answered meanwhile.
        DeadlinePassed
            Nobody may answer any more, so nobody is waited for.
        AgreementNotInForce, AppointmentInvalid, OutsideAgreement
            The agreement does not allow it, or not any more.

        """
        signed = signed_from(request.proceeding)
        proceeding = decode_proceeding(signed.verify(Context.PROCEEDING))
        query = self._own(proceeding, signed, peer)
        if self._was_decided(proceeding, signed):
            return analysts_pb2.ProceedReply()
        self._check(proceeding, query)
        for change in self.desk.store.questions.proceed(proceeding, signed, self.desk.now()):
            self.desk.tell(change)
        ROUND_NARROWED(query=proceeding.query, round=proceeding.number, left_out=len(proceeding.left_out))
        return analysts_pb2.ProceedReply()

    def _own(self, proceeding: Proceeding, signed: Signed, peer: Peer) -> StoredQuery:
        stored = self.desk.store.questions.query(proceeding.query)
        if stored is None or stored.peer != account(peer):
            raise NotFound("The coordinator has no query of this hash that you submitted.")
        if stored.key != signed.key.raw:
            raise RoundConflict("This query was signed with another key.")
        return stored

    def _was_decided(self, proceeding: Proceeding, signed: Signed) -> bool:
        """Whether this very decision is stored; another one about the same round is a conflict."""
        rounds = self.desk.store.questions.rounds(proceeding.query)
        if proceeding.number >= len(rounds):
            raise NotFound("The coordinator has no such round.")
        known = rounds[proceeding.number].proceeding
        if known is not None and known.payload == signed.payload:
            return True
        if known is not None or proceeding.number + 1 != len(rounds):
            raise RoundConflict("How this round goes on was decided before.", remedy="")
        return False

    def _check(self, proceeding: Proceeding, stored: StoredQuery) -> None:
        """What the agreement allows, and that nobody who has answered is left out."""
        now_s, query = self.desk.now(), decode_query(stored.signed.payload)
        if now_s >= query.deadline_s:
            raise DeadlinePassed
        agreement = agreement_of(self.desk.store, query, signed_from(stored.appointment), now_s)
        order = self.desk.store.questions.round(proceeding.query, proceeding.number)
        if order is None:
            raise NotFound("The coordinator has no such round.")
        check_proceeding(agreement, query, decode_round(order.signed.payload), proceeding)
        states = {
            task.department: task.task.state
            for task in self.desk.store.tasks.tasks(proceeding.query, proceeding.number)
        }
        if any(states[name] is not State.RELEASED for name in proceeding.participants):
            raise RoundConflict("A department is named as a participant that has not released.", remedy="")
        late = [name for name in proceeding.left_out if states[name] in (State.RELEASED, State.REFUSED)]
        if late:
            raise RoundConflict(f"{', '.join(late)} answered meanwhile.", remedy="")

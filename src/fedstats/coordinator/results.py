"""The method PublishResult: an analyst puts the result of an own query on the public register, for good."""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.coordinator.desk import Desk, account
from fedstats.coordinator.register import result_entry
from fedstats.coordinator.rounds import State
from fedstats.coordinator.store_questions import StoredQuery
from fedstats.core.result import ReleaseUsed, Result, check_disclosure, result_from_json
from fedstats.errors import NotFound, RoundConflict, TooLarge
from fedstats.identity.keys import Context
from fedstats.identity.peer import Peer
from fedstats.wire.codec import decode_appointment, decode_query, signed_from
from fedstats.wire.codec.strict import rejecting, sha256
from fedstats.wire.v1 import analysts_pb2

RESULTS_EACH_MAX = 10  # of one query: corrections are entries of their own


@dataclass(frozen=True, slots=True)
class Results:
    """What analysts call to publish."""

    desk: Desk

    def publish(
        self, request: analysts_pb2.PublishResultRequest, peer: Peer
    ) -> analysts_pb2.PublishResultReply:
        """Enter a signed result. The same one again changes nothing; another one is a correction beside it.

        Whether its numbers are what the releases add up to, everybody who has the releases can compute; here
        it is checked that it names all of them, and shows what the agreement's disclosure control lets show.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is malformed, not signed, names other releases than those that came, or shows a withheld count.
        NotFound
            This analyst submitted no such query, or what it replaces is no result of it.
        RoundConflict
            It is signed by another key than the query, or departments may still answer.
        TooLarge
            The query has as many published results as one can have.

        """
        signed = signed_from(request.result)
        with rejecting("result"):
            result = result_from_json(signed.verify(Context.RESULT))
            check_disclosure(result)
        questions = self.desk.store.questions
        known = questions.result(sha256(signed.payload))
        if known is not None:
            return analysts_pb2.PublishResultReply(number=known)
        stored = questions.query(result.query)
        if stored is None or stored.peer != account(peer):
            raise NotFound("The coordinator has no query of this hash that you submitted.")
        if stored.key != signed.key.raw:
            raise RoundConflict("This query was signed with another key.")
        self._check(result, stored)
        entry = result_entry(signed, decode_appointment(stored.appointment.payload))
        number = questions.publish(result.query, sha256(signed.payload), entry, self.desk.now())
        return analysts_pb2.PublishResultReply(number=number)

    def _check(self, result: Result, stored: StoredQuery) -> None:
        """It is the whole answer to this query, and follows the results before it."""
        questions, tasks = self.desk.store.questions, self.desk.store.tasks
        query = decode_query(stored.signed.payload)
        rounds = questions.rounds(result.query)
        with rejecting("result"):
            if result.disclosure is not query.disclosure:
                raise ValueError
        if any(r.open and r.proceeding is None for r in rounds) and self.desk.now() < query.deadline_s:
            raise RoundConflict("Departments may still answer this question.", remedy="Wait for them.")
        released = tuple(
            ReleaseUsed(task.number, task.department, task.task.outcome.digest.hex())
            for r in rounds
            for task in tasks.tasks(r.query, r.number)
            if task.task.state is State.RELEASED and task.task.outcome is not None
        )
        if result.releases != tuple(sorted(released)):
            raise RoundConflict("The result is not made of exactly the releases that departments sent.")
        before = questions.results(result.query)
        if result.replaces and result.replaces not in before:
            raise NotFound("What the result replaces is no published result of this query.")
        if len(before) >= RESULTS_EACH_MAX:
            raise TooLarge(f"A query has at most {RESULTS_EACH_MAX} published results.")

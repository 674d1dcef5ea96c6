"""One job from its first round to its estimate: submit, follow, fetch, verify, add up, step again.

Every part may be repeated: rounds are signed the same way each time (Ed25519 is deterministic), the
coordinator knows what it has, and a node answers one computation once. So a client that died starts this
again from its job and pays nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fedstats.client.answer import Answer
from fedstats.client.asking import ask_again
from fedstats.client.authority import Authority
from fedstats.client.following import Patience, Progress, Tell, follow
from fedstats.client.guarantee import cost_of, guarantee_of
from fedstats.client.jobs import Job, JobState, JobStore
from fedstats.client.next_round import next_order, step_after
from fedstats.client.outcomes import (
    NOT_IN_TIME,
    WENT_ON,
    Expected,
    Outcomes,
    Told,
    add_up,
    check_enough,
    verify_outcomes,
)
from fedstats.client.proceeding import KnownRound, counted, go_on, known_rounds
from fedstats.client.question import Question
from fedstats.client.revisions import revision_notes
from fedstats.client.waiting import still_waiting
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.estimate import Estimate, Participant, Refusal
from fedstats.core.guarantee import AnsweredRound, Run
from fedstats.core.query import Query, RoundOrder
from fedstats.core.query_entry import query_entry
from fedstats.core.statistic import Round, RoundResult, Statistic
from fedstats.errors import (
    AgreementNotInForce,
    CoordinatorUnreachable,
    EditionMissing,
    NetworkError,
    NoReplyInTime,
    NotAnswered,
    NotFound,
    OutsideAgreement,
    RegisterForked,
    ReplyLate,
    RoundConflict,
    Spent,
)
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.wire.codec import decode_appointment, encode_round, signed_to, task_hash
from fedstats.wire.codec.strict import sha256
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH, SUBMIT
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import analysts_pb2, nodes_pb2

PROCEED_ATTEMPTS = 5
LATE_AGAIN_MAX = 5  # how often departments that were late are asked again before the answer does without them


@dataclass(frozen=True, slots=True)
class Asked:
    """A job with everything that is needed to go on with it."""

    job: Job
    statistic: Statistic
    query: Query
    first: RoundOrder
    agreement: Agreement
    authority: Authority
    key: SigningKey


@dataclass(frozen=True, slots=True)
class Rounds:
    """Takes a job through its rounds, as long as the patience lasts."""

    transport: Transport
    jobs: JobStore
    patience: Patience
    tell: Tell

    def ask(self, asked: Asked) -> Answer:
        """Take a new job from its first round to its answer; raises as `resume`."""
        try:
            return self._answer(asked, known=())
        except (CoordinatorUnreachable, NoReplyInTime) as problem:
            raise kept(problem, asked.job) from None

    def resume(self, asked: Asked) -> Answer:
        """Go on with a job from wherever it is.

        Raises
        ------
        StillWaiting
            The patience ended first.
        NotAnswered
            Too few departments answered.
        RoundConflict
            The statistic no longer asks what was signed.
        CoordinatorUnreachable, NoReplyInTime
            The network failed: the job is kept.

        """
        try:
            return self._answer(asked, known=self._known(asked))
        except (CoordinatorUnreachable, NoReplyInTime) as problem:
            raise kept(problem, asked.job) from None

    def proceed(self, asked: Asked) -> Answer:
        """Go on without those that have not answered the newest round; where all have, as `resume`.

        Raises
        ------
        OutsideAgreement
            The agreement does not allow going on without them.
        StillWaiting, NotAnswered, RoundConflict, CoordinatorUnreachable, NoReplyInTime
            As `resume`.

        """
        try:
            for attempt in range(1, PROCEED_ATTEMPTS + 1):
                known = self._known(asked)
                if not known or known[-1].proceeding or self.patience.now() >= asked.query.deadline_s:
                    break
                try:
                    self._go_on(asked, known[-1].order)
                except RoundConflict:  # somebody answered at this very moment
                    if attempt == PROCEED_ATTEMPTS:
                        raise
            return self._answer(asked, known=self._known(asked))
        except (CoordinatorUnreachable, NoReplyInTime) as problem:
            raise kept(problem, asked.job) from None

    def _go_on(self, asked: Asked, order: RoundOrder) -> None:
        outcomes = self._verified(asked, order, self._messages(order))
        go_on(self.transport, asked.key, asked.agreement, asked.query, order, outcomes)

    def _answer(self, asked: Asked, known: Sequence[KnownRound]) -> Answer:
        dataset = asked.agreement.dataset(asked.query.dataset)
        ask = ask_again(asked.query, dataset, asked.first.participants)
        first = asked.statistic.step(ask, [])
        _check_unchanged(same=isinstance(first, Round) and first.normalised() == asked.first.round)
        _check_unchanged(same=asked.statistic.condition(dataset) == asked.query.where)
        order, history, told = asked.first, list[RoundResult](), Told()
        while True:
            here, *later = known[order.number : order.number + 2] or (KnownRound(order, None),)
            _check_unchanged(same=here.order == order)
            outcomes = self._outcomes(asked, here, later[0].order if later else None)
            told = told.after(outcomes)
            history.append(add_up(outcomes, asked.query, order, dataset))
            step = step_after(asked.statistic, ask, history)
            if isinstance(step, Estimate):
                _check_disclosed(step, asked.query)
                self.jobs.finish(asked.job.query_hash, JobState.ANSWERED)
                return completed(asked, step, history, told)
            order = next_order(
                order,
                asked.query,
                asked.agreement,
                step,
                [result.round for result in history],
                participants=tuple(sorted(outcomes.released)),
                totals_before=told.releases_hash,
            )

    def _known(self, asked: Asked) -> Sequence[KnownRound]:
        """The rounds that the coordinator has, each verified to be one that this analyst signed."""
        request = analysts_pb2.FetchRequest(query=asked.job.query_hash, statements_only=True)
        try:
            reply = self.transport.call(FETCH, request)
        except NotFound:
            return ()
        return known_rounds(reply.rounds, asked.job.query_hash, asked.key.public)

    def _outcomes(self, asked: Asked, here: KnownRound, later: RoundOrder | None) -> Outcomes:
        """The verified answers to a round; where a later one was signed, only of its participants.

        Departments that were not ready by their reply's deadline are asked again, a few times: it is free.
        """
        open_still = later is None and here.proceeding is None
        if open_still:
            self._submit_and_follow(asked, here.order)
        outcomes = self._counted(asked, here, later)
        for _ in range(LATE_AGAIN_MAX if open_still else 0):
            late = [name for name, refusal in outcomes.absent.items() if refusal.code == ReplyLate.code]
            if not late:
                break
            note = f"{', '.join(late)} was not ready by its reply's deadline; asking again, which is free."
            self._submit_and_follow(asked, here.order, note)
            outcomes = self._counted(asked, here, later)
        try:
            check_enough(outcomes, asked.agreement, asked.job.name)
        except NotAnswered as problem:
            self.jobs.finish(asked.job.query_hash, JobState.NOT_ANSWERED, problem.sentence)
            raise
        return outcomes

    def _counted(self, asked: Asked, here: KnownRound, later: RoundOrder | None) -> Outcomes:
        messages = counted(self._messages(here.order), here.proceeding)
        if later is not None:
            messages = [message for message in messages if message.department in later.participants]
        return self._verified(asked, here.order, messages, went_on=here.proceeding is not None)

    def _messages(self, order: RoundOrder) -> Sequence[analysts_pb2.Outcome]:
        fetched = self.transport.call(FETCH, analysts_pb2.FetchRequest(query=order.query))
        return fetched.rounds[order.number].outcomes if order.number < len(fetched.rounds) else ()

    def _verified(
        self,
        asked: Asked,
        order: RoundOrder,
        messages: Sequence[analysts_pb2.Outcome],
        *,
        went_on: bool = False,
    ) -> Outcomes:
        return verify_outcomes(
            messages,
            asked.query,
            order,
            asked.agreement,
            asked.authority,
            expected=Expected(_presented(asked, order), (asked.job.asked_at_s, int(self.patience.now()))),
            why_silent=WENT_ON if went_on else NOT_IN_TIME,
        )

    def _noting(self, job: Job) -> Tell:
        """Tell of progress, and remember whose approval a job waits for: `fedstats jobs` says so later."""
        noted = [job.sentence]

        def tell(progress: Progress) -> None:
            words = progress.approval_words
            if progress.departments and words != noted[-1]:
                self.jobs.note(job.query_hash, words)
                noted.append(words)
            self.tell(progress)

        return tell

    def _submit_and_follow(self, asked: Asked, order: RoundOrder, note: str = "") -> None:
        if self.patience.now() >= asked.query.deadline_s:
            return  # nobody may answer any more: what is there is what there will be
        reply = self.transport.call(SUBMIT, _submission(asked, order))
        if reply.HasField("registered"):  # what was answered before is replayed without the register
            _check_entry(reply.registered.entry.document, asked)
        job = asked.job.name
        patience = self.patience
        tell = self._noting(asked.job)
        progress = follow(self.transport, order, job=job, tell=tell, patience=patience, note=note)
        if progress.over or patience.now() >= asked.query.deadline_s:
            return
        raise still_waiting(progress, asked.agreement, asked.query.deadline_s)


def _check_entry(document: bytes, asked: Asked) -> None:
    """Return if the public is told of this question what follows from it; its place was proved before.

    Raises
    ------
    RegisterForked
        The register says something else: departments that demand the true entry answer nothing.

    """
    appointment = decode_appointment(asked.job.appointment.payload)
    if document != canonical_json(query_entry(asked.query, asked.first, appointment, asked.agreement)):
        raise RegisterForked("The public register says something else of your question than you signed.")


def _submission(asked: Asked, order: RoundOrder) -> analysts_pb2.SubmitRequest:
    """The question and this round of it, signed: the same bytes each time."""
    return analysts_pb2.SubmitRequest(
        query=signed_to(asked.job.query),
        round=signed_to(Signed.make(Context.ROUND, encode_round(order), asked.key)),
        appointment=signed_to(asked.job.appointment),
    )


def _presented(asked: Asked, order: RoundOrder) -> bytes:
    """The hash of what every node is to be shown of this round."""
    said = _submission(asked, order)
    phase = nodes_pb2.PHASE_COMPUTE
    shown = nodes_pb2.Task(query=said.query, round=said.round, appointment=said.appointment, phase=phase)
    return task_hash(shown)


def _check_unchanged(*, same: bool) -> None:
    if not same:
        raise RoundConflict(
            "The statistic no longer asks what was signed for this job.",
            remedy="Use the version of it that asked, or ask again as a new question.",
        )


def _check_disclosed(estimate: Estimate, query: Query) -> None:
    if estimate.disclosure is not query.disclosure:
        raise OutsideAgreement(
            f"The statistic did not keep to disclosure control {query.disclosure.value}, so its answer is "
            "not shown.",
            spent=Spent.CHARGED,
        )


def kept(problem: NetworkError, job: Job) -> NetworkError:
    """The same problem, with the word that nothing is lost."""
    problem.advice = f"{problem.advice} The question is kept: fedstats resume {job.name}".strip()
    return problem


def completed(asked: Asked, estimate: Estimate, history: Sequence[RoundResult], told: Told) -> Answer:
    """The estimate with who took part, what it cost and what it promises, and the question beside it."""
    query, agreement = asked.query, asked.agreement
    dataset = agreement.dataset(query.dataset)
    refusals: dict[str, Refusal] = {}
    for result in history:
        refusals |= result.absent
    for name in set(dataset.holders) - set(asked.first.participants):
        refusals[name] = _not_asked(asked, name)
    return Answer(
        replace(
            estimate,
            notes=(*estimate.notes, *revision_notes(query.edition, told.editions)),
            participants=_participants(dataset.holders, refusals),
            guarantee=guarantee_of(
                agreement, dataset, query.loss, query.contribution, len(asked.first.participants)
            ),
            cost=replace(
                cost_of(agreement, query.loss, query.contribution, left_ppm=told.left_ppm),
                free_at=tuple(sorted(set(history[-1].by_department or ()) - told.charged)),
                free=not told.charged and not any(refusal.charged for refusal in refusals.values()),
            ),
            job=asked.job.name,
        ),
        Question(
            text=query.statistic.parameters,
            agreement=agreement.id,
            agreement_version=agreement.version,
            title=agreement.title,
            purpose=query.purpose,
            purpose_text=_purpose_text(agreement, query.purpose),
            dataset=query.dataset,
            edition=query.edition,
        ),
        run_of(asked, history, told),
    )


def run_of(asked: Asked, history: Sequence[RoundResult], told: Told) -> Run:
    """What the guarantee of an answer is said about: its rounds, who released in them, and who did not."""
    appointment = decode_appointment(asked.job.appointment.payload)
    answered = tuple(
        AnsweredRound(
            result.round, hashes, {name: r.code for name, r in result.absent.items()}, result.values, editions
        )
        for result, hashes, editions in zip(history, told.hashes, told.editions, strict=True)
    )
    return Run(
        agreement=asked.agreement,
        agreement_hash=sha256(canonical_json(document_of(asked.agreement))).hex(),
        query=asked.query,
        query_hash=asked.job.query_hash.hex(),
        asked_by=f"{appointment.name}@{appointment.department}",
        asked_at_s=asked.job.asked_at_s,
        participants=asked.first.participants,
        rounds=answered,
        software=SOFTWARE,
        used_ppm=told.used_ppm,
        free_at=tuple(sorted(set(history[-1].by_department or ()) - told.charged)),
    )


def _not_asked(asked: Asked, department: str) -> Refusal:
    """Why a department that holds the dataset was not among those asked."""
    agreement = asked.agreement
    for record in asked.authority.versions(agreement.id):
        said = asked.authority.decisions(record).get(department)
        if record.agreement == agreement and said is not None and said.reason is not None:
            day = f"{datetime.fromtimestamp(said.at_s, UTC):%Y-%m-%d}"
            left = f"It withdrew from agreement {agreement.id} on {day}: {said.reason.words}."
            return Refusal(department, AgreementNotInForce.code, left)
    not_held = f"It does not hold edition {asked.query.edition}, so it was not asked."
    return Refusal(department, EditionMissing.code, not_held)


def _participants(holders: Sequence[str], refusals: Mapping[str, Refusal]) -> tuple[Participant, ...]:
    return tuple(Participant(name, refusals.get(name)) for name in sorted(holders))


def _purpose_text(agreement: Agreement, code: str) -> str:
    purpose = agreement.purpose(code)
    return purpose.text if purpose else ""

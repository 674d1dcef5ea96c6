"""What a node does with one task, from the signed question to the signed answer: the page for an auditor.

    verify   the analyst signed the query and this round; the agreement is in force here; its rules allow it
    register the public register lists the question, and says of it what was signed
    allow    the department has not paused, the deadline has not passed, and the ledger is the newest there is
    bind     this round has one content for ever, and the query's rounds share one loss
    plan     edition, sensitivity, noise and loss, from the signed question and public facts alone
    approve  where a person decides: nobody refused it, and as many as must approved it; else it waits
    find     a recorded release answers again, free
    reserve  both limits and the pace are checked and charged, durably    -- nothing was computed before this
    compute  exact integers from the edition, and noise on each of them
    wait     for the deadline, which public facts give (`punctual`): no clock tells what the data cost
    record   the signed release, durably; the first one is the one        -- nothing leaves before this
    send     only what is still allowed: verified anew each time, whatever was decided meanwhile

Up to `reserve` only public facts and the ledger decide, so no refusal depends on the data. After it the
answer has one shape, whatever the data are, or is one fixed refusal; what went wrong is in the local log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from fedstats.core.appointment import AppointedRole
from fedstats.core.query import Computation
from fedstats.core.rules import check_query, check_round
from fedstats.core.statistic import Mode
from fedstats.errors import (
    EditionMissing,
    FedstatsError,
    NodeFailed,
    NotAuthorised,
    NotOffered,
    OutsideAgreement,
    OutsideScope,
    Refused,
    Spent,
)
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.journal.events import TASK_FAILED
from fedstats.node.agreements import Agreements
from fedstats.node.approvals import Approvals, Question
from fedstats.node.asked import Asked, Due, Plan, Waits
from fedstats.node.caps import Cap, agreement_cap, caps_of
from fedstats.node.computing import Noise, Workbench, integers_max, released
from fedstats.node.editions import Editions
from fedstats.node.ledger import Charge, Ledger
from fedstats.node.pace import pace_of
from fedstats.node.policy import Policy
from fedstats.node.punctual import Punctual, period_s
from fedstats.node.refusing import alarmed, refused, signed_refusal
from fedstats.node.register_view import RegisterView
from fedstats.node.witness import Witnesses
from fedstats.wire.authority import verify_appointment
from fedstats.wire.codec import (
    computation_hash,
    decode_query,
    decode_round,
    record_key,
    signed_from,
    signed_to,
)
from fedstats.wire.codec.strict import sha256, to_bytes
from fedstats.wire.v1 import nodes_pb2, query_pb2, signed_pb2

RELEASE_INTEGERS_MAX = 1_900_000
"""So that a release fits the 16 MiB that the coordinator takes; checked before anything is charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs tasks, in several threads if need be; `checkpoint` hears the name of each step that is done."""

    department: str
    key: Callable[[], SigningKey]
    agreements: Agreements
    policy: Policy
    approvals: Approvals
    register: RegisterView
    editions: Editions
    ledger: Ledger
    witnesses: Witnesses
    bench: Workbench
    lifetime: Mapping[str, Cap]
    now: Callable[[], float]
    punctual: Punctual[Due]
    reply_deadline_s: int = 0
    checkpoint: Callable[[str], None] = lambda _: None

    def run(self, task: nodes_pb2.Task) -> nodes_pb2.ReportRequest:
        """Answer the task, with the recorded release or a signed refusal; no task's content raises.

        A report without an outcome says that the reply waits for its deadline: then `due` gives it.
        """
        begun_s = self.now()
        return self._report(task, lambda: self._answer(task, begun_s))

    def due(self) -> tuple[tuple[nodes_pb2.Task, nodes_pb2.ReportRequest], ...]:
        """The replies whose deadline has come, with their tasks; each once."""
        return tuple(
            (reply.task, self._report(reply.task, partial(self._waited, reply.plan, refusal)))
            for reply, refusal in self.punctual.due()
        )

    def verified(self, task: nodes_pb2.Task) -> Asked:
        """What a task asks, for whoever decides; raises FedstatsError: why it would be refused now."""
        return self._verify(task)

    def obstacle(self, asked: Asked) -> FedstatsError | None:
        """Why the question would be refused now, whatever people decide about it; nothing is charged."""
        try:
            self.policy.check(asked.query, now_s=int(self.now()))
            self._plan(asked)
        except FedstatsError as problem:
            return problem
        return None

    def _report(
        self, task: nodes_pb2.Task, answer: Callable[[], tuple[Plan, bytes] | Waits | None]
    ) -> nodes_pb2.ReportRequest:
        report = nodes_pb2.ReportRequest(task=task.id, lease_token=task.lease_token)
        try:
            answered = answer()
            if isinstance(answered, Waits):
                report.waiting.sentence = answered.sentence
            elif answered is not None:
                plan, release = answered
                report.release.CopyFrom(self._signed_now(release))
                report.budget.CopyFrom(self._budget(plan))
        except Exception as problem:  # noqa: BLE001 # whatever it was, it becomes one typed refusal
            refusal = refused(problem)
            alarmed(problem, task)
            report.refusal.CopyFrom(self._refusal(task, refusal, charged=refusal.spent is Spent.CHARGED))
        return report

    def allowed_now(self, task: nodes_pb2.Task, report: nodes_pb2.ReportRequest) -> nodes_pb2.ReportRequest:
        """The report as it may be sent at this moment: without a release that is not allowed any more.

        A pause, a withdrawal, a revocation or another opt-out list that came while the answer was computed,
        or while it could not be sent, holds it back, and a signed refusal goes in its place. The charge and
        the record stay: once the department allows it again, the recorded release answers.
        """
        if report.WhichOneof("outcome") != "release":
            return report
        allowed = nodes_pb2.ReportRequest(task=report.task, lease_token=report.lease_token)
        try:
            asked = self._verify(task)
            self.policy.check(asked.query, now_s=int(self.now()))
            self.witnesses.check()
            self._check_edition(asked, report)
            if (undecided := self._undecided(task, asked)) is not None:
                allowed.waiting.sentence = undecided.sentence
                return allowed
        except Exception as problem:  # noqa: BLE001 # what cannot be verified is not sent
            alarmed(problem, task)
            allowed.refusal.CopyFrom(self._refusal(task, refused(problem), charged=True))
            return allowed
        return report

    def _check_edition(self, asked: Asked, report: nodes_pb2.ReportRequest) -> None:
        """Raises EditionMissing where the release was made over a revision that was replaced meanwhile."""
        made_over = query_pb2.Release.FromString(report.release.payload).edition
        newest = self.editions.find(asked.agreement, asked.dataset, asked.query.edition)
        if newest.name != made_over:
            raise EditionMissing(
                f"The answer is from {made_over} of {asked.dataset.name}, which {newest.name} has replaced."
            )

    def recorded(self, asked: Asked) -> bool:
        """Whether the same was answered before, over what is here now; raises as it would be refused."""
        return self.ledger.find(self._plan(asked).record) is not None

    def _answer(self, task: nodes_pb2.Task, begun_s: float) -> tuple[Plan, bytes] | Waits | None:
        """The recorded release, found or just made; None where the reply waits for its deadline."""
        asked = self._verify(task)
        self.checkpoint("verify")
        self.register.check(task.registered, asked.query, asked.order, asked.appointment, asked.agreement)
        self.checkpoint("registered")
        self.policy.check(asked.query, now_s=int(self.now()))
        self.witnesses.check()
        self.checkpoint("allow")
        self.ledger.bind(asked.query_hash, asked.order, content=asked.order_hash)
        self.checkpoint("bind")
        plan = self._plan(asked)  # before `find`: what may not be answered anew is not answered again
        self.checkpoint("plan")
        if (undecided := self._undecided(task, asked)) is not None:  # nothing is reserved while it waits
            return undecided
        self.checkpoint("approve")
        reply = Due(task, plan)
        with self.punctual.turn:  # nothing is found before its time, and nobody begins what another began
            if self.punctual.joins(plan.record, reply):
                return None
            release = self.ledger.find(plan.record)
            self.checkpoint("find")
            if release is not None:
                return plan, release
            self.ledger.reserve(plan.charge, now_s=int(self.now()))
            waits = self.punctual.begin(plan.record, reply, begun_s=begun_s, period_s=plan.period_s)
        if not waits:
            return plan, self._recorded(plan, self._computed(plan))
        try:
            made = self._computed(plan)
        except NodeFailed as refusal:
            self.punctual.finish(plan.record, refusal)
        else:
            self.punctual.finish(plan.record, partial(self._settle, plan, made))
        return None

    def _undecided(self, task: nodes_pb2.Task, asked: Asked) -> Waits | None:
        """Whether people here still have to decide about the query; raises Vetoed, ApprovalsFull."""
        question = Question(
            query=asked.query_hash,
            agreement=asked.agreement.id,
            agreement_version=asked.agreement.version,
            analyst=asked.analyst,
            deadline_s=asked.query.deadline_s,
            task=task,
        )
        sentence = self.approvals.ask(question, now_s=int(self.now()))
        return Waits(sentence) if sentence else None

    def _signed_now(self, release: bytes) -> signed_pb2.Signed:
        """The recorded release under the node's key as it is today: the numbers stay, so it costs nothing."""
        message, key = signed_pb2.Signed.FromString(release), self.key()
        if message.key == key.public.raw:
            return message
        return signed_to(Signed.make(Context.RELEASE, message.payload, key))

    def _computed(self, plan: Plan) -> bytes:
        """Compute and sign; the charge is durable by now."""
        try:
            self.checkpoint("reserve")
            asked = plan.asked
            noisy = self.bench.compute(plan.edition.path, asked.computation, asked.dataset, plan.noise)
            self.checkpoint("compute")
            release = released(self.department, plan.computation, plan.edition.name, noisy)
            signed = Signed.make(Context.RELEASE, release, self.key())
            return to_bytes(signed_to(signed))
        except Exception as problem:  # noqa: BLE001 # no error may depend on the data
            TASK_FAILED(problem=problem, places=problem)
            raise NodeFailed from None

    def _recorded(self, plan: Plan, made: bytes) -> bytes:
        """Record, and give back what was recorded: the first release of this computation."""
        try:
            release = self.ledger.record(plan.record, made, now_s=int(self.now()))
            self.checkpoint("record")
        except Exception as problem:  # noqa: BLE001 # as above
            TASK_FAILED(problem=problem, places=problem)
            raise NodeFailed from None
        return release

    def _settle(self, plan: Plan, made: bytes) -> None:
        """Record when the outcome may be known; without a record the replies say that the node failed."""
        with suppress(NodeFailed):
            self._recorded(plan, made)

    def _waited(self, plan: Plan, refusal: Refused | None) -> tuple[Plan, bytes]:
        """What leaves at a deadline: the recorded release, or this refusal."""
        if refusal is not None:
            raise refusal
        release = self.ledger.find(plan.record)
        if release is None:
            raise NodeFailed
        return plan, release

    def _verify(self, task: nodes_pb2.Task) -> Asked:
        """Who asks, and what: believe nothing that the coordinator says.

        Raises
        ------
        FedstatsError
            A signature, the appointment, the agreement or one of its rules does not allow this.

        """
        signed_query, signed_order = signed_from(task.query), signed_from(task.round)
        query = decode_query(signed_query.verify(Context.QUERY))
        order = decode_round(signed_order.verify(Context.ROUND))
        query_hash = sha256(signed_query.payload)
        if signed_order.key != signed_query.key or order.query != query_hash:
            raise NotAuthorised("The round is not one of this query by the same analyst.")
        if task.phase != nodes_pb2.PHASE_COMPUTE or query.mode is not Mode.LOCAL:
            raise NotOffered("This department answers in local mode only.")
        agreement = self.agreements.in_force(query.agreement, query.agreement_version)
        appointment = verify_appointment(
            signed_from(task.appointment),
            AppointedRole.ANALYST,
            agreement,
            now_s=int(self.now()),
            revoked=self.agreements.revoked(agreement),
        )
        if appointment.key != signed_query.key.raw:
            raise NotAuthorised("The question is not signed with the key that was appointed.")
        check_query(agreement, query, self._today())
        check_round(agreement, query, order)
        if self.department not in order.participants:
            raise OutsideScope("This department is not among those that the analyst asked.")
        return Asked(
            query=query,
            query_hash=query_hash,
            order=order,
            order_hash=sha256(signed_order.payload),
            agreement=agreement,
            dataset=agreement.dataset(query.dataset),
            analyst=f"{appointment.name}@{appointment.department}",
            appointment=appointment,
            computation=Computation.of(query, order),
        )

    def _plan(self, asked: Asked) -> Plan:
        """What will be computed, with which noise, at which cost: from public facts only.

        Raises
        ------
        FedstatsError
            The edition is not here, the answer is too large, or the loss is too small or too great for it.

        """
        query, computation = asked.query, asked.computation
        integers = integers_max(computation, asked.dataset)
        if integers > RELEASE_INTEGERS_MAX:
            raise OutsideAgreement(
                f"The answer would have {integers} numbers; the most is {RELEASE_INTEGERS_MAX}."
            )
        agreement_cap, lifetime_cap = caps_of(asked.agreement, asked.dataset, self.lifetime)
        self.bench.rehearse(computation, asked.dataset)
        edition = self.editions.find(asked.agreement, asked.dataset, query.edition)
        hashed = computation_hash(computation)
        record = record_key(hashed, edition.name)
        return Plan(
            asked=asked,
            edition=edition,
            computation=hashed,
            record=record,
            noise=Noise.of(computation),
            period_s=period_s(self.reply_deadline_s, asked.dataset, integers),
            charge=Charge(
                computation=record,
                agreement=agreement_cap,
                lifetime=lifetime_cap,
                loss=computation.loss.charge(query.contribution.departments_max),
                mechanism=query.loss.mechanism,
                share=asked.order.round.share,
                query=asked.query_hash,
                round=asked.order.number,
                agreement_version=asked.agreement.version,
                dataset=query.dataset,
                edition=edition.name,
                purpose=query.purpose,
                analyst=asked.analyst,
                pace=pace_of(asked.agreement),
            ),
        )

    def _refusal(self, task: nodes_pb2.Task, refusal: Refused, *, charged: bool) -> signed_pb2.Signed:
        return signed_refusal(self.department, self.key(), task, refusal, charged=charged)

    def _budget(self, plan: Plan) -> query_pb2.Budget:
        """How full the agreement's budget is here, and whether this question charged it: both are public."""
        asked = plan.asked
        (status,) = self.ledger.status([agreement_cap(asked.agreement)])
        charged_by = self.ledger.charged_by(plan.record)
        return query_pb2.Budget(
            used_ppm=status.used_ppm,
            left_ppm=1_000_000 - status.used_ppm,
            free=charged_by != (asked.query_hash, asked.order.number),
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self.now(), UTC).date()

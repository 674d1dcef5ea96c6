"""What leaves a node is in its log first: each answer and each refusal, once.

How large the log can grow is in the hands of nobody who is anonymous. An answer or a refusal has an entry
of its own where an appointed analyst signed the question, once for each round and outcome, so the
coordinator can repeat a task as often as it likes. Whatever else is refused has one entry a day for each
code, and so have refusals beyond `REFUSALS_DAILY_MAX` a day, should somebody's stolen key sign so many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.privacy import Loss
from fedstats.core.query import Computation, Query, RoundOrder
from fedstats.errors import FedstatsError, NotAuthorised
from fedstats.identity.keys import Context
from fedstats.node.agreements import Agreements
from fedstats.node.caps import agreement_cap
from fedstats.node.ledger import Ledger
from fedstats.node.ledger_file import digest
from fedstats.node.log import Log
from fedstats.node.log_entries import (
    ANSWERED,
    CARRIED,
    CHARGED,
    REFUSED,
    UNLISTED,
    loss_document,
)
from fedstats.wire.codec import (
    computation_hash,
    decode_appointment,
    decode_query,
    decode_refusal,
    decode_round,
    record_key,
    signed_from,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import nodes_pb2, query_pb2

REFUSALS_DAILY_MAX = 10_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that an analyst signed whom a controller of an agreement accepted here appointed."""

    query: Query
    query_hash: bytes
    order: RoundOrder
    analyst: str

    def record(self, edition: str) -> bytes:
        """What an answer over this revision of its edition is charged and recorded under."""
        return record_key(computation_hash(Computation.of(self.query, self.order)), edition)

    def document(self, edition: str = "") -> dict[str, object]:
        """What answers and refusals say of it; an answer names the revision that it is about."""
        return {
            "query": self.query_hash.hex(),
            "round": self.order.number,
            "analyst": self.analyst,
            "agreement": self.query.agreement,
            "version": self.query.agreement_version,
            "purpose": self.query.purpose,
            "dataset": self.query.dataset,
            "edition": edition or self.query.edition,
        }


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Enters what is about to leave, and at a start whatever a crash kept from being entered."""

    log: Log
    ledger: Ledger
    agreements: Agreements
    now: Callable[[], float]

    def enter(self, task: nodes_pb2.Task, report: nodes_pb2.ReportRequest) -> None:
        """Enter the outcome of a report, before it leaves; again changes nothing.

        Raises
        ------
        FileProblem
            It could not be made durable: then nothing may leave.

        """
        if report.WhichOneof("outcome") == "release":
            self._answered(self._asked(task), report.release.payload)
        elif report.WhichOneof("outcome") == "refusal":
            note = decode_refusal(report.refusal.payload)
            self._refused(task, note.code, charged=note.charged)

    def catch_up(self) -> None:
        """Enter what the ledger tells of and the log does not; while nothing is being computed."""
        for carriage in self.ledger.carriages():
            document = {"ledger": carriage.witness.ledger.hex(), "links": carriage.witness.links}
            self._enter(CARRIED, document, once=digest("carried", carriage.ledger, carriage.link))
        for entry in self.ledger.entries():
            what = charge_key(entry.computation)
            if self.log.has(what):
                continue
            document = {
                "query": entry.query.hex(),
                "round": entry.round,
                "analyst": entry.analyst,
                "agreement": entry.agreement,
                "version": entry.agreement_version,
                "purpose": entry.purpose,
                "dataset": entry.dataset,
                "edition": entry.edition,
                "computation": entry.computation.hex(),
                "charge": loss_document(entry.loss),
            }
            self._enter(CHARGED, document, once=what)

    def _answered(self, asked: _Asked, payload: bytes) -> None:
        query, release = asked.query, sha256(payload)
        edition = query_pb2.Release.FromString(payload).edition
        record = asked.record(edition)
        once = digest("answered", asked.query_hash, asked.order.number, release)
        if self.log.has(once):
            return
        agreement = self.agreements.in_force(query.agreement, query.agreement_version)
        (status,) = self.ledger.status([agreement_cap(agreement)])
        loss = Computation.of(query, asked.order).loss.charge(query.contribution.departments_max)
        free = self.ledger.charged_by(record) != (asked.query_hash, asked.order.number)
        document = {
            **asked.document(edition),
            "computation": record.hex(),
            "release": release.hex(),
            "charge": None if free else loss_document(loss),
            "spent_before": loss_document(status.spent if free else _without(status.spent, loss)),
            "spent_after": loss_document(status.spent),
        }
        self._enter(ANSWERED, document, once=once, covers=charge_key(record))

    def _refused(self, task: nodes_pb2.Task, code: str, *, charged: bool) -> None:
        try:
            asked = self._asked(task)
        except FedstatsError:
            self._unlisted(code, "unverified")
            return
        once = digest("refused", asked.query_hash, asked.order.number, code, int(charged))
        if self.log.has(once):
            return
        now_s = int(self.now())
        if not charged and self.log.crowded(now_s=now_s, entries_max=REFUSALS_DAILY_MAX, within_s=DAY_S):
            self._unlisted(code, "too many")
            return
        document = {**asked.document(), "code": code, "charged": charged}
        covers = b""
        if charged and (record := self.ledger.charged_for(asked.query_hash, asked.order.number)) is not None:
            document["computation"], covers = record.hex(), charge_key(record)
        self._enter(REFUSED, document, once=once, covers=covers)

    def _unlisted(self, code: str, why: str) -> None:
        """One entry a day for each code."""
        day = f"{datetime.fromtimestamp(self.now(), UTC):%Y-%m-%d}"
        document: dict[str, object] = {"code": code, "day": day, "why": why}
        self._enter(UNLISTED, document, once=digest("unlisted", code, day, why))

    def _asked(self, task: nodes_pb2.Task) -> _Asked:
        """The question of a task, if somebody signed it who is or was appointed; raises FedstatsError."""
        signed_query, signed_order = signed_from(task.query), signed_from(task.round)
        query = decode_query(signed_query.verify(Context.QUERY))
        order = decode_round(signed_order.verify(Context.ROUND))
        query_hash = sha256(signed_query.payload)
        if signed_order.key != signed_query.key or order.query != query_hash:
            raise NotAuthorised
        appointment = self._appointment(task, query)
        if appointment.key != signed_query.key.raw:
            raise NotAuthorised
        return _Asked(query, query_hash, order, f"{appointment.name}@{appointment.department}")

    def _appointment(self, task: nodes_pb2.Task, query: Query) -> Appointment:
        """Who asks, by a controller of the agreement as it was accepted here, even if it was left since."""
        signed = signed_from(task.appointment)
        appointment = decode_appointment(signed.verify(Context.APPOINTMENT))
        controller = self.agreements.accepted(query.agreement).controller(appointment.department)
        if controller is None or controller.key != signed.key.raw:
            raise NotAuthorised
        if appointment.role is not AppointedRole.ANALYST:
            raise NotAuthorised
        return appointment

    def _enter(
        self, kind: str, document: dict[str, object], *, once: bytes = b"", covers: bytes = b""
    ) -> None:
        self.log.enter(kind, document, now_s=int(self.now()), once=once, covers=(covers,))


def _without(spent: Loss, loss: Loss) -> Loss:
    return Loss(spent.rho - loss.rho, spent.delta_add - loss.delta_add)


def charge_key(computation: bytes) -> bytes:
    """By which an entry is found that tells of the charge for a computation."""
    return digest("charge", computation)

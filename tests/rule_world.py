"""A federation whose coordinator shows one node what it likes, and an analyst whose client checks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from practices import with_practice
from samples import DEPARTMENTS, sample_agreement, sample_query, sample_round, seed_key

from fedstats.client.controller import sign_agreement
from fedstats.core.agreement import Agreement, OptOutTerms
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.query import RoundOrder, Scope
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.node.service import Node
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import COORDINATORS_KEY, Showing
from fedstats.testing.transport import HONEST
from fedstats.wire.codec import (
    RefusalNote,
    decode_refusal,
    encode_appointment,
    encode_query,
    encode_round,
    signed_from,
    signed_to,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2, nodes_pb2, signed_pb2

DAY_S = 86_400
EXEMPT = OptOutTerms(applies=False, reason="simulation")
BASE = sample_agreement(datasets=(with_practice(),), opt_out=EXEMPT)
_ORDER: Mapping[str, Any] = {
    "query": bytes(32),
    "number": 0,
    "round": sample_round(),
    "participants": DEPARTMENTS,
    "totals_before": b"",
}


@dataclass(frozen=True)
class Asking:
    """A question of somebody with a key, and what is unusual about it and about the appointment."""

    agreement: Agreement = BASE
    query: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    analyst: str = "a.smith@north"
    appointed_by: str = ""


@dataclass
class World:
    """A federation whose coordinator shows north's node whatever it likes."""

    fed: Federation
    ahead_s: int = 0

    @contextmanager
    def later(self, seconds: int, **mapping: object) -> Iterator[None]:
        """North's node after so much time, with its dataset's mapping changed, and asked then."""
        self.ahead_s = seconds
        (dataset,) = self.fed.node_config("north")["datasets"]
        changed = {key: value for key, value in {**dataset, **mapping}.items() if value is not None}
        self.fed.configure("north", datasets=[changed])
        self.fed.start_node("north", now=lambda: self.fed.clock() + self.ahead_s)
        try:
            yield
        finally:
            self.ahead_s = 0
            self.fed.configure("north", datasets=[dataset])
            self.fed.start_node("north")

    @property
    def now_s(self) -> int:
        """North's time."""
        return int(self.fed.clock()) + self.ahead_s

    @property
    def node(self) -> Node:
        """North's node."""
        return self.fed.nodes["north"]

    def agree(self, agreement: Agreement, *, signers: Sequence[str] = DEPARTMENTS) -> Agreement:
        """Sign an agreement with the federation's keys, publish it, and accept it at north."""
        agreed = self.published(agreement, signers)
        self.hear()
        self.accept(agreed)
        return agreed

    def published(self, agreement: Agreement, signers: Sequence[str] = DEPARTMENTS) -> Agreement:
        """The agreement with the federation's keys, signed and published by these controllers."""
        self.fed.relay = HONEST
        keys = {name: key.public.raw for name, key in self.fed.controllers.items()}
        named = tuple(replace(c, key=keys[c.department]) for c in agreement.controllers)
        agreed = replace(agreement, controllers=named)
        document = canonical_json(document_of(agreed))
        for name in signers:
            key = self.fed.controllers[name]
            self.fed.publish(name, "agreement", sign_agreement(key, name, agreed, document))
        return agreed

    def hear(self) -> None:
        """Let north hear what was published."""
        node = self.node
        node.agreements.learn(node.transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))

    def accept(self, agreement: Agreement) -> None:
        """Accept it at north."""
        id_, version = agreement.id, agreement.version
        assert self.node.agreements.accept(id_, version, lambda _: True, now_s=int(self.fed.clock()))

    def refresh(self, agreement: Agreement, *, revise: bool = False) -> None:
        """Make the edition of the agreement."""
        node = self.node
        (mapping,) = node.config.datasets
        node.editions.refresh(agreement, mapping, "2025-09", node.bench, revise=revise, now_s=self.now_s)

    def task(self, asking: Asking) -> nodes_pb2.Task:
        """The question, signed by its analyst."""
        name, _, department = asking.analyst.partition("@")
        key, now_s = seed_key(f"analyst {name}"), self.now_s
        order = RoundOrder(**{**_ORDER, **asking.order})
        dataset, where = asking.agreement.datasets[0], asking.query.get("where")
        usual = {
            "agreement": asking.agreement.id,
            "agreement_version": asking.agreement.version,
            "where": where,
            "scope": Scope.of(order.round.aggregates, where),
            "contribution": dataset.contribution(departments_max=2),
            "deadline_s": now_s + 3_600,
        }
        payload = encode_query(sample_query(**{**usual, **asking.query}))
        order_payload = encode_round(replace(order, query=sha256(payload)))
        appointment = Appointment(
            department, AppointedRole.ANALYST, name, key.public.raw, now_s - DAY_S, now_s + DAY_S
        )
        appointing = asking.appointed_by or department
        return nodes_pb2.Task(
            id="task",
            query=signed(key, Context.QUERY, payload),
            round=signed(key, Context.ROUND, order_payload),
            appointment=signed(
                self.fed.controllers.get(appointing, COORDINATORS_KEY),
                Context.APPOINTMENT,
                encode_appointment(appointment),
            ),
            attempt=1,
            phase=nodes_pb2.PHASE_COMPUTE,
            lease_token="lease",  # noqa: S106 # no secret
            expires_s=now_s + 60,
        )

    def says(self, asking: Asking) -> RefusalNote | None:
        """The node's refusal; None if it answers."""
        report = Showing("north").answer(self.fed, self.task(asking))
        if report.WhichOneof("outcome") == "release":
            return None
        return decode_refusal(signed_from(report.refusal).verify(Context.REFUSAL))

    def charges(self) -> int:
        """How often the node has charged."""
        return len(self.node.ledger.entries())

    def refused(self, asking: Asking, code: str, sentence: str) -> None:
        """Assert that the node says no like this, and that it cost nothing."""
        before = self.charges()
        refusal = self.says(asking)
        assert refusal is not None, "it was answered"
        assert (refusal.code, refusal.charged) == (code, False), refusal.sentence
        assert sentence in refusal.sentence
        assert self.charges() == before


def signed(key: SigningKey, context: Context, payload: bytes) -> signed_pb2.Signed:
    """A signed document as it travels."""
    return signed_to(Signed.make(context, payload, key))

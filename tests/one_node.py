"""One node of the sample agreement, with everything real but its engine, and an analyst who asks it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from samples import DEPARTMENTS, NOW_S, sample_agreement, sample_order, sample_query, seed_key

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.exact import Exact
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.evaluation import Row, TextRow
from fedstats.core.expression import Expression
from fedstats.core.log_head import REGISTER_KEEPER, LogHead
from fedstats.core.privacy import Contribution
from fedstats.core.query import Query, RoundOrder
from fedstats.core.schema import Dataset
from fedstats.engines import EditionOrder, EditionReport, Engine, Resources, SourceReport
from fedstats.engines.mapping import DatasetMapping, Source, SourceKind
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.node.approval_terms import PolicyTerms
from fedstats.node.config import LifetimeTerms, NodeConfig
from fedstats.node.home import Home
from fedstats.node.service import Node
from fedstats.transparency.tree import EMPTY_ROOT
from fedstats.wire.codec import (
    RefusalNote,
    ReleaseNote,
    decode_refusal,
    decode_release,
    encode_appointment,
    encode_log_head,
    encode_query,
    encode_round,
    signed_from,
    signed_to,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import agreements_pb2, nodes_pb2, signed_pb2

YEAR_S = 31_536_000
People = Sequence[Sequence[TextRow]]
_HEAD = LogHead(bytes(16), REGISTER_KEEPER, 0, EMPTY_ROOT, NOW_S)
REGISTER = agreements_pb2.HeadsReply(
    register_head=signed_to(Signed.make(Context.LOG_HEAD, encode_log_head(_HEAD), seed_key("register")))
)
"""A register without entries."""


def person(**columns: int | None) -> list[Row]:
    """A person with one row; a woman of 40 unless it says otherwise."""
    usual = {"age": 40, "cost": 100, "sex": 0, "started": 20_150, "urgent": 0, "postcode_area": 0}
    return [{**usual, **columns}]


PEOPLE: People = [person(age=20 + i % 60, sex=i % 2) for i in range(200)]


@dataclass
class ReferenceEngine:
    """An engine over rows in memory: the integer reference itself."""

    people: People = field(default_factory=lambda: PEOPLE)
    name: str = "reference"
    description: str = "The integer reference, for tests."
    before_compute: Callable[[], None] = lambda: None

    def source_columns(self, source: Source, resources: Resources) -> tuple[str, ...]:
        """None that are asked for."""
        raise NotImplementedError

    def diagnose(self, mapping: DatasetMapping, dataset: Dataset, resources: Resources) -> SourceReport:
        """Nothing that is asked for."""
        raise NotImplementedError

    def make_edition(
        self, mapping: DatasetMapping, dataset: Dataset, order: EditionOrder, resources: Resources
    ) -> EditionReport:
        """A file that says that there is one."""
        del mapping, dataset, resources
        order.into.write_text(order.edition)
        rows = len(self.people)
        return EditionReport(rows, 0, 0, 0, 0, 0, 0, rows, ())

    def find_values(
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
    ) -> Iterator[Exact]:
        """The reference, one value at a time."""
        del contribution, key, resources
        assert edition.exists()
        column = aggregate.open_key(dataset)
        assert column is not None
        texts = {row[column.name] for rows in self.people for row in rows}
        for text in texts:
            if isinstance(text, str):
                selection = aggregate.selection(dataset)
                exact = selection.reference(self.people, dataset, where, [text])
                yield Exact((exact.vectors[0][:1],), (text,))

    def compute(  # as the engine's contract
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
        values: Sequence[str] = (),
    ) -> Exact:
        """The reference."""
        del contribution, key, resources
        assert edition.exists()
        self.before_compute()
        return aggregate.reference(self.people, dataset, where, values)

    def rehearse(self, *_: object, **__: object) -> None:
        """Nothing is written that could fail."""

    def explain(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> str:
        """No SQL: the reference is Python."""
        del aggregate, dataset, where, contribution
        return ""


def published(agreement: Agreement, signers: Sequence[str] = DEPARTMENTS) -> agreements_pb2.AgreementRecord:
    """The agreement as the coordinator relays it, signed by these departments' controllers."""
    document = canonical_json(document_of(agreement))
    keys = [seed_key(f"controller {name}") for name in signers]
    signatures = [
        signed_pb2.Signed(key=key.public.raw, signature=key.sign(Context.AGREEMENT, document)) for key in keys
    ]
    return agreements_pb2.AgreementRecord(document=document, signatures=signatures)


def sample_mapping(folder: Path) -> DatasetMapping:
    """Where the sample dataset is, with an opt-out list of today if there is none."""
    opt_outs = folder / "optout.txt"
    if not opt_outs.exists():
        opt_outs.write_text("")
        os.utime(opt_outs, (NOW_S, NOW_S))
    source = Source(SourceKind.CSV, folder / "rtt.csv")
    return DatasetMapping("rtt", source, person="nhs_number", opt_out_list=opt_outs)


def make_home(folder: Path, agreement: Agreement | None = None, *, engine: Engine | None = None) -> Home:
    """A home of north's node, with every controller's key compared and the agreement accepted."""
    home = Home(folder / "home")
    home.create("north", key=seed_key("node north"))
    for name in DEPARTMENTS:
        home.trust.trust(name, seed_key(f"controller {name}").public.fingerprint)
    agreed = agreement or sample_agreement()
    with open_node(home, engine=engine) as node:
        node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[published(agreed)]))
        node.agreements.accept(agreed.id, agreed.version, lambda _: True, now_s=NOW_S)
        mapping = replace(sample_mapping(folder), opt_out_kind=agreed.opt_out.list_kind)
        node.editions.refresh(agreed, mapping, "2025-09", node.bench, revise=False, now_s=NOW_S)
    return home


def open_node(home: Home, *, engine: Engine | None = None, **settings: Any) -> Node:
    """The node of this home, at the tests' time, replying at once; `settings` replace the configuration's."""
    lifetime = {"nhs_number": LifetimeTerms(Fraction(20), Fraction(1, 10**6))}
    now = settings.pop("now", lambda: NOW_S)
    checkpoint = settings.pop("checkpoint", lambda _: None)
    transport = settings.pop("transport", None)
    policy = replace(settings.pop("policy", PolicyTerms()), register_proof=False)  # nobody keeps a register
    usual = {"datasets": (sample_mapping(home.path.parent),), "lifetime": lifetime, "reply_deadline_s": 0}
    config = NodeConfig(**{**usual, **settings, "policy": policy})
    return Node(home, config, transport, now=now, engine=engine or ReferenceEngine(), checkpoint=checkpoint)


@dataclass(frozen=True)
class Analyst:
    """Somebody whom a controller appointed."""

    name: str = "a.smith"
    department: str = "north"

    @property
    def key(self) -> SigningKey:
        """The analyst's key."""
        return seed_key(f"analyst {self.name}")

    def appointment(self, controller: str = "", **changes: Any) -> signed_pb2.Signed:
        """The controller's word; `changes` replace its fields."""
        fields = {
            "department": self.department,
            "role": AppointedRole.ANALYST,
            "name": self.name,
            "key": self.key.public.raw,
            "from_s": NOW_S - YEAR_S,
            "until_s": NOW_S + YEAR_S,
        }
        payload = encode_appointment(Appointment(**{**fields, **changes}))
        signer = seed_key(f"controller {controller or self.department}")
        return signed_to(Signed.make(Context.APPOINTMENT, payload, signer))

    def task(self, query: Query | None = None, order: RoundOrder | None = None) -> nodes_pb2.Task:
        """A task of this query and round, the sample ones by default, as the coordinator hands it out."""
        payload = encode_query(query or sample_query())
        round_payload = encode_round(order or sample_order(sha256(payload)))
        return nodes_pb2.Task(
            id="task",
            query=signed_to(Signed.make(Context.QUERY, payload, self.key)),
            round=signed_to(Signed.make(Context.ROUND, round_payload, self.key)),
            appointment=self.appointment(),
            attempt=1,
            phase=nodes_pb2.PHASE_COMPUTE,
            lease_token="lease",  # noqa: S106 # no secret
            expires_s=NOW_S + 60,
        )


def release_of(report: nodes_pb2.ReportRequest) -> ReleaseNote:
    """The release in a report, whose signature is the node's."""
    assert report.WhichOneof("outcome") == "release", refusal_of(report)
    signed = signed_from(report.release)
    assert signed.key == seed_key("node north").public
    return decode_release(signed.verify(Context.RELEASE))


def refusal_of(report: nodes_pb2.ReportRequest) -> RefusalNote:
    """The refusal in a report, whose signature is the node's."""
    assert report.WhichOneof("outcome") == "refusal"
    signed = signed_from(report.refusal)
    assert signed.key == seed_key("node north").public
    return decode_refusal(signed.verify(Context.REFUSAL))

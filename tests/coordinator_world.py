"""A coordinator in one process with three nodes and an analyst that have joined: where its tests start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
from samples import DEPARTMENTS, NOW_S, sample_agreement, sample_order, sample_query, seed_key

from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Limits
from fedstats.coordinator.service import Coordinator
from fedstats.coordinator.store import Store
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import Acceptance, AppointedRole, Appointment, Revocation
from fedstats.core.log_head import Cosignature, LogHead
from fedstats.core.query import Computation, Proceeding, Query, RoundOrder
from fedstats.core.reason import Reason
from fedstats.identity.certificates import make_authority
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.testing.clock import ManualClock
from fedstats.wire import codec, methods
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2, signed_pb2

AUTHORITY = make_authority("Waiting times", now=datetime.fromtimestamp(NOW_S, UTC))
AGREEMENT = sample_agreement()
DOCUMENT = canonical_json(document_of(AGREEMENT))
ANALYST_KEY = seed_key("a.smith")
ANALYST = Peer(Role.ANALYST, "a.smith")
AUDITOR = Peer(Role.AUDITOR, "ico")
NODES = {name: Peer(Role.NODE, name) for name in DEPARTMENTS}
CONTROLLERS = {name: Peer(Role.CONTROLLER, name) for name in DEPARTMENTS}
HOLDING = nodes_pb2.Holding(agreement="RTT-2026", agreement_version=1, dataset="rtt", edition="2025-09")


@dataclass
class World:
    """The coordinator, its clock, and every topic that it rang."""

    store: Store = field(default_factory=Store.in_memory)
    clock: ManualClock = field(default_factory=lambda: ManualClock(float(NOW_S)))
    limits: Limits = field(default_factory=Limits)
    rung: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the coordinator over the store."""
        numbers = count(1)
        self.coordinator = Coordinator.of(
            self.store,
            AUTHORITY,
            key=seed_key("register"),
            now=self.clock,
            limits=self.limits,
            ring=self.rung.append,
            token=lambda: f"token {next(numbers)}",
        )

    @property
    def admission(self) -> Admission:
        """What lets members in."""
        return self.coordinator.admission

    def lease(self, department: str, **fields: object) -> nodes_pb2.Task | None:
        """Ask for work as a node; None if there is none."""
        request = nodes_pb2.LeaseRequest(**fields)  # type: ignore[arg-type]  # a table of fields
        reply = self.coordinator.call(methods.LEASE, request, NODES[department])
        return reply.task if reply.HasField("task") else None

    def report(self, department: str, **fields: object) -> None:
        """Answer as a node."""
        request = nodes_pb2.ReportRequest(**fields)  # type: ignore[arg-type]  # a table of fields
        self.coordinator.call(methods.REPORT, request, NODES[department])

    def submit(self, request: analysts_pb2.SubmitRequest, peer: Peer = ANALYST) -> bytes:
        """Ask as an analyst; the query's hash."""
        return self.coordinator.call(methods.SUBMIT, request, peer).query

    def watch(self, query: bytes, number: int = 0, seen: int = 0) -> analysts_pb2.WatchReply:
        """How a round stands."""
        request = analysts_pb2.WatchRequest(query=query, number=number, seen=seen)
        return self.coordinator.call(methods.WATCH, request, ANALYST)

    def states(self, query: bytes, number: int = 0) -> dict[str, str]:
        """The state of every department of a round."""
        return {
            task.department: analysts_pb2.TaskState.Name(task.state).removeprefix("TASK_STATE_").lower()
            for task in self.watch(query, number).tasks
        }

    def fetch(self, query: bytes) -> analysts_pb2.FetchReply:
        """Everything of a query."""
        return self.coordinator.call(methods.FETCH, analysts_pb2.FetchRequest(query=query), ANALYST)

    def proceed(
        self, query: bytes, participants: Sequence[str], left_out: Sequence[str], *, number: int = 0
    ) -> None:
        """Go on without some departments, as the analyst who asked."""
        said = Proceeding(query, number, tuple(participants), tuple(left_out))
        signed = Signed.make(Context.PROCEEDING, codec.encode_proceeding(said), ANALYST_KEY)
        request = analysts_pb2.ProceedRequest(proceeding=codec.signed_to(signed))
        self.coordinator.call(methods.PROCEED, request, ANALYST)

    def register(self) -> list[agreements_pb2.RegisterEntry]:
        """The whole public register, as an analyst reads it."""
        reply = self.coordinator.call(
            methods.REGISTER, agreements_pb2.RegisterRequest(entries_max=1_000), ANALYST
        )
        return list(reply.entries)

    def publish(self, peer: Peer, **document: signed_pb2.Signed) -> int:
        """Publish a document; the new revision."""
        request = agreements_pb2.PublishRequest(**document)
        return self.coordinator.call(methods.PUBLISH, request, peer).revision


def ready_world(
    store: Store | None = None, limits: Limits | None = None, *, document: bytes = DOCUMENT
) -> World:
    """A world in which all nodes have joined and the sample agreement, or another, is signed by all."""
    world = World(store=store or Store.in_memory(), limits=limits or Limits())
    for peer in (*NODES.values(), ANALYST):
        join(world, peer)
    for department, signed in zip(DEPARTMENTS, agreement_signatures(document), strict=True):
        world.publish(CONTROLLERS[department], agreement=codec.signed_to(signed))
    world.rung.clear()
    return world


def join(world: World, peer: Peer, key: TlsKey | None = None) -> signed_pb2.JoinReply:
    """Invite somebody and use the token."""
    token = world.admission.invite(peer, address="stats.example:8443", lifetime=timedelta(days=1), again=True)
    method = methods.JOIN_NODE if peer.role is Role.NODE else methods.JOIN_ANALYST
    request = signed_pb2.JoinRequest(certificate_request=(key or TlsKey.generate()).request())
    return world.coordinator.call(method, request, Peer(Role.JOIN, token.token_id))


def agreement_signatures(document: bytes = DOCUMENT) -> Iterable[Signed]:
    """Every controller's signature under an agreement."""
    return [Signed.make(Context.AGREEMENT, document, seed_key(f"controller {name}")) for name in DEPARTMENTS]


def appointment(by: str = "north", **changes: object) -> Signed:
    """The appointment of a.smith by north's controller; `changes` replace its fields."""
    fields: dict[str, object] = {
        "department": "north",
        "role": AppointedRole.ANALYST,
        "name": "a.smith",
        "key": ANALYST_KEY.public.raw,
        "from_s": NOW_S - 10,
        "until_s": NOW_S + 10_000_000,
    }
    made = Appointment(**{**fields, **changes})  # type: ignore[arg-type]  # a table of fields
    return Signed.make(Context.APPOINTMENT, codec.encode_appointment(made), seed_key(f"controller {by}"))


def acceptance(department: str, at_s: int, *, withdrawn: bool = False, document: bytes = DOCUMENT) -> Signed:
    """A node's word that its department accepted the sample agreement, or withdrew."""
    reason = Reason.GOVERNANCE if withdrawn else None
    said = Acceptance(department, sha256(document), withdrawn, at_s, reason)
    return Signed.make(Context.ACCEPTANCE, codec.encode_acceptance(said), seed_key(f"node {department}"))


def submission(
    query: Query | None = None,
    *,
    key: SigningKey = ANALYST_KEY,
    appointed: Signed | None = None,
    **order: object,
) -> analysts_pb2.SubmitRequest:
    """The sample query with a round of it, signed; `order` replaces fields of the round."""
    payload = codec.encode_query(query or sample_query())
    ordered = sample_order(**{"query_hash": sha256(payload), **order})  # type: ignore[arg-type]  # a table of fields
    return analysts_pb2.SubmitRequest(
        query=codec.signed_to(Signed.make(Context.QUERY, payload, key)),
        round=codec.signed_to(Signed.make(Context.ROUND, codec.encode_round(ordered), key)),
        appointment=codec.signed_to(appointed or appointment()),
    )


def second_round(**order: object) -> analysts_pb2.SubmitRequest:
    """The second round of the sample query."""
    return submission(**{"number": 1, "totals_before": b"t" * 32, **order})  # type: ignore[arg-type]  # the round's fields


def revoked_appointment(world: World) -> analysts_pb2.SubmitRequest:
    """A question by an analyst whose appointment its controller revoked."""
    said = codec.encode_revocation(Revocation("north", ANALYST_KEY.public.raw, NOW_S, "left"))
    signed = Signed.make(Context.REVOCATION, said, seed_key("controller north"))
    world.publish(CONTROLLERS["north"], revocation=codec.signed_to(signed))
    return submission()


def appoint_nodes(world: World) -> None:
    """Each controller appoints its department's node, so that what the nodes sign about logs counts."""
    for department in DEPARTMENTS:
        said = appointment(
            by=department,
            department=department,
            role=AppointedRole.NODE,
            name=department,
            key=seed_key(f"node {department}").public.raw,
        )
        world.publish(CONTROLLERS[department], appointment=codec.signed_to(said))


def log_head(
    department: str, size: int, *, root: bytes = bytes(32), log: bytes = bytes(16)
) -> signed_pb2.Signed:
    """The head of a department's own log, signed by its node."""
    payload = codec.encode_log_head(LogHead(log, department, size, root, NOW_S))
    return codec.signed_to(Signed.make(Context.LOG_HEAD, payload, seed_key(f"node {department}")))


def cosignature(world: World, department: str, *, root: bytes = b"", at_s: int = NOW_S) -> signed_pb2.Signed:
    """A node's word that it saw the register's present head; with another `root`, that it saw another."""
    head = codec.decode_log_head(heads(world).register_head.payload)
    said = Cosignature(department, head.log, head.size, root or head.root, at_s)
    signed = Signed.make(Context.COSIGNATURE, codec.encode_cosignature(said), seed_key(f"node {department}"))
    return codec.signed_to(signed)


def heads(world: World) -> agreements_pb2.HeadsReply:
    """What the coordinator shows of heads, as an auditor sees it."""
    return world.coordinator.call(methods.HEADS, agreements_pb2.HeadsRequest(), AUDITOR)


def release(task: nodes_pb2.Task, department: str, *, first: int = 0, cells: int = 2) -> signed_pb2.Signed:
    """A node's release of a task of the sample query: two measures over the sexes, counting from `first`."""
    vector = np.arange(first, first + cells, dtype=np.int64)
    note = codec.ReleaseNote(department, computation_of(task), "2025-09", ((vector, vector),), bytes(16))
    signed = Signed.make(Context.RELEASE, codec.encode_release(note), seed_key(f"node {department}"))
    return codec.signed_to(signed)


def refusal(
    task: nodes_pb2.Task, department: str, code: str = "FS-206", sentence: str = "The department has paused."
) -> signed_pb2.Signed:
    """A node's refusal of a task."""
    order = codec.decode_round(task.round.payload)
    note = codec.RefusalNote(
        department,
        order.query,
        order.number,
        code,
        sentence,
        charged=False,
        presented=codec.task_hash(task),
    )
    signed = Signed.make(Context.REFUSAL, codec.encode_refusal(note), seed_key(f"node {department}"))
    return codec.signed_to(signed)


def computation_of(task: nodes_pb2.Task) -> bytes:
    """What a release of this task must be of."""
    query: Query = codec.decode_query(task.query.payload)
    order: RoundOrder = codec.decode_round(task.round.payload)
    return codec.computation_hash(Computation.of(query, order))

"""An analyst with her own home, and departments that answer over the real wire without noise, or badly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator_world import (
    ANALYST,
    ANALYST_KEY,
    CONTROLLERS,
    NODES,
    World,
    appointment,
    computation_of,
    ready_world,
    refusal,
)
from samples import DEPARTMENTS, NOW_S, sample_agreement, sample_dataset, seed_key

from fedstats.client.home import Config, Home
from fedstats.client.session import Session, connect
from fedstats.core.appointment import AppointedRole
from fedstats.core.evaluation import Row
from fedstats.core.statistic import Vectors
from fedstats.identity.key_files import write_key
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.testing.transport import SimulatedNetwork
from fedstats.wire import codec, methods
from fedstats.wire.method import Method, Reply, Request, Transport
from fedstats.wire.v1 import nodes_pb2, query_pb2, signed_pb2

People = Sequence[Sequence[Row]]
Answer = Callable[[nodes_pb2.Task, str], nodes_pb2.ReportRequest | None]
"""What a department does with a task; None: nothing at all."""

EDITION_HOLDERS = dict.fromkeys(DEPARTMENTS, ("2025-09",))
PERSON: Row = {"age": 40, "cost": 8, "sex": 0, "started": 20_100, "urgent": 1, "postcode_area": 0}


def people(count: int, **columns: int | None) -> People:
    """So many people with one row each; `columns` replace codes of the sample row."""
    return [[{**PERSON, **columns}] for _ in range(count)]


def exact_vectors(task: nodes_pb2.Task, rows: People) -> Vectors:
    """What the integer reference computes: a release whose noise happens to be 0."""
    order, query = codec.decode_round(task.round.payload), codec.decode_query(task.query.payload)
    dataset = sample_agreement().dataset(query.dataset)
    return tuple(
        aggregate.reference(rows, dataset, query.where).vectors for aggregate in order.round.aggregates
    )


def signed_release(
    department: str, computation: bytes, vectors: Vectors, *, key: str = "", edition: str = "2025-09"
) -> signed_pb2.Signed:
    """A release as a node signs it; `key` names another key than the node's."""
    note = codec.ReleaseNote(department, computation, edition, vectors, bytes(16))
    signer = seed_key(key or f"node {department}")
    return codec.signed_to(Signed.make(Context.RELEASE, codec.encode_release(note), signer))


def releasing(rows: People, *, left_ppm: int = 600_000) -> Answer:
    """A department that holds these people and answers everything."""

    def answer(task: nodes_pb2.Task, department: str) -> nodes_pb2.ReportRequest:
        budget = query_pb2.Budget(used_ppm=1_000_000 - left_ppm, left_ppm=left_ppm)
        edition = codec.decode_query(task.query.payload).edition
        signed = signed_release(department, computation_of(task), exact_vectors(task, rows), edition=edition)
        return nodes_pb2.ReportRequest(release=signed, budget=budget)

    return answer


def refusing(code: str = "FS-207", sentence: str = "The department decided against this question.") -> Answer:
    """A department that says no."""

    def answer(task: nodes_pb2.Task, department: str) -> nodes_pb2.ReportRequest:
        return nodes_pb2.ReportRequest(refusal=refusal(task, department, code, sentence))

    return answer


def silent(_task: nodes_pb2.Task, _department: str) -> None:
    """A department that takes a task and never answers."""


class Tampering:
    """A coordinator that changes what it relays, as far as signatures let it."""

    def __init__(self, honest: Transport, change: Callable[[Any], None]) -> None:
        """Carry calls honestly, but for one change to every reply."""
        self._honest = honest
        self._change = change

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry one call."""
        reply = self._honest.call(method, request, timeout_s)
        self._change(reply)
        return reply


@dataclass
class AnalystWorld:
    """The coordinator's world, the analyst's home, and what each department does."""

    home: Home
    answers: dict[str, Answer]
    editions: Mapping[str, Sequence[str]] = field(default_factory=lambda: EDITION_HOLDERS)
    world: World = field(default_factory=ready_world)
    patience_s: float = 120.0

    def __post_init__(self) -> None:
        """Appoint everybody, announce editions, and trust the controllers in the analyst's home."""
        self.world.publish(CONTROLLERS["north"], appointment=codec.signed_to(appointment()))
        for name in DEPARTMENTS:
            key = seed_key(f"node {name}").public.raw
            node = appointment(name, department=name, role=AppointedRole.NODE, name=name, key=key)
            self.world.publish(CONTROLLERS[name], appointment=codec.signed_to(node))
            self.announce(name)
        self.home.prepare()
        for controller in sample_agreement().controllers:
            self.home.trust.trust(controller.department, PublicKey(controller.key).fingerprint)
        write_key(self.home.signing_key_file, ANALYST_KEY)
        self.home.write_config(Config(address="stats.example:8443", role="analyst", name="a.smith"))

    def announce(self, department: str) -> None:
        """Say which editions a department holds."""
        self.world.lease(department, holdings=self._holdings(department))

    def session(self) -> Session:
        """A session over a network without faults; waiting lets time pass and the departments work."""
        network = SimulatedNetwork(lambda: self.world.coordinator, ANALYST)
        return connect(self.home.folder, transport=network, now=self.world.clock, pause=self.pause)

    def pause(self, seconds: float) -> None:
        """Let time pass, then every department take what there is."""
        self.world.clock.pass_s(seconds)
        self.world.coordinator.tick()
        for name, answer in self.answers.items():
            self._work(name, answer)

    def _work(self, name: str, answer: Answer) -> None:
        request = nodes_pb2.LeaseRequest(holdings=self._holdings(name))
        reply = self.world.coordinator.call(methods.LEASE, request, NODES[name])
        if not reply.HasField("task"):
            return
        report = answer(reply.task, name)
        if report is not None:
            report.task, report.lease_token = reply.task.id, reply.task.lease_token
            self.world.coordinator.call(methods.REPORT, report, NODES[name])

    def _holdings(self, department: str) -> list[nodes_pb2.Holding]:
        return [
            nodes_pb2.Holding(agreement="RTT-2026", agreement_version=1, dataset="rtt", edition=edition)
            for edition in self.editions[department]
        ]


def analyst_world(folder: Path, **answers: Answer) -> AnalystWorld:
    """Everybody is ready; departments that are not named answer with 100 people of 40."""
    default = {name: releasing(people(100)) for name in DEPARTMENTS}
    return AnalystWorld(Home.at(folder), {**default, **answers})


__all__ = [
    "NOW_S",
    "AnalystWorld",
    "Tampering",
    "analyst_world",
    "exact_vectors",
    "people",
    "refusing",
    "releasing",
    "sample_dataset",
    "signed_release",
    "silent",
]

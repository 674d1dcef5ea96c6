"""What a runner knows of a question: who asks what, how it will be answered, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.core.agreement import Agreement
from fedstats.core.appointment import Appointment
from fedstats.core.query import Computation, Query, RoundOrder
from fedstats.core.schema import Dataset
from fedstats.node.computing import Noise
from fedstats.node.editions import Edition
from fedstats.node.ledger import Charge
from fedstats.wire.v1 import nodes_pb2


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified question: everything in it was signed by an analyst and is allowed by the agreement."""

    query: Query
    query_hash: bytes
    order: RoundOrder
    order_hash: bytes
    agreement: Agreement
    dataset: Dataset
    analyst: str
    appointment: Appointment
    computation: Computation


@dataclass(frozen=True, slots=True)
class Plan:
    """How the question will be answered, and what that costs.

    `computation` is the hash of what is computed, and `record` that with the revision of the edition that it
    is computed over: the answer is recorded under it, whoever asks.
    """

    asked: Asked
    edition: Edition
    computation: bytes
    record: bytes
    noise: Noise
    charge: Charge
    period_s: int


@dataclass(frozen=True, slots=True)
class Waits:
    """The question waits for a person; `sentence` says for whom."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Due:
    """A reply that waits for its deadline."""

    task: nodes_pb2.Task
    plan: Plan

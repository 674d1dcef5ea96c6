"""What attacks share: what an analyst is told, what was charged, a true task in the wrong hands."""

from __future__ import annotations

import pytest

from fedstats.client.answer import Answer
from fedstats.core.estimate import Value
from fedstats.errors import StillWaiting
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import of
from fedstats.testing.transport import HONEST, Relay
from fedstats.wire.v1 import nodes_pb2


def charges(fed: Federation) -> dict[str, int]:
    """How many charges each ledger holds."""
    return {name: len(node.ledger.entries()) for name, node in fed.nodes.items()}


def told(answer: Answer) -> tuple[float, frozenset[str]]:
    """What the analyst is told: the number, and who is absent from it."""
    cell = answer.table.rows[0].cells[0]
    assert isinstance(cell, Value)
    return cell.value, frozenset(p.refusal.department for p in answer.participants if p.refusal)


def counted(fed: Federation, sql: str) -> tuple[float, frozenset[str]]:
    """Ask, and say what the analyst is told."""
    with fed.session() as session:
        return told(session.query(sql, epsilon="0.5", wait_s=600))


def task_for(fed: Federation, department: str, sql: str) -> nodes_pb2.Task:
    """The true task of a new question, which the coordinator gives to no node."""
    taken: list[nodes_pb2.Task] = []

    def take(reply: nodes_pb2.LeaseReply) -> None:
        if reply.HasField("task"):
            taken.append(nodes_pb2.Task.FromString(reply.task.SerializeToString()))
            reply.ClearField("task")

    fed.relay = Relay(leaving=of(nodes_pb2.LeaseReply, take))
    with fed.session() as session, pytest.raises(StillWaiting):
        session.query(sql, epsilon="0.1", wait_s=0)
    fed.nodes[department].poll_once()
    fed.relay = HONEST
    return taken[-1]

"""A coordinator that hides and replays: vetoes, withdrawals, approvals, versions, controllers' keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attacked import charges, counted, task_for
from google.protobuf.message import Message
from waiting import federation

from fedstats.client.controller import sign_agreement
from fedstats.core.agreement import Agreement, Purpose
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.reason import Reason
from fedstats.errors import AgreementNotInForce, CoordinatorUnreachable
from fedstats.identity.peer import Peer
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import Showing
from fedstats.testing.transport import Relay
from fedstats.wire import codec
from fedstats.wire.codec.strict import sha256
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt WHERE age <= {}"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Federation]:
    """A federation of this test's own, which people change."""
    with federation(tmp_path, nodes_min=2) as made:
        yield made


def hide_outcomes_of(department: str) -> Relay:
    """Nobody hears what the department said: no outcome, no pause; its tasks look answered."""

    def change(_peer: Peer, message: Message) -> None:
        if isinstance(message, analysts_pb2.FetchReply):
            for record in message.rounds:
                kept = [o for o in record.outcomes if o.department != department]
                del record.outcomes[:]
                record.outcomes.extend(kept)
        elif isinstance(message, analysts_pb2.CatalogueReply):
            for node in message.nodes:
                node.paused = ""
        elif isinstance(message, analysts_pb2.WatchReply):
            for task in message.tasks:
                if task.department == department:
                    task.state, task.sentence = analysts_pb2.TASK_STATE_RELEASED, ""

    return Relay(leaving=change)


def swallow_acceptances(_peer: Peer, message: Message) -> None:
    """Nobody hears what a department decided about an agreement."""
    if isinstance(message, agreements_pb2.PublishRequest) and message.HasField("acceptance"):
        raise CoordinatorUnreachable("It never arrived.")


@pytest.mark.parametrize("veto", ["pause", "withdrawal"])
def test_a_hidden_veto_still_holds(own: Federation, veto: str) -> None:
    """Nobody hears of it, and west still answers nothing: what is shown is its absence, never a number."""
    west = own.nodes["west"]
    if veto == "pause":
        west.policy.pause(Reason.LEGAL, now_s=int(own.clock()))
    else:
        own.relay = Relay(arriving=swallow_acceptances)
        west.withdraw(own.agreement.id)
    before = charges(own)
    hidden = hide_outcomes_of("west")
    own.relay = replace(hidden, arriving=swallow_acceptances)
    _, absent = counted(own, COUNT.format(41))
    assert absent == {"west"}
    after = charges(own)
    assert (after["north"], after["west"]) == (before["north"] + 1, before["west"])


def second_version(fed: Federation) -> Agreement:
    """A version that allows another purpose, signed by all and published; nobody accepted it yet."""
    wider = replace(
        fed.agreement, version=2, purposes=(*fed.agreement.purposes, Purpose("marketing", "To sell."))
    )
    document = canonical_json(document_of(wider))
    for department, key in fed.controllers.items():
        fed.publish(department, "agreement", sign_agreement(key, department, wider, document))
    return wider


def test_a_question_counts_under_its_own_version_alone(own: Federation) -> None:
    """Asked under version 1, it is answered under no other; none counts before it is accepted here."""
    first, showing = task_for(own, "north", COUNT.format(42)), Showing("north")
    wider, before = second_version(own), charges(own)
    north = own.nodes["north"]
    north.agreements.learn(north.transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))
    assert [agreement.version for agreement in north.in_force()] == [1]
    with pytest.raises(AgreementNotInForce):
        north.agreements.in_force(wider.id, 2)
    query = codec.decode_query(first.query.payload)
    forged = nodes_pb2.Task.FromString(first.SerializeToString())
    forged.query.payload = codec.encode_query(replace(query, agreement_version=2, purpose="marketing"))
    assert refused(own, showing, forged) == "FS-201"
    north.agreements.accept(wider.id, 2, lambda _: True, now_s=int(own.clock()))
    assert refused(own, showing, forged) == "FS-201"
    assert refused(own, showing, first) == "FS-202", "version 1 has ended here"
    assert charges(own) == before


def refused(fed: Federation, showing: Showing, task: nodes_pb2.Task) -> str:
    """The code with which the node refuses it."""
    said = showing.answer(fed, task)
    assert said.WhichOneof("outcome") == "refusal"
    return codec.decode_refusal(said.refusal.payload).code


def test_an_approval_is_of_one_question_and_ends_with_a_refusal(own: Federation) -> None:
    """The coordinator shows another question in its place, or the same one after a person took it back."""
    own.configure("north", policy={"decide": "each"})
    north, now_s = own.start_node("north"), int(own.clock())
    tasks, showing = [task_for(own, "north", COUNT.format(age)) for age in (43, 44)], Showing("north")
    for task in tasks:
        assert showing.answer(own, task).WhichOneof("outcome") == "waiting"
    query = sha256(tasks[0].query.payload)
    north.approvals.approve(query, None, now_s=now_s)
    assert showing.answer(own, tasks[1]).WhichOneof("outcome") == "waiting"
    swapped = nodes_pb2.Task.FromString(tasks[1].SerializeToString())
    swapped.query.CopyFrom(tasks[0].query)  # the approved query over the other one's round
    assert refused(own, showing, swapped) == "FS-201"
    north.approvals.refuse(query, Reason.PURPOSE, now_s=now_s)
    assert refused(own, showing, tasks[0]) == "FS-207"
    assert charges(own)["north"] == 0

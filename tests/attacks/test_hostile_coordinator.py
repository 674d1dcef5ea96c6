"""A coordinator that lies to everybody: it edits, forges, replays, hides and swaps, and gains nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from attacked import charges, task_for, told
from google.protobuf.message import Message
from two_rounds import Twice

from fedstats.core.agreement_document import agreement_from_json, canonical_json, document_of
from fedstats.errors import FedstatsError
from fedstats.identity.keys import Context
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import COORDINATORS_KEY, Showing, forgeries, of, signed_by_coordinator
from fedstats.testing.mutations import mutations
from fedstats.testing.transport import HONEST, Relay
from fedstats.wire import codec
from fedstats.wire.codec.strict import sha256
from fedstats.wire.methods import FETCH, FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2, query_pb2, signed_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt WHERE age <= {}"
PARTS: dict[str, tuple[type[Message], Context]] = {
    "query": (query_pb2.Query, Context.QUERY),
    "round": (query_pb2.Round, Context.ROUND),
    "appointment": (signed_pb2.Appointment, Context.APPOINTMENT),
}


def edited(task: nodes_pb2.Task) -> Iterator[tuple[str, nodes_pb2.Task]]:
    """The task with each of its signed documents forged in each way, one at a time."""
    for part, (kind, context) in PARTS.items():
        for path, forged in forgeries(getattr(task, part), kind, context):
            copy = nodes_pb2.Task.FromString(task.SerializeToString())
            getattr(copy, part).CopyFrom(forged)
            yield f"{part}: {path}", copy


def test_no_edit_of_a_question_gets_an_answer(fed: Federation) -> None:
    """Purpose, epsilon, columns, participants, appointment: each field edited in turn is refused, free."""
    task, showing, before = task_for(fed, "north", COUNT.format(11)), Showing("north"), charges(fed)
    tried = list(edited(task))
    paths = " ".join(path for path, _ in tried)
    for field in ("purpose", "loss.amount", "scope.columns", "participants", "until_s", "agreement_version"):
        assert field in paths
    for path, forged in tried:
        said = showing.answer(fed, forged)
        assert said.WhichOneof("outcome") == "refusal", path
        refusal = codec.decode_refusal(said.refusal.payload)
        assert (refusal.code, refusal.charged) == ("FS-201", False), path
        assert refusal.presented != codec.task_hash(task), path
    assert charges(fed) == before
    assert showing.answer(fed, task).WhichOneof("outcome") == "release"  # none took the true one's place


def wholly_forged(task: nodes_pb2.Task, appointment: signed_pb2.Signed) -> nodes_pb2.Task:
    """The question anew, for another purpose's sake, signed by the coordinator under this appointment."""
    query = replace(codec.decode_query(task.query.payload), nonce=bytes(16))
    payload = codec.encode_query(query)
    order = replace(codec.decode_round(task.round.payload), query=sha256(payload))
    copy = nodes_pb2.Task.FromString(task.SerializeToString())
    copy.query.CopyFrom(signed_by_coordinator(payload, Context.QUERY))
    copy.round.CopyFrom(signed_by_coordinator(codec.encode_round(order), Context.ROUND))
    copy.appointment.CopyFrom(appointment)
    return copy


def test_a_question_that_the_coordinator_signs_itself_is_nobodys(fed: Federation) -> None:
    """With the analyst's appointment, with one that it made, or with one of its node: always refused."""
    task, showing, before = task_for(fed, "north", COUNT.format(12)), Showing("north"), charges(fed)
    said = codec.decode_appointment(task.appointment.payload)
    own = codec.encode_appointment(replace(said, key=COORDINATORS_KEY.public.raw))
    appointments = (
        task.appointment,
        signed_by_coordinator(own, Context.APPOINTMENT),
        signed_pb2.Signed(payload=own, key=task.appointment.key, signature=task.appointment.signature),
    )
    for appointment in appointments:
        refusal = showing.answer(fed, wholly_forged(task, appointment)).refusal
        assert codec.decode_refusal(refusal.payload).code == "FS-201"
    assert charges(fed) == before


def later(task: nodes_pb2.Task, number: int) -> bytes:
    """The same round as one that comes later."""
    order = codec.decode_round(task.round.payload)
    return codec.encode_round(replace(order, number=number, totals_before=b"t" * 32))


def test_a_later_round_is_the_analysts_or_none(fed: Federation) -> None:
    """A second round that the coordinator makes up, or takes from another question, is refused, uncharged."""
    with fed.session() as session:
        name = session.run(Twice(threshold=41), epsilon="0.2", wait_s=600).job
        (job,) = (job for job in session.jobs() if job.name == name)
        request = analysts_pb2.FetchRequest(query=job.query_hash, statements_only=True)
        true = session.transport.call(FETCH, request).rounds
    assert len(true) == 2
    before, showing, task = charges(fed), Showing("north"), task_for(fed, "north", COUNT.format(13))
    for forged in (
        signed_by_coordinator(later(task, 1), Context.ROUND),
        signed_pb2.Signed(payload=later(task, 1), key=task.round.key, signature=task.round.signature),
        *(known.round for known in true),  # signed by the analyst, of another question
    ):
        copy = nodes_pb2.Task.FromString(task.SerializeToString())
        copy.round.CopyFrom(forged)
        said = showing.answer(fed, copy)
        assert codec.decode_refusal(said.refusal.payload).code == "FS-201"
    assert charges(fed) == before


def test_no_edit_of_an_answer_is_believed(fed: Federation) -> None:
    """Each field of what a department answered, edited in turn: it is absent, never another number."""
    sent: list[analysts_pb2.Outcome] = []

    def hide(reply: analysts_pb2.FetchReply) -> None:
        for record in reply.rounds:
            sent.extend(outcome for outcome in record.outcomes if outcome.department == "west")
            kept = [outcome for outcome in record.outcomes if outcome.department != "west"]
            del record.outcomes[:]
            record.outcomes.extend(kept)

    fed.relay = Relay(leaving=of(analysts_pb2.FetchReply, hide))
    with fed.session() as session:
        first = session.query(COUNT.format(14), epsilon="0.1", wait_s=60)
        without, absent = told(first)
        assert absent == {"west"}
        west = sent[-1]
        whole = [(path, outcome) for path, outcome in mutations(west) if not path.startswith("budget")]
        forged = [
            (path, analysts_pb2.Outcome(department="west", release=release))
            for path, release in forgeries(west.release, query_pb2.Release, Context.RELEASE)
        ]
        assert len(forged) > 40
        for path, outcome in (*whole, *forged):
            fed.relay = Relay(leaving=of(analysts_pb2.FetchReply, partial(_put, outcome)))
            assert told(session.resume(first.job)) == (without, frozenset({"west"})), path
        fed.relay = HONEST
        value, absent = told(session.resume(first.job))
        assert (value != without, absent) == (True, frozenset())


def _put(outcome: analysts_pb2.Outcome, reply: analysts_pb2.FetchReply) -> None:
    """Put this in west's place."""
    for record in reply.rounds:
        for place, found in enumerate(record.outcomes):
            if found.department == "west":
                record.outcomes[place].CopyFrom(outcome)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document that holds a text, a number or a truth value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def edited_agreements(document: bytes) -> Iterator[tuple[str, bytes]]:
    """The agreement with one value changed at a time, in canonical form."""
    for path in leaves(json.loads(document)):
        copy = json.loads(document)
        place = copy
        for key in path[:-1]:
            place = place[key]
        old = place[path[-1]]
        if isinstance(old, bool):
            changes: tuple[object, ...] = (not old,)
        elif isinstance(old, int):
            changes = (old + 1, old - 1)
        else:
            changes = (f"{old}1", COORDINATORS_KEY.public.raw.hex())
        for new in changes:
            place[path[-1]] = new
            yield ".".join(map(str, path)), canonical_json(copy)


def test_no_edit_of_an_agreement_counts(fed: Federation) -> None:
    """Each value of it, edited in turn: no department is offered that text, no analyst asks under it."""
    true = canonical_json(document_of(fed.agreement))
    edits = [(path, document) for path, document in edited_agreements(true) if _is_agreement(document)]
    assert {"purposes.0.code", "privacy.epsilon", "controllers.1.key", "datasets.0.columns.0.name"} <= {
        path for path, _ in edits
    }
    with fed.session() as session:
        honest = session.authority().records
    for _, document in edits:
        fed.relay = Relay(leaving=of(agreements_pb2.AuthorityReply, partial(_rewrite, document)))
        with fed.session() as session, pytest.raises(FedstatsError):
            session.dataset("rtt")
    north = fed.nodes["north"]
    fed.relay = Relay(leaving=of(agreements_pb2.AuthorityReply, partial(_all_of, [d for _, d in edits])))
    north.agreements.learn(north.transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))
    known = north.agreements.all()
    assert len(known) > 40, "the edits are shown as proposals"
    names = {(standing.agreement.id, standing.agreement.version) for standing in known}
    assert {s.unsigned for s in known if s.hash != sha256(true)} == {fed.agreement.departments}
    for name in sorted(names):  # asked for by name, the true text alone is offered
        with suppress(FedstatsError):
            assert north.agreements.proposal(*name).hash == sha256(true)
    assert [agreement.id for agreement in north.in_force()] == [fed.agreement.id]
    assert north.in_force()[0] == honest[0].agreement == fed.agreement


def _is_agreement(document: bytes) -> bool:
    try:
        agreement_from_json(document)
    except FedstatsError:
        return False
    return True


def _rewrite(document: bytes, reply: agreements_pb2.AuthorityReply) -> None:
    for record in reply.agreements:
        record.document = document


def _all_of(documents: list[bytes], reply: agreements_pb2.AuthorityReply) -> None:
    """Beside the true one, all these, under its signatures."""
    for document in documents:
        record = reply.agreements.add()
        record.CopyFrom(reply.agreements[0])
        record.document = document

"""Leasing and reporting: what a node gets, and what becomes of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from coordinator_world import (
    ANALYST,
    HOLDING,
    NODES,
    World,
    acceptance,
    ready_world,
    refusal,
    release,
    submission,
)
from samples import NOW_S, sample_query
from suite_log import Happened

from fedstats.core.query import Query
from fedstats.errors import MessageInvalid, NotFound, NotPermitted, SignatureInvalid
from fedstats.identity.peer import Peer, Role
from fedstats.journal.security import OUTCOME_CONFLICTED
from fedstats.wire import codec, methods
from fedstats.wire.method import Method
from fedstats.wire.v1 import analysts_pb2, nodes_pb2, query_pb2


@pytest.fixture
def world() -> World:
    """All have joined and the agreement is signed."""
    return ready_world()


def leased(world: World, department: str) -> nodes_pb2.Task:
    """The department's next task, which must be there."""
    task = world.lease(department)
    assert task is not None
    return task


def test_a_question_reaches_every_participant_and_its_answers_the_analyst(world: World) -> None:
    """Each node gets the signed bytes as submitted; the analyst gets each release as it was signed."""
    request = submission()
    query = world.submit(request)
    signed = {}
    for department in NODES:
        task = leased(world, department)
        assert (task.query, task.round, task.appointment) == (
            request.query,
            request.round,
            request.appointment,
        )
        assert task.phase == nodes_pb2.PHASE_COMPUTE
        assert task.id == f"{query.hex()[:32]}-0-{department}"
        signed[department] = release(task, department)
        budget = query_pb2.Budget(used_ppm=18_000, left_ppm=610_000)
        world.report(
            department, task=task.id, lease_token=task.lease_token, release=signed[department], budget=budget
        )
    fetched = world.fetch(query)
    assert fetched.query == request.query
    assert fetched.rounds[0].round == request.round
    assert {outcome.department: outcome.release for outcome in fetched.rounds[0].outcomes} == signed
    assert {outcome.budget.left_ppm for outcome in fetched.rounds[0].outcomes} == {610_000}


def test_a_task_is_leased_once_until_its_lease_ends(world: World) -> None:
    """Nobody works twice on one task, and a task whose node died is offered again under a new token."""
    world.submit(submission())
    first = leased(world, "north")
    assert first.expires_s == NOW_S + 60
    assert world.lease("north") is None
    world.clock.pass_s(59)
    assert world.lease("north") is None
    world.clock.pass_s(1)
    again = leased(world, "north")
    assert again.id == first.id
    assert again.lease_token != first.lease_token
    assert (first.attempt, again.attempt) == (1, 2)


def test_a_late_answer_under_an_old_lease_counts(world: World) -> None:
    """A node that was slower than its lease is heard; the answer is the same whoever holds the lease."""
    query = world.submit(submission())
    first = leased(world, "north")
    world.clock.pass_s(60)
    again = leased(world, "north")
    world.report("north", task=first.id, lease_token=first.lease_token, release=release(first, "north"))
    assert world.states(query)["north"] == "released"
    version = world.watch(query).version
    world.report("north", task=again.id, lease_token=again.lease_token, release=release(again, "north"))
    assert world.watch(query).version == version


def test_the_first_outcome_stays(world: World, noted: list[Happened]) -> None:
    """A second, different answer is dropped and noted, and the reporting node is told that all is well."""
    query = world.submit(submission())
    task = leased(world, "north")
    world.report("north", task=task.id, lease_token="", release=release(task, "north"))
    world.report("north", task=task.id, lease_token="", release=release(task, "north", first=100))
    world.report("north", task=task.id, lease_token="", refusal=refusal(task, "north"))
    (outcome,) = world.fetch(query).rounds[0].outcomes
    assert outcome.release == release(task, "north")
    assert [event for event, _ in noted].count(OUTCOME_CONFLICTED) == 2


def test_a_parked_task_comes_back_when_its_people_decided(world: World) -> None:
    """Waiting ends the lease; the decision, named in any later Lease, brings the task again."""
    query = world.submit(submission())
    task = leased(world, "north")
    waiting = nodes_pb2.Waiting(sentence="Somebody must approve it.")
    world.report("north", task=task.id, lease_token=task.lease_token, waiting=waiting)
    assert world.states(query)["north"] == "waiting"
    assert world.watch(query).tasks[0].sentence == "Somebody must approve it."
    world.clock.pass_s(1_000)
    assert world.lease("north") is None
    decision = nodes_pb2.Decision(task=task.id, approved=True)
    again = world.lease("north", decisions=[decision])
    assert again is not None
    assert again.id == task.id
    assert world.lease("north", decisions=[decision]) is None


def test_a_parked_task_that_its_node_does_not_know_comes_back(world: World) -> None:
    """A node that was rebuilt, or whose records were restored, is asked again: nobody waits for nobody."""
    query, me = world.submit(submission()), {"instance": b"1"}
    task = leased(world, "north")
    waiting = nodes_pb2.Waiting(sentence="Somebody must approve it.")
    world.report("north", task=task.id, lease_token=task.lease_token, waiting=waiting)
    assert world.lease("north", **me, waiting=[task.id]) is None
    assert world.lease("north", **me, running=[task.id]) is None  # its word of waiting is on its way still
    assert world.states(query)["north"] == "waiting"
    again = world.lease("north", **me)
    assert again is not None
    assert again.id == task.id


def test_a_late_word_of_waiting_parks_nothing(world: World) -> None:
    """A delayed message under an old token must not take the task from whoever works on it now."""
    query = world.submit(submission())
    task = leased(world, "north")
    world.clock.pass_s(60)
    leased(world, "north")
    world.report(
        "north", task=task.id, lease_token=task.lease_token, waiting=nodes_pb2.Waiting(sentence="Wait.")
    )
    assert world.states(query)["north"] == "leased"


def test_nothing_is_leased_from_the_deadline_on_but_answers_are_taken(world: World) -> None:
    """A question ends at its deadline for who has not begun; what was paid for in time is still heard."""
    query = world.submit(submission())
    task = leased(world, "north")
    world.clock.pass_s(3_600)
    assert world.lease("north") is None
    assert world.lease("south") is None
    world.report("north", task=task.id, lease_token=task.lease_token, release=release(task, "north"))
    assert world.states(query)["north"] == "released"


def test_a_task_that_failed_often_does_not_block_the_others(world: World) -> None:
    """Tasks that were leased least come first, so one that kills its node cannot hold up the rest."""
    world.submit(submission())
    poison = leased(world, "north")
    later = world.submit(submission(nonce_query(2)))
    world.clock.pass_s(60)
    assert leased(world, "north").id.startswith(later.hex()[:32])
    assert leased(world, "north").id == poison.id


def nonce_query(number: int) -> Query:
    """Another question: the same with another nonce."""
    return sample_query(nonce=bytes([number]) * 16)


@pytest.mark.parametrize("department", ["south", "west"])
def test_a_node_answers_for_itself_only(world: World, department: str) -> None:
    """Another department's certificate cannot answer a task, not even with a well-signed release."""
    world.submit(submission())
    task = leased(world, "north")
    with pytest.raises(NotFound):
        world.report(department, task=task.id, lease_token=task.lease_token, release=release(task, "north"))


def test_only_an_answer_to_this_task_is_taken(world: World) -> None:
    """A release or refusal of something else, too large, or signed as something else is refused."""
    query = world.submit(submission())
    other = world.submit(submission(nonce_query(2)))
    task, second = leased(world, "north"), leased(world, "north")
    assert {task.id[:32], second.id[:32]} == {query.hex()[:32], other.hex()[:32]}
    wrong: list[dict[str, Any]] = [
        {"release": release(task, "south")},
        {"release": release(task, "north", cells=3)},
        {"refusal": refusal(second, "north")},
        {"refusal": refusal(task, "south")},
        {"secagg": b"later"},
        {},
        {"waiting": nodes_pb2.Waiting(sentence="a\x00b")},
        {"refusal": refusal(task, "north"), "budget": query_pb2.Budget(used_ppm=1_000_001)},
    ]
    for fields in wrong:
        with pytest.raises(MessageInvalid):
            world.report("north", task=task.id, lease_token=task.lease_token, **fields)
    with pytest.raises(SignatureInvalid):
        world.report("north", task=task.id, release=refusal(task, "north"))
    assert set(world.states(query).values()) == {"leased", "offered"}


def test_roles_open_their_own_methods_only(world: World) -> None:
    """An analyst cannot lease, a node cannot submit, a token can only join."""
    closed: list[tuple[Method[Any, Any], Peer]] = [
        (methods.LEASE, ANALYST),
        (methods.SUBMIT, NODES["north"]),
        (methods.REGISTER, Peer(Role.JOIN, "0" * 20)),
    ]
    for method, peer in closed:
        with pytest.raises(NotPermitted):
            world.coordinator.call(method, method.request(), peer)


def test_the_catalogue_says_who_holds_what_and_when_they_were_seen(world: World) -> None:
    """What a node announced last counts, and its last call is known to the second."""
    world.lease("north", holdings=[HOLDING], software="fedstats 0.1")
    world.clock.pass_s(30)
    world.lease("north", holdings=[HOLDING], software="fedstats 0.1")
    world.lease("south", holdings=[HOLDING, HOLDING])
    world.lease("south")
    reply = world.coordinator.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest(), ANALYST)
    nodes = {node.department: node for node in reply.nodes}
    assert list(nodes["north"].holdings) == [HOLDING]
    assert nodes["north"].seen_s == NOW_S + 30
    assert list(nodes["south"].holdings) == []
    assert nodes["west"].seen_s == 0
    (stored,) = [member for member in world.store.members.all() if member.name == "north"]
    assert stored.software == "fedstats 0.1"


def test_a_lease_says_when_there_is_something_new_to_fetch(world: World) -> None:
    """The revision that comes with every reply grows with each document, and only then."""

    def revision() -> int:
        reply = world.coordinator.call(methods.LEASE, nodes_pb2.LeaseRequest(), NODES["west"])
        return reply.authority_revision

    before = revision()
    assert revision() == before
    world.publish(NODES["north"], acceptance=codec.signed_to(acceptance("north", NOW_S)))
    assert revision() == before + 1


def test_whoever_waits_is_woken(world: World) -> None:
    """Each change rings: the nodes that could work, and the analysts who follow the round."""
    query = world.submit(submission())
    assert set(world.rung) == {"offers north", "offers south", "offers west"}
    world.rung.clear()
    leased(world, "north")
    assert world.rung == [f"progress {query.hex()} 0"]
    world.rung.clear()
    world.clock.pass_s(60)
    world.coordinator.tick()
    assert set(world.rung) == {f"progress {query.hex()} 0", "offers north"}


def test_the_register_says_how_each_round_ended(world: World) -> None:
    """Once all have answered: who did, who refused with which code, and one hash over everything."""
    world.submit(submission())
    for department in NODES:
        task = leased(world, department)
        answer = (
            {"refusal": refusal(task, "west", "FS-214", "No.")}
            if department == "west"
            else {"release": release(task, department)}
        )
        world.report(department, task=task.id, lease_token=task.lease_token, **answer)
    entry = world.register()[-1]
    document = json.loads(entry.document)
    assert entry.kind == "outcome"
    assert document["released"] == ["north", "south"]
    assert document["refused"] == {"west": "FS-214"}
    assert document["missing"] == []
    assert len(document["hash"]) == 64


def test_the_register_says_who_was_silent(world: World) -> None:
    """When the deadline passes with answers missing, the public can read which, once."""
    world.submit(submission())
    task = leased(world, "north")
    world.report("north", task=task.id, lease_token=task.lease_token, release=release(task, "north"))
    world.clock.pass_s(3_600)
    world.coordinator.tick()
    world.coordinator.tick()
    entries = [json.loads(entry.document) for entry in world.register() if entry.kind == "outcome"]
    assert [entry["missing"] for entry in entries] == [["south", "west"]]


def test_a_node_that_was_started_anew_gets_its_tasks_at_once(world: World) -> None:
    """What a dead process had leased is offered to its successor, without waiting for the lease to end."""
    world.submit(submission())
    task = world.lease("north", instance=b"first")
    assert task is not None
    again = world.lease("north", instance=b"second")
    assert again is not None
    assert (again.id, again.attempt) == (task.id, 2)
    assert again.lease_token != task.lease_token


def test_a_task_whose_lease_was_lost_on_the_way_comes_again(world: World) -> None:
    """The same process that does not know of a task gets it again; one that works on it is left alone."""
    world.submit(submission())
    task = world.lease("north", instance=b"first")
    assert task is not None
    assert world.lease("north", instance=b"first", running=[task.id]) is None
    assert world.lease("south", instance=b"other") is not None
    again = world.lease("north", instance=b"first", running=[])
    assert again is not None
    assert again.id == task.id
    world.report("north", task=task.id, lease_token=task.lease_token, release=release(task, "north"))
    assert world.lease("north", instance=b"second") is None


def test_whoever_says_nothing_of_its_tasks_loses_none(world: World) -> None:
    """A request without an instance ends no lease, and one of another department neither."""
    world.submit(submission())
    assert world.lease("north", instance=b"first") is not None
    assert world.lease("north") is None
    assert world.lease("south", instance=b"other") is not None
    assert world.states(world.submit(submission()))["north"] == "leased"

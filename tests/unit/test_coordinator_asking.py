"""Whose a query is, how much one analyst may ask, and what a repeated round is checked for again."""

from __future__ import annotations

import pytest
from coordinator_world import (
    ANALYST_KEY,
    CONTROLLERS,
    World,
    ready_world,
    refusal,
    revoked_appointment,
    second_round,
    submission,
)
from samples import NOW_S, sample_query, seed_key

from fedstats.coordinator.config import Limits
from fedstats.core.appointment import Revocation
from fedstats.core.query import StatisticLabel
from fedstats.errors import AppointmentInvalid, NotFound, RoundConflict, TooLarge
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.wire import codec, methods
from fedstats.wire.v1 import analysts_pb2


@pytest.fixture
def world() -> World:
    """All have joined and the agreement is signed."""
    return ready_world()


def test_one_analyst_asks_so_many_questions_a_day() -> None:
    """Deadlines that pass at once make no room: what counts is when the questions came."""
    world = ready_world(limits=Limits(queries_per_day_max=2))
    for number in (1, 2):
        world.submit(submission(sample_query(nonce=bytes([number]) * 16, deadline_s=NOW_S + 1)))
    world.clock.pass_s(10)
    with pytest.raises(TooLarge, match="24 hours"):
        world.submit(submission(sample_query(nonce=b"3" * 16)))
    world.clock.pass_s(86_400)
    world.submit(submission(sample_query(nonce=b"4" * 16, deadline_s=NOW_S + 90_000)))


def test_a_query_with_all_its_rounds_is_bounded() -> None:
    """Later rounds count together with the first, so that many of them store no more than one may."""
    query = sample_query(statistic=StatisticLabel("table", "1", "x" * 2_000))
    free = ready_world()
    stored = free.store.questions.stored_bytes(free.submit(submission(query)))
    free.submit(second_round(query=query))
    world = ready_world(limits=Limits(query_bytes_max=stored + 10))
    world.submit(submission(query))
    with pytest.raises(TooLarge, match="together"):
        world.submit(second_round(query=query))


BROWN = Peer(Role.ANALYST, "b.brown")


def test_only_the_analyst_who_submitted_sees_a_query(world: World) -> None:
    """Another analyst, who knows the hash from the register, reads neither its answers nor its progress."""
    query = world.submit(submission())
    watching = analysts_pb2.WatchRequest(query=query)
    for statements_only in (False, True):
        request = analysts_pb2.FetchRequest(query=query, statements_only=statements_only)
        with pytest.raises(NotFound):
            world.coordinator.call(methods.FETCH, request, BROWN)
    with pytest.raises(NotFound):
        world.coordinator.call(methods.WATCH, watching, BROWN)
    with pytest.raises(NotFound):
        world.coordinator.polls[methods.WATCH].idle(watching, BROWN)
    assert world.fetch(query).HasField("query")


def test_another_analyst_cannot_submit_a_signed_round_again(world: World) -> None:
    """Whoever saw the signed bytes has not asked with them."""
    world.submit(submission())
    for request in (submission(), second_round()):
        with pytest.raises(RoundConflict, match="another analyst"):
            world.submit(request, BROWN)


def refused_once(world: World) -> bytes:
    """A query that north refused for a reason which may have ended."""
    query = world.submit(submission())
    task = world.lease("north")
    assert task is not None
    world.report("north", task=task.id, lease_token=task.lease_token, refusal=refusal(task, "north"))
    return query


def test_asking_again_needs_an_appointment_that_still_holds(world: World) -> None:
    """Once the appointment is revoked, a repeated round is offered to nobody."""
    query = refused_once(world)
    revoked_appointment(world)
    with pytest.raises(AppointmentInvalid):
        world.submit(submission())
    assert world.states(query)["north"] == "refused"


def test_a_revocation_is_found_among_many(world: World) -> None:
    """However many other revocations were published before and after, the one of this key counts."""
    request = submission()
    for number in range(20):
        if number == 10:
            revoked_appointment(world)
        for department in ("north", "south"):
            said = Revocation(department, bytes([number]) * 32, NOW_S, "left")
            payload, key = codec.encode_revocation(said), seed_key(f"controller {department}")
            signed = Signed.make(Context.REVOCATION, payload, key)
            world.publish(CONTROLLERS[department], revocation=codec.signed_to(signed))
    with pytest.raises(AppointmentInvalid, match="revoked"):
        world.submit(request)


def test_another_departments_revocation_ends_nothing(world: World) -> None:
    """Only the controller who appointed revokes."""
    said = codec.encode_revocation(Revocation("south", ANALYST_KEY.public.raw, NOW_S, "spite"))
    signed = Signed.make(Context.REVOCATION, said, seed_key("controller south"))
    world.publish(CONTROLLERS["south"], revocation=codec.signed_to(signed))
    world.submit(submission())

"""Going on without departments, at the coordinator: who may, when, and what becomes of what they answer."""

from __future__ import annotations

import json

import pytest
from coordinator_world import (
    ANALYST,
    ANALYST_KEY,
    World,
    ready_world,
    refusal,
    release,
    second_round,
    submission,
)
from samples import NOW_S, seed_key

from fedstats.core.query import Proceeding
from fedstats.errors import (
    DeadlinePassed,
    FedstatsError,
    NotFound,
    OutsideAgreement,
    RoundConflict,
    SignatureInvalid,
    Spent,
)
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.wire import codec, methods
from fedstats.wire.v1 import analysts_pb2


@pytest.fixture
def world() -> World:
    """A question is out."""
    made = ready_world()
    made.submit(submission())
    return made


QUERY = codec.decode_round(submission().round.payload).query


def answer(world: World, *departments: str) -> None:
    """These departments release."""
    for name in departments:
        task = world.lease(name)
        assert task is not None
        world.report(name, task=task.id, lease_token=task.lease_token, release=release(task, name))


def signed(said: Proceeding, key: SigningKey = ANALYST_KEY) -> analysts_pb2.ProceedRequest:
    """A decision as an analyst signs it."""
    made = Signed.make(Context.PROCEEDING, codec.encode_proceeding(said), key)
    return analysts_pb2.ProceedRequest(proceeding=codec.signed_to(made))


def test_a_round_goes_on_without_whoever_is_silent(world: World) -> None:
    """The task is closed, the round is over, and the register says who decided what, in this order."""
    answer(world, "north", "south")
    world.proceed(QUERY, ("north", "south"), ("west",))
    assert world.states(QUERY) == {"north": "released", "south": "released", "west": "left_out"}
    assert world.lease("west") is None
    decided, ended = world.register()[-2:]
    assert (decided.kind, ended.kind) == ("proceeded", "outcome")
    assert json.loads(decided.document)["left_out"] == ["west"]
    told = json.loads(ended.document)
    assert (told["released"], told["left_out"], told["missing"]) == (["north", "south"], ["west"], [])


def test_the_same_decision_again_changes_nothing(world: World) -> None:
    """A lost reply costs nothing: the client sends the same bytes again."""
    answer(world, "north", "south")
    world.proceed(QUERY, ("north", "south"), ("west",))
    entries, version = len(world.register()), world.watch(QUERY).version
    world.proceed(QUERY, ("north", "south"), ("west",))
    assert (len(world.register()), world.watch(QUERY).version) == (entries, version)
    (record,) = world.fetch(QUERY).rounds
    assert codec.decode_proceeding(record.proceeding.payload).left_out == ("west",)


def test_a_node_that_comes_back_is_told_and_not_counted(world: World) -> None:
    """A department that had the task answers too late: it is told why, and its release is kept nowhere."""
    task = world.lease("west")
    assert task is not None
    answer(world, "north", "south")
    world.proceed(QUERY, ("north", "south"), ("west",))
    with pytest.raises(NotFound, match="went on without west") as told:
        world.report("west", task=task.id, lease_token=task.lease_token, release=release(task, "west"))
    assert "answers the same question free" in told.value.advice
    (record,) = world.fetch(QUERY).rounds
    assert [outcome.department for outcome in record.outcomes] == ["north", "south"]


def test_nobody_who_has_answered_is_left_out(world: World) -> None:
    """A release or a refusal that came in the last moment counts: the client looks again."""
    answer(world, "north", "south", "west")
    with pytest.raises(RoundConflict, match="west answered meanwhile"):
        world.proceed(QUERY, ("north", "south"), ("west",))
    assert "proceeded" not in {entry.kind for entry in world.register()}


def test_a_participant_has_released(world: World) -> None:
    """Whoever refused or is silent cannot be named as one whose release counts."""
    answer(world, "north")
    task = world.lease("south")
    assert task is not None
    world.report("south", task=task.id, lease_token=task.lease_token, refusal=refusal(task, "south"))
    with pytest.raises(RoundConflict, match="has not released"):
        world.proceed(QUERY, ("north", "south"), ("west",))


def test_the_agreement_says_how_few_may_answer(world: World) -> None:
    """Below nodes_min the sentence says the rule, who can change it, and that what answered was charged."""
    answer(world, "north")
    with pytest.raises(OutsideAgreement, match="at least 2 departments, and 1 answered so far") as told:
        world.proceed(QUERY, ("north",), ("south", "west"))
    assert "signed by all controllers" in told.value.advice
    assert told.value.spent is Spent.CHARGED


def test_a_refused_department_is_not_asked_again_afterwards(world: World) -> None:
    """What the round is was decided: resuming it offers no task."""
    answer(world, "north", "south")
    task = world.lease("west")
    assert task is not None
    world.report("west", task=task.id, lease_token=task.lease_token, refusal=refusal(task, "west"))
    world.submit(submission())  # west had paused, so it is asked again
    world.proceed(QUERY, ("north", "south"), ("west",))
    world.submit(submission())
    assert world.states(QUERY)["west"] == "left_out"


def test_a_later_round_asks_nobody_who_was_left_out(world: World) -> None:
    """Whoever was left out of a round stays out of the query, and nothing is decided about older rounds."""
    answer(world, "north", "south")
    world.proceed(QUERY, ("north", "south"), ("west",))
    with pytest.raises(RoundConflict, match="went on without"):
        world.submit(second_round())
    world.submit(second_round(participants=("north", "south")))
    with pytest.raises(RoundConflict, match="decided before"):
        world.proceed(QUERY, ("north",), ("south", "west"))


def strange(kind: str) -> tuple[analysts_pb2.ProceedRequest, Peer, type[FedstatsError]]:
    """A decision that is not this analyst's to make."""
    said, other = Proceeding(QUERY, 0, ("north", "south"), ("west",)), seed_key("b.jones")
    stranger = Proceeding(QUERY, 0, ("north", "south"), ("elsewhere",))
    forged = signed(said, other)
    forged.proceeding.key = ANALYST_KEY.public.raw
    return {
        "another analyst": (signed(said), Peer(Role.ANALYST, "b.jones"), NotFound),
        "another key": (signed(said, other), ANALYST, RoundConflict),
        "a forged signature": (forged, ANALYST, SignatureInvalid),
        "no such query": (signed(Proceeding(bytes(32), 0, ("a",), ("b",))), ANALYST, NotFound),
        "no such round": (signed(Proceeding(QUERY, 1, ("north",), ("west",))), ANALYST, NotFound),
        "not asked": (signed(stranger), ANALYST, RoundConflict),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["another analyst", "another key", "a forged signature", "no such query", "no such round", "not asked"],
)
def test_only_the_analyst_who_asked_decides(world: World, kind: str) -> None:
    """Nobody else goes on in her place, and she only about what she asked."""
    answer(world, "north", "south")
    request, peer, error = strange(kind)
    with pytest.raises(error):
        world.coordinator.call(methods.PROCEED, request, peer)
    assert world.states(QUERY)["west"] == "offered"


def test_after_the_deadline_nothing_is_left_to_decide(world: World) -> None:
    """Nobody may answer any more, so nobody can be left out."""
    answer(world, "north", "south")
    world.clock.pass_s(codec.decode_query(submission().query.payload).deadline_s - NOW_S)
    with pytest.raises(DeadlinePassed):
        world.proceed(QUERY, ("north", "south"), ("west",))

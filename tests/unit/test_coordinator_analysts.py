"""Submitting, watching and fetching: what becomes a question, and what is turned away before that."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from coordinator_world import (
    ANALYST,
    CONTROLLERS,
    NODES,
    World,
    agreement_signatures,
    appointment,
    join,
    ready_world,
    refusal,
    release,
    revoked_appointment,
    second_round,
    submission,
)
from samples import (
    DEPARTMENTS,
    NOW_S,
    sample_agreement,
    sample_dataset,
    sample_query,
    sample_round,
    seed_key,
)

from fedstats.coordinator.config import Limits
from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole
from fedstats.core.expression import Column
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.query import Query, Scope
from fedstats.errors import (
    AgreementNotInForce,
    AppointmentInvalid,
    DeadlinePassed,
    FedstatsError,
    MessageInvalid,
    NotFound,
    OutsideAgreement,
    OutsideScope,
    RoundConflict,
    SignatureInvalid,
    TooLarge,
)
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.testing.mutations import mutations
from fedstats.wire import codec, methods
from fedstats.wire.v1 import analysts_pb2

OTHER_KEY = seed_key("b.jones")


@pytest.fixture
def world() -> World:
    """All have joined and the agreement is signed."""
    return ready_world()


def other_query(number: int = 2) -> Query:
    """Another question: the same with another nonce."""
    return sample_query(nonce=bytes([number]) * 16)


def test_the_public_reads_a_question_before_any_node_does(world: World) -> None:
    """The entry says who asks what of whom, for which purpose and at what loss, and comes with the tasks."""
    before = len(world.register())
    query = world.submit(submission())
    (entry,) = world.register()[before:]
    assert entry.kind == "query"
    assert entry.at_s == NOW_S
    document = json.loads(entry.document)
    assert document["query"] == query.hex()
    assert (document["analyst"], document["department"]) == ("a.smith", "north")
    assert document["purpose_text"] == "To see who waits how long."
    assert document["question"] == "SELECT sex, AVG(age) FROM rtt GROUP BY sex"
    assert document["departments"] == list(DEPARTMENTS)
    loss = document["loss"]
    assert (loss["mechanism"], loss["delta"], loss["rho"]) == ("gaussian", "0.0000005", "1/1024")
    shown, delta = Fraction(loss["epsilon"]), Fraction(1, 2_000_000)
    assert (
        rho_from_epsilon(shown - Fraction(1, 10_000), delta)
        < Fraction(1, 1024)
        <= rho_from_epsilon(shown, delta)
    )


def test_a_pure_loss_is_shown_as_it_was_asked(world: World) -> None:
    """Laplace questions carry their epsilon and no delta; what is charged is beside it."""
    both = replace(sample_agreement().privacy, mechanisms=(Mechanism.GAUSSIAN, Mechanism.LAPLACE))
    document = canonical_json(document_of(sample_agreement(version=2, privacy=both)))
    for department, signed in zip(DEPARTMENTS, agreement_signatures(document), strict=True):
        world.publish(CONTROLLERS[department], agreement=codec.signed_to(signed))
    pure = MechanismLoss(Mechanism.LAPLACE, Fraction(1, 2))
    world.submit(submission(sample_query(agreement_version=2, loss=pure)))
    loss = json.loads(world.register()[-1].document)["loss"]
    assert loss == {
        "mechanism": "laplace",
        "epsilon": "0.5",
        "delta": "0",
        "rho": "1/16",
        "delta_add": "0/1",
        "budget_percent": "6.198",
        "belief_percent_max": "62.3",
    }


def test_a_repeated_submit_is_one_question(world: World) -> None:
    """After a lost reply the same bytes may come again: one entry, one set of tasks."""
    query = world.submit(submission())
    entries, version = len(world.register()), world.watch(query).version
    assert world.submit(submission()) == query
    assert (len(world.register()), world.watch(query).version) == (entries, version)


def test_a_round_cannot_be_replaced(world: World) -> None:
    """The same round with other content is refused, and so is another key's hand on the query."""
    world.submit(submission())
    with pytest.raises(RoundConflict):
        world.submit(submission(participants=("north", "south")))
    stranger = appointment(key=OTHER_KEY.public.raw)
    with pytest.raises(RoundConflict):
        world.submit(submission(key=OTHER_KEY, appointed=stranger))


def test_later_rounds_come_in_order_from_the_same_key(world: World) -> None:
    """A second round needs the first, follows it, and may ask fewer departments; it is registered too."""
    with pytest.raises(RoundConflict, match="Round 1 came before round 0"):
        world.submit(second_round())
    query = world.submit(submission())
    world.submit(second_round(participants=("north", "south")))
    assert world.states(query, 1) == {"north": "offered", "south": "offered"}
    assert world.register()[-1].kind == "round"
    with pytest.raises(MessageInvalid, match="one more than"):
        world.submit(submission(number=2, totals_before=b"t" * 32))
    with pytest.raises(RoundConflict):
        world.submit(second_round(key=OTHER_KEY, appointed=appointment(key=OTHER_KEY.public.raw)))
    assert [record.round for record in world.fetch(query).rounds] == [
        submission().round,
        second_round(participants=("north", "south")).round,
    ]


def half_signed_agreement(world: World) -> analysts_pb2.SubmitRequest:
    """A question under an agreement that one controller has not signed."""
    document = canonical_json(document_of(sample_agreement(version=3)))
    for department, signed in zip(("north", "south"), agreement_signatures(document), strict=False):
        world.publish(CONTROLLERS[department], agreement=codec.signed_to(signed))
    return submission(sample_query(agreement_version=3))


Make = Callable[[World], analysts_pb2.SubmitRequest]

UNANSWERABLE: dict[str, tuple[Make, type[FedstatsError]]] = {
    "past deadline": (lambda _: submission(sample_query(deadline_s=NOW_S)), DeadlinePassed),
    "far deadline": (lambda _: submission(sample_query(deadline_s=NOW_S + 367 * 86_400)), DeadlinePassed),
    "unknown agreement": (lambda _: submission(sample_query(agreement_version=2)), AgreementNotInForce),
    "half-signed agreement": (half_signed_agreement, AgreementNotInForce),
    "unknown participant": (lambda _: submission(participants=("east", "north", "south")), NotFound),
    "expired": (lambda _: submission(appointed=appointment(until_s=NOW_S)), AppointmentInvalid),
    "appointed by another": (lambda _: submission(appointed=appointment(by="south")), AppointmentInvalid),
    "not on the list": (lambda _: submission(appointed=appointment(name="b.jones")), AppointmentInvalid),
    "revoked": (revoked_appointment, AppointmentInvalid),
    "appointed as node": (
        lambda _: submission(appointed=appointment(role=AppointedRole.NODE, name="north")),
        MessageInvalid,
    ),
    "purpose of another agreement": (lambda _: submission(sample_query(purpose="other")), OutsideAgreement),
    "more than it announced": (
        lambda _: submission(round=sample_round((Column("started"),))),
        OutsideScope,
    ),
    "fewer departments than agreed": (lambda _: submission(participants=("north",)), OutsideAgreement),
    "round of another query": (lambda _: submission(query_hash=b"q" * 32), MessageInvalid),
}


@pytest.mark.parametrize("rule", UNANSWERABLE)
def test_what_no_node_could_answer_is_turned_away_unregistered(world: World, rule: str) -> None:
    """Each of these breaks one rule; the public register does not list it, and no node is asked."""
    make, error = UNANSWERABLE[rule]
    request = make(world)
    before = len(world.register())
    with pytest.raises(error):
        world.submit(request)
    assert len(world.register()) == before
    assert world.lease("north") is None


def test_no_field_of_a_submission_can_be_changed(world: World) -> None:
    """Each field of query, round and appointment flipped in turn, down to the signatures, is refused."""
    request = submission()
    tried = 0
    for path, changed in mutations(request):
        if path == "register_size":
            continue  # no part of the question: it only chooses which proof comes back
        tried += 1
        with pytest.raises(FedstatsError):
            world.submit(changed)
        assert world.lease("north") is None, path
    assert tried >= 12
    world.submit(request)


def test_parts_signed_by_different_keys_do_not_belong_together(world: World) -> None:
    """A round by another key than the query's, or an appointment of another key, is refused."""
    mine, other = submission(), submission(key=OTHER_KEY, appointed=appointment(key=OTHER_KEY.public.raw))
    for mixed in (
        analysts_pb2.SubmitRequest(query=mine.query, round=other.round, appointment=mine.appointment),
        analysts_pb2.SubmitRequest(query=mine.query, round=mine.round, appointment=other.appointment),
        analysts_pb2.SubmitRequest(query=other.query, round=mine.round, appointment=mine.appointment),
    ):
        with pytest.raises(MessageInvalid):
            world.submit(mixed)
    with pytest.raises(SignatureInvalid):
        world.submit(
            analysts_pb2.SubmitRequest(query=mine.round, round=mine.round, appointment=mine.appointment)
        )


def test_an_agreement_of_the_same_name_by_others_changes_nothing(world: World) -> None:
    """Departments that publish their own RTT-2026 version 1 neither block nor widen it."""
    strangers = tuple(
        replace(c, department=f"x-{c.department}", key=seed_key(f"stranger {c.department}").public.raw)
        for c in sample_agreement().controllers
    )
    dataset = replace(sample_dataset(), holders=tuple(c.department for c in strangers))
    changed = sample_agreement(controllers=strangers, datasets=(dataset,), analysts=("a.smith@x-north",))
    document = canonical_json(document_of(changed))
    for department in DEPARTMENTS:
        signed = Signed.make(Context.AGREEMENT, document, seed_key(f"stranger {department}"))
        world.publish(Peer(Role.CONTROLLER, f"x-{department}"), agreement=codec.signed_to(signed))
    world.submit(submission())
    assert world.lease("north") is not None


def test_answers_that_would_not_fit_a_reply_are_refused_before_anybody_pays() -> None:
    """A question whose releases together are larger than a reply is refused at once."""
    world = ready_world(limits=Limits(reply_bytes_max=2**20))
    small = 3 * 2 * 2 * 8  # three departments, two measures over two sexes
    query = world.submit(submission())
    (stored,) = world.store.questions.rounds(query)
    assert stored.release_bytes * stored.asked == small
    by_age_and_day = sample_round((Column("age"), Column("started")))
    big = sample_query(scope=Scope.of(by_age_and_day.aggregates, sample_query().where))
    with pytest.raises(TooLarge):
        world.submit(submission(big, round=by_age_and_day))


def test_one_analyst_cannot_fill_the_store() -> None:
    """There is a limit to one analyst's open questions; those whose deadline is over do not count."""
    world = ready_world(limits=Limits(open_queries_max=2))
    for number in (1, 2):
        world.submit(submission(other_query(number)))
    with pytest.raises(TooLarge):
        world.submit(submission(other_query(3)))
    join(world, Peer(Role.ANALYST, "b.jones"))
    jones = appointment("south", department="south", name="b.jones")
    world.submit(submission(other_query(4), appointed=jones), Peer(Role.ANALYST, "b.jones"))
    world.clock.pass_s(3_600)
    world.submit(submission(sample_query(nonce=b"5" * 16, deadline_s=NOW_S + 7_200)))


@pytest.mark.parametrize("code, state", [("FS-206", "offered"), ("FS-299", "offered"), ("FS-214", "refused")])
def test_asking_again_offers_what_may_have_ended(world: World, code: str, state: str) -> None:
    """A paused or failed node is asked again when the analyst resumes; one that said no for good is not."""
    query = world.submit(submission())
    for department in NODES:
        task = world.lease(department)
        assert task is not None
        answer = (
            {"refusal": refusal(task, department, code)}
            if department == "north"
            else {"release": release(task, department)}
        )
        world.report(department, task=task.id, lease_token=task.lease_token, **answer)
    world.submit(submission())
    assert world.states(query) == {"north": state, "south": "released", "west": "released"}
    again = world.lease("north")
    assert (again is not None) == (state == "offered")
    if again is not None:
        world.report("north", task=again.id, lease_token=again.lease_token, release=release(again, "north"))
        assert world.states(query)["north"] == "released"
        assert [json.loads(e.document)["released"] for e in world.register() if e.kind == "outcome"] == [
            ["south", "west"],
            ["north", "south", "west"],
        ]


def test_no_round_is_asked_again_once_another_builds_on_it(world: World) -> None:
    """Totals that a later round was signed over must stay what they were."""
    query = world.submit(submission())
    task = world.lease("north")
    assert task is not None
    world.report("north", task=task.id, lease_token=task.lease_token, refusal=refusal(task, "north"))
    world.submit(second_round())
    world.submit(submission())
    assert world.states(query)["north"] == "refused"


def test_watching_answers_when_something_changed(world: World) -> None:
    """A poll that has seen the newest version finds nothing to say; every change is a greater version."""
    query = world.submit(submission())
    first = world.watch(query)
    assert {task.state for task in first.tasks} == {analysts_pb2.TASK_STATE_OFFERED}
    poll = world.coordinator.polls[methods.WATCH]
    request = analysts_pb2.WatchRequest(query=query, number=0, seen=first.version)
    assert poll.look(request, ANALYST) is None
    world.lease("north")
    news = poll.look(request, ANALYST)
    assert news is not None
    assert news.version > first.version
    assert [task.node_seen_s for task in news.tasks] == [NOW_S, 0, 0]


def test_unknown_questions_are_not_found(world: World) -> None:
    """Asking for what is not there is answered with a sentence, not with an empty answer."""
    with pytest.raises(NotFound):
        world.fetch(b"q" * 32)
    with pytest.raises(NotFound):
        world.watch(b"q" * 32)


def test_a_resuming_client_can_fetch_the_statements_alone(world: World) -> None:
    """Signed rounds without their outcomes, for whoever only needs to know what was asked."""
    query = world.submit(submission())
    task = world.lease("north")
    assert task is not None
    world.report("north", task=task.id, release=release(task, "north"))
    request = analysts_pb2.FetchRequest(query=query, statements_only=True)
    (record,) = world.coordinator.call(methods.FETCH, request, ANALYST).rounds
    assert record.round == submission().round
    assert len(record.outcomes) == 0

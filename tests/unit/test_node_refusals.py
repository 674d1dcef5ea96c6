"""What a node refuses, and that no refusal depends on the data."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from one_node import (
    PEOPLE,
    Analyst,
    ReferenceEngine,
    make_home,
    open_node,
    person,
    published,
    refusal_of,
    release_of,
)
from samples import NOW_S, sample_agreement, sample_order, sample_query, sample_round, seed_key

from fedstats.core.appointment import Revocation
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.expression import Column
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.query import RoundOrder
from fedstats.errors import FedstatsError, TooLarge
from fedstats.identity.keys import Context, Signed
from fedstats.node.home import Home
from fedstats.testing.mutations import mutations
from fedstats.wire.codec import encode_query, encode_revocation, encode_round, signed_to, task_hash
from fedstats.wire.codec.strict import sha256, to_bytes
from fedstats.wire.v1 import agreements_pb2, nodes_pb2, query_pb2, signed_pb2

ANALYST = Analyst()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that tests only read."""
    return make_home(tmp_path_factory.mktemp("node"))


def flipped() -> list[tuple[str, nodes_pb2.Task]]:
    """The sample task with one field of one signed document changed, or of its envelope."""
    task, found = ANALYST.task(), []
    kinds = (("query", query_pb2.Query), ("round", query_pb2.Round), ("appointment", signed_pb2.Appointment))
    for name, kind in kinds:
        signed: signed_pb2.Signed = getattr(task, name)
        changed = [
            (f"{name}.{path}", other.SerializeToString())
            for path, other in mutations(kind.FromString(signed.payload))
        ]
        for path, payload in changed:
            copy = nodes_pb2.Task.FromString(task.SerializeToString())
            getattr(copy, name).payload = payload
            found.append((path, copy))
        for path, envelope in mutations(signed):
            copy = nodes_pb2.Task.FromString(task.SerializeToString())
            getattr(copy, name).CopyFrom(envelope)
            found.append((f"{name} {path}", copy))
    return found


FLIPPED = flipped()


def test_every_flipped_field_is_refused(tmp_path: Path) -> None:
    """Whoever relays a query, a round or an appointment can change no field of it, nor of its envelope."""
    assert len(FLIPPED) > 80
    true = task_hash(ANALYST.task())
    with open_node(make_home(tmp_path)) as node:
        for path, task in FLIPPED:
            refusal = refusal_of(node.runner.run(task))
            assert refusal.code == "FS-201", path
            assert not refusal.charged
            assert refusal.presented == task_hash(task) != true, path  # so it is no answer to the true one
        assert node.ledger.entries() == ()
        # Nor did any of them take the place of the real round.
        node.ledger.bind(sha256(ANALYST.task().query.payload), sample_order(bytes(32)), content=b"first")


def with_order(**changes: object) -> RoundOrder:
    """The sample round of the sample query, changed."""
    return sample_order(sha256(encode_query(sample_query())), **changes)


OTHER = Analyst("b.jones", "north")
TASKS = {
    "an unknown agreement": ("FS-202", ANALYST.task(sample_query(agreement="OTHER"))),
    "another version": ("FS-202", ANALYST.task(sample_query(agreement_version=2))),
    "another purpose": ("FS-203", ANALYST.task(sample_query(purpose="marketing"))),
    "an unscheduled edition": ("FS-203", ANALYST.task(sample_query(edition="2031-01"))),
    "an edition that is not here": ("FS-208", ANALYST.task(sample_query(edition="2025-10"))),
    "another mechanism": (
        "FS-203",
        ANALYST.task(sample_query(loss=MechanismLoss(Mechanism.LAPLACE, Fraction(1, 128)))),
    ),
    "more than one query may lose": (
        "FS-203",
        ANALYST.task(sample_query(loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(1)))),
    ),
    "a passed deadline": ("FS-217", ANALYST.task(sample_query(deadline_s=NOW_S - 1))),
    "an analyst who is not on the list": ("FS-201", OTHER.task()),
    "somebody else's departments": ("FS-204", ANALYST.task(None, with_order(participants=("south", "west")))),
    "too few departments": ("FS-203", ANALYST.task(None, with_order(participants=("north",)))),
    "one round too many": ("FS-203", ANALYST.task(None, with_order(number=2, totals_before=bytes(32)))),
    "a round outside the scope": (
        "FS-204",
        ANALYST.task(None, with_order(round=sample_round((Column("urgent"),)))),
    ),
    "a round of another query": ("FS-201", ANALYST.task(None, sample_order(bytes(32)))),
}


@pytest.mark.parametrize("case", TASKS)
def test_each_rule_refuses_with_its_code(home: Home, case: str) -> None:
    """A question that breaks one rule gets that rule's code; nothing is spent and nothing is computed."""
    code, task = TASKS[case]
    engine = ReferenceEngine(before_compute=lambda: pytest.fail("computed"))
    with open_node(home, engine=engine) as node:
        refusal = refusal_of(node.runner.run(task))
        assert refusal.code == code, refusal.sentence
        assert not refusal.charged
        assert refusal.query == sha256(task.query.payload)
        assert node.ledger.entries() == ()


def test_refusals_do_not_depend_on_the_data(home: Home) -> None:
    """One person more, or none at all, and every refusal is the same to the last byte."""
    replies = []
    for people in (PEOPLE, [*PEOPLE, person(age=119)], []):
        with open_node(home, engine=ReferenceEngine(people)) as node:
            tasks = [task for _, task in (*TASKS.values(), *FLIPPED[::10])]
            replies.append([to_bytes(node.runner.run(task)) for task in tasks])
    assert replies[0] == replies[1] == replies[2]


def test_what_is_not_offered_is_refused(home: Home) -> None:
    """A phase or a mode that this version does not know is refused with its own code."""
    task = ANALYST.task()
    task.phase = 7  # type: ignore[assignment]  # a phase that does not exist yet
    with open_node(home) as node:
        assert refusal_of(node.runner.run(task)).code == "FS-209"


def test_garbage_is_refused_and_does_no_harm(home: Home) -> None:
    """An empty task, or one of noise, is one more refusal."""
    noise = nodes_pb2.Task(id="\x1b[2J" * 50, query=signed_pb2.Signed(payload=b"\xff" * 99))
    with open_node(home) as node:
        for task in (nodes_pb2.Task(), noise):
            assert refusal_of(node.runner.run(task)).code == "FS-201"


def test_an_appointment_ends(home: Home) -> None:
    """An appointment that has expired, not begun, is for a node, or made by another controller is refused."""
    task = ANALYST.task()
    wrong = [
        ANALYST.appointment(until_s=NOW_S),
        ANALYST.appointment(from_s=NOW_S + 1),
        ANALYST.appointment("south"),
        ANALYST.appointment("west", department="west"),
        ANALYST.appointment(key=OTHER.key.public.raw),
        OTHER.appointment(),
    ]
    with open_node(home) as node:
        for appointment in wrong:
            task.appointment.CopyFrom(appointment)
            assert refusal_of(node.runner.run(task)).code == "FS-201"


def test_errors_of_the_tree_become_refusals_of_the_tree() -> None:
    """Every error class maps to a refusal, and only refusals travel."""
    from fedstats.errors import Refused, error_classes
    from fedstats.node.refusing import refused

    for kind in error_classes().values():
        assert isinstance(refused(_raised(kind)), Refused)


def _raised(kind: type[FedstatsError]) -> FedstatsError:
    try:
        raise kind("for the test")
    except FedstatsError as raised:
        return raised


def test_encoding_is_what_is_signed() -> None:
    """The sample task holds the canonical encoding of the sample round: the flips above mean something."""
    task = ANALYST.task()
    assert task.round.payload == encode_round(with_order())


def test_only_the_analyst_of_the_query_signs_its_rounds(home: Home) -> None:
    """Another analyst, appointed as well as the first, cannot add a round to a query that is not theirs."""
    task, colleague = ANALYST.task(), Analyst("c.brown", "south")
    task.round.CopyFrom(colleague.task().round)
    with open_node(home) as node:
        assert refusal_of(node.runner.run(task)).code == "FS-201"
        task.appointment.CopyFrom(colleague.appointment())
        assert refusal_of(node.runner.run(task)).code == "FS-201"


def test_a_revoked_analyst_is_refused(tmp_path: Path) -> None:
    """Once the controller's revocation was heard, the key gets nothing more, not even recorded answers."""
    revocation = Revocation("north", ANALYST.key.public.raw, NOW_S, "left")
    signed = Signed.make(Context.REVOCATION, encode_revocation(revocation), seed_key("controller north"))
    with open_node(make_home(tmp_path)) as node:
        release_of(node.runner.run(ANALYST.task()))
        relayed = agreements_pb2.AuthorityReply(
            agreements=[published(sample_agreement())], revocations=[signed_to(signed)]
        )
        node.agreements.learn(relayed)
        refusal = refusal_of(node.runner.run(ANALYST.task()))
        assert refusal.code == "FS-201"
        assert "revoked" in refusal.sentence


class Speechless(ReferenceEngine):
    """An engine that cannot put the question into SQL."""

    def rehearse(self, *_: Any, **__: Any) -> None:
        """Say so."""
        raise TooLarge("The statement needs more than 127 bits.")


def test_disclosure_control_is_that_of_the_agreement_or_nothing_is_computed(tmp_path: Path) -> None:
    """A question whose answer would be shown by another profile is refused before any charge, either way."""
    agreed = sample_agreement(disclosure=DisclosureProfile.OPENSAFELY)
    with open_node(make_home(tmp_path, agreed)) as node:
        for profile in (DisclosureProfile.NONE, DisclosureProfile.ACRO):
            refusal = refusal_of(node.runner.run(ANALYST.task(sample_query(disclosure=profile))))
            assert (refusal.code, refusal.charged) == ("FS-203", False)
            assert f"control is {profile.value}; agreement RTT-2026 has opensafely" in refusal.sentence
        assert node.ledger.entries() == ()
        release_of(node.runner.run(ANALYST.task(sample_query(disclosure=DisclosureProfile.OPENSAFELY))))


def test_a_question_that_the_engine_cannot_express_costs_nothing(tmp_path: Path) -> None:
    """Statements are written before the charge: what fails there is refused, and nothing was spent."""
    with open_node(make_home(tmp_path), engine=Speechless()) as node:
        refusal = refusal_of(node.runner.run(ANALYST.task()))
        assert (refusal.code, refusal.charged) == ("FS-203", False)
        assert node.ledger.entries() == ()

"""A federation under faults: whatever the network loses or doubles, each question ends, charged once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import federation

from fedstats.client.answer import Answer
from fedstats.client.session import Session
from fedstats.errors import NetworkError
from fedstats.identity.peer import Peer
from fedstats.testing.federation import Federation
from fedstats.testing.transport import Fault, no_faults
from fedstats.wire.method import Method

ATTEMPTS_MAX = 60
NUMBERS = count(1)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """One federation for all examples: each asks a question of its own."""
    with federation(tmp_path_factory.mktemp("federation")) as made:
        yield made


def ask_until_answered(fed: Federation, session: Session, sql: str, epsilon: str) -> Answer:
    """Ask as a person would on a bad line: try, and take the job up again until there is an answer."""
    for _ in range(ATTEMPTS_MAX):
        jobs = [job for job in session.jobs() if job.sql == sql]
        try:
            if jobs:
                return session.resume(jobs[0].name, wait_s=300)
            return session.query(sql, epsilon=epsilon, wait_s=300)
        except NetworkError:
            fed.clock.pass_s(1)
    raise AssertionError("the question was not answered")


def question() -> tuple[str, str]:
    """A question that nobody asked before."""
    number = next(NUMBERS)
    return f"SELECT COUNT(*), AVG(age) FROM rtt WHERE age <= {100 - number % 90}", f"0.{100 + number}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(st.sampled_from(Fault), max_size=60))
def test_lost_and_doubled_messages_cost_nothing_more(fed: Federation, fates: list[Fault]) -> None:
    """Any pattern of lost requests, lost replies and doubled requests: one answer, one charge each."""
    sql, epsilon = question()
    before = {name: len(node.ledger.entries()) for name, node in fed.nodes.items()}
    plan = iter(fates)

    def faults(_peer: Peer, _method: Method[Any, Any]) -> Fault:
        return next(plan, Fault.NONE)

    fed.faults = faults
    try:
        with fed.session() as session:
            answer = ask_until_answered(fed, session, sql, epsilon)
    finally:
        fed.faults = no_faults
    assert [p.refusal for p in answer.participants] == [None] * 3
    charged = {name: len(node.ledger.entries()) - before[name] for name, node in fed.nodes.items()}
    assert charged == dict.fromkeys(fed.nodes, 1)


class Crash(BaseException):
    """A process that ends here, as by kill -9: nothing catches it."""


STEPS = ("verify", "allow", "bind", "find", "plan", "reserve", "compute", "record", "answer", "report")


@pytest.mark.parametrize("step", STEPS)
def test_a_node_that_dies_at_any_step_answers_once_after_its_restart(tmp_path: Path, step: str) -> None:
    """It dies right after the step, starts again over its folder, and the question ends with one charge."""
    armed = [True]

    def checkpoint(name: str) -> None:
        if name == step and armed.pop() if armed else False:
            raise Crash

    with federation(tmp_path, checkpoints={"south": checkpoint}) as fed, fed.session() as session:
        try:
            answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1, wait_s=300)
        except Crash:
            fed.start_node("south")
            answer = session.resume(session.jobs()[0].name, wait_s=300)
        assert not armed, "the step was reached"
        assert [p.refusal for p in answer.participants] == [None] * 3
        assert [entry.recorded for entry in fed.nodes["south"].ledger.entries()] == [True]


def test_a_coordinator_that_restarts_mid_round_forgets_nothing(tmp_path: Path) -> None:
    """It stops after every single call: the question still ends, registered once and charged once."""
    with federation(tmp_path) as fed, fed.session() as session:

        def faults(_peer: Peer, _method: Method[Any, Any]) -> Fault:
            fed.stop_coordinator()
            return Fault.NONE

        fed.faults = faults
        answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1, wait_s=600)
        assert [p.refusal for p in answer.participants] == [None] * 3
        assert all(len(node.ledger.entries()) == 1 for node in fed.nodes.values())

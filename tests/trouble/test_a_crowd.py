"""Fifty analysts at once over real connections: each gets an answer or a typed refusal; none pays twice."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from real_federation import MEMBERS, Running

from fedstats.client.answer import Answer
from fedstats.client.controller import appoint, read_key
from fedstats.client.home import Home
from fedstats.client.joining import join, signing_key
from fedstats.client.session import connect
from fedstats.core.appointment import AppointedRole
from fedstats.demo import founding
from fedstats.demo.agreement import AGREEMENT_ID, PURPOSE
from fedstats.errors import FedstatsError, NotAnswered
from fedstats.identity.peer import Peer, Role
from fedstats.node.caps import agreement_cap
from fedstats.node.ledger import Ledger
from fedstats.wire.codec import signed_to
from fedstats.wire.methods import PUBLISH
from fedstats.wire.v1 import agreements_pb2

ANALYSTS = 50
QUESTIONS = 17
EPSILON = "2"  # so many of these are more than the agreement has: some are refused
WAIT_S = 120.0


@dataclass(frozen=True)
class Got:
    """What one analyst got, and after how long."""

    question: int
    result: Answer | FedstatsError
    took_s: float


@pytest.fixture(scope="module")
def homes(running: Running, tmp_path_factory: pytest.TempPathFactory) -> list[Home]:
    """Fifty analysts who joined, were appointed, and trust the controllers."""
    folder = tmp_path_factory.mktemp("analysts")
    member = MEMBERS[0]
    controller, now_s = read_key(Home.at(running.places.controller(member))), int(time.time())
    until = datetime.now(UTC).date() + timedelta(days=30)
    made = []
    with connect(running.places.controller(member)) as office:
        for number in range(ANALYSTS):
            home, name = Home.at(folder / str(number)), f"analyst.{number}"
            join(home, running.invite(Peer(Role.ANALYST, name)).text(), now=time.time)
            key = signing_key(home).public
            signed = appoint(
                controller, member.department, AppointedRole.ANALYST, name, key, until=until, now_s=now_s
            )
            office.transport.call(PUBLISH, agreements_pb2.PublishRequest(appointment=signed_to(signed)))
            made.append(home)
        agreement = office.authority().versions(AGREEMENT_ID)[0].agreement
    for home in made:
        founding.trust_controllers(home.trust, agreement)
        founding.use_agreement(home, AGREEMENT_ID, PURPOSE)
    return made


def ask(home: Home, question: int) -> Got:
    """One analyst's question."""
    begun = time.monotonic()
    sql = f"SELECT COUNT(*) FROM rtt WHERE age <= {50 + question}"
    result: Answer | FedstatsError
    try:
        with connect(home.folder) as session:
            result = session.query(sql, epsilon=EPSILON, wait_s=WAIT_S)
    except FedstatsError as problem:
        result = problem
    return Got(question, result, time.monotonic() - begun)


def ledger_of(running: Running, number: int) -> Path:
    """Where a member's ledger is."""
    return founding.node_home(running.places, MEMBERS[number]).ledger


@pytest.mark.slow
def test_fifty_analysts_at_once(running: Running, homes: list[Home]) -> None:
    """Seventeen questions, each of three: one release and one charge for each, never above the budget."""
    before = []
    for number in range(len(MEMBERS)):
        with Ledger(ledger_of(running, number)) as ledger:
            before.append({entry.computation for entry in ledger.entries()})
    with ThreadPoolExecutor(ANALYSTS) as threads:
        got = list(threads.map(ask, homes, [number % QUESTIONS for number in range(ANALYSTS)]))
    for number in range(len(MEMBERS)):
        with Ledger(ledger_of(running, number)) as ledger:
            ledger.verify()
            new = [entry for entry in ledger.entries() if entry.computation not in before[number]]
            assert all(entry.recorded for entry in new)
            assert max(Counter(entry.computation for entry in new).values()) == 1
            assert len(new) < QUESTIONS, "not all of them fit the budget"
            check_budget(running, ledger)
    answers = [g for g in got if isinstance(g.result, Answer)]
    refused = [g for g in got if isinstance(g.result, NotAnswered)]
    assert len(answers) + len(refused) == ANALYSTS, [str(g.result) for g in got if g not in answers]
    assert answers
    assert all("FS-214" in str(g.result) for g in refused)
    check_same_answers(answers)
    took = sorted(g.took_s for g in got)
    assert took[-1] < WAIT_S, f"median {took[ANALYSTS // 2]:.1f} s, longest {took[-1]:.1f} s"


def check_budget(running: Running, ledger: Ledger) -> None:
    """What was spent under the agreement is within what was agreed."""
    with connect(running.places.analyst) as session:
        agreement = session.dataset("rtt").agreement
    (status,) = ledger.status([agreement_cap(agreement)])
    assert status.used_ppm <= 1_000_000


def check_same_answers(answers: list[Got]) -> None:
    """Whoever asked the same got the same numbers from the same departments."""
    for question in range(QUESTIONS):
        tables = {
            str(g.result.table)
            for g in answers
            if g.question == question
            and isinstance(g.result, Answer)
            and all(p.refusal is None for p in g.result.participants)
        }
        assert len(tables) <= 1

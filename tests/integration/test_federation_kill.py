"""Real processes over mutual TLS, killed as the power would: the question ends, and is charged once."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from custom_files import write
from real_federation import ANSWER_S_MAX, MEMBERS, Running, federation

from fedstats.client.answer import Answer
from fedstats.client.following import Progress
from fedstats.client.session import Session, connect
from fedstats.demo.founding import node_home
from fedstats.demo.processes import command, environment
from fedstats.node.approval_terms import Decide, PolicyTerms
from fedstats.node.approvals import Approvals
from fedstats.node.home import Home as NodeHome
from fedstats.node.state import State

GOES_ON_S_MAX = 20.0  # after an approval; a poll is held open for 50 s
STEPS = ("verify", "find", "reserve", "compute", "record", "answer")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three trusts of the demo with a few hundred patients, a coordinator, an analyst; everything runs."""
    with federation(tmp_path_factory.mktemp("federation")) as made:
        yield made


def ask(session: Session, age: int) -> Answer:
    """A question of its own for every test."""
    return session.query(f"SELECT COUNT(*) FROM rtt WHERE age <= {age}", epsilon="0.1", wait_s=ANSWER_S_MAX)


def everybody_answered(answer: Answer) -> bool:
    """Whether no department refused."""
    return [participant.refusal for participant in answer.participants] == [None] * len(MEMBERS)


@pytest.mark.parametrize("step", STEPS)
def test_a_node_killed_between_two_steps_answers_after_its_restart(running: Running, step: str) -> None:
    """Kill -9 right after each step: with the node back the question ends, charged once at every node."""
    before = [running.entries(number) for number in range(len(MEMBERS))]
    running.kill(MEMBERS[1].department)
    running.start_dying_node(1, step)

    def bring_back() -> None:
        codes.append(running.wait_until_killed(MEMBERS[1].department))
        running.start_node(1)

    codes: list[int] = []
    doctor = threading.Thread(target=bring_back)
    doctor.start()
    with connect(running.places.analyst) as session:
        answer = ask(session, age=20 + STEPS.index(step))
    doctor.join()
    assert codes == [-signal.SIGKILL]
    assert everybody_answered(answer)
    assert [running.entries(number) for number in range(len(MEMBERS))] == [count + 1 for count in before]


def test_a_coordinator_killed_mid_round_forgets_nothing(running: Running) -> None:
    """Kill -9 while one node has not answered yet: after its restart the question ends, charged once."""
    before = [running.entries(number) for number in range(len(MEMBERS))]
    running.kill(MEMBERS[2].department)

    def bring_back() -> None:
        pause = threading.Event()
        while running.entries(0) == before[0]:  # one node has charged, another cannot yet
            pause.wait(0.2)
        running.kill("coordinator")
        running.start_coordinator()
        running.start_node(2)

    doctor = threading.Thread(target=bring_back)
    doctor.start()
    with connect(running.places.analyst) as session:
        answer = ask(session, age=60)
    doctor.join()
    assert everybody_answered(answer)
    assert [running.entries(number) for number in range(len(MEMBERS))] == [count + 1 for count in before]


def test_values_that_nobody_listed_are_named_by_processes(running: Running) -> None:
    """At a real command line: commissioners of many patients are rows, each with how many trusts named it."""
    sql = "SELECT commissioner_code, COUNT(*) AS n FROM rtt GROUP BY commissioner_code"
    words = ["query", sql, "--epsilon", "2", "--format", "json"]
    home = {"FEDSTATS_HOME": str(running.places.analyst)}
    said = subprocess.run(
        command(words), env={**environment(), **home}, capture_output=True, text=True, check=True
    ).stdout
    rows = {row["key"][0]: row["named_by"] for row in json.loads(said)["tables"][0]["rows"]}
    assert rows.pop(None) == len(MEMBERS)
    listed = {code for member in MEMBERS for code in member.commissioner_codes}
    assert rows
    assert set(rows) <= listed
    assert all(1 <= named_by <= len(MEMBERS) for named_by in rows.values())


def test_a_question_that_waits_for_a_person_survives_the_death_of_every_side(running: Running) -> None:
    """Analyst, coordinator and node are killed while it waits; approved beside the running node, it ends."""
    department, before = MEMBERS[1].department, running.entries(1)
    home = node_home(running.places, MEMBERS[1])
    written = home.config.read_text()
    home.config.write_text(f'{written}\n[policy]\ndecide = "each"\n')
    restart(running, department)
    asked = ("query", "SELECT COUNT(*) FROM rtt WHERE age <= 77", "--epsilon", "0.1")
    running.start("analyst", *asked, "--home", str(running.places.analyst))
    name = waiting_at(home)
    for process in ("analyst", "coordinator", department):
        running.kill(process)
    running.start_coordinator()
    running.start_node(1)
    with connect(running.places.analyst) as session:
        with pytest.raises(WhoseApproval, match=department):
            session.resume(name, progress=look, wait_s=ANSWER_S_MAX)
        decide = ("node", "approvals", "approve", name, "--yes", "--home", str(home.path))
        subprocess.run(command(decide), check=True, env=environment(), capture_output=True)
        approved_s = time.monotonic()
        answer = session.resume(name, wait_s=ANSWER_S_MAX)
        assert time.monotonic() - approved_s < GOES_ON_S_MAX
    assert everybody_answered(answer)
    assert running.entries(1) == before + 1
    home.config.write_text(written)
    restart(running, department)


def test_an_analyst_killed_between_all_rounds_pays_once(running: Running, tmp_path: Path) -> None:
    """Kill -9 of `fedstats run` and `resume` at each step of three rounds of a file: one charge each."""
    before = [running.entries(number) for number in range(len(MEMBERS))]
    asked = ("run", f"{write(tmp_path)}:Thrice", "--dataset", "rtt", "--bound", "55", "--epsilon", "0.3")
    assert analyst(running, asked, dies_at=3).returncode == -signal.SIGKILL  # kept, and nothing sent
    with connect(running.places.analyst) as session:
        job = session.jobs()[0]
    assert job.question == 'thrice(dataset="rtt", bound=55)'
    for step in (2, 3, 4):  # after each round was answered
        assert analyst(running, ("resume", job.name), dies_at=step).returncode == -signal.SIGKILL
    ended = analyst(running, ("resume", job.name, "--format", "json"))
    assert [running.entries(number) for number in range(len(MEMBERS))] == [count + 3 for count in before]
    shown = ("run", asked[1], "--from", job.name, "--title", "again", "--format", "json")
    (table,), (again,) = (
        json.loads(said)["tables"] for said in (ended.stdout, analyst(running, shown).stdout)
    )
    assert (table["name"], again["name"]) == ("sums", "again")
    assert table["rows"] == again["rows"]


def analyst(
    running: Running, words: tuple[str, ...], *, dies_at: int = 0
) -> subprocess.CompletedProcess[bytes]:
    """What the analyst types, to its end, or to its death at that call of her statistic."""
    more = {"FEDSTATS_HOME": str(running.places.analyst), "FEDSTATS_TEST_DIES_AT": str(dies_at)}
    return subprocess.run(
        command(words), env={**environment(), **more}, capture_output=True, check=False, timeout=ANSWER_S_MAX
    )


class WhoseApproval(Exception):
    """The analyst has read for whose approval she waits: she looks no longer."""


def look(progress: Progress) -> None:
    """Look until somebody's approval is waited for, whatever was lost with those that died."""
    if progress.approval_words:
        raise WhoseApproval(progress.approval_words)


def restart(running: Running, department: str) -> None:
    """Kill the node of the second member and start it, with whatever its node.toml says now."""
    running.kill(department)
    running.start_node(1)


def waiting_at(home: NodeHome) -> str:
    """The id of the question that a person is to decide about, once it is on the node's list."""
    pause = threading.Event()
    for _ in range(int(ANSWER_S_MAX / 0.2)):
        with State(home.state) as state:
            found = Approvals(state, PolicyTerms(Decide.EACH)).all(now_s=int(time.time()))
        if found:
            return found[0].id
        pause.wait(0.2)
    raise AssertionError("the question did not come")

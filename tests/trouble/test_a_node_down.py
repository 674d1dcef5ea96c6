"""A node hangs: the question waits and names it, and the analyst goes on without it where that is allowed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from click.testing import CliRunner, Result
from real_federation import ANSWER_S_MAX, MEMBERS, Running

from fedstats.cli import main

NAMES = [member.department for member in MEMBERS]
ANSWERED = f"^Answered: {', '.join(sorted(NAMES))}."


def fedstats(running: Running, *words: str) -> Result:
    """What the analyst types."""
    environment = {"FEDSTATS_HOME": str(running.places.analyst), "COLUMNS": "200", "NO_COLOR": "1"}
    return CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats")


@contextmanager
def frozen(running: Running, *numbers: int) -> Iterator[None]:
    """While the block runs, these nodes hang."""
    for number in numbers:
        running.freeze(number)
    try:
        yield
    finally:
        for number in numbers:
            running.thaw(number)


def ask(running: Running, age: int, *, wait_s: float = ANSWER_S_MAX) -> Result:
    """A question of its own for each test."""
    question = f"SELECT COUNT(*) FROM rtt WHERE age <= {age}"
    return fedstats(running, "query", question, "--epsilon", "0.1", "--wait", str(wait_s))


def until(holds: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    pause = threading.Event()
    for _ in range(int(ANSWER_S_MAX * 10)):
        if holds():
            return
        pause.wait(0.1)
    raise AssertionError("it did not come to that")


def charges(running: Running) -> list[int]:
    """How many charges each ledger holds; one without its release counts as 1,000."""
    return [running.entries(number) for number in range(len(MEMBERS))]


def test_a_question_goes_on_without_a_node_that_hangs(running: Running) -> None:
    """75 with who is missing and what to type; `proceed` answers; the late release is kept and costs once."""
    before = charges(running)
    with frozen(running, 2):
        waited = ask(running, 31, wait_s=5)
        assert waited.exit_code == 75, waited.output
        assert "FS-110 2 of 3 departments answered job" in waited.stderr
        assert f"it waits for {NAMES[2]} (" in waited.stderr
        assert "The budget of this round was spent." in waited.stderr
        (job,) = re.findall("fedstats proceed ([0-9a-f]+)", waited.stderr)
        went_on = fedstats(running, "proceed", job)
        assert went_on.exit_code == 0, went_on.output
        assert f"Absent: {NAMES[2]} (FS-306)" in went_on.stdout
        assert "went on without it" in went_on.stdout
        assert charges(running) == [before[0] + 1, before[1] + 1, before[2]]
    listed = fedstats(running, "register", "list", "--home", str(running.places.coordinator)).stdout
    assert f"round 0: the analyst went on without {NAMES[2]}." in listed
    # The node goes on with the task that it had: it charges, is told that it comes too late, and keeps it.
    until(lambda: charges(running)[2] == before[2] + 1)
    assert fedstats(running, "resume", job, "--format", "json").stdout == (
        fedstats(running, "proceed", job, "--format", "json").stdout
    )
    again = ask(running, 31)
    assert re.search(ANSWERED, again.stdout, re.MULTILINE), again.output
    assert charges(running) == [count + 1 for count in before]


def test_too_few_are_waited_for(running: Running) -> None:
    """With one of three the agreement lets nobody go on: the rule, who can change it; later all answer."""
    before = charges(running)
    with frozen(running, 1, 2):
        waited = ask(running, 32, wait_s=5)
        assert waited.exit_code == 75, waited.output
        assert "needs 2 departments" in waited.stderr
        assert "fedstats proceed" not in waited.stderr
        (job,) = re.findall("fedstats resume ([0-9a-f]+)", waited.stderr)
        refused = fedstats(running, "proceed", job)
        assert refused.exit_code == 3, refused.output
        assert "needs the answers of at least 2 departments, and 1 answered so far" in refused.stderr
        assert "signed by all controllers" in refused.stderr
        assert "The budget of this round was spent." in refused.stderr
    answer = json.loads(fedstats(running, "resume", job, "--format", "json", "--wait", "90").stdout)
    assert [p["department"] for p in answer["participants"] if p["refusal"] is None] == sorted(NAMES)
    assert charges(running) == [count + 1 for count in before]


def test_a_coordinator_that_dies_between_question_and_proceed_loses_nothing(running: Running) -> None:
    """Killed after two answered, and again after the decision: both are there afterwards."""
    with frozen(running, 0):
        waited = ask(running, 33, wait_s=5)
        (job,) = re.findall("fedstats proceed ([0-9a-f]+)", waited.stderr)
        running.kill("coordinator")
        away = fedstats(running, "proceed", job)
        assert away.exit_code == 4, away.output
        assert f"fedstats resume {job}" in away.stderr
        running.start_coordinator()
        went_on = fedstats(running, "proceed", job, "--format", "json")
        assert went_on.exit_code == 0, went_on.output
        running.kill("coordinator")
        running.start_coordinator()
        assert fedstats(running, "resume", job, "--format", "json").stdout == went_on.stdout
    assert re.search(ANSWERED, ask(running, 34).stdout, re.MULTILINE)

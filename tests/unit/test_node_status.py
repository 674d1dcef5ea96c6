"""What would stop an answer today: the status says it before a question is refused for it, in its words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from one_node import Analyst, make_home, open_node, refusal_of, release_of
from samples import NOW_S, sample_agreement, sample_dataset, sample_query

from fedstats.cli import main
from fedstats.core.agreement import Pace
from fedstats.core.checks import Check, Health
from fedstats.core.reason import Reason
from fedstats.node.home import Home
from fedstats.node.status import Outlook

DAY_S = 86_400
DATASET = replace(sample_dataset(), editions=("2025-09",))
AGREEMENT = sample_agreement(
    datasets=(DATASET,), privacy=replace(sample_agreement().privacy, pace=Pace(Fraction(19, 100), 30))
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """North's node under an agreement with a pace."""
    return make_home(tmp_path, AGREEMENT)


def stopped(home: Home, *, after_s: int = 0) -> dict[str, str]:
    """What the status finds wrong so much later, by check."""
    with open_node(home, now=lambda: NOW_S + after_s) as node:
        checks: list[Check] = list(Outlook(node).examine())
    return {
        f"{check.id} {check.subject}".strip(): check.found
        for check in checks
        if check.health is not Health.OK
    }


def refused(home: Home, *, after_s: int = 0) -> str:
    """The sentence of the refusal that a question would get then."""
    task = Analyst().task(sample_query(deadline_s=NOW_S + after_s + 60, nonce=bytes(16)))
    task.appointment.CopyFrom(Analyst().appointment(until_s=NOW_S + 900 * DAY_S))
    with open_node(home, now=lambda: NOW_S + after_s) as node:
        return refusal_of(node.runner.run(task)).sentence


def test_nothing_stops_a_healthy_node(home: Home) -> None:
    """Every check is fine, and a question is answered."""
    assert stopped(home) == {}
    with open_node(home) as node:
        release_of(node.runner.run(Analyst().task()))


def test_a_stale_list_is_said_in_the_words_of_the_refusal(home: Home) -> None:
    """After 30 days without a newer list the status says what each question will hear, and what to do."""
    found = stopped(home, after_s=31 * DAY_S)
    assert found == {"edition RTT-2026 rtt 2025-09": refused(home, after_s=31 * DAY_S)}
    assert "older than the 30 days" in found["edition RTT-2026 rtt 2025-09"]


def test_dates_and_a_pause_are_said(home: Home) -> None:
    """An agreement that ended stops, a review that is due warns, and a pause stops everything."""
    late = stopped(home, after_s=200 * DAY_S)
    assert "its review was due on 2026-10-01" in late["agreement RTT-2026"]
    over_s = 800 * DAY_S
    assert refused(home, after_s=over_s) in stopped(home, after_s=over_s)["agreement RTT-2026"]
    with open_node(home) as node:
        node.policy.pause(Reason("maintenance"), now_s=NOW_S)
    assert stopped(home) == {"pause": "The department has paused answering (maintenance)."}


def test_what_is_left_is_said(home: Home) -> None:
    """A pace that is nearly used up warns until its days have passed; a namespace without a cap stops."""
    with open_node(home) as node:
        release_of(node.runner.run(Analyst().task()))
    (words,) = stopped(home).values()
    assert re.fullmatch(r"\d(\.\d)? % of what agreement RTT-2026 allows in any 30 days is left now", words)
    assert stopped(home, after_s=30 * DAY_S) == {}
    with open_node(home, lifetime={}) as node:
        (cap,) = [check for check in Outlook(node).examine() if check.id == "budget"]
    assert (cap.health, "no lifetime cap" in cap.found) == (Health.PROBLEM, True)


def test_the_command_shows_it(home: Home) -> None:
    """`fedstats node status` for people and for programs; it ends with 1 where something stops answers."""
    home.config.write_text('[lifetime.nhs_number]\nepsilon = "20"\ndelta = "0.00001"\n')
    shown = CliRunner().invoke(main, ["node", "status", "--home", str(home.path)])
    assert (
        shown.exit_code,
        "edition RTT-2026 rtt 2025-09: The department names no opt-out list" in shown.output,
    ) == (
        1,
        True,
    )
    told = CliRunner().invoke(main, ["node", "status", "--home", str(home.path), "--format", "json"])
    assert {check["id"] for check in json.loads(told.output)} >= {
        "pause",
        "ledger",
        "register",
        "budget",
        "pace",
        "edition",
    }

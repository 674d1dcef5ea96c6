"""Each security event is provoked: at a node, at a coordinator, and by the commands of those who decide."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from coordinator_world import ready_world, revoked_appointment, submission
from one_node import Analyst, make_home, open_node
from samples import NOW_S, sample_order, sample_query, sample_round
from suite_log import Happened

from fedstats.cli import main
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.core.expression import Column
from fedstats.errors import AppointmentInvalid, LedgerRestored
from fedstats.journal import security
from fedstats.journal.event import Event
from fedstats.node.home import Home
from fedstats.wire.codec import encode_query
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import nodes_pb2

ANALYST = Analyst()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A node's home; no test here is answered anything."""
    return make_home(tmp_path_factory.mktemp("node"))


def forged() -> nodes_pb2.Task:
    """A question whose signature was changed on its way."""
    task = ANALYST.task()
    task.query.signature = task.query.signature[::-1]
    return task


def of_somebody_else() -> nodes_pb2.Task:
    """A round that another analyst signed."""
    task = ANALYST.task()
    task.round.CopyFrom(Analyst("c.brown", "south").task().round)
    return task


def expired() -> nodes_pb2.Task:
    """A question under an appointment that has ended."""
    task = ANALYST.task()
    task.appointment.CopyFrom(ANALYST.appointment(until_s=NOW_S - 1))
    return task


def conflicting() -> nodes_pb2.Task:
    """The second round of a question whose first nobody saw."""
    first = sha256(encode_query(sample_query()))
    return ANALYST.task(None, sample_order(first, number=1, totals_before=bytes(32)))


def beyond_its_scope() -> nodes_pb2.Task:
    """A round that asks for what its query did not announce."""
    first = sha256(encode_query(sample_query()))
    return ANALYST.task(None, sample_order(first, round=sample_round((Column("urgent"),))))


@pytest.mark.parametrize(
    "make, event, code",
    [
        (forged, security.SIGNATURE_REFUSED, "FS-501"),
        (of_somebody_else, security.KEY_REFUSED, "FS-201"),
        (expired, security.APPOINTMENT_REFUSED, "FS-504"),
        (conflicting, security.ROUND_CONFLICTED, "FS-205"),
        (beyond_its_scope, security.AGREEMENT_MISMATCH, "FS-204"),
        (lambda: ANALYST.task(sample_query(agreement="OTHER")), security.AGREEMENT_MISMATCH, "FS-202"),
    ],
)
def test_what_a_node_does_not_believe_is_noted(
    home: Home, noted: list[Happened], make: Callable[[], nodes_pb2.Task], event: Event, code: str
) -> None:
    """Forged, foreign, expired, contradicting, disallowed: each leaves its event, with its own code."""
    with open_node(home) as node:
        node.runner.run(make())
    assert [said["code"] for happened, said in noted if happened is event] == [code]


def test_a_restored_ledger_is_noted(noted: list[Happened]) -> None:
    """What contradicts the ledger's witness is told to those who watch."""
    security.alarm(LedgerRestored())
    assert noted == [(security.LEDGER_REFUSED, {"code": "FS-703"})]


def test_a_revoked_analyst_is_refused_by_the_coordinator() -> None:
    """The error that the door turns into SEC-103 is what a revoked analyst gets."""
    world = ready_world()
    request = revoked_appointment(world)
    with pytest.raises(AppointmentInvalid):
        world.submit(request)
    assert (AppointmentInvalid, security.APPOINTMENT_REFUSED) in security.ALARMS


def typed(*arguments: str | Path) -> None:
    """A command that ends well."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


def written(folder: Path) -> list[dict[str, Any]]:
    """The security events of a daemon's folder, without what every line has."""
    lines = (folder / "logs" / "security.jsonl").read_text().splitlines()
    every = {"timestamp", "level", "component", "version", "message", "security"}
    return [{key: value for key, value in json.loads(line).items() if key not in every} for line in lines]


def test_what_people_decide_at_a_node_is_written(tmp_path: Path) -> None:
    """Pause, resumption and withdrawal, typed beside a node that may not even run; no note of anybody's."""
    home = make_home(tmp_path).path
    typed("node", "pause", "--reason", "governance", "--note", "zq-value", "--home", home)
    typed("node", "resume", "--home", home)
    typed("node", "withdraw", "RTT-2026", "--reason", "legal", "--yes", "--home", home)
    assert written(home) == [
        {"event": "paused", "reason": "governance"},
        {"event": "resumed"},
        {"event": "agreement_withdrawn", "agreement": "RTT-2026", "reason": "legal"},
    ]


def test_what_people_decide_at_a_coordinator_is_written(tmp_path: Path) -> None:
    """Invitation, removal and rebinding; a department is named, an analyst is not."""
    home = tmp_path / "coordinator"
    typed("coordinator", "init", "--home", home, "--host", "stats.example.gov.uk")
    store = CoordinatorHome(home).store()
    ready_world(store).submit(submission())
    store.close()
    typed("coordinator", "invite", "node", "east", "--home", home)
    typed("coordinator", "invite", "analyst", "b.jones", "--home", home)
    typed("coordinator", "remove", "node", "north", "--home", home)
    typed("coordinator", "rebind", "south", "--home", home)
    assert written(home) == [
        {"event": "member_invited", "role": "node", "department": "east", "again": False},
        {"event": "member_invited", "role": "analyst", "again": False},
        {"event": "member_removed", "role": "node", "department": "north"},
        {"event": "key_unbound", "department": "south"},
    ]

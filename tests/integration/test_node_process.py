"""A node as a process of its own, beside a real coordinator: what IT types, in the order of the README."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from node_place import ANALYST, Place, fedstats, place, set_up

from fedstats.cli import main
from fedstats.core.appointment import AppointedRole
from fedstats.identity.keys import Context
from fedstats.identity.peer import Role
from fedstats.node.home import Home
from fedstats.wire import methods
from fedstats.wire.codec import decode_appointment, decode_release, signed_from
from fedstats.wire.v1 import agreements_pb2


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A node that was set up by what IT types, and runs."""
    with place(tmp_path_factory.mktemp("place")) as made:
        set_up(made)
        made.node.start()
        yield made


def test_doctor_misses_the_appointment_until_it_is_made(north: Place) -> None:
    """Doctor names the one thing that is still missing, with the line to type, and then finds nothing.

    Of a node and a coordinator that run, everything is in order, but that the tests may run as root.
    """
    home = north.home
    printed = fedstats("node", "doctor", "--home", home.path, "--format", "json", code=1)
    problems = findings(printed)
    assert [check["id"] for check in problems] == ["appointment"]
    key = home.read_node_key().public.raw
    assert f"fedstats controller appoint node north --key {key.hex()}" in problems[0]["fix"]
    now_s = int(time.time())
    made = ANALYST.appointment(
        role=AppointedRole.NODE, name="north", key=key, from_s=now_s - 60, until_s=now_s + 600
    )
    north.publish("north", appointment=made)
    printed = fedstats("node", "doctor", "--home", home.path, "--format", "json")
    assert findings(printed) == []
    checked = {check["id"] for check in json.loads(printed)}
    assert {"name", "connection", "tls", "accepted", "clock", "version", "appointment", "codes"} <= checked
    its_home = north.folder / "coordinator"
    assert findings(fedstats("coordinator", "doctor", "--home", its_home, "--format", "json")) == []


def findings(printed: str) -> list[dict[str, str]]:
    """What a doctor did not find in order."""
    checks: list[dict[str, str]] = json.loads(printed)
    return [c for c in checks if c["health"] != "ok" and not (c["id"] == "account" and os.geteuid() == 0)]


def test_a_question_is_answered_and_charged_over_real_connections(north: Place) -> None:
    """From the analyst's signed question to the node's signed release, and its charge in the ledger."""
    outcome = north.answer(north.ask())
    signed = signed_from(outcome.release)
    assert signed.key == north.home.read_node_key().public
    assert decode_release(signed.verify(Context.RELEASE)).department == "north"
    printed = fedstats("node", "ledger", "--home", north.home.path, "--format", "json")
    assert len(json.loads(printed)["entries"]) == 1


def test_a_node_survives_its_coordinator(north: Place) -> None:
    """The coordinator is killed and comes back: the node answers the next question without being touched."""
    north.coordinator.end(signal.SIGKILL)
    north.coordinator.start()
    assert north.answer(north.ask()).HasField("release")


def test_a_pause_reaches_the_running_node(north: Place) -> None:
    """A pause typed beside the daemon refuses the next question, and resuming ends it."""
    fedstats("node", "pause", "--reason", "maintenance", "--home", north.home.path)
    refusal = north.answer(north.ask())
    assert b"FS-206" in refusal.refusal.payload
    fedstats("node", "resume", "--home", north.home.path)
    assert north.answer(north.ask()).HasField("release")


def test_one_node_runs_in_one_folder(north: Place) -> None:
    """A second daemon in the same folder is refused; the first goes on."""
    refused = fedstats("node", "run", "--home", north.home.path, code=2)
    assert "FS-105" in refused


def test_sigterm_ends_a_node_cleanly(north: Place) -> None:
    """SIGTERM during a long poll: the process ends at once with exit code 0, and can start again."""
    begun_s = time.monotonic()
    assert north.node.end(signal.SIGTERM) == 0
    assert time.monotonic() - begun_s < 30  # a long poll would last 50 s
    started = json.loads(north.node.start())
    assert (started["event"], started["department"]) == ("node_started", "north")
    assert "Traceback" not in north.node.log.read_text()


def test_a_sitting_can_make_the_controllers_key_too(north: Place, tmp_path: Path) -> None:
    """Where the controller sits beside IT, one sitting joins, makes the key, and appoints the node.

    The appointment is sent with the controller's own certificate, as the sitting says.
    """
    token, controller = north.invite(Role.NODE, "east").text(), tmp_path / "controller"
    typed = ["node", "init", "--token", token, "--controller-home", str(controller)]
    sitting = CliRunner().invoke(
        main, [*typed, "--home", str(tmp_path / "east")], input="a long passphrase\n" * 3
    )
    assert sitting.exit_code == 0, sitting.output
    assert "The controller of east appointed this node" in sitting.output
    assert "No agreement that names this department was published yet" in sitting.output
    said = [line.split()[1:] for line in sitting.output.splitlines() if line.startswith("  fedstats ")]
    (joining,) = [words for words in said if words[:2] == ["join", "-"]]
    (sending,) = [words for words in said if words[:2] == ["agreement", "publish"]]
    for words, typed_there in ((joining, north.invite(Role.CONTROLLER, "east").text()), (sending, "")):
        done = CliRunner().invoke(main, words, input=f"{typed_there}\n")
        assert done.exit_code == 0, done.output
    reply = north.analyst.call(methods.FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
    appointed = [decode_appointment(message.payload) for message in reply.appointments]
    key = Home(tmp_path / "east").read_node_key().public.raw
    assert ("east", AppointedRole.NODE, key) in [(a.department, a.role, a.key) for a in appointed]

"""A node as a process of its own, beside a real coordinator: what IT types, in the order of the README."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from daemons import Daemon
from doctor_world import AGREEMENT as HEALTHY
from one_node import Analyst, published
from samples import DEPARTMENTS, sample_agreement, sample_order, sample_query

from fedstats.cli import main
from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Config, Limits
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.coordinator.home import init
from fedstats.core.appointment import AppointedRole
from fedstats.identity.keys import Context
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.node.home import Home
from fedstats.wire import methods
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.codec import decode_appointment, decode_release, encode_query, signed_from
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, signed_pb2

PATIENCE_S = 60.0
AGREEMENT = sample_agreement(  # processes go by the real date
    starts_on=date(2020, 1, 1),
    review_on=date(2026, 1, 1),
    ends_on=date(2099, 1, 1),
    nodes_min=1,
    datasets=HEALTHY.datasets,
)
ANALYST = Analyst()


def fedstats(*arguments: str | Path, code: int = 0) -> str:
    """Type a command; what it prints."""
    command = [sys.executable, "-m", "fedstats", *map(str, arguments)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@dataclass
class Place:
    """A coordinator and north's node on this machine, and an analyst's connection."""

    folder: Path
    coordinator: Daemon = field(init=False)
    node: Daemon = field(init=False)
    analyst: Channel = field(init=False)
    controllers: dict[str, Channel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the coordinator and start it."""
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        limits = Limits(lease_s=1)
        config = Config(address=f"localhost:{port}", listen=f"127.0.0.1:{port}", limits=limits)
        init(CoordinatorHome(self.folder / "coordinator"), config, now=datetime.now(UTC))
        run = ("coordinator", "run", "--home", self.folder / "coordinator")
        self.coordinator = Daemon(run, self.folder / "coordinator.log")
        self.coordinator.start()
        self.analyst = self.join(Role.ANALYST, ANALYST.name)
        self.node = Daemon(("node", "run", "--home", self.home.path), self.folder / "node.log")

    @property
    def home(self) -> Home:
        """The node's home."""
        return Home(self.folder / "node")

    def invite(self, role: Role, name: str) -> Token:
        """A token, made beside the running coordinator."""
        home = CoordinatorHome(self.folder / "coordinator")
        store = home.store()
        admission = Admission(home.authority(), store.members, time.time)
        token = admission.invite(Peer(role, name), address=home.config().address, lifetime=timedelta(hours=1))
        store.close()
        return token

    def join(self, role: Role, name: str) -> Channel:
        """Join as the analyst, or as a controller."""
        token, key = self.invite(role, name), TlsKey.generate()
        bootstrap = ClientTls(token.ca_certificate_der, token.certificate_der, token.key)
        with Channel(token.address, bootstrap) as channel:
            request = signed_pb2.JoinRequest(certificate_request=key.request())
            certificate = channel.call(methods.JOIN_ANALYST, request).certificate
        return Channel(token.address, replace(bootstrap, certificate_der=certificate, key=key))

    def publish(self, department: str, **documents: signed_pb2.Signed) -> None:
        """Publish what a department's controller signed, as that controller."""
        if department not in self.controllers:
            self.controllers[department] = self.join(Role.CONTROLLER, department)
        self.controllers[department].call(methods.PUBLISH, agreements_pb2.PublishRequest(**documents))

    def ask(self) -> bytes:
        """Ask a new question; its hash."""
        query = sample_query(deadline_s=int(time.time()) + 600, nonce=os.urandom(16))
        order = sample_order(sha256(encode_query(query)), participants=("north",))
        task = ANALYST.task(query, order)
        appointment = ANALYST.appointment(from_s=int(time.time()) - 60, until_s=int(time.time()) + 600)
        request = analysts_pb2.SubmitRequest(query=task.query, round=task.round, appointment=appointment)
        return self.analyst.call(methods.SUBMIT, request).query

    def answer(self, query: bytes) -> analysts_pb2.Outcome:
        """What north answered, as soon as it did."""
        seen, end_s = 0, time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            watch = analysts_pb2.WatchRequest(query=query, seen=seen, wait_s=5)
            seen = self.analyst.call(methods.WATCH, watch).version
            reply = self.analyst.call(methods.FETCH, analysts_pb2.FetchRequest(query=query))
            for outcome in reply.rounds[0].outcomes:
                if outcome.department == "north":
                    return outcome
        raise AssertionError((self.folder / "node.log").read_text())


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Everything, ended at the end whatever happens."""
    made = Place(folder)
    try:
        yield made
    finally:
        for channel in (made.analyst, *made.controllers.values()):
            channel.close()
        for daemon in (made.node, made.coordinator):
            if daemon.process is not None:
                daemon.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A node that was set up by what IT types, and runs."""
    with place(tmp_path_factory.mktemp("place")) as made:
        set_up(made)
        made.node.start()
        yield made


def set_up(made: Place) -> None:
    """Join, accept, configure, refresh."""
    home = made.home.path
    fedstats("node", "join", made.invite(Role.NODE, "north").text(), "--home", home)
    record = published(AGREEMENT)
    for department, signature in zip(DEPARTMENTS, record.signatures, strict=True):
        signature.payload = record.document
        made.publish(department, agreement=signature)
    fedstats("agreement", "accept", "RTT-2026", "--trust", "--yes", "--home", home)
    (made.folder / "optout.txt").write_text("")
    (made.folder / "rtt.csv").write_text(
        "nhs_number,age,cost,sex,started,urgent,postcode_area\n"
        + "".join(f"9{i:09d},{i % 100},12.25,{'FM'[i % 2]},2025-03-01,true,LS\n" for i in range(400))
    )
    (made.folder / "rtt.csv").chmod(0o444)
    made.home.config.write_text(
        'reply_deadline_s = 0\n[lifetime.nhs_number]\nepsilon = "20"\ndelta = "0.00001"\n'
        '[[datasets]]\ndataset = "rtt"\nperson = "nhs_number"\nopt_out_list = "../optout.txt"\n'
        'source = { kind = "csv", path = "../rtt.csv" }\n'
    )
    fedstats("node", "refresh", "--edition", "2025-09", "--home", home)


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
    """Where the controller sits beside IT, one sitting joins, makes the key, and appoints the node."""
    token, controller = north.invite(Role.NODE, "east").text(), tmp_path / "controller"
    typed = ["node", "init", "--token", token, "--controller-home", str(controller)]
    sitting = CliRunner().invoke(
        main, [*typed, "--home", str(tmp_path / "east")], input="a long passphrase\n" * 3
    )
    assert sitting.exit_code == 0, sitting.output
    assert "The controller of east appointed this node" in sitting.output
    assert "No agreement that names this department was published yet" in sitting.output
    reply = north.analyst.call(methods.FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
    appointed = [decode_appointment(message.payload) for message in reply.appointments]
    key = Home(tmp_path / "east").read_node_key().public.raw
    assert ("east", AppointedRole.NODE, key) in [(a.department, a.role, a.key) for a in appointed]

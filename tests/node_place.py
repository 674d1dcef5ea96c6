"""A coordinator and one node as processes of their own on this machine, set up by what IT types."""

from __future__ import annotations

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

from daemons import Daemon
from doctor_world import AGREEMENT as HEALTHY
from one_node import Analyst, published
from samples import DEPARTMENTS, sample_agreement, sample_order, sample_query

from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Config, Limits
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.coordinator.home import init
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.journal.settings import MetricsTerms
from fedstats.node.home import Home
from fedstats.wire import methods
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.codec import encode_query
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


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


@dataclass
class Place:
    """A coordinator and north's node on this machine, and an analyst's connection."""

    folder: Path
    coordinator: Daemon = field(init=False)
    node: Daemon = field(init=False)
    analyst: Channel = field(init=False)
    controllers: dict[str, Channel] = field(default_factory=dict)
    coordinator_metrics_port: int = field(default_factory=free_port)
    node_metrics_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        """Make the coordinator and start it."""
        port = free_port()
        config = Config(
            address=f"localhost:{port}",
            listen=f"127.0.0.1:{port}",
            limits=Limits(lease_s=1),
            metrics=MetricsTerms(f"127.0.0.1:{self.coordinator_metrics_port}"),
        )
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
        return self.analyst.call(methods.SUBMIT, self.question()).query

    def question(self, **changes: object) -> analysts_pb2.SubmitRequest:
        """A new question; `changes` replace fields of its query."""
        query = sample_query(deadline_s=int(time.time()) + 600, nonce=os.urandom(16), **changes)
        order = sample_order(sha256(encode_query(query)), participants=("north",))
        task = ANALYST.task(query, order)
        appointment = ANALYST.appointment(from_s=int(time.time()) - 60, until_s=int(time.time()) + 600)
        return analysts_pb2.SubmitRequest(query=task.query, round=task.round, appointment=appointment)

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
        f'reply_deadline_s = 0\n[metrics]\nlisten = "127.0.0.1:{made.node_metrics_port}"\n'
        '[lifetime.nhs_number]\nepsilon = "20"\ndelta = "0.00001"\n'
        '[[datasets]]\ndataset = "rtt"\nperson = "nhs_number"\nopt_out_list = "../optout.txt"\n'
        'source = { kind = "csv", path = "../rtt.csv" }\n'
    )
    fedstats("node", "refresh", "--edition", "2025-09", "--home", home)

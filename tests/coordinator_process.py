"""A coordinator as a process of its own, over real TLS, that can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from coordinator_world import ANALYST_KEY, agreement_signatures, release, submission
from daemons import Daemon
from samples import DEPARTMENTS, sample_agreement, sample_query, seed_key

from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Config, Limits
from fedstats.coordinator.home import Home, init
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.errors import CoordinatorUnreachable, NotPermitted
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.wire import codec, methods
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2, signed_pb2

START_S = 20.0
LEASE_S = 1
TODAY = datetime.now(UTC).date()
DOCUMENT = canonical_json(
    document_of(
        sample_agreement(
            starts_on=TODAY - timedelta(days=30),
            ends_on=TODAY + timedelta(days=300),
            review_on=TODAY + timedelta(days=100),
        )
    )
)

T = TypeVar("T")


def fedstats(*arguments: str | Path) -> list[str]:
    """The command line of a fedstats command."""
    return [sys.executable, "-m", "fedstats", *map(str, arguments)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


@dataclass
class Process:
    """A coordinator in a folder of its own; it can be killed and started again."""

    home: Path
    port: int = field(default_factory=free_port)
    host: str = "localhost"  # of its address
    listen: str = "127.0.0.1"
    running: Daemon | None = None
    channels: dict[str, Channel] = field(default_factory=dict)

    def init(self) -> None:
        """Make the coordinator, with leases that end soon."""
        config = Config(
            address=f"{self.host}:{self.port}",
            listen=f"{self.listen}:{self.port}",
            limits=Limits(lease_s=LEASE_S),
        )
        init(Home(self.home), config, now=datetime.now(UTC))

    def start(self) -> str:
        """Start it; the line that it prints once it takes calls."""
        self.running = Daemon(("coordinator", "run", "--home", self.home), self.home / "log")
        return self.running.start()

    def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.running is not None
        running, self.running = self.running, None
        return running.end(number)

    def invite(self, role: str, name: str) -> Token:
        """A token, made beside the running coordinator."""
        home = Home(self.home)
        store = home.store()
        admission = Admission(home.authority(), store.members, time.time)
        peer, address = Peer(Role(role), name), home.config().address
        token = admission.invite(peer, address=address, lifetime=timedelta(hours=1))
        store.close()
        return token

    def join(self, role: str, name: str) -> Channel:
        """Invite somebody, join with the token, and keep the connection."""
        token, key = self.invite(role, name), TlsKey.generate()
        request = signed_pb2.JoinRequest(certificate_request=key.request())
        bootstrap = ClientTls(token.ca_certificate_der, token.certificate_der, token.key)
        method = methods.JOIN_NODE if role == "node" else methods.JOIN_ANALYST
        with Channel(token.address, bootstrap) as channel:
            certificate = channel.call(method, request).certificate
            with pytest.raises(NotPermitted):
                channel.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest())
        tls = replace(bootstrap, certificate_der=certificate, key=key)
        self.channels[name] = Channel(token.address, tls)
        return self.channels[name]


@contextmanager
def coordinator(home: Path) -> Iterator[Process]:
    """A coordinator that all nodes and an analyst have joined, with the agreement signed by all."""
    process = Process(home)
    process.init()
    try:
        process.start()
        for department, signed in zip(DEPARTMENTS, agreement_signatures(DOCUMENT), strict=True):
            request = agreements_pb2.PublishRequest(agreement=codec.signed_to(signed))
            with process.join("controller", department) as controller:
                controller.call(methods.PUBLISH, request)
            process.join("node", department)
        process.join("analyst", "a.smith")
        yield process
    finally:
        for channel in process.channels.values():
            channel.close()
        if process.running is not None:
            process.end(signal.SIGKILL)


def question() -> analysts_pb2.SubmitRequest:
    """A new question that may be asked by the real clock."""
    now_s = int(time.time())
    appointed = Appointment(
        "north", AppointedRole.ANALYST, "a.smith", ANALYST_KEY.public.raw, now_s - 60, now_s + 3_600
    )
    signed = Signed.make(
        Context.APPOINTMENT, codec.encode_appointment(appointed), seed_key("controller north")
    )
    query = sample_query(deadline_s=now_s + 3_600, nonce=os.urandom(16))
    return submission(query, appointed=signed)


def lease(process: Process, department: str, wait_s: int) -> nodes_pb2.Task | None:
    """Ask for work as a node."""
    channel = process.channels[department]
    reply = channel.call(methods.LEASE, nodes_pb2.LeaseRequest(wait_s=wait_s))
    return reply.task if reply.HasField("task") else None


def states(process: Process, query: bytes) -> set[int]:
    """The states of a round's tasks, now."""
    request = analysts_pb2.WatchRequest(query=query)
    reply = process.channels["a.smith"].call(methods.WATCH, request)
    return {task.state for task in reply.tasks}


def until_it_answers(call: Callable[[], T]) -> T:
    """Call until the coordinator is there; the channel itself waits a little before each attempt."""
    end_s = time.monotonic() + START_S
    while True:
        try:
            return call()
        except CoordinatorUnreachable:
            assert time.monotonic() < end_s


def report(process: Process, department: str, task: nodes_pb2.Task) -> None:
    """Answer a task as a node."""
    request = nodes_pb2.ReportRequest(
        task=task.id, lease_token=task.lease_token, release=release(task, department)
    )
    process.channels[department].call(methods.REPORT, request)

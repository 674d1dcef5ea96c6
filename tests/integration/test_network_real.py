"""The network as it is between departments: the coordinator away, IPv6, another organisation's authority."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from coordinator_process import Process

from fedstats.cli import main
from fedstats.client.home import Home as AnalystHome
from fedstats.coordinator.config import Config
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.coordinator.home import init
from fedstats.errors import CertificateProblem, CoordinatorUnreachable, FedstatsError
from fedstats.identity.certificates import certificate_to_pem, issue_server, make_authority
from fedstats.identity.tls_key import TlsKey
from fedstats.node.agent import Agent
from fedstats.node.config import NodeConfig
from fedstats.node.connection import Connection
from fedstats.node.home import Home
from fedstats.node.joining import join
from fedstats.node.service import Node
from fedstats.wire.back_off import BackOff
from fedstats.wire.channel import Channel
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import CATALOGUE, LEASE
from fedstats.wire.v1 import analysts_pb2, nodes_pb2

NODES = 6
BACK_S = 5.0
AWAY_S = 8.0  # so that everybody is at the longest waits
PATIENCE_S = 40.0


@dataclass
class Noting:
    """A node's own connection, with polls of a second, and when the coordinator last replied to one."""

    connection: Connection
    replied_s: float = 0.0
    lost: threading.Event = field(default_factory=threading.Event)

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry the call."""
        if isinstance(request, nodes_pb2.LeaseRequest):
            request.wait_s = 1
        try:
            reply = self.connection.call(method, request, timeout_s)
        except CoordinatorUnreachable:
            self.lost.set()
            raise
        if method.path == LEASE.path:
            self.replied_s = time.monotonic()
        return reply


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that other threads do."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        threading.Event().wait(0.02)


@pytest.fixture
def process(tmp_path: Path) -> Any:  # a generator
    """A coordinator that nobody has joined."""
    made = Process(tmp_path / "coordinator")
    made.init()
    made.start()
    yield made
    for channel in made.channels.values():
        channel.close()
    if made.running is not None:
        made.end(signal.SIGKILL)


def test_all_are_back_within_five_seconds_of_the_coordinators_return(
    process: Process, tmp_path: Path
) -> None:
    """Killed and started again on its port: every node leases, and an analyst is answered, within 5 s."""
    analyst, nodes, agents = process.join("analyst", "a.smith"), list[Noting](), list[Agent]()
    threads: list[threading.Thread] = []
    for number in range(NODES):
        home = Home(tmp_path / f"node{number}")
        join(home, process.invite("node", f"north{number}").text(), now=time.time)
        nodes.append(Noting(Connection(home, now=time.time)))
        node = Node(home, NodeConfig(), nodes[-1], now=time.time)
        agents.append(Agent(node))
        threads.append(threading.Thread(target=agents[-1].run, args=(nodes[-1].connection.close,)))
        threads[-1].start()
    try:
        until(lambda: all(node.replied_s for node in nodes))
        process.end(signal.SIGKILL)
        until(lambda: all(node.lost.is_set() for node in nodes))
        threading.Event().wait(AWAY_S)
        process.start()
        returned_s = time.monotonic()
        back_s = _asked_until_answered(analyst) - returned_s
        until(lambda: all(node.replied_s > returned_s + 0.5 for node in nodes))
        first_s = [node.replied_s - returned_s - 1.0 for node in nodes]  # it held the poll for a second
    finally:
        for agent in agents:
            agent.stop.set()
        for thread in threads:
            thread.join()
        for agent in agents:
            agent.node.close()
    print(f"back after, s: nodes {', '.join(f'{s:.1f}' for s in sorted(first_s))}; analyst {back_s:.1f}")  # noqa: T201 # pytest -rP shows it
    assert (
        max(*first_s, back_s) <= BACK_S + 1.0
    )  # of a poll, where the first reply came before the loop looked


def _asked_until_answered(analyst: Channel) -> float:
    back_off, waiting = BackOff(), threading.Event()
    while True:
        try:
            analyst.call(CATALOGUE, analysts_pb2.CatalogueRequest())
        except FedstatsError as problem:
            waiting.wait(back_off.after_failure(problem))
        else:
            return time.monotonic()


def test_everything_works_over_ipv6(tmp_path: Path) -> None:
    """A coordinator on [::1]: in its configuration, in tokens, in messages, and over the wire."""
    assert socket.has_ipv6, "this machine has no IPv6: enable it (net.ipv6.conf.all.disable_ipv6 = 0)"
    process = Process(tmp_path / "coordinator", host="[::1]", listen="[::1]")
    process.init()
    process.start()
    try:
        token = process.invite("node", "north")
        assert token.address == f"[::1]:{process.port}"
        home = Home(tmp_path / "node")
        assert join(home, token.text(), now=time.time).peer.name == "north"
        connection = Connection(home, now=time.time)
        connection.call(LEASE, nodes_pb2.LeaseRequest())
        process.end(signal.SIGKILL)
        with pytest.raises(CoordinatorUnreachable):  # the old connection may break first
            connection.call(LEASE, nodes_pb2.LeaseRequest())
        with pytest.raises(CoordinatorUnreachable, match=rf"No connection to \[::1\]:{process.port}"):
            connection.call(LEASE, nodes_pb2.LeaseRequest())
        connection.close()
    finally:
        if process.running is not None:
            process.end(signal.SIGKILL)


def test_a_certificate_of_the_organisations_own_authority(tmp_path: Path) -> None:
    """A coordinator with another authority's certificate: refused, and believed where that one is named."""
    now = datetime.now(UTC)
    theirs = make_authority("Department CA 2", now=now)
    folder, key = tmp_path / "coordinator", TlsKey.generate()
    process = Process(folder)
    shown = issue_server(theirs, key, ("localhost",), now=now, lifetime=timedelta(days=1))
    (tmp_path / "shown.pem").write_bytes(certificate_to_pem(shown))
    (tmp_path / "shown.key").write_bytes(key.private_pem())
    (tmp_path / "shown.key").chmod(0o600)
    (tmp_path / "ca.pem").write_bytes(certificate_to_pem(theirs.certificate_der))
    config = Config(
        address=f"localhost:{process.port}",
        listen=f"127.0.0.1:{process.port}",
        certificate_file=str(tmp_path / "shown.pem"),
        key_file=str(tmp_path / "shown.key"),
    )
    init(CoordinatorHome(folder), config, now=now)
    process.start()
    try:
        token = process.invite("node", "north").text()
        with pytest.raises(CertificateProblem):
            join(Home(tmp_path / "node"), token, now=time.time)
        _run("node", "join", token, "--home", tmp_path / "node", "--ca-file", tmp_path / "ca.pem")
        told = NodeConfig(coordinator=replace(NodeConfig().coordinator, ca_file=tmp_path / "ca.pem"))
        connection = Connection(Home(tmp_path / "node"), now=time.time, network=told.coordinator)
        connection.call(LEASE, nodes_pb2.LeaseRequest())
        connection.close()
        token = process.invite("analyst", "a.smith").text()
        _run("join", token, "--home", tmp_path / "analyst", "--ca-file", tmp_path / "ca.pem")
        assert AnalystHome.at(tmp_path / "analyst").config().coordinator.ca_file == tmp_path / "ca.pem"
    finally:
        process.end(signal.SIGKILL)


def _run(*arguments: str | Path) -> None:
    main(list(map(str, arguments)), standalone_mode=False)

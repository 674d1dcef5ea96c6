"""Three trusts with a few hundred patients, a coordinator and an analyst: real processes over real TLS."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fedstats.client.home import Home as PersonHome
from fedstats.client.session import connect
from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Limits
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.demo import founding
from fedstats.demo.agreement import AGREEMENT_ID, PURPOSE, agreement_document
from fedstats.demo.founding import Places
from fedstats.demo.local_files import write
from fedstats.demo.processes import command, environment
from fedstats.demo.trusts import TRUSTS
from fedstats.demo.waiting_list import generate
from fedstats.identity.address import split_address
from fedstats.identity.peer import Peer
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.node.ledger import Ledger
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.methods import JOIN_ANALYST
from fedstats.wire.v1 import signed_pb2

MEMBERS = TRUSTS[:3]
ANSWER_S_MAX = 90.0

DYING_NODE = """
import os, signal, sys, time
from pathlib import Path
from fedstats.node.agent import Agent
from fedstats.node.config import read_config
from fedstats.node.connection import Connection
from fedstats.node.home import Home
from fedstats.node.service import Node

def die(here):
    if here == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

home = Home(Path(sys.argv[1]))
connection = Connection(home, now=time.time)
with Node(home, read_config(home.config), connection, now=time.time, checkpoint=die) as node:
    Agent(node).run(connection.close)
"""


@dataclass
class Running:
    """A founded federation and its processes, by name."""

    places: Places
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        """Where the coordinator listens."""
        return split_address(CoordinatorHome(self.places.coordinator).config().address)

    def invite(self, peer: Peer, *, age: timedelta = timedelta()) -> Token:
        """A token that lives for an hour and was made so long ago."""
        home = CoordinatorHome(self.places.coordinator)
        store, made_at = home.store(), datetime.now(UTC) - age
        try:
            admission = Admission(home.authority(), store.members, made_at.timestamp)
            return admission.invite(
                peer, address=home.config().address, lifetime=timedelta(hours=1), again=True
            )
        finally:
            store.close()

    def start(self, name: str, *arguments: str) -> None:
        """Start `fedstats ARGUMENTS`."""
        self._start(name, command(arguments))

    def start_coordinator(self) -> None:
        """Start the coordinator over its folder, and wait until it listens."""
        self.start("coordinator", "coordinator", "run", "--home", str(self.places.coordinator))
        host, port = self.address
        pause = threading.Event()
        for _ in range(600):
            try:
                socket.create_connection((host, port), timeout=1).close()
            except OSError:
                pause.wait(0.1)
            else:
                return
        raise AssertionError("the coordinator did not start")

    def start_node(self, number: int) -> None:
        """Start the node of a member over its folder."""
        folder = self.places.node(MEMBERS[number])
        self.start(MEMBERS[number].department, "node", "run", "--home", str(folder))

    def start_dying_node(self, number: int, step: str) -> None:
        """Start a node that is killed right after this step of its first task."""
        folder = self.places.node(MEMBERS[number])
        self._start(MEMBERS[number].department, [sys.executable, "-c", DYING_NODE, str(folder), step])

    def kill(self, name: str) -> None:
        """Kill -9, by id."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def freeze(self, number: int) -> None:
        """Stop a member's node as a machine that hangs: its connection stays open, and nothing moves."""
        self.processes[MEMBERS[number].department].send_signal(signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Let it go on where it was."""
        self.processes[MEMBERS[number].department].send_signal(signal.SIGCONT)

    def wait_until_killed(self, name: str) -> int:
        """The exit code of a process that ends by itself."""
        return self.processes.pop(name).wait(ANSWER_S_MAX)

    def stop(self) -> None:
        """Stop everything that was started here."""
        for name in tuple(self.processes):
            self.kill(name)

    def entries(self, number: int) -> int:
        """How many charges with a release a member's ledger holds; one without it counts as 1,000."""
        with Ledger(founding.node_home(self.places, MEMBERS[number]).ledger) as ledger:
            return sum(1 if entry.recorded else 1_000 for entry in ledger.entries())

    def _start(self, name: str, arguments: list[str]) -> None:
        log = (self.places.folder / f"{name}.log").open("ab")
        with log:
            self.processes[name] = subprocess.Popen(arguments, stdout=log, stderr=log, env=environment())


@contextmanager
def federation(folder: Path) -> Iterator[Running]:
    """The federation in this folder, with everything running; leaving the block ends all of it."""
    places = Places(folder)
    write(generate(TRUSTS, 400, 3), places.data)
    founding.found_coordinator(places, Limits(lease_s=1))
    made = Running(places)
    try:
        made.start_coordinator()
        founding.join_everybody(places, MEMBERS)
        agreement = founding.sign_by_all(places, MEMBERS, _agreement)
        for number, trust in enumerate(MEMBERS):
            founding.open_node(places, trust, agreement, reply_deadline_s=0)
            made.start_node(number)
        home = PersonHome.at(places.analyst)
        founding.trust_controllers(home.trust, agreement)
        founding.use_agreement(home, AGREEMENT_ID, PURPOSE)
        _wait_for_holdings(places)
        yield made
    finally:
        made.stop()


@contextmanager
def coordinator_alone(folder: Path) -> Iterator[Running]:
    """A coordinator that nobody has joined."""
    places = Places(folder)
    founding.found_coordinator(places)
    made = Running(places)
    try:
        made.start_coordinator()
        yield made
    finally:
        made.stop()


def member_tls(running: Running, peer: Peer) -> ClientTls:
    """What a new analyst or controller proves herself with, after she joined over the network."""
    token, key = running.invite(peer), TlsKey.generate()
    bearer = ClientTls(token.ca_certificate_der, token.certificate_der, token.key, token.server_name)
    with Channel(token.address, bearer) as channel:
        reply = channel.call(JOIN_ANALYST, signed_pb2.JoinRequest(certificate_request=key.request()))
    return ClientTls(token.ca_certificate_der, reply.certificate, key)


def _agreement(keys: Mapping[str, str]) -> Mapping[str, object]:
    """The demo's agreement, for everybody whom the first trust appoints; two departments are enough."""
    analysts, today = [f"*@{MEMBERS[0].department}"], datetime.now(UTC).date()
    document = agreement_document(MEMBERS, keys, pathways_per_trust=400, analysts=analysts, today=today)
    return {**document, "nodes_min": 2}


def _wait_for_holdings(places: Places) -> None:
    pause = threading.Event()
    with connect(places.analyst) as session:
        for _ in range(600):
            if all(session.dataset("rtt").holdings.values()):
                return
            pause.wait(0.1)
    raise AssertionError("the nodes did not start")

"""Founding a federation on this machine: what departments, a host and an analyst do in their first weeks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from fedstats.client.agreement_file import SignedFile, read_agreement
from fedstats.client.controller import appoint, make_key, read_key, sign_agreement
from fedstats.client.home import Home as PersonHome
from fedstats.client.joining import join as join_person
from fedstats.client.joining import signing_key
from fedstats.client.publishing import publish
from fedstats.client.session import connect
from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Config, Limits
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.coordinator.home import init as init_coordinator
from fedstats.core.agreement import Agreement
from fedstats.core.appointment import AppointedRole
from fedstats.demo.agreement import agreement_document
from fedstats.demo.codes import EDITION
from fedstats.demo.node_files import node_document
from fedstats.demo.processes import Processes
from fedstats.demo.toml_text import toml_text
from fedstats.demo.trusts import Trust
from fedstats.errors import InternalError
from fedstats.identity.keys import PublicKey, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.identity.trust import TrustStore
from fedstats.node.config import read_config
from fedstats.node.connection import Connection
from fedstats.node.home import Home as NodeHome
from fedstats.node.joining import join as join_node
from fedstats.node.service import Node

ANALYST = "alex.analyst"
HOST = "127.0.0.1"
APPOINTED_DAYS = 365
START_S_MAX = 60.0
POLL_S = 0.1


Document = Mapping[str, object]
"""A configuration or an agreement as TOML reads it."""


class Member(Protocol):
    """A department that takes part."""

    @property
    def department(self) -> str:
        """Its name in the federation."""

    @property
    def title(self) -> str:
        """Its organisation's name, as people know it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Every folder of the federation."""

    folder: Path

    @property
    def coordinator(self) -> Path:
        """The coordinator's home."""
        return self.folder / "coordinator"

    @property
    def analyst(self) -> Path:
        """The analyst's home."""
        return self.folder / "analyst"

    @property
    def agreement(self) -> Path:
        """The agreement that is signed."""
        return self.folder / "agreement.toml"

    @property
    def data(self) -> Path:
        """One folder of files per department."""
        return self.folder / "data"

    def node(self, member: Member) -> Path:
        """A department's node."""
        return self.folder / "nodes" / member.department

    def controller(self, member: Member) -> Path:
        """A department's controller."""
        return self.folder / "controllers" / member.department


def found_coordinator(places: Places, limits: Limits | None = None, *, title: str = "fedstats demo") -> str:
    """Make the coordinator's home on a free port of this machine; its address."""
    address = f"{HOST}:{_free_port()}"
    config = Config(address=address, listen=address, title=title, limits=limits or Limits())
    init_coordinator(CoordinatorHome(places.coordinator), config, now=datetime.now(UTC))
    return address


def join_everybody(places: Places, members: Sequence[Member]) -> None:
    """Controllers make their keys; nodes, controllers and the analyst join with one-use tokens."""
    with _admission(places) as invite:
        for member in members:
            controller = PersonHome.at(places.controller(member))
            make_key(controller, member.department, passphrase=None)
            join_person(controller, invite(Peer(Role.CONTROLLER, member.department)), now=time.time)
            node = NodeHome(places.node(member))
            join_node(node, invite(Peer(Role.NODE, member.department)), now=time.time)
        join_person(PersonHome.at(places.analyst), invite(Peer(Role.ANALYST, ANALYST)), now=time.time)


def sign_by_all(
    places: Places, members: Sequence[Member], write: Callable[[Mapping[str, str]], Document]
) -> Agreement:
    """Every controller signs the agreement and appoints its node, and the first one the analyst.

    `write` makes the agreement's document from the controllers' public keys, in hexadecimal by department.
    """
    keys = {member.department: read_key(PersonHome.at(places.controller(member))) for member in members}
    document = write({department: key.public.raw.hex() for department, key in keys.items()})
    places.agreement.write_text(toml_text(document), encoding="utf-8")
    agreement, payload = read_agreement(places.agreement)
    for member in members:
        department, key = member.department, keys[member.department]
        node_key = NodeHome(places.node(member)).read_node_key().public
        documents = [
            SignedFile("agreement", sign_agreement(key, department, agreement, payload)),
            _appointment(places, member, AppointedRole.NODE, department, node_key),
        ]
        if member is members[0]:
            analyst_key = signing_key(PersonHome.at(places.analyst)).public
            documents.append(_appointment(places, member, AppointedRole.ANALYST, ANALYST, analyst_key))
        with connect(places.controller(member)) as session:
            for signed in documents:
                publish(session.transport, signed)
    return agreement


def open_with(
    places: Places, member: Member, agreement: Agreement, config: Document, *, edition: str
) -> None:
    """IT writes node.toml, compares fingerprints, accepts the agreement and makes the first edition."""
    home = NodeHome(places.node(member))
    config_file = places.node(member) / "node.toml"
    config_file.write_text(toml_text(config), encoding="utf-8")
    trust_controllers(home.trust, agreement)
    now_s = int(time.time())
    connection = Connection(home, now=time.time)
    try:
        with Node(home, read_config(config_file), connection, now=time.time) as node:
            node.exchange_authority()
            node.agreements.accept(agreement.id, agreement.version, lambda _: True, now_s=now_s)
            for mapping in node.config.datasets:
                node.editions.refresh(agreement, mapping, edition, node.bench, revise=False, now_s=now_s)
            node.exchange_authority()
    finally:
        connection.close()


def start_coordinator(places: Places, processes: Processes, *, module: str = "fedstats") -> None:
    """Run the coordinator, or a module in its place, and wait until it listens."""
    arguments = ["coordinator", "run", "--home", str(places.coordinator)]
    processes.start("coordinator", arguments, until_s=START_S_MAX, module=module)


def start_node(places: Places, member: Member, processes: Processes) -> None:
    """Run a department's node."""
    arguments = ["node", "run", "--home", str(places.node(member))]
    processes.start(f"node-{member.department}", arguments)


def wait_for_nodes(places: Places, processes: Processes, dataset: str) -> None:
    """Wait until every holder has told the coordinator of its edition.

    Raises
    ------
    InternalError
        A process ended, or a minute was not enough.

    """
    until_s, pause = time.monotonic() + START_S_MAX, threading.Event()
    with connect(places.analyst) as session:
        while not all(session.dataset(dataset).holdings.values()):
            processes.check()
            if time.monotonic() > until_s:
                raise InternalError(f"The nodes did not start: see {places.folder / 'logs'}.")
            pause.wait(POLL_S)


def trust_controllers(store: TrustStore, agreement: Agreement) -> None:
    """Take every controller's fingerprint as compared: in life, by telephone."""
    for controller in agreement.controllers:
        store.trust(controller.department, PublicKey(controller.key).fingerprint)


@contextmanager
def _admission(places: Places) -> Iterator[Callable[[Peer], str]]:
    home = CoordinatorHome(places.coordinator)
    store = home.store()
    try:
        admission, config = Admission(home.authority(), store.members, time.time), home.config()
        lifetime = timedelta(hours=1)
        yield lambda peer: admission.invite(peer, address=config.address, lifetime=lifetime).text()
    finally:
        store.close()


def _appointment(
    places: Places, member: Member, role: AppointedRole, name: str, key: PublicKey
) -> SignedFile:
    until, now_s = _today() + timedelta(days=APPOINTED_DAYS), int(time.time())
    controller = read_key(PersonHome.at(places.controller(member)))
    signed: Signed = appoint(controller, member.department, role, name, key, until=until, now_s=now_s)
    return SignedFile("appointment", signed)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _today() -> date:
    return datetime.now(UTC).date()


def node_home(places: Places, member: Member) -> NodeHome:
    """A department's node's folder."""
    return NodeHome(places.node(member))


def use_agreement(home: PersonHome, agreement: str, purpose: str) -> None:
    """Choose the agreement and the purpose of later questions, as `fedstats use` does."""
    home.write_config(replace(home.config(), agreement=agreement, purpose=purpose))


def sign_agreement_by_all(places: Places, trusts: Sequence[Trust], *, pathways_per_trust: int) -> Agreement:
    """The demo's agreement, signed by the demo's trusts: see `sign_by_all`."""

    def write(keys: Mapping[str, str]) -> Document:
        analysts = [f"{ANALYST}@{trusts[0].department}"]
        return agreement_document(
            trusts, keys, pathways_per_trust=pathways_per_trust, analysts=analysts, today=_today()
        )

    return sign_by_all(places, trusts, write)


def open_node(
    places: Places, trust: Trust, agreement: Agreement, *, reply_deadline_s: int | None = None
) -> None:
    """A trust of the demo opens its node: see `open_with`; its replies have the default deadline or this."""
    config = node_document(trust, places.data / trust.department)
    if reply_deadline_s is not None:
        config["reply_deadline_s"] = reply_deadline_s
    open_with(places, trust, agreement, config, edition=EDITION)

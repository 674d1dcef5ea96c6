"""Founding the demo's federation: what five departments, a host and an analyst do in their first weeks."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

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
from fedstats.demo.toml_text import toml_text
from fedstats.demo.trusts import Trust
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


@dataclass(frozen=True, slots=True)
class Places:
    """Every folder of the demo."""

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
        """One folder of files per trust."""
        return self.folder / "data"

    def node(self, trust: Trust) -> Path:
        """A trust's node."""
        return self.folder / "nodes" / trust.department

    def controller(self, trust: Trust) -> Path:
        """A trust's controller."""
        return self.folder / "controllers" / trust.department


def found_coordinator(places: Places, limits: Limits | None = None) -> str:
    """Make the coordinator's home on a free port of this machine; its address."""
    address = f"{HOST}:{_free_port()}"
    config = Config(address=address, listen=address, title="fedstats demo", limits=limits or Limits())
    init_coordinator(CoordinatorHome(places.coordinator), config, now=datetime.now(UTC))
    return address


def join_everybody(places: Places, trusts: Sequence[Trust]) -> None:
    """Controllers make their keys; nodes, controllers and the analyst join with one-use tokens."""
    with _admission(places) as invite:
        for trust in trusts:
            controller = PersonHome.at(places.controller(trust))
            make_key(controller, trust.department, passphrase=None)
            join_person(controller, invite(Peer(Role.CONTROLLER, trust.department)), now=time.time)
            node = NodeHome(places.node(trust))
            join_node(node, invite(Peer(Role.NODE, trust.department)), now=time.time)
        join_person(PersonHome.at(places.analyst), invite(Peer(Role.ANALYST, ANALYST)), now=time.time)


def sign_agreement_by_all(places: Places, trusts: Sequence[Trust], *, pathways_per_trust: int) -> Agreement:
    """Write the agreement; every controller signs it and appoints its node, and the first one the analyst."""
    keys = {trust.department: read_key(PersonHome.at(places.controller(trust))) for trust in trusts}
    document = agreement_document(
        trusts,
        {department: key.public.raw.hex() for department, key in keys.items()},
        pathways_per_trust=pathways_per_trust,
        analysts=[f"{ANALYST}@{trusts[0].department}"],
        today=_today(),
    )
    places.agreement.write_text(toml_text(document), encoding="utf-8")
    agreement, payload = read_agreement(places.agreement)
    for trust in trusts:
        department, key = trust.department, keys[trust.department]
        node_key = NodeHome(places.node(trust)).read_node_key().public
        documents = [
            SignedFile("agreement", sign_agreement(key, department, agreement, payload)),
            _appointment(places, trust, AppointedRole.NODE, department, node_key),
        ]
        if trust is trusts[0]:
            analyst_key = signing_key(PersonHome.at(places.analyst)).public
            documents.append(_appointment(places, trust, AppointedRole.ANALYST, ANALYST, analyst_key))
        with connect(places.controller(trust)) as session:
            for signed in documents:
                publish(session.transport, signed)
    return agreement


def open_node(places: Places, trust: Trust, agreement: Agreement) -> None:
    """IT writes node.toml, compares fingerprints, accepts the agreement and makes the first edition."""
    home = NodeHome(places.node(trust))
    config_file = places.node(trust) / "node.toml"
    config_file.write_text(toml_text(node_document(trust, places.data / trust.department)), encoding="utf-8")
    trust_controllers(home.trust, agreement)
    now_s = int(time.time())
    connection = Connection(home, now=time.time)
    try:
        with Node(home, read_config(config_file), connection, now=time.time) as node:
            node.exchange_authority()
            node.agreements.accept(agreement.id, agreement.version, lambda _: True, now_s=now_s)
            for mapping in node.config.datasets:
                node.editions.refresh(agreement, mapping, EDITION, node.bench, revise=False, now_s=now_s)
            node.exchange_authority()
    finally:
        connection.close()


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


def _appointment(places: Places, trust: Trust, role: AppointedRole, name: str, key: PublicKey) -> SignedFile:
    until, now_s = _today() + timedelta(days=APPOINTED_DAYS), int(time.time())
    controller = read_key(PersonHome.at(places.controller(trust)))
    signed: Signed = appoint(controller, trust.department, role, name, key, until=until, now_s=now_s)
    return SignedFile("appointment", signed)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _today() -> date:
    return datetime.now(UTC).date()


def node_home(places: Places, trust: Trust) -> NodeHome:
    """A trust's node's folder."""
    return NodeHome(places.node(trust))


def use_agreement(home: PersonHome, agreement: str, purpose: str) -> None:
    """Choose the agreement and the purpose of later questions, as `fedstats use` does."""
    home.write_config(replace(home.config(), agreement=agreement, purpose=purpose))

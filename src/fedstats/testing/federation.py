"""A federation in one process: a coordinator, departments with nodes and data, an analyst, and their keys.

Everything is the real code over real files; only the network and the clock are simulated, so that a whole
query takes milliseconds, faults come when they are asked for, and time passes when it is told to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fedstats.client.controller import appoint, sign_agreement
from fedstats.client.home import Home as AnalystHome
from fedstats.client.joining import join as join_analyst
from fedstats.client.session import Session, connect
from fedstats.coordinator.service import Coordinator
from fedstats.coordinator.store import Store
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole
from fedstats.core.privacy import NO_LOSS, Loss
from fedstats.errors import LedgerError, NetworkError
from fedstats.identity.certificates import make_authority
from fedstats.identity.key_files import write_key
from fedstats.identity.keys import PublicKey, Signed, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.token import Token
from fedstats.node.config import config_of
from fedstats.node.home import Home as NodeHome
from fedstats.node.joining import Joined
from fedstats.node.joining import join as join_node
from fedstats.node.service import Node
from fedstats.testing.clock import ManualClock
from fedstats.testing.transport import HONEST, Faults, Relay, SimulatedNetwork, no_faults
from fedstats.wire.channel import ClientTls
from fedstats.wire.codec import signed_to
from fedstats.wire.method import Transport
from fedstats.wire.methods import PUBLISH
from fedstats.wire.v1 import agreements_pb2

ANALYST = "a.smith"
APPOINTED_DAYS = 365
ADDRESS = "coordinator.example:8443"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a federation is made of.

    `agreement` builds the agreement from the controllers' public keys (32 bytes, by department); `configs` is
    each department's node.toml as a document; the first department's controller appoints the analyst.
    """

    agreement: Callable[[Mapping[str, bytes]], Agreement]
    configs: Mapping[str, Mapping[str, object]]
    edition: str = "2025-09"
    checkpoints: Mapping[str, Callable[[str], None]] = field(default_factory=dict)


class Federation:
    """Use it in a `with` block: `federation.session()` asks, `federation.work()` lets the nodes work."""

    def __init__(self, folder: Path, setting: Setting, *, clock: ManualClock) -> None:
        """Set everything up in `folder`, up to editions and a trusting analyst; nothing was asked yet."""
        self.folder, self.clock = folder, clock
        self.faults: Faults = no_faults
        self.relay: Relay = HONEST
        self.store_as: Callable[[Store], Store] = lambda store: store  # what a lying coordinator makes of it
        self._setting, self._open = setting, ExitStack()
        self._configs = dict(setting.configs)
        self._homes = {name: NodeHome(folder / name) for name in setting.configs}
        self._authority = make_authority("Simulated federation", now=self._moment())
        self._store_file = folder / "store.sqlite"
        Store.create(self._store_file).close()
        self._coordinator: Coordinator | None = None
        self.controllers = {name: _key(f"controller {name}") for name in setting.configs}
        self.agreement = setting.agreement({name: key.public.raw for name, key in self.controllers.items()})
        self.nodes: dict[str, Node] = {}
        self._sign()
        for department in setting.configs:
            self._found(department)
        self._appoint_analyst()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything."""
        for department in tuple(self.nodes):
            self.stop_node(department)
        self.stop_coordinator()
        self._open.close()

    @property
    def coordinator(self) -> Coordinator:
        """The coordinator; started, if it was stopped, over the same store."""
        if self._coordinator is None:
            store = self.store_as(Store.open(self._store_file))
            self._coordinator = Coordinator.of(store, self._authority, key=_key("register"), now=self.clock)
        return self._coordinator

    def stop_coordinator(self) -> None:
        """Stop the coordinator; the next call starts another one over the same store."""
        if self._coordinator is not None:
            self._coordinator.desk.store.close()
            self._coordinator = None

    def stop_node(self, department: str) -> None:
        """Stop a node; its folder stays."""
        node = self.nodes.pop(department, None)
        if node is not None:
            node.close()

    def start_node(self, department: str, *, now: Callable[[], float] | None = None) -> Node:
        """Start the node of a department over its folder, as after a crash; `now`: by a clock of its own."""
        self.stop_node(department)
        node = Node(
            self.node_home(department),
            config_of(self._configs[department], folder=self.folder),
            self.network(Peer(Role.NODE, department)),
            now=now or self.clock,
            checkpoint=self._setting.checkpoints.get(department, lambda _: None),
        )
        self.nodes[department] = node
        return node

    def node_home(self, department: str) -> NodeHome:
        """The folder of a department's node."""
        return self._homes[department]

    def node_config(self, department: str) -> Mapping[str, Any]:
        """A department's node.toml, as a document."""
        return self._configs[department]

    def configure(self, department: str, **settings: object) -> None:
        """Change a department's node.toml; it counts when the node is started again."""
        self._configs[department] = {**self._configs[department], **settings}

    def rebuild(self, department: str, folder: Path) -> Joined:
        """Build a department's node anew in another folder, with new keys: it has joined, and no more."""
        self.stop_node(department)
        self._homes[department] = home = NodeHome(folder)
        token = self._invite(Peer(Role.NODE, department), again=True)
        joined = join_node(home, token.text(), now=self.clock, connect=self._as_bearer_of(token))
        self.start_node(department)
        return joined

    def settle(self, department: str) -> Node:
        """What people do for a node that has joined: appointment, keys compared, acceptance, editions."""
        home = self.node_home(department)
        self.appoint(department, AppointedRole.NODE, department, home.read_node_key().public)
        for controller in self.agreement.controllers:
            home.trust.trust(controller.department, PublicKey(controller.key).fingerprint)
        node = self.start_node(department)
        node.exchange_authority()
        node.agreements.accept(
            self.agreement.id, self.agreement.version, lambda _: True, now_s=int(self.clock())
        )
        for mapping in node.config.datasets:
            edition = self._setting.edition
            node.editions.refresh(
                self.agreement, mapping, edition, node.bench, revise=False, now_s=int(self.clock())
            )
        return node

    @property
    def analyst_key(self) -> PublicKey:
        """The key that signs the analyst's questions."""
        return self._analyst.signing_key().public

    def session(self) -> Session:
        """The analyst's session; while it waits, time passes and the nodes work."""
        network = self.network(Peer(Role.ANALYST, ANALYST))
        return connect(self._analyst.folder, transport=network, now=self.clock, pause=self._pass)

    def network(self, peer: Peer) -> SimulatedNetwork:
        """The network as this peer sees it, with the federation's faults and what its coordinator does."""
        return SimulatedNetwork(lambda: self.coordinator, peer, faults=self._faults, relay=lambda: self.relay)

    def work(self) -> bool:
        """Let every running node take at most one task; whether any did. Some hear nothing, and wait."""
        worked = False
        for node in tuple(self.nodes.values()):
            try:
                worked = node.poll_once() or worked
            except (NetworkError, LedgerError):
                continue
        return worked

    def spent(self, department: str) -> Loss:
        """What was spent at a department, over all agreements."""
        return sum((entry.loss for entry in self.nodes[department].ledger.entries()), start=NO_LOSS)

    def _pass(self, seconds: float) -> None:
        """Let time pass, with a stop at each moment at which a reply is due."""
        until_s = self.clock() + seconds
        while (due_s := self._next_reply_s()) is not None and due_s <= until_s:
            self.clock.pass_s(due_s - self.clock())
            self.work()
        self.clock.pass_s(until_s - self.clock())
        self.work()

    def _next_reply_s(self) -> float | None:
        waiting = (node.runner.punctual.next_s() for node in self.nodes.values())
        return min((due_s for due_s in waiting if due_s is not None), default=None)

    def _faults(self) -> Faults:
        return self.faults

    def _sign(self) -> None:
        """Every controller signs the agreement; the first signature publishes it."""
        document = canonical_json(document_of(self.agreement))
        for department, key in self.controllers.items():
            signed = sign_agreement(key, department, self.agreement, document)
            self.publish(department, "agreement", signed)

    def publish(self, department: str, what: str, signed: Signed) -> None:
        """Publish what a department's controller signed: an `agreement`, `appointment` or `revocation`."""
        network = SimulatedNetwork(lambda: self.coordinator, Peer(Role.CONTROLLER, department))
        network.call(PUBLISH, agreements_pb2.PublishRequest(**{what: signed_to(signed)}))

    def _found(self, department: str) -> None:
        """A node's first day: keys, appointment, trust, acceptance, edition."""
        home, key = self.node_home(department), _key(f"node {department}")
        home.create(department, key=key)
        token = self._invite(Peer(Role.NODE, department))
        join_node(home, token.text(), now=self.clock, connect=self._as_bearer_of(token))
        node = self.settle(department)
        node.poll_once()

    def _appoint_analyst(self) -> None:
        key = _key(f"analyst {ANALYST}")
        self.appoint(next(iter(self.controllers)), AppointedRole.ANALYST, ANALYST, key.public)
        self._analyst = AnalystHome.at(self.folder / "analyst")
        self._analyst.prepare()
        for controller in self.agreement.controllers:
            self._analyst.trust.trust(controller.department, PublicKey(controller.key).fingerprint)
        write_key(self._analyst.signing_key_file, key)
        token = self._invite(Peer(Role.ANALYST, ANALYST))
        join_analyst(self._analyst, token.text(), now=self.clock, connect=self._as_bearer_of(token))

    def appoint(
        self,
        department: str,
        role: AppointedRole,
        name: str,
        key: PublicKey,
        *,
        days: int = APPOINTED_DAYS,
    ) -> None:
        """Let a department's controller appoint a key, until the end of a day."""
        until: date = self._moment().date() + timedelta(days=days)
        controller, now_s = self.controllers[department], int(self.clock())
        signed = appoint(controller, department, role, name, key, until=until, now_s=now_s)
        self.publish(department, "appointment", signed)

    def _invite(self, peer: Peer, *, again: bool = False) -> Token:
        lifetime = timedelta(days=1)
        return self.coordinator.admission.invite(peer, address=ADDRESS, lifetime=lifetime, again=again)

    def _as_bearer_of(self, token: Token) -> Callable[[str, ClientTls], AbstractContextManager[Transport]]:
        peer = Peer(Role.JOIN, token.token_id)
        return lambda _address, _tls: nullcontext(SimulatedNetwork(lambda: self.coordinator, peer))

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def _key(name: str) -> SigningKey:
    """The same key for the same name, so that a simulation repeats."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())

"""What can be checked about a node before somebody misses its answers: check, problem, how to fix.

Everything is shown to the department's own IT only, and nothing of it holds values of the data. A running
node is not disturbed; nothing is changed, spent or sent but one greeting to the coordinator.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fedstats.core.appointment import AppointedRole
from fedstats.core.checks import Check, Health, examined, failed, ok, problem, warning
from fedstats.engines import Engine
from fedstats.errors import FedstatsError, LogDamaged, RegisterForked
from fedstats.identity import computer
from fedstats.identity.key_files import read_certificate, read_tls_key
from fedstats.node.agreements import Standing
from fedstats.node.caps import agreement_cap, percent
from fedstats.node.config import NodeConfig, read_config
from fedstats.node.connection import Connection
from fedstats.node.datasets import held_datasets
from fedstats.node.doctor_data import DatasetDoctor
from fedstats.node.hearing import readable
from fedstats.node.home import DEFAULT_HOME, Home
from fedstats.node.joining import introduction
from fedstats.node.ledger import Ledger
from fedstats.node.log_end import verify_end
from fedstats.node.service import Node
from fedstats.wire.authority import revoked_keys, verify_appointment, verify_witness
from fedstats.wire.codec import signed_from
from fedstats.wire.reach import Way, accepted, agreeing
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import agreements_pb2

CERTIFICATE_WARNING = timedelta(days=14)
AUTHORITY_WARNING = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines the node in `home`; `tell` hears of what takes long before it begins."""

    home: Home
    config_path: Path
    now: Callable[[], float]
    engine: Engine | None = None
    offline: bool = False
    tell: Callable[[str], None] = lambda _: None

    def examine(self) -> Iterator[Check]:
        """Every check that is possible, as it is made; none ends the others."""
        yield from self._computer()
        config = yield from self._config()
        yield from self._certificates()
        reply = None if self.offline else (yield from self._coordinator(config))
        local = [*examined("keys", self._keys), *examined("ledger", self._ledger)]
        local += examined("log", self._log)
        yield from local
        if any(check.health is Health.PROBLEM for check in local):
            return
        try:
            node = Node(self.home, config or NodeConfig(), now=self.now, engine=self.engine)
        except FedstatsError as error:
            yield failed("state", error)
            return
        with node:
            yield from self._decided(node, reply)
            for held in held_datasets(node.agreements.all(), node.department):
                yield from DatasetDoctor(node, held, config, self._command, self.tell).examine()

    def _computer(self) -> Iterator[Check]:
        home = self.home
        yield from examined("account", lambda: computer.account(home.path))
        kept = (home.path, home.node_key.parent, home.editions, home.node_key, home.tls_key, home.edition_key)
        yield from examined("private", lambda: computer.private((*kept, home.ledger, home.state)))
        yield from computer.disk("disk", home.path)
        yield from computer.disk("temporary-disk", computer.temporary_folder())

    def _config(self) -> Generator[Check, None, NodeConfig | None]:
        try:
            config = read_config(self.config_path)
        except FedstatsError as error:
            yield failed("configuration", error)
            return None
        yield ok("configuration", f"{self.config_path} is valid")
        yield from computer.memory(config.memory_mb * config.tasks_max, computer.memory_mb())
        return config

    def _certificates(self) -> Iterator[Check]:
        renewing = "A running node renews it. After its end: " + self._command("fedstats node join -")
        anew = (
            "Ask whoever runs the coordinator when the federation gets a new authority, and join again then."
        )
        now = computer.at(self.now())
        yield from examined(
            "certificate",
            lambda: computer.certificate(
                "certificate", self.home.certificate, now, warn_before=CERTIFICATE_WARNING, renewing=renewing
            ),
        )
        yield from examined(
            "authority",
            lambda: computer.certificate(
                "authority", self.home.authority, now, warn_before=AUTHORITY_WARNING, renewing=anew
            ),
        )

    def _coordinator(
        self, config: NodeConfig | None
    ) -> Generator[Check, None, agreements_pb2.AuthorityReply | None]:
        try:
            network = (config or NodeConfig()).coordinator
            connection = Connection(self.home, now=self.now, network=network)
        except FedstatsError as error:
            yield failed("coordinator", error)
            return None
        try:
            self.tell(f"looking for the coordinator at {connection.address}")
            reply = yield from self._reached(connection)
        finally:
            connection.close()
        return reply

    def _reached(
        self, connection: Connection
    ) -> Generator[Check, None, agreements_pb2.AuthorityReply | None]:
        address, server_name = self.home.read_coordinator()
        authority = read_certificate(self.home.authority)
        try:
            way = Way.of(address, authority, server_name, connection.network, os.environ)
        except FedstatsError as error:
            yield failed("proxy", error)
            return None
        steps = tuple(way.opened())
        yield from steps
        if any(step.health is Health.PROBLEM for step in steps):
            return None
        reply, check = accepted(connection)
        yield check
        if reply is not None:
            yield from agreeing(reply, now_s=self.now(), software=SOFTWARE)
        return reply

    def _keys(self) -> Iterator[Check]:
        self.home.read_node_key()
        self.home.read_edition_key()
        if self.home.certificate.exists():
            read_tls_key(self.home.tls_key)
        yield ok("keys", "the keys can be read")

    def _ledger(self) -> Iterator[Check]:
        self.home.check_exists()
        with Ledger(self.home.ledger):  # opening it computes every total anew
            yield ok("ledger", "the ledger adds up")

    def _log(self) -> Iterator[Check]:
        """Whether the end of the log is what was written, and all of it tells of every charge."""
        end = verify_end(self.home.log, self.home.ledger, now_s=int(self.now()))
        if not end.fault:
            which = "all" if end.verified == end.size else f"the last {end.verified:,}"
            yield ok("log", f"the log has {end.size:,} entries, {which} as they were written")
            return
        words = f"{LogDamaged.code} {end.fault}"
        fix = f"Keep the file, and see all that is wrong: fedstats audit verify --home {self.home.path}"
        yield problem("log", words, fix)

    def _log_heard(self, node: Node) -> Iterator[Check]:
        """Whether the node signed for a log that is not here: its coordinator told it once."""
        try:
            node.log_witness.check()
        except LogDamaged as error:
            fix = "Put a newer copy of log.sqlite back, or begin a new log: "
            yield problem(
                "log", f"{error.code} {error.sentence}", fix + self._command("fedstats node log renew")
            )

    def _register(self, node: Node) -> Iterator[Check]:
        """Whether the coordinator showed one register only."""
        if node.register.forks():
            words = f"{RegisterForked.code} The coordinator showed two registers; nothing new is answered."
            fix = "Compare heads with another department; when it is settled: fedstats node register forget"
            yield problem("register", words, fix)

    def _decided(self, node: Node, reply: agreements_pb2.AuthorityReply | None) -> Iterator[Check]:
        """What others remember, and what people decided: witnesses, appointment, pause, agreements."""
        yield from examined("witness", lambda: self._witness(node, reply))
        if reply is not None:
            yield from examined("appointment", lambda: self._appointment(node, reply))
        yield from self._log_heard(node)
        yield from self._register(node)
        yield from self._pause(node)
        yield from self._approvals(node)
        yield from self._agreements(node, node.agreements.all())

    def _witness(self, node: Node, reply: agreements_pb2.AuthorityReply | None) -> Iterator[Check]:
        """Whether the ledger holds all that others remember of it; what is relayed is not kept here."""
        file = node.config.witness.file
        missing = bool(node.witnesses.missing())
        for record in reply.witnesses if reply is not None else ():
            witness = verify_witness(
                signed_from(record.witness),
                node.department,
                own=node.key.public,
                appointments=readable(record.appointments),
                trusted=self.home.trust.is_trusted,
            )
            missing = missing or not node.ledger.contains(witness)
        if missing:
            words = "FS-703 The ledger lacks what a witness remembers: an older copy was put in its place."
            fix = "Make sure that no other copy of this node runs, then: "
            yield problem("witness", words, fix + self._command("fedstats node ledger recover"))
        elif file is not None and not file.exists():
            fix = "Mount its disk, or correct [witness] in node.toml. A running node writes it anew."
            yield warning("witness", f"The witness of the ledger, {file}, is missing.", fix)
        else:
            more = "" if file else "; a second one on another disk is recommended: [witness] in node.toml"
            yield ok("witness", f"the ledger holds what its witness remembers{more}")

    def _appointment(self, node: Node, reply: agreements_pb2.AuthorityReply) -> Iterator[Check]:
        key, now_s = node.key.public, int(self.now())
        revocations, appointments = readable(reply.revocations), readable(reply.appointments)
        for standing in node.agreements.all():
            revoked = revoked_keys(revocations, standing.agreement)
            trusted = node.department not in standing.untrusted  # else anybody could say so
            if trusted and (node.department, key.raw) in revoked:
                fix = self._command("fedstats node rotate-key")
                found = "its controller revoked this node's key: what it signs counts nowhere"
                yield problem("appointment", found, fix)
                return
            for signed in appointments:
                try:
                    appointment = verify_appointment(
                        signed, AppointedRole.NODE, standing.agreement, now_s=now_s, revoked=revoked
                    )
                except FedstatsError:
                    continue
                if (appointment.department, appointment.key) == (node.department, key.raw):
                    until = f"{computer.at(appointment.until_s):%Y-%m-%d}"
                    yield ok("appointment", f"the node's key is appointed until {until}")
                    return
        fix = f"The controller types: {introduction(node.department, key)}"
        yield problem("appointment", "no controller has appointed this node's key", fix)

    def _pause(self, node: Node) -> Iterator[Check]:
        pause = node.policy.paused()
        if pause is None:
            yield ok("pause", "the node is not paused")
            return
        words = f"paused since {computer.at(pause.since_s):%Y-%m-%d %H:%M} UTC ({pause.reason.value})"
        words += f": {pause.note}" if pause.note else ""
        yield warning("pause", words, self._command("fedstats node resume"))

    def _approvals(self, node: Node) -> Iterator[Check]:
        """Questions that wait for a person; none is worth a word where nobody decides."""
        waits = [found for found in node.approvals.all(now_s=int(self.now())) if found.undecided]
        if waits:
            words = f"{len(waits)} question{'s wait' if len(waits) > 1 else ' waits'} for somebody to decide"
            yield warning("approvals", words, self._command("fedstats node approvals list"))

    def _agreements(self, node: Node, standings: tuple[Standing, ...]) -> Iterator[Check]:
        in_force = {agreement.id: agreement for agreement in node.in_force()}
        for agreement in in_force.values():
            (status,) = node.ledger.status([agreement_cap(agreement)])
            left = percent(1 - status.used_share)
            words = f"version {agreement.version} is in force until {agreement.ends_on}"
            words += f"; {left} of its budget is left"
            yield ok("agreement", words, subject=agreement.id)
        for standing in standings:
            id_, version = standing.agreement.id, standing.agreement.version
            if id_ in in_force and version <= in_force[id_].version:
                continue  # in force, or replaced by what is
            words = f"version {version}: {standing.words}"
            waits = standing.accepted_s is None
            fix = self._command(f"fedstats agreement accept {id_}") if waits else self._waiting(standing)
            yield warning("agreement", words, fix, subject=id_)
        if not in_force:
            fix = "Accept one that was published: " + self._command("fedstats agreement accept ID")
            yield problem("agreements", "none is in force here, so nothing is answered", fix)

    def _waiting(self, standing: Standing) -> str:
        """What somebody can do about an accepted agreement that is not in force."""
        if standing.withdrawn_s is not None:
            return "Nothing, unless it was a mistake: then a new version is needed."
        if standing.untrusted:
            return "Compare the keys and accept again: " + self._command(
                f"fedstats agreement accept {standing.agreement.id}"
            )
        if standing.unsigned:
            return f"Ask the controllers of {', '.join(standing.unsigned)} to sign it."
        return f"It runs from {standing.agreement.starts_on} to {standing.agreement.ends_on}."

    def _command(self, command: str) -> str:
        """A command as it must be typed for this node."""
        return command if self.home.path == DEFAULT_HOME else f"{command} --home {self.home.path}"

"""What can be checked about a node before somebody misses its answers: check, problem, how to fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from fedstats.core.appointment import AppointedRole
from fedstats.engines import Engine
from fedstats.engines.mapping import check_local_columns
from fedstats.errors import FedstatsError
from fedstats.identity.certificates import validity_of
from fedstats.identity.key_files import read_certificate, read_tls_key
from fedstats.node.agreements import Standing
from fedstats.node.caps import agreement_cap, percent
from fedstats.node.config import NodeConfig, read_config
from fedstats.node.connection import Connection
from fedstats.node.datasets import Held, held_datasets
from fedstats.node.editions import opt_outs_to_apply
from fedstats.node.hearing import readable
from fedstats.node.home import Home
from fedstats.node.joining import introduction
from fedstats.node.service import Node
from fedstats.wire.authority import revoked_keys, verify_appointment
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2

CERTIFICATE_WARNING = timedelta(days=14)
DISK_FREE_MIN = 1_000_000_000


class Health(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was found, and what to do about it."""

    name: str
    health: Health
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines the node in `home`; nothing is changed, spent or sent but one greeting to the coordinator."""

    home: Home
    config_path: Path
    now: Callable[[], float]
    engine: Engine | None = None

    def examine(self) -> tuple[Check, ...]:
        """Every check that is possible; none ends the others."""
        return tuple(self._checks())

    def _checks(self) -> Iterator[Check]:
        yield self._disk()
        config = yield from self._config()
        yield from _caught("certificate", self._certificate)
        reply = yield from self._coordinator()
        try:
            node = Node(self.home, config or NodeConfig(), now=self.now, engine=self.engine)
        except FedstatsError as problem:
            yield _problem("keys and ledger", problem)
            return
        with node:
            yield Check("keys and ledger", Health.OK, "keys are private, and the ledger adds up")
            if reply is not None:
                yield from _caught("appointment", lambda: self._appointment(node, reply))
            yield from _pause(node)
            standings = node.agreements.all()
            yield from _agreements(node, standings)
            for held in held_datasets(standings, node.department):
                yield from self._dataset(node, held, configured=config is not None)

    def _disk(self) -> Check:
        folder = next(path for path in (self.home.path, *self.home.path.parents) if path.exists())
        free = shutil.disk_usage(folder).free
        words = f"{free / 1e9:.1f} GB are free under {folder}"
        if free < DISK_FREE_MIN:
            return Check("disk", Health.WARNING, words, "Make room: editions and the ledger need it.")
        return Check("disk", Health.OK, words)

    def _config(self) -> Generator[Check, None, NodeConfig | None]:
        try:
            config = read_config(self.config_path)
        except FedstatsError as problem:
            yield _problem("configuration", problem)
            return None
        yield Check("configuration", Health.OK, f"{self.config_path} is valid")
        return config

    def _certificate(self) -> Check:
        end = validity_of(read_certificate(self.home.certificate)).not_after
        read_tls_key(self.home.tls_key)
        left = end - datetime.fromtimestamp(self.now(), UTC)
        words = f"valid until {end:%Y-%m-%d}"
        renewing = "A running node renews it by itself; after its end, join again with a new token."
        if left <= timedelta(0):
            return Check("certificate", Health.PROBLEM, f"expired on {end:%Y-%m-%d}", renewing)
        if left < CERTIFICATE_WARNING:
            return Check("certificate", Health.WARNING, words, renewing)
        return Check("certificate", Health.OK, words)

    def _coordinator(self) -> Generator[Check, None, agreements_pb2.AuthorityReply | None]:
        try:
            connection = Connection(self.home, now=self.now)
        except FedstatsError as problem:
            yield _problem("coordinator", problem)
            return None
        try:
            reply = connection.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
        except FedstatsError as problem:
            yield _problem("coordinator", problem)
            return None
        finally:
            connection.close()
        yield Check("coordinator", Health.OK, f"{connection.address} answers")
        return reply

    def _appointment(self, node: Node, reply: agreements_pb2.AuthorityReply) -> Check:
        key, now_s = node.key.public, int(self.now())
        revocations, appointments = readable(reply.revocations), readable(reply.appointments)
        for standing in node.agreements.all():
            revoked = revoked_keys(revocations, standing.agreement)
            for signed in appointments:
                try:
                    appointment = verify_appointment(
                        signed,
                        AppointedRole.NODE,
                        standing.agreement,
                        now_s=now_s,
                        revoked=revoked,
                    )
                except FedstatsError:
                    continue
                if (appointment.department, appointment.key) == (node.department, key.raw):
                    until = datetime.fromtimestamp(appointment.until_s, UTC)
                    return Check(
                        "appointment", Health.OK, f"the node's key is appointed until {until:%Y-%m-%d}"
                    )
        fix = f"The controller types: {introduction(node.department, key)}"
        return Check("appointment", Health.PROBLEM, "no controller has appointed this node's key", fix)

    def _dataset(self, node: Node, held: Held, *, configured: bool) -> Iterator[Check]:
        name, agreement = held.dataset.name, held.standing.agreement
        namespace = held.dataset.unit.namespace
        if configured:
            yield from _caught(f"source of {name}", lambda: _source(node, held))
            if namespace not in node.config.lifetime:
                fix = f"Add to node.toml: [lifetime.{namespace}] with epsilon and delta."
                yield Check(f"lifetime cap of {namespace}", Health.PROBLEM, "none is set", fix)
            yield from _caught(f"opt-outs of {name}", lambda: _opt_outs(node, held, int(self.now())))
        editions = [e for e in node.editions.all() if e.is_of(agreement, held.dataset)]
        for edition in editions:
            yield from _caught(
                f"edition {edition.name} of {name}",
                lambda edition=edition: _edition(node, held, edition.name),  # type: ignore[misc]  # bound now
            )
        if not editions:
            newest = next(reversed(held.dataset.editions), "NAME")
            fix = f"fedstats node refresh --dataset {name} --edition {newest}"
            yield Check(f"editions of {name}", Health.PROBLEM, "none is here", fix)


def _pause(node: Node) -> Iterator[Check]:
    pause = node.policy.paused()
    if pause is not None:
        since = datetime.fromtimestamp(pause.since_s, UTC)
        words = f"paused since {since:%Y-%m-%d %H:%M} UTC ({pause.reason.value})"
        yield Check("pause", Health.WARNING, words, "fedstats node resume")


def _agreements(node: Node, standings: tuple[Standing, ...]) -> Iterator[Check]:
    in_force = {(agreement.id, agreement.version) for agreement in node.in_force()}
    for standing in standings:
        agreement = standing.agreement
        name = f"agreement {agreement.id} version {agreement.version}"
        if (agreement.id, agreement.version) in in_force:
            (status,) = node.ledger.status([agreement_cap(agreement)])
            left = percent(1 - status.used_share)
            yield Check(name, Health.OK, f"in force until {agreement.ends_on}; {left} of its budget is left")
        else:
            fix = f"fedstats agreement accept {agreement.id}" if standing.accepted_s is None else ""
            yield Check(name, Health.WARNING, standing.words, fix)
    if not in_force:
        fix = "Accept one that was published: fedstats agreement accept ID"
        yield Check("agreements", Health.PROBLEM, "none is in force here, so nothing is answered", fix)


def _source(node: Node, held: Held) -> Check:
    mapping = node.config.mapping(held.dataset.name)
    mapping.check(held.dataset)
    present = node.bench.engine.source_columns(mapping.source, node.bench.resources)
    check_local_columns(mapping, held.dataset, present)
    words = f"{mapping.source.path} can be read, and its columns fit the definition"
    return Check(f"source of {held.dataset.name}", Health.OK, words)


def _opt_outs(node: Node, held: Held, now_s: int) -> Check:
    path = opt_outs_to_apply(held.standing.agreement, node.config.mapping(held.dataset.name), now_s=now_s)
    words = f"{path} is young enough" if path else "the agreement applies none"
    return Check(f"opt-outs of {held.dataset.name}", Health.OK, words)


def _edition(node: Node, held: Held, name: str) -> Check:
    edition = node.editions.find(held.standing.agreement, held.dataset, name)
    title = f"edition {name} of {held.dataset.name}"
    if not edition.path.exists():
        fix = f"fedstats node refresh --dataset {held.dataset.name} --edition {edition.base} --revise"
        return Check(title, Health.PROBLEM, f"{edition.path} is missing", fix)
    made = datetime.fromtimestamp(edition.made_s, UTC)
    return Check(title, Health.OK, f"made on {made:%Y-%m-%d}, {edition.path.stat().st_size / 1e6:.1f} MB")


def _caught(name: str, look: Callable[[], Check]) -> Iterator[Check]:
    """The check, or the problem that came in its way."""
    try:
        yield look()
    except FedstatsError as problem:
        yield _problem(name, problem)


def _problem(name: str, problem: FedstatsError) -> Check:
    return Check(name, Health.PROBLEM, f"{problem.code} {problem.sentence}", problem.advice)

"""What can be checked on an analyst's or controller's computer: check, problem, how to fix."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta

from fedstats.client.authority import authority_of, in_force
from fedstats.client.home import Config, Home
from fedstats.client.joining import introduction, open_channel, signing_key
from fedstats.core.checks import Check, Health, examined, failed, ok, problem, warning
from fedstats.errors import FedstatsError
from fedstats.identity import computer
from fedstats.identity.key_files import read_certificate, read_tls_key
from fedstats.wire.codec import decode_appointment
from fedstats.wire.reach import Way, accepted, agreeing
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import agreements_pb2

CERTIFICATE_WARNING = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines the home of an analyst or a controller, and the way from it to the coordinator."""

    home: Home
    now: Callable[[], float]
    offline: bool = False
    tell: Callable[[str], None] = lambda _: None

    def examine(self) -> Iterator[Check]:
        """Every check that is possible, as it is made; none ends the others."""
        config = yield from self._config()
        if config is None:
            return
        home = self.home
        kept = (
            home.folder,
            home.signing_key_file,
            home.controller_key_file,
            home.tls_key_file,
            home.jobs_file,
        )
        yield from examined("private", lambda: computer.private(kept))
        yield from computer.disk("disk", home.state, bytes_low=computer.DISK_BYTES_MIN)
        yield from examined("certificate", self._certificate)
        reply = None if self.offline else (yield from self._coordinator(config))
        if reply is not None and config.role == "analyst":
            yield from self._asking(config, reply)

    def _config(self) -> Generator[Check, None, Config | None]:
        try:
            config = self.home.joined_config()
        except FedstatsError as error:
            yield failed("configuration", error)
            return None
        yield ok("configuration", f"joined {config.address} as {config.role} {config.name}")
        return config

    def _certificate(self) -> Iterator[Check]:
        read_tls_key(self.home.tls_key_file)
        renewing = "It is renewed by any command in time. After its end, ask for a new token: fedstats join -"
        yield from computer.certificate(
            "certificate",
            self.home.certificate_file,
            computer.at(self.now()),
            warn_before=CERTIFICATE_WARNING,
            renewing=renewing,
        )

    def _coordinator(self, config: Config) -> Generator[Check, None, agreements_pb2.AuthorityReply | None]:
        self.tell(f"looking for the coordinator at {config.address}")
        way = yield from self._way(config)
        if way is None:
            return None
        steps = tuple(way.opened())
        yield from steps
        if any(step.health is Health.PROBLEM for step in steps):
            return None
        try:
            channel = open_channel(self.home, now=self.now)
        except FedstatsError as error:
            yield failed("accepted", error)
            return None
        with channel:
            reply, check = accepted(channel)
        yield check
        if reply is not None:
            yield from agreeing(reply, now_s=self.now(), software=SOFTWARE)
        return reply

    def _way(self, config: Config) -> Generator[Check, None, Way | None]:
        try:
            authority = read_certificate(self.home.authority_file)
            return Way.of(config.address, authority, config.server_name, config.coordinator, os.environ)
        except FedstatsError as error:
            yield failed("authority", error)
            return None

    def _asking(self, config: Config, reply: agreements_pb2.AuthorityReply) -> Iterator[Check]:
        """Whether this analyst could ask a question now."""
        if not config.agreement:
            yield warning("agreement", "No agreement is in use yet.", "Choose one: fedstats use AGREEMENT")
            return
        yield from examined("agreement", lambda: self._may_ask(config, reply), subject=config.agreement)

    def _may_ask(self, config: Config, reply: agreements_pb2.AuthorityReply) -> Iterator[Check]:
        authority, today = authority_of(reply), computer.at(self.now()).date()
        agreement = in_force(authority.versions(config.agreement), self.home.trust.is_trusted, today)[0]
        words = f"version {agreement.version} is in force until {agreement.ends_on}"
        yield ok("agreement", words, subject=agreement.id)
        key = signing_key(self.home).public
        try:
            signed = authority.analyst(agreement, key, now_s=int(self.now()))
        except FedstatsError as error:
            fix = f"The controller of your organisation types: {introduction(config.name, key)}"
            if authority.ended(agreement, key):
                fix = "A revoked key stays so. Make a new one, for your controller: fedstats rotate-key --now"
            yield problem("appointment", f"{error.code} {error.sentence}", fix)
            return
        until = computer.at(decode_appointment(signed.payload).until_s)
        yield ok("appointment", f"your key is appointed until {until:%Y-%m-%d}")

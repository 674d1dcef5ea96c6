"""The way to the coordinator, one step after the other, so that people see which one fails.

Proxy, name, connection, TLS, acceptance, clock, version: each is a check of its own, and the first that fails
ends them. Before the last three nothing is sent but what opens a TLS connection.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID

from fedstats.core.checks import Check, Health, failed, ok, problem, warning
from fedstats.errors import CertificateProblem, FedstatsError
from fedstats.identity.address import split_address
from fedstats.identity.certificates import certificate_to_pem
from fedstats.identity.peer import Role, peer_of
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.network import Network, Route
from fedstats.wire.v1 import agreements_pb2

STEP_S = 5.0
CLOCK_S_MAX = 60
HEAD_BYTES_MAX = 8_192
CONNECTED = 200
CREDENTIALS_WANTED = frozenset({401, 407})  # the first is what tinyproxy says to wrong ones
_ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass(frozen=True, slots=True)
class Way:
    """How a computer reaches its coordinator; its certificate must carry `server_name`, or else the host."""

    address: str
    authority_der: bytes = field(repr=False)
    server_name: str = ""
    proxy: Route | None = None
    others_pem: bytes = field(default=b"", repr=False)  # authorities that are believed besides
    step_s: float = STEP_S  # that each step may take

    @classmethod
    def of(
        cls,
        address: str,
        authority_der: bytes,
        server_name: str,
        network: Network,
        environment: Mapping[str, str],
    ) -> Self:
        """The way that a `Channel` with these settings goes; raises ConfigInvalid, FileProblem."""
        host, _ = split_address(address)
        return cls(address, authority_der, server_name, network.route(host, environment), network.others())

    def opened(self) -> Iterator[Check]:
        """Proxy, name, connection and TLS, as far as they work."""
        if self.proxy is not None:
            check = self._tunnelled(self.proxy)
            yield check
        else:
            check = self._named()
            yield check
            if check.health is Health.OK:
                check = self._connected()
                yield check
        if check.health is Health.OK:
            yield self._secured()

    def issuer(self) -> tuple[str, bool]:
        """Who issued the certificate that is shown there, quoted, and whether it is a fedstats coordinator's.

        It is read and not believed, after TLS refused it: a proxy that inspects TLS shows one of its own.

        Raises
        ------
        OSError
            No certificate could be had.

        """
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return _issuer(self._shown(context))

    def _named(self) -> Check:
        host, port = split_address(self.address)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            fix = "Ask for a name server that knows it, and check the spelling in the token."
            return problem("name", f"This computer finds no address for {host}.", fix)
        return ok("name", f"{host} is {', '.join(sorted({str(entry[4][0]) for entry in found}))}")

    def _connected(self) -> Check:
        try:
            socket.create_connection(split_address(self.address), timeout=self.step_s).close()
        except OSError as error:
            reason = (
                "nothing listens there" if isinstance(error, ConnectionRefusedError) else "nothing answers"
            )
            fix = (
                "Ask whoever runs the coordinator whether it runs, and your network's people for the way out."
            )
            return problem("connection", f"No connection to {self.address}: {reason}.", fix)
        return ok("connection", f"{self.address} takes connections")

    def _tunnelled(self, proxy: Route) -> Check:
        try:
            plain, answer = self._through(proxy)
        except OSError:
            fix = "Check the proxy's address, or whether one is needed at all."
            return problem("proxy", f"The proxy {proxy.proxy} cannot be reached.", fix)
        plain.close()
        if answer == CONNECTED:
            return ok("proxy", f"{proxy.proxy} connects to {self.address}")
        if answer in CREDENTIALS_WANTED:
            what = (
                "does not accept the user and password"
                if proxy.credentials
                else "asks for a user and password"
            )
            fix = "Name a file of mode 600 with USER:PASSWORD as proxy_credentials_file."
            return problem("proxy", f"The proxy {proxy.proxy} {what} ({answer}).", fix)
        fix = f"Ask whoever runs the proxy to allow CONNECT to {self.address} from this computer."
        return problem(
            "proxy", f"The proxy {proxy.proxy} refuses to connect to {self.address} ({answer}).", fix
        )

    def _through(self, proxy: Route) -> tuple[socket.socket, int]:
        """A connection through the proxy, and its answer (0: none that is HTTP); raises OSError."""
        plain = socket.create_connection(split_address(proxy.proxy), timeout=self.step_s)
        asked = f"CONNECT {self.address} HTTP/1.1\r\nHost: {self.address}\r\n"
        if proxy.authorisation:
            asked += f"Proxy-Authorization: {proxy.authorisation}\r\n"
        until_s = time.monotonic() + self.step_s  # for all of it: each byte alone could come just in time
        try:
            plain.sendall(f"{asked}\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n") and len(head) < HEAD_BYTES_MAX:
                plain.settimeout(max(until_s - time.monotonic(), 0.001))
                byte = plain.recv(1)
                if not byte:
                    break
                head += byte
        except OSError:
            plain.close()
            raise
        plain.settimeout(self.step_s)
        answer = _ANSWER.match(head)
        return plain, int(answer[1]) if answer else 0

    def _secured(self) -> Check:
        host, _ = split_address(self.address)
        context = ssl.create_default_context(
            cadata=(certificate_to_pem(self.authority_der) + self.others_pem).decode("ascii")
        )
        try:
            self._shown(context)
        except ssl.SSLCertVerificationError as error:
            return self._not_believed(error)
        except OSError as error:
            fix = "Something on the way answers in the coordinator's place, or another program has its port."
            return problem("tls", f"{self.address} does not speak TLS as a coordinator does ({error}).", fix)
        return ok("tls", f"the certificate of {self.server_name or host} is this federation's")

    def _shown(self, context: ssl.SSLContext) -> bytes:
        """The certificate that the other side shows; raises OSError, ssl.SSLError."""
        host, _ = split_address(self.address)
        context.set_alpn_protocols(["h2"])
        plain = self._through(self.proxy)[0] if self.proxy else None
        plain = plain or socket.create_connection(split_address(self.address), timeout=self.step_s)
        with closing(plain), context.wrap_socket(plain, server_hostname=self.server_name or host) as secured:
            return secured.getpeercert(binary_form=True) or b""

    def _not_believed(self, error: ssl.SSLCertVerificationError) -> Check:
        """Why a certificate is not believed: a name, a clock, another federation, or somebody in between."""
        host, _ = split_address(self.address)
        name, reason = self.server_name or host, error.verify_message
        issuer, is_coordinator = self.issuer()
        if "mismatch" in reason or "not valid for" in reason:
            fix = f"Whoever runs the coordinator adds {name} to hosts in coordinator.toml, and restarts it."
            return problem("tls", f"The coordinator's certificate is not for {name}.", fix)
        if "not yet valid" in reason or "expired" in reason:
            fix = (
                "Set this computer's clock (timedatectl status); if it is right, ask the coordinator's host."
            )
            return problem("tls", f"The certificate of {name} does not count now: {reason}.", fix)
        if is_coordinator:
            fix = (
                "Ask whoever runs the coordinator whether it was made anew: then join again with a new token."
            )
            return problem("tls", f"{self.address} is the coordinator of another federation ({issuer}).", fix)
        fix = f"Ask whoever runs the proxy or firewall to exempt {host} from TLS inspection."
        found = f"{self.address} shows a certificate issued by {issuer}: something on the way inspects TLS."
        return problem("tls", found, fix)


def accepted(transport: Transport) -> tuple[agreements_pb2.AuthorityReply | None, Check]:
    """Whether the coordinator takes our certificate; what it relays, for later checks."""
    try:
        reply = transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
    except FedstatsError as error:
        return None, failed("accepted", error)
    return reply, ok("accepted", "the coordinator accepts our certificate")


def agreeing(reply: agreements_pb2.AuthorityReply, *, now_s: float, software: str) -> Iterator[Check]:
    """Clock and version beside the coordinator's; `now_s` is when the reply came."""
    yield _clock(round(now_s - reply.now_s))
    if _release(reply.software) != _release(software):
        fix = "Install the same version on both sides; the older side is updated first."
        yield warning(
            "version",
            f"here is {software}, and the coordinator runs {reply.software[:40] or 'another'}.",
            fix,
        )
    else:
        yield ok("version", f"{software}, as the coordinator")


def _clock(ahead_s: int) -> Check:
    if abs(ahead_s) > CLOCK_S_MAX:
        way = "ahead of" if ahead_s > 0 else "behind"
        fix = "Set this computer's clock, and let it be kept: timedatectl set-ntp true"
        return problem("clock", f"This computer's clock is {abs(ahead_s):,} s {way} the coordinator's.", fix)
    return ok("clock", f"within {max(abs(ahead_s), 1)} s of the coordinator's")


def _release(software: str) -> list[str]:
    """What must agree of a version: all but its last number."""
    return software.split(".")[:2]


def _issuer(certificate_der: bytes) -> tuple[str, bool]:
    """The name of a certificate's issuer as quoted text, and whether it says that it is a coordinator's."""
    issuer = x509.load_der_x509_certificate(certificate_der).issuer
    names = [
        *issuer.get_attributes_for_oid(NameOID.COMMON_NAME),
        *issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME),
    ]
    try:
        is_coordinator = peer_of(certificate_der).role is Role.COORDINATOR
    except CertificateProblem:
        is_coordinator = False
    return ascii(str(names[0].value)[:64]) if names else "nobody it names", is_coordinator

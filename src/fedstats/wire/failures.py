"""What a failed call means, as the sentence for whoever must act: gRPC says why in its prose only.

The tests hold each piece of that prose against the real library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import grpc

from fedstats.errors import (
    CertificateProblem,
    CoordinatorUnreachable,
    MessageInvalid,
    NetworkError,
    NoReplyInTime,
    ProxyRefused,
)
from fedstats.identity.address import split_address
from fedstats.identity.certificates import validity_of
from fedstats.identity.peer import Role, peer_of
from fedstats.wire.network import Route
from fedstats.wire.reach import Way

_TOO_LARGE = re.compile(r"message larger than max \((\d+) vs\. (\d+)\)")
_NOT_VERIFIED = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([a-z -]+)")
_WRONG_HOST = "Hostname Verification Check failed"
_HUNG_UP = "Socket closed"
_PROXY_ANSWERED = re.compile(r"HTTP proxy returned response code (\d+)")
_CAUSES = {
    "Connection refused": "nothing listens there",
    "Domain name not found": "there is no such name",
    "keepalive": "it went silent",
    "timed out": "nothing answered",
    "Timeout occurred": "nothing answered",
    "FD shutdown": "nothing answered",
}
CREDENTIALS_WANTED = frozenset({401, 407})  # the first is what tinyproxy says to wrong ones
SERVER_ERRORS = 500  # and above: the proxy would, and cannot


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call went: the coordinator's address, the name in its certificate, the proxy between."""

    address: str
    server_name: str
    route: Route | None
    certificate_der: bytes  # ours

    def explained(
        self, status: grpc.StatusCode, details: str, *, method: str, wait_s: float, now: datetime
    ) -> NetworkError:
        """The sentence for whoever must act on a failed call."""
        if status is grpc.StatusCode.UNAVAILABLE:
            return self._unavailable(details, now)
        if status is grpc.StatusCode.CANCELLED:
            return CoordinatorUnreachable("This connection was closed here.", remedy="")
        if status is grpc.StatusCode.DEADLINE_EXCEEDED:
            return NoReplyInTime(f"{self.address} did not reply to {method} within {wait_s:g} s.")
        if status is grpc.StatusCode.UNIMPLEMENTED:
            return MessageInvalid(
                f"{self.address} does not know {method}: it runs another version of fedstats."
            )
        if sizes := _TOO_LARGE.search(details):
            size, limit = (int(text) for text in sizes.groups())
            return MessageInvalid(
                f"A message of {method} is too large: {size:,} bytes, {limit:,} are allowed."
            )
        return NetworkError(f"{method} failed at {self.address}: {status.name.lower()}.")

    def _unavailable(self, details: str, now: datetime) -> NetworkError:
        if reason := _NOT_VERIFIED.search(details):
            return self._not_verified(reason[1])
        if _WRONG_HOST in details:
            return CertificateProblem(
                f"The coordinator's certificate is not for {self.server_name or self.address}.",
                remedy="Use a name that its certificate carries: fedstats coordinator init --host",
            )
        if now >= (end := validity_of(self.certificate_der).not_after):
            peer = peer_of(self.certificate_der)
            who = "" if peer.role is Role.JOIN else f" {peer.role.value} {peer.name} --again"
            return CertificateProblem(
                f"Our own certificate expired at {end:%Y-%m-%d %H:%M} UTC.",
                remedy="Join again with a new token: keys, jobs and ledger stay. Whoever runs the coordinator"
                f" types: fedstats coordinator invite{who}",
            )
        if answer := _PROXY_ANSWERED.search(details):
            return self._proxy_refused(int(answer[1]))
        if _HUNG_UP in details:
            return CoordinatorUnreachable(
                f"{self.address} closed the connection: it is restarting, or does not accept our certificate."
            )
        cause = next((said for text, said in _CAUSES.items() if text in details), "the connection failed")
        via = f" through the proxy {self.route.proxy}" if self.route else ""
        return CoordinatorUnreachable(f"No connection to {self.address}{via}: {cause}.")

    def _not_verified(self, reason: str) -> CertificateProblem:
        """Another federation's coordinator, or somebody between us and ours who inspects TLS."""
        try:
            issuer, is_coordinator = Way(self.address, b"", self.server_name, self.route).issuer()
        except (OSError, ValueError):
            issuer, is_coordinator = "", True
        if is_coordinator:
            return CertificateProblem(
                f"What answers at {self.address} is not this federation's coordinator ({reason})."
            )
        host, _ = split_address(self.address)
        return CertificateProblem(
            f"What answers at {self.address} shows a certificate of {issuer}, which is not believed here"
            f" ({reason}): something on the way inspects TLS, or the coordinator uses another authority.",
            remedy=f"Ask whoever runs the proxy or firewall to exempt {host} from TLS inspection. If the"
            " coordinator does use that authority, name the authority's file as ca_file.",
        )

    def _proxy_refused(self, answer: int) -> NetworkError:
        proxy, named = (self.route.proxy, self.route.named_by) if self.route else ("", "")
        if answer in CREDENTIALS_WANTED:
            given = self.route is not None and bool(self.route.credentials)
            what = (
                "does not accept the user and password it was given"
                if given
                else "asks for a user and password"
            )
            return ProxyRefused(
                f"The proxy {proxy} {what} ({answer}).",
                remedy="Write USER:PASSWORD into a file of mode 600, and name it as proxy_credentials_file"
                f"{f' beside proxy, in place of {named}' if named.startswith('$') else ''}.",
            )
        if answer >= SERVER_ERRORS:
            return CoordinatorUnreachable(
                f"No connection to {self.address}: the proxy {proxy} could not open it ({answer})."
            )
        return ProxyRefused(
            f"The proxy {proxy} refuses to connect to {self.address} ({answer}).",
            remedy=f"Ask whoever runs the proxy to allow CONNECT to {self.address} from this computer.",
        )

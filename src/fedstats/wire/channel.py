"""The client's end of the wire: one connection to the coordinator, mutual TLS, calls that block.

Safe to use from several threads at once. A broken connection mends itself at a later call; when to
call again is for the caller to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, cast

import grpc
from google.protobuf.message import DecodeError

from fedstats.errors import (
    CertificateProblem,
    ConfigInvalid,
    CoordinatorUnreachable,
    FedstatsError,
    MessageInvalid,
    NetworkError,
    NoReplyInTime,
)
from fedstats.identity.address import check_host, is_loopback, split_address
from fedstats.identity.certificates import certificate_to_pem, validity_of
from fedstats.identity.tls_key import TlsKey
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.trailer import KEY as ERROR_KEY
from fedstats.wire.trailer import error_of

REPLY_BYTES_MAX = 64 * 1024 * 1024
PING_S = 30  # keeps idle connections alive where proxies and firewalls forget them after 60 s
PING_TIMEOUT_S = 20
RECONNECT_S = 0.5  # the first wait of gRPC's own back-off, which only spaces out attempts to connect
RECONNECT_S_MAX = 10

# gRPC tells these causes apart in its prose only. The tests hold each of them against the real library.
_TOO_LARGE = re.compile(r"message larger than max \((\d+) vs\. (\d+)\)")
_NOT_VERIFIED = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([a-z -]+)")
_WRONG_HOST = "Hostname Verification Check failed"
_HUNG_UP = "Socket closed"
_PROXY_REFUSED = re.compile(r"HTTP proxy returned response code (\d+)")
_CAUSES = {"Connection refused": "nothing listens there", "Domain name not found": "there is no such name"}

_PROXY = re.compile(r"http://(?:[^@/\s]+@)?([^@/\s]+?)/?")


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What the client proves itself with and whom it believes. Only this federation's authority counts."""

    authority_der: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    key: TlsKey
    server_name: str = ""  # what the server's certificate must say, where that is not the address's host

    def __post_init__(self) -> None:
        """Refuse a server name that is none."""
        if self.server_name:
            check_host(self.server_name)


class Channel:
    """A connection to the coordinator; use it as a context manager, or close it.

    `address` is HOST:PORT. `proxy` is `http://[user:password@]host:port`; without it the environment's
    `https_proxy` and `no_proxy` count, except for loopback addresses, which never go through a proxy.
    """

    def __init__(
        self,
        address: str,
        tls: ClientTls,
        *,
        proxy: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare the connection; the first call opens it.

        Raises
        ------
        ValueInvalid
            The address is not HOST:PORT.
        ConfigInvalid
            The proxy has another form, as `https://` has, which gRPC cannot speak to a proxy.

        """
        host, _ = split_address(address)
        self.address = address
        self._tls = tls
        self._clock = clock
        self._via = " through the proxy" if proxy else ""
        options: list[tuple[str, int | str]] = [
            *_OPTIONS,
            ("grpc.enable_http_proxy", int(not is_loopback(host))),
        ]
        if proxy:
            options.append(("grpc.http_proxy", _check_proxy(proxy)))
        if tls.server_name:
            options.append(("grpc.ssl_target_name_override", tls.server_name))
        credentials = grpc.ssl_channel_credentials(
            root_certificates=certificate_to_pem(tls.authority_der),
            private_key=tls.key.private_pem(),
            certificate_chain=certificate_to_pem(tls.certificate_der),
        )
        self._grpc = grpc.secure_channel(address, credentials, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; calls that wait in other threads end with CoordinatorUnreachable."""
        self._grpc.close()

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Call the method and wait for its reply; see `Transport`.

        Raises
        ------
        CoordinatorUnreachable
            No connection, or it broke; also after `close`.
        CertificateProblem
            TLS failed: the server's certificate, or ours.
        NoReplyInTime
            The deadline passed.
        MessageInvalid
            The request or the reply is too large, or the other side cannot read it.
        FedstatsError
            The coordinator refused: the class and sentence are those raised there.

        """
        wait_s = method.timeout_s if timeout_s is None else timeout_s
        sent = request.SerializeToString()
        send: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._grpc.unary_unary(method.path)
        try:
            raw = send(sent, timeout=wait_s)
            return method.reply.FromString(raw)
        except grpc.RpcError as problem:
            raise self._translated(problem, method.name, wait_s) from None
        except DecodeError:
            raise MessageInvalid(f"The coordinator's reply to {method.name} cannot be read.") from None
        except ValueError:  # what gRPC raises on a closed channel
            raise CoordinatorUnreachable("This connection was closed here.", remedy="") from None

    def _translated(self, problem: grpc.RpcError, name: str, wait_s: float) -> FedstatsError:
        """The error that the coordinator sent along, or what gRPC's status means."""
        failed = cast("grpc.Call", problem)  # what a blocking call raises is the call itself
        for key, value in failed.trailing_metadata() or ():
            if key == ERROR_KEY and isinstance(value, bytes):
                return error_of(value)
        return self._explained(failed.code(), failed.details() or "", name, wait_s)

    def _explained(self, status: grpc.StatusCode, details: str, name: str, wait_s: float) -> NetworkError:
        """The sentence for whoever must act on a failed call."""
        if status is grpc.StatusCode.UNAVAILABLE:
            return self._unavailable(details)
        if status is grpc.StatusCode.CANCELLED:
            return CoordinatorUnreachable("This connection was closed here.", remedy="")
        if status is grpc.StatusCode.DEADLINE_EXCEEDED:
            return NoReplyInTime(f"{self.address} did not reply to {name} within {wait_s:g} s.")
        if status is grpc.StatusCode.UNIMPLEMENTED:
            return MessageInvalid(
                f"{self.address} does not know {name}: it runs another version of fedstats."
            )
        if sizes := _TOO_LARGE.search(details):
            size, limit = (int(text) for text in sizes.groups())
            return MessageInvalid(f"A message of {name} is too large: {size:,} bytes, {limit:,} are allowed.")
        return NetworkError(f"{name} failed at {self.address}: {status.name.lower()}.")

    def _unavailable(self, details: str) -> NetworkError:
        """Find out why there is no connection; gRPC says so only in prose."""
        if reason := _NOT_VERIFIED.search(details):
            return CertificateProblem(
                f"What answers at {self.address} is not this federation's coordinator ({reason[1]})."
            )
        if _WRONG_HOST in details:
            return CertificateProblem(
                f"The coordinator's certificate is not for {self._tls.server_name or self.address}.",
                remedy="Use a name that its certificate carries: fedstats coordinator init --host",
            )
        if self._clock() >= (end := validity_of(self._tls.certificate_der).not_after):
            return CertificateProblem(
                f"Our own certificate expired at {end:%Y-%m-%d %H:%M} UTC.",
                remedy="Join again with a new token: fedstats coordinator invite",
            )
        if _HUNG_UP in details:
            return CoordinatorUnreachable(
                f"{self.address} closed the connection: it is restarting, or does not accept our certificate."
            )
        if refusal := _PROXY_REFUSED.search(details):
            return CoordinatorUnreachable(
                f"No connection to {self.address}: the proxy answered {refusal[1]}.",
                remedy="407 asks for a user and password; for others, ask whoever runs the proxy.",
            )
        cause = next((said for text, said in _CAUSES.items() if text in details), "the connection failed")
        return CoordinatorUnreachable(f"No connection to {self.address}{self._via}: {cause}.")


def _check_proxy(proxy: str) -> str:
    """Return a proxy's URL that gRPC understands: it passes over others in silence and connects without."""
    form = _PROXY.fullmatch(proxy)
    if not form:  # the URL holds a password, so the sentence does not show it
        raise ConfigInvalid("A proxy is written http://HOST:PORT or http://USER:PASSWORD@HOST:PORT.")
    split_address(form[1])
    return proxy


_OPTIONS = (
    ("grpc.max_receive_message_length", REPLY_BYTES_MAX),
    ("grpc.keepalive_time_ms", PING_S * 1000),
    ("grpc.keepalive_timeout_ms", PING_TIMEOUT_S * 1000),
    ("grpc.http2.max_pings_without_data", 0),  # a long poll sends no data between its pings
    ("grpc.initial_reconnect_backoff_ms", int(RECONNECT_S * 1000)),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_S_MAX * 1000),
)

"""The client's end of the wire: one connection to the coordinator, mutual TLS, calls that block.

Safe to use from several threads at once. Each attempt to connect is a call's: after a failure the next call
connects anew, so that when to try again is decided in one place, by the caller (`wire/back_off.py`), and
gRPC's own back-off adds nothing to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from types import TracebackType
from typing import Self, cast

import grpc
from google.protobuf.message import DecodeError

from fedstats.errors import CoordinatorUnreachable, FedstatsError, MessageInvalid
from fedstats.identity.address import check_host, split_address
from fedstats.identity.certificates import certificate_to_pem
from fedstats.identity.tls_key import TlsKey
from fedstats.wire.back_off import CONNECT_S
from fedstats.wire.failures import Destination
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.network import Network, Route
from fedstats.wire.trailer import KEY as ERROR_KEY
from fedstats.wire.trailer import error_of

REPLY_BYTES_MAX = 64 * 1024 * 1024

_BROKEN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What the client proves itself with and whom it believes: this federation's authority.

    The settings of the network may add an organisation's authorities (`Network.ca_file`).
    """

    authority_der: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    key: TlsKey
    server_name: str = ""  # what the server's certificate must say, where that is not the address's host

    def __post_init__(self) -> None:
        """Refuse a server name that is none."""
        if self.server_name:
            check_host(self.server_name)


@dataclass(slots=True, eq=False)
class _Link:
    """One connection and how many calls are on it: a broken one is closed when the last of them has ended."""

    channel: grpc.Channel
    destination: Destination
    calls: int = 0
    retired: bool = False


class Channel:
    """A connection to the coordinator; use it as a context manager, or close it.

    `address` is HOST:PORT. `network` says how to get there; without a proxy in it, `https_proxy` and
    `no_proxy` of the `environment` count, except for loopback addresses, which never go through a proxy.
    """

    def __init__(
        self,
        address: str,
        tls: ClientTls,
        *,
        network: Network | None = None,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare the connection; the first call opens it.

        Raises
        ------
        ValueInvalid
            The address is not HOST:PORT.

        """
        self._host, _ = split_address(address)
        self.address = address
        self._tls = tls
        self._network = network or Network()
        self._environment = environment
        self._clock = clock
        self._turn = Lock()
        self._link: _Link | None = None
        self._links: set[_Link] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; calls that wait in other threads end with CoordinatorUnreachable."""
        with self._turn:
            self._closed = True
            links, self._links, self._link = self._links, set(), None
        for link in links:
            link.channel.close()

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Call the method and wait for its reply; see `Transport`.

        Raises
        ------
        CoordinatorUnreachable
            No connection, or it broke; also after `close`.
        ProxyRefused
            The proxy on the way does not let us through.
        CertificateProblem
            TLS failed: the server's certificate, or ours.
        NoReplyInTime
            The deadline passed.
        MessageInvalid
            The request or the reply is too large, or the other side cannot read it.
        ConfigInvalid, FileProblem
            What the network's settings name cannot be used.
        FedstatsError
            The coordinator refused: the class and sentence are those raised there.

        """
        wait_s = method.timeout_s if timeout_s is None else timeout_s
        sent = request.SerializeToString()
        link = self._taken()
        try:
            send: grpc.UnaryUnaryMultiCallable[bytes, bytes] = link.channel.unary_unary(method.path)
            return method.reply.FromString(send(sent, timeout=wait_s))
        except grpc.RpcError as problem:
            raise self._translated(problem, link, method.name, wait_s) from None
        except DecodeError:
            raise MessageInvalid(f"The coordinator's reply to {method.name} cannot be read.") from None
        except ValueError:  # what gRPC raises on a closed channel
            raise CoordinatorUnreachable("This connection was closed here.", remedy="") from None
        finally:
            self._given_back(link)

    def _taken(self) -> _Link:
        """The connection for one call; a new one if there is none, or if the last one broke."""
        with self._turn:
            if self._closed:
                raise CoordinatorUnreachable("This connection was closed here.", remedy="")
            if self._link is None:
                self._link = self._opened()
                self._links.add(self._link)
            self._link.calls += 1
            return self._link

    def _given_back(self, link: _Link) -> None:
        with self._turn:
            link.calls -= 1
            is_over = link.retired and not link.calls
            if is_over:
                self._links.discard(link)
        if is_over:
            link.channel.close()

    def _retire(self, link: _Link) -> None:
        """Let later calls connect anew; those that are on the way may still end well."""
        with self._turn:
            link.retired = True
            if self._link is link:
                self._link = None

    def _opened(self) -> _Link:
        route = self._network.route(self._host, self._environment)
        tls = self._tls
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self._network.authorities(tls.authority_der),
            private_key=tls.key.private_pem(),
            certificate_chain=certificate_to_pem(tls.certificate_der),
        )
        options = _options(self._network, route, tls.server_name)
        destination = Destination(self.address, tls.server_name, route, tls.certificate_der)
        return _Link(grpc.secure_channel(self.address, credentials, options), destination)

    def _translated(self, problem: grpc.RpcError, link: _Link, name: str, wait_s: float) -> FedstatsError:
        """The error that the coordinator sent along, or what gRPC's status means."""
        failed = cast("grpc.Call", problem)  # what a blocking call raises is the call itself
        for key, value in failed.trailing_metadata() or ():
            if key == ERROR_KEY and isinstance(value, bytes):
                return error_of(value)
        if failed.code() in _BROKEN:
            self._retire(link)
        return link.destination.explained(
            failed.code(), failed.details() or "", method=name, wait_s=wait_s, now=self._clock()
        )


def _options(network: Network, route: Route | None, server_name: str) -> list[tuple[str, int | str]]:
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", REPLY_BYTES_MAX),
        ("grpc.keepalive_time_ms", network.keepalive_s * 1_000),
        ("grpc.keepalive_timeout_ms", network.keepalive_timeout_s * 1_000),
        ("grpc.http2.max_pings_without_data", 0),  # a long poll sends no data between its pings
        ("grpc.min_reconnect_backoff_ms", int(CONNECT_S * 1_000)),  # what gRPC gives one attempt
        ("grpc.use_local_subchannel_pool", 1),  # else a new channel would inherit an old one's back-off
        ("grpc.enable_http_proxy", int(route is not None)),  # the environment was read already
    ]
    if route is not None:
        options.append(("grpc.http_proxy", f"http://{route.proxy}"))
        if route.authorisation:  # as a header: in a URL, gRPC loses passwords that hold an @
            options.append(("grpc.http_connect_headers", f"Proxy-Authorization:{route.authorisation}"))
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return options

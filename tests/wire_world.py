"""A server of test methods over real TLS on loopback: where the tests of channel and server start."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue, StringValue

from fedstats.errors import (
    BudgetExceeded,
)
from fedstats.identity.certificates import Authority, issue, issue_server, make_authority
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.wire.channel import ClientTls
from fedstats.wire.method import Method
from fedstats.wire.server import Handler, Server, ServerTls

NOW = datetime.now(UTC)  # TLS itself looks at the real clock
AUTHORITY = make_authority("Waiting times", now=NOW)
FOREIGN = make_authority("A proxy that inspects TLS", now=NOW)
KEY = TlsKey.generate()
SERVER_KEY = TlsKey.generate()
NODE = Peer(Role.NODE, "gstt")
LIMIT_BYTES = 16 * 1024 * 1024

ALL = frozenset(Role)
WHOAMI = Method("/test.Wire/WhoAmI", BytesValue, StringValue, roles=ALL, request_bytes_max=LIMIT_BYTES)
NODES_ONLY = Method("/test.Wire/NodesOnly", BytesValue, StringValue, roles=frozenset({Role.NODE}))
FAIL = Method("/test.Wire/Fail", StringValue, StringValue, roles=ALL)
LEASE = Method("/test.Wire/Lease", BytesValue, StringValue, roles=ALL, timeout_s=60, long_poll=True)
ECHO = Method("/test.Wire/Echo", BytesValue, BytesValue, roles=ALL, request_bytes_max=LIMIT_BYTES)
SMALL = Method("/test.Wire/Small", BytesValue, StringValue, roles=ALL, request_bytes_max=1_000)
BULK = Method("/test.Wire/Bulk", BytesValue, BytesValue, roles=ALL, large_reply=True)
BULK_BYTES = 4 * 1024 * 1024
UNKNOWN = Method("/test.Wire/Unknown", BytesValue, StringValue, roles=ALL)

Result = TypeVar("Result")


@dataclass
class Service:
    """What the tests call. `waiting` says that a lease has arrived, `ended` that it is over on the server."""

    waiting: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    bulks: Counter[str] = field(default_factory=Counter)  # how many large replies were made, by whose name

    async def whoami(self, request: BytesValue, peer: Peer) -> StringValue:
        """Say who calls, with how much."""
        return StringValue(value=f"{peer.role.value} {peer.name} {len(request.value)}")

    async def echo(self, request: BytesValue, peer: Peer) -> BytesValue:
        """Say it again."""
        del peer
        return request

    async def bulk(self, request: BytesValue, peer: Peer) -> BytesValue:
        """Say much more than fits a window that nobody reads from."""
        del request
        self.bulks[peer.name] += 1
        return BytesValue(value=bytes(BULK_BYTES))

    async def fail(self, request: StringValue, peer: Peer) -> Message:
        """Fail as the request says."""
        if request.value == "refuse":
            raise BudgetExceeded("21 % is left — ask for less.", where=peer.name, remedy="Wait.")
        if request.value == "at length":
            raise BudgetExceeded("\U0001f642" * 9_000)
        raise ZeroDivisionError(request.value)

    async def lease(self, request: BytesValue, peer: Peer) -> Message:
        """Hold the call open until somebody ends it."""
        del request, peer
        self.waiting.set()
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        try:
            return await never
        finally:
            self.ended.set()

    def methods(self) -> dict[Method[Any, Any], Handler]:
        """The table that `serve` takes."""
        return {
            WHOAMI: self.whoami,
            NODES_ONLY: self.whoami,
            SMALL: self.whoami,
            ECHO: self.echo,
            BULK: self.bulk,
            FAIL: self.fail,
            LEASE: self.lease,
        }


@dataclass
class Coordinator:
    """A server on its own event loop in a thread, as the real one runs in its own process."""

    loop: asyncio.AbstractEventLoop
    service: Service
    server: Server

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server.port}"


def server_tls(*hosts: str) -> ServerTls:
    """What a server at these hosts proves itself with."""
    certificate = issue_server(AUTHORITY, SERVER_KEY, hosts or ("localhost", "127.0.0.1"), now=NOW)
    return ServerTls(AUTHORITY.certificate_der, certificate, SERVER_KEY)


def client_tls(
    peer: Peer = NODE, *, by: Authority = AUTHORITY, now: datetime = NOW, days: int = 1
) -> ClientTls:
    """What a caller proves itself with."""
    certificate = issue(by, KEY.request(), peer, now=now, lifetime=timedelta(days=days))
    return ClientTls(AUTHORITY.certificate_der, certificate, KEY)

"""The coordinator of a simulated federation on a real port: commands meet it, and its lies, over real TLS.

with served(federation) as port:
    port.admit(home, Peer(Role.ANALYST, "a.smith"))     # from now on commands of this home call there
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from fedstats.client.home import Home
from fedstats.identity.certificates import Authority, issue, issue_server, make_authority
from fedstats.identity.key_files import write_certificate, write_key
from fedstats.identity.peer import Peer
from fedstats.identity.tls_key import TlsKey
from fedstats.testing.federation import Federation
from fedstats.wire.method import Method
from fedstats.wire.server import Handler, ServerTls, serve

HOST = "127.0.0.1"
START_S = 20.0


@dataclass(frozen=True, slots=True)
class Port:
    """Where it listens, and the authority that lets people in: one of its own, by the real clock."""

    address: str
    authority: Authority

    def admit(self, home: Home, peer: Peer) -> None:
        """Give a person's home a certificate for this port, as joining would."""
        home.prepare()
        key = TlsKey.generate()
        certificate = issue(self.authority, key.request(), peer, now=datetime.now(UTC))
        write_key(home.tls_key_file, key, replace=True)
        write_certificate(home.authority_file, self.authority.certificate_der, replace=True)
        write_certificate(home.certificate_file, certificate, replace=True)
        config = replace(home.config(), address=self.address, role=peer.role.value, name=peer.name)
        home.write_config(config)


@contextmanager
def served(federation: Federation) -> Iterator[Port]:
    """Serve the federation's coordinator while the block runs; one call at a time, as its store wants it."""
    now = datetime.now(UTC)
    authority, key = make_authority("Served simulation", now=now), TlsKey.generate()
    tls = ServerTls(authority.certificate_der, issue_server(authority, key, (HOST,), now=now), key)
    known = federation.coordinator
    methods = {method: _handler(federation, method) for method in (*known.answers, *known.polls)}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        starting = asyncio.run_coroutine_threadsafe(serve(f"{HOST}:0", tls, methods), loop)
        server = starting.result(START_S)
        yield Port(f"{HOST}:{server.port}", authority)
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(START_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _handler(federation: Federation, method: Method[Any, Any]) -> Handler:
    async def answer(request: Message, peer: Peer) -> Message:
        reply: Message = federation.network(Peer(peer.role, peer.name)).call(method, request)
        return reply

    return answer

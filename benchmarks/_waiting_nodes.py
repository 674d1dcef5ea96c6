"""Simulated nodes over real connections: each with its own certificate, TLS session and long poll."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import grpc.aio
from _federation import Federation

from fedstats.identity.certificates import certificate_to_pem
from fedstats.wire.channel import ClientTls
from fedstats.wire.methods import LEASE, POLL_S_MAX, REPORT
from fedstats.wire.v1 import nodes_pb2

INSTANCE = bytes(16)


@dataclass
class Crowd:
    """As many nodes as the federation has departments, on one event loop; `reports` answers by task."""

    federation: Federation
    departments: tuple[str, ...]
    reports: dict[str, nodes_pb2.ReportRequest] = field(default_factory=dict)
    replied: int = 0
    failed: int = 0

    async def run(self, connected: asyncio.Event) -> None:
        """Connect all at once, then lease and report until cancelled."""
        opened = [self._open(self.federation.tls(name)) for name in self.departments]
        try:
            await asyncio.gather(*(self._lease(channel, 0) for channel in opened))
            connected.set()
            await asyncio.gather(*(self._work(channel) for channel in opened))
        finally:
            await asyncio.gather(*(channel.close() for channel in opened))

    def _open(self, tls: ClientTls) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            certificate_to_pem(tls.authority_der),
            tls.key.private_pem(),
            certificate_to_pem(tls.certificate_der),
        )
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        return grpc.aio.secure_channel(self.federation.address, credentials, options)

    async def _work(self, channel: grpc.aio.Channel) -> None:
        while True:
            reply = await self._lease(channel, POLL_S_MAX)
            if reply.HasField("task"):
                await self._call(channel, REPORT, self.reports[reply.task.id])
                self.replied += 1

    async def _lease(self, channel: grpc.aio.Channel, wait_s: int) -> nodes_pb2.LeaseReply:
        request = nodes_pb2.LeaseRequest(wait_s=wait_s, instance=INSTANCE)
        reply: nodes_pb2.LeaseReply = await self._call(channel, LEASE, request)
        return reply

    async def _call(self, channel: grpc.aio.Channel, method: Any, request: Any) -> Any:  # noqa: ANN401  # any of the wire
        call = channel.unary_unary(
            method.path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.reply.FromString,
        )
        return await call(request, timeout=method.timeout_s)


@contextmanager
def waiting(crowd: Crowd) -> Iterator[None]:
    """The crowd in a thread of its own: connected when the block begins, gone when it ends."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    connected = asyncio.Event()
    running = asyncio.run_coroutine_threadsafe(crowd.run(connected), loop)
    try:
        both = asyncio.run_coroutine_threadsafe(connected.wait(), loop)
        while not both.done():
            if running.done():
                running.result()
            try:
                both.result(timeout=0.1)
            except TimeoutError:
                continue
        yield
    finally:
        running.cancel()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)

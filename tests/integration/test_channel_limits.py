"""What one certificate can take of the server: calls, messages, memory; and certificates that were ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, StringValue, UInt32Value
from wire_world import ALL, AUTHORITY, BULK, BULK_BYTES, ECHO, LEASE, SMALL, WHOAMI, Coordinator, client_tls

from fedstats.errors import CoordinatorUnreachable, MessageInvalid, NoReplyInTime, NotPermitted
from fedstats.identity.certificates import certificate_to_pem
from fedstats.identity.peer import Peer, Role
from fedstats.wire import server
from fedstats.wire.channel import Channel
from fedstats.wire.method import Method

NODE = Peer(Role.NODE, "north")
HEALTH = Method("/grpc.health.v1.Health/Check", StringValue, UInt32Value, roles=ALL)


def raw_channel(coordinator: Coordinator, peer: Peer) -> grpc.Channel:
    """A connection without any of our client's manners."""
    tls = client_tls(peer)
    credentials = grpc.ssl_channel_credentials(
        certificate_to_pem(AUTHORITY.certificate_der),
        tls.key.private_pem(),
        certificate_to_pem(tls.certificate_der),
    )
    small_window = [("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0)]
    return grpc.secure_channel(coordinator.address, credentials, small_window)


class Holding:
    """Calls of one peer that stay open: long polls, or requests whose message never comes."""

    def __init__(
        self, coordinator: Coordinator, peer: Peer, number: int, *, path: str = LEASE.path, silent: bool
    ) -> None:
        """Open them."""
        self._ended = threading.Event()
        self._channel = raw_channel(coordinator, peer)
        lease: grpc.StreamUnaryMultiCallable[bytes, bytes] = self._channel.stream_unary(path)
        self._calls = [lease.future(self._messages(silent)) for _ in range(number)]

    def _messages(self, silent: bool) -> Iterator[bytes]:  # noqa: FBT001 # the class's own
        if not silent:
            yield b""
        self._ended.wait()

    def end(self) -> None:
        """End them all."""
        for call in self._calls:
            call.cancel()
        self._ended.set()
        self._channel.close()


@pytest.fixture
def hold(coordinator: Coordinator) -> Iterator[Callable[..., Holding]]:
    """Open calls and keep them; all end with the test."""
    held: list[Holding] = []

    def begin(peer: Peer, number: int, *, path: str = LEASE.path, silent: bool = False) -> Holding:
        held.append(Holding(coordinator, peer, number, path=path, silent=silent))
        return held[-1]

    yield begin
    for calls in held:
        calls.end()


def refused(channel: Channel) -> bool:
    """Whether a call of this connection is turned away for too many others."""
    try:
        channel.call(WHOAMI, BytesValue())
    except CoordinatorUnreachable as problem:
        return "open at once" in problem.sentence
    return False


def until(holds: Callable[[], bool]) -> None:
    """Ask, each time over the network, until it is so."""
    end_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end_s


@pytest.mark.parametrize("silent", [False, True])
def test_one_name_holds_so_many_calls_at_once(
    coordinator: Coordinator,
    hold: Callable[..., Holding],
    silent: bool,  # noqa: FBT001 # one column of a table
) -> None:
    """Its next call is refused, even if the others never send a message; nobody else notices."""
    with (
        Channel(coordinator.address, client_tls(NODE)) as mine,
        Channel(coordinator.address, client_tls(Peer(Role.NODE, "south"))) as other,
        Channel(coordinator.address, client_tls(Peer(Role.CONTROLLER, "north"))) as controller,
    ):
        held = hold(NODE, server.CALLS_EACH_MAX, silent=silent)
        until(lambda: refused(mine))
        assert not refused(other)
        assert not refused(controller)
        held.end()
        until(lambda: not refused(mine))


def test_people_leave_room_for_nodes(
    coordinator: Coordinator, hold: Callable[..., Holding], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many analysts there are, they cannot take the calls that are kept for nodes."""
    monkeypatch.setattr(server, "CALLS_OF_PEOPLE_MAX", 3)
    hold(Peer(Role.ANALYST, "a.smith"), 3)
    with (
        Channel(coordinator.address, client_tls(Peer(Role.ANALYST, "b.jones"))) as analyst,
        Channel(coordinator.address, client_tls(NODE)) as node,
    ):
        until(lambda: refused(analyst))
        assert not refused(node)


def test_large_requests_of_one_name_wait_for_each_other(
    coordinator: Coordinator, hold: Callable[..., Holding]
) -> None:
    """Of what may be large only a few requests of one name are in memory at once; others' go on."""

    def waits(channel: Channel) -> bool:
        try:
            channel.call(ECHO, BytesValue(), timeout_s=0.5)
        except NoReplyInTime:
            return True
        return False

    with (
        Channel(coordinator.address, client_tls(NODE)) as mine,
        Channel(coordinator.address, client_tls(Peer(Role.NODE, "south"))) as other,
    ):
        held = hold(NODE, server.LARGE_CALLS_EACH_MAX, path=ECHO.path, silent=True)
        until(lambda: waits(mine))
        assert other.call(ECHO, BytesValue(value=b"a")).value == b"a"
        held.end()
        until(lambda: not waits(mine))


@contextmanager
def unread(coordinator: Coordinator, method: Method[Any, Any], request: bytes, calls: int) -> Iterator[None]:
    """Calls of the north's node whose replies it does not read, two connections of them."""
    with ExitStack() as held:
        for _ in range(2):
            channel = held.enter_context(raw_channel(coordinator, NODE))
            ask: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method.path)
            for _ in range(calls // 2):
                held.callback(ask(request).cancel)
        yield


def test_replies_that_nobody_reads_do_not_add_up(coordinator: Coordinator) -> None:
    """Of large replies a few of one name are made at once, until they have left or their caller has gone."""
    made = coordinator.service.bulks
    with (
        unread(coordinator, BULK, b"", 12),
        Channel(coordinator.address, client_tls(Peer(Role.NODE, "south"))) as other,
        Channel(coordinator.address, client_tls(NODE)) as mine,
    ):
        until(lambda: made["north"] == server.LARGE_CALLS_EACH_MAX)
        for _ in range(20):  # time for the others
            assert len(other.call(BULK, BytesValue()).value) == BULK_BYTES
            assert not refused(mine)
        assert made["north"] == server.LARGE_CALLS_EACH_MAX
    with Channel(coordinator.address, client_tls(NODE)) as mine:
        assert len(mine.call(BULK, BytesValue()).value) == BULK_BYTES


def test_a_call_counts_until_its_reply_has_left(coordinator: Coordinator) -> None:
    """Whoever reads no replies holds as many as whoever sends no requests, over all connections."""
    large = BytesValue(value=bytes(BULK_BYTES)).SerializeToString()
    with Channel(coordinator.address, client_tls(NODE)) as mine:
        with unread(coordinator, ECHO, large, 2 * server.CALLS_EACH_MAX):
            until(lambda: refused(mine))
            assert all(refused(mine) for _ in range(20))
        until(lambda: not refused(mine))


def test_each_method_has_its_own_limit(coordinator: Coordinator) -> None:
    """A request above it is refused before it is parsed, with both numbers."""
    with Channel(coordinator.address, client_tls()) as channel:
        channel.call(SMALL, BytesValue(value=bytes(900)))
        with pytest.raises(MessageInvalid, match=r"1,003 bytes, 1,000 are allowed"):
            channel.call(SMALL, BytesValue(value=bytes(1_000)))


def test_an_ended_certificate_opens_nothing(start: Callable[..., Coordinator]) -> None:
    """TLS cannot know that a certificate was ended, so every call asks; the health check too."""
    ended: set[str] = set()

    async def known(peer: Peer) -> bool:
        return peer.name not in ended

    coordinator = start(known=known)
    with Channel(coordinator.address, client_tls(NODE)) as channel:
        channel.call(WHOAMI, BytesValue())
        channel.call(HEALTH, StringValue())
        ended.add("north")
        with pytest.raises(NotPermitted, match="does not count here any more"):
            channel.call(WHOAMI, BytesValue())
        with pytest.raises(NotPermitted, match="does not count here any more"):
            channel.call(HEALTH, StringValue())


def test_a_call_without_a_message_is_refused(coordinator: Coordinator) -> None:
    """A stream that ends before its only message is answered with an error of ours."""
    with raw_channel(coordinator, NODE) as channel:
        with pytest.raises(grpc.RpcError) as told:
            channel.stream_unary(WHOAMI.path)(iter(()), timeout=10)
        assert told.value.code() is grpc.StatusCode.FAILED_PRECONDITION

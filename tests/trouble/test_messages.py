"""What anybody can throw at the coordinator's port: it stays small and up, and serves others meanwhile."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from real_federation import Running, coordinator_alone, member_tls

from fedstats.errors import FedstatsError
from fedstats.identity.certificates import certificate_to_pem
from fedstats.identity.peer import Peer, Role
from fedstats.wire import methods
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.method import Method
from fedstats.wire.v1 import analysts_pb2

MIB = 2**20
HUGE = bytes(100 * MIB)
LARGE = bytes(33 * MIB)  # just below what the port takes at all
GROWTH_MIB_MAX = 300  # the messages of one test have 1,500 and more together
ANSWER_S_MAX = 10.0
REFUSED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.FAILED_PRECONDITION)  # its size; its role

METHODS: dict[str, Method[Any, Any]] = {
    method.path: method for method in vars(methods).values() if isinstance(method, Method)
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A coordinator's process."""
    with coordinator_alone(tmp_path_factory.mktemp("coordinator")) as made:
        yield made


@pytest.fixture(scope="module")
def attacker(host: Running) -> ClientTls:
    """A member who joined as anybody does."""
    return member_tls(host, Peer(Role.ANALYST, "m.allory"))


@pytest.fixture(scope="module")
def citizen(host: Running) -> Iterator[Channel]:
    """Another member's connection."""
    with Channel(address(host), member_tls(host, Peer(Role.ANALYST, "b.jones"))) as channel:
        yield channel


def address(host: Running) -> str:
    """HOST:PORT of it."""
    name, port = host.address
    return f"{name}:{port}"


def peak_mib(host: Running) -> float:
    """The most memory that the process ever had."""
    status = Path(f"/proc/{host.processes['coordinator'].pid}/status").read_text()
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kib) / 1024


@contextmanager
def others_are_served(host: Running, citizen: Channel) -> Iterator[None]:
    """While the block runs the citizen's calls are answered, in time; memory stays bounded; nothing ends."""
    over, slowest, problems = threading.Event(), [0.0], list[BaseException]()

    def call() -> None:
        while not over.is_set():
            begun = time.monotonic()
            try:
                citizen.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest(), timeout_s=ANSWER_S_MAX)
            except FedstatsError as problem:
                problems.append(problem)
                return
            slowest[0] = max(slowest[0], time.monotonic() - begun)
            over.wait(0.05)

    before = peak_mib(host)
    calling = threading.Thread(target=call)
    calling.start()
    try:
        yield
    finally:
        over.set()
        calling.join()
    assert not problems
    assert slowest[0] < ANSWER_S_MAX
    assert peak_mib(host) - before < GROWTH_MIB_MAX
    assert host.processes["coordinator"].poll() is None


@contextmanager
def raw(host: Running, tls: ClientTls) -> Iterator[grpc.Channel]:
    """A connection without our client's manners."""
    credentials = grpc.ssl_channel_credentials(
        certificate_to_pem(tls.authority_der), tls.key.private_pem(), certificate_to_pem(tls.certificate_der)
    )
    with grpc.secure_channel(address(host), credentials) as channel:
        yield channel


def status_of(channel: grpc.Channel, path: str, message: bytes) -> grpc.StatusCode:
    """How a call with these bytes ends."""
    send: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    try:
        send(message, timeout=60)
    except grpc.RpcError as problem:
        code: grpc.StatusCode = problem.code()
        return code
    return grpc.StatusCode.OK


def test_a_message_of_100_mb_is_refused_by_every_method(
    host: Running, attacker: ClientTls, citizen: Channel
) -> None:
    """Whatever the certificate opens: the size is refused from its announcement, before it is in memory."""
    with others_are_served(host, citizen), raw(host, attacker) as channel:
        for path in METHODS:
            ended = status_of(channel, path, HUGE)
            assert ended in REFUSED, path


def test_a_token_opens_no_large_message(host: Running, citizen: Channel) -> None:
    """Whoever holds a token that nobody used yet is held to the same."""
    token = host.invite(Peer(Role.ANALYST, "to.come"))
    tls = ClientTls(token.ca_certificate_der, token.certificate_der, token.key, token.server_name)
    with others_are_served(host, citizen), raw(host, tls) as channel:
        for path in (methods.JOIN_ANALYST.path, methods.JOIN_NODE.path, methods.SUBMIT.path):
            assert status_of(channel, path, HUGE) in REFUSED
            assert status_of(channel, path, LARGE) in REFUSED


def test_large_messages_at_once_do_not_add_up(host: Running, attacker: ClientTls, citizen: Channel) -> None:
    """Forty-eight of the largest, sixteen at once, to a method that takes small ones: read few at a time."""
    with others_are_served(host, citizen), ThreadPoolExecutor(16) as threads, ExitStack() as open_channels:
        channels = [open_channels.enter_context(raw(host, attacker)) for _ in range(16)]
        path = methods.CATALOGUE.path
        ended = list(threads.map(lambda channel: status_of(channel, path, LARGE), channels * 3))
    assert set(ended) == {grpc.StatusCode.FAILED_PRECONDITION}, "refused by us, with both numbers"


def test_without_a_certificate_nothing_is_read(host: Running, citizen: Channel) -> None:
    """A stranger gets TLS's refusal, and may send what she likes before: 100 MB of it are not kept."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with others_are_served(host, citizen):
        for wrapped in (True, False):
            with (
                suppress(OSError),
                socket.create_connection(host.address, timeout=10) as plain,
                context.wrap_socket(plain) if wrapped else plain as stranger,
            ):
                stranger.sendall(HUGE)


@pytest.mark.parametrize(
    "garbage",
    [
        os.urandom(100_000),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 1_000,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 1_000,  # a TLS greeting that is cut off
        b"\x80" + b"\xff" * 1_000,
    ],
    ids=["random bytes", "a browser without TLS", "HTTP/2 without TLS", "half a greeting", "an old greeting"],
)
def test_garbage_on_the_port_is_cut_off(host: Running, citizen: Channel, garbage: bytes) -> None:
    """What is no TLS ends its own connection and nothing else."""
    with others_are_served(host, citizen), ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(socket.create_connection(host.address, timeout=30))
            with suppress(OSError):
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4_096):
                    pass


def test_garbage_inside_tls_is_a_refusal(host: Running, attacker: ClientTls, citizen: Channel) -> None:
    """A member who sends random bytes to every method gets an error of ours, each time."""
    with others_are_served(host, citizen), raw(host, attacker) as channel:
        for path in METHODS:
            assert status_of(channel, path, os.urandom(10_000)) is grpc.StatusCode.FAILED_PRECONDITION, path
        assert status_of(channel, "/fedstats.wire.v1.Nodes/Nothing", b"") is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.slow
def test_200_connections_that_say_nothing_keep_nobody_out(host: Running, citizen: Channel) -> None:
    """Idle connections, and such as send a letter now and then, are cut off after the handshake's limit."""
    begun = time.monotonic()
    with others_are_served(host, citizen), ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(host.address)) for _ in range(200)]
        with Channel(address(host), member_tls(host, Peer(Role.ANALYST, "late.comer"))) as newcomer:
            newcomer.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest(), timeout_s=ANSWER_S_MAX)
        trickle(idle[:20], until=lambda: is_closed(idle[-1]))
        assert all(is_closed(connection) for connection in idle[20:])
    assert time.monotonic() - begun < 60


def trickle(connections: list[socket.socket], *, until: Callable[[], bool]) -> None:
    """Send a byte of a TLS greeting on each, twice a second."""
    pause = threading.Event()
    for byte in b"\x16\x03\x01\x02\x00" + b"\x01" * 200:
        for connection in connections:
            with suppress(OSError):
                connection.send(bytes([byte]))
        if until():
            return
        pause.wait(0.5)
    raise AssertionError("idle connections are kept for ever")


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end has closed it."""
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True

"""The coordinator's end of the wire: a gRPC server that lets in certificates of its authority only."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from fedstats.errors import (
    ConfigInvalid,
    CoordinatorUnreachable,
    FedstatsError,
    InternalError,
    MessageInvalid,
    NotPermitted,
)
from fedstats.identity.certificates import certificate_from_pem, certificate_to_pem, validity_of
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.tls_key import TlsKey
from fedstats.journal.events import CALL_ENDED, CALL_FAILED
from fedstats.journal.security import LIMIT_HIT, alarm, said_of
from fedstats.wire.method import Method
from fedstats.wire.polls import Polls
from fedstats.wire.trailer import KEY as ERROR_KEY
from fedstats.wire.trailer import trailer_of

REQUEST_BYTES_MAX = 16 * 1024 * 1024
CALLS_MAX = 20_000  # at once, waiting ones included
CALLS_OF_PEOPLE_MAX = 5_000  # of these; the others are kept for nodes
CALLS_EACH_MAX = 16  # of one role and name
LARGE_BYTES = 4 * 1024 * 1024  # what a method may take before its calls are counted apart
LARGE_CALLS_EACH_MAX = 2  # of one name at once with a large message; more wait, so that memory is bounded
WINDOW_BYTES = 2**20  # of one connection, sent and not read yet: at 50 ms that is 20 MB a second
CERTIFICATES_READ_MAX = 10_000  # that are kept as read
STREAMS_MAX = 100  # of one connection
STOP_S = 5.0
HEALTH_BYTES_MAX = 1_000
KEEPALIVE_S = 30

Handler: TypeAlias = Callable[[Any, Peer], Awaitable[Message]]
Clock: TypeAlias = Callable[[], datetime]
Known: TypeAlias = Callable[[Peer], Awaitable[bool]]
Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]


async def _known_by_its_authority(_peer: Peer) -> bool:
    """Every certificate of the authority counts."""
    return True


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What the coordinator proves itself with, and the authority whose certificates it lets in."""

    authority_der: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    key: TlsKey
    chain_pem: bytes = field(default=b"", repr=False)  # in place of the certificate: another authority's,
    key_pem: bytes = field(default=b"", repr=False)  # with its key; callers name that authority as ca_file

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """Key and certificates in PEM form, as the TLS library takes them."""
        if self.chain_pem:
            return self.key_pem, self.chain_pem
        return self.key.private_pem(), certificate_to_pem(self.certificate_der)


class Server:
    """A server that is running; `serve` makes it."""

    def __init__(self, running: grpc.aio.Server, port: int, polls: Polls) -> None:
        """Keep the running server together with what it holds open."""
        self.port = port  # the real one, where the address asked for port 0
        self._running = running
        self._polls = polls

    async def stop(self, grace_s: float = STOP_S) -> None:
        """Take no new calls, end long polls at once, and give the other calls `grace_s` to finish."""
        self._polls.stop()
        await self._running.stop(grace_s)

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        await self._running.wait_for_termination()


async def serve(
    listen: str,
    tls: ServerTls,
    methods: Mapping[Method[Any, Any], Handler],
    *,
    request_bytes_max: int = REQUEST_BYTES_MAX,
    clock: Clock = lambda: datetime.now(UTC),
    known: Known = _known_by_its_authority,
    keepalive_s: int = KEEPALIVE_S,
) -> Server:
    """Start to serve `methods` on `listen` (ADDRESS:PORT; port 0 takes a free one), with mutual TLS only.

    A handler gets the request and the peer of the connection. A FedstatsError it raises reaches the caller as
    the same error; any other exception is logged here and reaches the caller as one fixed sentence. The
    standard health service answers every certificate that is let in: one of the authority that is `known`.

    Raises
    ------
    ConfigInvalid
        The address cannot be listened on, for example because another process does.

    """
    running = grpc.aio.server(
        options=_options(request_bytes_max, keepalive_s), maximum_concurrent_rpcs=CALLS_MAX
    )
    polls = Polls()
    gate = _Gate(clock, known)
    services: dict[str, dict[str, Any]] = defaultdict(dict)
    for method, handler in methods.items():
        door = _Door(method, handler, gate, polls, min(method.request_bytes_max, request_bytes_max))
        services[method.service][method.name] = grpc.stream_unary_rpc_method_handler(door.answer)
    health = _Health(frozenset(_names_of([*services, _HEALTH])), gate)
    services[_HEALTH] = {"Check": grpc.stream_unary_rpc_method_handler(health.answer)}
    running.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, members) for name, members in services.items()]
    )
    credentials = grpc.ssl_server_credentials(
        [tls.pair],
        root_certificates=certificate_to_pem(tls.authority_der),
        require_client_auth=True,
    )
    try:
        port = running.add_secure_port(listen, credentials)
    except RuntimeError:
        raise ConfigInvalid(
            f"Cannot listen on {listen}: another process does, or it is no address here."
        ) from None
    await running.start()
    return Server(running, port, polls)


@dataclass(frozen=True, slots=True)
class _Gate:
    """Who may come in at all, and how many calls of theirs at once; every method is behind it.

    A call counts until its reply has left: one that its caller does not read stays in memory.
    It is passed before the request is read: to the wire a single request is a stream of one message, and a
    handler of streams runs before the message has come.
    """

    clock: Clock
    known: Known
    _open: Counter[tuple[object, ...]] = field(default_factory=Counter)
    _arriving: WeakValueDictionary[tuple[object, ...], asyncio.Semaphore] = field(
        default_factory=WeakValueDictionary
    )
    _turns: WeakValueDictionary[tuple[object, ...], asyncio.Semaphore] = field(
        default_factory=WeakValueDictionary
    )

    @asynccontextmanager
    async def passed(self, context: Context) -> AsyncIterator[Peer]:
        """The peer that TLS has verified, counted among those with open calls until this one is over.

        TLS knows the authority only: whether a certificate still counts is looked up at every call. Until
        that is known its calls are counted apart, so that a stolen one takes no room of its owner's new one.
        """
        peer = _caller(context, self.clock())
        with self._counted((peer.role, peer.name, peer.serial), CALLS_EACH_MAX):
            if not await self.known(peer):
                raise NotPermitted(
                    f"This certificate of the {peer.role.value} {peer.name} does not count here any more.",
                    remedy="Ask whoever hosts the coordinator for a new token, and join again.",
                )
        everybody = CALLS_MAX if peer.role is Role.NODE else CALLS_OF_PEOPLE_MAX
        with ExitStack() as counted:
            counted.enter_context(self._counted((peer.role is Role.NODE,), everybody))
            counted.enter_context(self._counted((peer.role, peer.name), CALLS_EACH_MAX))
            left = counted.pop_all()
            _at_end(context, left.close)
        yield peer

    async def turn(self, context: Context, peer: Peer) -> None:
        """Wait until few large replies of one name are on their way; this call's turn ends with it."""
        turns = self._turns.setdefault((peer.role, peer.name), asyncio.Semaphore(LARGE_CALLS_EACH_MAX))
        await turns.acquire()
        _at_end(context, turns.release)

    async def arrived(self, context: Context, peer: Peer, *, wait_s: float, bytes_max: int) -> bytes:
        """The one message of a call to a method that takes small ones.

        How large it is is known when it is there, and the port takes what its largest method takes: so only
        a few of one name come at once.
        """
        key = (peer.role, peer.name)
        async with self._arriving.setdefault(key, asyncio.Semaphore(LARGE_CALLS_EACH_MAX)):
            return await _arrived(context, wait_s=wait_s, bytes_max=bytes_max)

    @contextmanager
    def _counted(self, what: tuple[object, ...], most: int) -> Iterator[None]:
        if self._open[what] >= most:
            LIMIT_HIT(code=CoordinatorUnreachable.code)
            raise CoordinatorUnreachable(
                f"{most:,} calls like this one are open at once, which is the most.",
                remedy="Wait until some of them have ended.",
            )
        self._open[what] += 1
        try:
            yield
        finally:
            self._open[what] -= 1
            if not self._open[what]:
                del self._open[what]


@dataclass(frozen=True, slots=True)
class _Door:
    """One method as callers meet it: who are you, may you, what do you say; then the handler."""

    method: Method[Any, Any]
    handler: Handler
    gate: _Gate
    polls: Polls
    request_bytes_max: int
    _turns: WeakValueDictionary[str, asyncio.Semaphore] = field(default_factory=WeakValueDictionary)

    async def answer(self, _arriving: AsyncIterator[bytes], context: Context) -> bytes:
        begun_s = time.monotonic()
        try:
            async with self.gate.passed(context) as peer:
                reply = await self._answer(context, peer)
                CALL_ENDED(method=self.method.path, took_s=time.monotonic() - begun_s)
                return reply
        except FedstatsError as error:
            refusal = error
            alarm(error, method=self.method.path, **_said_of(context))
        except Exception as problem:  # noqa: BLE001 # every bug ends here; the caller learns nothing of it
            CALL_FAILED(method=self.method.path, problem=problem, places=problem)
            refusal = InternalError(f"The coordinator failed at {self.method.name}; its log says why.")
        CALL_ENDED(method=self.method.path, code=refusal.code, took_s=time.monotonic() - begun_s)
        return await _refuse(context, refusal)

    async def _answer(self, context: Context, peer: Peer) -> bytes:
        if peer.role not in self.method.roles:
            raise NotPermitted(
                f"A certificate for the role {peer.role.value} does not open {self.method.name}."
            )
        wait_s, bytes_max = self.method.timeout_s, self.request_bytes_max
        if self.method.large_reply:
            await self.gate.turn(context, peer)
        if bytes_max <= LARGE_BYTES:
            raw = await self.gate.arrived(context, peer, wait_s=wait_s, bytes_max=bytes_max)
            return await self._handled(raw, peer)
        async with self._turns.setdefault(peer.name, asyncio.Semaphore(LARGE_CALLS_EACH_MAX)):
            return await self._handled(await _arrived(context, wait_s=wait_s, bytes_max=bytes_max), peer)

    async def _handled(self, raw: bytes, peer: Peer) -> bytes:
        try:
            request = self.method.request.FromString(raw)
        except DecodeError:
            raise MessageInvalid(f"The request to {self.method.name} cannot be read.") from None
        if self.method.long_poll and self.polls.stopping:
            raise CoordinatorUnreachable("The coordinator is stopping.")
        work = self.handler(request, peer)
        reply = await (self.polls.unless_stopping(work) if self.method.long_poll else work)
        return reply.SerializeToString()


def _at_end(context: Context, do: Callable[[], None]) -> None:
    """Do something when the call is over: its reply has left, or its caller has gone."""
    context.add_done_callback(lambda _: do())  # type: ignore[arg-type]  # the stubs want a class of their own


def _said_of(context: Context) -> dict[str, object]:
    """What may be logged of a caller, whether or not it was let in."""
    try:
        (pem,) = context.auth_context()["x509_pem_cert"]
        return said_of(peer_of(certificate_from_pem(pem)))
    except (FedstatsError, ValueError, KeyError):
        return {}


def _caller(context: Context, now: datetime) -> Peer:
    """The peer that TLS has verified. TLS looks at dates when a connection opens; this, at every call."""
    (pem,) = context.auth_context()["x509_pem_cert"]
    peer, not_after = _read(pem)
    if now >= not_after:
        raise NotPermitted("Your certificate has expired since this connection was opened. Open a new one.")
    return peer


@lru_cache(maxsize=CERTIFICATES_READ_MAX)
def _read(pem: bytes) -> tuple[Peer, datetime]:
    """Whose certificate it is, and when it ends: read once for all calls of a connection."""
    certificate_der = certificate_from_pem(pem)
    return peer_of(certificate_der), validity_of(certificate_der).not_after


async def _arrived(context: Context, *, wait_s: float, bytes_max: int) -> bytes:
    """The one message of a call. One that is too large is let go before anything else waits.

    It is read from the context: gRPC's iterator over messages, left before its end, keeps the last one until
    Python's collector of cycles comes by, and a few dozen large ones would fill the memory.
    """
    try:
        async with asyncio.timeout(wait_s):
            raw = await context.read()
    except TimeoutError:
        raise MessageInvalid("The request did not arrive in time.") from None
    if not isinstance(raw, bytes):
        raise MessageInvalid("The call has no request.")
    size = len(raw)
    if size <= bytes_max:
        return raw
    del raw  # an error holds its frames, and they what is in them
    raise MessageInvalid(f"The request is too large: {size:,} bytes, {bytes_max:,} are allowed.")


async def _refuse(context: Context, refusal: FedstatsError) -> bytes:
    """End a call. The status only says that there is an error; the trailer is the error. `abort` raises."""
    trailers = ((ERROR_KEY, trailer_of(refusal)),)
    return await context.abort(grpc.StatusCode.FAILED_PRECONDITION, refusal.code, trailers)


_HEALTH = "grpc.health.v1.Health"
_SERVING = (
    b"\x08\x01"  # HealthCheckResponse{status: SERVING}; its package would cost a dependency for two bytes
)


def _names_of(services: list[str]) -> Iterator[bytes]:
    """HealthCheckRequest{service} for each name (all below 128 bytes), and for the whole server."""
    field_1 = b"\x0a"
    yield from (b"", field_1 + b"\0")
    yield from (field_1 + bytes([len(name)]) + name.encode() for name in services)


@dataclass(frozen=True, slots=True)
class _Health:
    """The standard health check: the server serves if it answers, and knows its services by name."""

    names: frozenset[bytes]
    gate: _Gate

    async def answer(self, _arriving: AsyncIterator[bytes], context: Context) -> bytes:
        try:
            async with self.gate.passed(context) as peer:
                asked = await self.gate.arrived(context, peer, wait_s=STOP_S, bytes_max=HEALTH_BYTES_MAX)
                if asked in self.names:
                    return _SERVING
        except FedstatsError as refusal:
            return await _refuse(context, refusal)
        return await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")


def _options(request_bytes_max: int, keepalive_s: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", request_bytes_max),
        ("grpc.max_concurrent_streams", STREAMS_MAX),
        ("grpc.http2.bdp_probe", 0),  # or each connection could grow a window of 16 MB, filled by who likes
        ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ("grpc.so_reuseport", 0),  # a second coordinator on this port must fail, not share its calls
        ("grpc.keepalive_time_ms", keepalive_s * 1_000),  # finds nodes that vanished without closing
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 9_000),  # channels ping every 10 s or less often
        ("grpc.server_handshake_timeout_ms", 20_000),
    ]

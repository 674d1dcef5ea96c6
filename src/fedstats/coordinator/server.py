"""The coordinator on the network: an asynchronous shell around the synchronous services.

Thousands of nodes wait at once, each as one suspended task that costs a few kilobytes. All work on the store
runs in one thread, so the services need no locks, and a slow disk never stops the event loop.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, ParamSpec, TypeVar

from fedstats.coordinator.authority import server_tls
from fedstats.coordinator.config import Config
from fedstats.coordinator.desk import Poll
from fedstats.coordinator.service import Coordinator
from fedstats.coordinator.store import Store
from fedstats.identity.certificates import Authority
from fedstats.identity.peer import Peer
from fedstats.journal.events import CLOCK_WORK_FAILED, COORDINATOR_STOPPING
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import POLL_S_MAX
from fedstats.wire.server import Handler, serve

TICK_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")


def run(
    config: Config,
    store: Store,
    authority: Authority,
    *,
    on_listening: Callable[[int], None],
    now: Callable[[], float] = time.time,
) -> None:
    """Serve until SIGTERM or SIGINT; `on_listening` is told the port once calls are taken.

    Raises
    ------
    ConfigInvalid
        The address cannot be listened on.

    """
    asyncio.run(_serve(config, store, authority, on_listening, now))


async def _serve(
    config: Config,
    store: Store,
    authority: Authority,
    on_listening: Callable[[int], None],
    now: Callable[[], float],
) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as worker:
        waiting = Waiting(loop)
        coordinator = Coordinator.of(store, authority, now=now, limits=config.limits, ring=waiting.ring)
        shell = Shell(coordinator, worker, waiting)
        server = await serve(
            config.listen,
            server_tls(authority, config.certificate_hosts, now=datetime.fromtimestamp(now(), UTC)),
            shell.handlers(),
            request_bytes_max=config.limits.request_bytes_max,
            clock=lambda: datetime.fromtimestamp(now(), UTC),
            known=shell.knows,
        )
        ticking = asyncio.create_task(shell.tick())
        on_listening(server.port)
        try:
            await told_to_stop.wait()
        finally:
            COORDINATOR_STOPPING()
            ticking.cancel()
            await server.stop()
            with suppress(asyncio.CancelledError):
                await ticking


@dataclass(frozen=True, slots=True, eq=False)
class Bell:
    """What one waiting call hears: `rung`, something changed; `over`, the wait is over as well."""

    rung: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits for what, on one event loop."""

    loop: asyncio.AbstractEventLoop
    _bells: dict[str, set[Bell]] = field(default_factory=lambda: defaultdict(set))
    _ends: dict[str, set[Bell]] = field(default_factory=lambda: defaultdict(set))

    def ring(self, topic: str) -> None:
        """Wake whoever waits for a topic; may be called from every thread."""
        self.loop.call_soon_threadsafe(self._ring, topic)

    def add(self, bell: Bell, topics: tuple[str, ...], ends: tuple[str, ...]) -> None:
        """Let a bell hear these topics."""
        for topic in topics:
            self._bells[topic].add(bell)
        for topic in ends:
            self._ends[topic].add(bell)

    def remove(self, bell: Bell, topics: tuple[str, ...], ends: tuple[str, ...]) -> None:
        """Let it hear them no longer; a topic that nobody waits for is forgotten."""
        for bells, heard in ((self._bells, topics), (self._ends, ends)):
            for topic in heard:
                bells[topic].discard(bell)
                if not bells[topic]:
                    del bells[topic]

    def _ring(self, topic: str) -> None:
        for bell in self._bells.get(topic, ()):
            bell.rung.set()
        for bell in self._ends.get(topic, ()):
            bell.over.set()
            bell.rung.set()


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs the services in one thread, and holds long polls open on the event loop."""

    coordinator: Coordinator
    worker: ThreadPoolExecutor
    waiting: Waiting

    def handlers(self) -> dict[Method[Any, Any], Handler]:
        """What `wire.server` serves."""
        answers = {method: self._answering(answer) for method, answer in self.coordinator.answers.items()}
        polls = {method: Polling(self, poll).answer for method, poll in self.coordinator.polls.items()}
        return {**answers, **polls}

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something in the thread that works on the store.

        The call may be cancelled while it waits; what has begun is finished, and its transaction is whole.
        """
        return await self.waiting.loop.run_in_executor(self.worker, lambda: function(*args, **kwargs))

    async def knows(self, peer: Peer) -> bool:
        """Whether the peer's certificate is one that still counts."""
        return await self.work(self.coordinator.admission.members.knows, peer)

    async def tick(self) -> None:
        """Let the services notice the passing of time, for ever."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.work(self.coordinator.tick)
            except Exception as problem:  # noqa: BLE001 # whatever its work met, the clock goes on
                CLOCK_WORK_FAILED(problem=problem, places=problem)

    def _answering(self, answer: Callable[[Any, Peer], Any]) -> Handler:
        def begin(request: Any, peer: Peer) -> Awaitable[Any]:  # noqa: ANN401 # any request of the wire
            return self.work(answer, request, peer)

        return begin


@dataclass(frozen=True, slots=True)
class Polling(Generic[Request, Reply]):
    """One method that may wait, as a handler."""

    shell: Shell
    poll: Poll[Request, Reply]

    async def answer(self, request: Request, peer: Peer) -> Reply:
        """Reply as soon as there is something to say, and after the asked time at the latest."""
        shell, poll, bell = self.shell, self.poll, Bell()
        topics, ends = poll.topics(request, peer), poll.ends(peer)
        until = shell.waiting.loop.time() + min(poll.wait_s(request), POLL_S_MAX)
        shell.waiting.add(bell, topics, ends)  # before the first look, so that no change is missed
        try:
            await shell.work(poll.arrive, request, peer)
            while not bell.over.is_set():
                bell.rung.clear()
                reply = await shell.work(poll.look, request, peer)
                if reply is not None:
                    return reply
                try:
                    async with asyncio.timeout_at(until):
                        await bell.rung.wait()
                except TimeoutError:
                    break
            return await shell.work(poll.idle, request, peer)
        finally:
            shell.waiting.remove(bell, topics, ends)

"""The coordinator on the network: an asynchronous shell around the synchronous services.

Thousands of nodes wait at once, each as one suspended task that costs a few kilobytes. All work on the store
runs in one thread (`store_thread.py`).
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic

from fedstats.coordinator.authority import configured_tls
from fedstats.coordinator.config import Config
from fedstats.coordinator.desk import Poll
from fedstats.coordinator.service import Coordinator
from fedstats.coordinator.store import Store
from fedstats.coordinator.store_thread import StoreThread
from fedstats.identity.certificates import Authority
from fedstats.identity.keys import SigningKey
from fedstats.identity.peer import Peer
from fedstats.journal.events import CLOCK_WORK_FAILED, COORDINATOR_STOPPING
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import POLL_S_MAX
from fedstats.wire.server import Handler, serve

TICK_S = 1.0
GARBAGE_THRESHOLDS = (20_000, 20, 20)
"""When Python looks for cycles: by its own 700, a thousand waiting calls were walked through all the time."""


def run(
    config: Config,
    store: Store,
    authority: Authority,
    key: SigningKey,
    *,
    on_listening: Callable[[int], None],
    now: Callable[[], float] = time.time,
) -> None:
    """Serve until SIGTERM or SIGINT; `on_listening` is told the port once calls are taken.

    `key` signs the heads of the register.

    Raises
    ------
    ConfigInvalid
        The address cannot be listened on.

    """
    gc.collect()
    gc.freeze()  # what was imported stays
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    asyncio.run(_serve(config, store, authority, key, on_listening, now))


async def _serve(
    config: Config,
    store: Store,
    authority: Authority,
    key: SigningKey,
    on_listening: Callable[[int], None],
    now: Callable[[], float],
) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    waiting = Waiting()
    worker = StoreThread(loop, store.file, waiting.ring)
    with closing(worker):
        coordinator = Coordinator.of(
            store, authority, key=key, now=now, limits=config.limits, ring=worker.ring
        )
        shell = Shell(coordinator, worker, waiting, loop)
        server = await serve(
            config.listen,
            configured_tls(authority, config, now=datetime.fromtimestamp(now(), UTC)),
            shell.handlers(),
            request_bytes_max=config.limits.request_bytes_max,
            clock=lambda: datetime.fromtimestamp(now(), UTC),
            known=shell.knows,
            keepalive_s=config.keepalive_s,
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


@dataclass(slots=True, eq=False)
class Bell:
    """What a waiting call hears: `rung`, something changed; `hurry`, say so at once; `over`, wait no more."""

    rung: bool = False
    hurry: bool = False
    over: bool = False
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # after any of them

    def ring(self, *, hurry: bool = False, over: bool = False) -> None:
        """Something changed."""
        self.rung = True
        self.hurry |= hurry
        self.over |= over
        self.stirred.set()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits for what. Used on the event loop only."""

    _bells: dict[str, set[Bell]] = field(default_factory=lambda: defaultdict(set))
    _hurried: dict[str, set[Bell]] = field(default_factory=lambda: defaultdict(set))
    _ends: dict[str, set[Bell]] = field(default_factory=lambda: defaultdict(set))

    def ring(self, topic: str) -> None:
        """Wake whoever waits for a topic."""
        for bell in self._bells.get(topic, ()):
            bell.ring()
        for bell in self._hurried.get(topic, ()):
            bell.ring(hurry=True)
        for bell in self._ends.get(topic, ()):
            bell.ring(over=True)

    @contextmanager
    def heard(self, poll: Poll[Any, Any], request: Any, peer: Peer) -> Iterator[Bell]:  # noqa: ANN401 # any request of the wire
        """A bell that hears what this call waits for, from now on; earlier calls of its line are over."""
        bell, line = Bell(), poll.line(request, peer)
        if line:
            self.ring(_line(line))
        wanted = (
            (self._bells, poll.topics(request, peer)),
            (self._hurried, poll.hurry(request, peer)),
            (self._ends, (*poll.ends(peer), *((_line(line),) if line else ()))),
        )
        for bells, topics in wanted:
            for topic in topics:
                bells[topic].add(bell)
        try:
            yield bell
        finally:
            for bells, topics in wanted:
                for topic in topics:
                    bells[topic].discard(bell)
                    if not bells[topic]:  # a topic that nobody waits for is forgotten
                        del bells[topic]


def _line(name: str) -> str:
    return f"line {name}"


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs the services in one thread, and holds long polls open on the event loop."""

    coordinator: Coordinator
    worker: StoreThread
    waiting: Waiting
    loop: asyncio.AbstractEventLoop

    def handlers(self) -> dict[Method[Any, Any], Handler]:
        """What `wire.server` serves."""
        answers = {method: self._answering(answer) for method, answer in self.coordinator.answers.items()}
        polls = {method: Polling(self, poll).answer for method, poll in self.coordinator.polls.items()}
        return {**answers, **polls}

    async def knows(self, peer: Peer) -> bool:
        """Whether the peer's certificate is one that still counts."""
        return await self.worker.work(self.coordinator.admission.members.knows, peer)

    async def tick(self) -> None:
        """Let the services notice the passing of time, for ever."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.worker.work(self.coordinator.tick)
            except Exception as problem:  # noqa: BLE001 # whatever its work met, the clock goes on
                CLOCK_WORK_FAILED(problem=problem, places=problem)

    def _answering(self, answer: Callable[[Any, Peer], Any]) -> Handler:
        def begin(request: Any, peer: Peer) -> Awaitable[Any]:  # noqa: ANN401 # any request of the wire
            return self.worker.work(answer, request, peer)

        return begin


@dataclass(frozen=True, slots=True)
class Polling(Generic[Request, Reply]):
    """One method that may wait, as a handler."""

    shell: Shell
    poll: Poll[Request, Reply]

    async def answer(self, request: Request, peer: Peer) -> Reply:
        """Reply as soon as there is something to say, and after the asked time at the latest.

        The bell hears from before the first look, and is silenced before each look, never after one: a change
        that comes at any moment is seen by that look, or rings.
        """
        shell, poll = self.shell, self.poll
        began_s = shell.loop.time()
        until_s = began_s + min(poll.wait_s(request), POLL_S_MAX)
        with shell.waiting.heard(poll, request, peer) as bell:
            quiet, reply = await shell.worker.work(poll.begin, request, peer)
            bell.rung |= bool(poll.settle_s)  # such a poll may have begun without a look
            while reply is None and await self._rung(bell, until_s, began_s + poll.settle_s):
                reply = await shell.worker.work(poll.look, request, peer)
            if reply is not None:
                return reply
            if quiet is not None and not bell.over:
                poll.refresh(quiet)
                return quiet  # needs no store: a slow disk delays no reply that was promised for a time
            return await shell.worker.work(poll.idle, request, peer)

    async def _rung(self, bell: Bell, until_s: float, settled_s: float) -> bool:
        """Wait until it is time to look again (True), or the wait is over."""
        loop = self.shell.loop
        while not bell.over:
            now_s = loop.time()
            if bell.rung and (bell.hurry or now_s >= settled_s):
                bell.rung = False
                return True
            if now_s >= until_s:
                break
            bell.stirred.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(settled_s, until_s) if bell.rung else until_s):
                    await bell.stirred.wait()
        return False

"""The one thread that works on the store: what waits for it at a moment is done in one durable transaction.

A commit waits for the disk, which takes milliseconds, and a thousand nodes that answer at once need a
thousand changes. So each turn takes what is waiting, does it in order, commits once, and only then lets
replies go and bells ring: nothing is said that a power cut could take back. Services need no locks, and a
slow disk never stops the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any, ParamSpec, TypeVar, cast

from fedstats.coordinator.store_file import StoreFile
from fedstats.journal.events import TURN_FAILED

TURN_S = 0.02  # then what was done is committed, whatever still waits
TURN_JOBS_MAX = 500

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class _Job:
    work: Callable[[], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class StoreThread:
    """Does jobs in the order they came. `ring` is for the jobs: it holds a topic back until it is durable."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: StoreFile, ring: Callable[[str], None]) -> None:
        """Start the thread; `ring` of the event loop hears each topic once for each turn."""
        self._loop = loop
        self._file = file
        self._ring = ring
        self._rung: dict[str, None] = {}
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something in the thread; on return it is durable.

        The call may be cancelled while it waits; what has begun is finished, and its transaction is whole.
        """
        future = self._loop.create_future()
        self._jobs.put(_Job(lambda: function(*args, **kwargs), future))
        return cast("T", await future)

    def ring(self, topic: str) -> None:
        """Something changed: whoever waits for this topic hears it after the commit. For jobs only."""
        self._rung[topic] = None

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            done, is_last = self._turn(first)
            rung, self._rung = tuple(self._rung), {}
            self._loop.call_soon_threadsafe(_tell, done, self._ring, rung)
            if is_last:
                return

    def _turn(self, first: _Job) -> tuple[list[_Job], bool]:
        """Do what waits, together; and whether the thread was told to end."""
        done: list[_Job] = []
        job: _Job | None = first
        until_s = perf_counter() + TURN_S
        with _failing_together(done, self._rung), self._file.together():
            while job is not None:
                done.append(job)
                if not job.future.cancelled():
                    _do(job)
                if len(done) >= TURN_JOBS_MAX or perf_counter() >= until_s:
                    break
                try:
                    job = self._jobs.get_nowait()
                except Empty:
                    break
        return done, job is None


def _do(job: _Job) -> None:
    try:
        job.result = job.work()
    except BaseException as error:  # noqa: BLE001 # it belongs to whoever asked
        job.error = error


@contextmanager
def _failing_together(done: list[_Job], rung: dict[str, None]) -> Iterator[None]:
    """If the commit fails, nothing of the turn happened, and nobody is told that anything did."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 # each of them hears it
        TURN_FAILED(problem=error, calls=len(done))
        rung.clear()
        for job in done:
            job.error = job.error or error


def _tell(done: list[_Job], ring: Callable[[str], None], rung: tuple[str, ...]) -> None:
    """On the event loop: wake those who wait, and let the replies go."""
    for topic in rung:
        ring(topic)
    for job in done:
        if job.future.cancelled():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)

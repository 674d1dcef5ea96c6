"""The daemon: one thread that asks for work, a few that do it, and one that sends each reply when it is due.

The node only ever connects outwards. While the coordinator is away it keeps asking, at random moments a few
seconds apart (`wire/back_off.py`), so that it is back soon and a thousand nodes do not come back at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Semaphore, Thread

from fedstats.errors import FedstatsError, MessageInvalid, NetworkError, NotFound, NotPermitted
from fedstats.journal.events import (
    ANSWER_NOT_SENT,
    ANSWER_NOT_TAKEN,
    NODE_STOPPING,
    POLL_FAILED,
    WORK_MISSED,
    WORK_RESUMED,
    WORKER_FAILED,
)
from fedstats.journal.security import alarm
from fedstats.node.service import Node, is_ready
from fedstats.wire.back_off import BackOff, random_fraction
from fedstats.wire.methods import POLL_S_MAX
from fedstats.wire.v1 import nodes_pb2

SENDERS = 4  # so many replies that are due are sent at the same time
REPORTS_MAX = 64  # tries to send one answer, some two minutes; later it goes when the task is offered again


@dataclass(slots=True)
class Agent:
    """Runs a node until `stop` is set; `before_lease` is called before each time it asks for work."""

    node: Node
    stop: Event = field(default_factory=Event)
    before_lease: Callable[[], None] = lambda: None
    fraction: Callable[[], float] = random_fraction

    def run(self, close: Callable[[], None]) -> None:
        """Work until `stop` is set; finish what is running, with its report; then `close` the connection."""
        tasks_max, worked = self.node.config.tasks_max, Event()
        replying = Thread(target=self._reply, args=(worked,), name="reply", daemon=True)
        replying.start()
        with ThreadPoolExecutor(tasks_max, thread_name_prefix="task") as workers:
            asking = Thread(target=self._ask, args=(workers, Semaphore(tasks_max)), name="lease", daemon=True)
            asking.start()
            self.stop.wait()
            NODE_STOPPING()
        worked.set()
        self.node.runner.punctual.wake()
        replying.join()
        close()  # ends the long poll
        asking.join()

    def stop_soon(self) -> None:
        """Set `stop` from a signal's handler.

        The handler runs in the main thread, which may hold the event's own lock at that moment, on its way
        into waiting: setting it there would wait for itself for ever, and the node would work on.
        """
        Thread(target=self.stop.set, name="stop", daemon=True).start()

    def _ask(self, workers: ThreadPoolExecutor, free: Semaphore) -> None:
        back_off = BackOff(self.fraction)
        while True:
            free.acquire()
            task = self._lease(back_off)
            if task is None:
                free.release()
            elif not self.stop.is_set():
                with suppress(RuntimeError):  # the workers were dismissed this very moment
                    workers.submit(self._work, task).add_done_callback(lambda _: free.release())
            if self.stop.is_set():  # a task that came meanwhile is offered again when its lease ends
                return

    def _lease(self, back_off: BackOff) -> nodes_pb2.Task | None:
        if self.stop.is_set():
            return None
        try:
            self.before_lease()
            task = self.node.lease(POLL_S_MAX)
        except Exception as problem:  # noqa: BLE001 # whatever it was, a daemon asks again
            if not self.stop.is_set():
                wait_s = back_off.after_failure(problem)
                POLL_FAILED(problem=problem)  # each, for metrics; a word for people only now and then
                if back_off.worth_a_word:
                    WORK_MISSED(problem=problem, again_in_s=wait_s)
                if isinstance(problem, FedstatsError):
                    alarm(problem)
                self.stop.wait(wait_s)
            return None
        if back_off.failures:
            WORK_RESUMED(failures=back_off.failures)
        back_off.after_success()
        return task

    def _work(self, task: nodes_pb2.Task) -> None:
        """Run one task and send its answer, unless that is due later; a worker never ends with an error.

        It takes the next task only when everybody may know that this one is over.
        """
        try:
            report = self.node.runner.run(task)
        except Exception as problem:  # noqa: BLE001 # a worker that ended would be missed by nobody
            WORKER_FAILED(problem=problem, places=problem)
            self.node.done(task)
            return
        if is_ready(report):
            self._send(task, report)
        self.node.runner.punctual.rest()

    def _reply(self, worked: Event) -> None:
        """Send what is due, until the workers have ended and nothing waits."""
        punctual = self.node.runner.punctual
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="send") as senders:
            while not (worked.is_set() and punctual.next_s() is None):
                punctual.wait(until=worked.is_set)
                for task, report in self.node.runner.due():
                    senders.submit(self._send, task, report)

    def _send(self, task: nodes_pb2.Task, report: nodes_pb2.ReportRequest) -> None:
        """Send one answer, again where the network fails."""
        back_off = BackOff(self.fraction)
        try:
            for _ in range(REPORTS_MAX):
                if self._sent(task, report, back_off):
                    return
        except Exception as problem:  # noqa: BLE001 # as above
            WORKER_FAILED(problem=problem, places=problem)
        finally:
            self.node.done(task)

    def _sent(self, task: nodes_pb2.Task, report: nodes_pb2.ReportRequest, back_off: BackOff) -> bool:
        """Whether nothing more is to be done about this answer for now."""
        try:
            self.node.report(task, report)
        except (NotFound, NotPermitted, MessageInvalid) as problem:
            ANSWER_NOT_TAKEN(problem=problem)
        except NetworkError as problem:
            wait_s = back_off.after_failure(problem)
            if back_off.worth_a_word:
                ANSWER_NOT_SENT(problem=problem)
            return self.stop.wait(wait_s)
        return True

"""When replies leave: at deadlines that follow from public facts, so that no clock tells what the data cost.

A question that has to be computed is begun at some time t, and has a period d from node.toml and the public
size of what is asked. While its answer is not there, replies about it leave at t + d, t + 2d, ... and at no
other time: at each either the release, where it was recorded by then, or one fixed refusal. Who asks the same
meanwhile joins: a recorded release that answered at once before its time would tell when it was recorded. So
all that the clock tells is in which period the work ended, and with a period that suits the data, not even
that. From then on the recorded release answers at once: that it is recorded was told by then.

Until then nothing else may change that others see. So a release is recorded only when its outcome may be
known, as the witness of the ledger, which leaves with every report, says how long the ledger is; and its
worker rests, as the next question, which it would begin, has deadlines that tell when that was.

What is refused before the charge is decided by public facts and the ledger alone, and leaves at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from threading import Condition, get_ident
from time import monotonic
from typing import Generic, TypeVar

from fedstats.core.schema import Dataset
from fedstats.errors import Refused, ReplyLate

ROWS_PER_PERIOD = 10_000_000
INTEGERS_PER_PERIOD = 500_000

Reply = TypeVar("Reply")
"""What the caller needs to make a reply of an outcome."""


def period_s(reply_deadline_s: int, dataset: Dataset, integers: int) -> int:
    """How long replies to a question of so many `integers` take: from public facts alone; 0: no deadline.

    One `reply_deadline_s` for each ten million rows, begun, that the dataset can have here by its definition,
    and one more for each half a million integers in the answer.
    """
    rows = min(dataset.people_max, dataset.people_about) * dataset.rows_max
    return reply_deadline_s * (max(1, ceil(rows / ROWS_PER_PERIOD)) + integers // INTEGERS_PER_PERIOD)


@dataclass(slots=True)
class _Work(Generic[Reply]):
    """A computation that was begun; `over_s` is from when on its outcome may be known, None while it runs.

    `settle` is called then, once, before anybody is told; `worker` is the thread that began it.
    """

    begun_s: float
    period_s: int
    worker: int
    waiting: list[tuple[float, Reply]] = field(default_factory=list)
    over_s: float | None = None
    refusal: Refused | None = None
    settle: Callable[[], None] = lambda: None

    def next_s(self, now_s: float) -> float:
        """The first multiple of the period after now."""
        return self.begun_s + self.period_s * (int((now_s - self.begun_s) // self.period_s) + 1)

    def first_s(self, now_s: float) -> float:
        """The first multiple of the period that is not before now."""
        return self.begun_s + self.period_s * max(1, ceil((now_s - self.begun_s) / self.period_s))


class Punctual(Generic[Reply]):
    """The replies that wait for their deadline, for all threads of a node.

    `turn` is held by whoever looks whether a question is answered, running or new, and begins it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Nothing waits yet; `now` in seconds since 1970."""
        self.turn = Condition()
        self._now = now
        self._running: dict[bytes, _Work[Reply]] = {}
        self._decided: list[tuple[float, Reply, Refused | None]] = []

    def joins(self, record: bytes, reply: Reply) -> bool:
        """Whether this computation's outcome is not to be known yet: then the reply waits with the others."""
        with self.turn:
            now_s = self._now()
            self._settle(now_s)
            work = self._running.get(record)
            if work is None:
                return False
            if work.over_s is None:
                work.waiting.append((work.next_s(now_s), reply))
            else:
                self._decided.append((work.over_s, reply, work.refusal))
            self.turn.notify_all()
            return True

    def begin(self, record: bytes, reply: Reply, *, begun_s: float, period_s: int) -> bool:
        """Note a computation that was just charged; False where it has no deadline, and answers at once."""
        if period_s == 0:
            return False
        with self.turn:
            waiting = [(begun_s + period_s, reply)]
            self._running[record] = _Work(begun_s, period_s, get_ident(), waiting)
            self.turn.notify_all()
        return True

    def finish(self, record: bytes, outcome: Refused | Callable[[], None]) -> None:
        """The computation is over: it failed with this refusal, or this will record its release.

        Recording raises nothing; a release that is not found afterwards failed to be recorded.
        """
        with self.turn:
            work, refusal = self._running[record], outcome if isinstance(outcome, Refused) else None
            if not isinstance(outcome, Refused):
                work.settle = outcome
            work.over_s, work.refusal = work.first_s(self._now()), refusal
            for due_s, reply in work.waiting:
                self._decided.append((due_s, reply, refusal if due_s >= work.over_s else ReplyLate()))
            work.waiting.clear()
            self.turn.notify_all()

    def due(self) -> list[tuple[Reply, Refused | None]]:
        """The replies whose deadline has come, each once: the recorded release (None), or a refusal."""
        with self.turn:
            now_s = self._now()
            self._settle(now_s)
            for work in self._running.values():
                late = [entry for entry in work.waiting if entry[0] <= now_s]
                self._decided += [(due_s, reply, ReplyLate()) for due_s, reply in late]
                work.waiting = [entry for entry in work.waiting if entry[0] > now_s]
            found = sorted((entry for entry in self._decided if entry[0] <= now_s), key=lambda e: e[0])
            self._decided = [entry for entry in self._decided if entry[0] > now_s]
        return [(reply, refusal) for _, reply, refusal in found]

    def next_s(self) -> float | None:
        """When the next reply or outcome is due, in seconds since 1970; None if none waits."""
        with self.turn:
            waiting = [due_s for work in self._running.values() for due_s, _ in work.waiting]
            over = [work.over_s for work in self._running.values() if work.over_s is not None]
            return min([*waiting, *over, *(due_s for due_s, _, _ in self._decided)], default=None)

    def rest(self) -> None:
        """Return when the outcome of what this thread began may be known: until then it looks busy.

        However the clock is set meanwhile, it rests no longer than it looked at first.
        """
        with self.turn:
            over_s, began_s = self._mine_over_s(), monotonic()
            left_s = 0.0 if over_s is None else over_s - self._now()
            while self._mine_over_s() is not None and monotonic() - began_s < left_s:
                self.turn.wait(left_s - (monotonic() - began_s))
                self._settle(self._now())

    def wait(self, until: Callable[[], bool]) -> None:
        """Return when a reply is due, when something changed, or when `until` holds and nothing waits."""
        with self.turn:
            next_s = self.next_s()
            if next_s is not None:
                self.turn.wait(max(0.0, next_s - self._now()))
            elif not until():
                self.turn.wait()

    def wake(self) -> None:
        """Let `wait` return."""
        with self.turn:
            self.turn.notify_all()

    def _mine_over_s(self) -> float | None:
        mine = (work.over_s for work in self._running.values() if work.worker == get_ident())
        return min((over_s for over_s in mine if over_s is not None), default=None)

    def _settle(self, now_s: float) -> None:
        """Record what may be known by now, and look no longer at what ran."""
        over = [record for record, w in self._running.items() if w.over_s is not None and w.over_s <= now_s]
        for record in over:
            self._running.pop(record).settle()
        if over:
            self.turn.notify_all()

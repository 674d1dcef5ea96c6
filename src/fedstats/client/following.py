"""Following a round: polling the coordinator until every department answered, or the time is up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from fedstats.client.printable import printable
from fedstats.core.query import RoundOrder
from fedstats.core.times import SECONDS_MAX, minute_of
from fedstats.errors import CoordinatorUnreachable, NoReplyInTime
from fedstats.wire.back_off import BackOff, random_fraction
from fedstats.wire.method import Transport
from fedstats.wire.methods import POLL_S_MAX, WATCH
from fedstats.wire.v1 import analysts_pb2

log = logging.getLogger("fedstats.client")

PAUSE_S_MIN = (
    0.5  # between polls that came back without news, should a coordinator not wait as it was asked to
)
PAUSE_S_MAX = 30.0
SENTENCE_CHARACTERS_MAX = 300
NAMED_MAX = 10

APPROVAL = "waits for approval"
"""The state of a department where a person is to decide."""

STATES = {
    analysts_pb2.TASK_STATE_OFFERED: "offered",
    analysts_pb2.TASK_STATE_LEASED: "computing",
    analysts_pb2.TASK_STATE_WAITING: APPROVAL,
    analysts_pb2.TASK_STATE_RELEASED: "answered",
    analysts_pb2.TASK_STATE_REFUSED: "refused",
    analysts_pb2.TASK_STATE_LEFT_OUT: "left out",
}
OVER = frozenset(
    {
        analysts_pb2.TASK_STATE_RELEASED,
        analysts_pb2.TASK_STATE_REFUSED,
        analysts_pb2.TASK_STATE_LEFT_OUT,
    }
)


@dataclass(frozen=True, slots=True)
class DepartmentProgress:
    """How far one department is, in words; `node_seen_s` is when its node last asked for work (0: never).

    `since_s` is when it came to this state, as the coordinator says.
    """

    department: str
    state: str
    sentence: str
    over: bool
    node_seen_s: int
    since_s: int = 0

    @property
    def waits_for_approval(self) -> bool:
        """Whether a person there has to decide."""
        return self.state == APPROVAL

    @property
    def since(self) -> str:
        """When it came to this state."""
        return f"since {minute_of(self.since_s)}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. `problem` says why there is no news, such as a coordinator that is away."""

    job: str
    round_number: int
    departments: tuple[DepartmentProgress, ...]
    problem: str = ""

    @property
    def approval_words(self) -> str:
        """Whose people are to decide, since when; empty where nobody's are."""
        waits = [d for d in self.departments if d.waits_for_approval]
        more = f" and {len(waits) - NAMED_MAX} more" if len(waits) > NAMED_MAX else ""
        names = ", ".join(f"{d.department} ({d.since})" for d in waits[:NAMED_MAX])
        return f"waits for approval by {names}{more}" if waits else ""

    @property
    def over(self) -> bool:
        """Whether every department answered or refused."""
        return bool(self.departments) and all(department.over for department in self.departments)


Tell = Callable[[Progress], None]
"""What is told of every change."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Until when to wait, on which clock (seconds since 1970), and how to pause between attempts.

    `fraction` draws how long, while the coordinator is away.
    """

    until_s: float
    now: Callable[[], float]
    pause: Callable[[float], None]
    fraction: Callable[[], float] = random_fraction

    @property
    def left_s(self) -> float:
        """What is left of it; never below 0."""
        return max(0.0, self.until_s - self.now())


def follow(
    transport: Transport, order: RoundOrder, *, job: str, tell: Tell, patience: Patience, note: str = ""
) -> Progress:
    """Poll until the round is over or the patience ends; the last progress is returned. `note` goes with all.

    A coordinator that is away is waited for: what it accepted goes on when it is back.
    """
    seen, progress, pause_s = 0, Progress(job, order.number, ()), PAUSE_S_MIN
    back_off = BackOff(patience.fraction)
    while True:
        poll_s, asked_at_s = min(POLL_S_MAX, int(patience.left_s)), patience.now()
        request = analysts_pb2.WatchRequest(query=order.query, number=order.number, seen=seen, wait_s=poll_s)
        try:
            reply = transport.call(WATCH, request)
        except (CoordinatorUnreachable, NoReplyInTime) as problem:
            wait_s = back_off.after_failure(problem)
            if back_off.worth_a_word:
                log.info(
                    "The coordinator is away; asking again in %.1f s: %s", wait_s, printable(problem.sentence)
                )
            tell(Progress(job, order.number, progress.departments, problem.sentence))
        else:
            back_off.after_success()
            # A poll that was held open has waited already.
            news = reply.version != seen or 0 < poll_s <= 2 * (patience.now() - asked_at_s)
            seen, progress = reply.version, _progress(job, order, reply, note)
            tell(progress)
            wait_s, pause_s = (0.0, PAUSE_S_MIN) if news else (pause_s, min(2 * pause_s, PAUSE_S_MAX))
        if progress.over or patience.left_s <= 0:
            return progress
        if wait_s:
            patience.pause(min(wait_s, patience.left_s))


def _progress(job: str, order: RoundOrder, reply: analysts_pb2.WatchReply, note: str) -> Progress:
    """What the coordinator says of the departments that were asked; what it says of others is left out."""
    found = {
        task.department: DepartmentProgress(
            department=task.department,
            state=STATES.get(task.state, "unknown"),
            sentence=printable(" ".join(task.sentence[:SENTENCE_CHARACTERS_MAX].split())),
            over=task.state in OVER,
            node_seen_s=_within(task.node_seen_s),
            since_s=_within(task.since_s),
        )
        for task in reply.tasks
        if task.department in order.participants
    }
    return Progress(job, order.number, tuple(found[name] for name in sorted(found)), note)


def _within(at_s: int) -> int:
    """A time that can be shown, whatever the coordinator says."""
    return min(max(at_s, 0), SECONDS_MAX - 1)

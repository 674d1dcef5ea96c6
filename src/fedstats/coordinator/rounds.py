"""What becomes of one department's part of a round: a pure state machine, without store, network or clock.

             LeaseAsked                  Reported
    OFFERED ------------> LEASED ----------------------> RELEASED
     ^  ^                  |  |                          REFUSED
     |  |  Expired, Lost   |  | Parked                      |
     |  +------------------+  v                             | AskedAgain, where asking again may help
     +- Decided, Lost --- WAITING                           |
     +------------------------------------------------------+
    OFFERED, LEASED, WAITING --LeftOut--> LEFT_OUT

LeaseAsked, Lost, Parked, Decided and Reported come from the department's node, AskedAgain and LeftOut from
the analyst who signed the round, Expired from the clock. Messages may be lost, doubled and late, so that

- an outcome counts whichever lease it was made under, and from every open state that has none;
- once the analyst went on without the department, whatever it answers counts no more;
- the first outcome stays: the same one again changes nothing, and another one is dropped and noted;
- a release is final; a refusal ends only when the analyst asks again;
- parking counts under the running lease only: a late one must not park what somebody else works on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from fedstats.errors import (
    ApprovalsFull,
    EditionMissing,
    InternalError,
    NodeFailed,
    NodePaused,
    PaceExceeded,
    RegisterNotShown,
    ReplyLate,
)

MAY_HELP_AGAIN = frozenset(
    kind.code
    for kind in (
        NodePaused,
        ApprovalsFull,
        EditionMissing,
        PaceExceeded,
        RegisterNotShown,
        ReplyLate,
        NodeFailed,
    )
)
"""Refusals that may end by themselves: a node charges one computation once, however often it is asked."""


class State(Enum):
    """Where a task stands; the values are what the store says."""

    OFFERED = "offered"
    LEASED = "leased"
    WAITING = "waiting"
    RELEASED = "released"
    REFUSED = "refused"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a department answered: a release, or a refusal with its code; `digest` is of the signed bytes."""

    digest: bytes
    code: str = ""  # of a refusal; a release has none
    sentence: str = ""
    reason: str = ""  # the category, where people there decided
    free: bool = False  # the node says that it recorded this release for another question before

    @property
    def state(self) -> State:
        """Where this outcome ends the task."""
        return State.REFUSED if self.code else State.RELEASED


@dataclass(frozen=True, slots=True)
class Task:
    """One department's part of a round. Times are seconds since 1970; the deadline ends all leasing."""

    deadline_s: float
    since_s: float  # when it came to its state
    state: State = State.OFFERED
    leases: int = 0  # how often it was leased
    token: str = ""  # of the running lease
    expires_s: float = 0.0  # of the running lease
    sentence: str = ""  # why it waits, or was refused
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        """A lease has a token, an end has an outcome, and nothing else has either."""
        if bool(self.token) != (self.state is State.LEASED):
            raise InternalError("A task has a lease token exactly while it is leased.")
        answered = self.state in (State.RELEASED, State.REFUSED)
        if (self.outcome.state if self.outcome else None) is not (self.state if answered else None):
            raise InternalError("A task has an outcome exactly when it was answered.")

    @property
    def is_over(self) -> bool:
        """Whether the department has answered, or the analyst went on without it."""
        return self.state in (State.RELEASED, State.REFUSED, State.LEFT_OUT)


@dataclass(frozen=True, slots=True)
class LeaseAsked:
    """The node asks for work; `token` is new."""

    token: str
    lease_s: float


@dataclass(frozen=True, slots=True)
class Expired:
    """The clock says that a lease may have ended."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The node says that it knows nothing of the task: it was started anew, or a reply to it was lost."""


@dataclass(frozen=True, slots=True)
class Parked:
    """The node says that the task waits for a person at the department."""

    token: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The node says that the person has decided, whichever way: it asks for the task again and answers it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The node answers."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """The analyst presents the same signed round again."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The analyst goes on without the department."""


Event = LeaseAsked | Expired | Lost | Parked | Decided | Reported | AskedAgain | LeftOut


class Effect(Enum):
    """What whoever stores the task must do besides."""

    HAND_OVER = auto()  # give the task to the node that asked
    OFFER = auto()  # wake the department's waiting polls
    KEEP = auto()  # store the outcome's signed bytes beside it
    CONFLICT = auto()  # note that a second, different outcome was dropped


def advance(  # noqa: PLR0911 # one return for each kind of event
    task: Task, event: Event, now_s: float
) -> tuple[Task, frozenset[Effect]]:
    """The task after the event, and what to do besides; an event that does not fit changes nothing."""
    match event:
        case LeaseAsked():
            return _leased(*_expired(task, now_s), event, now_s)
        case Expired():
            return _expired(task, now_s)
        case Lost():
            return _offered(task, now_s) if task.state in HELD else (task, NOTHING)
        case Parked():
            return _parked(task, event, now_s)
        case Decided():
            return _offered(task, now_s) if task.state is State.WAITING else (task, NOTHING)
        case Reported():
            return _reported(task, event.outcome, now_s)
        case AskedAgain():
            return _asked_again(task, now_s)
        case LeftOut():
            return _left_out(task, now_s)


HELD = frozenset({State.LEASED, State.WAITING})
"""What a node has taken and not answered yet."""

NOTHING: frozenset[Effect] = frozenset()


def _leased(
    task: Task, effects: frozenset[Effect], event: LeaseAsked, now_s: float
) -> tuple[Task, frozenset[Effect]]:
    """Lease the task, whose last lease may have ended just now (`effects`)."""
    if task.state is not State.OFFERED or now_s >= task.deadline_s:
        return task, effects
    leased = replace(
        task,
        state=State.LEASED,
        since_s=now_s,
        leases=task.leases + 1,
        token=event.token,
        expires_s=now_s + event.lease_s,
    )
    return leased, frozenset({Effect.HAND_OVER})


def _expired(task: Task, now_s: float) -> tuple[Task, frozenset[Effect]]:
    over = task.state is State.LEASED and now_s >= task.expires_s
    return _offered(task, now_s) if over else (task, NOTHING)


def _parked(task: Task, event: Parked, now_s: float) -> tuple[Task, frozenset[Effect]]:
    if task.state is not State.LEASED or event.token != task.token:
        return task, NOTHING
    return _moved(task, State.WAITING, now_s, sentence=event.sentence), NOTHING


def _reported(task: Task, outcome: Outcome, now_s: float) -> tuple[Task, frozenset[Effect]]:
    if task.state is State.LEFT_OUT:
        return task, NOTHING
    if task.outcome is None:
        over = _moved(task, outcome.state, now_s, sentence=outcome.sentence, outcome=outcome)
        return over, frozenset({Effect.KEEP})
    return task, NOTHING if task.outcome.digest == outcome.digest else frozenset({Effect.CONFLICT})


def _asked_again(task: Task, now_s: float) -> tuple[Task, frozenset[Effect]]:
    if task.outcome is None or task.outcome.code not in MAY_HELP_AGAIN:
        return task, NOTHING
    return _offered(task, now_s)


def _left_out(task: Task, now_s: float) -> tuple[Task, frozenset[Effect]]:
    return (task if task.is_over else _moved(task, State.LEFT_OUT, now_s)), NOTHING


def _offered(task: Task, now_s: float) -> tuple[Task, frozenset[Effect]]:
    return _moved(task, State.OFFERED, now_s), frozenset({Effect.OFFER})


def _moved(
    task: Task, state: State, now_s: float, *, sentence: str = "", outcome: Outcome | None = None
) -> Task:
    """The task in another state, without the lease that it had."""
    return replace(
        task, state=state, since_s=now_s, token="", expires_s=0.0, sentence=sentence, outcome=outcome
    )

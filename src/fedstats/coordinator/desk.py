"""What the coordinator's services share: the store, the clock, a bell for those who wait; and long polls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic

from fedstats.coordinator.config import Limits
from fedstats.coordinator.rounds import Effect
from fedstats.coordinator.store import Store
from fedstats.coordinator.store_tasks import Change
from fedstats.identity.peer import Peer
from fedstats.wire.method import Reply, Request

Answer = Callable[[Any, Peer], Any]
"""One method of the wire, answered at once: (request, peer) -> reply."""


def authority(department: str) -> str:
    """The topic of agreements, appointments and their ends, as far as they concern a department."""
    return f"authority {department}"


def offers(department: str) -> str:
    """The topic of tasks that one department's node could lease."""
    return f"offers {department}"


def progress(query: bytes, number: int) -> str:
    """The topic of one round's tasks."""
    return f"progress {query.hex()} {number}"


def account(peer: Peer) -> str:
    """Under which the store keeps what a peer submitted."""
    return f"{peer.role.value} {peer.name}"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the services work with. They are called by one thread at a time."""

    store: Store
    now: Callable[[], float]  # seconds since 1970
    new_token: Callable[[], str]  # for leases; nobody can guess the next one
    limits: Limits = field(default_factory=Limits)
    ring: Callable[[str], None] = lambda _topic: None  # after a change, with its topic

    def tell(self, change: Change) -> None:
        """Ring for what happened to a task."""
        task = change.after
        if change.is_change:
            self.ring(progress(task.query, task.number))
        if Effect.OFFER in change.effects:
            self.ring(offers(task.department))
        if change.round_over:
            self.ring(ended(task.query, task.number))


def ended(query: bytes, number: int) -> str:
    """The topic of a round's end: every department has answered."""
    return f"ended {query.hex()} {number}"


@dataclass(frozen=True, slots=True)
class Poll(Generic[Request, Reply]):
    """One method that may wait until there is something to say.

    Whoever serves it calls, in this order: `arrive` once, which gives the reply for a wait in which nothing
    happens (None: `idle` makes it then; `refresh` brings it up to date); `look` then and whenever one of
    `topics` rings, until it gives a reply; `idle` for the reply when the wait is over, or when one of `ends`
    rings. A poll that begins ends all earlier ones of its `line`: whoever asks again does not listen to the
    old call any more.

    With `settle_s`, changes that come thick and fast are told together: nothing is looked up before the poll
    has waited so long, unless it is `ripe`, or one of the topics that `hurry` rings.
    """

    wait_s: Callable[[Request], int]
    arrive: Callable[[Request, Peer], Reply | None]
    look: Callable[[Request, Peer], Reply | None]
    idle: Callable[[Request, Peer], Reply]
    topics: Callable[[Request, Peer], tuple[str, ...]]
    ends: Callable[[Peer], tuple[str, ...]] = lambda _peer: ()
    line: Callable[[Request, Peer], str] = lambda _request, _peer: ""
    refresh: Callable[[Reply], None] = lambda _reply: None
    settle_s: float = 0.0
    ripe: Callable[[Request, Peer], bool] = lambda _request, _peer: True
    hurry: Callable[[Request, Peer], tuple[str, ...]] = lambda _request, _peer: ()

    def begin(self, request: Request, peer: Peer) -> tuple[Reply | None, Reply | None]:
        """What `arrive` gives, and the reply if there is one already."""
        quiet = self.arrive(request, peer)
        is_time = not self.settle_s or self.ripe(request, peer)
        return quiet, self.look(request, peer) if is_time else None

    def answer(self, request: Request, peer: Peer) -> Reply:
        """The reply at once, without waiting: for simulations, which wait on a clock of their own."""
        quiet = self.arrive(request, peer)
        found = self.look(request, peer)
        if found is None:
            return self.idle(request, peer) if quiet is None else quiet
        return found

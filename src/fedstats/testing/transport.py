"""The network of a simulation: real messages as real bytes to a real coordinator, lost or doubled as told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf.message import Message

from fedstats.coordinator.service import Coordinator
from fedstats.errors import CoordinatorUnreachable, NoReplyInTime
from fedstats.identity.peer import Peer
from fedstats.wire.method import Method, Reply, Request


class Fault(Enum):
    """What a network does to one call."""

    NONE = "delivered"
    REQUEST_LOST = "the request never arrived"
    REPLY_LOST = "the coordinator acted, and its reply never arrived"
    DOUBLED = "the request arrived twice"


Faults = Callable[[Peer, Method[Any, Any]], Fault]
"""Decides the fate of each call."""


def no_faults(_peer: Peer, _method: Method[Any, Any]) -> Fault:
    """A network that works."""
    return Fault.NONE


Change = Callable[[Peer, Message], None]
"""Changes a message in place, on the way from or to this peer."""


def unchanged(_peer: Peer, _message: Message) -> None:
    """What an honest coordinator does to a message."""


@dataclass(frozen=True, slots=True)
class Relay:
    """What a coordinator does to requests that arrive and to replies that leave (see `testing.hostile`).

    Either may raise: then the peer hears that error in place of a reply.
    """

    arriving: Change = unchanged
    leaving: Change = unchanged


HONEST = Relay()


class SimulatedNetwork:
    """The `Transport` of one peer. `before` runs ahead of every call, for instance to let the others work."""

    def __init__(
        self,
        coordinator: Callable[[], Coordinator],
        peer: Peer,
        *,
        faults: Callable[[], Faults] = lambda: no_faults,
        relay: Callable[[], Relay] = lambda: HONEST,
        before: Callable[[Method[Any, Any]], None] = lambda _method: None,
    ) -> None:
        """Carry calls of `peer` to whichever coordinator runs at the time (it may have been restarted)."""
        self._coordinator = coordinator
        self._peer = peer
        self._faults = faults
        self._relay = relay
        self._before = before

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry one call; both directions go through bytes, as on a wire.

        Raises
        ------
        CoordinatorUnreachable
            The request was lost.
        NoReplyInTime
            The reply was lost: whether the coordinator acted is unknown to the caller.
        FedstatsError
            The coordinator refused.

        """
        del timeout_s  # nothing takes time here
        self._before(method)
        fault = self._faults()(self._peer, method)
        if fault is Fault.REQUEST_LOST:
            raise CoordinatorUnreachable("The request was lost.")
        reply = self._carried(method, request)
        if fault is Fault.DOUBLED:
            reply = self._carried(method, request)
        if fault is Fault.REPLY_LOST:
            raise NoReplyInTime("The reply was lost.")
        return reply

    def _carried(self, method: Method[Request, Reply], request: Request) -> Reply:
        relay = self._relay()
        arrived = method.request.FromString(request.SerializeToString())
        relay.arriving(self._peer, arrived)
        reply = self._coordinator().call(method, arrived, self._peer)
        left = method.reply.FromString(reply.SerializeToString())
        relay.leaving(self._peer, left)
        return left

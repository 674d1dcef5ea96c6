"""An answer that was seen once can be seen again without the coordinator: what it was made of is kept.

Kept are the signed messages, not the numbers: looking again verifies and adds up as the first time did, as of
the moment when it was answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from fedstats.client.answer import Answer
from fedstats.client.guarantee import PER_MILLION
from fedstats.core.query import Query
from fedstats.errors import CoordinatorUnreachable
from fedstats.wire.method import Method, Reply, Request, Transport
from fedstats.wire.methods import CATALOGUE, FETCH, FETCH_AUTHORITY, SUBMIT, WATCH
from fedstats.wire.v1 import agreements_pb2, analysts_pb2

KEPT_BYTES_MAX = 4_000_000
"""Larger answers are fetched again from the coordinator."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The messages that an answer was made of, as bytes, and when; `complete`: nobody was missing.

    `left_ppm` is what departments said was left of the budget then, per million.
    """

    authority: bytes
    fetched: bytes
    answered_at_s: int
    complete: bool
    agreement_version: int
    left_ppm: int | None = None


@dataclass(slots=True)
class Remembering:
    """A transport that remembers the newest authority and the newest answers that came through it."""

    transport: Transport
    _newest: dict[str, bytes] = field(default_factory=dict)

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Call, and remember what would be needed to see an answer again."""
        reply = self.transport.call(method, request, timeout_s)
        statements_only = isinstance(request, analysts_pb2.FetchRequest) and request.statements_only
        if method.path in (FETCH_AUTHORITY.path, FETCH.path) and not statements_only:
            self._newest[method.path] = reply.SerializeToString()
        return reply

    def newest(self) -> tuple[bytes, bytes] | None:
        """The newest authority and the newest answers; None where they are too large to keep."""
        authority = self._newest.get(FETCH_AUTHORITY.path, b"")
        fetched = self._newest.get(FETCH.path, b"")
        return None if len(authority) + len(fetched) > KEPT_BYTES_MAX else (authority, fetched)


def kept_of(transport: Transport, query: Query, answer: Answer, *, answered_at_s: int) -> Kept | None:
    """What is kept of an answer that just came; None where it is too large."""
    newest = transport.newest() if isinstance(transport, Remembering) else None
    cost = answer.cost
    if newest is None:
        return None
    left = None if cost is None or cost.left_percent is None else round(cost.left_percent * PER_MILLION / 100)
    return Kept(
        *newest,
        answered_at_s=answered_at_s,
        complete=all(participant.refusal is None for participant in answer.participants),
        agreement_version=query.agreement_version,
        left_ppm=left,
    )


@dataclass(frozen=True, slots=True)
class Replaying:
    """A transport that answers from what was kept of one job, and knows nothing else."""

    kept: Kept

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Answer as the coordinator did."""
        del timeout_s
        return cast("Reply", self._reply(method.path, getattr(request, "number", 0)))

    def _reply(self, path: str, number: int) -> object:
        if path == FETCH_AUTHORITY.path:
            return agreements_pb2.AuthorityReply.FromString(self.kept.authority)
        if path == CATALOGUE.path:
            return analysts_pb2.CatalogueReply()
        if path == FETCH.path:
            return self._fetched()
        if path == SUBMIT.path:
            return analysts_pb2.SubmitReply()
        if path == WATCH.path:
            return self._watched(number)
        raise CoordinatorUnreachable(f"A kept answer does not tell {path}.")

    def _fetched(self) -> analysts_pb2.FetchReply:
        return analysts_pb2.FetchReply.FromString(self.kept.fetched)

    def _watched(self, number: int) -> analysts_pb2.WatchReply:
        rounds = self._fetched().rounds
        outcomes = rounds[number].outcomes if number < len(rounds) else ()
        return analysts_pb2.WatchReply(
            version=1,
            tasks=[
                analysts_pb2.TaskStatus(
                    department=outcome.department,
                    state=analysts_pb2.TASK_STATE_RELEASED
                    if outcome.HasField("release")
                    else analysts_pb2.TASK_STATE_REFUSED,
                )
                for outcome in outcomes
            ],
        )

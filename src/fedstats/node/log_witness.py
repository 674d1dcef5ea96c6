"""What others keep of this department's own log, and what follows where the log here does not continue it.

The coordinator keeps the newest heads that the node told, and shows them to everybody. A head that the log
here does not contain means that an older copy was put back, or that another copy of this node answered. Then
nothing is answered, and no head is signed, which would be a second one of the same size: until a person
begins a log that says so (`node/renewing.py`). Whoever relays a head cannot forge one; keeping silent is all
that is left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress

from fedstats.core.log_head import LogHead
from fedstats.errors import FedstatsError, LogDamaged
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.journal.security import LOG_CONTRADICTED
from fedstats.node.state import State
from fedstats.wire.codec import decode_log_head, signed_from
from fedstats.wire.codec.strict import to_bytes
from fedstats.wire.v1 import signed_pb2

Told = tuple[LogHead, Signed]
"""A head of this department's log, and as it was signed."""

RENEW = (
    "Make sure that no other copy of this node runs. If a newer copy of the log exists, put it back; else"
    " begin a new log, which says so and keeps this one: fedstats node log renew"
)


class LogWitness:
    """Safe to use from several threads."""

    def __init__(self, state: State, *, own: Callable[[], PublicKey]) -> None:
        """Compare the log beside this state; `own` is the node's key as it is at the time."""
        self._state, self._own = state, own

    def hear(
        self,
        messages: Iterable[signed_pb2.Signed],
        *,
        appointed: Callable[[PublicKey], bool] = lambda _: False,
    ) -> None:
        """Take what the coordinator relays of this department's logs; all else is left out.

        `appointed` says whether a controller who is trusted here ever appointed a key for this node.

        Raises
        ------
        LogDamaged
            One of them is not continued by the log that is here.

        """
        fresh = [
            message
            for message, head, key in _heads(messages, self._state.department)
            if self._counts(head, key, appointed) and not self._contained(head)
        ]
        if fresh:
            with self._state.change() as sqlite:
                rows = [(to_bytes(message),) for message in fresh]
                found = sqlite.executemany("INSERT OR IGNORE INTO log_heard VALUES (?)", rows).rowcount
            if found > 0:
                LOG_CONTRADICTED(code=LogDamaged.code)
        self.check()

    def check(self) -> None:
        """Return if the log contains every head of it that was ever heard here.

        Raises
        ------
        LogDamaged
            It does not: nothing may be answered, and nothing signed.

        """
        for head, _ in self.missing():
            raise LogDamaged(self._sentence(head), remedy=RENEW)

    def missing(self) -> list[Told]:
        """The heads that were heard and that the log does not continue, the longest first."""
        with self._state.look() as sqlite:
            told = heard(sqlite)
        found = [(head, signed) for head, signed in told if not self._contained(head)]
        return sorted(found, key=lambda one: one[0].size, reverse=True)

    def _counts(self, head: LogHead, key: PublicKey, appointed: Callable[[PublicKey], bool]) -> bool:
        """Whether it is the word of a key of this node's.

        Of another log only what the keys that are here signed: a department whose node was built anew, with a
        new key, has an earlier log, and everybody may know.
        """
        if key == self._own() or key.raw in self._state.log.named_keys():
            return True
        return head.log == self._state.log.id and appointed(key)

    def _contained(self, head: LogHead) -> bool:
        log = self._state.log
        if head.log == log.id:
            return log.continues(head.size, head.root)
        return any(former.covers(head) for former in log.former())

    def _sentence(self, head: LogHead) -> str:
        log = self._state.log
        if head.log != log.id:
            return (
                f"This node signed for {head.size} entries of another log ({head.log.hex()[:12]}), and"
                " the one here does not say how that ended: an older copy was put in its place, or another"
                " copy of this node runs. Nothing is answered."
            )
        if head.size > log.size():
            return (
                f"The log has {log.size()} entries, and this node signed for {head.size}: an older copy was"
                " put in its place, or another copy of this node runs. Nothing is answered."
            )
        return (
            f"The log is not the one of {head.size} entries that this node signed for: after an older copy"
            " was put in its place it told another story. Nothing is answered."
        )


def heard(sqlite: sqlite3.Connection) -> list[Told]:
    """The heads that contradicted the log when they were heard."""
    found = []
    for (content,) in sqlite.execute("SELECT signed FROM log_heard ORDER BY signed").fetchall():
        signed = signed_from(signed_pb2.Signed.FromString(content))
        found.append((decode_log_head(signed.payload), signed))
    return found


def told_of(messages: Iterable[signed_pb2.Signed], department: str) -> list[Told]:
    """The relayed heads of a department's logs whose signatures are valid, whoever made them."""
    return [(head, signed_from(message)) for message, head, _ in _heads(messages, department)]


def _heads(
    messages: Iterable[signed_pb2.Signed], department: str
) -> list[tuple[signed_pb2.Signed, LogHead, PublicKey]]:
    found = []
    for message in messages:
        with suppress(FedstatsError, ValueError):
            signed = signed_from(message)
            if decode_log_head(signed.payload).keeper == department:
                found.append((message, decode_log_head(signed.verify(Context.LOG_HEAD)), signed.key))
    return found

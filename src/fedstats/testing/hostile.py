"""A coordinator that lies: it changes what it relays, as far as anybody lets it.

    federation.relay = Relay(leaving=of(LeaseReply, change))     every lease brings something else
    federation.relay = Relay(leaving=to(Role.ANALYST, change))   the analyst sees something else

`forgeries` gives what a forger without the right key can make of one signed document; whoever verifies must
refuse each of them. Nothing here knows a private key of a department, a controller or an analyst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from google.protobuf.message import Message

from fedstats.coordinator.store import Store
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_questions import Questions, Submission
from fedstats.coordinator.store_tasks import StoredTask
from fedstats.core.agreement_document import Document
from fedstats.errors import CoordinatorUnreachable
from fedstats.identity.keys import Context, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.testing.federation import Federation
from fedstats.testing.mutations import mutations
from fedstats.testing.transport import Change, Relay
from fedstats.wire.v1 import nodes_pb2, signed_pb2

COORDINATORS_KEY = SigningKey.from_seed(b"the key of a lying coordinator".ljust(32, b"."))
"""A key of the forger's own: nobody appointed it."""

FLIPS_MAX = 12  # of one document, spread over its bytes

M = TypeVar("M", bound=Message)
Forgery = tuple[str, signed_pb2.Signed]
"""What was done, in words, and what came of it."""


def of(kind: type[M], change: Callable[[M], None]) -> Change:
    """A change to messages of this kind alone."""

    def apply(_peer: Peer, message: Message) -> None:
        if isinstance(message, kind):
            change(message)

    return apply


def to(role: Role, change: Callable[[Message], None], *, name: str = "") -> Change:
    """A change to what peers of this role see (or one of them, by `name`); the others see the truth."""

    def apply(peer: Peer, message: Message) -> None:
        if peer.role is role and name in ("", peer.name):
            change(message)

    return apply


def every(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def apply(peer: Peer, message: Message) -> None:
        for change in changes:
            change(peer, message)

    return apply


@dataclass
class Showing:
    """A coordinator that shows one node a task of its own making, and keeps what the node says to it."""

    department: str
    task: nodes_pb2.Task = field(default_factory=nodes_pb2.Task)
    said: list[nodes_pb2.ReportRequest] = field(default_factory=list)

    def relay(self) -> Relay:
        """What it does to messages."""
        return Relay(self._arriving, self._leaving)

    def answer(self, federation: Federation, task: nodes_pb2.Task) -> nodes_pb2.ReportRequest:
        """What the department's running node answers to this task, through its own connection."""
        self.task, federation.relay = task, self.relay()
        with suppress(CoordinatorUnreachable):
            federation.nodes[self.department].poll_once()
        return self.said.pop()

    def _arriving(self, peer: Peer, message: Message) -> None:
        if peer.name == self.department and isinstance(message, nodes_pb2.ReportRequest):
            self.said.append(message)
            raise CoordinatorUnreachable("What it said was kept from everybody.")

    def _leaving(self, peer: Peer, message: Message) -> None:
        if peer.name == self.department and isinstance(message, nodes_pb2.LeaseReply):
            message.task.CopyFrom(self.task)


class LyingQuestions(Questions):
    """Enters something else into the register than what follows from a question; proofs of it hold."""

    def __init__(self, file: StoreFile, change: Callable[[Document], Document]) -> None:
        """Change the entry of each question."""
        super().__init__(file)
        self._change = change

    def submit(self, new: Submission, entry: Document, now_s: float) -> list[StoredTask]:
        """Store a round with a false entry."""
        return super().submit(new, self._change(entry), now_s)


def entering(change: Callable[[Document], Document]) -> Callable[[Store], Store]:
    """The store of a coordinator that lies to the public about questions.

    federation.stop_coordinator()
    federation.store_as = entering(change)
    """
    return lambda store: replace(store, questions=LyingQuestions(store.file, change))


def forgeries(signed: signed_pb2.Signed, kind: type[Message], context: Context) -> Iterator[Forgery]:
    """What a forger can make of a signed document: every field of it changed in turn, and bytes flipped.

    Each changed field comes three times: under the old signature, signed anew by the forger's own key, and
    signed by it under the name of the right one.
    """
    for path, changed in mutations(kind.FromString(signed.payload)):
        payload = changed.SerializeToString(deterministic=True)
        if payload != signed.payload:
            yield from _resigned(path, signed, payload, context)
    for what in ("payload", "key", "signature"):
        raw: bytes = getattr(signed, what)
        for place in range(0, len(raw), max(1, len(raw) // FLIPS_MAX)):
            flipped = raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :]
            yield f"byte {place} of the {what}", _with(signed, **{what: flipped})


def signed_by_coordinator(payload: bytes, context: Context) -> signed_pb2.Signed:
    """A document that the coordinator signs itself, correctly, with a key that nobody appointed."""
    key = COORDINATORS_KEY
    return signed_pb2.Signed(payload=payload, key=key.public.raw, signature=key.sign(context, payload))


def _resigned(path: str, signed: signed_pb2.Signed, payload: bytes, context: Context) -> Iterator[Forgery]:
    own = signed_by_coordinator(payload, context)
    yield f"{path}, under the old signature", _with(signed, payload=payload)
    yield f"{path}, signed by a stranger", own
    yield f"{path}, signed by a stranger in the right name", _with(own, key=signed.key)


def _with(signed: signed_pb2.Signed, **fields: bytes) -> signed_pb2.Signed:
    return signed_pb2.Signed(
        **{"payload": signed.payload, "key": signed.key, "signature": signed.signature, **fields}
    )

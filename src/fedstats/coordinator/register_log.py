"""The register as a log that the coordinator is held to: signed heads, proofs, and who witnesses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from fedstats.coordinator.desk import Desk
from fedstats.core.log_head import (
    REGISTER_KEEPER,
    SIZE_MAX,
    ConsistencyProof,
    Cosignature,
    InclusionProof,
    LogHead,
)
from fedstats.errors import InternalError, MessageInvalid, NotFound
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer
from fedstats.journal.security import DEPARTMENT_LOG_CONTRADICTED, REGISTER_CONTRADICTED
from fedstats.transparency.check import BACKDATED_S
from fedstats.transparency.entry import LogEntry
from fedstats.wire.codec import (
    consistency_to,
    decode_cosignature,
    decode_log_head,
    encode_log_head,
    inclusion_to,
    signed_from,
    signed_to,
)
from fedstats.wire.v1 import agreements_pb2, signed_pb2

PROOFS_KEPT_MAX = 64

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class RegisterLog:
    """Signs heads, proves, and hears what departments sign about logs.

    `key` signs heads and nothing else: it carries no authority over data.
    """

    desk: Desk
    key: SigningKey
    _registered: dict[tuple[bytes, bytes], agreements_pb2.RegisterProof] = field(default_factory=dict)
    _continued: dict[tuple[int, bytes], signed_pb2.ConsistencyProof] = field(default_factory=dict)
    _heard: dict[tuple[str, str], bytes] = field(
        default_factory=dict
    )  # signatures of departments' last words
    _appointed: set[tuple[str, bytes]] = field(default_factory=set)

    def head(self) -> signed_pb2.Signed:
        """The head of the register as it is now; signed once for each size, when it is first asked for."""
        known = self.desk.store.register.head()
        if known is not None and known.key == self.key.public.raw:
            return known
        register = self.desk.store.register
        size = register.count()
        head = LogHead(register.log(), REGISTER_KEEPER, size, register.root(size), int(self.desk.now()))
        made = signed_to(Signed.make(Context.LOG_HEAD, encode_log_head(head), self.key))
        register.keep_head(size, made)
        return made

    def registered(self, query: bytes) -> agreements_pb2.RegisterProof:
        """The entry of a query, and the proof that it is in the register of the present head.

        Made once for a head: a round has a thousand tasks, and between them the register seldom grows.
        """
        head = self.head()
        key = (query, head.signature)
        known = self._registered.get(key)
        if known is None:
            stored = self.desk.store.questions.query(query)
            if stored is None:
                raise InternalError("There is no query of this hash.")
            made = self._inclusion(stored.entry, decode_log_head(head.payload).size)
            known = _kept(self._registered, key, agreements_pb2.RegisterProof(head=head, **made))
        return known

    def since(self, seen: int) -> signed_pb2.ConsistencyProof | None:
        """Proof that the present head continues the register of the size that somebody saw.

        None where there was nothing to see; and where more was seen than there is, which no proof mends.
        """
        head = self.head()
        size = decode_log_head(head.payload).size
        if not 0 < seen <= size:
            return None
        key = (seen, head.signature)
        known = self._continued.get(key)
        return known or _kept(self._continued, key, self._consistency(seen, size))

    def heads(self, request: agreements_pb2.HeadsRequest, peer: Peer) -> agreements_pb2.HeadsReply:
        """The register's head, and what departments signed about it and about their own logs."""
        del request, peer
        return agreements_pb2.HeadsReply(
            register_head=self.head(),
            cosignatures=self.desk.store.logs.cosignatures(),
            heads=self.desk.store.logs.heads(),
            register_key=self.key.public.raw,
        )

    def proof(self, request: agreements_pb2.ProofRequest, peer: Peer) -> agreements_pb2.ProofReply:
        """That an entry is in the register of a size, and that one size of it continues another.

        Raises
        ------
        NotFound
            The register has fewer entries.

        """
        del peer
        count = self.desk.store.register.count()
        if max(request.number, request.size, request.first, request.second) > count:
            raise NotFound(f"The register has {count:,} entries.", remedy="Ask for its head again.")
        reply = agreements_pb2.ProofReply()
        if request.number:
            if request.number > request.size:
                raise MessageInvalid("An entry is proved in a register that has it.")
            reply.MergeFrom(agreements_pb2.ProofReply(**self._inclusion(request.number, request.size)))
        if request.second:
            if request.first > request.second:
                raise MessageInvalid("A smaller register does not continue a larger one.")
            reply.consistency.CopyFrom(self._consistency(request.first, request.second))
        return reply

    def hear_head(self, message: signed_pb2.Signed, department: str) -> None:
        """Keep the head of a department's own log, which came through its certificate.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is malformed, not signed by the key that it names, or of another department.

        """
        if self._was_heard("head", message, department):
            return
        head = decode_log_head(signed_from(message).verify(Context.LOG_HEAD))
        if head.keeper != department:
            raise MessageInvalid("The head is of another department's log.")
        if not self._counts(department, message.key):
            return
        contradicts = self.desk.store.logs.keep_head(head, message, self.desk.now())
        self._heard["head", department] = message.signature
        if contradicts:
            DEPARTMENT_LOG_CONTRADICTED(department=department)

    def hear_cosignature(self, message: signed_pb2.Signed, department: str) -> None:
        """Keep a department's word that it saw a head of the register; raises as `hear_head`.

        One that contradicts the register is kept too, for every reader to see.
        """
        if self._was_heard("cosignature", message, department):
            return
        cosignature = decode_cosignature(signed_from(message).verify(Context.COSIGNATURE))
        if cosignature.department != department:
            raise MessageInvalid("The cosignature is another department's.")
        if not self._counts(department, message.key):
            return
        if cosignature.at_s > self.desk.now() + BACKDATED_S:
            return  # its clock is wrong: every entry of the time until then would read as backdated
        contradicts = not self._is_own(cosignature)
        self.desk.store.logs.keep_cosignature(cosignature, message, self.desk.now(), contradicts=contradicts)
        self._heard["cosignature", department] = message.signature
        if contradicts:
            REGISTER_CONTRADICTED(department=department)

    def _was_heard(self, what: str, message: signed_pb2.Signed, department: str) -> bool:
        """Whether these are the department's last words that were kept: it repeats them with every call."""
        return self._heard.get((what, department)) == message.signature

    def _counts(self, department: str, key: bytes) -> bool:
        """Whether the department's controller ever appointed the key: nobody counts what others signed."""
        who = (department, key)
        if who not in self._appointed and self.desk.store.documents.appointments_of(department, key):
            self._appointed.add(who)
        return who in self._appointed

    def _is_own(self, cosignature: Cosignature) -> bool:
        """Whether the register has these entries, as the department saw them."""
        register = self.desk.store.register
        if cosignature.log != register.log() or cosignature.size > min(register.count(), SIZE_MAX):
            return False
        return register.root(cosignature.size) == cosignature.root

    def _inclusion(self, number: int, size: int) -> dict[str, Any]:
        """An entry and its proof, as fields of a message."""
        register = self.desk.store.register
        entry = register.entry(number)
        if entry is None:
            raise InternalError(f"The register has no entry {number}.")
        proof = InclusionProof(number - 1, size, register.inclusion(number, size))
        return {"entry": entry_to(entry), "inclusion": inclusion_to(proof)}

    def _consistency(self, first: int, second: int) -> signed_pb2.ConsistencyProof:
        path = self.desk.store.register.consistency(first, second)
        return consistency_to(ConsistencyProof(first, second, path))


def entry_to(entry: LogEntry) -> agreements_pb2.RegisterEntry:
    """An entry as a message."""
    return agreements_pb2.RegisterEntry(
        number=entry.number, at_s=entry.at_s, kind=entry.kind, document=entry.document
    )


def _kept(known: dict[K, V], key: K, value: V) -> V:
    """The value, kept for whoever asks next; those of earlier heads make room."""
    if len(known) >= PROOFS_KEPT_MAX:
        known.clear()
    known[key] = value
    return value

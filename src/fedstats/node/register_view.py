"""What this node has seen of the public register, and what it demands of it before it answers.

The coordinator keeps the register and signs its heads. This node takes a head only if it continues every head
that it saw, signs that it does (other departments are shown it), and demands a proof that each question is in
there, saying what its analyst signed. A head that does not continue what was seen means that somebody is
shown another register: both heads are kept, and nothing new is answered until a person has looked.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from threading import Lock

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import Document
from fedstats.core.appointment import Appointment
from fedstats.core.log_head import REGISTER_KEEPER, ConsistencyProof, Cosignature, LogHead
from fedstats.core.query import Query, RoundOrder
from fedstats.core.query_entry import differing_keys, query_entry
from fedstats.errors import FedstatsError, MessageInvalid, RegisterForked, RegisterNotShown
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.journal.security import REGISTER_FORGOTTEN, REGISTER_FORKED
from fedstats.node import log_entries
from fedstats.node.state import State
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import continues, includes
from fedstats.wire.codec import (
    consistency_from,
    decode_log_head,
    encode_cosignature,
    inclusion_from,
    signed_from,
    signed_to,
)
from fedstats.wire.codec.strict import to_bytes
from fedstats.wire.v1 import agreements_pb2, signed_pb2

HEADS_REMEMBERED = 256  # that a task's proof may name: a task is worked on soon after it came
HEADS_KEPT = 64  # of one department's log
LOGS_KEPT = 16  # of one department: one, and another each time that its node was built anew
ROOTS_KEPT = 2  # of one log at one size: a second one proves that the log was changed, more prove no more


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest head of the register that was taken here, as it was signed."""

    head: LogHead
    signed: Signed


class RegisterView:
    """Safe to use from several threads."""

    def __init__(
        self, state: State, *, key: Callable[[], SigningKey], now: Callable[[], float], demanded: bool
    ) -> None:
        """Remember in this state; `demanded`: nothing is answered that is not proved to be registered."""
        self._state, self._key, self._now, self._demanded = state, key, now, demanded
        self._turn = Lock()
        self._taken: deque[LogHead] = deque(maxlen=HEADS_REMEMBERED)
        self._cosigned: tuple[LogHead, PublicKey, signed_pb2.Signed] | None = None

    def seen(self) -> Seen | None:
        """The newest head that was taken."""
        with self._state.look() as sqlite:
            row = sqlite.execute("SELECT signed FROM register_seen").fetchone()
        if row is None:
            return None
        signed = signed_from(signed_pb2.Signed.FromString(row[0]))
        return Seen(decode_log_head(signed.payload), signed)

    def hear(
        self, message: signed_pb2.Signed, proof: signed_pb2.ConsistencyProof | None, *, asked: int
    ) -> None:
        """Take a head that the coordinator shows, or keep the evidence that it contradicts what was seen.

        `asked` is the size that this node had seen when it asked, 0 for none. A reply that was made before
        another process here saw more (`fedstats audit heads` beside a waiting poll) is no contradiction.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is no signed head of a register, or comes without the proof that it continues the last one.

        """
        signed = signed_from(message)
        head = decode_log_head(signed.verify(Context.LOG_HEAD))
        if head.keeper != REGISTER_KEEPER:
            raise MessageInvalid("The coordinator showed the head of something that is not its register.")
        with self._turn:
            seen = self.seen()
            if seen is None:
                self._pin(head, signed, message)
            elif _was_overtaken(seen, head, signed, asked):
                return
            elif why := _contradiction(seen, head, signed, proof):
                self._keep_evidence(seen, message, why)
                return
            elif head.size > seen.head.size:
                with self._state.change() as sqlite:
                    sqlite.execute("UPDATE register_seen SET signed = ?", (to_bytes(message),))
            self._taken.append(head)

    def cosignature(self) -> signed_pb2.Signed | None:
        """This node's word that the newest head it saw continues all others that it saw."""
        seen, key = self.seen(), self._key()
        if seen is None:
            return None
        known = self._cosigned
        if known is not None and known[:2] == (seen.head, key.public):
            return known[2]
        head = seen.head
        said = Cosignature(self._state.department, head.log, head.size, head.root, int(self._now()))
        made = signed_to(Signed.make(Context.COSIGNATURE, encode_cosignature(said), key))
        self._cosigned = (head, key.public, made)
        return made

    def check(
        self,
        registered: agreements_pb2.RegisterProof,
        query: Query,
        order: RoundOrder,
        appointment: Appointment,
        agreement: Agreement,
    ) -> None:
        """Return if the register that was seen lists this question, and each word of it follows from it.

        Raises
        ------
        RegisterNotShown
            It was not shown, says something else, or two registers were shown.

        """
        if self.forks():
            raise RegisterNotShown(
                "The coordinator showed this department two registers that cannot both be true."
            )
        if not self._demanded:
            return
        if not registered.HasField("entry"):
            raise RegisterNotShown
        try:
            entry = LogEntry(
                registered.entry.number,
                registered.entry.at_s,
                registered.entry.kind,
                registered.entry.document,
            )
            self._check_included(registered, entry.hash)  # of canonical JSON: no key stands in it twice
            document = entry.read()
        except (FedstatsError, ValueError, RecursionError):
            raise RegisterNotShown(
                "The proof that this question is in the public register does not hold."
            ) from None
        true = query_entry(query, order, appointment, agreement)
        differing = differing_keys(document, true, order)
        if registered.entry.kind != "query" or differing:
            raise RegisterNotShown(
                "The public register says something else of this question than what was signed"
                f"{_places(differing, true)}."
            )

    def forks(self) -> list[tuple[bytes, bytes]]:
        """The evidence that nobody has decided about yet: pairs of signed heads, seen and shown."""
        with self._state.look() as sqlite:
            return sqlite.execute("SELECT seen, shown FROM register_fork").fetchall()

    def forget(self, *, now_s: int) -> bool:
        """Begin anew with whatever register is shown next, as a person decided; False if nothing was pinned.

        The evidence stays in the log.
        """
        with self._state.change() as sqlite:
            forked = sqlite.execute("DELETE FROM register_fork").rowcount
            pinned = sqlite.execute("DELETE FROM register_seen").rowcount
            if not forked and not pinned:
                return False
            self._state.log.enter(log_entries.REGISTER_FORGOTTEN, {"forks": forked}, now_s=now_s)
        REGISTER_FORGOTTEN()
        return True

    def keep_heads(self, messages: Iterable[signed_pb2.Signed], nodes: Collection[tuple[str, bytes]]) -> int:
        """Keep heads of departments' logs that the coordinator relays; how many were new.

        Only those by a department's own node (`nodes`: department and key): a coordinator could make any
        others, and a file of them would accuse a department that did nothing. Of each log the newest are
        kept, and of each department the first logs.
        """
        new = 0
        for message in messages:
            try:
                signed = signed_from(message)
                head = decode_log_head(signed.payload)
                own = head.keeper in (REGISTER_KEEPER, self._state.department)
                if own or (head.keeper, signed.key.raw) not in nodes:
                    continue
                signed.verify(Context.LOG_HEAD)
            except FedstatsError:
                continue
            with self._state.change() as sqlite:
                if not _has_room(sqlite, head):
                    continue
                row = (head.keeper, head.log, head.size, head.root, to_bytes(message))
                new += sqlite.execute("INSERT OR IGNORE INTO kept_head VALUES (?, ?, ?, ?, ?)", row).rowcount
                _thin(sqlite, head)
        return new

    def kept_heads(self) -> list[tuple[LogHead, Signed]]:
        """All heads that are kept here: the register's newest, and those of other departments' logs."""
        with self._state.look() as sqlite:
            rows = sqlite.execute("SELECT signed FROM kept_head ORDER BY department, log, size").fetchall()
        found = [signed_from(signed_pb2.Signed.FromString(row[0])) for row in rows]
        seen = self.seen()
        register = [] if seen is None else [(seen.head, seen.signed)]
        return register + [(decode_log_head(signed.payload), signed) for signed in found]

    def _pin(self, head: LogHead, signed: Signed, message: signed_pb2.Signed) -> None:
        """The first head: from now on this key and this log are the register's."""
        document = {"key": signed.key.raw.hex(), "log": head.log.hex(), "size": head.size}
        with self._state.change() as sqlite:
            sqlite.execute("INSERT INTO register_seen VALUES (?)", (to_bytes(message),))
            self._state.log.enter(log_entries.REGISTER_PINNED, document, now_s=int(self._now()))

    def _keep_evidence(self, seen: Seen, message: signed_pb2.Signed, why: str) -> None:
        """Keep both heads, once: until a person has looked, one contradiction is as good as many."""
        with self._state.change() as sqlite:
            if sqlite.execute("SELECT 1 FROM register_fork").fetchone():
                return
            pair = (to_bytes(signed_to(seen.signed)), to_bytes(message))
            sqlite.execute("INSERT INTO register_fork VALUES (?, ?)", pair)
            document = {
                "why": why,
                "seen": pair[0].hex(),
                "seen_size": seen.head.size,
                "shown": pair[1].hex(),
                "shown_size": decode_log_head(message.payload).size,
            }
            self._state.log.enter(log_entries.REGISTER_FORKED, document, now_s=int(self._now()))
        REGISTER_FORKED(code=RegisterForked.code)

    def _check_included(self, registered: agreements_pb2.RegisterProof, leaf: bytes) -> None:
        """Return if the entry is in a register whose head was taken here; raises MessageInvalid."""
        head = decode_log_head(signed_from(registered.head).verify(Context.LOG_HEAD))
        with self._turn:
            taken = head in self._taken
        entry, proof = registered.entry, inclusion_from(registered.inclusion)
        there = includes(leaf=leaf, index=proof.index, size=proof.size, path=proof.path, root=head.root)
        if not taken or not there or proof.size != head.size or proof.index != entry.number - 1:
            raise MessageInvalid("The proof does not hold.")


def _was_overtaken(seen: Seen, head: LogHead, signed: Signed, asked: int) -> bool:
    """Whether a head of the same log is older than what was seen since it was asked for, and may be."""
    same = (signed.key, head.log) == (seen.signed.key, seen.head.log)
    return same and asked <= head.size < seen.head.size


def _contradiction(
    seen: Seen, head: LogHead, signed: Signed, message: signed_pb2.ConsistencyProof | None
) -> str:
    """Why a head cannot be of the register that was seen; empty if it continues it.

    Raises
    ------
    MessageInvalid
        It may, but the proof is missing or of other sizes.

    """
    if signed.key != seen.signed.key:
        return "key"
    if head.log != seen.head.log:
        return "log"
    if head.size < seen.head.size:
        return "shorter"
    if head.size == seen.head.size:
        return "" if head.root == seen.head.root else "root"
    if seen.head.size == 0:
        return ""
    proof = None if message is None else consistency_from(message)
    if proof is None or (proof.first, proof.second) != (seen.head.size, head.size):
        raise MessageInvalid("The register was shown without the proof that it continues what was seen.")
    return "" if _continues(seen.head, head, proof) else "proof"


def _continues(seen: LogHead, head: LogHead, proof: ConsistencyProof) -> bool:
    return continues(
        first=seen.size, first_root=seen.root, second=head.size, second_root=head.root, path=proof.path
    )


def _places(differing: Iterable[str], true: Document) -> str:
    """Where the register says something else: keys of ours alone, for others may be called anything."""
    known = [key for key in differing if key in true]
    return f", under {', '.join(known)}" if known else ""


def _has_room(sqlite: sqlite3.Connection, head: LogHead) -> bool:
    """Whether the log is known, or its department has few: who makes logs without end fills no disk."""
    sql = "SELECT COUNT(*), TOTAL(log = ?) FROM (SELECT DISTINCT log FROM kept_head WHERE department = ?)"
    logs, known = sqlite.execute(sql, (head.log, head.keeper)).fetchone()
    sql = "SELECT COUNT(*) FROM kept_head WHERE department = ? AND log = ? AND size = ?"
    (same,) = sqlite.execute(sql, (head.keeper, head.log, head.size)).fetchone()
    return bool((known or logs < LOGS_KEPT) and same < ROOTS_KEPT)


def _thin(sqlite: sqlite3.Connection, head: LogHead) -> None:
    """Let the oldest heads of a log make room."""
    sqlite.execute(
        "DELETE FROM kept_head WHERE department = ? AND log = ? AND size < (SELECT MIN(size) FROM"
        " (SELECT size FROM kept_head WHERE department = ? AND log = ? ORDER BY size DESC LIMIT ?))",
        (head.keeper, head.log, head.keeper, head.log, HEADS_KEPT),
    )

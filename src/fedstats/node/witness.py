"""The ledger's witnesses outside: what others remember of it, and what follows where it remembers less.

The coordinator keeps the newest witness that the node signed, and so may a file on another disk. A witness
that the ledger does not contain means that an older copy was put back, or that another copy of this node
answered: then nothing is answered, not even what was answered before, until the spending of both was
carried forward. Whoever keeps a witness cannot forge one; keeping silent is all that is left, which the other
keeper makes good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock

from fedstats.core.times import minute_of
from fedstats.core.witness import Mark, Witness
from fedstats.errors import FedstatsError, FileProblem, LedgerRestored
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.identity.trust import TrustStore
from fedstats.journal.events import WITNESS_FILE_MISSING
from fedstats.journal.security import LEDGER_CARRIED, alarm
from fedstats.node.ledger import Ledger
from fedstats.node.state import State
from fedstats.wire.authority import verify_witness
from fedstats.wire.codec import decode_witness, encode_witness, signed_from, signed_to
from fedstats.wire.v1 import signed_pb2

FILE_BYTES_MAX = 1_000_000


class Witnesses:
    """What is heard of this node's ledger, and what is told of it. Safe to use from several threads."""

    def __init__(
        self,
        ledger: Ledger,
        state: State,
        trust: TrustStore,
        *,
        key: Callable[[], SigningKey],
        now: Callable[[], float],
        file: Path | None = None,
    ) -> None:
        """Use this ledger, and remember in this state; `key` gives the node's key as it is at the time."""
        self._ledger, self._state, self._trust = ledger, state, trust
        self._key, self._now, self._file = key, now, file
        self._turn = Lock()
        self._told: tuple[Mark, PublicKey, signed_pb2.Signed] | None = None
        self._file_read, self._in_file = file is None, b""

    def tell(self) -> signed_pb2.Signed:
        """The ledger as it is now, signed: what travels with every report, and so with every release."""
        key, tip = self._key(), self._ledger.tip()
        known = self._told
        if known is not None and known[:2] == (tip, key.public):
            return known[2]
        witness = self._ledger.witness(self._state.department, now_s=int(self._now()))
        signed = signed_to(Signed.make(Context.WITNESS, encode_witness(witness), key))
        self._told = (witness.tip, key.public, signed)
        return signed

    def told(self) -> signed_pb2.Signed:
        """The witness that was told last: what travels with every lease.

        Not the newest: a lease that shows a record before its reply is due would tell how long the computing
        took.
        """
        known = self._told
        return known[2] if known is not None and known[1] == self._key().public else self.tell()

    def hear(self, records: Iterable[signed_pb2.WitnessRecord]) -> None:
        """Take what the coordinator relays of this department's ledgers.

        An empty ledger, which nothing was charged to yet, carries it forward at once: it is that of a node
        that was built anew.

        Raises
        ------
        LedgerRestored
            One of them says more than the ledger contains.
        KeyUnknown
            One is signed by a key that no controller who is trusted here appointed for this department.

        """
        for record in records:
            self._told = None  # what was told last did not contain it; what is told next may
            self._take(self._verified(record), record.witness)
        self.check()

    def check(self) -> None:
        """Return if the ledger contains every witness that was ever heard here.

        Raises
        ------
        LedgerRestored
            It does not: nothing may be answered.
        FileProblem
            The witness's file cannot be read.

        """
        self._read_file()
        for _, witness in self.missing():
            raise LedgerRestored(self._sentence(witness))

    def missing(self) -> list[tuple[signed_pb2.Signed, Witness]]:
        """The witnesses that were heard and are not contained in the ledger."""
        with self._state.look() as sqlite:
            found = _heard(sqlite)
        return [(signed, witness) for signed, witness in found if not self._ledger.contains(witness)]

    def recover(self) -> tuple[Witness, ...]:
        """Carry every missing witness forward; which ones. May be repeated: nothing is carried twice.

        Raises
        ------
        LedgerBusy, FileProblem
            It could not be made durable. Type it again.

        """
        self._read_file()
        carried = []
        for signed, witness in self.missing():
            if self._carry(witness, signed):
                carried.append(witness)
        with self._state.change() as sqlite:
            sqlite.execute("DELETE FROM heard")
        self.keep()
        return tuple(carried)

    def keep(self) -> None:
        """Write the newest witness to its file, durably: before whatever it covers leaves.

        Raises
        ------
        FileProblem
            It cannot be written: then nothing may leave.
        LedgerRestored
            Another copy of this node wrote there meanwhile what the ledger does not contain.

        """
        if self._file is None:
            return
        with self._turn:  # one after the other, so that an older one never takes a newer one's place
            self._look_again(self._file)
            self.check()
            content = self.tell().SerializeToString()
            if content != self._in_file:
                write_durably(self._file, content, mode=PRIVATE_MODE, replace=True)
                self._in_file = content

    def _verified(self, record: signed_pb2.WitnessRecord) -> Witness:
        """What a record says, when this department's node signed it."""
        return verify_witness(
            signed_from(record.witness),
            self._state.department,
            own=self._key().public,
            appointments=[signed_from(message) for message in record.appointments],
            trusted=self._trust.is_trusted,
        )

    def _look_again(self, file: Path) -> None:
        """Let the file be read anew where it is not what was read or written here: another copy wrote it."""
        try:
            self._file_read = file.read_bytes() == self._in_file
        except FileNotFoundError:
            self._in_file = b""  # write it again
        except OSError:
            self._file_read = False  # reading says why

    def _read_file(self) -> None:
        """Hear what the file says, once. It is in the department's own hands: whoever signed it counts."""
        if self._file_read or self._file is None:
            return
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            WITNESS_FILE_MISSING()
            self._file_read = True
            return
        except OSError as problem:
            raise FileProblem(f"{self._file} cannot be read: {problem.strerror}.") from None
        try:
            if len(content) > FILE_BYTES_MAX:
                raise ValueError  # noqa: TRY301 # one more way of being no witness
            message = signed_pb2.Signed.FromString(content)
            witness = decode_witness(signed_from(message).verify(Context.WITNESS))
            if witness.department != self._state.department:
                raise ValueError  # noqa: TRY301 # another department's
        except (FedstatsError, ValueError):
            raise FileProblem(
                f"{self._file} holds no witness of {self._state.department}'s ledger.",
                remedy="Put the right file back, or name another one under [witness] in node.toml.",
            ) from None
        self._take(witness, message)
        self._file_read, self._in_file = True, content

    def _take(self, witness: Witness, signed: signed_pb2.Signed) -> None:
        """Remember a verified witness that is not contained, so that no silence later makes up for it."""
        if self._ledger.contains(witness):
            return
        if self._ledger.tip().links == 0:
            self._carry(witness, signed)
            return
        alarm(LedgerRestored())
        with self._state.change() as sqlite:
            heard = [known for _, known in _heard(sqlite)]
            if any(known.contains(witness) for known in heard):
                return
            gone = [(known.ledger, known.tip.head) for known in heard if witness.contains(known)]
            sqlite.executemany("DELETE FROM heard WHERE ledger = ? AND head = ?", gone)
            row = (witness.ledger, witness.tip.head, signed.SerializeToString())
            sqlite.execute("INSERT INTO heard VALUES (?, ?, ?)", row)

    def _carry(self, witness: Witness, signed: signed_pb2.Signed) -> bool:
        """Carry a ledger forward; False if it is contained by now."""
        carried = self._ledger.carry(witness, signed.SerializeToString(), now_s=int(self._now()))
        if carried:
            LEDGER_CARRIED(links=witness.links)
        return carried

    def _sentence(self, witness: Witness) -> str:
        at = minute_of(witness.at_s)
        own = self._ledger.witness(self._state.department, now_s=0)
        if witness.ledger == own.ledger and witness.links > own.links:
            return (
                f"The ledger is older than its witness of {at}: it has {own.links} links, the witness"
                f" {witness.links}. A copy from a backup was put in its place."
            )
        return (
            f"A witness of {at} is of another ledger of {witness.department} than the one that is here:"
            " this is an older copy, or another copy of this node has answered."
        )


def _heard(sqlite: sqlite3.Connection) -> list[tuple[signed_pb2.Signed, Witness]]:
    rows = sqlite.execute("SELECT signed FROM heard ORDER BY ledger, head").fetchall()
    heard = [signed_pb2.Signed.FromString(signed) for (signed,) in rows]
    return [(signed, decode_witness(signed.payload)) for signed in heard]

"""How far each department's ledger had come when its node last said so: kept, and never an older one instead.

Nobody has to believe the coordinator about it: a witness is signed by the node, and whoever is shown one
verifies it. All that a hostile coordinator can do is to keep silent. A stolen certificate can do no more: it
shows witnesses, but without a key that was appointed it takes the place of none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import lru_cache

from fedstats.coordinator.store_file import StoreFile
from fedstats.core.witness import Witness
from fedstats.errors import TooLarge
from fedstats.wire.codec import decode_witness
from fedstats.wire.v1 import signed_pb2

LEDGERS_EACH_MAX = 8
"""Of one department, that were not carried forward yet: there is one, and two after a restore."""
BYTES_MAX = 200_000
"""Of one witness: with as many totals as one can have, each of an ordinary length."""
DECODED_MAX = 64

Appointed = Callable[[bytes], bool]
"""Whether a key was ever appointed as the department's node."""


class Witnesses:
    """The newest witness of each ledger, by department and by the key that signed it.

    Of a ledger that was copied and went two ways, that of each way.
    """

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def keep(
        self, witness: Witness, signed: signed_pb2.Signed, now_s: float, *, appointed: Appointed
    ) -> None:
        """Keep a witness, whose signature was verified, unless one that contains it is here.

        Those that it contains are forgotten: it says what they said. That needs a key that was appointed:
        others say nothing that counts, and make room where the department has shown too many. Of two copies
        that went different ways neither contains the other, whichever is longer: both are kept until one
        carries the other forward.

        Raises
        ------
        TooLarge
            The witness is too large, or the department has shown too many ledgers.

        """
        if len(signed.payload) > BYTES_MAX:
            raise TooLarge(f"A witness has at most {BYTES_MAX:,} bytes.")
        if self._is_known(witness, signed.key):
            return
        with self._file.transaction() as db:
            counts = appointed(signed.key)
            for known in self.signed(witness.department):
                said, own = _decoded(known.payload), known.key == signed.key
                if (own or appointed(known.key)) and said.contains(witness):
                    return
                if (own or counts) and witness.contains(said):
                    _forget(db, known)
            row = (*_place(witness, signed.key), signed.SerializeToString(), int(now_s))
            db.execute("INSERT INTO witnesses VALUES (?, ?, ?, ?, ?, ?)", row)
            self._make_room(db, witness.department, appointed)

    def signed(self, department: str) -> list[signed_pb2.Signed]:
        """All witnesses of a department, as they were signed, the oldest first."""
        rows = self._file.rows(
            "SELECT signed FROM witnesses WHERE department = ? ORDER BY at_s, ledger, key, head", department
        )
        return [signed_pb2.Signed.FromString(row["signed"]) for row in rows]

    def all(self, department: str) -> list[Witness]:
        """What they say."""
        return [_decoded(signed.payload) for signed in self.signed(department)]

    def not_in(self, department: str, witness: Witness | None) -> list[signed_pb2.Signed]:
        """The witnesses that say something which this one does not contain; all where it is None."""
        sql = "SELECT COUNT(*) AS n, MAX(head) AS head FROM witnesses WHERE department = ?"
        row = self._file.row(sql, department)
        if row is None or (witness is not None and row["n"] == 1 and row["head"] == witness.tip.head):
            return []  # as nearly always, and asked for at every lease
        found = self.signed(department)
        return [s for s in found if witness is None or not witness.contains(_decoded(s.payload))]

    def _make_room(self, db: sqlite3.Connection, department: str, appointed: Appointed) -> None:
        """Forget what counts nothing where there are too many; raises TooLarge where that is not enough."""
        known = self.signed(department)
        strangers = [signed for signed in known if not appointed(signed.key)]
        surplus = len(known) - LEDGERS_EACH_MAX
        if surplus > len(strangers):
            raise TooLarge(f"{department} has shown more than {LEDGERS_EACH_MAX} ledgers.")
        for signed in strangers[: max(surplus, 0)]:
            _forget(db, signed)

    def _is_known(self, witness: Witness, key: bytes) -> bool:
        """Whether this key told this very place of the ledger before, as nearly always."""
        sql = "SELECT 1 FROM witnesses WHERE department = ? AND ledger = ? AND key = ? AND head = ?"
        return self._file.row(sql, *_place(witness, key)) is not None


def _forget(db: sqlite3.Connection, signed: signed_pb2.Signed) -> None:
    sql = "DELETE FROM witnesses WHERE department = ? AND ledger = ? AND key = ? AND head = ?"
    db.execute(sql, _place(_decoded(signed.payload), signed.key))


def _place(witness: Witness, key: bytes) -> tuple[str, bytes, bytes, bytes]:
    return witness.department, witness.ledger, key, witness.tip.head


@lru_cache(maxsize=DECODED_MAX)
def _decoded(payload: bytes) -> Witness:
    """What a stored witness says. Department by department they are looked at again at every lease."""
    return decode_witness(payload)

"""How far each department's ledger had come when its node last said so: kept, and never an older one instead.

Nobody has to believe the coordinator about it: a witness is signed by the node, and whoever is shown one
verifies it. All that a hostile coordinator can do is to keep silent.
"""

from __future__ import annotations

import sqlite3

from fedstats.coordinator.store_file import StoreFile
from fedstats.core.witness import Witness
from fedstats.errors import TooLarge
from fedstats.wire.codec import decode_witness
from fedstats.wire.v1 import signed_pb2

LEDGERS_EACH_MAX = 64
"""Of one department, that were not carried forward yet: there is one, and two after a restore."""


class Witnesses:
    """The greatest witness of each ledger, by department."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def keep(self, witness: Witness, signed: signed_pb2.Signed, now_s: float) -> None:
        """Keep a witness, whose signature was verified, unless one that is not older is here.

        Ledgers that it carried forward are forgotten: it says what they said.

        Raises
        ------
        TooLarge
            The department has shown too many ledgers.

        """
        if self._is_known(witness):
            return
        with self._file.transaction() as db:
            if self._is_known(witness):
                return
            for known in self.all(witness.department):
                if known.ledger != witness.ledger and witness.contains(known):
                    _forget(db, known)
            db.execute(
                "INSERT INTO witnesses VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (department, ledger) DO UPDATE SET links = excluded.links,"
                " head = excluded.head, signed = excluded.signed, at_s = excluded.at_s",
                (
                    witness.department,
                    witness.ledger,
                    witness.links,
                    witness.tip.head,
                    signed.SerializeToString(),
                    int(now_s),
                ),
            )
            if len(self.all(witness.department)) > LEDGERS_EACH_MAX:
                raise TooLarge(f"{witness.department} has shown more than {LEDGERS_EACH_MAX} ledgers.")

    def signed(self, department: str) -> list[signed_pb2.Signed]:
        """All witnesses of a department, as they were signed."""
        rows = self._file.rows(
            "SELECT signed FROM witnesses WHERE department = ? ORDER BY ledger", department
        )
        return [signed_pb2.Signed.FromString(row["signed"]) for row in rows]

    def all(self, department: str) -> list[Witness]:
        """What they say."""
        return [decode_witness(signed.payload) for signed in self.signed(department)]

    def not_in(self, department: str, witness: Witness | None) -> list[signed_pb2.Signed]:
        """The witnesses that say something which this one does not contain; all where it is None."""
        sql = "SELECT COUNT(*) AS n, MAX(head) AS head FROM witnesses WHERE department = ?"
        row = self._file.row(sql, department)
        if row is None or (witness is not None and row["n"] == 1 and row["head"] == witness.tip.head):
            return []  # as nearly always, and asked for at every lease
        found = self.signed(department)
        return [s for s in found if witness is None or not witness.contains(decode_witness(s.payload))]

    def _is_known(self, witness: Witness) -> bool:
        """Whether a witness of the same ledger that is not older is here."""
        row = self._file.row(
            "SELECT links FROM witnesses WHERE department = ? AND ledger = ?",
            witness.department,
            witness.ledger,
        )
        return row is not None and int(row["links"]) >= witness.links


def _forget(db: sqlite3.Connection, witness: Witness) -> None:
    db.execute(
        "DELETE FROM witnesses WHERE department = ? AND ledger = ?", (witness.department, witness.ledger)
    )

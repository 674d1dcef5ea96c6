"""The budget ledger: what was spent, and the one release that was ever made of each computation.

Charge before you look, record before you send. The order is the guarantee:

    bind     this round of this query is this content, for ever
    find     a recorded release answers again, free
    reserve  check both limits and the pace, and charge both, in one durable transaction; once per computation
    record   the release, once; what `record` returns is what may be sent

Every row is a link of one chain (`ledger_file`), so that a flipped bit, and a copy that went another way, are
found. A copy that is merely older is not: that takes a witness elsewhere (`witness`).

A crash after `reserve` wastes the charge at most: the same round asked again computes under the same charge.
Checking and charging in one transaction is what makes the filter sound for questions that depend on earlier
answers (Feldman and Zrnic 2021; Whitehouse, Ramdas, Rogers and Wu 2023). What was spent never falls.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from fedstats.core.privacy import NO_LOSS, Loss, Mechanism
from fedstats.core.query import RoundOrder
from fedstats.core.witness import LEDGER_ID_BYTES, Mark, Witness
from fedstats.errors import (
    BudgetExceeded,
    LedgerBusy,
    LedgerCorrupt,
    LifetimeExceeded,
    RoundConflict,
)
from fedstats.node.caps import Cap, CapKind, CapStatus
from fedstats.node.carrying import Carriage, carriages, contained, missing, witness_of
from fedstats.node.database import Database
from fedstats.node.ledger_file import (
    SCHEMA,
    VERSION,
    append,
    check_release,
    check_tip,
    loss_of,
    losses_text,
    tip,
    totals,
    verify,
)
from fedstats.node.pace import PaceLimit, PaceStatus, latest_s, pace_status

_ENTRY_COLUMNS = (
    "number, at_s, agreement, version, namespace, dataset, edition, purpose, analyst, query, round, "
    "computation, rho, delta_add"
)
_RECORDED = "EXISTS (SELECT 1 FROM release WHERE release.computation = entry.computation)"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one computation costs and for whom it was made. `loss` is the round's, over the federation.

    `pace` is the agreement's, None where it sets none.
    """

    computation: bytes
    agreement: Cap
    lifetime: Cap
    loss: Loss
    mechanism: Mechanism
    share: Fraction
    query: bytes
    round: int
    agreement_version: int
    dataset: str
    edition: str
    purpose: str
    analyst: str
    pace: PaceLimit | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One charge as the ledger keeps it; `recorded` says whether its release was made."""

    loss: Loss
    recorded: bool
    number: int
    at_s: int
    agreement: str
    agreement_version: int
    namespace: str
    dataset: str
    edition: str
    purpose: str
    analyst: str
    query: bytes
    round: int
    computation: bytes


class Ledger:
    """The file `ledger.sqlite`. Its methods are one transaction each."""

    def __init__(self, path: Path) -> None:
        """Open the ledger and check it.

        Raises
        ------
        LedgerCorrupt
            It is missing, damaged, or its totals are not those of its entries.
        LedgerBusy
            It cannot be opened for writing.

        """
        self._database = Database(path, version=VERSION, busy=LedgerBusy, damaged=LedgerCorrupt)
        try:
            self.verify()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def create(path: Path) -> bool:
        """Make an empty ledger, when a node joins; False if there is one already.

        Never made anywhere else: a ledger that is lost is not replaced by one that says nothing was spent.
        """
        id_ = secrets.token_hex(LEDGER_ID_BYTES)
        schema = f"{SCHEMA} INSERT INTO ledger VALUES (X'{id_}');"  # noqa: S608 # hexadecimal digits
        return Database.create(path, schema, version=VERSION)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def bind(self, query: bytes, order: RoundOrder, *, content: bytes) -> None:
        """Fix what this round of this query is; the same again changes nothing.

        Raises
        ------
        RoundConflict
            This round was seen with other content, comes before an earlier one or asks a department that the
            one before did not ask, or the query's rounds would share out more than its loss.

        """
        number, share = order.number, order.round.share
        with self._change() as sqlite:
            seen = {
                found: (known, Fraction(part), frozenset(asked.split()))
                for found, known, part, asked in sqlite.execute(
                    "SELECT number, content, share, participants FROM round WHERE query = ?", (query,)
                )
            }
            if number in seen:
                if seen[number][0] != content:
                    raise RoundConflict(f"Round {number} of this query was presented with other content.")
                return
            if number > 0:
                if number - 1 not in seen:
                    raise RoundConflict(f"Round {number} of this query comes before round {number - 1}.")
                if set(order.participants) - seen[number - 1][2]:
                    raise RoundConflict("A later round asks a department that the one before did not ask.")
            if share + sum(part for _, part, _ in seen.values()) > 1:
                raise RoundConflict("The rounds of this query would use more than the loss it announced.")
            asked = " ".join(order.participants)  # names hold no space
            row = {"query": query, "number": number, "content": content, "share": str(share)}
            append(sqlite, "round", {**row, "participants": asked})

    def find(self, computation: bytes) -> bytes | None:
        """The recorded release of this computation, None if there is none."""
        with self._database.look() as sqlite:
            return _release(sqlite, computation, self._database.path)

    def charged_by(self, computation: bytes) -> tuple[bytes, int] | None:
        """The query and the round that this computation was charged for, None if it never was."""
        with self._database.look() as sqlite:
            sql = "SELECT query, round FROM entry WHERE computation = ?"
            row = sqlite.execute(sql, (computation,)).fetchone()
        return None if row is None else (bytes(row[0]), int(row[1]))

    def charged_for(self, query: bytes, number: int) -> bytes | None:
        """The newest computation that this round was charged for, None if it was charged for none."""
        with self._database.look() as sqlite:
            sql = "SELECT computation FROM entry WHERE query = ? AND round = ? ORDER BY number DESC LIMIT 1"
            row = sqlite.execute(sql, (query, number)).fetchone()
        return None if row is None else bytes(row[0])

    def reserve(self, charge: Charge, *, now_s: int) -> bool:
        """Check both limits and charge both; False if this computation was charged before, which is free.

        Raises
        ------
        BudgetExceeded, LifetimeExceeded
            The loss does not fit into what is left. Nothing was charged.
        PaceExceeded
            It would, but not at the agreement's pace. Nothing was charged.
        LedgerBusy
            The charge could not be made durable (the disk is full, say). Nothing may be computed.

        """
        with self._change() as sqlite:
            known = "SELECT 1 FROM entry WHERE computation = ?"
            if sqlite.execute(known, (charge.computation,)).fetchone():
                return False
            for cap, refusal in ((charge.agreement, BudgetExceeded), (charge.lifetime, LifetimeExceeded)):
                status = CapStatus(cap, _spent(sqlite, cap.kind, cap.name))
                if not status.admits(charge.loss):
                    raise refusal(status.excess(charge.loss, mechanism=charge.mechanism, share=charge.share))
                _set_total(sqlite, cap.kind.value, cap.name, status.spent + charge.loss)
            if charge.pace is not None:
                paced = pace_status(sqlite, charge.pace, now_s)
                paced.check(charge.loss.rho, mechanism=charge.mechanism, share=charge.share)
            _enter(sqlite, charge, latest_s(sqlite, now_s))
        return True

    def record(self, computation: bytes, release: bytes, *, now_s: int) -> bytes:
        """Record the release of a charged computation and return THE release: the first that was recorded.

        Two workers may have computed the same thing with different noise; only one of the two ever leaves.

        Raises
        ------
        LedgerBusy
            The record could not be made durable. The release must not be sent.
        InternalError
            The computation was never charged.

        """
        with self._change() as sqlite:
            first = _release(sqlite, computation, self._database.path)
            if first is None:
                append(sqlite, "release", {"computation": computation, "bytes": release, "at_s": now_s})
            return release if first is None else first

    def status(self, caps: Iterable[Cap]) -> tuple[CapStatus, ...]:
        """What was spent of each of these limits."""
        with self._database.look() as sqlite:
            return tuple(CapStatus(cap, _spent(sqlite, cap.kind, cap.name)) for cap in caps)

    def pace_status(self, pace: PaceLimit, *, now_s: int) -> PaceStatus:
        """What counts towards a pace now."""
        with self._database.look() as sqlite:
            return pace_status(sqlite, pace, now_s)

    def totals(self) -> Mapping[tuple[CapKind, str], Loss]:
        """What was spent under every limit that was ever charged, known here today or not."""
        with self._database.look() as sqlite:
            return {(CapKind(kind), name): loss for (kind, name), loss in totals(sqlite).items()}

    def entries(self) -> tuple[Entry, ...]:
        """Every charge, in the order in which they were made."""
        with self._database.look() as sqlite:
            return tuple(_entries(sqlite))

    def carriages(self) -> tuple[Carriage, ...]:
        """The other ledgers that were carried forward into this one, in that order."""
        with self._database.look() as sqlite:
            return carriages(sqlite)

    def witness(self, department: str, *, now_s: int) -> Witness:
        """What others are to remember of this ledger as it is now."""
        with self._database.look() as sqlite:
            return witness_of(sqlite, department, now_s)

    def tip(self) -> Mark:
        """Where the chain ends now."""
        with self._database.look() as sqlite:
            return tip(sqlite)

    def contains(self, witness: Witness) -> bool:
        """Whether all that the witness says was spent is in the totals here.

        It is when the chain goes through the witness's tip, or when that ledger was carried forward from
        there or from later on.
        """
        with self._database.look() as sqlite:
            return contained(sqlite, witness)

    def carry(self, witness: Witness, signed: bytes, *, now_s: int) -> bool:
        """Carry another ledger's spending forward, if it is not contained yet; False if it is.

        Afterwards every total is at least what the witness says, and besides what was charged here since the
        two ways parted. The ledger gets a new id, so that neither of the old ones ever passes for this one.

        Raises
        ------
        LedgerBusy
            It could not be made durable: nothing was changed, type it again.

        """
        with self._change() as sqlite:
            if contained(sqlite, witness):
                return False
            epoch = witness_of(sqlite, witness.department, now_s).epoch
            losses, spent = missing(sqlite, witness), totals(sqlite)
            for (kind, name), loss in losses.items():
                _set_total(sqlite, kind, name, spent.get((kind, name), NO_LOSS) + loss)
            row = {
                "at_s": latest_s(sqlite, now_s),
                "epoch": max(epoch, witness.epoch) + 1,
                "id": secrets.token_bytes(LEDGER_ID_BYTES),
                "witness": signed,
                "losses": losses_text(losses),
            }
            append(sqlite, "carried", row)
        return True

    def verify(self) -> None:
        """Check the file, and compute the chain and all totals anew from the rows.

        Raises
        ------
        LedgerCorrupt
            The file is damaged, or something in it is not what was written.

        """
        with self._database.look() as sqlite:
            verify(sqlite, self._database.path)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One durable change of a ledger whose totals are those that it committed to last."""
        with self._database.change() as sqlite:
            check_tip(sqlite, self._database.path)
            yield sqlite


def _release(sqlite: sqlite3.Connection, computation: bytes, path: Path) -> bytes | None:
    row = sqlite.execute(
        "SELECT link, computation, bytes, at_s FROM release WHERE computation = ?", (computation,)
    ).fetchone()
    if row is None:
        return None
    check_release(sqlite, path, row[0], row[1:])
    return bytes(row[2])


def _spent(sqlite: sqlite3.Connection, kind: CapKind, name: str) -> Loss:
    row = sqlite.execute(
        "SELECT rho, delta_add FROM total WHERE kind = ? AND name = ?", (kind.value, name)
    ).fetchone()
    return NO_LOSS if row is None else loss_of(*row)


def _set_total(sqlite: sqlite3.Connection, kind: str, name: str, spent: Loss) -> None:
    sqlite.execute(
        "INSERT INTO total VALUES (?, ?, ?, ?) "
        "ON CONFLICT (kind, name) DO UPDATE SET rho = excluded.rho, delta_add = excluded.delta_add",
        (kind, name, str(spent.rho), str(spent.delta_add)),
    )


def _enter(sqlite: sqlite3.Connection, charge: Charge, now_s: int) -> None:
    (last,) = sqlite.execute("SELECT COALESCE(MAX(number), 0) FROM entry").fetchone()
    row = {
        "number": last + 1,
        "at_s": now_s,
        "agreement": charge.agreement.name,
        "version": charge.agreement_version,
        "namespace": charge.lifetime.name,
        "dataset": charge.dataset,
        "edition": charge.edition,
        "purpose": charge.purpose,
        "analyst": charge.analyst,
        "query": charge.query,
        "round": charge.round,
        "computation": charge.computation,
        "rho": str(charge.loss.rho),
        "delta_add": str(charge.loss.delta_add),
    }
    append(sqlite, "entry", row)


def _entries(sqlite: sqlite3.Connection) -> Iterator[Entry]:
    rows = sqlite.execute(f"SELECT {_ENTRY_COLUMNS}, {_RECORDED} FROM entry ORDER BY number")  # noqa: S608 # constants
    for *facts, rho, delta_add, recorded in rows:
        yield Entry(loss_of(rho, delta_add), bool(recorded), *facts)

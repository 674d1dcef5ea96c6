"""The budget ledger: what was spent, and the one release that was ever made of each computation.

Charge before you look, record before you send. The order is the guarantee:

    bind     this round of this query is this content, for ever
    find     a recorded release answers again, free
    reserve  check both limits and charge both, in one durable transaction; once per computation
    record   the release, once; what `record` returns is what may be sent

A crash after `reserve` wastes the charge at most: the same round asked again computes under the same charge.
Checking and charging in one transaction is what makes the filter sound for questions that depend on earlier
answers (Feldman and Zrnic 2021; Whitehouse, Ramdas, Rogers and Wu 2023). What was spent never falls.
"""

from __future__ import annotations

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
from fedstats.errors import (
    BudgetExceeded,
    LedgerBusy,
    LedgerCorrupt,
    LifetimeExceeded,
    RoundConflict,
    UsageError,
)
from fedstats.node.caps import Cap, CapKind, CapStatus
from fedstats.node.database import Database

VERSION = 1

_SCHEMA = """
CREATE TABLE round (
  query BLOB NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, share TEXT NOT NULL,
  participants TEXT NOT NULL,
  PRIMARY KEY (query, number));
CREATE TABLE entry (
  number INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, agreement TEXT NOT NULL, version INTEGER NOT NULL,
  namespace TEXT NOT NULL, dataset TEXT NOT NULL, edition TEXT NOT NULL, purpose TEXT NOT NULL,
  analyst TEXT NOT NULL, query BLOB NOT NULL, round INTEGER NOT NULL, computation BLOB NOT NULL UNIQUE,
  rho TEXT NOT NULL, delta_add TEXT NOT NULL);
CREATE TABLE release (
  computation BLOB PRIMARY KEY REFERENCES entry (computation), bytes BLOB NOT NULL, at_s INTEGER NOT NULL);
CREATE TABLE total (
  kind TEXT NOT NULL, name TEXT NOT NULL, rho TEXT NOT NULL, delta_add TEXT NOT NULL,
  PRIMARY KEY (kind, name));
"""
_UNCHANGING = "".join(
    f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, 'what the ledger says never changes'); END;\n"
    for table, verbs in {
        "round": ("UPDATE", "DELETE"),
        "entry": ("UPDATE", "DELETE"),
        "release": ("UPDATE", "DELETE"),
        "total": ("DELETE",),
    }.items()
    for verb in verbs
)
_ENTRY_COLUMNS = (
    "number, at_s, agreement, version, namespace, dataset, edition, purpose, analyst, query, round, "
    "computation, rho, delta_add"
)
_RECORDED = "EXISTS (SELECT 1 FROM release WHERE release.computation = entry.computation)"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one computation costs and for whom it was made. `loss` is the round's, over the federation."""

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
        self.verify()

    @staticmethod
    def create(path: Path) -> bool:
        """Make an empty ledger, when a node joins; False if there is one already.

        Never made anywhere else: a ledger that is lost is not replaced by one that says nothing was spent.
        """
        return Database.create(path, _SCHEMA + _UNCHANGING, version=VERSION)

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
        with self._database.change() as sqlite:
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
            sqlite.execute(
                "INSERT INTO round VALUES (?, ?, ?, ?, ?)", (query, number, content, str(share), asked)
            )

    def find(self, computation: bytes) -> bytes | None:
        """The recorded release of this computation, None if there is none."""
        with self._database.look() as sqlite:
            return _release(sqlite, computation)

    def reserve(self, charge: Charge, *, now_s: int) -> bool:
        """Check both limits and charge both; False if this computation was charged before, which is free.

        Raises
        ------
        BudgetExceeded, LifetimeExceeded
            The loss does not fit into what is left. Nothing was charged.
        LedgerBusy
            The charge could not be made durable (the disk is full, say). Nothing may be computed.

        """
        with self._database.change() as sqlite:
            known = "SELECT 1 FROM entry WHERE computation = ?"
            if sqlite.execute(known, (charge.computation,)).fetchone():
                return False
            for cap, refusal in ((charge.agreement, BudgetExceeded), (charge.lifetime, LifetimeExceeded)):
                status = CapStatus(cap, _spent(sqlite, cap.kind, cap.name))
                if not status.admits(charge.loss):
                    raise refusal(status.excess(charge.loss, mechanism=charge.mechanism, share=charge.share))
                _set_total(sqlite, cap, status.spent + charge.loss)
            _enter(sqlite, charge, now_s)
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
        with self._database.change() as sqlite:
            first = _release(sqlite, computation)
            if first is None:
                sqlite.execute("INSERT INTO release VALUES (?, ?, ?)", (computation, release, now_s))
            return release if first is None else first

    def status(self, caps: Iterable[Cap]) -> tuple[CapStatus, ...]:
        """What was spent of each of these limits."""
        with self._database.look() as sqlite:
            return tuple(CapStatus(cap, _spent(sqlite, cap.kind, cap.name)) for cap in caps)

    def totals(self) -> Mapping[tuple[CapKind, str], Loss]:
        """What was spent under every limit that was ever charged, known here today or not."""
        with self._database.look() as sqlite:
            rows = sqlite.execute("SELECT kind, name, rho, delta_add FROM total ORDER BY kind, name")
            return {(CapKind(kind), name): _loss(rho, delta) for kind, name, rho, delta in rows}

    def entries(self) -> tuple[Entry, ...]:
        """Every charge, in the order in which they were made."""
        with self._database.look() as sqlite:
            return tuple(_entries(sqlite))

    def verify(self) -> None:
        """Compute all totals anew from the entries.

        Raises
        ------
        LedgerCorrupt
            The file is damaged, or its totals are not those of its entries.

        """
        with self._database.look() as sqlite, _reading(self._database.path):
            (sound,) = sqlite.execute("PRAGMA quick_check").fetchone()
            if sound != "ok" or sqlite.execute("PRAGMA foreign_key_check").fetchone():
                raise LedgerCorrupt(f"{self._database.path} is damaged.")
            computed: dict[tuple[str, str], Loss] = {}
            for entry in _entries(sqlite):
                for cap in (
                    (CapKind.AGREEMENT.value, entry.agreement),
                    (CapKind.LIFETIME.value, entry.namespace),
                ):
                    computed[cap] = computed.get(cap, NO_LOSS) + entry.loss
            rows = sqlite.execute("SELECT kind, name, rho, delta_add FROM total").fetchall()
            if {(kind, name): _loss(rho, delta) for kind, name, rho, delta in rows} != computed:
                raise LedgerCorrupt(f"The totals in {self._database.path} are not those of its entries.")


def _release(sqlite: sqlite3.Connection, computation: bytes) -> bytes | None:
    row = sqlite.execute("SELECT bytes FROM release WHERE computation = ?", (computation,)).fetchone()
    return None if row is None else bytes(row[0])


def _spent(sqlite: sqlite3.Connection, kind: CapKind, name: str) -> Loss:
    row = sqlite.execute(
        "SELECT rho, delta_add FROM total WHERE kind = ? AND name = ?", (kind.value, name)
    ).fetchone()
    return NO_LOSS if row is None else _loss(*row)


def _set_total(sqlite: sqlite3.Connection, cap: Cap, spent: Loss) -> None:
    sqlite.execute(
        "INSERT INTO total VALUES (?, ?, ?, ?) "
        "ON CONFLICT (kind, name) DO UPDATE SET rho = excluded.rho, delta_add = excluded.delta_add",
        (cap.kind.value, cap.name, str(spent.rho), str(spent.delta_add)),
    )


def _enter(sqlite: sqlite3.Connection, charge: Charge, now_s: int) -> None:
    values = (
        None,  # the next number
        now_s,
        charge.agreement.name,
        charge.agreement_version,
        charge.lifetime.name,
        charge.dataset,
        charge.edition,
        charge.purpose,
        charge.analyst,
        charge.query,
        charge.round,
        charge.computation,
        str(charge.loss.rho),
        str(charge.loss.delta_add),
    )
    marks = ", ".join("?" * len(values))
    sqlite.execute(f"INSERT INTO entry ({_ENTRY_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 # constants


def _entries(sqlite: sqlite3.Connection) -> Iterator[Entry]:
    rows = sqlite.execute(f"SELECT {_ENTRY_COLUMNS}, {_RECORDED} FROM entry ORDER BY number")  # noqa: S608 # constants
    for *facts, rho, delta_add, recorded in rows:
        yield Entry(_loss(rho, delta_add), bool(recorded), *facts)


def _loss(rho: str, delta_add: str) -> Loss:
    """Exact numbers are kept as text: `1/40`."""
    return Loss(Fraction(rho), Fraction(delta_add))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Text that is no number, in a file that SQLite finds sound, was put there by somebody."""
    try:
        yield
    except (ValueError, ZeroDivisionError, UsageError):
        raise LedgerCorrupt(f"{path} holds what fedstats never wrote.") from None

"""One SQLite file: opened, checked, and changed in transactions that are durable when they return."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedstats.coordinator.store_schema import APPLICATION_ID, SCHEMA, VERSION
from fedstats.core.log_head import LOG_ID_BYTES
from fedstats.errors import AlreadyExists, CoordinatorUnreachable, FileProblem
from fedstats.journal.events import STORE_FAILED
from fedstats.transparency.stored import SCHEMA as LOG_SCHEMA

BUSY_S = 10.0
"""How long to wait for another process: `fedstats coordinator invite` writes beside a running coordinator."""

IN_MEMORY = Path(":memory:")
_MARKS = ("application_id", "user_version")

Value = str | int | float | bytes | None


class StoreFile:
    """A connection to the store. Used by one thread at a time; the thread may change."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Keep an open connection; `create` and `open` make it."""
        self._connection = connection
        self._is_together = False
        self._is_lost = False

    @classmethod
    def create(cls, path: Path) -> StoreFile:
        """Make an empty store, readable by its owner only; `IN_MEMORY` for simulations.

        Raises
        ------
        AlreadyExists
            The file is there.
        FileProblem
            The folder cannot be written.

        """
        if path == IN_MEMORY:
            connection = _connected(path)
            _fill(connection)
            return cls(connection)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            beside.touch(mode=0o600, exist_ok=False)
            _fill(filling := sqlite3.connect(beside, isolation_level=None))
            filling.close()
            path.hardlink_to(beside)  # complete or absent, and never in the place of another store
        except FileExistsError:
            raise AlreadyExists(f"{path} exists already and is not overwritten.") from None
        except OSError as problem:
            raise FileProblem(f"{path} cannot be written: {problem.strerror}.") from None
        finally:
            beside.unlink(missing_ok=True)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> StoreFile:
        """Open a store that `create` made.

        Raises
        ------
        FileProblem
            The file is missing, is no store, or was written by a newer version.

        """
        if not path.is_file():
            raise FileProblem(
                f"{path} is missing.", remedy="Type: fedstats coordinator init --host NAME:PORT"
            )
        connection = sqlite3.connect(path)
        try:
            marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS]
        except sqlite3.Error as problem:
            raise FileProblem(f"{path} cannot be opened as a store ({problem}).") from None
        finally:
            connection.close()
        if marks[0] != APPLICATION_ID:
            raise FileProblem(f"{path} is not the store of a coordinator.")
        if marks[1] != VERSION:
            raise FileProblem(
                f"{path} is of version {marks[1]}, and this fedstats knows version {VERSION}.",
                remedy="Install the fedstats that wrote it, or a newer one.",
            )
        return cls(_connected(path))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens and is on the disk afterwards, or nothing of it.

        Inside `together` it is on the disk when that ends.

        Raises
        ------
        CoordinatorUnreachable
            The disk is full, or another process holds the store: trying again later may help.

        """
        with _translated(), self._part() if self._is_together else self._whole():
            yield self._connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the transactions inside durable at once, at the end: waiting for the disk is what takes time.

        One that fails inside takes nothing with it, unless SQLite had to give up all of them.

        Raises
        ------
        CoordinatorUnreachable
            What was done could not be made durable: nothing of it happened.

        """
        self._is_together, self._is_lost = True, False
        try:
            yield
            with _translated():
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
                if self._is_lost:
                    raise sqlite3.OperationalError(
                        "a transaction that others shared was given up"
                    )  # as SQLite would
        finally:
            self._is_together = False
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _part(self) -> Iterator[None]:
        """One transaction of several that are committed together."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("SAVEPOINT part")
        try:
            yield
            self._connection.execute("RELEASE part")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            else:  # a full disk ends the transaction of all
                self._is_lost = True
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for reads that others write the statements of.

        Raises
        ------
        CoordinatorUnreachable
            Another process holds the store: trying again later may help.

        """
        with _translated():
            yield self._connection

    def rows(self, sql: str, *values: Value) -> list[sqlite3.Row]:
        """All rows that a SELECT finds."""
        try:  # asked several times in every call, so without a block of its own
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as problem:
            raise _unusable(problem) from None

    def row(self, sql: str, *values: Value) -> sqlite3.Row | None:
        """The first row that a SELECT finds."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def damage(self) -> str:
        """What SQLite's own check finds wrong with the file; empty if nothing."""
        try:
            said = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check(5)")]
        except sqlite3.Error as problem:
            return str(problem)
        return "" if said == ["ok"] else "; ".join(said)


def _fill(connection: sqlite3.Connection) -> None:
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    connection.executescript(f"BEGIN IMMEDIATE; {marks} {SCHEMA} {LOG_SCHEMA} COMMIT;")
    # Random, so that a register begun anew is never taken for the one before it; no secret, and no noise.
    connection.execute("INSERT INTO register_log VALUES (1, ?)", (secrets.token_bytes(LOG_ID_BYTES),))


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # after a power cut too, what was answered is there
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    """A full disk or a locked file is nobody's mistake at the other end, and may pass."""
    try:
        yield
    except sqlite3.OperationalError as problem:
        raise _unusable(problem) from None


def _unusable(problem: sqlite3.OperationalError) -> CoordinatorUnreachable:
    STORE_FAILED(problem=problem, places=problem)
    return CoordinatorUnreachable(
        "The coordinator cannot use its store at the moment; its log says why.",
        remedy="Try again later, or tell whoever runs the coordinator.",
    )

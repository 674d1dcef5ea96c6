"""One SQLite file that survives kill -9 and power cuts; every change is one transaction."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from fedstats.errors import FedstatsError, FileProblem, InternalError

BUSY_S = 10.0  # how long a transaction waits for another process's
PRIVATE_MODE = 0o600


class Database:
    """A connection that the threads of one process share; other processes may have their own.

    A transaction that cannot be written raises `busy`, a damaged file `damaged`; after either nothing of the
    transaction is in the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        busy: type[FedstatsError] = FileProblem,
        damaged: type[FedstatsError] = FileProblem,
    ) -> None:
        """Open the file, which `create` has made.

        Raises
        ------
        FedstatsError
            `damaged`: the file is missing, is no database, or is one of another version; `busy`: it cannot be
            opened for writing.

        """
        self.path = path
        self._busy, self._damaged = busy, damaged
        self._turn = threading.Lock()
        if not path.exists():
            raise damaged(f"{path} is missing.")
        with self._translating():
            self._sqlite = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._sqlite.execute("PRAGMA journal_mode = WAL")
                self._sqlite.execute("PRAGMA synchronous = FULL")
                self._sqlite.execute("PRAGMA foreign_keys = ON")
                (found,) = self._sqlite.execute("PRAGMA user_version").fetchone()
            except sqlite3.Error:
                self._sqlite.close()
                raise
        if found != version:
            self._sqlite.close()
            raise damaged(f"{path} is of version {found}, and this version of fedstats needs {version}.")

    @classmethod
    def create(cls, path: Path, schema: str, *, version: int) -> bool:
        """Make the file with its tables, readable by its owner only; False if it was there already.

        It appears under its name complete or not at all.
        """
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            beside.unlink(missing_ok=True)
            os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE))
            sqlite = sqlite3.connect(beside, isolation_level=None)
            sqlite.executescript(f"BEGIN; {schema}; PRAGMA user_version = {version}; COMMIT")
            sqlite.close()
            path.hardlink_to(beside)  # unlike a rename, a link never takes the place of another file
        except FileExistsError:
            return False
        except (OSError, sqlite3.Error) as problem:
            raise FileProblem(f"{path} cannot be made: {problem}.") from None
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        with self._turn:
            self._sqlite.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction: all of it is on disk when the block has ended, or nothing of it."""
        with self._transaction("BEGIN IMMEDIATE") as sqlite:
            yield sqlite

    @contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """One consistent view."""
        with self._transaction("BEGIN") as sqlite:
            yield sqlite

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._turn, self._translating():
            self._sqlite.execute(begin)
            try:
                yield self._sqlite
                self._sqlite.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._sqlite.execute("ROLLBACK")
                raise

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as problem:
            raise InternalError(f"{self.path.name}: {problem}") from None
        except (sqlite3.Error, UnicodeDecodeError) as problem:
            passing = isinstance(problem, sqlite3.ProgrammingError) or _code(problem) in _PASSING
            if passing:
                raise self._busy(f"{self.path} cannot be used now: {problem}.") from None
            raise self._damaged(f"{self.path} is damaged: {problem}.") from None


_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
    }
)
"""What SQLite says of the machine, not of the file: later it may be different. All else is damage."""


def _code(problem: Exception) -> int:
    """SQLite's primary result code; 0 where Python itself could not read what the file holds."""
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF

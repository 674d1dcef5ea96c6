"""One daemon per home: a second one would take the same tasks twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from fedstats.errors import AlreadyExists
from fedstats.node.home import Home


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Hold the home's lock; the operating system frees it when the process ends, however it ends.

    An exclusive transaction of SQLite is a file lock that works the same on every system.

    Raises
    ------
    AlreadyExists
        Another process holds it.

    """
    with closing(sqlite3.connect(home.path / "run.lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise AlreadyExists(f"A node is running in {home.path} already.", remedy="") from None
        yield

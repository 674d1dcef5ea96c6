"""Where a file is made before it has its name: private, on the same disk, gone afterwards, crash or not."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from fedstats.errors import EditionExists, FileProblem

OWNER_ONLY = 0o600
_FOLDER_OWNER_ONLY = 0o700
_PREFIX = ".making-"


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """A folder for its owner only, beside the file that will be made in it.

    What a process that was killed left behind is removed first: it may hold rows with names.

    Raises
    ------
    FileProblem
        The folder cannot be written.

    """
    try:
        beside.parent.mkdir(mode=_FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
        _remove_abandoned(beside.parent)
        with TemporaryDirectory(prefix=_PREFIX, dir=beside.parent) as name, _held(Path(name)):
            yield Path(name)
    except OSError as error:
        raise FileProblem(f"{beside.parent} cannot be written: {error.strerror}.") from None


def publish(made: Path, into: Path) -> None:
    """Give the finished file its name: durable, whole, and never over another.

    Raises
    ------
    EditionExists
        There is a file of that name.

    """
    made.chmod(OWNER_ONLY)
    _flush(made)
    try:
        os.link(made, into)  # unlike a rename, it refuses to replace what is there
    except FileExistsError:
        raise EditionExists(f"{into.name} exists already.") from None
    if os.name == "posix":
        _flush(into.parent)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a lock that the operating system lets go when this process dies, on any system."""
    with closing(_lock(folder)):
        yield


def _lock(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "lock", timeout=0, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(sqlite3.OperationalError):  # locked: somebody is at work in it
            _lock(folder).close()
            shutil.rmtree(folder)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

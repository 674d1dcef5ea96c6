"""Verifying the end of a log: what a check that is made every day can afford, however long the log is.

A change further back is named by `fedstats audit verify`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fedstats.errors import FedstatsError, LogDamaged
from fedstats.identity.keys import Context
from fedstats.node.log import signed_head
from fedstats.node.log_audit import COMPUTING_S, against_ledger, audit
from fedstats.node.log_copy import check_is_log, opened, read_copy
from fedstats.node.log_file import ENTRY_COLUMNS, HeadRow
from fedstats.node.outcomes import charge_key
from fedstats.transparency import stored
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import HashOf, node_hash

END = 4_096  # entries


@dataclass(frozen=True, slots=True)
class End:
    """How many entries there are, how many were verified, and the first thing that is wrong, if any."""

    size: int
    verified: int
    fault: str = ""


def verify_end(log: Path, ledger: Path, *, now_s: int, entries: int = END) -> End:
    """Verify a log's last so many entries with their hashes, and its newest head; a shorter log as a whole.

    Raises
    ------
    LogDamaged, FileProblem
        It cannot be read.

    """
    try:
        with opened(log) as sqlite:
            check_is_log(sqlite, log)
            size = stored.size(sqlite)
            if size > entries:
                faults = _faults(sqlite, size - entries, size)
                return End(size, entries, next(faults, "") or _untold(sqlite, ledger, now_s))
    except (sqlite3.Error, TypeError, ValueError) as problem:
        raise LogDamaged(f"{log} is damaged: {problem}.") from None
    found = audit(read_copy(log))
    wrong = [*found.faults, *against_ledger(found, ledger, now_s=now_s)]
    return End(found.examined.size, found.examined.size, wrong[0].sentence if wrong else "")


def _faults(sqlite: sqlite3.Connection, begin: int, size: int) -> Iterator[str]:
    """What is wrong with the entries behind number `begin`, in words."""
    look, number, at_s = stored.hash_of(sqlite), begin, 0
    sql = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE number > ? ORDER BY number"  # noqa: S608 # constants
    for row in sqlite.execute(sql, (begin,)):
        entry, number = LogEntry(*row), number + 1
        if entry.number != number or number > size:
            yield f"Entry {min(number, entry.number)} was removed, or one was put there by somebody."
            return
        if not _fits(entry, look) or entry.at_s < at_s:
            yield f"Entry {number} and its hash or its time do not agree: one was changed."
        at_s = entry.at_s
    if number != size:
        yield f"Entries {number + 1} to {size} were removed: the hashes are there, the entries are not."
    yield from _tree(look, begin, size)
    yield from _head(sqlite, size)


def _fits(entry: LogEntry, look: HashOf) -> bool:
    with suppress(ValueError, TypeError):
        return entry.hash == look(0, entry.number - 1)
    return False


def _tree(look: HashOf, begin: int, size: int) -> Iterator[str]:
    """Hashes above the last entries that are not those of what is below them."""
    for level in range(1, size.bit_length()):
        for position in range(-(-begin >> level), size >> level):
            below = look(level - 1, 2 * position), look(level - 1, 2 * position + 1)
            if node_hash(*below) != look(level, position):
                first, last = (position << level) + 1, (position + 1) << level
                yield f"The hash over entries {first} to {last} was changed."


def _head(sqlite: sqlite3.Connection, size: int) -> Iterator[str]:
    """Whether the newest head is that of the entries, and signed."""
    sql = "SELECT size, root, at_s, key, signature FROM head ORDER BY size DESC LIMIT 1"
    row: HeadRow | None = sqlite.execute(sql).fetchone()
    log, department = sqlite.execute("SELECT id, department FROM log").fetchone()
    if row is None:
        return
    if row[0] > size:
        yield f"Entries {size + 1} to {row[0]} were removed: the node's own signed head commits to them."
        return
    try:
        signed_head(log, department, row).verify(Context.LOG_HEAD)
        fits = stored.root_at(sqlite, row[0]) == row[1]
    except (FedstatsError, ValueError):
        fits = False
    if not fits:
        yield f"The head of {row[0]} entries is not what the node signed for these."


def _untold(sqlite: sqlite3.Connection, ledger: Path, now_s: int) -> str:
    """A charge of the ledger that the log was never told of, in words."""
    with opened(ledger) as charges:
        rows = charges.execute("SELECT number, at_s, computation FROM entry").fetchall()
    for number, at_s, computation in rows:
        told = sqlite.execute("SELECT 1 FROM once WHERE what = ?", (charge_key(computation),)).fetchone()
        if told is None and at_s < now_s - COMPUTING_S:
            return f"Charge {number} of the ledger is told of by no entry: one was removed."
    return ""

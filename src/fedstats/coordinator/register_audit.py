"""What the coordinator's own machine can tell of its register: every entry against every stored hash."""

from __future__ import annotations

from collections.abc import Iterator

from fedstats.coordinator.store import Store
from fedstats.transparency.check import Fault, Kept, examine
from fedstats.transparency.entry import LogEntry


def register_faults(store: Store) -> tuple[Fault, ...]:
    """Entries that are not what their hashes say, or whose place another took; all of it is read."""
    rows = store.file.rows("SELECT hash FROM log_hash WHERE level = 0 ORDER BY position")
    entries = [entry for page in _pages(store) for entry in page]
    return examine(Kept(entries, [row["hash"] for row in rows], lambda *at: _inner(store, *at))).faults


def contradicting(store: Store) -> list[str]:
    """The departments that signed for a head which this register does not have."""
    rows = store.file.rows(
        "SELECT DISTINCT department FROM cosignatures WHERE contradicts ORDER BY department"
    )
    return [row["department"] for row in rows]


def _pages(store: Store) -> Iterator[list[LogEntry]]:
    after = 0
    while page := store.register.entries(after=after):
        yield page
        after = page[-1].number


def _inner(store: Store, level: int, position: int) -> bytes | None:
    row = store.file.row("SELECT hash FROM log_hash WHERE level = ? AND position = ?", level, position)
    return None if row is None else bytes(row["hash"])

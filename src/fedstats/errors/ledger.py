"""FS-7xx: the ledger of the budget, and the log of what was decided."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError


class LedgerError(FedstatsError):
    """The budget ledger."""

    code = "FS-700"
    title = "The ledger cannot be used."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.DEPARTMENT_IT,)


class LedgerCorrupt(LedgerError):
    """The ledger's entries and its totals do not agree, or the file is damaged."""

    code = "FS-701"
    title = "The ledger is damaged; the node answers nothing until it is repaired."
    remedy = (
        "Put back a copy of the ledger from a backup: the node hears what the copy has forgotten. "
        "Where there is no copy: fedstats node ledger recover --new"
    )
    acts = (Actor.DEPARTMENT_IT,)


class LedgerBusy(LedgerError):
    """The ledger could not be written: the disk is full or another process holds it."""

    code = "FS-702"
    title = "The ledger cannot be written."
    acts = (Actor.DEPARTMENT_IT,)


class LedgerRestored(LedgerError):
    """The ledger is older than its witness: somebody put back a copy, or a second copy of the node runs."""

    code = "FS-703"
    title = "The ledger is not the newest of this department; the node answers nothing."
    remedy = (
        "Make sure that no other copy of this node runs, and carry forward what the witness says was spent: "
        "fedstats node ledger recover"
    )
    acts = (Actor.DEPARTMENT_IT,)


class LogDamaged(LedgerError):
    """A log is not what was written: entries were changed, removed, reordered, or the file is damaged."""

    code = "FS-704"
    title = "The log is not what was written."
    remedy = (
        "Keep the file as it is, as evidence, and tell the controllers of the other departments. "
        "What is wrong in it: fedstats audit verify. A new log that says so: fedstats node log renew"
    )
    acts = (Actor.DEPARTMENT_IT,)


class RegisterForked(LedgerError):
    """The public register does not continue what was seen of it, or is not what departments witnessed."""

    code = "FS-705"
    title = "The public register is not the one that was seen before."
    remedy = (
        "Tell the controllers of the departments, and ask whoever runs the coordinator what happened. "
        "To see what differs: fedstats register verify"
    )
    acts = (Actor.OPERATOR,)

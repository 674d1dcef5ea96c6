"""FS-7xx: the ledger of the budget."""

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
    acts = (Actor.DEPARTMENT_IT,)


class LedgerBusy(LedgerError):
    """The ledger could not be written: the disk is full or another process holds it."""

    code = "FS-702"
    title = "The ledger cannot be written."
    acts = (Actor.DEPARTMENT_IT,)

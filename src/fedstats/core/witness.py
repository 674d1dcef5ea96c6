"""A witness of a ledger: how far it had come and what was spent, signed by the node and kept by others.

A ledger cannot notice that it was replaced by an older copy of itself: whatever it could remember is in the
copy too. So others remember for it, and a ledger that is behind what they remember answers nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fedstats.core.names import check_department
from fedstats.core.privacy import NO_LOSS, Loss
from fedstats.core.times import SECONDS_MAX
from fedstats.errors import ValueInvalid

LEDGER_ID_BYTES = 16
HEAD_BYTES = 32
EPOCH_MAX = 2**31
NUMBER_MAX = 2**62
MARKS_MAX = 256
TOTALS_MAX = 1_000
CARRIED_MAX = 100
CAP_KINDS = frozenset({"agreement", "lifetime"})
CAP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")  # an agreement, or a namespace of persons
RECENT_MARKS = 32
OLDER_MARKS_STEP = 4  # of older heads, the distance grows by a quarter each time


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the chain of a ledger: after so many links its head was this."""

    links: int
    head: bytes

    def __post_init__(self) -> None:
        """Counts are counts, hashes are hashes."""
        if not 0 <= self.links <= NUMBER_MAX or len(self.head) != HEAD_BYTES:
            raise ValueInvalid("A mark has a number of links, and a head of 32 bytes.")


@dataclass(frozen=True, slots=True, order=True)
class Carried:
    """Another ledger that was carried forward, up to this place of its chain."""

    ledger: bytes
    tip: Mark

    def __post_init__(self) -> None:
        """The id has its length."""
        if len(self.ledger) != LEDGER_ID_BYTES:
            raise ValueInvalid("A ledger has an id of 16 bytes.")


@dataclass(frozen=True, slots=True)
class CapTotal:
    """What was spent under one limit: of an agreement, or of a namespace of persons over its lifetime."""

    kind: str
    name: str
    spent: Loss

    def __post_init__(self) -> None:
        """The limit is one that ledgers keep."""
        if self.kind not in CAP_KINDS or CAP_NAME.fullmatch(self.name) is None:
            raise ValueInvalid("A total is of an agreement's budget or of a lifetime cap, which has a name.")

    @property
    def cap(self) -> tuple[str, str]:
        """Which limit it is."""
        return self.kind, self.name


@dataclass(frozen=True, slots=True)
class Witness:
    """What a department's ledger held at one moment (`at_s`, seconds since 1970).

    `ledger` is its random id and `epoch` counts the ledgers that carried another one forward; `tip` is where
    its chain ended, `marks` are some places before, `carried` are the ledgers that it carried forward;
    `totals` are exact, in the order of their names.
    """

    department: str
    ledger: bytes
    epoch: int
    tip: Mark
    marks: tuple[Mark, ...]
    carried: tuple[Carried, ...]
    totals: tuple[CapTotal, ...]
    at_s: int

    def __post_init__(self) -> None:
        """Everything is in range, in order, and there once."""
        check_department(self.department)
        if len(self.ledger) != LEDGER_ID_BYTES or not 1 <= self.epoch < EPOCH_MAX:
            raise ValueInvalid("A ledger has an id of 16 bytes and an epoch from 1.")
        if len(self.marks) > MARKS_MAX or len(self.totals) > TOTALS_MAX or not 0 <= self.at_s < SECONDS_MAX:
            raise ValueInvalid("A witness has too many marks or totals, or no time.")
        if len(self.carried) > CARRIED_MAX:
            raise ValueInvalid(f"A ledger carries at most {CARRIED_MAX} others forward.")
        if list(self.marks) != sorted(set(self.marks)) or list(self.carried) != sorted(set(self.carried)):
            raise ValueInvalid("The marks of a witness are in order, each once.")
        caps = [total.cap for total in self.totals]
        if caps != sorted(set(caps)):
            raise ValueInvalid("The totals of a witness are in the order of their names, each once.")

    @property
    def links(self) -> int:
        """How many links its chain has."""
        return self.tip.links

    def spent(self, kind: str, name: str) -> Loss:
        """What it says was spent under a limit."""
        return next((t.spent for t in self.totals if t.cap == (kind, name)), NO_LOSS)

    @property
    def places(self) -> frozenset[Mark]:
        """Places whose charges are all in the totals: of its own chain, and of those that were carried."""
        return frozenset((self.tip, *self.marks, *(c.tip for c in self.carried)))

    def contains(self, other: Witness) -> bool:
        """Whether all that `other` says was spent is in these totals, as far as a witness can tell.

        An older one of the same ledger is contained where no mark contradicts it, one of another ledger where
        that was carried forward from there or from later on.
        """
        if other.tip == self.tip or other.tip in self.marks:
            return True
        if other.ledger == self.ledger:
            passed = {mark.links for mark in self.marks}
            return other.links < self.links and other.links not in passed
        carried = [c.tip for c in self.carried if c.ledger == other.ledger]
        return any(place == other.tip or place.links > other.links for place in carried)


def places_to_mark(links: int) -> tuple[int, ...]:
    """Which places of a chain a witness names: the last ones, and ever fewer of those before.

    With them a copy that went another way finds where the ways parted, to about a quarter of the distance.
    """
    places, distance = set[int](), 1
    while distance <= links:
        places.add(links - distance)
        distance += 1 if distance < RECENT_MARKS else max(1, distance // OLDER_MARKS_STEP)
    return tuple(sorted(places))

"""How the spending of one ledger is carried forward into another, and when that is needed.

A ledger that was restored from a backup, or made anew, has forgotten charges that a witness remembers. What
is carried forward is what the witness says was spent and, besides, whatever was charged here since the two
ways parted: both may have left. Where they parted is known to a place that the witness marks; what was
charged here after it counts as apart. So a mistake costs budget, never privacy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.privacy import NO_LOSS, Loss
from fedstats.core.witness import CapTotal, Carried, Mark, Witness, places_to_mark
from fedstats.node.caps import CapKind
from fedstats.node.ledger_file import Totals, carried_losses, head_at, loss_of, tip, totals
from fedstats.wire.codec import decode_witness
from fedstats.wire.v1 import signed_pb2


@dataclass(frozen=True, slots=True)
class Carriage:
    """A ledger that was carried forward at link `link`, and what that added to each total, by kind and name.

    Since then this ledger has the id and the epoch that stand here.
    """

    link: int
    at_s: int
    epoch: int
    ledger: bytes
    witness: Witness
    losses: Mapping[tuple[str, str], Loss]

    @property
    def carried(self) -> Carried:
        """Which ledger it was, and up to where."""
        return Carried(self.witness.ledger, self.witness.tip)


def carriages(sqlite: sqlite3.Connection) -> tuple[Carriage, ...]:
    """Everything that was carried forward, in that order."""
    rows = sqlite.execute("SELECT link, at_s, epoch, id, witness, losses FROM carried ORDER BY link")
    found = []
    for link, at_s, epoch, ledger, signed, losses in rows:
        witness = decode_witness(signed_pb2.Signed.FromString(signed).payload)
        found.append(Carriage(link, at_s, epoch, ledger, witness, carried_losses(losses)))
    return tuple(found)


def witness_of(sqlite: sqlite3.Connection, department: str, now_s: int) -> Witness:
    """What others are to remember of the ledger as it is now."""
    here, before = tip(sqlite), carriages(sqlite)
    (origin,) = sqlite.execute("SELECT id FROM ledger").fetchone()
    marks = (Mark(links, head_at(sqlite, links) or b"") for links in places_to_mark(here.links))
    return Witness(
        department=department,
        ledger=before[-1].ledger if before else origin,
        epoch=before[-1].epoch if before else 1,
        tip=here,
        marks=tuple(marks),
        carried=tuple(sorted(_carried(sqlite, origin, before))),
        totals=tuple(CapTotal(kind, name, spent) for (kind, name), spent in totals(sqlite).items()),
        at_s=now_s,
    )


def _carried(sqlite: sqlite3.Connection, origin: bytes, before: tuple[Carriage, ...]) -> set[Carried]:
    """The ledgers that were carried forward, and this one under the ids that it had before each time."""
    ids = (origin, *(carriage.ledger for carriage in before))
    own = {
        Carried(id_, Mark(c.link - 1, head_at(sqlite, c.link - 1) or b""))
        for id_, c in zip(ids, before, strict=False)
    }
    return own | {carriage.carried for carriage in before}


def contained(sqlite: sqlite3.Connection, witness: Witness) -> bool:
    """Whether the chain goes through the witness's tip, or a ledger that contains it was carried forward."""
    if head_at(sqlite, witness.links) == witness.tip.head:
        return True
    return any(carriage.witness.contains(witness) for carriage in carriages(sqlite))


def missing(sqlite: sqlite3.Connection, witness: Witness) -> Totals:
    """What must be added to each total here to cover the witness, and what was charged here apart from it."""
    apart, here = _apart(sqlite, witness), totals(sqlite)
    added = {}
    for total in witness.totals:
        covered, spent = total.spent + apart.get(total.cap, NO_LOSS), here.get(total.cap, NO_LOSS)
        added[total.cap] = Loss(
            max(covered.rho - spent.rho, Fraction(0)), max(covered.delta_add - spent.delta_add, Fraction(0))
        )
    return added


def _apart(sqlite: sqlite3.Connection, witness: Witness) -> Totals:
    """What was spent here after the last place that is certainly common to both."""
    places, found = witness.places, Totals()
    common = max((p.links for p in places if head_at(sqlite, p.links) == p.head), default=0)
    rows = sqlite.execute("SELECT agreement, namespace, rho, delta_add FROM entry WHERE link > ?", (common,))
    for agreement, namespace, rho, delta_add in rows:
        for cap in ((CapKind.AGREEMENT.value, agreement), (CapKind.LIFETIME.value, namespace)):
            found[cap] = found.get(cap, NO_LOSS) + loss_of(rho, delta_add)
    for carriage in carriages(sqlite):
        if carriage.link > common and carriage.witness.tip not in places:
            for cap, loss in carriage.losses.items():
                found[cap] = found.get(cap, NO_LOSS) + loss
    return found

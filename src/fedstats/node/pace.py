"""The pace of an agreement: how much of its budget may go in any so many days. It never refills the budget.

What counts is in the ledger alone: its charges, each at its time, and what was carried forward, at the time
at which that was done. Times in the ledger never go back, so a clock that is set back makes no charge older:
it only makes the node wait longer. A clock that is set forward lets through one pace more at most, since
nothing is charged before that time again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.agreement import Agreement
from fedstats.core.privacy import Mechanism
from fedstats.core.times import minute_of
from fedstats.errors import PaceExceeded
from fedstats.node.caps import CapKind, epsilon_that_fits, percent
from fedstats.node.ledger_file import carried_losses

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class PaceLimit:
    """At most `rho` under the agreement in any `days` days; its other part, additive delta, has no pace.

    `delta_conversion` is the delta at which losses are shown as epsilon.
    """

    agreement: str
    rho: Fraction
    days: int
    delta_conversion: Fraction

    @property
    def words(self) -> str:
        """The pace as sentences name it."""
        time = "day" if self.days == 1 else f"{self.days} days"
        return f"what agreement {self.agreement} allows in any {time}"


@dataclass(frozen=True, slots=True)
class PaceStatus:
    """A pace, and the charges (time in seconds since 1970, rho) that count at a moment, newest first."""

    pace: PaceLimit
    counted: tuple[tuple[int, Fraction], ...]

    @property
    def spent(self) -> Fraction:
        """The rho that was spent within the time that counts."""
        return sum((rho for _, rho in self.counted), start=Fraction(0))

    @property
    def left(self) -> Fraction:
        """What may be spent now, 0 where a new version of the agreement lowered the pace below what was."""
        return max(self.pace.rho - self.spent, Fraction(0))

    @property
    def used_share(self) -> Fraction:
        """The part that was spent, at most 1."""
        return min(self.spent / self.pace.rho, Fraction(1))

    def free_s(self, rho: Fraction) -> int:
        """When this much, which is not above the pace, may be spent if nothing else is; 0: now."""
        free_s, spent = 0, self.spent
        for at_s, part in reversed(self.counted):
            if spent + rho <= self.pace.rho:
                break
            free_s, spent = at_s + self.pace.days * DAY_S, spent - part
        return free_s

    def check(self, rho: Fraction, *, mechanism: Mechanism, share: Fraction) -> None:
        """Refuse what would be too fast; `share` is the round's share of its query, whose epsilon is shown.

        Raises
        ------
        PaceExceeded
            It says when so much will be free again.

        """
        if rho <= self.left:
            return
        pace = self.pace
        most = epsilon_that_fits(self.left / share, pace.delta_conversion, mechanism)
        if rho > pace.rho:
            sentence = f"This question would use more than all of {pace.words}"
        else:
            uses, left = percent(rho / pace.rho, up=True), percent(1 - self.used_share)
            sentence = f"This question would use {uses} of {pace.words}, and {left} is left before "
            sentence += _moment(self.free_s(rho))
        raise PaceExceeded(f"{sentence}: --epsilon {most} would fit now." if most else f"{sentence}.")


def pace_of(agreement: Agreement) -> PaceLimit | None:
    """The pace that an agreement sets, None if it sets none."""
    pace, delta = agreement.privacy.pace, agreement.privacy.delta_conversion
    if pace is None:
        return None
    return PaceLimit(agreement.id, rho_from_epsilon(pace.epsilon, delta), pace.days, delta)


def latest_s(sqlite: sqlite3.Connection, now_s: int) -> int:
    """The time of what is entered now: the clock's, but never before that of what was entered last."""
    (charged,) = sqlite.execute("SELECT MAX(at_s) FROM entry").fetchone()
    (carried,) = sqlite.execute("SELECT MAX(at_s) FROM carried").fetchone()
    return max(now_s, charged or 0, carried or 0)


def pace_status(sqlite: sqlite3.Connection, pace: PaceLimit, now_s: int) -> PaceStatus:
    """What counts towards the pace at a moment: what is younger than its days."""
    since_s = latest_s(sqlite, now_s) - pace.days * DAY_S
    counted = [*_charged(sqlite, pace.agreement, since_s), *_carried(sqlite, pace.agreement, since_s)]
    return PaceStatus(pace, tuple(sorted(counted, reverse=True)))


def _charged(sqlite: sqlite3.Connection, agreement: str, since_s: int) -> Iterator[tuple[int, Fraction]]:
    """The agreement's charges since then; they are read backwards, as times never go back."""
    for at_s, of, rho in sqlite.execute("SELECT at_s, agreement, rho FROM entry ORDER BY number DESC"):
        if at_s <= since_s:
            return
        if of == agreement:
            yield at_s, Fraction(rho)


def _carried(sqlite: sqlite3.Connection, agreement: str, since_s: int) -> Iterator[tuple[int, Fraction]]:
    """What another ledger had spent: when exactly is not known, so it counts from when it was carried on."""
    for at_s, losses in sqlite.execute("SELECT at_s, losses FROM carried WHERE at_s > ?", (since_s,)):
        loss = carried_losses(losses).get((CapKind.AGREEMENT.value, agreement))
        if loss is not None and loss.rho:
            yield at_s, loss.rho


def _moment(at_s: int) -> str:
    """The minute in which it will have been: `2026-07-01 12:31 UTC`."""
    return minute_of(at_s + 59)

"""Whether this machine's clock agrees with the coordinator's: deadlines and appointments go by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fedstats.journal.events import CLOCK_AGREES, CLOCK_APART

APART_S_MAX = 300


@dataclass(slots=True)
class ClockCheck:
    """Compares the two clocks whenever the coordinator says what its own shows."""

    now: Callable[[], float]
    apart: bool = False

    def compare(self, coordinator_s: int) -> None:
        """Take the coordinator's time, just received; minutes of difference are noted once, and their end."""
        if not coordinator_s:
            return  # it did not say
        ahead_s = int(self.now()) - coordinator_s
        was, self.apart = self.apart, abs(ahead_s) > APART_S_MAX
        if self.apart and not was:
            CLOCK_APART(ahead_s=ahead_s)
        if was and not self.apart:
            CLOCK_AGREES()

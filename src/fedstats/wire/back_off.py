"""When to call again after a failed call: at a random moment, so that a thousand callers do not come at once.

Full jitter (Brooker, "Exponential Backoff and Jitter", 2015): uniform from 0 to a bound that doubles. While
the coordinator is away the bound stays small, so that everybody is back within seconds of its return; a
coordinator that answered no is asked more and more rarely. `tests/simulation/test_recovery.py` has the
figures.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from fedstats.errors import CoordinatorUnreachable, NoReplyInTime

FIRST_S = 2.0  # a thousand connections that broke together are opened again over two seconds, not one
AWAY_S_MAX = 3.0
REFUSED_S_MAX = 60.0
CONNECT_S = 5.0
"""How long one attempt to connect may take. TCP repeats a lost first packet after 1 and 3 s: an attempt
that began in a cut succeeds at most 2 s after its end, or is given up within 2 s of it."""


def random_fraction() -> float:
    """A number from 0 up to 1, from the operating system."""
    return secrets.randbits(32) / 2**32


def is_away(problem: Exception) -> bool:
    """Whether the coordinator was not reached: then it may be back at any moment. Else it said no."""
    return isinstance(problem, CoordinatorUnreachable | NoReplyInTime)


@dataclass(slots=True)
class BackOff:
    """How long to wait after failures in a row; `fraction` is what draws."""

    fraction: Callable[[], float] = random_fraction
    failures: int = 0

    def after_failure(self, problem: Exception) -> float:
        """Seconds to wait now."""
        most_s = AWAY_S_MAX if is_away(problem) else REFUSED_S_MAX
        bound_s = min(FIRST_S * 2.0**self.failures, most_s)
        self.failures = min(self.failures + 1, 64)
        return bound_s * self.fraction()

    def after_success(self) -> None:
        """The next failure is the first again."""
        self.failures = 0

    @property
    def worth_a_word(self) -> bool:
        """Whether this failure shall be logged: the first, the second, the fourth, ... of a row."""
        return self.failures & (self.failures - 1) == 0

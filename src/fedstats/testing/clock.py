"""A clock that moves when it is told to."""

from __future__ import annotations


class ManualClock:
    """Seconds since 1970, from `now_s` on: call it for the time, move it with `pass_s`; never backwards."""

    def __init__(self, now_s: float) -> None:
        """Start at `now_s`."""
        self._now_s = now_s

    def __call__(self) -> float:
        """The time now."""
        return self._now_s

    def pass_s(self, seconds: float) -> None:
        """Let time pass: what waits for it is due, nothing else happens."""
        self._now_s += max(0.0, seconds)

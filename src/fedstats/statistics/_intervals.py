"""Intervals of 95 % for what is computed from noisy totals.

Each total y_i lies within w_i of its exact value in 95 % of releases, and the noises are independent. Their
normal approximation with the standard deviations w_i / 1.96 is used for everything that joins several totals;
for one total the interval is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fedstats.core.estimate import Interval

Z = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a number before anything is asked; infinite where nothing is."""

    lo: float = -math.inf
    hi: float = math.inf

    def clip(self, value: float) -> float:
        """The nearest number within the bounds."""
        return min(max(value, self.lo), self.hi)

    def within(self, interval: Interval) -> Interval:
        """The part of the interval within the bounds.

        If there is none, noise threw the estimate out of the bounds by more than it does in 95 % of releases:
        then the half of the interval that points inwards, moved to the bound, since no width would claim no
        doubt.
        """
        if interval.hi < self.lo:
            return Interval(self.lo, min(self.lo + interval.half_width, self.hi))
        if interval.lo > self.hi:
            return Interval(max(self.hi - interval.half_width, self.lo), self.hi)
        return Interval(max(interval.lo, self.lo), min(interval.hi, self.hi))


def around(value: float, half_width: float) -> Interval:
    """The interval of this half width."""
    return Interval(value - half_width, value + half_width)


def ratio_interval(top: float, bottom: float, spread: tuple[float, float, float]) -> Interval | None:
    """Where top / bottom can lie, None if the noise does not tell bottom from 0, so that it can lie anywhere.

    `spread` holds the squares of the half width of `top`, of `bottom`, and what they have in common (their
    covariance in the same units). The interval holds all r for which top - r * bottom is not further from 0
    than its half width: (top - r bottom)^2 <= spread of (top - r bottom), a quadratic inequality in r. Unlike
    the delta method it keeps its level when the bottom is small.

    Source: Fieller 1954; von Luxburg and Franz 2009.
    """
    top_top, bottom_bottom, top_bottom = spread
    a = bottom**2 - bottom_bottom
    if a <= 0:
        return None
    b = top * bottom - top_bottom
    c = top**2 - top_top
    root = math.sqrt(max(0.0, b**2 - a * c))
    return Interval((b - root) / a, (b + root) / a)


def widened(value: float, noise: Interval, variance: float) -> Interval:
    """The noise interval with a sampling variance added in squares on either side of the value."""
    sampling = Z**2 * variance
    below = math.sqrt((value - noise.lo) ** 2 + sampling)
    above = math.sqrt((noise.hi - value) ** 2 + sampling)
    return Interval(value - below, value + above)

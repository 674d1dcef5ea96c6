"""In which week of waiting a quantile lies, from noisy counts by week: the estimate, and where it can lie.

The noise of every count is independent with the same standard deviation. A quantile q of N pathways lies in
week k just if fewer than q N waited less than k weeks and at least q N less than k + 1. Both are told by
T_k = (noisy count of the first k + 1 weeks) - q (noisy N), which is as exact as its standard deviation says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

Z = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Band:
    """The most likely week, and the weeks from `lo` to `hi` that a 95 % interval holds."""

    week: int
    lo: int
    hi: int

    def __str__(self) -> str:
        """The week, and where it can lie: `13 (12-14)`."""
        return f"{self.week} ({self.lo}-{self.hi})"

    def __contains__(self, week: int) -> bool:
        """Whether the interval holds this week."""
        return self.lo <= week <= self.hi


def quantile_band(
    counts: Sequence[float], *, count_sd: float, total: float, total_sd: float, share: float
) -> Band | None:
    """The week in which `share` of the pathways have ended; None if the noise leaves every week possible.

    `counts` are noisy counts by week, each with standard deviation `count_sd`; `total` is a noisy count of
    all, from another release, with `total_sd`. The interval holds every week k that is compatible with the
    counts: T_{k-1} not above 0, and T_k not below 0, by more than the 97.5 % point. At the true week each of
    the two fails in 2.5 % of releases, so that it is left out in at most 5 %.
    """
    passed = [count - share * total for count in accumulate(counts)]
    doubts = [Z * math.sqrt((k + 1) * count_sd**2 + (share * total_sd) ** 2) for k in range(len(passed))]
    last = len(passed) - 1
    lo = next((k for k in range(last) if passed[k] >= -doubts[k]), last)
    hi = next((k for k in range(last, 0, -1) if passed[k - 1] <= doubts[k - 1]), 0)
    if lo == 0 and hi == last:
        return None
    first = next((k for k in range(last) if passed[k] >= 0), last)
    until = next((k for k in range(last, 0, -1) if passed[k - 1] < 0), 0)
    week = (first + until) // 2  # noise may cross the line several times: in the middle of them
    return Band(week, min(lo, week), max(hi, week))

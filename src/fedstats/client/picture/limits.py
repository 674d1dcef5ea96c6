"""Control limits of a funnel plot: how far a share may lie from the target by chance alone. Pure.

Limits are at 95 % and 99.8 %, as two and three standard errors of a normal law (Spiegelhalter 2005). Chance
here is both sampling and privacy noise: noise on a share of n records shrinks as 1/n, so its size is read off
the departments' own noise intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from fedstats.client.picture.drawing import Drawing, Point
from fedstats.core.estimate import Value
from fedstats.errors import PictureImpossible

Z_INNER, Z_OUTER = 1.959963984540054, 3.090232306167814
"""The 97.5 % and the 99.9 % points of the standard normal distribution."""
PERCENT = 100.0
SIZES_APART = 30
"""From this ratio on, the sizes of departments are drawn on a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """The share that all have in common, and what noise adds; `scale` is 100 where shares are in percent.

    `noise` is the noise's standard deviation, on shares from 0 to 1, times the number of records. `told` are
    the sizes and limits that the statistic itself gives, from the smallest department on.
    """

    target: float
    noise: float
    scale: float
    told: tuple[tuple[float, tuple[float, ...]], ...] = ()

    @classmethod
    def of(cls, drawing: Drawing) -> Funnel:
        """The funnel of the departments that are drawn, around their common share.

        Raises
        ------
        PictureImpossible
            No department has both a share and a number of records.

        """
        placed = [p for p in drawing.points if is_placed(p)]
        known = [(p.cell, p.size) for p in placed if isinstance(p.cell, Value) and p.size is not None]
        if not known:
            raise PictureImpossible(
                "No department has both a share and a number of records.",
                remedy="Draw another column with --column, or see why in: fedstats resume JOB",
            )
        most = max(*(cell.value for cell, _ in known), drawing.reference or 0.0)
        scale = PERCENT if most > 1.5 else 1.0  # noqa: PLR2004 # a share above 1 by noise is not yet a percentage
        common = sum(cell.value * size for cell, size in known) / sum(size for _, size in known)
        target = min(max(common / scale, 0.0), 1.0)
        widths = [cell.noise_interval.half_width / scale * size for cell, size in known]
        told = sorted((p.size or 0.0, p.limits) for p in placed) if all(p.limits for p in placed) else []
        return cls(target, median(widths) / Z_INNER, scale, tuple(told))

    def at(self, size: float, z: float) -> tuple[float, float]:
        """The limits for a department with so many records; those that were told hold in between, too."""
        if self.told:
            sizes = [1 / math.sqrt(n) for n, _ in reversed(self.told)]  # limits are about linear in these
            first = 0 if z < Z_OUTER else 2
            lo, hi = (
                float(np.interp(1 / math.sqrt(size), sizes, [each[i] for _, each in reversed(self.told)]))
                for i in (first, first + 1)
            )
            return lo, hi
        variance = self.target * (1 - self.target) / size + (self.noise / size) ** 2
        reach = z * math.sqrt(variance)
        return self.scale * max(self.target - reach, 0.0), self.scale * min(self.target + reach, 1.0)

    def middle(self, sizes: Sequence[float]) -> tuple[float, float]:
        """The limits at 99.8 % for a department of middling size: what a picture must hold."""
        return self.at(median(sizes), Z_OUTER)

    def outside(self, points: Sequence[Point]) -> tuple[Point, ...]:
        """Those beyond the limits at 99.8 %."""
        return tuple(
            p
            for p in points
            if isinstance(p.cell, Value)
            and p.size is not None
            and p.size > 0
            and not self._holds(p.cell.value, p.size, p.limits)
        )

    def _holds(self, value: float, size: float, told: Sequence[float]) -> bool:
        lo, hi = told[2:] if told else self.at(size, Z_OUTER)
        return lo <= value <= hi


def is_placed(point: Point) -> bool:
    """Whether a department has a place in the funnel: a share, and a number of records above 0."""
    return isinstance(point.cell, Value) and point.size is not None and point.size > 0

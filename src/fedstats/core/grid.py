"""The value grid: how a bounded number becomes the small integer that is summed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from fedstats.core.domain import Dates, Domain, Numbers, Truth, common_step
from fedstats.core.evaluation import round_half_up
from fedstats.core.expression import LITERAL_BITS_MAX
from fedstats.errors import ExpressionInvalid, TooLarge, ValueInvalid

STEPS_MAX = 2**12
HALF_WIDTH_MAX = 2**16
"""Means of one person's values are finer than these values: their grid may have more steps."""
_MEANS_MAX = 16  # lcm(1, ..., 16) is beyond 2^16, and so are all after it


@dataclass(frozen=True, slots=True)
class Grid:
    """Integers q = clip(round((value - centre) / step), -half_width, +half_width).

    Nothing is lost to rounding wherever the expression has no more than 2^12 steps of its own. A finer range
    is cut into at most 2^12 steps, so that both its ends and 0 still lie on the grid: these are the values
    that many rows share (nothing spent, clamped), where rounding would not average out.
    """

    centre: Fraction
    step: Fraction
    half_width: int

    def __post_init__(self) -> None:
        """At most 2^16 steps to either side, of which all but means of several values use 2^12."""
        if self.step <= 0 or not 1 <= self.half_width <= HALF_WIDTH_MAX:
            raise ValueInvalid("A grid needs a step above 0 and between 1 and 2^16 steps to each side.")
        parts = (*self.centre.as_integer_ratio(), *self.step.as_integer_ratio())
        if max(part.bit_length() for part in parts) > LITERAL_BITS_MAX:
            raise TooLarge("The numbers of an expression have too many digits. Narrow it with CLAMP.")

    def quantise(self, value: Fraction) -> int:
        """The integer of one row: rounded half up, then clipped."""
        q = round_half_up((value - self.centre) / self.step)
        return max(-self.half_width, min(self.half_width, q))


def centred_grid(domain: Domain) -> Grid:
    """The grid around the middle of the domain: half the sensitivity of one around 0, for averages.

    Raises
    ------
    ExpressionInvalid
        The domain holds no numbers, or only one.

    """
    lo, hi, native = _range(domain)
    centre, half = (lo + hi) / 2, (hi - lo) / 2
    steps = 2 * half / native
    if steps > STEPS_MAX:
        step = _cut(half, abs(centre) if lo < 0 < hi else Fraction(0), STEPS_MAX // 2)
    else:
        step = native / 2 if steps % 2 else native
    return Grid(centre, step, int(half / step))


def zero_grid(domain: Domain) -> Grid:
    """The grid around 0, for sums that are wanted without a count."""
    lo, hi, native = _range(domain)
    less, reach = sorted([abs(lo), abs(hi)])
    step = native if reach / native <= STEPS_MAX else _cut(reach, less, STEPS_MAX)
    return Grid(Fraction(0), step, int(reach / step))


def grid_of_means(grid: Grid, rows_max: int) -> tuple[Grid, bool]:
    """The grid cut finer, for means of up to `rows_max` of its values, and whether it holds all of them.

    Its step goes into every mean of 1, 2, ... rows_max values where that leaves at most 2^16 steps to a side.
    """
    parts = lcm(*range(1, rows_max + 1)) if rows_max <= _MEANS_MAX else HALF_WIDTH_MAX
    whole = rows_max <= _MEANS_MAX and parts * grid.half_width <= HALF_WIDTH_MAX
    parts = parts if whole else HALF_WIDTH_MAX // grid.half_width
    return Grid(grid.centre, grid.step / parts, grid.half_width * parts), whole


def _cut(reach: Fraction, other: Fraction, steps_max: int) -> Fraction:
    """The finest step that cuts `reach` into `steps_max` or fewer, and `other` evenly too where it can."""
    unit = common_step(reach, other) if other else reach
    pieces = steps_max // (reach / unit)
    return unit / pieces if pieces else reach / steps_max


def _range(domain: Domain) -> tuple[Fraction, Fraction, Fraction]:
    if isinstance(domain, Truth):
        return Fraction(0), Fraction(1), Fraction(1)
    if isinstance(domain, Dates):
        raise ExpressionInvalid("Dates cannot be added up. Subtract two dates to get days.")
    if not isinstance(domain, Numbers):
        raise ExpressionInvalid(
            "Categories cannot be added up. Count them with SHARE(x = 'label') or GROUP BY x."
        )
    if domain.lo == domain.hi:
        raise ExpressionInvalid("This expression always has the same value.")
    return domain.lo, domain.hi, domain.step

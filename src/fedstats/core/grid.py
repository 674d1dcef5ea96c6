"""The value grid: how a bounded number becomes the small integer that is summed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.domain import Dates, Domain, Numbers, Truth
from fedstats.core.evaluation import round_half_up
from fedstats.errors import ExpressionInvalid, ValueInvalid

STEPS_MAX = 2**12


@dataclass(frozen=True, slots=True)
class Grid:
    """Integers q = clip(round((value - centre) / step), -half_width, +half_width).

    The steps are whole multiples of the expression's own step wherever it has no more than 2^12 of them, so
    that nothing is lost to rounding; a finer range is cut into at most 2^12 steps.
    """

    centre: Fraction
    step: Fraction
    half_width: int

    def __post_init__(self) -> None:
        """At most 2^12 steps either side (a centred grid needs 2^11, one around 0 may need all)."""
        if self.step <= 0 or not 1 <= self.half_width <= STEPS_MAX:
            raise ValueInvalid("A grid needs a step above 0 and between 1 and 2^12 steps to each side.")

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
    steps = (hi - lo) / native
    if steps > STEPS_MAX:
        step = native * -(-steps // STEPS_MAX)
        half_width = -(-(hi - lo) // (2 * step))
        return Grid((lo + hi) / 2, step, int(half_width))
    if steps % 2:
        return Grid((lo + hi) / 2, native / 2, int(steps))
    return Grid((lo + hi) / 2, native, int(steps / 2))


def zero_grid(domain: Domain) -> Grid:
    """The grid around 0, for sums that are wanted without a count."""
    lo, hi, native = _range(domain)
    reach = max(abs(lo), abs(hi))
    step = native * max(1, -(-reach // (native * STEPS_MAX)))
    return Grid(Fraction(0), step, int(-(-reach // step)))


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

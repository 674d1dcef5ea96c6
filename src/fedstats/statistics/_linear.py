"""What is linear in a cell's noisy totals, and ratios of it: what every other form is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedstats.core.estimate import Absence, AbsenceReason, Interval
from fedstats.core.expression import Expression
from fedstats.statistics._intervals import ratio_interval
from fedstats.statistics._quantile import TreeTotals

Totals = Sequence[float]
"""One cell's noisy totals, by position of the measure; or their half widths."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell's totals, each with how far it may be from the exact one.

    Noise moves it by its half width of `widths` (95 % or more), and on top of that disclosure control by its
    `slacks` at most. All by position of the measure. `trees` are those of which quantiles are read.
    """

    totals: Totals
    widths: Totals
    slacks: Totals
    trees: Mapping[Expression, TreeTotals] = field(default_factory=dict)


TOO_FEW = Absence(
    AbsenceReason.TOO_FEW, "The noise is as large as the number of rows, so nothing can be divided by it."
)


@dataclass(frozen=True, slots=True)
class Linear:
    """constant + sum of coefficient * total."""

    constant: float
    terms: Mapping[int, float]

    def at(self, totals: Totals) -> float:
        """Its value."""
        return self.constant + sum(c * totals[i] for i, c in self.terms.items())

    def plus(self, other: Linear, factor: float = 1.0) -> Linear:
        """This form plus `factor` times the other."""
        positions = {**self.terms, **other.terms}
        terms = {i: self.terms.get(i, 0.0) + factor * other.terms.get(i, 0.0) for i in positions}
        return Linear(self.constant + factor * other.constant, {i: c for i, c in terms.items() if c})

    def times(self, factor: float) -> Linear:
        """`factor` times this form."""
        return Linear(0.0, {}).plus(self, factor)

    def spread(self, widths: Totals, other: Linear | None = None) -> float:
        """The square of its half width, or what it has in common with the `other` form."""
        terms = self.terms if other is None else other.terms
        return sum(c * terms.get(i, 0.0) * widths[i] ** 2 for i, c in self.terms.items())

    def reach(self, slacks: Totals) -> float:
        """How far it moves at most where each total moves by its slack at most."""
        return sum(abs(c) * slacks[i] for i, c in self.terms.items())


@dataclass(frozen=True, slots=True)
class Ratio:
    """top / bottom; `positive` if the exact bottom cannot be below 0, as a count cannot."""

    top: Linear
    bottom: Linear
    positive: bool


def interval_of_ratio(form: Ratio, measured: Measured) -> Interval | None:
    """Where the exact ratio can lie, None where it can lie anywhere.

    The totals before rounding lie in a rectangle around these. Whatever ratio fits the noise around a point
    of it lies between ratios that fit the noise around its corners, as the least of |top - r * bottom| over
    a rectangle that does not hold the ratio r itself is at a corner.
    """
    widths, slacks = measured.widths, measured.slacks
    top, bottom = form.top.at(measured.totals), form.bottom.at(measured.totals)
    across, below = form.top.reach(slacks), form.bottom.reach(slacks)
    if (form.positive and bottom <= 0) or abs(bottom) <= below:
        return None
    spread = (form.top.spread(widths), form.bottom.spread(widths), form.top.spread(widths, form.bottom))
    corners = {(top + s * across, bottom + t * below) for s in (-1, 1) for t in (-1, 1)}
    found = [ratio_interval(*corner, spread) for corner in corners]
    ends = [interval for interval in found if interval is not None]
    if len(ends) < len(found):
        return None
    return Interval(min(interval.lo for interval in ends), max(interval.hi for interval in ends))

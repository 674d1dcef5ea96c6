"""Sample variances and standard deviations of a cell, from its noisy count, sum and sum of squares.

With N values x of mean m, the sample variance is the ratio (Q - 2 m S + m^2 N) / (N - 1), where S and Q are
the sums of x and of x^2. For a given m this is a ratio of linear forms, whose interval is Fieller's; and m is
S / N, another such ratio. So the noise interval is the union of the intervals at S / N and at both ends of
the interval of the mean. As the ratio is least at m = S / N, and changes with the square of the distance from
it, the union is hardly wider than the interval at S / N, unless the noise hides the mean.

Values are counted from a centre near the middle of their declared range, so that S and Q stay small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fedstats.core.estimate import Cell, Interval, Value
from fedstats.statistics._intervals import Bounds, widened
from fedstats.statistics._linear import TOO_FEW, Linear, Measured, Ratio, interval_of_ratio

_ONE = Linear(1.0, {})


@dataclass(frozen=True, slots=True)
class Variance:
    """The sample variance of values from `lo` to `hi`, or with `root` their standard deviation.

    `total` and `squares` add up the values and their squares. `rounding` is by how much rounding can move a
    value of either before it is added up. One person adds at most `weight_max` to the count.
    """

    count: Linear
    total: Linear
    squares: Linear
    lo: float
    hi: float
    rounding: tuple[float, float]
    root: bool
    weight_max: int = 1

    def at(self, mean: float) -> Ratio:
        """The variance where the values have this mean."""
        top = self.squares.plus(self.total, -2 * mean).plus(self.count, mean**2)
        return Ratio(top, self.count.plus(_ONE, -1.0), positive=True)

    def mean(self, measured: Measured) -> float | None:
        """The mean that the totals give, None where no rows are counted."""
        count = self.count.at(measured.totals)
        if count <= 0:
            return None
        return min(max(self.total.at(measured.totals) / count, self.lo), self.hi)


def variance_cell(form: Variance, measured: Measured) -> Cell:
    """The number of one cell with both intervals; TOO_FEW where the noise hides the count."""
    means = interval_of_ratio(Ratio(form.total, form.count, positive=True), measured)
    mean = form.mean(measured)
    if means is None or mean is None:
        return TOO_FEW
    means = Bounds(form.lo, form.hi).within(
        Interval(means.lo - form.rounding[0], means.hi + form.rounding[0])
    )
    found = [interval_of_ratio(form.at(m), measured) for m in (means.lo, mean, means.hi)]
    noise = [interval for interval in found if interval is not None]
    ratio = form.at(mean)
    count = form.count.at(measured.totals)
    if len(noise) < len(found) or count <= 1:
        return TOO_FEW
    bounds = variance_bounds(form.lo, form.hi)
    moved = form.rounding[1] * count / (count - 1)
    within = bounds.within(Interval(min(i.lo for i in noise) - moved, max(i.hi for i in noise) + moved))
    value = bounds.clip(ratio.top.at(measured.totals) / ratio.bottom.at(measured.totals))
    population = bounds.within(_population_interval(form, value, within, means, count / form.weight_max))
    if not form.root:
        return Value(value, within, population)
    return Value(math.sqrt(value), _rooted(within), _rooted(population))


def variance_bounds(lo: float, hi: float) -> Bounds:
    """What is known of a sample variance without asking.

    Of N values within a range the greatest is a quarter of its square times N / (N - 1), and N is 2 or more
    (Popoviciu 1935).
    """
    return Bounds(0.0, (hi - lo) ** 2 / 2)


def _population_interval(
    form: Variance, value: float, noise: Interval, means: Interval, count: float
) -> Interval:
    """The interval for the population's variance, with the rows taken as independent draws from it.

    The variance of a sample variance depends on the fourth moment, which nobody asked for. But squared
    distances from the mean lie between 0 and the greatest one, R, and their mean is the variance V: so their
    own variance is V (R - V) at most, whatever the distribution is (Bhatia and Davis 2000). V is the point of
    the noise interval where that is greatest. For a normal distribution within a wide range this is far more
    than normal theory's 2 V^2, which waits and costs do not follow.
    """
    reach = max(means.hi - form.lo, form.hi - means.lo) ** 2
    variance = min(max(reach / 2, noise.lo), noise.hi)
    sampling = max(variance * (reach - variance), 0.0) / count
    return widened(value, noise, sampling + 2 * variance**2 / (count * (count - 1)))


def _rooted(interval: Interval) -> Interval:
    return Interval(math.sqrt(max(interval.lo, 0.0)), math.sqrt(max(interval.hi, 0.0)))

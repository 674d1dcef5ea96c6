"""One column of numbers of a table: its form, its bounds, and its interval for the population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fedstats.core.estimate import Absence, Cell, Interval, Value
from fedstats.core.expression import NumberLiteral, Op
from fedstats.core.selection import AggregateCall, AggregateKind, Formula, Output, aggregate_calls
from fedstats.errors import SqlRefused
from fedstats.statistics._formula import Form, bounds_of, cell_of, form_of
from fedstats.statistics._intervals import Bounds, widened
from fedstats.statistics._linear import Linear, Measured
from fedstats.statistics._measures import CallMeasures
from fedstats.statistics._quantile import Quantile
from fedstats.statistics._variance import Variance


@dataclass(frozen=True, slots=True)
class Column:
    """A column is `shift + factor * form`; `call` is the one aggregate that `form` is, if it is one.

    It rests on the measures at the positions `rests_on`: where one of these is withheld, so is the number.
    """

    name: str
    form: Form | Quantile
    bounds: Bounds
    call: CallMeasures | None
    rests_on: frozenset[int]
    shift: float = 0.0
    factor: float = 1.0

    @classmethod
    def of(cls, output: Output, calls: Mapping[AggregateCall, CallMeasures]) -> Column:
        """The column of an output; 100 * AVG(x) and 1 - SHARE(x) are as good as the aggregate itself."""
        rests_on = frozenset[int]().union(*(calls[c].rests_on for c in aggregate_calls(output.formula)))
        single = _single(output.formula)
        if single is None:
            _refuse_quantiles(output)
            form, bounds = form_of(output.formula, calls), bounds_of(output.formula, calls)
            return cls(output.name, form, bounds, None, rests_on)
        shift, factor, call = single
        if (tree := calls[call].tree) is not None:
            quantile = Quantile(tree, float(call.share or 0))
            return cls(output.name, quantile, Bounds(), calls[call], rests_on, shift, factor)
        form, bounds = form_of(call, calls), bounds_of(call, calls)
        return cls(output.name, form, bounds, calls[call], rests_on, shift, factor)

    @property
    def noise_is_known(self) -> bool:
        """Whether its noise interval is equally wide in every cell, whatever the totals are."""
        rounded = self.call is not None and self.call.rounded_to is not None and self.call.count is not None
        return isinstance(self.form, Linear) and not rounded

    @property
    def counts(self) -> bool:
        """Whether it counts rows or people."""
        return self.call is not None and self.call.total is None and self.call.tree is None

    def cell(self, measured: Measured) -> Cell:
        """The number of one cell with both intervals, or why there is none."""
        if isinstance(self.form, Quantile):
            found = self.form.cell(measured.trees)
        else:
            found = cell_of(self.form, self.bounds, measured)
        if isinstance(found, Absence):
            return found
        population = found.interval
        if self.call is not None and not isinstance(self.form, Variance | Quantile):
            found = _with_rounding(self.call, found, self.bounds, measured)
            population = _population_interval(self.call, found, self.bounds, measured)
        return Value(
            self.shift + self.factor * found.value,
            self._scaled(found.noise_interval),
            None if population is None else self._scaled(population),
        )

    def _scaled(self, interval: Interval) -> Interval:
        ends = (self.shift + self.factor * interval.lo, self.shift + self.factor * interval.hi)
        return Interval(min(ends), max(ends))


def _refuse_quantiles(output: Output) -> None:
    """Between a quantile and another number nobody knows how their noises go together."""
    if any(call.kind is AggregateKind.QUANTILE for call in aggregate_calls(output.formula)):
        raise SqlRefused(
            f"{output.name}: a quantile stands alone in its column, or with written numbers.",
            remedy="Ask for each in a column of its own, and compute with the answers.",
        )


def _single(formula: Formula) -> tuple[float, float, AggregateCall] | None:
    """(shift, factor, call) if the formula is shift + factor * call."""
    if isinstance(formula, AggregateCall):
        return 0.0, 1.0, formula
    if isinstance(formula, NumberLiteral):
        return None
    left, right = formula.left, formula.right
    if isinstance(right, NumberLiteral):
        return _shifted(_single(left), formula.op, float(right.value))
    if isinstance(left, NumberLiteral) and formula.op is not Op.DIVIDE:
        number, inner = float(left.value), _single(right)
        if formula.op is Op.SUBTRACT:  # a - f is -1 * f + a
            return _shifted(_shifted(inner, Op.MULTIPLY, -1.0), Op.ADD, number)
        return _shifted(inner, formula.op, number)
    return None


def _shifted(
    single: tuple[float, float, AggregateCall] | None, op: Op, number: float
) -> tuple[float, float, AggregateCall] | None:
    if single is None:
        return None
    shift, factor, call = single
    if op is Op.ADD:
        return shift + number, factor, call
    if op is Op.SUBTRACT:
        return shift - number, factor, call
    if op is Op.MULTIPLY:
        return shift * number, factor * number, call
    return shift / number, factor / number, call


def _with_rounding(call: CallMeasures, found: Value, bounds: Bounds, measured: Measured) -> Value:
    """The noise interval widened by what rounding the values may have moved the answer, half a step for each.

    A sum of which nobody knows the count is left as it is: a note tells of the rounding.
    """
    if call.rounded_to is None or call.count is None:
        return found
    most = measured.totals[call.count] + measured.slacks[call.count]
    values = max(most, 0.0) if call.kind is AggregateKind.SUM else 1.0
    slack = values * float(call.rounded_to) / 2
    noise = Interval(found.noise_interval.lo - slack, found.noise_interval.hi + slack)
    return Value(found.value, noise if call.kind is AggregateKind.SUM else bounds.within(noise))


def _population_interval(
    call: CallMeasures, found: Value, bounds: Bounds, measured: Measured
) -> Interval | None:
    """The interval for the population, with the rows taken as independent draws from it.

    Counts: Poisson, the variance is the count. Sums: the squares of the values add up to N max(x^2) at most;
    without the count N there is none. Averages and shares: the variance of values in [lo, hi] with mean m is
    (hi - m)(m - lo) at most, and exactly that for a share (Bhatia and Davis 2000); m is the point of the
    noise interval where that is greatest. Rows of one person are not independent, which these intervals do
    not see; persons are, so where one person adds w <= W to the count in all, the sum of their w^2 is at most
    W times the count.
    """
    if call.total is None:
        return widened(found.value, found.noise_interval, call.weight_max * max(found.value, 0.0))
    if call.count is None:
        return None
    count = max(measured.totals[call.count], 0.0)
    if call.kind is AggregateKind.SUM:
        squares = call.weight_max * count * max(abs(call.lo), abs(call.hi)) ** 2
        return widened(found.value, found.noise_interval, squares)
    middle = (call.lo + call.hi) / 2
    mean = min(max(middle, found.noise_interval.lo), found.noise_interval.hi)
    variance = call.weight_max * (call.hi - mean) * (mean - call.lo) / count
    return bounds.within(widened(found.value, found.noise_interval, variance))

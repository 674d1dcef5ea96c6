"""Which measures a table's aggregates need: the fewest, so that each gets the greatest share of the loss.

- Every count of the same rows is one measure: COUNT(*) also serves COUNT(x) and AVG(x) of an x that is never
  missing.
- AVG(x) and SHARE(x) over [lo, hi] are mid + S / N with the sum S of x - mid, which has half the sensitivity
  of a sum of x.
- VAR_SAMP(x) and STDDEV_SAMP(x) add to AVG(x) the sum of the squares around the middle, with a grid of its
  own; where x has two values only, such as a condition, its squares are all the same and cost nothing.
- SUM(x) is mid N + S if the count N of x is asked for anyway: with D the rows of one person, its noise is
  then as sqrt(mid^2 + half^2) D = sqrt((lo^2 + hi^2) / 2) D, never more than the max(|lo|, |hi|) D of a sum
  around 0, and both cost one measure besides N. Where no N is asked for, the sum around 0 costs one measure
  instead of two.
- Where a person counts once in a cell, rows are counted as people, and sums are of each person's mean, on a
  grid fine enough for means. Where rows have weights, totals are divided by `Bound.unit` (`_rows`).
- MEDIAN(x) and all other quantiles of x share one tree of counts (`_quantile`), which is one measure more.
- Disclosure control asks how many people, or records, stand behind a number. What is not counted for the
  question is counted for it, as a *support*, with a quarter of the share of what was asked: it decides what
  is shown and is not shown itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind, open_keys
from fedstats.core.bound import Bound, BoundKind
from fedstats.core.domain import Domain, Numbers
from fedstats.core.expression import Call, Expression, NumberLiteral, Op, columns_of, normalise, walk
from fedstats.core.grid import Grid, centred_grid, grid_of_means, zero_grid
from fedstats.core.inference import domain_of
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import Dataset
from fedstats.core.selection import VARIANCES, AggregateCall, AggregateKind
from fedstats.core.squares import squares_of
from fedstats.core.two_values import two_values
from fedstats.errors import InternalError, SqlRefused
from fedstats.statistics._auto_bounds import Ranges
from fedstats.statistics._quantile import TreePlan

_OF_MISSING = {Op.AND, Op.OR, Op.IS_NULL, Op.COALESCE, Op.CASE}
_ONE_BRANCH = 2
_ROWS = Bound.rows()
_DECLARED: Ranges = {}
_SUPPORT_WEIGHT = Fraction(1, 4)
_AVERAGES = (AggregateKind.AVG, AggregateKind.SHARE, *VARIANCES)


@dataclass(frozen=True, slots=True)
class CallMeasures:
    """What one aggregate is made of, by position in the list of measures.

    The value is `count` alone (a count), `centre * count + step * total` (a sum; `centre` 0 if it is around
    0), or that divided by `count` (an average). `count` is None for a sum of which nobody asked the count.
    The values that are added up lie between `lo` and `hi`; `rounded_to` is the step to which they are rounded
    before, if they are. `either` are the two values that each can have, if there are only two: then a sum is
    a count of those with the second, in other words. `rests_on` are the positions of all measures without
    which disclosure control shows nothing of it. A variance is made of an average and of one of `squares`,
    which are those of the distances from `around`; it has none where all squares are the same. One person
    adds at most `weight_max` to the count, for all that the population intervals know. A quantile
    is read from the tree of the values of `tree`.
    """

    kind: AggregateKind
    count: int | None
    total: int | None = None
    centre: float = 0.0
    step: float = 0.0
    lo: float = 0.0
    hi: float = 0.0
    rounded_to: Fraction | None = None
    either: tuple[float, float] | None = None
    rests_on: frozenset[int] = frozenset()
    squares: CallMeasures | None = None
    around: float = 0.0
    weight_max: int = 1
    tree: Expression | None = None


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """The measures of a table, each once and in normal form, and what each call takes of them.

    The first `asked` of them were asked for; those after them support these. `trees` are measures too, each
    with keys of its own.
    """

    measures: tuple[Measure, ...]
    calls: dict[AggregateCall, CallMeasures]
    asked: int
    bound: Bound = _ROWS
    trees: Mapping[Expression, TreePlan] = field(default_factory=dict)

    @property
    def supports(self) -> int:
        """How many measures are there for disclosure control alone."""
        return len(self.measures) - self.asked

    def counted_in_sums(self) -> Iterator[tuple[CallMeasures, int]]:
        """Every sum that is a count in other words, once, as a call that takes it, with its position."""
        made = [part for call in self.calls.values() for part in (call, call.squares) if part is not None]
        sums = {part.total: part for part in made if part.either is not None}
        return ((call, total) for total, call in sums.items() if total is not None)

    def aggregate(self, keys: tuple[Expression, ...], dataset: Dataset) -> GroupedSums:
        """The measures by these keys, with equal shares of the loss: minimax for a count and a centred sum.

        Where a key is open, the choice of its values has a share like the others. It is not used as a count,
        whatever is asked: of values that were chosen for their noisy numbers, these numbers read too high.
        """
        opened = bool(open_keys(keys, dataset))
        weight = self._weight(opened=opened)
        weights = [weight] * self.asked + [_SUPPORT_WEIGHT * weight] * self.supports
        measures = tuple(
            Measure(m.kind, m.expression, m.grid, w) for m, w in zip(self.measures, weights, strict=True)
        )
        return GroupedSums(keys, measures, weight if opened else None, self.bound)

    def aggregates(self, keys: tuple[Expression, ...], dataset: Dataset) -> tuple[GroupedSums, ...]:
        """The measures by these keys, if there are any, and one aggregate for each tree.

        Raises
        ------
        LanguageError
            A tree does not go with the keys, or with the bound of one person.

        """
        if self.trees and self.bound != _ROWS:
            raise SqlRefused(
                "Quantiles count rows, each alike: they are not offered with another bound of one person.",
                remedy="Leave --bound out, or ask for the quantiles as a question of their own.",
            )
        weight = self._weight()
        trees = (tree.aggregate(keys, dataset, weight) for tree in self.trees.values())
        return (*((self.aggregate(keys, dataset),) if self.measures else ()), *trees)

    def _weight(self, *, opened: bool = False) -> Fraction:
        """The share of each measure that was asked for; a tree is one, whatever is read from it."""
        return 1 / (self.asked + len(self.trees) + opened + _SUPPORT_WEIGHT * self.supports)

    def positions_in(self, measures: Iterable[Measure]) -> tuple[int, ...]:
        """Where each measure of this plan stands in `measures`, whatever order and weights they have.

        Raises
        ------
        InternalError
            One is missing: these are another question's measures.

        """
        found = {_unweighted(measure): i for i, measure in enumerate(measures)}
        if not set(self.measures) <= set(found):
            raise InternalError("These totals do not belong to this question.")
        return tuple(found[measure] for measure in self.measures)


def plan_measures(
    calls: Iterable[AggregateCall],
    dataset: Dataset,
    *,
    supported: bool = False,
    bound: Bound = _ROWS,
    ranges: Ranges = _DECLARED,
) -> MeasurePlan:
    """The fewest measures from which all `calls` can be computed; `supported`: with what they rest on.

    `bound` is by its one name for the dataset; `ranges` are chosen bounds, for the calls with `auto`.
    """
    listed = list(dict.fromkeys(calls))
    counted = {presence(c.argument, dataset) for c in listed if c.kind in (*_AVERAGES, AggregateKind.COUNT)}
    if any(call.kind is AggregateKind.COUNT_ROWS for call in listed):
        counted.add(None)
    found: dict[Measure, int] = {}
    made = {call: _call_measures(call, dataset, counted, found, bound, ranges) for call in listed}
    asked = len(found)
    for call, measures in made.items() if supported else ():
        support = found.setdefault(_support(call, dataset), len(found))
        squares = None if measures.squares is None else measures.squares.total
        rests_on = (support, measures.count, measures.total, squares)
        made[call] = replace(measures, rests_on=frozenset(i for i in rests_on if i is not None))
    return MeasurePlan(tuple(found), made, asked, bound)


def _support(call: AggregateCall, dataset: Dataset) -> Measure:
    """Who stands behind a number: the people where one may have several rows, else the rows themselves."""
    several = dataset.unit.kind is UnitKind.PERSON and dataset.rows_max > 1
    people = several or call.kind is AggregateKind.COUNT_PEOPLE
    return Measure(MeasureKind.PEOPLE if people else MeasureKind.ROWS, presence(call.argument, dataset))


def presence(expression: Expression | None, dataset: Dataset) -> Expression | None:
    """The simplest expression that is missing in exactly the same rows; None if it is missing in none."""
    if expression is None or not domain_of(expression, dataset).nullable:
        return None
    simple = not any(isinstance(node, Call) and node.op in _OF_MISSING for node in walk(expression))
    nullable = [name for name in columns_of(expression) if dataset.column(name).domain.nullable]
    if simple and len(nullable) == 1:
        return next(n for n in walk(expression) if columns_of(n) == {nullable[0]} and not isinstance(n, Call))
    if isinstance(expression, Call) and expression.op is Op.CASE and len(expression.args) == _ONE_BRANCH:
        condition, value = expression.args
        if not domain_of(value, dataset).nullable:
            return normalise(Call(Op.CASE, (condition, NumberLiteral(Fraction(1)))))
    return normalise(expression)


def _call_measures(
    call: AggregateCall,
    dataset: Dataset,
    counted: set[Expression | None],
    found: dict[Measure, int],
    bound: Bound,
    ranges: Ranges,
) -> CallMeasures:
    def position(kind: MeasureKind, expression: Expression | None, grid: Grid | None = None) -> int:
        if kind is MeasureKind.ROWS and bound.kind is BoundKind.PEOPLE:
            kind = MeasureKind.PEOPLE
        return found.setdefault(Measure(kind, expression, grid), len(found))

    if call.kind is AggregateKind.QUANTILE and call.argument is not None:
        return CallMeasures(call.kind, None, tree=normalise(call.argument))
    rows = presence(call.argument, dataset)
    if call.kind is AggregateKind.COUNT_PEOPLE:
        return CallMeasures(call.kind, position(MeasureKind.PEOPLE, rows))
    if call.kind in (AggregateKind.COUNT_ROWS, AggregateKind.COUNT) or call.argument is None:
        return CallMeasures(call.kind, position(MeasureKind.ROWS, rows), weight_max=max(1, bound.norm))
    domain = _within(domain_of(call.argument, dataset), call, ranges)
    with_count = call.kind in _AVERAGES or rows in counted
    grid, rounded_to = _grid(domain, dataset, bound, centred=with_count)
    count = position(MeasureKind.ROWS, rows) if with_count else None
    total = position(MeasureKind.SUM, normalise(call.argument), grid)
    lo, hi = (domain.lo, domain.hi) if isinstance(domain, Numbers) else (Fraction(0), Fraction(1))
    return CallMeasures(
        call.kind,
        count,
        total,
        float(grid.centre),
        float(grid.step),
        float(lo),
        float(hi),
        rounded_to,
        either=(either := _either(call.argument, dataset, with_count=with_count)),
        squares=_squares(call.argument, dataset, count, bound, position)
        if call.kind in VARIANCES and either is None
        else None,
        weight_max=max(1, bound.norm),
    )


def _within(domain: Domain, call: AggregateCall, ranges: Ranges) -> Domain:
    """The domain between bounds that were chosen for it."""
    chosen = ranges.get(normalise(call.argument)) if call.auto and call.argument is not None else None
    if chosen is None or not isinstance(domain, Numbers):
        return domain
    return replace(domain, lo=chosen.lo, hi=chosen.hi)


def _grid(domain: Domain, dataset: Dataset, bound: Bound, *, centred: bool) -> tuple[Grid, Fraction | None]:
    """The grid of a sum, and the step to which its values are rounded if they are.

    The mean of a person's values is rounded once more where the grid does not hold it.
    """
    grid = centred_grid(domain) if centred else zero_grid(domain)
    rounded = grid.step if isinstance(domain, Numbers) and grid.step > domain.step else Fraction(0)
    if bound.kind is BoundKind.PEOPLE:
        grid, whole = grid_of_means(grid, dataset.rows_max)
        # On the finer grid the values themselves are rounded to its step; then their mean is.
        rounded = (grid.step if rounded else Fraction(0)) + (0 if whole and not rounded else grid.step)
    return grid, rounded or None


def _squares(
    expression: Expression,
    dataset: Dataset,
    count: int | None,
    bound: Bound,
    position: Callable[[MeasureKind, Expression, Grid], int],
) -> CallMeasures:
    """The sum of the squared distances from the middle, with the count of the values themselves."""
    squares, centre = squares_of(expression, dataset)
    domain = domain_of(squares, dataset)
    assert isinstance(domain, Numbers)  # noqa: S101  # a product of numbers
    grid, rounded_to = _grid(domain, dataset, bound, centred=True)
    return CallMeasures(
        AggregateKind.SUM,
        count,
        position(MeasureKind.SUM, normalise(squares), grid),
        float(grid.centre),
        float(grid.step),
        float(domain.lo),
        float(domain.hi),
        rounded_to,
        either=_either(squares, dataset, with_count=True),
        around=float(centre),
    )


def _either(expression: Expression, dataset: Dataset, *, with_count: bool) -> tuple[float, float] | None:
    """The two values of a sum that is a count in other words, that of the counted last; None of any other.

    Without a count of all, such a sum is one only where the other value is 0.
    """
    values = two_values(expression, dataset)
    if values is None or not (with_count or 0 in values):
        return None
    other, counted = sorted(values, key=abs) if 0 in values else sorted(values)
    return float(other), float(counted)


def _unweighted(measure: Measure) -> Measure:
    return Measure(measure.kind, measure.expression, measure.grid)

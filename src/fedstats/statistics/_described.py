"""What `describe` asks about each column of a dataset, by its type and by what the agreement gives it for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.aggregate.tree import Tree
from fedstats.core.domain import Categories, Dates, Numbers, Texts, Truth
from fedstats.core.expression import Call, Column, Expression, NumberLiteral, Op
from fedstats.core.privacy import Mechanism
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.core.selection import AggregateCall, AggregateKind
from fedstats.core.two_values import two_values
from fedstats.statistics._tree import Bins, bins_of, branching_for

ROWS = AggregateCall(AggregateKind.COUNT_ROWS)
PEOPLE = AggregateCall(AggregateKind.COUNT_PEOPLE)


@dataclass(frozen=True, slots=True)
class Described:
    """One column: what may be asked of it depends on its type, `as_measure` and `as_key`."""

    definition: ColumnDefinition

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition.name

    @property
    def measured(self) -> bool:
        """Whether its values may be counted and added up."""
        return self.definition.as_measure and not isinstance(self.definition.domain, Texts)

    @property
    def listed(self) -> bool:
        """Whether each of its values is counted."""
        return self.definition.as_key and isinstance(self.definition.domain, Categories | Truth)

    @property
    def ranked(self) -> bool:
        """Whether it has quantiles."""
        domain = self.definition.domain
        several = isinstance(domain, Numbers | Dates) and domain.lo < domain.hi
        return self.definition.as_key and several

    @property
    def averaged(self) -> bool:
        """Whether it has a mean."""
        domain = self.definition.domain
        return self.measured and isinstance(domain, Numbers) and domain.lo < domain.hi

    @property
    def present(self) -> AggregateCall:
        """How many rows have a value, or all rows where that may not be asked or is known."""
        if self.measured and self.definition.domain.nullable:
            return AggregateCall(AggregateKind.COUNT, Column(self.name))
        return ROWS

    @property
    def mean(self) -> AggregateCall:
        """The mean of the value less the middle of its bounds."""
        return AggregateCall(AggregateKind.AVG, self._centred())

    def square(self, dataset: Dataset) -> AggregateCall | None:
        """The mean of the square of that; None where it has two values, so that its square is known."""
        z = self._centred()
        if two_values(z, dataset) is not None:
            return None
        zero, most = NumberLiteral(Fraction(0)), NumberLiteral(self.half**2)
        return AggregateCall(AggregateKind.AVG, Call(Op.CLAMP, (Call(Op.MULTIPLY, (z, z)), zero, most)))

    @property
    def middle(self) -> Fraction:
        """The middle of the bounds of a number."""
        domain = self.definition.domain
        return (domain.lo + domain.hi) / 2 if isinstance(domain, Numbers) else Fraction(0)

    @property
    def half(self) -> Fraction:
        """Half the range of a number."""
        domain = self.definition.domain
        return (domain.hi - domain.lo) / 2 if isinstance(domain, Numbers) else Fraction(0)

    def calls(self, dataset: Dataset) -> Iterator[AggregateCall]:
        """What is counted and averaged over all rows."""
        yield self.present
        if self.averaged:
            square = self.square(dataset)
            yield from (self.mean,) if square is None else (self.mean, square)

    @property
    def bins(self) -> Bins:
        """The bins of its tree."""
        return bins_of(self.definition.domain)

    def tree(self, mechanism: Mechanism, weight: Fraction) -> GroupedSums:
        """The tree from which its quantiles are read."""
        bins = self.bins
        key = bins.number_of(Column(self.name))
        tree = Tree(key, bins.count, branching_for(bins.count, mechanism))
        return GroupedSums((key,), (Measure(MeasureKind.ROWS, weight=weight),), tree=tree)

    def left_out(self) -> str | None:
        """Why nothing, or not all, is said of it."""
        if isinstance(self.definition.domain, Texts):
            return f"{self.name} is free text, of which nobody listed the values: GROUP BY it in a query."
        if not (self.listed or self.ranked or self.averaged):
            return f"{self.name} is given for neither grouping nor counting: nothing is said of its values."
        if isinstance(self.definition.domain, Numbers) and not self.ranked:
            return f"{self.name} may not be grouped by, so it has no quantiles."
        return None

    def _centred(self) -> Expression:
        column = Column(self.name)
        return Call(Op.SUBTRACT, (column, NumberLiteral(self.middle))) if self.middle else column

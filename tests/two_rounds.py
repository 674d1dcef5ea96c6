"""A statistic of two rounds, for tests of what later rounds build on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.estimate import Estimate, Interval, Table, TableRow, Value
from fedstats.core.expression import Column, Expression
from fedstats.core.grid import Grid
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Round, RoundResult


@dataclass(frozen=True, slots=True)
class Twice:
    """Adds up ages clipped at a bound, then at a bound that the first sum gives."""

    name: ClassVar[str] = "twice"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 2
    threshold: int = 60
    dataset: str = "rtt"

    def condition(self, dataset: Dataset) -> Expression | None:
        """Everybody."""
        del dataset
        return None

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """Two rounds, then both counts."""
        del ask
        half = Fraction(1, 2)
        if not history:
            return Round((GroupedSums((), (_clipped(self.threshold),)),), half)
        totals = [float(result.total[0][0][0]) for result in history]
        if len(history) == 1:
            return Round((GroupedSums((), (_clipped(1 + int(totals[0]) % 97),)),), half)
        cells = tuple(Value(total, Interval(total - 1, total + 1)) for total in totals)
        return Estimate((Table("twice", (), ("first", "second"), (TableRow((), cells),)),))


def _clipped(bound: int) -> Measure:
    """The sum of ages, clipped; later rounds may move the bound, and nothing that the query announced."""
    return Measure(MeasureKind.SUM, Column("age"), Grid(Fraction(0), Fraction(1), bound))

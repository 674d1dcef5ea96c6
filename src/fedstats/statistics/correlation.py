"""The statistic `correlation`: means, covariances and correlations of several columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import numpy as np

from fedstats.core.disclosure import rule_of, rule_words
from fedstats.core.domain import Numbers, Truth
from fedstats.core.estimate import Absence, Cell, Estimate, Picture, PictureKind, Table, TableRow, Value
from fedstats.core.expression import Call, Expression, NumberLiteral, Op
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset
from fedstats.core.selection import AggregateCall, AggregateKind
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic
from fedstats.core.two_values import two_values
from fedstats.errors import ExpressionInvalid, ValueInvalid
from fedstats.sql.texts import condition_of_text, expression_of, key_of
from fedstats.statistics._complete import complete, filled
from fedstats.statistics._disclosing import disclosed
from fedstats.statistics._intervals import Z
from fedstats.statistics._measures import MeasurePlan, plan_measures
from fedstats.statistics._moments import CLEAR, UNKNOWN, Average, Moments, moved, repaired
from fedstats.statistics._several import CellTotals, Keys, spread_out, totals_of
from fedstats.statistics._totals import withheld_by

COLUMNS_MAX = 20
_FEWEST = 2
_ROWS = AggregateCall(AggregateKind.COUNT_ROWS)


@dataclass(frozen=True, slots=True)
class Correlation:
    """Means, standard deviations, covariances and correlations of several columns, with two intervals each.

    Each column is a number, a condition (true is 1) or something computed of columns: `wait_days`,
    `age >= 65`, `CLAMP(cost, 0, 500)`. Rows in which any of them is missing are left out. The number of rows,
    each value and each product of two values are added up with equal shares of the loss, measured from the
    middle of their declared bounds: narrower bounds (CLAMP) make all of them more exact.

    Example: fedstats run correlation --dataset rtt --columns age,imd_decile --epsilon 1
    """

    name: ClassVar[str] = "correlation"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    discloses: ClassVar[bool] = True
    dataset: str = field(metadata={"help": "What to ask about.", "metavar": "DATASET"})
    columns: tuple[str, ...] = field(
        metadata={"help": "Two to 20 columns, or expressions of columns.", "metavar": "COLUMN"}
    )
    by: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Keys of which each combination has its own matrices.", "metavar": "KEY"},
    )
    where: str = field(
        default="", metadata={"help": "Which rows count, as after WHERE.", "metavar": "CONDITION"}
    )

    def __post_init__(self) -> None:
        """What can be known without the dataset."""
        texts = [" ".join(text.split()) for text in self.columns]
        if not _FEWEST <= len(texts) <= COLUMNS_MAX:
            raise ValueInvalid(
                f"A correlation is of {_FEWEST} to {COLUMNS_MAX} columns; these are {len(texts)}."
            )
        if len(set(texts)) < len(texts) or len(set(self.by)) < len(self.by):
            raise ValueInvalid("Each column, and each key, of a correlation is named once.")

    def condition(self, dataset: Dataset) -> Expression | None:
        """The condition on rows; rows in which a column is missing are left out."""
        columns = [expression_of(text, dataset) for text in self.columns]
        return complete(condition_of_text(self.where, dataset), columns, dataset)

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round of counts and sums, then the matrices.

        Raises
        ------
        LanguageError
            A column is no number and no condition, or the texts do not fit the dataset.

        """
        parts = _Parts.of(self.columns, ask.dataset)
        plan = parts.plan(ask)
        keys: Keys = {text: key_of(text, ask.dataset) for text in self.by}
        if not history:
            aggregates = spread_out(plan, keys)
            for aggregate in aggregates:
                aggregate.check(ask.dataset)
            return Round(aggregates).normalised()
        found = (
            (key, cell if isinstance(cell, Absence) else parts.moments(ask, plan, cell))
            for key, cell in totals_of(plan, keys, ask, history[0])
        )
        return self._estimate(ask, found)

    def _estimate(
        self, ask: Ask, cells: Iterable[tuple[tuple[str | None, ...], Moments | Absence]]
    ) -> Estimate:
        names = tuple(" ".join(text.split()) for text in self.columns)
        shown: dict[str, list[TableRow]] = {"correlation": [], "covariance": [], "columns": []}
        furthest = 0.0
        for key, found in cells:
            matrices = _Matrices.of(found, len(names))
            furthest = max(furthest, matrices.moved_by)
            for i, name in enumerate(names):
                shown["correlation"].append(TableRow((*key, name), matrices.correlations[i]))
                shown["covariance"].append(TableRow((*key, name), matrices.covariances[i]))
                shown["columns"].append(TableRow((*key, name), matrices.columns[i]))
        keys = (*self.by, "column")
        tables = (
            Table("correlation", keys, names, tuple(shown["correlation"]), (), _picture(names[0])),
            Table("covariance", keys, names, tuple(shown["covariance"])),
            Table(
                "columns", keys, ("rows", "mean", "sd"), tuple(shown["columns"]), ("rows",), _picture("mean")
            ),
        )
        return Estimate(tables, tuple(self._notes(ask, furthest)), disclosure=ask.disclosure)

    def _notes(self, ask: Ask, furthest: float) -> Iterator[str]:
        if rule_of(ask.disclosure) is not None:
            yield rule_words(ask.disclosure)
        nullable = any(domain_of(expression_of(t, ask.dataset), ask.dataset).nullable for t in self.columns)
        if nullable:
            yield "Rows in which any of the columns is missing are left out."
        if furthest > 0:
            yield (
                "The noise made correlations that no data have (an eigenvalue below 0): near ones that some "
                f"have are shown, which moved a correlation by up to {furthest:.2g}. Intervals hold both."
            )
        yield (
            "Intervals for the population take the rows as independent and the values as normal; what has "
            "few very large values is more uncertain than that."
        )
        if ask.dataset.rows_max > 1:
            yield (
                f"A person may be in up to {ask.dataset.rows_max} rows, and these intervals take each "
                "row for another person's."
            )


@dataclass(frozen=True, slots=True)
class _Parts:
    """The centred values z_i, the middles from which they are measured, and what is averaged."""

    centred: tuple[Expression, ...]
    middles: tuple[Fraction, ...]
    halves: tuple[Fraction, ...]
    calls: Mapping[tuple[int, ...], AggregateCall]

    @classmethod
    def of(cls, texts: Sequence[str], dataset: Dataset) -> _Parts:
        """What these columns need; a condition is 0 and 1, whose square follows from its mean."""
        read = [_number(text, dataset) for text in texts]
        domains = [_bounds(text, z, dataset) for text, z in zip(texts, read, strict=True)]
        middles = tuple((domain.lo + domain.hi) / 2 for domain in domains)
        centred = tuple(
            Call(Op.SUBTRACT, (x, NumberLiteral(middle))) if middle else x
            for x, middle in zip(read, middles, strict=True)
        )
        halves = tuple((domain.hi - domain.lo) / 2 for domain in domains)
        products: dict[tuple[int, ...], Expression] = {
            (i, j): _square(centred[i], halves[i]) if i == j else Call(Op.MULTIPLY, (centred[i], centred[j]))
            for i in range(len(read))
            for j in range(i, len(read))
            if i != j or two_values(centred[i], dataset) is None
        }
        averaged: dict[tuple[int, ...], Expression] = {(i,): z for i, z in enumerate(centred)}
        averaged.update(products)
        calls = {place: AggregateCall(AggregateKind.AVG, z) for place, z in averaged.items()}
        return cls(centred, middles, halves, calls)

    def plan(self, ask: Ask) -> MeasurePlan:
        """The measures: the rows, and a sum for each average."""
        calls = [_ROWS, *self.calls.values()]
        return plan_measures(calls, ask.dataset, supported=rule_of(ask.disclosure) is not None)

    def moments(self, ask: Ask, plan: MeasurePlan, cell: CellTotals) -> Moments | Absence:
        """The averages of a cell as they may be shown, or why there are none."""
        rule = rule_of(ask.disclosure)
        shown = disclosed(cell.totals.tolist(), plan, rule)
        if shown.withheld:
            return withheld_by(rule)
        sds = np.hypot(cell.sds, np.array(shown.slacks) / 3**0.5)  # what is rounded is evenly spread
        at = plan.calls[_ROWS].count or 0
        count = float(shown.totals[at])
        if count <= 1 or count < CLEAR * Z * sds[at]:
            return UNKNOWN
        made: dict[tuple[int, ...], Average] = {}
        for place, call in self.calls.items():
            measures = plan.calls[call]
            total = measures.total or 0
            apart = measures.step * shown.totals[total] / count
            slope = np.zeros(len(sds))
            slope[total], slope[at] = measures.step / count, -apart / count
            made[place] = Average(measures.centre + apart, slope)
        first = tuple(made[i,] for i in range(len(self.centred)))
        second = {(i, j): made[i, j] for i, *rest in made for j in rest}
        for i, half in enumerate(self.halves):  # the square of a value that is -h or h is h^2
            second.setdefault((i, i), Average(float(half) ** 2, np.zeros(len(sds))))
        return Moments(count, first, second, tuple(map(float, self.middles)), sds, at)


@dataclass(frozen=True, slots=True)
class _Matrices:
    """The rows of the three tables of one cell, and how far the repair moved a correlation."""

    correlations: Sequence[tuple[Cell, ...]]
    covariances: Sequence[tuple[Cell, ...]]
    columns: Sequence[tuple[Cell, ...]]
    moved_by: float = 0.0

    @classmethod
    def of(cls, found: Moments | Absence, size: int) -> _Matrices:
        """Every number, or everywhere the reason why there is none."""
        if isinstance(found, Absence):
            blank = [(found,) * size] * size
            return cls(blank, blank, [(found,) * 3] * size)
        spreads = [found.spreads(i) for i in range(size)]
        matrix: list[list[Cell]] = [
            [found.correlation(i, j) if spreads[i] and spreads[j] else UNKNOWN for j in range(size)]
            for i in range(size)
        ]
        covariances: list[list[Cell]] = [[found.covariance(i, j) for j in range(size)] for i in range(size)]
        furthest = _repair(matrix, covariances, [i for i in range(size) if spreads[i]])
        columns = [(found.rows, found.mean(i), found.deviation(i)) for i in range(size)]
        return cls([tuple(row) for row in matrix], [tuple(row) for row in covariances], columns, furthest)


def _repair(matrix: list[list[Cell]], covariances: list[list[Cell]], those: Sequence[int]) -> float:
    """Put what the eigenvalues allow in place of the correlations, and of their covariances."""
    values = np.array([[cell.value for j in those if isinstance(cell := matrix[i][j], Value)] for i in those])
    if not those:
        return 0.0
    better = repaired(values)
    furthest = float(np.abs(better - values).max())
    for a, i in enumerate(those):
        for b, j in enumerate(those):
            cell, covariance = matrix[i][j], covariances[i][j]
            if furthest and i != j and isinstance(cell, Value) and isinstance(covariance, Value):
                matrix[i][j] = moved(cell, float(better[a, b]))
                scale = [c.value for c in (covariances[i][i], covariances[j][j]) if isinstance(c, Value)]
                covariances[i][j] = moved(covariance, float(better[a, b]) * (scale[0] * scale[1]) ** 0.5)
    return furthest


def _number(text: str, dataset: Dataset) -> Expression:
    """The value, never missing; a condition as 0 and 1."""
    expression = filled(expression_of(text, dataset), dataset)
    if isinstance(domain_of(expression, dataset), Truth):
        return Call(Op.CASE, (expression, NumberLiteral(Fraction(1)), NumberLiteral(Fraction(0))))
    return expression


def _bounds(text: str, expression: Expression, dataset: Dataset) -> Numbers:
    domain = domain_of(expression, dataset)
    if not isinstance(domain, Numbers):
        raise ExpressionInvalid(
            f"{text[:60]} is no number and no condition, so it has no correlation.",
            remedy="Write a condition on it (sex = 'F'), or the days between two dates.",
        )
    if domain.lo == domain.hi:
        raise ExpressionInvalid(f"{text[:60]} always has the same value.")
    return domain


def _square(z: Expression, half: Fraction) -> Expression:
    """The square, which interval arithmetic alone would let go below 0."""
    return Call(Op.CLAMP, (Call(Op.MULTIPLY, (z, z)), NumberLiteral(Fraction(0)), NumberLiteral(half**2)))


def _picture(value: str) -> Picture:
    return Picture(PictureKind.INTERVALS, value, label="column")


STATISTIC: type[Statistic] = Correlation

"""The float world: totals as plain float64 sums over all rows, without grid, clip or noise.

What a statistic makes of them must equal the pooled answer. It lives with the tests and is no mechanism: no
question, configuration or package can select it, since a node turns integers alone into a release.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import Measure, MeasureKind
from fedstats.core.bound import Bound, BoundKind
from fedstats.core.domain import Numbers
from fedstats.core.estimate import Estimate
from fedstats.core.evaluation import evaluate, key_value
from fedstats.core.expression import Expression, columns_of
from fedstats.core.inference import domain_of
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Mode, Round, RoundResult, Statistic
from fedstats.testing.pool import run_rounds

NO_SCALE = Fraction(1, 2**80)
"""A noise so small that no interval, weight or threshold made of it moves an answer by 1e-8."""

Codes = Mapping[str, Sequence[int | str | None]]
"""Columns of codes, all of one length, with the persons in a column of their own."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FloatSums:
    """Departments' rows as codes; `answer` takes a statistic through its rounds over float64 sums."""

    dataset: Dataset
    rows: Mapping[str, Codes]
    person: str | None
    departments_max: int = 1
    _evaluated: dict[tuple[str, Expression], list[int | str | None]] = field(default_factory=dict)

    def ask(self) -> Ask:
        """What the statistic is told; the loss plays no part."""
        contribution = self.dataset.contribution(departments_max=self.departments_max)
        loss = MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40))
        return Ask(self.dataset, loss, contribution, tuple(sorted(self.rows)), Mode.LOCAL)

    def answer(self, statistic: Statistic) -> Estimate:
        """The estimate from float64 totals."""
        condition = statistic.condition(self.dataset)
        return run_rounds(statistic, self.ask(), lambda order: self._result(order, condition))

    def _result(self, order: Round, condition: Expression | None) -> RoundResult:
        each: Any = {
            name: tuple(self._vectors(name, aggregate, condition) for aggregate in order.aggregates)
            for name in sorted(self.rows)
        }
        total: Any = tuple(
            tuple(np.sum(vectors, axis=0) for vectors in zip(*aggregates, strict=True))
            for aggregates in zip(*each.values(), strict=True)
        )
        scales = tuple((NO_SCALE,) * len(aggregate.measures) for aggregate in order.aggregates)
        return RoundResult(order, total, scales, len(each), each)

    def _vectors(
        self, department: str, aggregate: Aggregate, condition: Expression | None
    ) -> tuple[Floats, ...]:
        keys = aggregate.key_cells(self.dataset)
        place = {cell: i for i, cell in enumerate(product(*keys))}
        count = self._count(department)
        columns = [self._values(department, key, of_key=True) for key in aggregate.keys]
        cells = zip(*columns, strict=True) if columns else ((),) * count
        met = [1] * count if condition is None else self._values(department, condition)
        cell = np.array(
            [place.get(key, -1) if ok == 1 else -1 for key, ok in zip(cells, met, strict=True)],
            dtype=np.int64,
        )
        size = math.prod(len(of_key) for of_key in keys)
        bound = aggregate.bound
        vectors = [self._vector(department, m, bound, cell, size) for m in aggregate.measures]
        if aggregate.tree is None:
            return tuple(vectors)
        counts = [vector.astype(np.int64) for vector in vectors]  # trees count rows
        return tuple(v.astype(np.float64) for v in aggregate.laid_out(counts, self.dataset))

    def _vector(
        self, department: str, measure: Measure, bound: Bound, cell: npt.NDArray[np.int64], size: int
    ) -> Floats:
        """One measure: a row counts where it has a cell and its expression is not missing."""
        value = np.ones(len(cell))
        if measure.expression is not None:
            value = self._numbers(department, measure.expression)
        counts = (cell >= 0) & ~np.isnan(value)
        if measure.kind is MeasureKind.PEOPLE:
            people = set(zip(cell[counts].tolist(), self._people(department)[counts].tolist(), strict=True))
            return _added([place for place, _ in people], np.ones(len(people)), size)
        weighed = np.where(counts, cell, -1) if bound.kind is BoundKind.PEOPLE else cell
        weight = self._weights(department, bound, weighed)
        if measure.grid is None:
            return _added(cell[counts], weight[counts], size)
        steps = (value[counts] - float(measure.grid.centre)) / float(measure.grid.step)
        return _added(cell[counts], weight[counts] * steps, size)

    def _weights(self, department: str, bound: Bound, cell: npt.NDArray[np.int64]) -> Floats:
        """What each row counts: alike, as a part of its person's in its cell, or within a norm of rows.

        Rows that are not counted have the cell -1.
        """
        if bound.kind is BoundKind.ROWS:
            return np.ones(len(cell))
        pairs = list(zip(self._people(department).tolist(), cell.tolist(), strict=True))
        held = Counter(pairs)
        if bound.kind is BoundKind.PEOPLE:
            return np.array([1 / held[pair] for pair in pairs])
        squares: Counter[object] = Counter()
        for (person, place), count in held.items():
            squares[person] += count**2 if place >= 0 else 0
        lengths = np.sqrt([max(1, squares[person]) for person, _ in pairs])
        return np.asarray(bound.unit * np.minimum(1, bound.norm / lengths), dtype=np.float64)

    def _numbers(self, department: str, expression: Expression) -> Floats:
        """The values of an expression, NaN where it is missing; of one that is no number any number."""
        domain = domain_of(expression, self.dataset)
        step = float(domain.step) if isinstance(domain, Numbers) else 1.0
        codes = self._values(department, expression)
        return np.array([math.nan if code is None else float(code) * step for code in codes])

    def _values(
        self, department: str, expression: Expression, *, of_key: bool = False
    ) -> list[int | str | None]:
        """The code of an expression in every row; computed once for rows that are alike in what it reads."""
        known = (department, expression)
        if known not in self._evaluated:
            names = sorted(columns_of(expression))
            rows = self.rows[department]
            alike: dict[tuple[int | str | None, ...], int | str | None] = {}
            read = (
                zip(*(rows[name] for name in names), strict=True)
                if names
                else ((),) * self._count(department)
            )
            found = []
            for values in read:
                if values not in alike:
                    row = dict(zip(names, values, strict=True))
                    evaluated = key_value if of_key else evaluate
                    alike[values] = evaluated(expression, self.dataset, row)
                found.append(alike[values])
            self._evaluated[known] = found
        return self._evaluated[known]

    def _people(self, department: str) -> npt.NDArray[Any]:
        if self.person is None:
            return np.arange(self._count(department))
        return np.array(self.rows[department][self.person], dtype=object)

    def _count(self, department: str) -> int:
        return len(next(iter(self.rows[department].values())))


def _added(cell: npt.ArrayLike, weights: Floats, size: int) -> Floats:
    """The sum of the weights in each cell."""
    return np.asarray(np.bincount(cell, weights, minlength=size), dtype=np.float64)

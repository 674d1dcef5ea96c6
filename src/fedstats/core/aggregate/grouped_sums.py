"""GroupedSums: rows, people and sums of clipped expressions, per cell of a public key domain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from itertools import product
from typing import ClassVar, Self

import numpy as np

from fedstats.core.aggregate.exact import Exact, Integers
from fedstats.core.aggregate.tree import Tree
from fedstats.core.bound import Bound
from fedstats.core.domain import CODE_MAX, Domain, Numbers, Texts, Truth, cells_of
from fedstats.core.evaluation import TextRow, evaluate, key_value
from fedstats.core.expression import Column, Expression, columns_of, normalise, order_key
from fedstats.core.grid import Grid
from fedstats.core.inference import condition_of, domain_of
from fedstats.core.privacy import Contribution, Sensitivity
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid, InternalError, TooLarge, ValueInvalid

KEYS_MAX = 6
CELLS_MAX = 2_000_000
MEASURES_MAX = 32
_ALL_ROWS = Bound.rows()


class MeasureKind(Enum):
    """What is added up in every cell."""

    ROWS = "rows"
    PEOPLE = "people"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Measure:
    """One vector over the cells, with its own noise.

    ROWS counts rows and PEOPLE distinct units, where `expression` is not missing (None: all rows); SUM adds
    the grid integers of `expression`, leaving missing values out. `weight` is the share of the round's loss.
    """

    kind: MeasureKind
    expression: Expression | None = None
    grid: Grid | None = None
    weight: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        """A sum has an expression and a grid, a count no grid; the weight is a positive share."""
        if (self.kind is MeasureKind.SUM) != (self.grid is not None) or (
            self.grid and self.expression is None
        ):
            raise ValueInvalid("A sum needs an expression and a grid; a count has no grid.")
        if not 0 < self.weight <= 1:
            raise ValueInvalid("The weight of a measure lies above 0 and not above 1.")

    def order_key(self) -> tuple[object, ...]:
        """A total order, for the normal form."""
        expression = (0,) if self.expression is None else (1, order_key(self.expression))
        grid = (0,) if self.grid is None else (1, self.grid.centre, self.grid.step, self.grid.half_width)
        return (self.kind.value, expression, grid, self.weight)

    def sensitivity(
        self, contribution: Contribution, bound: Bound = _ALL_ROWS, *, grouped: bool = True
    ) -> Sensitivity:
        """How far one unit moves this vector (privacy.md section 2).

        Counts of people: one in each of at most L0 cells, D1 = L0 and D2^2 = L0; without a key there is one
        cell. Counts of rows: as the bound says. Sums: that times the clip.
        """
        cells = contribution.cells_max if grouped else 1
        counted = Bound.people() if self.kind is MeasureKind.PEOPLE else bound
        return counted.sensitivity(
            contribution, cells=cells, half_width=self.grid.half_width if self.grid else 1
        )


@dataclass(frozen=True, slots=True)
class GroupedSums:
    """Measures per cell of the product of the keys' domains, in row-major order, empty cells included.

    One key may be open: a column of free text. Its cells are those of its values that pass a threshold of
    their noisy number of units, in order, and one for missing values. `threshold_weight` is the share of the
    round's loss that this number has; the measures are computed after it, over what it named. None where no
    key is open.

    `bound` says how the rows of one person count. Where they have weights, numbers of rows and sums are
    `bound.unit` times as large as what they stand for; numbers of people are not.

    With a `tree` over one of the keys the measures count rows, at every level of it: then a vector is
    row-major over the other keys, and holds for each of their cells the nodes of all levels.
    """

    kind: ClassVar[str] = "grouped_sums"
    keys: tuple[Expression, ...]
    measures: tuple[Measure, ...]
    threshold_weight: Fraction | None = None
    bound: Bound = _ALL_ROWS
    tree: Tree | None = None

    def __post_init__(self) -> None:
        """Few enough keys, at least one measure, nothing twice, a weight that is a share."""
        if self.threshold_weight is not None and not 0 < self.threshold_weight < 1:
            raise ValueInvalid("The weight of a threshold lies between 0 and 1.")
        if len(self.keys) > KEYS_MAX or len(set(self.keys)) != len(self.keys):
            sentence = f"A question has at most {KEYS_MAX} keys, each once."
            raise TooLarge(sentence)
        if not 1 <= len(self.measures) <= MEASURES_MAX or len(set(self.measures)) != len(self.measures):
            sentence = f"A question has between 1 and {MEASURES_MAX} measures, each once."
            raise TooLarge(sentence)
        if self.tree is not None:
            self._check_tree(self.tree)

    def _check_tree(self, tree: Tree) -> None:
        if tree.key not in self.keys:
            raise ValueInvalid("The key of a tree is one of the keys.")
        if self.threshold_weight is not None or self.bound != _ALL_ROWS:
            raise ValueInvalid("A tree counts rows alike, and has no key of free text beside it.")
        if any(measure.kind is not MeasureKind.ROWS for measure in self.measures):
            raise ValueInvalid("A tree counts rows: numbers of people and sums have none.")

    def normalised(self) -> Self:
        """The one aggregate that stands for all orders of writing it."""
        keys = tuple(sorted((normalise(key) for key in self.keys), key=order_key))
        measures = (
            replace(m, expression=None if m.expression is None else normalise(m.expression))
            for m in self.measures
        )
        tree = None if self.tree is None else replace(self.tree, key=normalise(self.tree.key))
        return replace(self, keys=keys, measures=tuple(sorted(measures, key=Measure.order_key)), tree=tree)

    @property
    def weights(self) -> tuple[Fraction, ...]:
        """The shares of the round's loss that it uses."""
        threshold = () if self.threshold_weight is None else (self.threshold_weight,)
        return (*threshold, *(measure.weight for measure in self.measures))

    def columns(self) -> frozenset[str]:
        """Every column that it reads."""
        return columns_of(*self.keys, *(measure.expression for measure in self.measures))

    def key_domains(self, dataset: Dataset) -> tuple[Domain, ...]:
        """The public domain of each key."""
        return tuple(domain_of(key, dataset) for key in self.keys)

    def open_key(self, dataset: Dataset) -> Column | None:
        """The key whose values nobody listed, None where all are public."""
        return next(iter(open_keys(self.keys, dataset)), None)

    def key_cells(
        self, dataset: Dataset, values: Sequence[str] = ()
    ) -> tuple[tuple[int | str | None, ...], ...]:
        """The cells of each key in order, where the open one has these `values`."""
        return tuple(
            (*values, None)
            if isinstance(domain, Texts) and domain.nullable
            else tuple(values)
            if isinstance(domain, Texts)
            else cells_of(domain)
            for domain in self.key_domains(dataset)
        )

    def cells(self, dataset: Dataset, values: Sequence[str] | None = None) -> int:
        """How long each vector is: where the open key has these values, or at most where none are given.

        It has a number for each cell, or for each node of a tree in each cell of the other keys.

        Raises
        ------
        TooLarge
            More than 2,000,000.

        """
        lengths = (
            sum(self.tree.sizes)
            if self.tree is not None and key == self.tree.key
            else domain.nullable + (domain.values_max if values is None else len(values))
            if isinstance(domain, Texts)
            else len(cells_of(domain))
            for key, domain in zip(self.keys, self.key_domains(dataset), strict=True)
        )
        count = math.prod(lengths)
        if count > CELLS_MAX:
            sentence = f"The question has {count} cells; the most is {CELLS_MAX}."
            raise TooLarge(sentence, remedy="Use fewer or coarser keys.")
        return count

    def groups(self, dataset: Dataset) -> int:
        """How many cells there are at most, whose counts may have several levels each; raises as `cells`."""
        return self.cells(dataset) // (1 if self.tree is None else sum(self.tree.sizes))

    def laid_out(
        self, vectors: Sequence[Integers], dataset: Dataset, values: Sequence[str] = ()
    ) -> tuple[Integers, ...]:
        """The vectors, from those over the cells of all keys: with a tree its levels, else as they are."""
        if self.tree is None:
            return tuple(vectors)
        shape = [len(cells) for cells in self.key_cells(dataset, values)]
        axis = self.keys.index(self.tree.key)
        return tuple(self.tree.of_bins(vector, shape, axis) for vector in vectors)

    def check(self, dataset: Dataset) -> None:
        """Everything about it that depends on the dataset's definition.

        Raises
        ------
        LanguageError
            An expression does not fit the definition, or there are too many cells.
        TooLarge
            A sum could overflow 62 bits for the declared `people_max`.
        ValueInvalid
            The bound of one person is not for this dataset.

        """
        self._check_open(dataset)
        self.bound.check(dataset)
        if self.tree is not None:
            self.tree.check(domain_of(self.tree.key, dataset))
        self.cells(dataset)
        of_person = self.bound.reach(dataset.rows_max)
        for measure in self.measures:
            if dataset.people_max * of_person > CODE_MAX // 2:
                raise TooLarge("A count could need more than 62 bits for the declared people_max.")
            if measure.expression is None:
                continue
            domain = domain_of(measure.expression, dataset)
            if isinstance(domain, Texts):
                raise ExpressionInvalid("Free text can only be a key.")
            if measure.grid is not None and not isinstance(domain, Numbers | Truth):
                raise ExpressionInvalid("Only numbers and conditions can be added up.")
            reach = measure.grid.half_width if measure.grid else 1
            if dataset.people_max * of_person * reach > CODE_MAX // 2:
                raise TooLarge("The sum could need more than 62 bits for the declared people_max.")

    def _check_open(self, dataset: Dataset) -> None:
        count = len(open_keys(self.keys, dataset))
        if count > 1:
            raise ExpressionInvalid("A question has at most one key of free text.")
        if (self.threshold_weight is not None) != bool(count):
            raise ValueInvalid("A threshold goes with a key of free text, and such a key with a threshold.")

    def selection(self, dataset: Dataset) -> Self:
        """What is compared with the threshold: the number of units at each value of the open key.

        Raises
        ------
        InternalError
            No key is open.

        """
        key = self.open_key(dataset)
        if key is None:
            raise InternalError("A threshold is for a key without a public list.")
        return type(self)((key,), (Measure(MeasureKind.PEOPLE),))

    def sensitivities(self, contribution: Contribution) -> tuple[Sensitivity, ...]:
        """One per measure."""
        if self.tree is not None:
            return (self.tree.sensitivity(contribution),) * len(self.measures)
        return tuple(
            measure.sensitivity(contribution, self.bound, grouped=bool(self.keys))
            for measure in self.measures
        )

    @property
    def units(self) -> tuple[int, ...]:
        """By what each measure's totals are divided to be rows, people, or steps of its grid."""
        return tuple(1 if m.kind is MeasureKind.PEOPLE else self.bound.unit for m in self.measures)

    def reference(
        self,
        people: Iterable[Sequence[TextRow]],
        dataset: Dataset,
        where: Expression | None,
        values: Sequence[str] = (),
    ) -> Exact:
        """The integer reference that every engine must equal bit for bit.

        `people` holds the rows of each unit after the edition's bounding; L0 is not applied here. Rows with
        other values of the open key than `values` are left out.
        """
        if where is not None:
            condition_of(where, dataset)
        position = {cell: i for i, cell in enumerate(product(*self.key_cells(dataset, values)))}
        vectors = [np.zeros(len(position), dtype=np.int64) for _ in self.measures]
        for rows in people:
            cells: dict[int, list[TextRow]] = {}
            for row in rows:
                cell = position.get(tuple(key_value(key, dataset, row) for key in self.keys))
                if cell is not None and (where is None or evaluate(where, dataset, row) == 1):
                    cells.setdefault(cell, []).append(row)
            weight = self.bound.weight(len(held) for held in cells.values())
            for cell, held in cells.items():
                for vector, measure in zip(vectors, self.measures, strict=True):
                    vector[cell] += self._share(measure, _values(measure, dataset, held), weight)
        return Exact(self.laid_out(vectors, dataset, values))

    def _share(self, measure: Measure, values: Sequence[int], weight: int) -> int:
        """What a person adds to a cell where the rows have these values, missing ones left out."""
        if measure.kind is MeasureKind.PEOPLE:
            return int(bool(values))
        return self.bound.share(sum(values), len(values), weight=weight)


def open_keys(keys: Iterable[Expression], dataset: Dataset) -> tuple[Column, ...]:
    """Those of the keys that are columns of free text."""
    return tuple(
        key for key in keys if isinstance(key, Column) and isinstance(domain_of(key, dataset), Texts)
    )


def _values(measure: Measure, dataset: Dataset, rows: Iterable[TextRow]) -> list[int]:
    """The grid integers of a sum, or 1 for each row that counts; nothing where the value is missing."""
    if measure.expression is None:
        return [1 for _ in rows]
    domain = domain_of(measure.expression, dataset)
    step = domain.step if isinstance(domain, Numbers) else Fraction(1)
    codes = (evaluate(measure.expression, dataset, row) for row in rows)
    grid = measure.grid
    return [1 if grid is None else grid.quantise(code * step) for code in codes if code is not None]

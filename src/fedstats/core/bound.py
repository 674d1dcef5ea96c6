"""How much of one person counts: three ways to bound what somebody with several rows adds to a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from math import isqrt
from typing import Self

from fedstats.core.privacy import Contribution, Sensitivity, UnitKind
from fedstats.core.schema import ROWS_OF_ONE_PERSON_MAX, Dataset
from fedstats.errors import ValueInvalid

AUTO = "auto"
"""What people write for the bound with the least expected error."""

WEIGHT_ONE = 2**10
"""The integer that stands for a whole row where rows have weights: totals are so many times too large."""

_NORM_DIGITS = 5


class BoundKind(Enum):
    """What one person adds at most."""

    ROWS = "rows"
    PEOPLE = "people"
    NORM = "norm"


@dataclass(frozen=True, slots=True)
class Bound:
    """How the rows of one person count in a table; what counts differs, so the answers do too.

    ROWS: every row counts alike. PEOPLE: a person counts once in each cell, with the mean of the values
    there. NORM: the rows of a person have one weight, at most 1, with which the vector of their numbers of
    rows in the cells is no longer than `norm` rows. Weights are integers, `WEIGHT_ONE` is 1.
    """

    kind: BoundKind = BoundKind.ROWS
    norm: int = 0

    def __post_init__(self) -> None:
        """Only weights have a norm."""
        most = ROWS_OF_ONE_PERSON_MAX if self.kind is BoundKind.NORM else 0
        if not min(1, most) <= self.norm <= most:
            raise ValueInvalid("A norm is a whole number of rows of one person, and goes with weights alone.")

    @classmethod
    def rows(cls) -> Self:
        """Every row counts alike."""
        return cls()

    @classmethod
    def people(cls) -> Self:
        """Everybody counts once in a cell."""
        return cls(BoundKind.PEOPLE)

    @classmethod
    def weighted(cls, norm: int) -> Self:
        """The rows of one person together are no longer than `norm` rows."""
        return cls(BoundKind.NORM, norm)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `rows`, `people`, `norm` (of 1 row), `norm:3`, or `auto`, which is None.

        Raises
        ------
        ValueInvalid
            It is none of these.

        """
        kind, colon, norm = text.strip().lower().partition(":")
        if (kind, colon) == (AUTO, ""):
            return None
        digits = norm if colon else "1"
        weighted = kind == BoundKind.NORM.value and digits.isascii() and digits.isdigit()
        if weighted and len(digits) <= _NORM_DIGITS and int(digits):
            return cls.weighted(min(int(digits), ROWS_OF_ONE_PERSON_MAX))
        if colon or kind not in (BoundKind.ROWS.value, BoundKind.PEOPLE.value):
            raise ValueInvalid(
                f"{text[:40]!r} is no way to bound a person.",
                remedy="Write rows (every row counts), people (everybody counts once in a cell), norm or "
                "norm:3 (rows have weights), or auto (whichever is expected to be most exact).",
            )
        return cls(BoundKind(kind))

    @property
    def text(self) -> str:
        """How people write it."""
        return f"{self.kind.value}:{self.norm}" if self.kind is BoundKind.NORM else self.kind.value

    def on(self, dataset: Dataset) -> Bound:
        """The bound by its one name: where nobody has several rows, all three are the same."""
        several = dataset.unit.kind is UnitKind.PERSON and dataset.rows_max > 1
        return self if several else Bound()

    def check(self, dataset: Dataset) -> None:
        """Raise ValueInvalid if it is not called so for this dataset, or reaches beyond its rows."""
        if self.on(dataset) != self:
            raise ValueInvalid(
                f"Nobody has several rows of {dataset.name}: only the bound of rows is for it."
            )
        if self.norm > dataset.rows_max:
            raise ValueInvalid(
                f"A norm of {self.norm} bounds nobody: a person has at most {dataset.rows_max} rows of "
                f"{dataset.name}.",
                remedy=f"Give a norm of 1 to {dataset.rows_max} rows.",
            )

    @property
    def unit(self) -> int:
        """By what totals of rows and of values are divided."""
        return WEIGHT_ONE if self.kind is BoundKind.NORM else 1

    def reach(self, rows_max: int) -> int:
        """The most that one person adds to one cell of a count."""
        most = {BoundKind.ROWS: rows_max, BoundKind.PEOPLE: 1, BoundKind.NORM: WEIGHT_ONE * self.norm}
        return most[self.kind]

    def sensitivity(self, contribution: Contribution, *, cells: int, half_width: int = 1) -> Sensitivity:
        """How far one person moves the vector of a count, or of a sum of integers up to `half_width`.

        `cells` is in how many cells one person counts at most. Rows: all may lie in one cell. People: one in
        each cell. Weights: W n_1, ..., W n_k with W^2 (n_1^2 + ... + n_k^2) <= (S norm)^2 have
        D2 = S norm and D1 <= sqrt(k) D2 (Cauchy and Schwarz), where S is `WEIGHT_ONE`.
        """
        if self.kind is BoundKind.ROWS:
            d1, d2_squared = contribution.rows_max, contribution.rows_max**2
        elif self.kind is BoundKind.PEOPLE:
            d1 = d2_squared = cells
        else:
            d2_squared = (WEIGHT_ONE * self.norm) ** 2
            d1 = min(isqrt(d2_squared * cells - 1) + 1, WEIGHT_ONE * contribution.rows_max)
        return Sensitivity(d1 * half_width, d2_squared * half_width**2)

    def weight(self, rows: Iterable[int]) -> int:
        """The weight of each row of a person who has so many in each cell: isqrt((S norm)^2 / sum of n^2)."""
        if self.kind is not BoundKind.NORM:
            return 1
        squares = sum(count**2 for count in rows)
        return min(WEIGHT_ONE, isqrt((WEIGHT_ONE * self.norm) ** 2 // max(1, squares)))

    def share(self, total: int, count: int, *, weight: int) -> int:
        """What a person adds to a cell in which `count` values (or rows) of theirs add up to `total`.

        People: the mean, to the nearest integer, halves upward.
        """
        if self.kind is BoundKind.PEOPLE:
            return (2 * total + count) // (2 * count) if count else 0
        return weight * total

"""The tables of a crosstab, made of one table of counts with its totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from fedstats.core.estimate import Absence, AbsenceReason, Cell, Interval, Table, TableRow, Value
from fedstats.statistics._independence import Independence
from fedstats.statistics._intervals import Bounds, Z, around, ratio_interval, widened

Labels = tuple[str | None, ...]

UNKNOWN = Absence(AbsenceReason.TOO_FEW, "The noise is as large as the counts that it would be divided by.")
UNTESTED = Absence(
    AbsenceReason.TOO_FEW,
    "The counts are too small beside their noise for the law of the test. Use coarser keys or a larger loss.",
)
HELD = Absence(AbsenceReason.SUPPRESSED, "It would need a count that disclosure control withholds.")
_SHARE = Bounds(0.0, 1.0)


@dataclass(slots=True)
class Crossed:
    """The counts of one combination of the other keys: cells by row and column, then totals in their order.

    `s2` is the variance of the noise of one cell; a total of several has so many times that.
    """

    s2: float
    cells: dict[Labels, Cell] = field(default_factory=dict)
    totals: dict[Labels, Cell] = field(default_factory=dict)

    @property
    def row_labels(self) -> Labels:
        """The values of the row key, in order."""
        return tuple(dict.fromkeys(row for row, _ in self.cells))

    @property
    def column_labels(self) -> Labels:
        """The values of the column key, in order."""
        return tuple(dict.fromkeys(column for _, column in self.cells))

    @property
    def blank(self) -> Absence | None:
        """Why nothing can be made of the table as a whole: some count is not there."""
        absent = next((cell for cell in self.cells.values() if isinstance(cell, Absence)), None)
        return HELD if absent is not None and absent.reason is AbsenceReason.SUPPRESSED else absent

    def independence(self) -> Independence | None:
        """The table as numbers, None where one is missing or noise leaves nothing of them."""
        values = [cell.value for cell in self.cells.values() if isinstance(cell, Value)]
        if len(values) < len(self.cells) or sum(values) <= 0:
            return None
        shape = (len(self.row_labels), len(self.column_labels))
        found = Independence.of(np.array(values, dtype=np.float64).reshape(shape), self.s2)
        return found if found.known else None

    def counted(self, key: Labels) -> Iterator[TableRow]:
        """Counts, and what part each is of its row and of its column; totals too, each where it belongs."""
        every = {**self.cells, **self.totals}
        *_, (all_rows, all_columns) = every  # the last total is that of everything
        rows, columns = [*self.row_labels, all_rows], [*self.column_labels, all_columns]
        sizes = {label: len(rows) - 1 if label == all_rows else 1 for label in rows}
        widths = {label: len(columns) - 1 if label == all_columns else 1 for label in columns}
        for row in rows:
            for column in columns:
                count, of_row, of_column = (
                    every[at] for at in ((row, column), (row, all_columns), (all_rows, column))
                )
                size, width = sizes[row], widths[column]
                shares = (
                    self._share(count, size * width, of_row, size * (len(columns) - 1)),
                    self._share(count, size * width, of_column, (len(rows) - 1) * width),
                )
                total = row == all_rows or column == all_columns
                yield TableRow((*key, row, column), (count, *shares), total=total)

    def compared(self, key: Labels) -> Iterator[TableRow]:
        """What independent keys would give in each cell, and how far the count is from that."""
        known = self.independence()
        for i, row in enumerate(self.row_labels):
            for j, column in enumerate(self.column_labels):
                cells = (self.blank or UNKNOWN,) * 2 if known is None else _compared(known, i, j)
                yield TableRow((*key, row, column), cells)

    def tested(self) -> tuple[Cell, ...]:
        """The test's numbers, which are those of the released counts, and Cramer's V."""
        known = self.independence()
        association: Cell = self.blank or UNKNOWN
        if known is not None and known.measurable:
            association = known.cramers_v()
        if known is None or not known.testable:
            return (*(self.blank or UNTESTED,) * 3, association)
        return (*(_exact(v) for v in (known.statistic, known.degrees, known.p_value)), association)

    def _share(self, part: Cell, parts: int, whole: Cell, wholes: int) -> Cell:
        """One count over another that it is in, and how many cells each adds up."""
        if self.blank is not None or isinstance(part, Absence) or isinstance(whole, Absence):
            return self.blank or UNKNOWN
        if parts == wholes:
            return _exact(1.0)
        spread = Z**2 * self.s2
        noise = ratio_interval(part.value, whole.value, (spread * parts, spread * wholes, spread * parts))
        if noise is None or whole.value <= 0:
            return UNKNOWN
        share, noise = _SHARE.clip(part.value / whole.value), _SHARE.within(noise)
        middle = min(max(0.5, noise.lo), noise.hi)
        population = widened(share, noise, middle * (1 - middle) / whole.value)
        return Value(share, noise, _SHARE.within(population))


def crossed(counts: Table, others: int, s2: float) -> Mapping[Labels, Crossed]:
    """The counts of each combination of the first keys, of which there are so many; they have no totals."""
    groups: dict[Labels, Crossed] = {}
    for row in counts:
        if not row.total:
            group = groups.setdefault(row.key[:others], Crossed(s2))
            group.cells[row.key[others:]] = row.cells[0]
    for row in counts:
        if row.total and row.key[:others] in groups:
            groups[row.key[:others]].totals[row.key[others:]] = row.cells[0]
    return groups


def _compared(known: Independence, i: int, j: int) -> tuple[Cell, ...]:
    expected = float(known.expected[i, j])
    cell = Value(expected, around(expected, Z * float(known.noise_of_expected[i, j])))
    return (cell, known.residual(i, j) if known.measurable else UNKNOWN)


def _exact(number: float) -> Value:
    """A number that no noise hides anything of."""
    return Value(float(number), Interval(float(number), float(number)))

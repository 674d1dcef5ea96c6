"""Numbers as people read them: as many digits as the noise leaves meaning to, with the noise beside. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from statistics import median

from fedstats.core.estimate import AbsenceReason, Cell, Table, Value

DECIMALS_MAX = 10
UNEVEN = 0.05  # from this part of its width on, an interval is not shown as plus or minus
ABSENT = {
    AbsenceReason.TOO_FEW: "too few",
    AbsenceReason.REFUSED: "refused",
    AbsenceReason.NO_ANSWER: "no answer",
    AbsenceReason.SUPPRESSED: "suppressed",
    AbsenceReason.BELOW_THRESHOLD: "not named",
}
NAMED_BY = "named by"
MISSING_KEY = "(missing)"


@dataclass(frozen=True, slots=True)
class Figures:
    """A table as text: names, then rows of key labels and of numbers."""

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    absences: tuple[str, ...]  # the distinct sentences of absent cells


def figures_of(table: Table) -> Figures:
    """The text of every cell; the cells of one column line up when they are set flush right.

    Where a key is open, a last column says how many departments named the value of a row.
    """
    columns = [_column([row.cells[i] for row in table]) for i in range(len(table.columns))]
    names = table.columns
    if any(row.named_by is not None for row in table):
        columns.append(["" if row.named_by is None else str(row.named_by) for row in table])
        names = (*names, NAMED_BY)
    labels = [tuple(MISSING_KEY if label is None else label for label in row.key) for row in table]
    numbers = list(zip(*columns, strict=True)) if columns else [()] * len(labels)
    sentences = (
        f"{ABSENT[cell.reason]}: {cell.sentence or cell.reason.value}"
        for row in table
        for cell in row.cells
        if not isinstance(cell, Value)
    )
    return Figures(
        table.keys,
        names,
        tuple(zip(labels, numbers, strict=True)),
        tuple(dict.fromkeys(sentences)),
    )


def percent(value: float, *, up: bool) -> str:
    """`1.8 %`, with two significant digits; what is used rounds `up`, what is left does not."""
    context = Context(prec=2, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return f"{context.create_decimal_from_float(value).normalize():f} %"


def _column(cells: Sequence[Cell]) -> list[str]:
    values = [cell for cell in cells if isinstance(cell, Value)]
    decimals = _decimals(values)
    halves = {id(v): f"{v.noise_interval.half_width:,.{decimals}f}" for v in values}
    width = max((len(text) for text in halves.values()), default=0)
    return [
        _figure(cell, decimals, halves[id(cell)].rjust(width))
        if isinstance(cell, Value)
        else ABSENT[cell.reason]
        for cell in cells
    ]


def _figure(value: Value, decimals: int, half_width: str) -> str:
    shown = _number(value.value, decimals)
    interval = value.noise_interval
    if interval.lo == interval.hi:  # nothing is hidden of it, as of a p-value
        return shown
    above, below = interval.hi - value.value, value.value - interval.lo
    if abs(above - below) <= UNEVEN * (above + below):
        return f"{shown} ± {half_width}"
    return f"{shown} [{_number(interval.lo, decimals)}, {_number(interval.hi, decimals)}]"


def _number(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def _decimals(values: Sequence[Value]) -> int:
    """So many that the middle half width of the column keeps two significant digits."""
    numbers = [n for v in values for n in (v.value, v.noise_interval.lo, v.noise_interval.hi)]
    if all(number == int(number) for number in numbers):
        return 0
    half_width = median([w for v in values if (w := v.noise_interval.half_width) > 0] or [0.0])
    if half_width <= 0:
        return 4
    return min(DECIMALS_MAX, max(0, 1 - math.floor(math.log10(half_width))))

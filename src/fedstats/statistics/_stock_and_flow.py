"""Stock and flow: how many pathways were open at each census, and how many began and ended between them.

A pathway lies in one cell of a triangle: by the interval between censuses in which its clock started, and
by that in which it stopped. Open at census t are those that had started by then and not stopped; so, whatever
the noise in the cells, open at t = open at t - 1 + starts - stops, exactly. Cells with a stop before the
start are empty by the question's condition, and their noise is in no number. Nor is that of the pathways that
had ended by the first census.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import numpy as np

from fedstats.core.disclosure import DisclosureRule
from fedstats.core.estimate import Cell, Picture, PictureKind, Table, TableRow, Value
from fedstats.statistics._bands import Flags, Floats
from fedstats.statistics._intervals import around, widened
from fedstats.statistics._totals import withheld_by
from fedstats.statistics._waiting_totals import Places

PERIOD_KEY = "period"
COLUMNS = ("open_before", "starts", "stops", "open_after")


def flow_table(
    by: Sequence[str], places: Places, census: Sequence[date], rule: DisclosureRule | None
) -> Table:
    """One line for each place and period from one census to the next."""
    rows = []
    for i, label in enumerate(places.labels):
        for t, (first, last) in enumerate(pairwise(census), start=1):
            absent = places.absent[i]
            if absent is not None or places.flow is None:
                cells: tuple[Cell, ...] = tuple(absent or withheld_by(rule) for _ in COLUMNS)
            else:
                cells = _cells(places, places.flow[i], t, rule)
            rows.append(TableRow((*label, f"{first} to {last}"), cells))
    picture = Picture(PictureKind.BARS, "open_after", label=PERIOD_KEY, series=by[0] if by else None)
    return Table("stock and flow", (*by, PERIOD_KEY), COLUMNS, tuple(rows), counts=COLUMNS, picture=picture)


def _cells(places: Places, flow: Floats, period: int, rule: DisclosureRule | None) -> tuple[Cell, ...]:
    """The four numbers of one period, which ends at the census of this position.

    Where disclosure control withholds one of them, it withholds all: each follows from the others.
    """
    chosen = _parts(flow.shape, period)
    sums = [float(flow[part].sum()) for part in chosen]
    if rule is not None:
        sums = [rule.rounded(each) for each in sums]
        if any(rule.withholds(each) for each in sums):
            return tuple(withheld_by(rule) for _ in COLUMNS)
    slack = 0.0 if rule is None else rule.slack_of_part
    found = []
    for each, part in zip(sums, chosen, strict=True):
        noise = around(each, places.flow_width(int(part.sum()) * places.noises) + slack)
        found.append(Value(each, noise, widened(each, noise, max(each, 0.0))))
    return tuple(found)


def _parts(shape: tuple[int, ...], period: int) -> tuple[Flags, ...]:
    """The cells of each column, of a table by the intervals in which clocks started and stopped."""
    start, stop = np.indices(shape)
    real = stop >= start
    before = (start < period) & (stop >= period)
    after = (start <= period) & (stop > period)
    return before, real & (start == period), real & (stop == period), after

"""The tables of a waiting-times report: shares, quantiles and long waits by key, and cumulative curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fedstats.core.disclosure import DisclosureRule
from fedstats.core.estimate import Absence, AbsenceReason, Cell, Picture, PictureKind, Table, TableRow
from fedstats.statistics._bands import Banded, Flags, Floats, Numbers
from fedstats.statistics._totals import withheld_by
from fedstats.statistics._waiting_round import ADMITTED, COMPLETED, NONADMITTED, OTHER
from fedstats.statistics._waiting_totals import Places

PATHWAY_KEY, WEEKS_KEY = "pathway", "weeks"
CURVES_MAX = 40
_MEDIAN = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """Which figures a report has; weeks as whole numbers, percentiles and the standard in percent."""

    within: tuple[int, ...]
    over: tuple[int, ...]
    percentiles: tuple[float, ...]
    standard: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the report."""
        return (
            "pathways",
            *(f"within_{weeks}_weeks_percent" for weeks in self.within),
            *(quantile_name(percent) for percent in self.percentiles),
            *(f"over_{weeks}_weeks" for weeks in self.over),
        )

    @property
    def counts(self) -> tuple[str, ...]:
        """Those that count pathways."""
        return ("pathways", *(f"over_{weeks}_weeks" for weeks in self.over))


def quantile_name(percent: float) -> str:
    """The column of a quantile."""
    return "median_weeks" if percent == _MEDIAN else f"p{percent:g}_weeks"


@dataclass(frozen=True)
class Group:
    """The pathways that one line is about, at every place; `parts` are the kinds that are added up.

    What disclosure control withholds of one of several parts, it withholds of their sum too: who has the
    others could else subtract.
    """

    name: str
    parts: tuple[int, ...]
    places: Places
    rule: DisclosureRule | None

    @cached_property
    def banded(self) -> Banded:
        """Its counts by band."""
        return self._of(self.parts)

    @cached_property
    def hidden(self) -> Flags:
        """At which places too few stand behind it."""
        one_by_one = [self._too_few((part,)) for part in self.parts]
        return np.asarray(np.logical_or.reduce([self._too_few(self.parts), *one_by_one]))

    def hides(self, some: Floats) -> Flags:
        """Where `some` of its pathways may not be told, or the others."""
        if self.rule is None:
            return self.hidden
        least = self.rule.least
        return self.hidden | (some < least) | (self.banded.all - some < least)

    def _too_few(self, parts: Sequence[int]) -> Flags:
        counted = self._of(parts).all
        if self.rule is None:
            return np.zeros(len(counted), dtype=np.bool_)
        people = self.places.people
        few = counted < self.rule.least
        return few if people is None else few | (people[:, list(parts)].sum(axis=1) < self.rule.least)

    def _of(self, parts: Sequence[int]) -> Banded:
        counts = self.places.bands[:, list(parts)].sum(axis=1)
        noises = self.places.noises * len(parts)
        if self.rule is None:
            return Banded(counts, noises, self.places.noise)
        return Banded(counts, noises, self.places.noise, self._rounded, self.rule.slack_of_part)

    def _rounded(self, counts: Floats) -> Floats:
        multiple = self.rule.multiple if self.rule is not None else 1
        return multiple * np.floor(counts / multiple + 0.5) if multiple > 1 else counts


def group_names(kinds: Sequence[str]) -> tuple[str, ...]:
    """The pathways that can be reported: every kind, and all that were completed."""
    both = {ADMITTED, NONADMITTED} <= set(kinds)
    return (*kinds, COMPLETED) if both else tuple(kinds)


def groups_of(
    names: Sequence[str], kinds: Sequence[str], places: Places, rule: DisclosureRule | None
) -> list[Group]:
    """The groups of these names; without names all but those that ended in other ways."""
    chosen = names or [name for name in group_names(kinds) if name != OTHER]
    parts: dict[str, tuple[int, ...]] = {name: (i,) for i, name in enumerate(kinds)}
    if COMPLETED not in parts and COMPLETED in group_names(kinds):
        parts[COMPLETED] = (parts[ADMITTED][0], parts[NONADMITTED][0])
    return [Group(name, parts[name], places, rule) for name in chosen]


def report_table(
    by: Sequence[str], groups: Sequence[Group], figures: Figures, totals: Sequence[Group]
) -> Table:
    """One line for each place and group; `totals` are the lines over all places, at the end."""
    lines = [figures_of(group, figures) for group in groups]
    places = groups[0].places
    rows = [
        TableRow((*label, group.name), _or_absent(line[i], places.absent[i]))
        for i, label in enumerate(places.labels)
        for group, line in zip(groups, lines, strict=True)
    ]
    for group in totals:
        (cells,) = figures_of(group, figures)
        whole = _or_absent(cells, group.places.absent[0])
        rows.append(TableRow((*("all" for _ in by), group.name), whole, total=True))
    return Table(
        "waiting times",
        (*by, PATHWAY_KEY),
        figures.columns,
        tuple(rows),
        counts=figures.counts,
        picture=_picture(by, figures),
    )


def figures_of(group: Group, figures: Figures) -> list[tuple[Cell, ...]]:
    """The cells of every place."""
    why = withheld_by(group.rule)
    columns = [numbers.cells(hidden, why) for numbers, hidden in _figures(group, figures)]
    return list(zip(*columns, strict=True))


def _figures(group: Group, figures: Figures) -> Iterator[tuple[Numbers, Flags]]:
    """Each column with where it is withheld."""
    banded = group.banded
    yield banded.pathways(), group.hidden
    for weeks in figures.within:
        yield banded.share_within(weeks), group.hides(banded.within(weeks))
    for percent in figures.percentiles:
        share = percent / 100
        yield banded.quantile(share), group.hides(banded.all * share)
    for weeks in figures.over:
        longer = banded.over(weeks)
        yield longer, group.hides(longer.value)


def curve_table(by: Sequence[str], groups: Sequence[Group]) -> Table | None:
    """The percentage that waited at most so many weeks, week by week; None where there are too many."""
    places = groups[0].places
    if len(places.labels) * len(groups) > CURVES_MAX:
        return None
    rows = []
    for group in groups:
        why, banded = withheld_by(group.rule), group.banded
        weeks = [
            numbers.cells(group.hides(banded.within(week)), why)
            for week, numbers in enumerate(banded.curve(), start=1)
        ]
        rows += [
            TableRow((*label, group.name, str(week + 1)), _or_absent((cells[i],), places.absent[i]))
            for i, label in enumerate(places.labels)
            for week, cells in enumerate(weeks)
        ]
    series = PATHWAY_KEY if len(groups) > 1 or not by else by[0]
    drawn = Picture(PictureKind.CURVE, "within_percent", label=WEEKS_KEY, series=series, unit="%")
    return Table("curve", (*by, PATHWAY_KEY, WEEKS_KEY), ("within_percent",), tuple(rows), picture=drawn)


def _or_absent(cells: tuple[Cell, ...], absent: Absence | None) -> tuple[Cell, ...]:
    return cells if absent is None else tuple(absent for _ in cells)


def _picture(by: Sequence[str], figures: Figures) -> Picture | None:
    if not figures.within:
        return None
    name = f"within_{figures.within[0]}_weeks_percent"
    label, series = (by[0], PATHWAY_KEY) if by else (PATHWAY_KEY, None)
    return Picture(
        PictureKind.INTERVALS, name, label=label, series=series, reference=figures.standard, unit="%"
    )


def withheld_anywhere(table: Table) -> bool:
    """Whether disclosure control withholds a number of it."""
    return any(
        isinstance(cell, Absence) and cell.reason is AbsenceReason.SUPPRESSED
        for row in table
        for cell in row.cells
    )

"""What a picture of a table shows, whoever draws it: points with intervals, titles, what is absent. Pure.

Labels come from other machines: what is here is printable, and has no line breaks.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fedstats.client.figures import ABSENT, MISSING_KEY
from fedstats.client.printable import printable
from fedstats.client.question import Question
from fedstats.core.agreement_document import decimal_text
from fedstats.core.estimate import Absence, Cell, Estimate, Picture, PictureKind, Table, TableRow, Value
from fedstats.core.guarantee.figures import plain
from fedstats.errors import PictureImpossible

ROWS_MAX = 200
"""Rows of bars, or departments of a funnel: more cannot be read, on paper or on a screen."""
SERIES_MAX = 30
NUMBER_MAX = 1e15
"""Beyond it the numbers beside an axis could not be told apart."""
TITLE_CHARACTERS = 180
NAMES_MAX = 6
BETWEEN = " · "

_NUMBER = re.compile(r"\D{0,12}?(-?\d+(?:\.\d+)?)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)+", flags=re.ASCII)
_ACROSS = (PictureKind.BARS, PictureKind.INTERVALS)


@dataclass(frozen=True, slots=True)
class Point:
    """One cell: its label, and where it stands along the axis.

    In a funnel, `size` is of how many it is a share, and `limits` are those that its statistic gives: the
    lower and the upper one at 95 %, then at 99.8 %.
    """

    label: str
    at: float
    cell: Cell
    size: float | None = None
    limits: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together: one curve, or all bars of one colour."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as data. `numeric`: the labels of a curve are numbers, and stand where these are."""

    kind: PictureKind
    title: str
    question: str
    value_name: str
    label_name: str
    size_name: str
    series: tuple[Series, ...]
    reference: float | None
    numeric: bool
    absent: tuple[str, ...]
    footer: tuple[str, ...]

    @property
    def points(self) -> Iterator[Point]:
        """The points of all series."""
        for series in self.series:
            yield from series.points

    @property
    def values(self) -> tuple[Value, ...]:
        """All numbers."""
        return tuple(point.cell for point in self.points if isinstance(point.cell, Value))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels along the axis, each once, in order."""
        return tuple(dict.fromkeys(point.label for point in self.points))

    @property
    def reading(self) -> str:
        """What its lines and bands stand for."""
        population = any(value.interval is not None for value in self.values)
        return _READING[self.kind] + (_OF_POPULATION if population and self.kind in _ACROSS else "")

    @property
    def description(self) -> str:
        """What somebody who cannot see it is told: what it shows, how much, from where to where."""
        values = [cell.value for cell in self.values]
        extent = f" from {min(values):,.6g} to {max(values):,.6g}" if values else ""
        count = f"{len(values)} numbers{extent}"
        parts = (f"{_WORDS[self.kind]}: {self.title}, {count}.", *self.absent, *self.footer)
        return " ".join(parts)


_HIDES = "what the privacy noise hides of the exact numbers, 95 times in 100"
_READING = {
    PictureKind.BARS: f"Thick lines: {_HIDES}.",
    PictureKind.INTERVALS: f"Thick lines: {_HIDES}.",
    PictureKind.HISTOGRAM: f"Lines: {_HIDES}.",
    PictureKind.CURVE: f"Bands: {_HIDES}.",
    PictureKind.FUNNEL: "Curves: limits that chance and privacy noise keep to, 95 % (dashed) and 99.8 % "
    f"(solid) of the time; who lies beyond is named. Upright lines: {_HIDES}.",
}
_OF_POPULATION = " Thin lines: where the population lies."
_WORDS = {
    PictureKind.BARS: "Bars",
    PictureKind.HISTOGRAM: "Histogram",
    PictureKind.CURVE: "Curves",
    PictureKind.FUNNEL: "Funnel plot",
    PictureKind.INTERVALS: "Points with intervals",
}


def drawing_of(table: Table, estimate: Estimate, question: Question, column: str | None = None) -> Drawing:
    """What the picture of a table shows; `column` in place of the one that its statistic chose.

    Raises
    ------
    PictureImpossible
        The table has no such column, nothing to draw, or more of it than anybody could read.

    """
    picture = _picture(table, column)
    rows = [row for row in table if not row.total] or list(table)
    if not rows or not table.columns:
        raise PictureImpossible(f"The table {one_line(table.name)} has no numbers to draw.", remedy="")
    label = picture.label if picture.label is not None else (table.keys[0] if table.keys else "")
    all_series, numeric, left_out = _series(table, rows, picture, label)
    _check_size(picture, all_series)
    _check_numbers(table, all_series)
    return Drawing(
        kind=picture.kind,
        title=_title(table, picture, label),
        question=textwrap.shorten(one_line(question.text), TITLE_CHARACTERS),
        value_name=_value_words(picture),
        label_name=words_of(label),
        size_name=words_of(picture.size or ""),
        series=all_series,
        reference=picture.reference,
        numeric=numeric,
        absent=tuple(_absent(all_series, left_out)),
        footer=tuple(_footer(estimate, question)),
    )


def one_line(text: str) -> str:
    """What others wrote, as it may be shown in one line."""
    return printable(text).replace("\n", " ")


def words_of(name: str) -> str:
    """A column's name as a title has it: `wait_days` is wait days; an expression stays as it is."""
    return name.replace("_", " ") if _PLAIN_NAME.fullmatch(name) else one_line(name)


def _value_words(picture: Picture) -> str:
    """What is drawn, with its unit; a percentage does not say so twice."""
    name = words_of(picture.value)
    if picture.unit == "%":
        name = name.removesuffix(" percent")
    return f"{name} ({one_line(picture.unit)})" if picture.unit else name


def _picture(table: Table, column: str | None) -> Picture:
    chosen = table.picture or Picture(PictureKind.BARS, table.columns[0] if table.columns else "")
    if column is not None and column != chosen.value:
        of_another = chosen.kind is PictureKind.FUNNEL  # whose limits are those of its own column
        kind = PictureKind.BARS if of_another else chosen.kind
        chosen = Picture(kind, column, chosen.label, chosen.series)
    if table.columns and chosen.value not in table.columns:
        names = ", ".join(one_line(name) for name in table.columns)
        raise PictureImpossible(
            f"The table {one_line(table.name)} has no column {one_line(chosen.value)}.",
            remedy=f"Its columns are: {names}.",
        )
    return chosen


def _series(
    table: Table, rows: Sequence[TableRow], picture: Picture, label: str
) -> tuple[tuple[Series, ...], bool, tuple[str, ...]]:
    """The points by series, whether they stand at numbers, and the labels that stand nowhere then."""
    apart = picture.kind is PictureKind.CURVE or picture.series is not None
    found: dict[str, list[tuple[float | None, Point]]] = {}
    for row in rows:
        keys = {name: MISSING_KEY if k is None else k for name, k in zip(table.keys, row.key, strict=True)}
        numbers = dict(zip(table.columns, row.cells, strict=True))
        own = keys.get(label, "")
        at = _number_of(numbers.get(label)) if label in numbers else _number_in(own)
        others = [text for name, text in keys.items() if name != label]
        name = one_line(BETWEEN.join(others)) if apart else ""
        text = one_line(own if apart else BETWEEN.join(keys.values())) or one_line(picture.value)
        size = _number_of(numbers.get(picture.size or ""))
        limits = tuple(_number_of(numbers.get(column)) for column in picture.limits)
        known = tuple(limit for limit in limits if limit is not None)
        point = Point(text, 0.0, numbers[picture.value], size, known if len(known) == len(limits) else ())
        found.setdefault(name, []).append((at, point))
    numeric = picture.kind is PictureKind.CURVE and all(
        _rises([at for at, _ in points]) for points in found.values()
    )
    every = [(at, point) for points in found.values() for at, point in points]
    left_out = tuple(dict.fromkeys(point.label for at, point in every if numeric and at is None))
    places = {label: float(i) for i, label in enumerate(dict.fromkeys(point.label for _, point in every))}
    series = tuple(
        Series(
            name,
            tuple(
                replace(point, at=at if numeric and at is not None else places[point.label])
                for at, point in points
                if not numeric or at is not None
            ),
        )
        for name, points in found.items()
    )
    return series, numeric, left_out


def _number_of(cell: Cell | None) -> float | None:
    return cell.value if isinstance(cell, Value) else None


def _number_in(label: str) -> float | None:
    """The first number in a label such as `18`, `<= 18 weeks` or `18 to 26`; None if it begins otherwise."""
    matched = _NUMBER.match(label)
    return float(matched[1]) if matched else None


def _rises(places: Sequence[float | None]) -> bool:
    known = [at for at in places if at is not None]
    return len(known) > 1 and all(one < two for one, two in pairwise(known))


def _check_size(picture: Picture, series: Sequence[Series]) -> None:
    points, remedy = max(len(each.points) for each in series), "Ask for one part of it, or for fewer keys."
    if picture.kind is PictureKind.CURVE:
        points = 0  # a curve may have as many as it likes
    elif picture.kind is not PictureKind.HISTOGRAM:
        points = sum(len(each.points) for each in series)
    if points > ROWS_MAX:
        raise PictureImpossible(
            f"This table has {points:,} rows, and a picture of it can show {ROWS_MAX}.", remedy=remedy
        )
    if len(series) > SERIES_MAX:
        raise PictureImpossible(
            f"This table has {len(series):,} curves, and a picture can show {SERIES_MAX}.", remedy=remedy
        )


def _check_numbers(table: Table, series: Sequence[Series]) -> None:
    points = [point for each in series for point in each.points]
    drawn = [number for p in points for number in (p.at, p.size or 0.0, *p.limits)]
    for cell in (point.cell for point in points):
        if isinstance(cell, Value):
            intervals = [cell.noise_interval, *([cell.interval] if cell.interval else [])]
            drawn += [cell.value, *(end for interval in intervals for end in (interval.lo, interval.hi))]
    if any(abs(number) > NUMBER_MAX for number in drawn):
        raise PictureImpossible(
            f"The table {one_line(table.name)} has numbers beyond ±{NUMBER_MAX:g}: no picture shows them.",
            remedy="Read it as a table.",
        )


def _title(table: Table, picture: Picture, label: str) -> str:
    others = [key for key in table.keys if key != label]
    keys = [label, *others] if label in table.keys else [*table.keys]
    by = f" by {', '.join(map(words_of, keys))}" if keys else ""
    return f"{_value_words(picture)}{by}"


def _absent(series: Sequence[Series], left_out: Sequence[str]) -> Iterator[str]:
    """Sentences about everything that is not drawn, each reason with how many and which."""
    cells = [(each, point) for each in series for point in each.points if isinstance(point.cell, Absence)]
    reasons = Counter(_reason(point.cell) for _, point in cells)
    for reason, count in reasons.items():
        names = dict.fromkeys(
            BETWEEN.join(part for part in (each.name, point.label) if part)
            for each, point in cells
            if _reason(point.cell) == reason
        )
        yield f"Not drawn, {reason}: {listed(tuple(names), count)}."
    if left_out:
        yield f"Not drawn, not on the axis: {listed(left_out, len(left_out))}."


def _reason(cell: Cell) -> str:
    return ABSENT[cell.reason] if isinstance(cell, Absence) else ""


def listed(names: Sequence[str], count: int) -> str:
    """The names, or the first of them and how many more."""
    shown = ", ".join(names[:NAMES_MAX])
    return shown if count <= NAMES_MAX else f"{shown} and {count - NAMES_MAX:,} more"


def _footer(estimate: Estimate, question: Question) -> Iterator[str]:
    """Who answered, what it cost, under what: a picture travels without its table."""
    answered = [p.department for p in estimate.participants if p.refusal is None]
    absent = [p.department for p in estimate.participants if p.refusal is not None]
    if estimate.participants:
        names = f" ({', '.join(answered)})" if len(answered) <= NAMES_MAX and answered else ""
        without = f", without {listed(absent, len(absent))}" if absent else ""
        yield one_line(f"From {len(answered)} of {len(estimate.participants)} departments{names}{without}.")
    if estimate.cost is not None:
        delta = f" at delta {decimal_text(estimate.cost.delta)}" if estimate.cost.delta else ""
        yield f"Differential privacy: epsilon {plain(estimate.cost.epsilon)}{delta} for one person."
    source = (question.agreement, question.dataset, question.edition, estimate.job and f"job {estimate.job}")
    yield one_line(", ".join(part for part in source if part) + ".")

"""Pictures for a terminal: bars and intervals as rows, curves and funnels in braille, or all in ASCII. Pure.

No library is used. Those for terminals that are alive (plotext, plotille, termgraph) draw error bars only on
scattered points or not at all, tell series apart by colour alone, and keep one picture for the whole process.
"""

from __future__ import annotations

import string
import textwrap
from collections.abc import Iterator, Sequence

from fedstats.client.figures import figures_of
from fedstats.client.picture.canvas import Canvas, Extent, framed, tick_text
from fedstats.client.picture.drawing import Drawing, Point, Series
from fedstats.client.picture.limits import SIZES_APART, Z_INNER, Z_OUTER, Funnel, is_placed
from fedstats.core.estimate import PictureKind, Table, TableRow, Value

COLUMNS_MIN, COLUMNS_MAX = 40, 160
LABEL_COLUMNS = 30
BAR_COLUMNS_MIN = 12
LINES = 18
BINS_AS_ROWS_MAX = 40
LETTERS = string.ascii_uppercase + string.ascii_lowercase
_IN_ASCII = str.maketrans({"·": "-", "…": "."})
_HIDES = "what the privacy noise hides of the exact number, 95 times in 100"


def text_of(drawing: Drawing, *, columns: int, ascii_only: bool = False) -> str:
    """The picture as lines of at most so many characters (40 at least).

    Raises
    ------
    PictureImpossible
        A funnel has no department with a share and a number of records.

    """
    columns = min(max(columns, COLUMNS_MIN), COLUMNS_MAX)
    lines = [*textwrap.wrap(drawing.title, columns), ""]
    if drawing.kind is PictureKind.CURVE:
        lines += _curves(drawing, columns, ascii_only=ascii_only)
    elif drawing.kind is PictureKind.FUNNEL:
        lines += _funnel(drawing, columns, ascii_only=ascii_only)
    elif drawing.kind is PictureKind.HISTOGRAM and len(drawing.labels) > BINS_AS_ROWS_MAX:
        lines += _columns(drawing, columns, ascii_only=ascii_only)
    else:
        lines += _rows(drawing, columns, ascii_only=ascii_only)
    below = [
        line for text in (*drawing.absent, " ".join(drawing.footer)) for line in textwrap.wrap(text, columns)
    ]
    shown = "\n".join(line.rstrip() for line in [*lines, "", *below])
    return shown.translate(_IN_ASCII).encode("ascii", "replace").decode() if ascii_only else shown


def _rows(drawing: Drawing, columns: int, *, ascii_only: bool) -> Iterator[str]:
    """One row for each number: its label, a bar with its noise, the number."""
    points = _by_label(drawing)
    labels, numbers = [label for label, _ in points], _numbers([p for _, p in points], ascii_only=ascii_only)
    extent = _extent(drawing)
    first = min(max(len(label) for label in labels), LABEL_COLUMNS, columns // 3)
    last = max(len(number) for number in numbers)
    room = columns - first - last - 2
    beside = room >= BAR_COLUMNS_MIN  # else numbers have no place, and bars matter more
    width = room if beside else columns - first - 1
    for (label, point), number in zip(points, numbers, strict=True):
        name = label if len(label) <= first else label[: first - 1] + ("." if ascii_only else "…")
        absent = not isinstance(point.cell, Value)
        drawn = number.strip() if absent else _bar(point, extent, width, drawing.kind, ascii_only=ascii_only)
        yield f"{name:<{first}} {drawn:<{width}}" + (f" {number:>{last}}" if beside and not absent else "")
    line = "|-+-|" if ascii_only else "├─┼─┤"
    if drawing.values:
        ends = f"Drawn from {_about(extent.lo)} to {_about(extent.hi)}."
        yield from ("", *textwrap.wrap(f"{line} is {_HIDES}. {ends}", columns))


def _bar(point: Point, extent: Extent, width: int, kind: PictureKind, *, ascii_only: bool) -> str:
    """The bar from 0 to the value, with whiskers to both ends of the noise interval."""
    if not isinstance(point.cell, Value):
        return ""
    full, lo_end, hi_end, middle, between, zero = "#||+-|" if ascii_only else "█├┤┼─│"
    at = [
        round(extent.part(number) * (width - 1))
        for number in (0.0, point.cell.noise_interval.lo, point.cell.value, point.cell.noise_interval.hi)
    ]
    origin, lo, value, hi = (min(max(place, 0), width - 1) for place in at)
    cells = [" "] * width
    if kind is not PictureKind.INTERVALS:
        for i in range(min(origin, value), max(origin, value) + 1):
            cells[i] = full
        cells[origin] = zero if extent.lo < 0 else cells[origin]
    for i in range(lo, hi + 1):
        cells[i] = between
    cells[lo], cells[hi] = lo_end, hi_end
    cells[value] = middle
    return "".join(cells)


def _by_label(drawing: Drawing) -> list[tuple[str, Point]]:
    """The points with their labels, those of all series together at each label."""
    several = len(drawing.series) > 1
    places = {label: i for i, label in enumerate(drawing.labels)}
    points = [(series.name, point) for series in drawing.series for point in series.points]
    points.sort(key=lambda found: places[found[1].label])
    return [(f"{point.label}, {name}" if several else point.label, point) for name, point in points]


def _numbers(points: Sequence[Point], *, ascii_only: bool) -> list[str]:
    """The numbers as they stand in a table."""
    table = Table("", (), ("",), tuple(TableRow((), (point.cell,)) for point in points))
    numbers = [numbers[0] for _, numbers in figures_of(table).rows]
    return [number.replace("±", "+-") for number in numbers] if ascii_only else numbers


def _extent(drawing: Drawing) -> Extent:
    """Of all intervals; bars begin at 0."""
    ends = [end for v in drawing.values for end in (v.noise_interval.lo, v.noise_interval.hi)]
    if drawing.kind is not PictureKind.INTERVALS or not ends:
        ends.append(0.0)
    return Extent.around(ends)


def _about(number: float) -> str:
    """A number with four significant digits."""
    return tick_text(float(f"{number:.4g}"))


def _columns(drawing: Drawing, columns: int, *, ascii_only: bool) -> Iterator[str]:
    """A histogram of many bins: upright dots to each number, a gap, and its noise."""
    extent = _extent(drawing)
    canvas, upwards = _canvas(extent, columns, ascii_only=ascii_only)
    bins = len(drawing.labels)
    heights = {int(point.at): point.cell.value for point in drawing.points if isinstance(point.cell, Value)}
    for i in range(canvas.columns * 2):
        x = (i + 0.5) / (canvas.columns * 2)
        if (height := heights.get(int(x * bins))) is not None:
            canvas.line((x, extent.part(0.0)), (x, extent.part(height)))
    across = [((i + 0.5) / bins, label) for i, label in enumerate(drawing.labels)]
    yield drawing.value_name
    yield from framed(canvas, across, upwards)
    yield f"{drawing.label_name:>{columns}}"
    yield from _at_most(drawing, columns, "+-" if ascii_only else "±")


def _curves(drawing: Drawing, columns: int, *, ascii_only: bool) -> Iterator[str]:
    """Each curve with a letter, and its noise as dots apart where there are few curves."""
    ends = [end for v in drawing.values for end in (v.noise_interval.lo, v.noise_interval.hi, v.value)]
    reference = [] if drawing.reference is None else [drawing.reference]
    extent = Extent.around([*ends, *reference] or [0.0])
    along = Extent.around([point.at for point in drawing.points])
    canvas, upwards = _canvas(extent, columns, ascii_only=ascii_only)
    for level in reference:
        canvas.line((0, extent.part(level)), (1, extent.part(level)), every=3)
    for i, series in enumerate(drawing.series):
        _curve(canvas, series, along, extent, letter=LETTERS[i] if len(drawing.series) > 1 else "")
    places = along.ticks if drawing.numeric else [point.at for point in drawing.series[0].points]
    names = [tick_text(n) for n in places] if drawing.numeric else [p.label for p in drawing.series[0].points]
    across = [(along.part(number), name) for number, name in zip(places, names, strict=True)]
    yield drawing.value_name
    yield from framed(canvas, across, upwards)
    yield f"{drawing.label_name:>{columns}}"
    if len(drawing.series) > 1:
        named = (f"{LETTERS[i]} {series.name}" for i, series in enumerate(drawing.series))
        yield from textwrap.wrap("   ".join(named), columns)
    yield from _at_most(drawing, columns, "+-" if ascii_only else "±")


def _curve(canvas: Canvas, series: Series, along: Extent, extent: Extent, *, letter: str) -> None:
    before: Point | None = None
    values = [point for point in series.points if isinstance(point.cell, Value)]
    for point in series.points:
        if before is not None and isinstance(before.cell, Value) and isinstance(point.cell, Value):
            x, next_x = along.part(before.at), along.part(point.at)
            canvas.line((x, extent.part(before.cell.value)), (next_x, extent.part(point.cell.value)))
            if not letter:
                lo, next_lo = before.cell.noise_interval.lo, point.cell.noise_interval.lo
                hi, next_hi = before.cell.noise_interval.hi, point.cell.noise_interval.hi
                canvas.line((x, extent.part(lo)), (next_x, extent.part(next_lo)), every=4)
                canvas.line((x, extent.part(hi)), (next_x, extent.part(next_hi)), every=4)
        elif isinstance(point.cell, Value):
            canvas.dot(along.part(point.at), extent.part(point.cell.value))
        before = point
    if letter and values:
        offset = LETTERS.index(letter)
        for point in (values[len(values) // 4 + offset % max(len(values) // 2, 1)], values[-1]):
            if isinstance(point.cell, Value):
                canvas.mark(along.part(point.at), extent.part(point.cell.value), letter)


def _at_most(drawing: Drawing, columns: int, sign: str) -> Iterator[str]:
    """What the dashed line is, and how far noise reaches: a band as thin as a dot cannot be seen."""
    line = "" if drawing.reference is None else f"Dashed: {tick_text(drawing.reference)}. "
    widths = [value.noise_interval.half_width for value in drawing.values]
    noise = f"The noise: {sign} {_about(max(widths))} at most, {_HIDES}." if widths else ""
    yield from ("", *textwrap.wrap(line + noise, columns))


def _funnel(drawing: Drawing, columns: int, *, ascii_only: bool) -> Iterator[str]:
    """Departments as o, those beyond the limits as letters, which are named below with their numbers."""
    funnel = Funnel.of(drawing)
    points = [p for p in drawing.points if is_placed(p)]
    sizes = [p.size or 1.0 for p in points]
    apart = max(sizes) > SIZES_APART * min(sizes)
    along = Extent(min(sizes) * 0.8 if apart else 0.0, max(sizes) * 1.1, logarithmic=apart)
    reference = [] if drawing.reference is None else [drawing.reference]
    values = [point.cell.value for point in points if isinstance(point.cell, Value)]
    extent = Extent.around([*values, *funnel.middle(sizes), *reference])
    canvas, upwards = _canvas(extent, columns, ascii_only=ascii_only)
    for i in range(canvas.columns * 2):
        x = (i + 0.5) / (canvas.columns * 2)
        size = along.lo * (along.hi / along.lo) ** x if apart else along.hi * x
        levels = [*funnel.at(size, Z_OUTER), *(funnel.at(size, Z_INNER) if i % 3 == 0 else ())]
        for level in (*levels, funnel.target * funnel.scale):
            canvas.dot(x, extent.part(level))
    for level in reference:
        canvas.line((0, extent.part(level)), (1, extent.part(level)), every=3)
    outside = sorted(funnel.outside(points), key=lambda point: point.label)
    for point in points:
        letter = LETTERS[outside.index(point) % len(LETTERS)] if point in outside else "o"
        if isinstance(point.cell, Value) and point.size:
            canvas.mark(along.part(point.size), extent.part(point.cell.value), letter)
    yield drawing.value_name
    yield from framed(canvas, [(along.part(n), tick_text(n)) for n in along.ticks], upwards)
    yield f"{drawing.size_name:>{columns}}"
    if reference:
        yield f"Dashed: {tick_text(reference[0])}."
    yield from _beyond(outside, columns, ascii_only=ascii_only)


def _beyond(outside: Sequence[Point], columns: int, *, ascii_only: bool) -> Iterator[str]:
    yield from textwrap.wrap(
        "o a department. Dotted: the limits that chance and privacy noise keep to, 95 % and 99.8 % of the "
        "time. " + ("Beyond them:" if outside else "Nobody is beyond them."),
        columns,
    )
    for i, (point, number) in enumerate(zip(outside, _numbers(outside, ascii_only=ascii_only), strict=True)):
        yield f"{LETTERS[i % len(LETTERS)]} {point.label}  {number} of {point.size or 0.0:,.0f}"[:columns]


def _canvas(extent: Extent, columns: int, *, ascii_only: bool) -> tuple[Canvas, list[tuple[float, str]]]:
    """An empty canvas, and the ticks of its upright axis."""
    upwards = [(extent.part(number), tick_text(number)) for number in extent.ticks]
    width = max((len(text) for _, text in upwards), default=0)
    return Canvas(columns - width - 2, LINES, ascii_only), upwards

"""The kinds of pictures, each drawn on matplotlib's axes: bars, intervals, histogram, curves, funnel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from fedstats.client.extras import load
from fedstats.client.figures import ABSENT
from fedstats.client.picture.drawing import Drawing, Point, Series
from fedstats.client.picture.limits import SIZES_APART, Z_INNER, Z_OUTER, Funnel, is_placed
from fedstats.core.estimate import Absence, Interval, PictureKind, Value

if TYPE_CHECKING:  # it comes with [analysis]
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]
"""Left, bottom, width and height, in parts of the figure."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Told apart by colour-blind people too (Okabe and Ito 2008); patterns tell them apart without colours."""
LIGHT = ("#9CC7E4", "#F2B48C", "#8FD3BC", "#E8C3D8", "#C6E4F7", "#F5D68F")
HATCHES = ("", "////", "....", "xxxx", "----", "\\\\\\\\")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKS = ("o", "s", "^", "D", "v", "P")
TOGETHER_MAX = len(COLOURS)
LEGEND_COLUMNS = 3
DARK, GREY = "#222222", "#777777"
LABEL_CHARACTERS = 44
TICKS_MAX = 16
MARKED_MAX = 40


def draw(figure: Figure, drawing: Drawing, box: Box) -> None:
    """Draw what the drawing holds into this part of the figure."""
    if in_panels(drawing):
        _panels(figure, drawing, box)
        return
    axes = figure.add_axes(box)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(load("matplotlib.ticker").StrMethodFormatter("{x:,.12g}"))
    _DRAW[drawing.kind](axes, drawing)
    axes.tick_params(length=3, color=GREY)
    if len(drawing.series) > 1:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=LEGEND_COLUMNS,
            frameon=False,
            borderaxespad=0.2,
            fontsize=8,
            handlelength=2.8,
        )


def in_panels(drawing: Drawing) -> bool:
    """Whether there are more curves than can be told apart, so that each has axes of its own."""
    return drawing.kind is PictureKind.CURVE and len(drawing.series) > TOGETHER_MAX


def plain(text: str) -> str:
    """The text as matplotlib shows it unchanged: a dollar would begin a formula."""
    return text.replace("$", r"\$")


def shortened(label: str, characters: int = LABEL_CHARACTERS) -> str:
    """A label as it fits beside a plot."""
    return label if len(label) <= characters else label[: characters - 1].rstrip() + "…"


def _bars(axes: Axes, drawing: Drawing) -> None:
    """Rows of bars; several series share a row, each with its pattern."""
    thickness = 0.66 / len(drawing.series)
    for i, series in enumerate(drawing.series):
        shift = (i - (len(drawing.series) - 1) / 2) * thickness
        values = [(p.at + shift, p.cell) for p in series.points if isinstance(p.cell, Value)]
        if drawing.kind is PictureKind.BARS:
            axes.barh(
                [at for at, _ in values],
                [cell.value for _, cell in values],
                height=thickness * 0.94,
                color=LIGHT[i % TOGETHER_MAX],
                edgecolor=COLOURS[i % TOGETHER_MAX],
                hatch=HATCHES[i % TOGETHER_MAX],
                linewidth=0.6,
                label=plain(shortened(series.name)),
            )
        else:
            mark = MARKS[i % TOGETHER_MAX]
            where = [cell.value for _, cell in values], [at for at, _ in values]
            axes.plot(*where, mark, color=DARK, markersize=4.5, label=plain(shortened(series.name)), zorder=4)
        for at, cell in values:
            _across(axes, at, cell)
        _absences(axes, [(p.at + shift, p.cell) for p in series.points])
    axes.set_yticks(range(len(drawing.labels)), [plain(shortened(label)) for label in drawing.labels], size=8)
    axes.set_ylim(len(drawing.labels) - 0.4, -0.6)
    if drawing.kind is PictureKind.BARS:
        axes.axvline(0, color=DARK, linewidth=0.8)
    if not drawing.values:
        axes.set_xticks([])
    axes.set_xlabel(plain(drawing.value_name))
    _grid(axes, "x")
    if drawing.reference is not None:
        axes.axvline(drawing.reference, color=DARK, linewidth=1, linestyle=(0, (6, 3)))
        _name_line(axes, drawing.reference, across=False)


def _across(axes: Axes, at: float, cell: Value) -> None:
    if cell.interval is not None:
        axes.hlines(at, cell.interval.lo, cell.interval.hi, color=DARK, linewidth=0.9, zorder=3)
    axes.hlines(at, cell.noise_interval.lo, cell.noise_interval.hi, color=DARK, linewidth=2.6, zorder=3)


def _absences(axes: Axes, cells: Sequence[tuple[float, object]]) -> None:
    """A word in the place of each number that is missing; nothing is drawn as 0."""
    for at, cell in cells:
        if isinstance(cell, Absence):
            axes.annotate(
                ABSENT[cell.reason],
                (0, at),
                xycoords=("data", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                size=7.5,
                style="italic",
                color=GREY,
            )


def _histogram(axes: Axes, drawing: Drawing) -> None:
    """Upright columns that touch; each bin's noise as a line."""
    for i, series in enumerate(drawing.series):
        values = [(p.at, p.cell) for p in series.points if isinstance(p.cell, Value)]
        axes.bar(
            [at for at, _ in values],
            [cell.value for _, cell in values],
            width=1.0,
            color=LIGHT[i % TOGETHER_MAX],
            edgecolor=COLOURS[i % TOGETHER_MAX],
            hatch=HATCHES[i % TOGETHER_MAX],
            alpha=1.0 if len(drawing.series) == 1 else 0.6,
            linewidth=0.7 if len(values) <= MARKED_MAX else 0.3,
            label=plain(shortened(series.name)),
        )
        intervals = [cell.noise_interval for _, cell in values]
        width = 2.2 if len(values) <= MARKED_MAX else 1.0
        _upright(axes, [at for at, _ in values], intervals, width)
        for point in series.points:
            if isinstance(point.cell, Absence):
                axes.text(
                    point.at,
                    0,
                    " " + ABSENT[point.cell.reason],
                    rotation=90,
                    size=7,
                    color=GREY,
                    va="bottom",
                    ha="center",
                )
    _name_places(axes, drawing)
    axes.set_xlim(-0.7, len(drawing.labels) - 0.3)
    axes.axhline(0, color=DARK, linewidth=0.8)
    axes.set_ylabel(plain(drawing.value_name))
    _grid(axes, "y")
    if drawing.reference is not None:
        axes.axhline(drawing.reference, color=DARK, linewidth=1, linestyle=(0, (6, 3)))


def _upright(axes: Axes, at: Sequence[float], intervals: Sequence[Interval], width: float) -> None:
    axes.vlines(
        at, [i.lo for i in intervals], [i.hi for i in intervals], color=DARK, linewidth=width, zorder=3
    )


def _curves(axes: Axes, drawing: Drawing) -> None:
    for i, series in enumerate(drawing.series):
        _curve(axes, series, i)
    _around_curves(axes, drawing)
    axes.set_ylabel(plain(drawing.value_name))


def _curve(axes: Axes, series: Series, i: int) -> None:
    """A line with its band; it breaks off where a number is absent."""
    at = np.array([p.at for p in series.points], dtype=float)
    cells = [p.cell if isinstance(p.cell, Value) else None for p in series.points]
    middle = np.array([np.nan if cell is None else cell.value for cell in cells], dtype=float)
    lo = np.array([np.nan if cell is None else cell.noise_interval.lo for cell in cells], dtype=float)
    hi = np.array([np.nan if cell is None else cell.noise_interval.hi for cell in cells], dtype=float)
    colour, style = COLOURS[i % TOGETHER_MAX], LINES[i % TOGETHER_MAX]
    axes.fill_between(at, lo, hi, color=LIGHT[i % TOGETHER_MAX], alpha=0.55, linewidth=0)
    axes.plot(
        at,
        middle,
        color=colour,
        linestyle=style,
        linewidth=1.6,
        marker=MARKS[i % TOGETHER_MAX],
        markersize=3.5 if len(at) <= MARKED_MAX else 0,
        label=plain(shortened(series.name)),
    )


def _around_curves(axes: Axes, drawing: Drawing) -> None:
    """Axes, labels and the reference."""
    axes.set_xlabel(plain(drawing.label_name))
    if not drawing.numeric:
        _name_places(axes, drawing)
    _grid(axes, "y")
    if drawing.reference is not None:
        axes.axhline(drawing.reference, color=DARK, linewidth=1, linestyle=(0, (6, 3)))
        _name_line(axes, drawing.reference, across=True)


def _panels(figure: Figure, drawing: Drawing, box: Box) -> None:
    """One small plot for each curve, all on the same axes, so that they can be compared."""
    columns = 4
    lines = -(-len(drawing.series) // columns)
    left, bottom, width, height = box
    first = None
    for i, (row, column) in zip(
        range(len(drawing.series)), product(range(lines), range(columns)), strict=False
    ):
        place = (
            left + column * width / columns,
            bottom + (lines - 1 - row) * height / lines,
            width / columns * 0.88,
            height / lines * 0.72,
        )
        axes = figure.add_axes(place, sharex=first, sharey=first)
        first = first or axes
        _curve(axes, drawing.series[i], 0)
        axes.set_title(plain(shortened(drawing.series[i].name, 26)), size=7.5, loc="left", pad=2)
        _grid(axes, "y")
        if drawing.reference is not None:
            axes.axhline(drawing.reference, color=DARK, linewidth=0.8, linestyle=(0, (6, 3)))
        axes.tick_params(length=2, color=GREY, labelsize=6.5)
        axes.tick_params(labelleft=column == 0, labelbottom=i + columns >= len(drawing.series))
        if column == 0 and row == lines // 2:
            axes.set_ylabel(plain(drawing.value_name), size=8)
    figure.text(
        left + width / 2,
        bottom - 0.38 / figure.get_figheight(),
        plain(drawing.label_name),
        ha="center",
        size=8,
    )


def _funnel(axes: Axes, drawing: Drawing) -> None:
    """Departments by their size, with the limits that chance keeps to; who lies beyond is named."""
    funnel = Funnel.of(drawing)
    points = [p for p in drawing.points if is_placed(p)]
    sizes = [p.size or 0.0 for p in points]
    values = [p.cell for p in points if isinstance(p.cell, Value)]
    grid = np.geomspace(max(min(sizes) * 0.7, 1.0), max(sizes) * 1.06, 200)
    for z, style in ((Z_INNER, (0, (4, 3))), (Z_OUTER, "-")):
        for side in (0, 1):
            axes.plot(grid, [funnel.at(n, z)[side] for n in grid], color=GREY, linewidth=1, linestyle=style)
    axes.axhline(funnel.target * funnel.scale, color=DARK, linewidth=1)
    axes.vlines(
        sizes,
        [v.noise_interval.lo for v in values],
        [v.noise_interval.hi for v in values],
        color="#AAAAAA",
        linewidth=0.8,
    )
    outside = funnel.outside(points)
    for chosen, face in (([p for p in points if p not in outside], "white"), (outside, COLOURS[1])):
        where = [p.size or 0.0 for p in chosen], [p.cell.value for p in chosen if isinstance(p.cell, Value)]
        axes.plot(*where, "o", markersize=5, markerfacecolor=face, markeredgecolor=DARK, zorder=4)
    if max(sizes) > SIZES_APART * min(sizes):
        axes.set_xscale("log")
        axes.set_xlim(grid[0], max(sizes) * 1.6)
        axes.xaxis.set_major_formatter(load("matplotlib.ticker").StrMethodFormatter("{x:,.12g}"))
    else:
        axes.set_xlim(0, max(sizes) * 1.12)
    reference = [] if drawing.reference is None else [drawing.reference]
    axes.set_ylim(*_heights(funnel, sizes, [*(v.value for v in values), *reference]))
    for level in reference:
        axes.axhline(level, color=DARK, linewidth=1, linestyle=(0, (6, 3)))
        _name_line(axes, level, across=True)
    _name_outside(axes, outside)
    axes.set_xlabel(plain(drawing.size_name or "records"))
    axes.set_ylabel(plain(drawing.value_name))
    _grid(axes, "y")


def _heights(funnel: Funnel, sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The heights that hold all shares, and the limits of middling departments; noise may reach beyond."""
    limits = funnel.middle(sizes)
    lo, hi = min(*values, limits[0]), max(*values, limits[1])
    return lo - 0.06 * (hi - lo), hi + 0.06 * (hi - lo)


def _name_outside(axes: Axes, points: Sequence[Point]) -> None:
    """Names beside the points, each moved down until it is clear of those before it."""
    taken: list[tuple[float, float, float]] = []
    figure = axes.figure
    for point in sorted(points, key=_height, reverse=True):
        text = shortened(point.label, 24)
        x, y = axes.transData.transform((point.size or 0.0, _height(point)))
        line, width = 11.0 * figure.dpi / 72, 4.6 * figure.dpi / 72 * len(text)
        left = x + width > axes.transAxes.transform((1.02, 0))[0]
        start = x - width if left else x
        level = y
        while any(
            abs(level - other) < line and start < end and begin < start + width for other, begin, end in taken
        ):
            level -= line / 2
        taken.append((level, start, start + width))
        axes.annotate(
            plain(text),
            (point.size or 0.0, _height(point)),
            xytext=(-6 if left else 6, (level - y) * 72 / figure.dpi),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            size=7.5,
            arrowprops=None
            if level == y
            else {"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkB": 3},
        )


def _height(point: Point) -> float:
    return point.cell.value if isinstance(point.cell, Value) else 0.0


def _name_places(axes: Axes, drawing: Drawing) -> None:
    """Labels below, thinned out so that they do not run into each other."""
    every = -(-len(drawing.labels) // TICKS_MAX)
    chosen = range(0, len(drawing.labels), every)
    names = [plain(shortened(drawing.labels[i], 24)) for i in chosen]
    slanted = max(len(name) for name in names) * len(names) > 90  # noqa: PLR2004 # characters that fit side by side
    axes.set_xticks(
        list(chosen), names, rotation=40 if slanted else 0, ha="right" if slanted else "center", size=8
    )
    axes.set_xlabel(plain(drawing.label_name))


def _name_line(axes: Axes, reference: float, *, across: bool) -> None:
    """What the dashed line stands for."""
    transform = axes.get_yaxis_transform() if across else axes.get_xaxis_transform()
    where = (1.0, reference) if across else (reference, 1.0)
    shift = (0, 3) if across else (0, 1)
    axes.annotate(
        f"{reference:g}", where, xycoords=transform, xytext=shift, textcoords="offset points", size=7.5,
        ha="right" if across else "center", va="bottom", color=DARK,
    )  # fmt: skip # one setting a line


def _grid(axes: Axes, axis: str) -> None:
    axes.grid(axis=axis, color="#E3E3E3", linewidth=0.6)  # type: ignore[arg-type] # "x" or "y"
    axes.set_axisbelow(True)


_DRAW: dict[PictureKind, Callable[[Axes, Drawing], None]] = {
    PictureKind.BARS: _bars,
    PictureKind.INTERVALS: _bars,
    PictureKind.HISTOGRAM: _histogram,
    PictureKind.CURVE: _curves,
    PictureKind.FUNNEL: _funnel,
}

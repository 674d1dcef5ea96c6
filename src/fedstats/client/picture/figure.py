"""Pictures for files and notebooks, by matplotlib: its objects only, so nothing is shared or left open.

The same answer gives the same bytes: no date is written, and the ids inside an SVG are made from its content.
What it shows can be told apart without colours, and an SVG says in words what it shows.
"""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from fedstats.client.extras import load
from fedstats.client.picture import panels
from fedstats.client.picture.drawing import Drawing
from fedstats.core.estimate import PictureKind
from fedstats.errors import FileProblem, PictureImpossible

if TYPE_CHECKING:  # it comes with [analysis]
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
DOTS_PER_INCH = 150
WIDTH = 8.0  # inches, as all lengths here
LINE, ROW, BAR = 0.17, 0.24, 0.13
PLOT_HEIGHT, PLOT_HEIGHT_MIN = 3.6, 0.8
PANEL_HEIGHT, PANEL_COLUMNS = 1.7, 4
RIGHT, AXIS, GAP = 0.35, 0.62, 0.16
CHARACTER = 0.072  # of the labels' size, on average
LABEL_CHARACTERS = 44
TEXT_COLUMNS = 128
STYLE = {
    "svg.hashsalt": "fedstats",
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read aloud
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "hatch.linewidth": 0.6,
}


def figure_of(drawing: Drawing) -> Figure:
    """The picture as a matplotlib Figure, to change or to save.

    Raises
    ------
    ExtraMissing
        `fedstats[analysis]` is not installed.
    PictureImpossible
        A funnel has no department with a share and a number of records.

    """
    figures = load("matplotlib.figure")
    with _style():
        title = textwrap.wrap(drawing.title, 84, max_lines=2) or [""]
        question = textwrap.wrap(drawing.question, TEXT_COLUMNS)
        below = [line for text in _below(drawing) for line in textwrap.wrap(text, TEXT_COLUMNS)]
        plot, top = (
            _plot_height(drawing),
            0.12 + 0.22 * len(title) + LINE * len(question) + GAP + _legend(drawing),
        )
        height = top + plot + AXIS + _ticks(drawing) + LINE * len(below) + 0.12
        figure: Figure = figures.Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, facecolor="white")
        _write(figure, title, question, below)
        left = _left(drawing)
        box = (left / WIDTH, 1 - (top + plot) / height, 1 - (left + RIGHT) / WIDTH, plot / height)
        panels.draw(figure, drawing, box)
    return figure


def content_of(drawing: Drawing, form: str) -> bytes:
    """The picture as an SVG, PNG or PDF file: the same bytes for the same answer.

    Raises
    ------
    ExtraMissing, PictureImpossible
        As `figure_of`; or no such format.

    """
    if form not in FORMATS:
        raise PictureImpossible(
            f"A picture is written as {', '.join(FORMATS)}.", remedy="For example: --output picture.svg"
        )
    figure, out = figure_of(drawing), io.BytesIO()
    told = {"svg": {"Title": _valid(drawing.title), "Date": None, "Creator": "fedstats"}}
    told["pdf"] = {
        "Title": drawing.title,
        "CreationDate": None,
        "Creator": "fedstats",
        "Producer": "fedstats",
    }
    told["png"] = {"Title": drawing.title, "Description": drawing.description, "Software": "fedstats"}
    with _style():
        figure.savefig(out, format=form, metadata=told[form], dpi=DOTS_PER_INCH)
    return _described(out.getvalue(), drawing) if form == "svg" else out.getvalue()


def write(drawing: Drawing, path: Path) -> None:
    """Write the picture in the format that the file's name ends in.

    Raises
    ------
    FileProblem
        The file cannot be written.
    ExtraMissing, PictureImpossible
        As `content_of`.

    """
    content = content_of(drawing, path.suffix[1:].lower())
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be written: {problem.strerror}.") from None


@contextmanager
def _style() -> Iterator[None]:
    """Our own settings, whatever the caller's are, and back; fonts that lack a letter show a box for it."""
    matplotlib = load("matplotlib")
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph ", category=UserWarning)
        yield


def _write(figure: Figure, title: list[str], question: list[str], below: list[str]) -> None:
    """Title and question above, and what must be known to read it below."""
    height, grey = figure.get_figheight(), "#444444"
    y = height - 0.12
    for line in title:
        figure.text(0.12 / WIDTH, y / height, panels.plain(line), va="top", size=11.5, weight="bold")
        y -= 0.22
    for line in question:
        figure.text(0.12 / WIDTH, y / height, panels.plain(line), va="top", size=8, color=grey)
        y -= LINE
    y = 0.12 + LINE * len(below)
    for line in below:
        figure.text(0.12 / WIDTH, y / height, panels.plain(line), va="top", size=7.5, color=grey)
        y -= LINE


def _below(drawing: Drawing) -> Iterator[str]:
    yield drawing.reading
    yield from drawing.absent
    yield " ".join(drawing.footer)


def _plot_height(drawing: Drawing) -> float:
    if drawing.kind in (PictureKind.BARS, PictureKind.INTERVALS):
        apart = len(drawing.series)
        row = ROW if apart == 1 else BAR * apart + 0.1
        return max(PLOT_HEIGHT_MIN, row * len(drawing.labels))
    if panels.in_panels(drawing):
        return PANEL_HEIGHT * math.ceil(len(drawing.series) / PANEL_COLUMNS)
    return PLOT_HEIGHT


def _legend(drawing: Drawing) -> float:
    """How much room the names of the series need above the plot."""
    if len(drawing.series) == 1 or panels.in_panels(drawing):
        return 0.0
    return 0.2 * math.ceil(len(drawing.series) / panels.LEGEND_COLUMNS) + 0.05


def _ticks(drawing: Drawing) -> float:
    """How much more room slanted labels below the plot need."""
    upright = drawing.kind in (PictureKind.BARS, PictureKind.INTERVALS, PictureKind.FUNNEL) or drawing.numeric
    return 0.0 if upright else 0.6 * CHARACTER * max(len(shortened(label)) for label in drawing.labels)


def _left(drawing: Drawing) -> float:
    """How much room the labels on the left need."""
    if drawing.kind in (PictureKind.BARS, PictureKind.INTERVALS):
        return max(0.9, 0.45 + CHARACTER * max(len(shortened(label)) for label in drawing.labels))
    return 0.95


def shortened(label: str) -> str:
    """A label as it fits beside a plot."""
    return panels.shortened(label)


def _described(content: bytes, drawing: Drawing) -> bytes:
    """The SVG with what it shows in words, for those who cannot see it."""
    words = f"<desc>{escape(_valid(drawing.description))}</desc>".encode()
    head, title, rest = content.partition(b"</title>")
    return head.replace(b"<svg ", b'<svg role="img" ', 1) + title + b"\n " + words + rest


def _valid(text: str) -> str:
    """The text as XML 1.0 can hold it: what is printable is no control character and no surrogate."""
    return "".join(c for c in text if c == "\n" or c.isprintable())

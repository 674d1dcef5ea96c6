"""Pictures: the same bytes for the same answer, nothing absent drawn as 0, labels never as markup."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedstats.client.answer import Answer
from fedstats.client.picture.canvas import Extent
from fedstats.client.picture.drawing import Drawing, drawing_of, words_of
from fedstats.client.picture.figure import content_of, figure_of
from fedstats.client.picture.limits import Funnel
from fedstats.client.picture.text import text_of
from fedstats.client.question import Question
from fedstats.core.estimate import (
    Absence,
    AbsenceReason,
    Cell,
    Cost,
    Estimate,
    Interval,
    Participant,
    Picture,
    PictureKind,
    Refusal,
    Table,
    TableRow,
    Value,
)
from fedstats.core.privacy import Loss
from fedstats.errors import PictureImpossible, TableUnclear

QUESTION = Question("SELECT ... FROM rtt", "RTT-2026", 1, "Waits", "waiting", "To see.", "rtt", "2025-09")
SVG = "{http://www.w3.org/2000/svg}"
TOO_FEW = Absence(AbsenceReason.TOO_FEW, "The noise is as large as the count.")
HOSTILE = "<script>alert(1)</script> $x_{y$ \x1b[2J\u202e & \"'"


def value(number: float, half_width: float) -> Value:
    """A number with its noise."""
    return Value(number, Interval(number - half_width, number + half_width))


def estimate(*tables: Table) -> Estimate:
    """An estimate of two departments, of which one refused."""
    participants = (Participant("north"), Participant("south", Refusal("south", "FS-207", "No.")))
    cost = Cost(Loss(Fraction(1, 64)), Decimal("0.5"), Fraction(1, 2_000_000), pure=False)
    return Estimate(tables, (), participants, None, cost, "0123456789")


def drawing(table: Table, column: str | None = None) -> Drawing:
    """What its picture shows."""
    return drawing_of(table, estimate(table), QUESTION, column)


def table(*cells: Cell, kind: PictureKind = PictureKind.BARS, labels: tuple[str, ...] = ()) -> Table:
    """A table of one key; a funnel has the size 400 at every department."""
    names = labels or tuple(f"{i} weeks" for i in range(len(cells)))
    rows = tuple(TableRow((name,), (cell, value(400, 5))) for name, cell in zip(names, cells, strict=True))
    return Table("waits", ("band",), ("n", "all"), rows, (), Picture(kind, "n", "band", size="all"))


MANY = table(*(value(0.5 + i / 100, 0.02) for i in range(12)), TOO_FEW)
cells = st.one_of(
    st.just(TOO_FEW),
    st.tuples(st.floats(-1e9, 1e9), st.floats(0, 1e6)).map(lambda pair: value(*pair)),
)


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
@pytest.mark.parametrize("kind", PictureKind)
def test_the_same_answer_gives_the_same_bytes(kind: PictureKind, form: str) -> None:
    """A picture can be made again and compared: no date, no random ids."""
    of = replace(MANY, picture=Picture(kind, "n", "band", size="all", reference=0.5))
    assert content_of(drawing(of), form) == content_of(drawing(of), form)


@pytest.mark.parametrize("kind", PictureKind)
def test_labels_of_others_are_text_and_nothing_else(kind: PictureKind) -> None:
    """A department's text makes no element, no formula, no script; it is read as it was written."""
    of = table(
        value(0.5, 0.01), value(0.6, 0.1), value(0.9, 0.01), kind=kind, labels=("a", HOSTILE, HOSTILE + "!")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = ET.fromstring(content_of(drawing(of), "svg"))  # noqa: S314 # our own bytes are what is tested
    assert not document.findall(f".//{SVG}script")
    shown = " ".join(document.itertext())
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "$x_{y$" in shown or kind not in (PictureKind.BARS, PictureKind.INTERVALS)  # others shorten labels
    drawn = text_of(drawing(of), columns=100)
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn


def test_a_picture_says_in_words_what_it_shows() -> None:
    """Whoever cannot see it is told title, numbers, what is absent, who answered and what it cost."""
    document = ET.fromstring(content_of(drawing(MANY), "svg"))  # noqa: S314 # our own bytes
    title, description = document.findtext(f"{SVG}title"), document.findtext(f"{SVG}desc") or ""
    assert title == "n by band"
    assert "12 numbers from 0.5 to 0.61" in description
    for part in (
        "too few: 12 weeks",
        "1 of 2 departments (north), without south",
        "epsilon 0.5",
        "job 0123456789",
    ):
        assert part in description
    assert document.get("role") == "img"


@pytest.mark.parametrize("kind", [PictureKind.BARS, PictureKind.HISTOGRAM])
def test_what_is_absent_is_never_drawn_as_0(kind: PictureKind) -> None:
    """There is no bar for it, of any height: in its place stands the word."""
    of = table(value(3.0, 1.0), TOO_FEW, value(0.0, 1.0), kind=kind)
    figure = figure_of(drawing(of))
    (axes,) = figure.axes
    assert len(axes.containers[0].get_children()) == 2
    assert [text.get_text().strip() for text in axes.texts] == ["too few"]
    rows = text_of(drawing(of), columns=80).splitlines()[2:5]
    assert rows[1].split(maxsplit=2) == ["1", "weeks", "too few"]


def test_a_curve_breaks_off_where_a_number_is_absent() -> None:
    """No line leads over a gap, and labels that are no numbers have no place among numbers."""
    names = ("0 weeks", "1 weeks", "2 weeks", "4 weeks", "(missing)")
    of = table(
        value(1, 0), TOO_FEW, value(3, 0), value(4, 0), value(9, 0), kind=PictureKind.CURVE, labels=names
    )
    (axes,) = figure_of(drawing(of)).axes
    line = np.asarray(axes.lines[0].get_xydata(), dtype=float).tolist()
    assert [at for at, _ in line] == [0, 1, 2, 4]
    assert [str(number) for _, number in line] == ["1.0", "nan", "3.0", "4.0"]
    assert "Not drawn, not on the axis: (missing)." in drawing(of).absent


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(PictureKind),
    these=st.lists(cells, min_size=1, max_size=60),
    columns=st.integers(20, 200),
    name=st.text(max_size=60),
    ascii_only=st.booleans(),
)
def test_any_table_is_drawn_within_the_terminal(
    *, kind: PictureKind, these: list[Cell], columns: int, name: str, ascii_only: bool
) -> None:
    """Whatever the numbers and labels: no line is longer than the terminal, none has a control character."""
    of = table(*these, kind=kind, labels=tuple(f"{i}{name}" for i in range(len(these))))
    if kind is PictureKind.FUNNEL and all(isinstance(cell, Absence) for cell in these):
        with pytest.raises(PictureImpossible):
            text_of(drawing(of), columns=columns)
        return
    shown = text_of(drawing(of), columns=columns, ascii_only=ascii_only)
    lines = shown.split("\n")
    assert all(line.isprintable() for line in lines)
    assert shown.isascii() or not ascii_only
    assert max(len(line) for line in lines) <= min(max(columns, 40), 160)


def test_whiskers_stand_where_the_interval_ends() -> None:
    """A bar reaches to the value, the whiskers from one end of the noise interval to the other."""
    rows = text_of(drawing(table(value(50, 10), value(-20, 10), value(100, 0))), columns=100).splitlines()[2:]
    first = rows[0][8:]
    scale = rows[2][8:].index("┼") / 130  # from -30 to 100
    assert [first.index(mark) / scale for mark in "├┼┤"] == pytest.approx([70, 80, 90], abs=1 / scale)
    assert rows[1][8:].index("├") == 0


def test_funnel_limits_are_those_of_chance_and_noise() -> None:
    """By hand: all share 0.62, 400 records, noise of half width 0.02; sampling and noise add in squares."""
    of = table(*(value(0.6, 0.02) for _ in range(9)), value(0.8, 0.02), kind=PictureKind.FUNNEL)
    drawn = drawing(of)
    funnel = Funnel.of(drawn)
    noise_sd = 0.02 / 1.959963984540054
    reach = 3.090232306167814 * (0.62 * 0.38 / 400 + noise_sd**2) ** 0.5
    assert funnel.at(400, 3.090232306167814) == pytest.approx((0.62 - reach, 0.62 + reach))
    assert [point.label for point in funnel.outside(tuple(drawn.points))] == ["9 weeks"]
    assert "A 9 weeks  0.800 +- 0.020 of 400" in text_of(drawn, columns=80, ascii_only=True)
    (axes,) = figure_of(drawn).axes
    assert "9 weeks" in [text.get_text() for text in axes.texts]


def test_limits_that_a_statistic_gives_are_its_own() -> None:
    """Widened limits decide who lies beyond them, as in the statistic's own words; its standard is a line."""
    columns = ("share", "size", "l95", "u95", "l99", "u99")
    rows = tuple(
        TableRow((name,), tuple(value(number, 0.0) for number in (share, size, 40, 60, 30, 70)))
        for name, share, size in (("a", 65.0, 100), ("b", 71.0, 400), ("c", 50.0, 900))
    )
    picture = Picture(
        PictureKind.FUNNEL, "share", size="size", reference=92.0, limits=("l95", "u95", "l99", "u99")
    )
    drawn = drawing(Table("funnel", ("department",), columns, rows, (), picture))
    funnel = Funnel.of(drawn)
    assert [point.label for point in funnel.outside(tuple(drawn.points))] == ["b"]
    assert funnel.at(200, 3.090232306167814) == pytest.approx((30, 70))
    assert funnel.at(200, 1.959963984540054) == pytest.approx((40, 60))
    assert "Dashed: 92." in text_of(drawn, columns=80)
    assert "92" in [text.get_text() for text in figure_of(drawn).axes[0].texts]


def test_what_nobody_could_read_is_not_drawn() -> None:
    """Too many rows or curves, a column or a format that is not there: a sentence with what to do."""
    with pytest.raises(PictureImpossible, match="201 rows"):
        drawing(table(*(value(1, 0) for _ in range(201))))
    rows = tuple(TableRow((str(i), str(j)), (value(1, 0),)) for i in range(31) for j in range(2))
    curves = Table("t", ("a", "b"), ("n",), rows, (), Picture(PictureKind.CURVE, "n", "b", "a"))
    with pytest.raises(PictureImpossible, match="31 curves"):
        drawing(curves)
    with pytest.raises(PictureImpossible, match="Its columns are: n, all") as missing:
        drawing(MANY, "m")
    assert "no column m" in str(missing.value)
    with pytest.raises(PictureImpossible, match="svg, png, pdf"):
        content_of(drawing(MANY), "gif")


def test_an_answer_draws_the_table_that_was_made_to_be_looked_at(tmp_path: Path) -> None:
    """Of several tables the first with a picture, or the one that is named; a notebook shows it under it."""
    plain = Table("plain", ("sex",), ("n",), (TableRow(("F",), (value(5, 1),)),))
    answer = Answer(estimate(plain, MANY), QUESTION)
    assert answer.draw().startswith("n by band")
    assert answer.draw("plain").startswith("n by sex")
    assert answer.plot("waits", "all").axes[0].get_xlabel() == "all"
    answer.write_picture(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_bytes() == content_of(
        drawing_of(MANY, answer.estimate, QUESTION), "svg"
    )
    page = answer._repr_html_()
    assert page.count("<img ") == 1
    assert 'alt="Bars: n by band' in page
    with pytest.raises(TableUnclear, match="no table called 'other'"):
        answer.draw("other")


def test_totals_are_no_bars() -> None:
    """A total beside its parts would make them small; it is left out."""
    rows = (TableRow(("F",), (value(5, 1),)), TableRow(("all",), (value(9, 1),), total=True))
    assert drawing(Table("t", ("sex",), ("n",), rows)).labels == ("F",)


def test_pictures_need_nothing_installed_until_they_are_made() -> None:
    """Without matplotlib an answer prints, draws in characters and shows itself; a file says what to type."""
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from fedstats.client.answer import Answer\n"
        "from fedstats.client.question import Question\n"
        "from fedstats.core.estimate import *\n"
        "row = TableRow(('F',), (Value(1.0, Interval(0.0, 2.0)),))\n"
        "table = Table('t', ('sex',), ('n',), (row,), (), Picture(PictureKind.BARS, 'n'))\n"
        "answer = Answer(Estimate((table,)), Question('q', 'A', 1, '', 'p', '', 'rtt', 'e'))\n"
        "assert 'n by sex' in answer.draw() and '<img' not in answer._repr_html_()\n"
        "try: answer.plot()\n"
        "except Exception as problem: print(problem)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'Type: pip install "fedstats[analysis]"' in ran.stdout


@given(lo=st.floats(-1e9, 1e9), width=st.floats(1e-6, 1e9))
def test_ticks_are_few_and_within(lo: float, width: float) -> None:
    """An axis has a few ticks, each within it; a logarithmic one has the powers of ten."""
    extent = Extent.around([lo, lo + width])
    assert len(extent.ticks) <= 7
    assert all(extent.lo - 1e-6 <= tick <= extent.hi + 1e-6 for tick in extent.ticks)
    assert Extent(80, 12_000, logarithmic=True).ticks == (100, 1_000, 10_000)


@pytest.mark.parametrize(
    "name, words",
    [("within_18_weeks", "within 18 weeks"), ("AVG(wait_days)", "AVG(wait_days)"), ("n", "n"), ("_", "_")],
)
def test_titles_are_words(name: str, words: str) -> None:
    """A name that was made of words is read as these; an expression stays as it was asked."""
    assert words_of(name) == words


@pytest.mark.parametrize("number", [1e16, -1e300, 1.7e308])
def test_numbers_that_no_axis_shows_are_said_so(number: float) -> None:
    """A statistic's mistake, as a sentence instead of the failure of whoever draws."""
    with pytest.raises(PictureImpossible, match=r"numbers beyond ±1e\+15"):
        drawing(table(value(1, 1), value(number, 0)))


def test_a_number_next_to_nothing_is_drawn() -> None:
    """Two that are nearly the same have an axis, too."""
    drawn = text_of(drawing(table(value(5e-324, 0), value(0, 0), kind=PictureKind.CURVE)), columns=60)
    assert drawn.startswith("n by band")

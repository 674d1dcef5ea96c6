"""Answers for a terminal, and as plain text. The only place of the client that knows rich."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from fedstats.client.figures import figures_of
from fedstats.client.printable import printable
from fedstats.client.question import Question
from fedstats.client.words import TEXT_COLUMNS, filled, notes_of
from fedstats.core.estimate import Estimate, PictureKind, Table

TABLE_COLUMNS_MAX = 2_000  # without a terminal nothing is cut or wrapped
CURVE_ROWS_MAX = 60  # a longer curve beside other tables is better looked at than read
HEAD_CHARACTERS_MIN = 14

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")


Phrase = Callable[[str], str]
"""Has the last word on a sentence of an answer, as who prints it knows what must be typed next."""


def show(estimate: Estimate, question: Question, console: Console, phrase: Phrase = str) -> None:
    """Print an answer to a terminal, or as plain text where the console is none."""
    if not console.is_terminal:
        console.file.write(text_of(estimate, question, phrase) + "\n")
        return
    for part in _parts(estimate):
        console.print(part)
    for head, sentence in notes_of(estimate, question):
        text = Text(printable(filled(phrase(f"{head} {sentence}"), min(console.width, TEXT_COLUMNS))))
        text.stylize("bold", 0, len(head))
        console.print(text)


def lines_of(estimate: Estimate) -> int:
    """About how many lines `show` prints, to know whether they need a pager."""
    return sum(1 if _is_left_out(table, estimate) else len(table.rows) + 5 for table in estimate.tables) + 10


def text_of(estimate: Estimate, question: Question, phrase: Phrase = str) -> str:
    """The answer as plain text, without colours and trailing spaces."""
    out = io.StringIO()
    console = Console(file=out, width=TABLE_COLUMNS_MAX, color_system=None, force_terminal=False)
    for part in _parts(estimate):
        console.print(part)
    tables = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    notes = [filled(phrase(f"{head} {sentence}")) for head, sentence in notes_of(estimate, question)]
    return printable("\n".join([tables.strip("\n"), "", *notes]))


def _parts(estimate: Estimate) -> Iterator[RichTable | Text]:
    """The tables in order; of several, each under its name, and of a long curve how to see it."""
    for table in estimate.tables:
        if len(estimate.tables) > 1:
            yield Text(printable(f"\n{table.name}"), style="bold")
        if not _is_left_out(table, estimate):
            yield _drawn(table)
            continue
        keys = ", ".join(table.keys)
        yield Text(printable(f"{len(table.rows):,} rows by {keys}: {_seen_by(table, estimate)}"))


def _is_left_out(table: Table, estimate: Estimate) -> bool:
    is_curve = table.picture is not None and table.picture.kind is PictureKind.CURVE
    return is_curve and len(estimate.tables) > 1 and len(table.rows) > CURVE_ROWS_MAX


def _seen_by(table: Table, estimate: Estimate) -> str:
    if not estimate.job:
        return f'as a picture with .draw("{table.name}"), as numbers with .to_pandas("{table.name}")'
    return (
        f"fedstats plot {estimate.job} --table {table.name}, or as numbers with "
        f"fedstats resume {estimate.job} --table {table.name}"
    )


def _drawn(table: Table) -> RichTable:
    figures = figures_of(table)
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for key in figures.keys:
        drawn.add_column(Text(printable(key)))
    for i, column in enumerate(figures.columns):
        widest = max((len(numbers[i]) for _, numbers in figures.rows), default=0)
        head = _folded(printable(column), max(widest, HEAD_CHARACTERS_MIN))
        drawn.add_column(Text(head), justify="right", no_wrap=True)
    for labels, numbers in figures.rows:
        drawn.add_row(*(Text(printable(label)) for label in labels), *(_cell(number) for number in numbers))
    return drawn


def _folded(name: str, characters: int) -> str:
    """A long name of words joined by _, over several lines no longer than this where its words allow it."""
    if len(name) <= characters or not _NAME.fullmatch(name):
        return name
    lines = [""]
    for word in re.split(r"(?<=_)", name):
        if lines[-1] and len(lines[-1]) + len(word) > characters:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _cell(number: str) -> Text:
    """The noise, and words in place of a number, stand back behind the numbers."""
    text = Text(number)
    if number[:1].isalpha():
        text.stylize("dim")
    for mark in (" ±", " ["):
        if mark in number:
            text.stylize("dim", number.index(mark))
    return text

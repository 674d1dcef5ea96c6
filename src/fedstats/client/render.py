"""Answers for a terminal, and as plain text. The only place of the client that knows rich."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from fedstats.client.figures import figures_of
from fedstats.client.printable import printable
from fedstats.client.question import Question
from fedstats.client.words import TEXT_COLUMNS, filled, notes_of
from fedstats.core.estimate import Estimate, Table

TABLE_COLUMNS_MAX = 2_000  # without a terminal nothing is cut or wrapped


Phrase = Callable[[str], str]
"""Has the last word on a sentence of an answer, as who prints it knows what must be typed next."""


def show(estimate: Estimate, question: Question, console: Console, phrase: Phrase = str) -> None:
    """Print an answer to a terminal, or as plain text where the console is none."""
    if not console.is_terminal:
        console.file.write(text_of(estimate, question, phrase) + "\n")
        return
    for table in estimate.tables:
        console.print(_drawn(table))
    for head, sentence in notes_of(estimate, question):
        text = Text(printable(filled(phrase(f"{head} {sentence}"), min(console.width, TEXT_COLUMNS))))
        text.stylize("bold", 0, len(head))
        console.print(text)


def lines_of(estimate: Estimate) -> int:
    """About how many lines `show` prints, to know whether they need a pager."""
    return sum(len(table.rows) + 4 for table in estimate.tables) + 10


def text_of(estimate: Estimate, question: Question, phrase: Phrase = str) -> str:
    """The answer as plain text, without colours and trailing spaces."""
    out = io.StringIO()
    console = Console(file=out, width=TABLE_COLUMNS_MAX, color_system=None, force_terminal=False)
    for table in estimate.tables:
        console.print(_drawn(table))
    tables = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    notes = [filled(phrase(f"{head} {sentence}")) for head, sentence in notes_of(estimate, question)]
    return printable("\n".join([tables.strip("\n"), "", *notes]))


def _drawn(table: Table) -> RichTable:
    figures = figures_of(table)
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for key in figures.keys:
        drawn.add_column(Text(printable(key)))
    for column in figures.columns:
        drawn.add_column(Text(printable(column)), justify="right", no_wrap=True)
    for labels, numbers in figures.rows:
        drawn.add_row(*(Text(printable(label)) for label in labels), *(_cell(number) for number in numbers))
    return drawn


def _cell(number: str) -> Text:
    """The noise, and words in place of a number, stand back behind the numbers."""
    text = Text(number)
    if number[:1].isalpha():
        text.stylize("dim")
    for mark in (" ±", " ["):
        if mark in number:
            text.stylize("dim", number.index(mark))
    return text

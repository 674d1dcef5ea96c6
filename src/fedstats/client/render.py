"""Answers for a terminal, and as plain text. The only place of the client that knows rich."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from fedstats.client.figures import Figures, figures_of
from fedstats.client.printable import printable
from fedstats.client.question import Question
from fedstats.client.words import TEXT_COLUMNS, filled, notes_of
from fedstats.core.estimate import Estimate

TABLE_COLUMNS_MAX = 2_000  # without a terminal no label is cut or wrapped
GAP = 3  # characters between two columns
HEAD_MIN = 12  # characters of a long name that stay in one line

Phrase = Callable[[str], str]
"""Has the last word on a sentence of an answer, as who prints it knows what must be typed next."""


def show(estimate: Estimate, question: Question, console: Console, phrase: Phrase = str) -> None:
    """Print an answer to a terminal, or as plain text where the console is none."""
    if not console.is_terminal:
        console.file.write(text_of(estimate, question, phrase) + "\n")
        return
    for line in _tables(estimate, console.width):
        console.print(line)
    for head, sentence in notes_of(estimate, question):
        text = Text(printable(filled(phrase(f"{head} {sentence}"), min(console.width, TEXT_COLUMNS))))
        text.stylize("bold", 0, len(head))
        console.print(text)


def lines_of(estimate: Estimate, columns: int) -> int:
    """About how many lines `show` prints on so many columns, to know whether they need a pager."""
    parts = ((table, _parts(figures_of(table), columns)) for table in estimate.tables)
    return sum((len(table.rows) + 4) * len(found) for table, found in parts) + 10


def text_of(estimate: Estimate, question: Question, phrase: Phrase = str) -> str:
    """The answer as plain text, without colours and trailing spaces."""
    out = io.StringIO()
    console = Console(file=out, width=TABLE_COLUMNS_MAX, color_system=None, force_terminal=False)
    for part in _tables(estimate, TEXT_COLUMNS):
        console.print(part)
    tables = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    notes = [filled(phrase(f"{head} {sentence}")) for head, sentence in notes_of(estimate, question)]
    return printable("\n".join([tables.strip("\n"), "", *notes]))


def _tables(estimate: Estimate, columns: int) -> Iterator[RichTable | Text]:
    """Every table, under its name where there are several, in as many parts as fit on so many columns."""
    several = len(estimate.tables) > 1
    for number, table in enumerate(estimate.tables):
        if number:
            yield Text("")
        if several:
            yield Text(printable(table.name), style="bold")
        figures = figures_of(table)
        for place, (shown, names) in enumerate(_parts(figures, columns)):
            if place:
                yield Text("")
            yield _drawn(figures, shown, names)


def _parts(figures: Figures, columns: int) -> list[tuple[list[int], list[str]]]:
    """Which columns of numbers stand side by side, and their names: all if they fit, else some after others.

    A number is never cut. Long names are broken at `_` before columns are told apart.
    """
    names = [printable(name) for name in figures.columns]
    numbers = [
        max((cell_len(cells[i]) for _, cells in figures.rows), default=0) for i in range(len(figures.columns))
    ]
    labels = [
        max(cell_len(printable(text)) for text in (name, *(key[i] for key, _ in figures.rows)))
        for i, name in enumerate(figures.keys)
    ]
    room = columns - sum(label + GAP for label in labels)
    if _side_by_side(names, numbers) <= room:
        return [(list(range(len(names))), names)]
    names = [_broken(name, max(number, HEAD_MIN)) for name, number in zip(names, numbers, strict=True)]
    parts: list[list[int]] = [[]]
    for i in range(len(names)):
        together = [*parts[-1], i]
        if parts[-1] and _side_by_side([names[k] for k in together], [numbers[k] for k in together]) > room:
            parts.append([i])
        else:
            parts[-1] = together
    return [(part, [names[k] for k in part]) for part in parts]


def _side_by_side(names: Sequence[str], numbers: Sequence[int]) -> int:
    """How many characters columns need with what is between them."""
    heads = [max((cell_len(line) for line in name.split("\n")), default=0) for name in names]
    return sum(max(pair) + GAP for pair in zip(heads, numbers, strict=True)) - GAP


def _broken(name: str, characters: int) -> str:
    """The name in lines of so many characters, as far as it has `_` to break after."""
    words = name.split("_")
    lines = [""]
    for word in chain((f"{word}_" for word in words[:-1]), words[-1:]):
        if lines[-1] and cell_len(lines[-1] + word) > characters:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _drawn(figures: Figures, shown: Sequence[int], names: Sequence[str]) -> RichTable:
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for key in figures.keys:
        drawn.add_column(Text(printable(key)))
    for name in names:
        drawn.add_column(Text(name), justify="right", no_wrap=True)
    for labels, numbers in figures.rows:
        cells = [_cell(numbers[i]) for i in shown]
        drawn.add_row(*(Text(printable(label)) for label in labels), *cells)
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

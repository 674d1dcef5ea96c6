"""Answers for notebooks: HTML tables, and a picture of each that its statistic made to be looked at."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from fedstats.client.figures import figures_of
from fedstats.client.picture import figure
from fedstats.client.picture.drawing import drawing_of
from fedstats.client.printable import printable
from fedstats.client.question import Question
from fedstats.client.words import notes_of
from fedstats.core.estimate import Estimate, Table
from fedstats.errors import ExtraMissing, PictureImpossible

LEFT, RIGHT = "text-align: left", "text-align: right; white-space: pre"


def html_of(estimate: Estimate, question: Question) -> str:
    """The tables, and under them who answered, the cost and the promise."""
    tables = "".join(_table(table) + _picture(table, estimate, question) for table in estimate.tables)
    notes = "".join(
        f"<div><b>{_html(head)}</b> {_html(sentence)}</div>"
        for head, sentence in notes_of(estimate, question)
    )
    return f'<div>{tables}<div style="font-size: smaller">{notes}</div></div>'


def _picture(table: Table, estimate: Estimate, question: Question) -> str:
    """The picture as an image of its own, so that nothing in it can reach the page; or nothing."""
    if table.picture is None:
        return ""
    try:
        drawing = drawing_of(table, estimate, question)
        content = base64.b64encode(figure.content_of(drawing, "svg")).decode()
    except (ExtraMissing, PictureImpossible):
        return ""  # the table says it all
    return (
        f'<img src="data:image/svg+xml;base64,{content}" alt="{_html(drawing.description)}" '
        'style="max-width: 100%">'
    )


def _table(table: Table) -> str:
    figures = figures_of(table)
    head = _cells("th", figures.keys, LEFT) + _cells("th", figures.columns, RIGHT)
    rows = "".join(
        f"<tr>{_cells('td', labels, LEFT)}{_cells('td', numbers, RIGHT)}</tr>"
        for labels, numbers in figures.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(tag: str, texts: Sequence[str], style: str) -> str:
    return "".join(f'<{tag} style="{style}">{_html(text)}</{tag}>' for text in texts)


def _html(text: str) -> str:
    return escape(printable(text))

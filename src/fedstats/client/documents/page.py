"""A page of Markdown in which other people's words are words: they make no heading, link, table or tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

FILL_IN = "**[TO FILL IN]**"
"""Begins whatever fedstats cannot know: it is left to whoever signs the document, and never made up."""

_MEANING = re.compile(r"([\\`*_{}\[\]<>|&~#!$])")
"""What Markdown, also that of web sites, gives a meaning anywhere in a line."""

_AT_START = re.compile(r"^([-+=:]|[0-9]{1,9}[.)](?=\s|$))")
"""What begins a list, an underline or a definition at the start of a line."""

_ADDRESS = re.compile(r"(?<=:)(//)|(?<=www)(\.)", re.IGNORECASE)
"""What makes web sites turn a text into a link."""


def inert(text: str) -> str:
    """The text as one line of Markdown that shows it and nothing else; empty texts show a dash."""
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    line = _MEANING.sub(r"\\\1", line)
    line = _AT_START.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)
    line = _ADDRESS.sub(lambda found: "".join(f"\\{character}" for character in found[0]), line)
    return line or r"\-"


@dataclass(slots=True)
class Page:
    """A document that is written from top to bottom. Every text that is handed in is made inert."""

    lines: list[str] = field(default_factory=list)

    def heading(self, depth: int, text: str) -> None:
        """A heading of this depth, 1 for the title."""
        self._block(f"{'#' * depth} {inert(text)}")

    def say(self, text: str) -> None:
        """A paragraph."""
        self._block(inert(text))

    def fact(self, name: str, text: str) -> None:
        """A name and what it is; what is not known is to be filled in."""
        self._block(f"**{inert(name)}:** {inert(text)}" if text else f"**{inert(name)}:** {FILL_IN}")

    def fill_in(self, hint: str) -> None:
        """A line for what fedstats cannot know; the hint says what belongs there."""
        self._block(f"{FILL_IN} {inert(hint)}")

    def items(self, texts: Iterable[str]) -> None:
        """A list."""
        self._block("\n".join(f"- {inert(text)}" for text in texts) or r"- \-")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table; a cell without text is empty."""
        lines = [_row(head), _row(["---"] * len(head), raw=True), *(_row(row) for row in rows)]
        self._block("\n".join(lines))

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self.lines).rstrip("\n") + "\n"

    def _block(self, text: str) -> None:
        self.lines += [text, ""]


def _row(cells: Sequence[str], *, raw: bool = False) -> str:
    shown = cells if raw else [_cell(cell) for cell in cells]
    return f"| {' | '.join(shown)} |"


def _cell(text: str) -> str:
    return FILL_IN if text == FILL_IN else inert(text) if text.strip() else ""

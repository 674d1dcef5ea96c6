"""A plot made of characters: dots of braille, or plain ASCII, in a frame with ticks. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

BRAILLE = 0x2800
BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of the dots of a braille character, by column
TICKS = 5
WIDTH_MIN = 1e-100  # of an axis: less cannot be divided any more
GAP = 3  # between two labels below
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Extent:
    """From where to where an axis goes; `logarithmic` where each step multiplies."""

    lo: float
    hi: float
    logarithmic: bool = False

    @classmethod
    def around(cls, numbers: Sequence[float]) -> Extent:
        """The least extent that holds these, of some width."""
        lo, hi = min(numbers), max(numbers)
        return cls(lo, hi) if hi - lo > WIDTH_MIN else cls(lo - 0.5, hi + 0.5)

    def part(self, number: float) -> float:
        """Where a number lies: 0 at one end, 1 at the other."""
        if self.logarithmic:
            return math.log(number / self.lo) / math.log(self.hi / self.lo)
        return (number - self.lo) / (self.hi - self.lo)

    @property
    def ticks(self) -> tuple[float, ...]:
        """A few round numbers in it."""
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.lo)), math.floor(math.log10(self.hi)) + 1)
            return tuple(10.0**power for power in powers)
        rough = (self.hi - self.lo) / TICKS
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * nice for nice in NICE if size * nice >= rough)
        first, last = math.ceil(self.lo / step), math.floor(self.hi / step)
        return tuple(round(i * step, 12) for i in range(first, last + 1))


@dataclass(slots=True)
class Canvas:
    """Dots and marks at places between 0 and 1 in both directions; what lies outside is not drawn."""

    columns: int
    lines: int
    ascii_only: bool
    _dots: dict[tuple[int, int], int] = field(default_factory=dict)
    _marks: dict[tuple[int, int], str] = field(default_factory=dict)

    def dot(self, x: float, y: float) -> None:
        """One dot."""
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return
        wide, high = self._fine
        column, line = round(x * (self.columns * wide - 1)), round((1 - y) * (self.lines * high - 1))
        place = (line // high, column // wide)
        self._dots[place] = self._dots.get(place, 0) | BITS[column % wide][line % high]

    def line(self, start: tuple[float, float], end: tuple[float, float], *, every: int = 1) -> None:
        """Dots from one place to another, or every so many of them."""
        wide, high = self._fine
        across = abs(end[0] - start[0]) * self.columns * wide
        upwards = abs(end[1] - start[1]) * self.lines * high
        steps = max(1, math.ceil(max(across, upwards)))
        for i in range(0, steps + 1, every):
            part = i / steps
            self.dot(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]))

    def mark(self, x: float, y: float, character: str) -> None:
        """A character, over whatever dots are there."""
        if 0 <= x <= 1 and 0 <= y <= 1:
            self._marks[round((1 - y) * (self.lines - 1)), round(x * (self.columns - 1))] = character

    def rows(self) -> list[str]:
        """Its lines, from above."""
        return ["".join(self._at((i, j)) for j in range(self.columns)) for i in range(self.lines)]

    @property
    def _fine(self) -> tuple[int, int]:
        """How many dots a character has, across and upwards."""
        return (1, 1) if self.ascii_only else (2, 4)

    def _at(self, place: tuple[int, int]) -> str:
        if place in self._marks:
            return self._marks[place]
        dots = self._dots.get(place, 0)
        if not dots:
            return " "
        return "." if self.ascii_only else chr(BRAILLE + dots)


def framed(
    canvas: Canvas, across: Sequence[tuple[float, str]], upwards: Sequence[tuple[float, str]]
) -> list[str]:
    """The canvas with an axis on the left and one below; ticks are places (0 to 1) with their labels."""
    corner, wall, floor, tick = ("+", "|", "-", "+") if canvas.ascii_only else ("└", "│", "─", "┤")
    labels = {round((1 - at) * (canvas.lines - 1)): text for at, text in upwards if 0 <= at <= 1}
    width = max((len(text) for text in labels.values()), default=0)
    lines = [
        f"{labels.get(i, ''):>{width}} {tick if i in labels else wall}{row}".rstrip()
        for i, row in enumerate(canvas.rows())
    ]
    below, names = [floor] * canvas.columns, [" "] * (canvas.columns + width + 2)
    free = 0
    for at, text in across:
        column = round(at * (canvas.columns - 1)) if 0 <= at <= 1 else -1
        start = max(0, min(width + 2 + column - len(text) // 2, len(names) - len(text)))
        if column < 0 or start < free or len(text) > len(names):
            continue  # it would run into the label before it
        below[column] = "+" if canvas.ascii_only else "┬"
        names[start : start + len(text)] = text
        free = start + len(text) + GAP
    return [*lines, " " * width + " " + corner + "".join(below), "".join(names).rstrip()]


def tick_text(number: float) -> str:
    """A tick's label."""
    return f"{number:,.12g}"

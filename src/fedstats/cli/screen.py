"""The terminal as rich draws on it, closed to whatever the text itself would tell it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from fedstats.client.printable import printable


class Screen(Console):
    """A console whose only escape sequences are rich's own: tables and texts may hold anything."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Draw, and show every character that is not visible as one that is."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)

"""A log record as one line: JSON for machines, text for a person at a terminal."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from importlib.metadata import version

import structlog

from fedstats.journal.event import Noted
from fedstats.journal.events import OTHER_LOGGER
from fedstats.journal.fields import Shown, shown

SOFTWARE = version("fedstats")


class Lines(logging.Formatter):
    """Writes what an event declares; of a foreign record, only where it came from."""

    def __init__(self, component: str, *, text: bool = False, colours: bool = False) -> None:
        """Lines of this component, in JSON unless `text` is asked for."""
        super().__init__()
        self._component = component
        self._text = text
        self._render = (
            structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, sort_keys=False)
            if text
            else structlog.processors.JSONRenderer(ensure_ascii=True)
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its line break."""
        return str(self._render(None, record.levelname.lower(), self._entry(record)))

    def _entry(self, record: logging.LogRecord) -> dict[str, Shown]:
        noted = noted_in(record)
        happened = datetime.fromtimestamp(record.created, UTC)
        head: dict[str, Shown] = {
            "timestamp": f"{happened:%Y-%m-%dT%H:%M:%S}.{happened.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "event": noted.event.name,
        }
        if self._text:
            return {**head, "event": f"{noted.event.name}: {noted.event.says}", **noted.said}
        security: dict[str, Shown] = {"security": noted.event.security} if noted.event.security else {}
        return {
            **head,
            "component": self._component,
            "version": SOFTWARE,
            **security,
            "message": noted.event.says,
            **noted.said,
        }


def noted_in(record: logging.LogRecord) -> Noted:
    """The event in a record; of another library's record, no word but its place and its exception's type."""
    noted = getattr(record, "noted", None)
    if isinstance(noted, Noted):
        return noted
    said: dict[str, object] = {"logger": record.name, "line": record.lineno}
    problem = record.exc_info[1] if record.exc_info else None
    if problem is not None:
        said |= {"problem": problem, "places": problem}
    fields = OTHER_LOGGER.fields
    return Noted(OTHER_LOGGER, {name: shown(fields[name], value) for name, value in said.items()})

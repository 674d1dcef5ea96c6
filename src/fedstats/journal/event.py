"""One thing that can happen in a daemon, and noting that it did."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from fedstats.journal.fields import Kind, Shown, shown


class Level(IntEnum):
    """How much it matters; the numbers are those of Python's logging."""

    DEBUG = logging.DEBUG
    INFO = logging.INFO
    WARNING = logging.WARNING
    ERROR = logging.ERROR


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A thing that happens, with all that may be said of it. Calling it notes that it happened.

    `says` is its one fixed sentence. `security` is its stable id if it belongs to the security stream.
    """

    name: str
    level: Level
    says: str
    fields: Mapping[str, Kind] = field(default_factory=dict)
    security: str = ""

    def __call__(self, **values: object) -> None:
        """Note it, with its fields and no others.

        Never raises: what is noted before or after a charge must not change what is answered.
        """
        if not _LISTENERS and not _LOGGER.isEnabledFor(self.level):
            return
        try:
            said = {name: shown(kind, values[name]) for name, kind in self.fields.items() if name in values}
            for hear in _LISTENERS:
                hear(self, said)
            if _LOGGER.isEnabledFor(self.level):
                _LOGGER.handle(_record(self, said))
        except Exception:  # noqa: BLE001 # see above
            LOST.lines += 1


def _record(event: Event, said: Mapping[str, Shown]) -> logging.LogRecord:
    """The log record of an event, without the search for the line that noted it: its name tells that."""
    noted = {"noted": Noted(event, said)}
    return _LOGGER.makeRecord(_LOGGER.name, event.level, "", 0, event.name, (), None, extra=noted)


@dataclass(frozen=True, slots=True)
class Noted:
    """An event that happened, as a log record carries it."""

    event: Event
    said: Mapping[str, Shown]


@dataclass(slots=True)
class Lost:
    """How many lines could not be written since the process began."""

    lines: int = 0


LOST = Lost()
_LISTENERS: list[Callable[[Event, Mapping[str, Shown]], None]] = []
_LOGGER = logging.getLogger("fedstats.journal")


@contextmanager
def heard_by(listener: Callable[[Event, Mapping[str, Shown]], None]) -> Iterator[None]:
    """Let a function hear every event, whatever its level, until the block ends."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)

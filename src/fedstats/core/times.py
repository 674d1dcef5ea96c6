"""Times are whole seconds since 1970, in UTC, and end where calendars do."""

from __future__ import annotations

from datetime import UTC, datetime

SECONDS_MAX = 253_402_300_800
"""The end of the year 9999: later times can be shown to nobody."""


def minute_of(at_s: int) -> str:
    """A time as people read it: `2026-07-01 12:31 UTC`."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def iso_of(at_s: int) -> str:
    """A time as programs read it: `2026-07-01T12:31:00Z`."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}Z"

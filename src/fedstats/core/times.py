"""Times are whole seconds since 1970, in UTC, and end where calendars do."""

from __future__ import annotations

SECONDS_MAX = 253_402_300_800
"""The end of the year 9999: later times can be shown to nobody."""

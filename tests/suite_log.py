"""What the whole suite writes into logs, and what must never stand in it.

Each test process keeps every log record, of every level, as a daemon would write it, with the test during
which it came. At the end of the session these lines, and the files that real processes wrote, are searched
for values of data: `PATTERNS` are marks that the tests' data bears (nothing else looks like them), and
`plant` adds values that are only known at run time.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fedstats.journal.event import Event
from fedstats.journal.fields import Shown
from fedstats.journal.lines import Lines

Happened = tuple[Event, Mapping[str, Shown]]

PATTERNS: Mapping[str, str] = {
    "a person's id": r"zq-person|\b9\d{9}\b|\b(?:all|north|south|west|leeds|york)-\d+\b",
    "a value of a row": r"zq-value",
    "a rare category": r"zq-rare",
    "a literal of a question": r"\bzq_literal|317\.25|\b1269\b",
    "an exact sum": r"\b48271\d{3}\b",
    "a passphrase": r"a long passphrase|zq-pass",
    "a token": r"fedstats1\.[A-Za-z0-9_-]{8}",
    "a private key": r"PRIVATE KEY|fedstats-key1\.|\.{12}",
    "credentials of a proxy": r"://[^/\s:@\"]+:[^@\s\"]+@",
    "SQL": r"(?i:\bselect\s.+\sfrom\b|\binsert into\b)",
}
FILES = ("log", "*.log", "*.jsonl")

_PLANTED: set[str] = set()


def plant(value: str) -> str:
    """Remember a secret or a value of data that this process must not find in its logs; returns it."""
    assert len(value) >= 6, "too short to be told from anything else"
    _PLANTED.add(value)
    return value


class Collector(logging.Handler):
    """Keeps every record as a daemon would write it, with the test that ran."""

    def __init__(self) -> None:
        """Hear everything, and start with nothing."""
        super().__init__(logging.DEBUG)
        self.setFormatter(Lines("test"))
        self.lines: dict[str, str] = {}  # each once, without its time, and the test that wrote it first

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line; what fedstats itself writes must be a declared event or be harmless in full."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "between tests").partition(" ")[0]
        line = self.format(record)
        if record.name.startswith("fedstats") and not hasattr(record, "noted"):
            line = f"{line} {record.getMessage()}"  # a client's log, which a person reads
        self.lines.setdefault(line.partition(", ")[2], test)


def leaks(lines: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each line that holds a value of data: where it is from, what it holds, and the line."""
    planted = "|".join(re.escape(value) for value in sorted(_PLANTED))
    patterns = {**PATTERNS, **({"a planted value": planted} if planted else {})}
    # One pass over each line; which of them it is only matters for the few that are found.
    anything = re.compile("|".join(f"(?:{pattern})" for pattern in patterns.values()))
    for line, source in lines:
        if anything.search(line):
            what = [name for name, pattern in patterns.items() if re.search(pattern, line)]
            yield f"{source}: {', '.join(what)} in the log: {line[:300]}"


def lines_of_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Every line of every log that processes left below a folder."""
    for pattern in FILES:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                yield from ((line, str(path)) for line in text.splitlines())

"""Where lines go. Work never waits for a log and never fails because of one.

The general log goes to standard output through a thread of its own: where nobody reads it, the pipe is
closed or the disk is full, lines are counted and dropped. Security events go there too, and at once to a
file beside.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from fedstats.errors import FedstatsError
from fedstats.journal.event import LOST
from fedstats.journal.events import ENDED_EARLY, LINES_LOST, UNCAUGHT
from fedstats.journal.lines import Lines, noted_in
from fedstats.journal.security import alarm
from fedstats.journal.settings import LogTerms

WAITING_LINES_MAX = 10_000
TOGETHER_LINES_MAX = 100
GATHER_S = 0.02
ALIKE_A_MINUTE_MAX = 600
FLUSH_S = 2.0
FOLDER_MODE = 0o700
FILE_MODE = 0o600
SECURITY_FILE = "security.jsonl"
STDOUT = 1
EXIT_BUG = 70
ROOT = 0

Hook = Callable[..., Any]


class Writer(logging.Handler):
    """Writes lines to a file descriptor from a thread of its own, so that nobody waits for it."""

    def __init__(self, descriptor: int, lines: Lines) -> None:
        """Start the thread."""
        super().__init__()
        self.setFormatter(lines)
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._stirred, self._finishing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line; it is lost if too many wait."""
        try:
            line = self.format(record).encode() + b"\n"
            if len(self._waiting) < WAITING_LINES_MAX:
                self._waiting.append(line)
                self._stirred.set()
            else:
                LOST.lines += 1
        except Exception:  # noqa: BLE001 # whatever it was, work goes on
            LOST.lines += 1

    def finish(self) -> None:
        """Write what waits, as long as somebody takes it, and end the thread."""
        self._finishing.set()
        self._stirred.set()
        self._thread.join(FLUSH_S)

    def _write_all(self) -> None:
        told, is_last = LOST.lines, False
        while not is_last:
            self._stirred.wait()
            is_last = self._finishing.wait(GATHER_S)  # a thread that woke for each line would slow all others
            self._stirred.clear()
            while lines := self._taken():
                lost = self._lost(lines)
                LOST.lines += lost
                if not lost and LOST.lines > told:
                    told = LOST.lines
                    LINES_LOST(lines=told)

    def _taken(self) -> list[bytes]:
        """Some of the lines that wait; none if none waits."""
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_LINES_MAX))]

    def _lost(self, lines: list[bytes]) -> int:
        """Write them past Python's own buffers, which can neither lose nor give up; how many are not out."""
        waiting = b"".join(lines)
        try:
            while waiting:
                waiting = waiting[os.write(self._descriptor, waiting) :]
        except OSError:  # closed, full, or taken away
            return max(1, waiting.count(b"\n"))
        return 0


@dataclass(slots=True)
class Throttle:
    """Lets so many lines of one security event pass in a minute: nobody fills a disk by being refused."""

    _minute: int = 0
    _passed: Counter[str] = field(default_factory=Counter)

    def allows(self, record: logging.LogRecord) -> bool:
        """Whether this line may be written; what may not is counted as lost."""
        event = noted_in(record).event
        if not event.security:
            return True
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute = minute
            self._passed.clear()
        self._passed[event.name] += 1
        if self._passed[event.name] <= ALIKE_A_MINUTE_MAX:
            return True
        LOST.lines += 1
        return False


class SecurityFile(logging.Handler):
    """Appends security events to a file of this account only.

    It is opened for each line: the events are rare, and a file that was rotated away is simply made anew.
    Where root types a command it is made for the daemon's account, which could not write to it otherwise.
    """

    def __init__(self, folder: Path, component: str) -> None:
        """Nothing is made before there is something to write."""
        super().__init__()
        self._folder = folder
        self.setFormatter(Lines(component))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; it is counted as lost if that fails."""
        if not noted_in(record).event.security:
            return
        try:
            file = _opened(self._folder)
            try:
                os.write(file, self.format(record).encode() + b"\n")
            finally:
                os.close(file)
        except Exception:  # noqa: BLE001 # whatever it was, work goes on
            LOST.lines += 1


def _opened(folder: Path) -> int:
    """The security file in this folder, to append to; both are made where they are missing."""
    path, flags = folder / SECURITY_FILE, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    if not folder.exists():
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        _give_away(folder)
    try:  # only what was made here is given away: any other file of this name may be somebody's trap
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        return os.open(path, flags)
    if _is_root():
        owner = folder.parent.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def _give_away(folder: Path) -> None:
    """Let a folder that root made belong to whom the folder above belongs to."""
    if _is_root():
        opened, owner = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW), folder.parent.stat()
        try:
            os.fchown(opened, owner.st_uid, owner.st_gid)
        finally:
            os.close(opened)


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == ROOT


@contextmanager
def journal(component: str, terms: LogTerms, folder: Path, *, descriptor: int = STDOUT) -> Iterator[None]:
    """Send all logs of this process to `descriptor`, and security events to `folder` too, in this block.

    Third-party loggers come through the same door, and so does what ends a thread or the process.
    """
    terminal = os.isatty(descriptor)
    text = terms.format == "text" or (terms.format == "auto" and terminal)
    colours = text and terminal and "NO_COLOR" not in os.environ
    writer = Writer(descriptor, Lines(component, text=text, colours=colours))
    security = SecurityFile(folder, component)
    for handler in (writer, security):
        handler.addFilter(Throttle().allows)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [writer, security]
    writer.setLevel(terms.level.upper())
    root.setLevel(min(writer.level, logging.INFO))  # decisions of people are kept however quiet the log is
    logging.captureWarnings(capture=True)
    try:
        with _hooks(), _endings():
            yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = before
        root.setLevel(level)
        writer.finish()
        security.close()


@contextmanager
def _endings() -> Iterator[None]:
    """Note why a daemon ends before it was told to; only an error of ours goes on, in its own words."""
    try:
        yield
    except FedstatsError as problem:
        alarm(problem)
        ENDED_EARLY(problem=problem)
        raise
    except Exception as problem:  # noqa: BLE001 # its message may quote data, and Python would print it
        UNCAUGHT(problem=problem, places=problem)
        raise SystemExit(EXIT_BUG) from None


@contextmanager
def security_of(component: str, folder: Path) -> Iterator[None]:
    """Send the security events of a command to the file of the daemon beside which it works."""
    security, logger = SecurityFile(folder, component), logging.getLogger("fedstats.journal")
    level, propagates = logger.level, logger.propagate
    logger.addHandler(security)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a command talks to a person, not to a log
    try:
        yield
    finally:
        logger.removeHandler(security)
        logger.setLevel(level)
        logger.propagate = propagates
        security.close()


@contextmanager
def _hooks() -> Iterator[None]:
    """Note what nobody caught, where Python would print messages that may quote data."""

    def process_ends(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
        del kind, trace
        UNCAUGHT(problem=problem, places=problem)

    def thread_ends(ended: threading.ExceptHookArgs) -> None:
        UNCAUGHT(problem=ended.exc_value, places=ended.exc_value)

    def unraisable(found: Any) -> None:  # noqa: ANN401 # its type is private to sys
        UNCAUGHT(problem=found.exc_value, places=found.exc_value)

    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, threading.excepthook, sys.unraisablehook = process_ends, thread_ends, unraisable
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before

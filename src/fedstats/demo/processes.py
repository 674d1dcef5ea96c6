"""The demo's processes: started one by one, stopped by their own id, and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

from fedstats.errors import InternalError

STOP_S_MAX = 10.0
ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no hang-up


@dataclass
class Processes:
    """Child processes that run `fedstats ...`; leaving the `with` block ends those that still run."""

    logs: Path
    _running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _files: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self, name: str, arguments: Sequence[str], *, until_s: float | None = None, module: str = "fedstats"
    ) -> str:
        """Start `fedstats ARGUMENTS` in the background; with `until_s`, wait so long for its first line.

        Its output goes to `logs/NAME.log`. Returns the first line, empty if it was not waited for.

        Raises
        ------
        InternalError
            It ended, or said nothing in time.

        """
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self._files.enter_context((self.logs / f"{name}.log").open("a", encoding="utf-8"))
        process = subprocess.Popen(  # noqa: S603 # this program, with arguments of the demo's own
            command(arguments, module=module),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if until_s is not None else log,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends what it started
            env=environment(),
        )
        self._running[name] = process
        return "" if until_s is None else self._first_line(name, process, log, until_s)

    def check(self) -> None:
        """Raise InternalError if one of the processes has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise InternalError(f"The demo's {name} ended early: see {self.logs / name}.log.")

    def stop(self) -> None:
        """Ask every process to end, then end those that do not."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            _wait_for(process)
        self._running.clear()
        self._files.close()

    def stop_one(self, name: str) -> None:
        """End one process, so that it can be started anew."""
        process = self._running.pop(name)
        process.terminate()
        _wait_for(process)

    def _first_line(self, name: str, process: subprocess.Popen[str], log: IO[str], until_s: float) -> str:
        """The first line; this and all that follow go to the log from a thread of their own."""
        lines: list[str] = []
        told = threading.Event()

        def keep() -> None:
            with suppress(ValueError):  # the log was closed: the demo is over
                for line in process.stdout or ():
                    lines[:] = lines or [line]
                    told.set()
                    log.write(line)
                    log.flush()
            told.set()

        threading.Thread(target=keep, daemon=True).start()
        told.wait(until_s)
        if not lines:
            raise InternalError(f"The demo's {name} did not start: see {self.logs / name}.log.")
        return lines[0].strip()


def _wait_for(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let the signals that ask a process to end raise SystemExit, so that `with` blocks end what they hold.

    Python would die of them at once, and everything that the demo started would run on. For the main thread.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # the blocks are being left: nothing may break that off
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def command(arguments: Sequence[str], *, module: str = "fedstats") -> list[str]:
    """`fedstats ARGUMENTS` as this interpreter runs it, or another module of the project's in its place."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """The environment of a child: this one's, with output that appears at once."""
    return {**os.environ, "PYTHONUNBUFFERED": "1"}

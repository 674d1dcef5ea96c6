"""The process that runs one statistic's file, and calls to it: each with a time limit, each answered in JSON.

Calls go there as pickles, which only the process reads. Nothing that comes back is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass, replace
from typing import IO, Any

from fedstats.errors import (
    FedstatsError,
    ParameterInvalid,
    Spent,
    StatisticFailed,
    StatisticStopped,
    error_from_code,
)

LENGTH_BYTES = 8
REPLY_BYTES_MAX = 256 * 2**20
STEP_S = 60.0
STEP_S_MAX = 86_400.0
START_S_MIN = 60.0
MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one call may take, and how much memory the process gets where the system counts it."""

    step_s: float = STEP_S
    memory_bytes: int = MEMORY_BYTES

    def __post_init__(self) -> None:
        """Some time, and no more than a clock can count."""
        if not 0 < self.step_s <= STEP_S_MAX:
            raise ParameterInvalid(f"A step may take up to {STEP_S_MAX:,.0f} s, not {self.step_s:g} s.")


class StatisticProcess:
    """One process; `call` asks it something. It ends with `close`, at the latest when nobody holds this."""

    def __init__(self, shown: str, limits: Limits) -> None:
        """Start it; `shown` is the file's name for messages."""
        self.shown = shown
        self._limits = limits
        self._process = subprocess.Popen(  # noqa: S603 # this interpreter and this module, no shell
            [sys.executable, "-P", "-m", "fedstats.client.custom", str(limits.memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # what the file starts ends with it, and so does nobody else
        )
        self._finish = weakref.finalize(self, _end, self._process)

    def allow(self, step_s: float) -> None:
        """Give each call so many seconds from now on."""
        self._limits = replace(self._limits, step_s=step_s)

    def close(self) -> None:
        """Kill it, if it still runs."""
        self._finish()

    def call(self, what: str, *args: object, starting: bool = False) -> Any:  # noqa: ANN401 # JSON
        """The JSON with which the process answers a call.

        Raises
        ------
        StatisticFailed
            It raised, ended, or answered in another form.
        StatisticStopped
            It took longer or more memory than it may.
        FedstatsError
            What the file's code raised of our own errors.

        """
        if not self._finish.alive:
            raise StatisticFailed(f"{self.shown} was ended before. Name it again to load it again.")
        limit_s = max(self._limits.step_s, START_S_MIN) if starting else self._limits.step_s
        try:
            reply = self._in_time(pickle.dumps((what, limit_s, args)), limit_s)
        except TimeoutError:
            self.close()
            raise StatisticStopped(
                f"{self.shown} took longer than {limit_s:g} s in {what}, and was stopped."
            ) from None
        except (OSError, EOFError, ValueError, TypeError, RecursionError):
            raise self._ended(what) from None
        except BaseException:  # somebody lost patience: a reply may come that belongs to no later call
            self.close()
            raise
        if "error" in reply:
            raise _error(reply["error"])
        return reply.get("value")

    def _in_time(self, request: bytes, limit_s: float) -> dict[str, Any]:
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            _kill(self._process)

        watch = threading.Timer(limit_s, stop)
        watch.daemon = True
        watch.start()
        try:
            return self._exchange(request)
        except (OSError, EOFError, ValueError):
            if stopped.is_set():
                raise TimeoutError from None
            raise
        finally:
            watch.cancel()
            watch.join()  # from here on it kills nobody, whoever has this process's number next

    def _exchange(self, request: bytes) -> dict[str, Any]:
        write_frame(_pipe(self._process.stdin), request)
        reply = json.loads(read_frame(_pipe(self._process.stdout), REPLY_BYTES_MAX))
        if not isinstance(reply, dict):
            raise TypeError
        return reply

    def _ended(self, what: str) -> StatisticFailed:
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        how = "answered in a form that is none" if code is None else f"ended by itself ({code})"
        return StatisticFailed(f"{self.shown} {how} in {what}.")


def write_frame(pipe: IO[bytes], payload: bytes) -> None:
    """Send one message: its length, then its bytes."""
    pipe.write(len(payload).to_bytes(LENGTH_BYTES, "big") + payload)
    pipe.flush()


def read_frame(pipe: IO[bytes], bytes_max: int | None = None) -> bytes:
    """The next message; EOFError where nobody writes any more, ValueError where it is too long."""
    length = int.from_bytes(_exactly(pipe, LENGTH_BYTES), "big")
    if bytes_max is not None and length > bytes_max:
        raise ValueError
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    found = pipe.read(length)
    if len(found) != length:
        raise EOFError
    return found


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise EOFError
    return pipe


def _error(said: Any) -> FedstatsError:  # noqa: ANN401 # what another process wrote
    """The error that the process tells of; what cannot be read is a failure of its own."""
    try:
        error = error_from_code(str(said["code"]), str(said["sentence"]), spent=Spent[said["spent"]])
        error.advice = str(said["advice"])
    except (KeyError, TypeError):
        return StatisticFailed("The statistic's process told of an error in a form that is none.")
    return error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process that we started, by its own id, and what it started in turn."""
    if process.returncode is not None:  # waited for: its id may be another's by now
        return
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it, and leave nothing open."""
    _kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not read any more
                pipe.close()

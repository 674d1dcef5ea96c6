"""`fedstats node run` and `fedstats coordinator run` as processes whose whole output is kept in a file."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PATIENCE_S = 60.0


@dataclass
class Daemon:
    """A process that writes a line when it is ready; everything it writes goes to `log`."""

    arguments: tuple[str | Path, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    environment: Mapping[str, str] | None = None
    _reader: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> str:
        """Start it; its first line."""
        command = [sys.executable, "-m", "fedstats", *map(str, self.arguments)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=self.environment and dict(self.environment)
            )
        ready, first = threading.Event(), list[bytes]()
        self._reader = threading.Thread(target=self._keep, args=(self.process.stdout, ready, first))
        self._reader.start()
        assert ready.wait(PATIENCE_S), self.log.read_text()
        assert first, self.log.read_text()
        return first[0].decode()

    def end(self, number: int) -> int:
        """Send a signal; the exit code."""
        assert self.process is not None
        assert self._reader is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self.process = None
        return code

    def events(self) -> list[dict[str, Any]]:
        """What it has noted so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def _keep(self, output: IO[bytes], ready: threading.Event, first: list[bytes]) -> None:
        """Copy what it writes into the log, until its end."""
        with output, self.log.open("ab", buffering=0) as log:
            for line in output:
                log.write(line)
                first.append(line)
                ready.set()
        ready.set()

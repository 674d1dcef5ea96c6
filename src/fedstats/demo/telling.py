"""How the demo tells: headings, sentences, and commands as people type them, with what they print."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fedstats.demo.processes import command, environment
from fedstats.errors import InternalError


@dataclass(frozen=True, slots=True)
class Telling:
    """Where the demo is told, and since when."""

    console: Console
    started_s: float

    def heading(self, text: str) -> None:
        """A new chapter, with the time since the start."""
        seconds = time.monotonic() - self.started_s
        self.console.print(f"\n[bold]{text}[/bold]  [dim]{seconds:.0f} s[/dim]", soft_wrap=True)

    def line(self, text: str) -> None:
        """One sentence."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def typed(self, text: str) -> None:
        """A command as a person types it."""
        self.console.print(f"\n$ {text}", style="bold cyan", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def doing(self, text: str) -> Iterator[None]:
        """A step that takes a moment."""
        with self.console.status(text):
            yield
        self.line(f"  {text}: done")

    def run(self, arguments: Sequence[str], home: Path, *, fails: bool = False) -> None:
        """Type a command of `home` and run it with its output on this terminal.

        Raises
        ------
        InternalError
            It failed, or did not where it was to.

        """
        self.typed(f"fedstats {' '.join(quoted(argument) for argument in arguments)}")
        self.console.file.flush()
        whole = command([*arguments, "--home", str(home)])
        done = subprocess.run(whole, check=False, env=environment())  # noqa: S603 # this very program
        code = done.returncode
        if bool(code) is not fails:
            raise InternalError(f"The demo's command ended with code {code}.")


def quoted(argument: str) -> str:
    """An argument as people type it: in double quotes where it needs any."""
    return f'"{argument}"' if shlex.quote(argument) != argument else argument

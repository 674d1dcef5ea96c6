"""Files of researchers, for tests: one that works in three rounds, and one that fails in every way.

The first kills whoever asks it at the call of `step` that FEDSTATS_TEST_DIES_AT names.
"""

from __future__ import annotations

from pathlib import Path

HEAD = """
from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import ClassVar

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.estimate import Estimate, Interval, Table, TableRow, Value
from fedstats.core.expression import Column
from fedstats.core.grid import Grid


def clipped(bound, name="age"):
    return GroupedSums((), (Measure(MeasureKind.SUM, Column(name), Grid(Fraction(0), Fraction(1), bound)),))
"""

THRICE = (
    HEAD
    + '''
calls = []


@dataclass(frozen=True, slots=True)
class Thrice:
    """Adds up ages three times, each clipped where the sum before says.

    For tests.
    """

    name: ClassVar[str] = "thrice"
    version: ClassVar[str] = "2"
    rounds_max: ClassVar[int] = 3
    dataset: str = field(metadata={"help": "The dataset.", "metavar": "DATASET"})
    bound: int = field(default=60, metadata={"help": "Where the first sum is clipped."})
    title: str = field(default="sums", metadata={"help": "What to call the answer.", "free": True})

    def condition(self, dataset):
        return None

    def step(self, ask, history):
        calls.append(len(history))
        if os.environ.get("FEDSTATS_TEST_DIES_AT") == str(len(calls)):
            os.kill(os.getppid(), signal.SIGKILL)
        print("a word of the file's own")
        if len(history) < 3:
            bound = self.bound if not history else 1 + int(history[-1].total[0][0][0]) % 97
            return Round((clipped(bound),), Fraction(1, 4))
        cells = tuple(Value(float(r.total[0][0][0]), Interval(0.0, 1e9)) for r in history)
        return Estimate((Table(self.title, (), ("first", "second", "third"), (TableRow((), cells),)),))


from fedstats.core.statistic import Round
'''
)

BAD = (
    HEAD
    + '''
from fedstats.core.statistic import Round


@dataclass(frozen=True, slots=True)
class Bad:
    """Fails as it is told to."""

    name: ClassVar[str] = "bad"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 2
    dataset: str
    how: str

    def condition(self, dataset):
        return None

    def step(self, ask, history):
        if self.how == "raises":
            return 1 / 0
        if self.how == "never ends":
            while True:
                pass
        if self.how.startswith("forks "):
            if not os.fork():
                with open(self.how.removeprefix("forks "), "w") as told:
                    print("here", file=told, flush=True)
                    signal.pause()
            signal.pause()
        if self.how == "goes on twice":
            os.fork()
        if self.how == "is interrupted":
            os.kill(os.getppid(), signal.SIGUSR1)
        if self.how.startswith("answers "):
            payload = b"[1]" if self.how == "answers a list" else b"[" * 100_000
            pipe = next(o for o in gc.get_objects() if isinstance(o, io.BufferedWriter) and o.fileno() > 2)
            pipe.write(len(payload).to_bytes(8, "big") + payload)
            pipe.flush()
            signal.pause()
        if self.how == "ends":
            sys.exit(3)
        if self.how == "memory":
            return bytearray(2**34)
        if self.how == "steers":
            raise ValueError("\\x1b[2Ja label")
        if self.how == "half a character":
            cells = (Value(1.0, Interval(0.0, 1.0)),)
            return Estimate((Table("t", ("k",), ("a",), (TableRow(("\\ud800",), cells),)),))
        if self.how == "nothing":
            return None
        if self.how == "infinite":
            cells = (Value(float("inf"), Interval(0.0, 1.0)),)
            return Estimate((Table("t", (), ("a",), (TableRow((), cells),)),))
        if self.how == "ragged":
            return Estimate((Table("t", (), ("a", "b"), (TableRow((), (Value(1.0, Interval(0.0, 1.0)),)),)),))
        if not history:
            return Round((clipped(60),), Fraction(1, 2))
        if self.how == "raises later":
            raise KeyError(history[0].total)
        if self.how == "scope":
            return Round((clipped(60, "cost"),), Fraction(1, 2))
        if self.how == "share":
            return Round((clipped(61),), Fraction(3, 4))
        return Round((clipped(60 + len(history)),), Fraction(1, 4))


@dataclass
class Loose:
    name: ClassVar[str] = "loose"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 2
    dataset: str

    def condition(self, dataset):
        return None

    def step(self, ask, history):
        return None
'''
)

OFFERING = (
    HEAD
    + '''
from fedstats.core.foresight import Foreseen
from fedstats.sql.texts import condition_of_text


@dataclass(frozen=True, slots=True)
class Offering:
    """Offers everything that a statistic may."""

    name: ClassVar[str] = "offering"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 2
    dataset: str

    def condition(self, dataset):
        return condition_of_text("age > 40", dataset)

    def step(self, ask, history):
        return None

    def later(self, ask):
        return [clipped(5, "cost")]

    def foresee(self, ask):
        return (Foreseen("n", exact=True, counts=True),)

    def support_share(self, ask):
        return Fraction(1, 3)
'''
)


def write(folder: Path, text: str = THRICE, *, name: str = "thrice.py") -> Path:
    """The file, written."""
    path = folder / name
    path.write_text(text)
    return path

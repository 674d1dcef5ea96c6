"""The process of one statistic's file: loads it, and answers calls until nobody asks any more.

What the file prints goes to standard error, so that it is seen and never mixed with answers.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from fedstats.client.custom.forms import Foresight, estimate_to, plain_of
from fedstats.client.custom.process import read_frame, write_frame
from fedstats.client.description import Description, describe
from fedstats.client.parameters import checked
from fedstats.client.printable import printable
from fedstats.core.estimate import Estimate
from fedstats.core.names import did_you_mean
from fedstats.core.query import HASH_BYTES, RoundOrder
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.errors import (
    FedstatsError,
    StatisticFailed,
    StatisticStopped,
    StatisticUnreadable,
    ValueInvalid,
)
from fedstats.wire.codec import encode_aggregate, encode_expression, encode_round

MODULE = "fedstats_statistic"
GRACE_S = 5  # after the time limit, should whoever asks be dead


def main() -> None:
    """Answer calls from standard input on standard output, which the file itself does not get."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this ends it
    _leave_to_this_process(requests, replies)
    _limit_memory(int(sys.argv[1]))
    bench = Bench()
    while True:
        try:
            what, limit_s, args = pickle.loads(read_frame(requests))  # noqa: S301 # from whoever started this
        except EOFError:
            return
        _alarm(int(limit_s) + GRACE_S)
        _reply(replies, bench.answer(what, args))
        _alarm(0)  # between calls it may wait as long as it likes


def _leave_to_this_process(*pipes: IO[bytes]) -> None:
    """Let whatever the file forks hear no calls and give no answers, nor keep the pipes open after this."""

    def let_go() -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        for pipe in pipes:
            os.dup2(nothing, pipe.fileno(), inheritable=False)
        os.close(nothing)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=let_go)


def _alarm(seconds: int) -> None:
    """Die after so many seconds, 0: never, where the system can say so."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _reply(pipe: IO[bytes], answer: Mapping[str, object]) -> None:
    write_frame(pipe, json.dumps(answer, allow_nan=False).encode("utf-8"))


def _limit_memory(most_bytes: int) -> None:
    """Let a file that takes too much fail alone, where the system can say so."""
    try:
        import resource  # noqa: PLC0415 # not every system has it
    except ImportError:  # no such limits here
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    within = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (within, hard))


@dataclass
class Bench:
    """One file, its class, and the statistics made of it."""

    path: str = ""
    kind: type = object
    description: Description | None = None
    made: list[Any] = field(default_factory=list)

    def answer(self, what: str, args: Sequence[Any]) -> Mapping[str, object]:
        """What a call gives, or the error that it ended with, as JSON has it."""
        calls: dict[str, Callable[..., object]] = {
            "load": self.load, "make": self.make, "condition": self.condition, "step": self.step,
            "later": self.later, "foresee": self.foresee, "support_share": self.support_share,
        }  # fmt: skip # one call a line
        try:
            return {"value": calls[what](*args)}
        except FedstatsError as problem:
            return _told(problem)
        except MemoryError:
            return _told(StatisticStopped(f"{self.path} needed more memory than it may, in {what}."))
        except (Exception, SystemExit) as problem:  # noqa: BLE001 # whatever the file does
            return _told(self._failed(problem, what))

    def load(self, path: str, source: bytes, name: str) -> object:
        """Load these bytes as the file `path`, and describe the class of this name."""
        self.path = path
        module = types.ModuleType(MODULE)
        module.__file__ = path
        sys.modules[MODULE] = module  # dataclasses look their types up there
        try:
            code = compile(source, path, "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 # what this process is for
        except SyntaxError as problem:
            raise StatisticUnreadable(f"{path} is no Python: line {problem.lineno}, {problem.msg}.") from None
        except (FedstatsError, MemoryError):
            raise
        except (Exception, SystemExit) as problem:  # noqa: BLE001 # whatever the file does
            failed = self._failed(problem, "its first lines")
            raise StatisticUnreadable(failed.sentence) from None
        self.kind = self._class(module, name)
        self.description = describe(self.kind)
        return self.description.document()

    def _class(self, module: types.ModuleType, name: str) -> type:
        found = getattr(module, name, None)
        if isinstance(found, type):
            return found
        own = [k for k, v in vars(module).items() if isinstance(v, type) and v.__module__ == MODULE]
        close = did_you_mean(name, own) or (
            f"; it has {', '.join(own)}." if own else "; it has no class at all."
        )
        raise StatisticUnreadable(f"{self.path} has no class {name[:48]}{close}")

    def make(self, plain: Mapping[str, object]) -> object:
        """Make a statistic with these parameters; its number among those made, and its dataset."""
        described = self.description
        if described is None:
            raise StatisticUnreadable(f"{self.path} was not loaded.")
        statistic: Any = self.kind(**checked(described.name, described.parameters, plain))
        self.made.append(statistic)
        return [len(self.made) - 1, str(statistic.dataset)]

    def condition(self, number: int, dataset: Dataset) -> object:
        """Its condition on rows."""
        found = self.made[number].condition(dataset)
        return None if found is None else _base64(encode_expression(found))

    def step(self, number: int, ask: Ask, history: Sequence[RoundResult]) -> object:
        """Its next round, or its estimate."""
        found = self.made[number].step(ask, history)
        if isinstance(found, Estimate):
            try:
                return {"estimate": estimate_to(found)}
            except ValueInvalid as problem:
                raise StatisticFailed(
                    f"{self.path}: step gave back no estimate. {problem.sentence}"
                ) from None
        if isinstance(found, Round):
            order = RoundOrder(bytes(HASH_BYTES), 0, found.normalised(), ask.departments, b"")
            return {"round": _base64(encode_round(order))}
        raise StatisticFailed(
            f"{self.path}: step gave back a {type(found).__name__}, not a Round or an Estimate."
        )

    def later(self, number: int, ask: Ask) -> object:
        """What its later rounds may ask for."""
        return [_base64(encode_aggregate(found.normalised())) for found in self.made[number].later(ask)]

    def foresee(self, number: int, ask: Ask) -> object:
        """What it knows of its columns beforehand."""
        return plain_of(Foresight(tuple(self.made[number].foresee(ask))), Foresight)

    def support_share(self, number: int, ask: Ask) -> object:
        """How much of the loss counts who stands behind its numbers."""
        return str(Fraction(self.made[number].support_share(ask)))

    def _failed(self, problem: BaseException, what: str) -> StatisticFailed:
        """The failure for people: its own lines on standard error, the last of them in the sentence."""
        frames = [
            frame for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == self.path
        ]
        lines = traceback.format_list(frames) + traceback.format_exception_only(problem)
        sys.stderr.write(printable("".join(lines)))  # labels of other machines may be in it
        sys.stderr.flush()
        at = f" at line {frames[-1].lineno}" if frames else ""
        return StatisticFailed(f"{self.path} failed in {what} with {type(problem).__name__}{at}.")


def _told(error: FedstatsError) -> Mapping[str, object]:
    said = {"code": error.code, "sentence": error.sentence, "advice": error.advice, "spent": error.spent.name}
    return {"error": said}


def _base64(payload: bytes) -> str:
    return base64.b64encode(payload).decode("ascii")


if __name__ == "__main__":
    main()

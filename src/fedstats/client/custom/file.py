"""A researcher's file as statistics: whoever asks sees the contract of `core.statistic`, and no process."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

from fedstats.client.custom.forms import Foresight, estimate_from, value_of
from fedstats.client.custom.process import Limits, StatisticProcess
from fedstats.client.description import Description
from fedstats.client.parameters import canonical
from fedstats.core.aggregate import Aggregate
from fedstats.core.estimate import Estimate
from fedstats.core.expression import Expression
from fedstats.core.foresight import Foreseen
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.errors import FedstatsError, StatisticFailed, StatisticUnreadable
from fedstats.wire.codec import decode_aggregate, decode_expression, decode_round

T = TypeVar("T")

FILE_BYTES_MAX = 2**20


class StatisticFile:
    """One file, loaded in its process; `file_hash` is the SHA-256 of the bytes that were loaded, in hex."""

    def __init__(self, path: Path, name: str, limits: Limits) -> None:
        """Load the class of this name."""
        self.path = path.absolute()
        self.name = name
        source = _source(path)
        self.file_hash = hashlib.sha256(source).hexdigest()
        self.process = StatisticProcess(str(path), limits)
        told = self.process.call("load", str(path), source, name, starting=True)
        try:
            self.description = Description.from_document(told)
        except (KeyError, TypeError, ValueError):
            raise StatisticFailed(f"{path} describes itself in a form that is none.") from None

    @property
    def reference(self) -> str:
        """PATH.py:Name, wherever it is typed."""
        return f"{self.path}:{self.name}"

    def make(self, plain: Mapping[str, object]) -> FileStatistic:
        """The statistic with these parameters.

        Raises
        ------
        ParameterInvalid
            They are not what it takes.
        StatisticFailed, StatisticStopped
            Its own checks failed.

        """
        described = self.description
        kept = canonical(described.name, described.parameters, plain)
        return FileStatistic(self, kept, self.process.call("make", kept))

    def close(self) -> None:
        """End its process."""
        self.process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _source(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            source = file.read(FILE_BYTES_MAX + 1)
    except OSError as problem:
        raise StatisticUnreadable(
            f"{path} cannot be read: {problem.strerror}.", remedy="Say where it is, as PATH.py:Name"
        ) from None
    if len(source) > FILE_BYTES_MAX:
        raise StatisticUnreadable(f"{path} is larger than {FILE_BYTES_MAX // 2**20} MiB.")
    return source


class FileStatistic:
    """A statistic whose every method is answered by the file's process, and decoded strictly here."""

    name: ClassVar[str]
    version: ClassVar[str]
    rounds_max: ClassVar[int]

    def __init__(self, file: StatisticFile, plain: Mapping[str, object], made: object) -> None:
        """What the file's `make` gave."""
        described = file.description
        self.file = file
        self.plain = dict(plain)
        self._number, self.dataset = self._read("make", lambda: _made(made))
        self._say(described, file.file_hash)
        for offered in described.offers:
            setattr(self, offered, getattr(self, f"_{offered}"))

    def _say(self, described: Description, file_hash: str) -> None:
        """What its class says of itself; the register shows the file's hash beside the version."""
        said = {
            "name": described.name,
            "version": f"{described.version} sha256:{file_hash}",
            "rounds_max": described.rounds_max,
            "discloses": described.discloses,
        }
        for name, value in said.items():
            setattr(self, name, value)

    def condition(self, dataset: Dataset) -> Expression | None:
        """As the file says."""
        told = self._call("condition", dataset)
        return None if told is None else self._read("condition", lambda: decode_expression(_bytes(told)))

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """As the file says.

        Raises
        ------
        StatisticFailed, StatisticStopped
            It gave neither a round nor an estimate, or not in time.

        """
        told = self._call("step", ask, [_plain(result) for result in history])
        return self._read("step", lambda: _round_or_estimate(told))

    def _later(self, ask: Ask) -> Sequence[Aggregate]:
        told = self._call("later", ask)
        return self._read("later", lambda: [decode_aggregate(_bytes(one)) for one in told])

    def _foresee(self, ask: Ask) -> tuple[Foreseen, ...]:
        told = self._call("foresee", ask)
        return self._read("foresee", lambda: cast("Foresight", value_of(told, Foresight)).columns)

    def _support_share(self, ask: Ask) -> Fraction:
        told = self._call("support_share", ask)
        return self._read("support_share", lambda: Fraction(str(told)))

    def _call(self, what: str, *args: object) -> Any:  # noqa: ANN401 # JSON, read by the caller
        return self.file.process.call(what, self._number, *args)

    def _read(self, what: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except FedstatsError as problem:
            raise StatisticFailed(
                f"{self.file.path.name}: what {what} gave back is not valid. {problem.sentence}"
            ) from None
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as problem:
            raise StatisticFailed(
                f"{self.file.path.name}: what {what} gave back is not valid ({type(problem).__name__})."
            ) from None


def _plain(result: RoundResult) -> RoundResult:
    """The same in types that every process can read."""
    each = None if result.by_department is None else dict(result.by_department)
    return replace(result, by_department=each, absent=dict(result.absent))


def _made(told: object) -> tuple[int, str]:
    if not isinstance(told, list) or [type(one) for one in told] != [int, str]:
        raise TypeError
    number, dataset = told
    return number, dataset


def _bytes(told: object) -> bytes:
    if not isinstance(told, str):
        raise TypeError
    try:
        return base64.b64decode(told, validate=True)
    except binascii.Error:
        raise ValueError from None


def _round_or_estimate(told: Mapping[str, object]) -> Round | Estimate:
    if "round" in told:
        return decode_round(_bytes(told["round"])).round
    return estimate_from(told["estimate"])

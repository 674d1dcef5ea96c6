"""Estimates as JSON between a file's process and ours: each dataclass a list of its name and its fields.

The types of the fields say what may stand where, so that nothing else than an estimate can come of it.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.estimate import Estimate, Table
from fedstats.core.foresight import Foreseen
from fedstats.errors import ValueInvalid

TEXT_CHARACTERS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of an estimate that a statistic makes."""

    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    disclosure: DisclosureProfile


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a statistic foresees of its columns."""

    columns: tuple[Foreseen, ...]


def estimate_to(estimate: Estimate) -> object:
    """The plain form of an estimate as a statistic makes it.

    Raises
    ------
    ValueInvalid
        It holds what is not its to say, or a number that is none.

    """
    if estimate != Estimate(estimate.tables, estimate.notes, disclosure=estimate.disclosure):
        raise ValueInvalid("An estimate of a statistic holds tables, notes and its disclosure control alone.")
    return plain_of(Shown(estimate.tables, estimate.notes, estimate.disclosure), Shown)


def estimate_from(plain: object) -> Estimate:
    """The estimate of its plain form; raises ValueInvalid."""
    shown = value_of(plain, Shown)
    for table in shown.tables:
        _check_shape(table)
    return Estimate(shown.tables, shown.notes, disclosure=shown.disclosure)


def _check_shape(table: Table) -> None:
    """Every row has a label for each key and a cell for each column."""
    names = (*table.keys, *table.columns)
    if len(set(names)) != len(names) or not table.columns:
        raise ValueInvalid(f"The table {table.name[:48]!r} has no columns, or two of the same name.")
    if any(len(row.key) != len(table.keys) or len(row.cells) != len(table.columns) for row in table):
        raise ValueInvalid(
            f"A row of the table {table.name[:48]!r} has not one label for each key and one cell for each "
            "column."
        )


def plain_of(value: object, hint: object) -> object:
    """The plain form of a value of this type; raises ValueInvalid where it is of another."""
    return _walk(value, hint, read=False)


def value_of(plain: object, hint: type[Any]) -> Any:  # noqa: ANN401 # of the type that was asked for
    """The value of a plain form of this type; raises ValueInvalid where it is none."""
    return _walk(plain, hint, read=True)


def _walk(value: object, hint: object, *, read: bool) -> object:
    if isinstance(hint, types.UnionType):
        return _of_union(value, typing.get_args(hint), read=read)
    if typing.get_origin(hint) is tuple:
        (inner, _) = typing.get_args(hint)
        if not isinstance(value, list if read else tuple):
            raise _wrong(value, "a list of values" if read else "a tuple")
        walked = [_walk(one, inner, read=read) for one in typing.cast("list[object]", value)]
        return tuple(walked) if read else walked
    if isinstance(hint, type) and is_dataclass(hint):
        return _of_dataclass(value, hint, read=read)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _of_enum(value, hint, read=read)
    if hint in _SCALARS:
        return _SCALARS[hint](value)
    raise _wrong(value, "something else")


def _of_union(value: object, hints: tuple[object, ...], *, read: bool) -> object:
    if value is None and type(None) in hints:
        return None
    for hint in hints:
        if hint is type(None):
            continue
        if not (isinstance(hint, type) and is_dataclass(hint)):
            return _walk(value, hint, read=read)
        if isinstance(value, hint) or (read and isinstance(value, list) and value[:1] == [hint.__name__]):
            return _of_dataclass(value, hint, read=read)
    raise _wrong(value, " or ".join(getattr(hint, "__name__", "None") for hint in hints))


def _of_dataclass(value: object, hint: type, *, read: bool) -> object:
    named = _hints(hint)
    if not read:
        if type(value) is not hint:
            raise _wrong(value, hint.__name__)
        return [hint.__name__, *(plain_of(getattr(value, name), of) for name, of in named)]
    if not isinstance(value, list) or len(value) != 1 + len(named) or value[0] != hint.__name__:
        raise _wrong(value, hint.__name__)
    return hint(**{name: _walk(one, of, read=True) for (name, of), one in zip(named, value[1:], strict=True)})


@cache
def _hints(kind: type) -> tuple[tuple[str, object], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


def _of_enum(value: object, hint: type[Enum], *, read: bool) -> object:
    if not read and isinstance(value, hint):
        return value.name
    if read and isinstance(value, str) and value in hint.__members__:
        return hint[value]
    raise _wrong(value, hint.__name__)


def _number(value: object) -> float:
    try:
        number = float(typing.cast("float", value))
    except (TypeError, ValueError, OverflowError):
        raise _wrong(value, "a number") from None
    if isinstance(value, bool | str) or not math.isfinite(number):
        raise ValueInvalid("A number is infinite or none at all: say why it is missing, with an Absence.")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
        raise _wrong(value, "a text of bounded length")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueInvalid("A text holds half of a character, which no file can.")
    return str(value)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise _wrong(value, "a whole number")
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise _wrong(value, "true or false")
    return value


_SCALARS: dict[type, Callable[[object], object]] = {
    float: _number, str: _text, int: _whole, bool: _truth,
}  # fmt: skip # one form a line


def _wrong(value: object, wanted: str) -> ValueInvalid:
    return ValueInvalid(f"Where {wanted} should stand, there is a {type(value).__name__}.")

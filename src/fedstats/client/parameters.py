"""The parameters of a statistic are its dataclass fields: from them come options, values, and their one text.

A field is a text, a whole number, a number, a truth or a day, a tuple of these, or None where its type says
so. `field(metadata=...)` may say more of it: `help` (a sentence), `metavar` (what stands for the value), and
`free` (it changes what is shown of a release, and nothing of what is asked).
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from fedstats.core.names import IDENTIFIER, did_you_mean
from fedstats.errors import ParameterInvalid, StatisticUnreadable

TEXT_CHARACTERS_MAX = 4_000
VALUES_MAX = 1_000

Scalar = str | int | float | bool | date
Given = Scalar | tuple[Scalar, ...] | None
"""A value as the statistic has it."""


class ValueKind(Enum):
    """What one value of a parameter is; the words are for people."""

    TEXT = "a text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TRUTH = "true or false"
    DAY = "a day, as 2026-01-31"


_KINDS: dict[object, ValueKind] = {
    str: ValueKind.TEXT,
    int: ValueKind.WHOLE,
    float: ValueKind.NUMBER,
    bool: ValueKind.TRUTH,
    date: ValueKind.DAY,
}
_SEVERAL = {ValueKind.TEXT, ValueKind.WHOLE, ValueKind.NUMBER}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field: `several` of a kind or one, None where `optional`; `default` is plain, as in JSON."""

    name: str
    kind: ValueKind
    several: bool = False
    optional: bool = False
    required: bool = False
    default: object = None
    help: str = ""
    metavar: str = ""
    free: bool = False

    @property
    def option(self) -> str:
        """How it is typed."""
        return "--" + self.name.replace("_", "-")

    def read(self, typed: Sequence[str]) -> Given:
        """The value of what was typed; several may stand in one text, between commas.

        Raises
        ------
        ParameterInvalid
            It is not of this parameter's kind.

        """
        if not self.several:
            return self._scalar(typed[-1])
        parts = [part for text in typed for part in split_at_commas(text)]
        if len(parts) > VALUES_MAX:
            raise ParameterInvalid(f"{self.option} takes at most {VALUES_MAX} values.")
        return tuple(self._scalar(part) for part in parts)

    def _scalar(self, text: str) -> Scalar:
        if self.kind is ValueKind.TEXT:
            return text
        try:
            if self.kind is ValueKind.DAY:
                return date.fromisoformat(text)
            number = int(text) if self.kind is ValueKind.WHOLE else float(text)
        except ValueError:
            raise self._wrong(text) from None
        if not math.isfinite(number):
            raise self._wrong(text)
        return number

    def value(self, plain: object) -> Given:
        """The value of its plain form.

        Raises
        ------
        ParameterInvalid
            It is not of this parameter's type.

        """
        if plain is None and self.optional:
            return None
        if not self.several:
            return self._of_plain(plain)
        if not isinstance(plain, list | tuple):
            raise self._wrong(plain)
        return tuple(self._of_plain(one) for one in plain)

    def _of_plain(self, plain: object) -> Scalar:
        if self.kind is ValueKind.DAY and isinstance(plain, str):
            return self._scalar(plain)
        if self.kind is ValueKind.NUMBER and type(plain) is int:
            return float(plain)
        wanted = next(kind for kind in _KINDS if _KINDS[kind] is self.kind)
        if type(plain) is not wanted or (isinstance(plain, float) and not math.isfinite(plain)):
            raise self._wrong(plain)
        if isinstance(plain, str):
            self._check_text(plain)
        return typing.cast("Scalar", plain)

    def _check_text(self, text: str) -> None:
        """Not too long, and written in characters: bytes that are none end whoever writes them to a file."""
        if len(text) > TEXT_CHARACTERS_MAX:
            raise ParameterInvalid(f"{self.option} takes a text of up to {TEXT_CHARACTERS_MAX:,} characters.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ParameterInvalid(f"{self.option} takes a text in UTF-8, not {text[:40]!r}.")

    def _wrong(self, given: object) -> ParameterInvalid:
        what = f"values, each {self.kind.value}" if self.several else self.kind.value
        return ParameterInvalid(f"{self.option} takes {what}, not {str(given)[:40]!r}.")


def parameters_of(kind: type) -> tuple[Parameter, ...]:
    """The parameters of a statistic's class, in the order of its fields.

    Raises
    ------
    StatisticUnreadable
        It is no frozen dataclass, or a field is of a type that nobody can type.

    """
    made = getattr(kind, "__dataclass_params__", None) if dataclasses.is_dataclass(kind) else None
    if made is None or not made.frozen:
        raise StatisticUnreadable(
            f"{kind.__name__} is no frozen dataclass.",
            remedy="Write @dataclass(frozen=True, slots=True) above it: its fields are its parameters.",
        )
    hints = _hints(kind)
    return tuple(
        _parameter(kind, field, hints[field.name]) for field in dataclasses.fields(kind) if field.init
    )


def _hints(kind: type) -> Mapping[str, object]:
    try:
        return typing.get_type_hints(kind)
    except (NameError, TypeError, AttributeError) as problem:
        raise StatisticUnreadable(
            f"The types of the fields of {kind.__name__} cannot be read: {problem}."
        ) from None


def _parameter(kind: type, field: dataclasses.Field[object], hint: object) -> Parameter:
    if IDENTIFIER.fullmatch(field.name) is None:
        raise StatisticUnreadable(f"{kind.__name__}.{field.name[:48]!r} cannot name a parameter.")
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    inner = [member for member in members if member is not type(None)]
    several = typing.get_origin(inner[0]) is tuple
    of: tuple[object, ...] = typing.get_args(inner[0]) if several else (inner[0], ...)
    value_kind = _KINDS.get(of[0])
    fits = value_kind in _SEVERAL if several else True
    if len(inner) != 1 or value_kind is None or of[1:] != (...,) or not fits:
        raise StatisticUnreadable(
            f"The field {field.name} of {kind.__name__} is of a type that cannot be typed on a command line.",
            remedy="Parameters are str, int, float, bool, date, tuples of str, int or float, or one of these "
            "or None; write expressions as SQL text.",
        )
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    required = default is dataclasses.MISSING
    return Parameter(
        name=field.name,
        kind=value_kind,
        several=several,
        optional=len(inner) < len(members),
        required=required,
        default=None if required else plain_of(typing.cast("Given", default)),
        help=str(field.metadata.get("help", "")),
        metavar=str(field.metadata.get("metavar", "")),
        free=field.metadata.get("free", False) is True,
    )


def plain_of(value: object) -> object:
    """A value as JSON has it: a day is text, a tuple a list; whatever else stays as it is."""
    if isinstance(value, tuple):
        return [plain_of(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def checked(name: str, parameters: Sequence[Parameter], plain: Mapping[str, object]) -> dict[str, Given]:
    """The values of all plain ones, for the statistic of this name; those left out keep their defaults.

    Raises
    ------
    ParameterInvalid
        A name is unknown, a value is not of its type, or one that must be given is missing.

    """
    known = {parameter.name: parameter for parameter in parameters}
    for given in plain:
        if given not in known:
            close = did_you_mean(given, known) or f"; it has {', '.join(known) or 'none'}."
            raise ParameterInvalid(f"{name} has no parameter {given[:48]!r}{close}")
    missing = [p.option for p in parameters if p.required and p.name not in plain]
    if missing:
        raise ParameterInvalid(
            f"{name} needs {' and '.join(missing)}.", remedy=f"Read what it takes: fedstats run {name} --help"
        )
    return {given: known[given].value(value) for given, value in plain.items()}


def canonical(name: str, parameters: Sequence[Parameter], plain: Mapping[str, object]) -> dict[str, object]:
    """The plain values that are not the defaults, in the order of the fields; raises as `checked`."""
    values = checked(name, parameters, plain)
    found = {p.name: plain_of(values[p.name]) for p in parameters if p.name in values}
    return {
        p.name: found[p.name]
        for p in parameters
        if p.name in found and (p.required or found[p.name] != p.default)
    }


def text_of(name: str, plain: Mapping[str, object]) -> str:
    """`name(field=value, ...)`, as the register and `fedstats jobs` show it; two values never read alike."""
    fields = (f"{field}={json.dumps(value, ensure_ascii=False)}" for field, value in plain.items())
    return f"{name}({', '.join(fields)})"


def split_at_commas(text: str) -> Iterator[str]:
    """The parts between commas that stand in no bracket and no quotation marks, without spaces around."""
    part, depth, quote = "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        if character == "," and depth <= 0 and not quote:
            yield part.strip()
            part = ""
        else:
            part += character
    if part.strip() or not text.strip():
        yield from [part.strip()] if part.strip() else []

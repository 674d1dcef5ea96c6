"""Strict reading of documents (agreements, node and coordinator configuration): unknown keys are refused."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from difflib import get_close_matches
from fractions import Fraction
from itertools import islice
from typing import Self, TypeVar

from fedstats.core.names import did_you_mean
from fedstats.errors import FedstatsError

# Bounded digits and exponent: "1e999999999" would fill the memory.
_DECIMAL = re.compile(r"[+-]?[0-9]{1,24}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?")
_ALIKE = 0.85  # how close a key must be to pass for a misspelt one that is missing
_INTEGER_MAX = 10**18
_NAMED_BY = ("name", "code", "column", "department")
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,47}")
_SHOWN = 5
_LOOKED_AT = 200
_SHOWN_CHARACTERS = 60
_T = TypeVar("_T")
_DEPTH_MAX = 16
_QUOTED = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*+"""|"(?:[^"\\\n]|\\.)*+"'
    r"|'''(?:[^']|'(?!''))*+'''|'[^'\n]*+'|#[^\n]*+",
    re.DOTALL,
)
_CHAIN = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{_DEPTH_MAX}}}")


def toml_document(text: str) -> dict[str, object]:
    """The document in a TOML text, at a cost that its length gives.

    Python's reader takes time and memory with the square of a dotted key's depth: 40 KB of `a.a.a...` take
    13 seconds, 200 KB all the memory there is. Nothing here is nested deeply, so such a text is refused
    before it is read.

    Raises
    ------
    ValueError
        It is no TOML, or is nested too deeply.

    """
    if _CHAIN.search(_QUOTED.sub("_", text)):
        raise ValueError(f"a key has more than {_DEPTH_MAX} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("values are nested too deeply") from None
    except ValueError as problem:
        if isinstance(problem, tomllib.TOMLDecodeError):
            raise
        raise ValueError("a number has too many digits") from None


class Reader:
    """Takes typed values out of a mapping and refuses what is missing, of another type, or left over."""

    def __init__(self, document: object, *, where: str, error: type[FedstatsError]) -> None:
        """Read `document`; `where` names it in messages, `error` is what is raised."""
        self._error = error
        self._where = where
        if not isinstance(document, Mapping) or not all(isinstance(key, str) for key in document):
            raise self.problem("must be a table of named values")
        self._rest: dict[str, object] = dict(document)
        self._asked: set[str] = set()

    def problem(self, sentence: str, key: str = "") -> FedstatsError:
        """The error to raise, with the place in it."""
        place = f"{self._where}.{key}" if key and self._where else key or self._where or "The document"
        return self._error(f"{place} {sentence}{'' if sentence.endswith('?') else '.'}")

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        return self._typed(key, str, "must be a text", default)

    def integer(self, key: str, default: int | None = None) -> int:
        """An integer (true is none)."""
        value = self._typed(key, int, "must be a whole number", default)
        if isinstance(value, bool):
            raise self.problem("must be a whole number", key)
        return self._bounded(value, key)

    def truth(self, key: str, *, default: bool | None = None) -> bool:
        """True or false."""
        return self._typed(key, bool, "must be true or false", default)

    def day(self, key: str) -> date:
        """A date, as a TOML date or an ISO text."""
        value = self._take(key, None)
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise self.problem("must be a date such as 2026-04-01", key) from None
        if type(value) is not date:
            raise self.problem("must be a date such as 2026-04-01", key)
        return value

    def decimal(self, key: str, default: str | None = None) -> Fraction:
        """An exact decimal, written as a text ("0.5", "1e-6") or a whole number."""
        value = self._take(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return Fraction(self._bounded(value, key))
        if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
            raise self.problem('must be a decimal number in quotes, such as "0.5"', key)
        return Fraction(value)

    def decimal_or_none(self, key: str) -> Fraction | None:
        """An exact decimal; None where the key is missing or its text empty."""
        self._asked.add(key)
        if self._rest.get(key, "") == "":
            self._rest.pop(key, None)
            return None
        return self.decimal(key)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of strings."""
        value = self._take(key, list(default) if default is not None else None)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.problem("must be a list of texts", key)
        return tuple(value)

    def labels(self, key: str) -> tuple[str | None, ...]:
        """A list of strings, some of which are missing."""
        value = self._take(key, None)
        if not isinstance(value, list) or not all(item is None or isinstance(item, str) for item in value):
            raise self.problem("must be a list of texts", key)
        return tuple(value)

    def table(self, key: str, *, optional: bool = False) -> Reader:
        """A nested table; an optional one that is missing reads as empty."""
        value = self._take(key, {} if optional else None)
        return Reader(value, where=self._path(key), error=self._error)

    def tables(self, key: str, *, optional: bool = False) -> list[Reader]:
        """A list of tables."""
        value = self._take(key, [] if optional else None)
        if not isinstance(value, list):
            raise self.problem("must be a list of tables", key)
        return [
            Reader(item, where=f"{self._path(key)}[{_called(item, i)}]", error=self._error)
            for i, item in enumerate(value)
        ]

    def keys(self) -> tuple[str, ...]:
        """The keys that were not taken yet, for tables with free keys."""
        return tuple(self._rest)

    def has(self, key: str) -> bool:
        """Whether the key is there and not taken yet."""
        return key in self._rest

    def end(self) -> None:
        """Refuse whatever was not taken: a misspelt key must not pass in silence."""
        if self._rest:
            raise self._unknown()

    def __enter__(self) -> Self:
        """Read inside a `with` block, so that leftovers are refused at its end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Refuse leftovers, unless something went wrong already."""
        if kind is None:
            self.end()

    @contextmanager
    def building(self, key: str = "") -> Iterator[None]:
        """Give errors of the types built from this table the place in the document."""
        try:
            yield
        except self._error:
            raise
        except FedstatsError as problem:
            raise self._error(f"{self._path(key) or 'The document'}: {problem.sentence}") from None

    def _unknown(self) -> FedstatsError:
        """Each key that was left over, with the known one that it may be meant for."""
        left = sorted(self._rest)
        said = [f"{_quoted(key)}{did_you_mean(key, self._asked - {*left})}" for key in left[:_SHOWN]]
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        return self.problem(f"has unknown keys: {', '.join(said)}{more}")

    def _path(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where and key else key or self._where

    def _take(self, key: str, default: object) -> object:
        self._asked.add(key)
        value = self._rest.pop(key, default)
        if value is None:
            others = [name[:_SHOWN_CHARACTERS] for name in islice(self._rest, _LOOKED_AT)]
            near = get_close_matches(key, others, n=1, cutoff=_ALIKE)
            raise self.problem(f"is missing{f'; is {_quoted(near[0])} meant for it?' if near else ''}", key)
        return value

    def _bounded(self, value: int, key: str) -> int:
        if abs(value) >= _INTEGER_MAX:
            raise self.problem("must be a whole number of at most 18 digits", key)
        return value

    def _typed(self, key: str, kind: type[_T], rule: str, default: _T | None) -> _T:
        value = self._take(key, default)
        if not isinstance(value, kind):
            raise self.problem(rule, key)
        return value


def _called(table: object, place: int) -> str:
    """How a table of a list is called in messages: by its own name where it has a plain one."""
    if isinstance(table, Mapping):
        for key in _NAMED_BY:
            name = table.get(key)
            if isinstance(name, str) and _PLAIN_NAME.fullmatch(name):
                return name
    return str(place)


def _quoted(key: str) -> str:
    """The beginning of a key, with whatever a terminal would obey written out."""
    begun = key[:_SHOWN_CHARACTERS]
    return begun if begun.isidentifier() and begun.isascii() else ascii(begun)

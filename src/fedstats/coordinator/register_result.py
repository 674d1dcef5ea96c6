"""A published result as tables of texts, for terminals and pages. Pure; an entry may hold anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context

from fedstats.coordinator.register import Read, one_line, text, texts

ROWS_SHOWN_MAX = 5_000
SHOWN_DIGITS = 7
NUMBER_CHARACTERS_MAX = 64
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Shown:
    """A table of a result: every cell one printable line."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(document: Read) -> list[Shown]:
    """The tables of the entry of a result; what is malformed reads as empty."""
    return [_shown(table) for table in _tables(_inner(document, "result"), "tables")]


def promise_of(document: Read) -> str:
    """What the result promises, in one sentence."""
    return one_line(text(_inner(_inner(document, "result"), "guarantee"), "sentence"))


def note_of(document: Read) -> str:
    """What the analyst says beside the result."""
    return one_line(text(_inner(document, "result"), "note"))


def _shown(table: Read) -> Shown:
    heads = [one_line(name) for name in (*texts(table, "keys"), *texts(table, "columns"))]
    rows = (
        (*map(_label, _items(row, "key")), *map(_cell, _tables(row, "cells")))
        for row in _tables(table, "rows")[:ROWS_SHOWN_MAX]
    )
    wide = [(*row, *([""] * len(heads)))[: len(heads)] for row in rows]
    return Shown(one_line(text(table, "name")), tuple(heads), tuple(wide))


def _label(value: object) -> str:
    return "(missing)" if value is None else one_line(str(value))


def _cell(cell: Read) -> str:
    if "absent" in cell:
        return one_line(text(cell, "sentence") or text(cell, "absent"))
    value, lo, hi = (_rounded(text(cell, key)) for key in ("value", "lo", "hi"))
    return one_line(f"{value} ({lo} to {hi})")


def _rounded(number: str) -> str:
    """A number with the digits that people read; what is none stays as it is."""
    if len(number) > NUMBER_CHARACTERS_MAX or _NUMBER.fullmatch(number) is None:
        return number
    whole, _, part = number.lstrip("-").partition(".")
    if not part or "e" in number:
        return number
    rounded = Context(prec=max(SHOWN_DIGITS, len(whole) + 3)).create_decimal(number)
    return format(rounded.normalize(), "f")


def _inner(document: Read, key: str) -> Read:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _items(document: Read, key: str) -> list[object]:
    value = document.get(key)
    return list(value) if isinstance(value, list) else []


def _tables(document: Read, key: str) -> list[Read]:
    return [item for item in _items(document, key) if isinstance(item, Mapping)]

"""Guesses that lead a person through a mapping: what kind of source, which column, which label. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from fedstats.core.schema import Dataset
from fedstats.engines.mapping import SourceKind

_KINDS = {
    ".csv": SourceKind.CSV,
    ".txt": SourceKind.CSV,
    ".parquet": SourceKind.PARQUET,
    ".duckdb": SourceKind.DUCKDB,
    ".db": SourceKind.DUCKDB,
}


def kind_of(path: Path) -> SourceKind:
    """What kind of source a path looks like; CSV where its ending says nothing."""
    return _KINDS.get(path.suffix.lower(), SourceKind.CSV)


def suggest_columns(dataset: Dataset, local: Sequence[str]) -> dict[str, str]:
    """For each shared column the local one that looks like it; none is suggested twice.

    The person column of the definition is among the names.
    """
    names = [column.name for column in dataset.columns]
    if dataset.unit.column is not None:
        names.insert(0, dataset.unit.column)
    found: dict[str, str] = {}
    for alike in (_same, _begins, _close):
        for name in names:
            free = [column for column in local if column not in found.values()]
            if name not in found and (match := alike(name, free)):
                found[name] = match
    return found


def suggest_label(code: str, labels: Iterable[str]) -> str:
    """The label that a local code probably means; empty if nothing looks like it."""
    known = list(labels)
    plain = _letters(code)
    same = [label for label in known if _letters(label) == plain]
    ends = [label for label in known if plain and re.split(r"[^a-z0-9]+", label.lower())[-1] == plain]
    starts = [
        label
        for label in known
        if plain and _letters(label)[:1] == plain[:1] and 1 in (len(label), len(code))  # F for female
    ]
    for candidates in (same, ends, starts):
        if len(candidates) == 1:
            return candidates[0]
    return ""


def _same(name: str, local: Sequence[str]) -> str:
    return next((column for column in local if _letters(column) == _letters(name)), "")


def _begins(name: str, local: Sequence[str]) -> str:
    plain = _letters(name)
    found = [c for c in local if _letters(c).startswith(plain) or plain.startswith(_letters(c) or " ")]
    return found[0] if len(found) == 1 else ""


def _close(name: str, local: Sequence[str]) -> str:
    by_letters = {_letters(column): column for column in local}
    close = get_close_matches(_letters(name), by_letters, n=1, cutoff=0.55)
    return by_letters[close[0]] if close else ""


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())

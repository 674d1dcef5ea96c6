"""A published result: the tables of an answer, what they promise, and which releases they are made of. Pure.

An analyst signs canonical JSON, which the public register prints. Numbers are decimal texts, absences have
their reasons:

    {"query": hex, "question": text, "note": text, "replaces": number of an earlier result's entry or 0,
     "disclosure": profile, "guarantee": {"unit", "mechanism", "epsilon", "delta", "sentence"},
     "participants": [{"department", "answered", "code"}],
     "releases": [{"round": number, "department": text, "sha256": hex of what the node signed}],
     "tables": [{"name", "keys": [text], "columns": [text], "counts": [text], "derived": [text],
                 "rows": [{"key": [text or null], "cells": [cell]}]}]}
    cell: {"value", "lo", "hi"} or {"absent": reason, "sentence": text}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fedstats.core.agreement_document import Document, canonical_json, decimal_text
from fedstats.core.disclosure import DisclosureProfile, rule_of
from fedstats.core.estimate import Absence, AbsenceReason, Cell, Estimate, Table
from fedstats.core.names import check_department, check_text
from fedstats.core.reading import Reader
from fedstats.errors import ValueInvalid

RESULT_BYTES_MAX = 200_000
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class ReleaseUsed:
    """One department's release of a round, by the SHA-256 of what its node signed."""

    round: int
    department: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Result:
    """A result that was read: what the coordinator compares; the rest is for readers."""

    query: bytes
    replaces: int
    disclosure: DisclosureProfile
    releases: tuple[ReleaseUsed, ...]
    counts: tuple[str, ...]  # decimal texts: every number that counts people or rows


def result_document(
    estimate: Estimate,
    question: str,
    query: bytes,
    releases: Iterable[ReleaseUsed],
    *,
    note: str = "",
    replaces: int = 0,
) -> Document:
    """The document that an analyst signs."""
    promise = estimate.guarantee
    if promise is None:
        raise ValueInvalid("An answer without a guarantee is not published.")
    return {
        "query": query.hex(),
        "question": question,
        "note": check_text(note, what="note") if note else "",
        "replaces": replaces,
        "disclosure": estimate.disclosure.value,
        "guarantee": {
            "unit": promise.unit,
            "mechanism": promise.mechanism,
            "epsilon": f"{promise.epsilon:f}",
            "delta": decimal_text(promise.delta),
            "sentence": promise.sentence,
        },
        "participants": [
            {
                "department": participant.department,
                "answered": participant.refusal is None,
                "code": participant.refusal.code if participant.refusal else "",
            }
            for participant in estimate.participants
        ],
        "releases": [
            {"round": used.round, "department": used.department, "sha256": used.sha256}
            for used in sorted(releases)
        ],
        "tables": [_table(table) for table in estimate.tables],
    }


def result_from_json(payload: bytes) -> Result:
    """The result in signed bytes, strictly: canonical, no unknown keys, every row as wide as its table.

    Raises
    ------
    ValueInvalid
        It is none.

    """
    if len(payload) > RESULT_BYTES_MAX:
        raise ValueInvalid(f"A result has at most {RESULT_BYTES_MAX:,} bytes; this one has {len(payload):,}.")
    try:
        document = json.loads(payload)
        is_canonical = canonical_json(document) == payload
    except (ValueError, TypeError, RecursionError):
        raise ValueInvalid("A result is JSON.") from None
    if not is_canonical:
        raise ValueInvalid("The result is not in its canonical form.")
    return _read(Reader(document, where="result", error=ValueInvalid))


def _read(reader: Reader) -> Result:
    with reader:
        _prose(reader, "question", "note")
        with reader.table("guarantee") as promise:
            _prose(promise, "unit", "mechanism", "sentence")
            for key in ("epsilon", "delta"):
                promise.decimal(key)
        for participant in reader.tables("participants"):
            with participant:
                check_department(participant.text("department"))
                participant.truth("answered")
                _prose(participant, "code")
        return Result(
            query=bytes.fromhex(_hash(reader, "query")),
            replaces=reader.integer("replaces"),
            disclosure=_profile(reader.text("disclosure")),
            releases=tuple(_release(row) for row in reader.tables("releases")),
            counts=tuple(count for table in reader.tables("tables") for count in _counts(table)),
        )


def _profile(text: str) -> DisclosureProfile:
    try:
        return DisclosureProfile(text)
    except ValueError:
        raise ValueInvalid("A result names no disclosure profile that there is.") from None


def _release(reader: Reader) -> ReleaseUsed:
    with reader:
        return ReleaseUsed(reader.integer("round"), reader.text("department"), _hash(reader, "sha256"))


def _hash(reader: Reader, key: str) -> str:
    text = reader.text(key)
    if _HASH.fullmatch(text) is None:
        raise reader.problem("must be a SHA-256 in hexadecimal digits", key)
    return text


def _prose(reader: Reader, *keys: str) -> None:
    for key in keys:
        if text := reader.text(key):
            check_text(text, what=key)


def _counts(reader: Reader) -> Iterable[str]:
    """Check one table; its counts."""
    with reader:
        _prose(reader, "name")
        keys, columns, counts = (reader.texts(key) for key in ("keys", "columns", "counts"))
        if set(reader.texts("derived")) - set(columns):
            raise reader.problem("must be among its columns", "derived")
        for row in reader.tables("rows"):
            with row:
                key = row.labels("key")
                cells = row.tables("cells")
                if len(key) != len(keys) or len(cells) != len(columns):
                    raise row.problem("must be as wide as its table")
                numbers = zip(columns, map(_cell, cells), strict=True)
                yield from [number for name, number in numbers if number and name in counts]


def _cell(reader: Reader) -> str:
    """Check one cell; its number, empty where it is absent."""
    with reader:
        if reader.has("absent"):
            absent = reader.text("absent")
            if absent not in {reason.name.lower() for reason in AbsenceReason}:
                raise reader.problem("must be a reason that there is", "absent")
            _prose(reader, "sentence")
            return ""
        numbers = [reader.text(key) for key in ("value", "lo", "hi")]
        if not all(_NUMBER.fullmatch(number) for number in numbers):
            raise reader.problem("must have a value, lo and hi, each a decimal number as a text")
        return numbers[0]


def check_disclosure(result: Result) -> None:
    """Return if no count is one that the profile withholds, or shows otherwise.

    Raises
    ------
    ValueInvalid
        One is.

    """
    rule = rule_of(result.disclosure)
    if rule is None:
        return
    for count in map(float, result.counts):
        if rule.withholds(count) or rule.rounded(count) != count:
            raise ValueInvalid(
                f"The result shows a count that the agreement's disclosure control"
                f" ({result.disclosure.value}) withholds or rounds."
            )


def _table(table: Table) -> Mapping[str, object]:
    return {
        "name": table.name,
        "keys": list(table.keys),
        "columns": list(table.columns),
        "counts": list(table.counts),
        "derived": list(table.derived),
        "rows": [{"key": list(row.key), "cells": _cells(row.cells)} for row in table],
    }


def _cells(cells: Sequence[Cell]) -> list[Mapping[str, str]]:
    return [
        {"absent": cell.reason.name.lower(), "sentence": cell.sentence}
        if isinstance(cell, Absence)
        else {
            "value": _number(cell.value),
            "lo": _number(cell.noise_interval.lo),
            "hi": _number(cell.noise_interval.hi),
        }
        for cell in cells
    ]


def _number(value: float) -> str:
    """The number as Python writes it: the shortest text that means it."""
    return repr(value).removesuffix(".0")

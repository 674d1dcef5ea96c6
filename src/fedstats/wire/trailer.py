"""An error on its way from coordinator to client: JSON in one binary trailer of the gRPC reply."""

from __future__ import annotations

import json

from fedstats.errors import FedstatsError, NetworkError, Spent, error_from_code

KEY = "fedstats-error-bin"
CHARACTERS_MAX = 1_000  # each text; with three bytes a character all fit into gRPC's 8 KiB for metadata
FIELDS = ("code", "sentence", "where", "advice", "spent")


def trailer_of(error: FedstatsError) -> bytes:
    """Encode everything that the error says, and nothing about how it came about."""
    said = (error.code, error.sentence, error.where, error.advice, error.spent.name)
    return json.dumps(dict(zip(FIELDS, map(_cut, said), strict=True)), ensure_ascii=False).encode("utf-8")


def error_of(trailer: bytes) -> FedstatsError:
    """Rebuild the error: the same class, sentence and advice. One that cannot be read is a NetworkError."""
    try:
        said = json.loads(trailer)
        code, sentence, where, advice, spent = (_printable(said[field]) for field in FIELDS)
        error = error_from_code(code, sentence, where=where, spent=Spent[spent])
    except (ValueError, KeyError, TypeError, RecursionError):
        return NetworkError("The coordinator refused in a form that this version of fedstats cannot read.")
    error.advice = advice
    return error


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS_MAX else text[: CHARACTERS_MAX - 1] + "…"


def _printable(text: str) -> str:
    """What another machine says goes to terminals and logs, so it brings no control characters along."""
    return "".join(character for character in _cut(text) if character.isprintable())

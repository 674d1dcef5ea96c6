"""An error on its way from coordinator to client: JSON in one binary trailer of the gRPC reply."""

from __future__ import annotations

import json

from fedstats.errors import FedstatsError, NetworkError, Spent, error_from_code

KEY = "fedstats-error-bin"

# Together under 1,400 characters of at most 4 bytes, in base64: within the 8 KiB that gRPC allows.
_CHARACTERS_MAX = {"code": 10, "sentence": 1_000, "where": 64, "advice": 300, "spent": 20}


def trailer_of(error: FedstatsError) -> bytes:
    """Encode everything that the error says, and nothing about how it came about."""
    said = {
        "code": error.code,
        "sentence": error.sentence,
        "where": error.where,
        "advice": error.advice,
        "spent": error.spent.name,
    }
    clean = {field: _clean(said[field], limit) for field, limit in _CHARACTERS_MAX.items()}
    return json.dumps(clean, ensure_ascii=False).encode("utf-8")


def error_of(trailer: bytes) -> FedstatsError:
    """Rebuild the error: the same class, sentence and advice. One that cannot be read is a NetworkError."""
    try:
        said = json.loads(trailer)
        clean = {field: _clean(said[field], limit) for field, limit in _CHARACTERS_MAX.items()}
        spent = Spent[clean["spent"]]
        error = error_from_code(clean["code"], clean["sentence"], where=clean["where"], spent=spent)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return NetworkError("The coordinator refused in a form that this version of fedstats cannot read.")
    error.advice = clean["advice"]
    return error


def _clean(text: str, characters_max: int) -> str:
    """What another machine says goes to terminals and logs: it is short and brings no control characters."""
    kept = "".join(character for character in text[: characters_max + 1] if character.isprintable())
    return kept if len(kept) <= characters_max else kept[: characters_max - 1] + "…"

"""Forms of JSON documents: what a JSON Schema is put together of.

Every field has words that say what it means; pages for people are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping

Schema = dict[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def text(words: str, pattern: str = "") -> Schema:
    """A text, all of which the pattern matches where there is one."""
    return {"type": "string", "description": words, **({"pattern": pattern} if pattern else {})}


def decimal(words: str) -> Schema:
    """A decimal number, as a text: no program rounds it."""
    return text(words, r"^[0-9]+(\.[0-9]+)?$")


def exact(words: str) -> Schema:
    """An exact number, as numerator/denominator."""
    return text(words, r"^[0-9]+/[1-9][0-9]*$")


def whole(words: str, least: int = 0) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "description": words}


def truth(words: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": words}


def one_of(words: str, *values: str) -> Schema:
    """One of these texts."""
    return {"enum": list(values), "description": words}


def list_of(words: str, items: Mapping[str, object]) -> Schema:
    """A list."""
    return {"type": "array", "items": items, "description": words}


def texts(words: str) -> Schema:
    """A list of texts."""
    return list_of(words, {"type": "string"})


def table(words: str, /, **fields: Mapping[str, object]) -> Schema:
    """Every field is there, in this order, and no other; `from_` stands for the word that Python keeps."""
    named = {name.rstrip("_"): field for name, field in fields.items()}
    return {
        "type": "object",
        "description": words,
        "properties": named,
        "required": list(named),
        "additionalProperties": False,
    }


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    words = schema.get("description", "")
    return {"anyOf": [schema, {"type": "null"}], "description": words}

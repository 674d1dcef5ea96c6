"""Writing TOML for the demo's files: the standard library only reads it, and JSON's values are TOML's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def toml_text(document: Mapping[str, object]) -> str:
    """The document as TOML: plain values first, then tables and lists of tables."""
    return "\n".join(_lines(document, ())) + "\n"


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{_dotted((*path, key))}]", *_lines(value, (*path, key))]
        elif _is_table(value) and isinstance(value, Sequence):
            for item in value:
                lines += ["", f"[[{_dotted((*path, key))}]]", *_lines(item, (*path, key))]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
    )


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "").isalnum() and key.isascii()
    return key if bare else json.dumps(key, ensure_ascii=False)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(_key(key) for key in path)

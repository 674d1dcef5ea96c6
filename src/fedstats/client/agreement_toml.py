"""An agreement as the TOML that people write, with the template's comments. Pure.

The document may be unfinished: whatever it holds is written, and what is left at its default is written as
the commented line that the template has for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

_KEY = re.compile(r"(?P<hint># )?(?P<key>[a-z_]+) = (?P<value>.*?)(?:  +# (?P<comment>.*))?")
_HEADER = re.compile(r"(?P<hint># )?\[{1,2}(?P<section>[a-z_.]+)\]{1,2}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DAY_KEYS = ("starts_on", "ends_on", "review_on", "lo", "hi")
_COMMENT_AT = 35
_LINE_MAX = 110
_COLUMN = ("name", "type", "lo", "hi", "step", "labels", "characters_max", "values_max", "missing")
_PLAIN: Mapping[str, object] = {
    "as_key": True,
    "as_measure": True,
    "missing": False,
    "step": "1",
    "pace_days": 0,
}
"""What need not be written, besides empty texts and lists of keys that the template has in a comment."""

Table = Mapping[str, object]


@dataclass(slots=True)
class Notes:
    """What the template says about each section and key."""

    order: dict[str, list[str]] = field(default_factory=dict)  # section -> its keys
    above: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # comment lines; "" is the header
    beside: dict[tuple[str, str], str] = field(default_factory=dict)
    hints: dict[tuple[str, str], str] = field(default_factory=dict)  # commented-out keys, whole lines


def toml_of(document: Table, template: str, *, head: Sequence[str] = ()) -> str:
    """The document with the template's comments, below the lines of `head` (or the template's own)."""
    notes = notes_of(template)
    lines = [f"# {line}".rstrip() for line in head] or list(notes.above.get(("", ""), []))
    lines += ["", *_section("", document, notes)]
    for name in ("public", "purposes", "controllers", "privacy", "opt_out", "disclosure"):
        lines += _tables(name, document.get(name, {}), notes)
    for number, dataset in enumerate(_listed(document.get("datasets", []))):
        lines += _headed("datasets", dataset, notes, first=number == 0)
        for name in ("unit", "sources", "columns"):
            lines += _tables(f"datasets.{name}", dataset.get(name, []), notes, first=number == 0)
    return "\n".join(lines).rstrip() + "\n"


@cache
def notes_of(template: str) -> Notes:
    """The comments of a template, by what they are about."""
    notes, section, above = Notes(), "", list[str]()
    for line in template.splitlines():
        header, key = _HEADER.fullmatch(line), _KEY.fullmatch(line)
        if not line and not section and not notes.above:
            notes.above["", ""] = above  # what stands above everything
            above = []
        elif header:
            section = header["section"]
            notes.above.setdefault((section, ""), above)
            if header["hint"]:
                notes.hints.setdefault((section, ""), line)
            above = []
        elif key:
            _note(notes, section, key, line, above)
            above = []
        elif line.startswith("#"):
            above.append(line)
    return notes


def _note(notes: Notes, section: str, key: re.Match[str], line: str, above: list[str]) -> None:
    name, place = key["key"], (section, key["key"])
    keys = notes.order.setdefault(section, [])
    if name not in keys:
        keys.append(name)
        notes.above[place] = above
        notes.beside[place] = re.sub(r"(; )?FILL IN(: )?", "", key["comment"] or "")
        if key["hint"]:
            notes.hints[place] = line


def _tables(name: str, value: object, notes: Notes, *, first: bool = True) -> Iterator[str]:
    """One table, or every table of a list; the comments stand above the first."""
    tables = _listed(value)
    if not tables and (name, "") in notes.hints and first:
        yield from ("", *notes.above[name, ""], notes.hints[name, ""])
        yield from (notes.hints[name, key] for key in notes.order[name])
    for number, table in enumerate(tables):
        yield from _headed(name, table, notes, first=first and number == 0, several=isinstance(value, list))


def _headed(name: str, table: Table, notes: Notes, *, first: bool, several: bool = True) -> Iterator[str]:
    yield ""
    if first:
        yield from notes.above.get((name, ""), [])
    yield f"[[{name}]]" if several else f"[{name}]"
    yield from _section(name, table, notes, hints=first)


def _section(name: str, table: Table, notes: Notes, *, hints: bool = True) -> Iterator[str]:
    """The keys of one table: first as the template has them, then the others."""
    column = name == "datasets.columns"
    known = _COLUMN if column else notes.order.get(name, [])
    plain = {**_PLAIN, "as_measure": table.get("type") != "text"} if column else _PLAIN
    for key in [*known, *(key for key in table if key not in known)]:
        place = (name, key)
        if key in table and not _unsaid(place, table[key], plain, notes):
            if hints and not column:
                yield from _above(place, notes)
            comment = "" if column or not hints else notes.beside.get(place, "")
            yield _commented(f"{key} = {_value(key, table[key])}", comment)
        elif hints and place in notes.hints:
            yield from _above(place, notes)
            yield notes.hints[place]


def _above(place: tuple[str, str], notes: Notes) -> list[str]:
    """The comment above a key; at the top of the file it begins a paragraph."""
    lines = notes.above.get(place, [])
    return ["", *lines] if lines and not place[0] else lines


def _unsaid(place: tuple[str, str], value: object, plain: Table, notes: Notes) -> bool:
    """Whether leaving the key out means the same; nested tables have sections of their own."""
    section, key = place
    if isinstance(value, Mapping) or (isinstance(value, list) and key != "population" and _listed(value)):
        return True
    if place in notes.hints or key in _EMPTY:
        return value in ("", [], 0)
    return section in ("datasets.columns", "privacy") and key in plain and value == plain[key]


_EMPTY = (
    *("description", "classification", "justification", "column", "reason"),
    *("prohibited", "population", "sources"),
)
"""Optional keys that the template does not have in a comment."""


def _listed(value: object) -> list[Table]:
    """The tables in a value: of a list, or the value itself."""
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _commented(line: str, comment: str) -> str:
    """The line with its comment, the comments of a section below each other where there is room."""
    return f"{line:<{_COMMENT_AT - 2}}  # {comment}" if comment else line


def _value(key: str, value: object) -> str:
    """One value; JSON's texts are TOML's, but for the character DEL, which no text of ours has."""
    if isinstance(value, date) or (key in _DAY_KEYS and _DAY.fullmatch(str(value))):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_value(name, item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        items = [_value("", item) for item in value]
        line = f"[{', '.join(items)}]"
        return line if len(line) <= _LINE_MAX else "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    return json.dumps(value, ensure_ascii=False)

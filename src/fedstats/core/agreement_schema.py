"""The JSON Schema (2020-12) of a signed agreement, made from the types and limits that the reader uses.

It describes the canonical JSON, in which every key is written out. What depends on several values (holders
are departments, bounds are in order, dates follow each other) is checked by the reader alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum

from fedstats.core.aggregate import KINDS
from fedstats.core.agreement import DEPARTMENTS_MAX, LIST_AGE_DAYS_MAX, PACE_DAYS_MAX, ListKind
from fedstats.core.agreement_terms import TERMS
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import CELLS_OF_ONE_KEY_MAX, TEXT_CHARACTERS_MAX
from fedstats.core.names import (
    AGREEMENT,
    DEPARTMENT,
    IDENTIFIER,
    LABEL_CHARACTERS_MAX,
    PERSON_NAME,
    SCHEDULED,
    UNREADABLE,
)
from fedstats.core.names import TEXT_CHARACTERS_MAX as PROSE_CHARACTERS_MAX
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.schema import COLUMNS_MAX, PEOPLE_MAX, ROWS_OF_ONE_PERSON_MAX
from fedstats.core.statistic import Mode

Schema = Mapping[str, object]

END = r"$(?!\n)"  # in some dialects of regular expressions, $ also matches before a last line break


def agreement_schema() -> Schema:
    """The schema of a whole agreement."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:fedstats:agreement",
        "title": "fedstats agreement",
        "description": "What the controllers sign, as canonical JSON (RFC 8785): every key is written out.",
        **_object(
            "",
            {
                "id": _matching(AGREEMENT),
                "version": _whole(1, 2**31 - 1),
                "title": _LABEL,
                "public": _public(),
                "purposes": _list(_purpose()),
                "controllers": _list(_controller()),
                "starts_on": _DATE,
                "ends_on": _DATE,
                "review_on": _DATE,
                "datasets": _list(_dataset()),
                "privacy": _privacy(),
                "analysts": _list(_text(rf"(\*|{PERSON_NAME.pattern})@{DEPARTMENT.pattern}")),
                "aggregates": _list({"enum": list(KINDS)}),
                "modes": _list(_choice(Mode)),
                "nodes_min": _whole(1, DEPARTMENTS_MAX),
                "partial": _TRUTH,
                "opt_out": _opt_out(),
                "disclosure": _object("disclosure", {"profile": _choice(DisclosureProfile)}),
            },
        ),
    }


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}{END}"}


def _matching(pattern: re.Pattern[str]) -> Schema:
    return _text(pattern.pattern)


def _portable(excluded: str) -> str:
    """A set of characters for the regular expressions of any language: what lies above U+FFFF literally.

    Halves of surrogate pairs are left out: no JSON text can hold them.
    """
    above = re.sub(r"\\U([0-9a-f]{8})", lambda found: chr(int(found[1], 16)), excluded)
    return re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", above.replace(r"\ud800-\udfff", ""))


_UNREADABLE = _portable(UNREADABLE)
_LABEL: Schema = _text(rf"[^{_UNREADABLE}]{{1,{LABEL_CHARACTERS_MAX}}}")
_PROSE: Schema = {
    **_text(rf"([^{_UNREADABLE}]|\n)*"),
    "maxLength": PROSE_CHARACTERS_MAX,
}
_DATE: Schema = {**_text("[0-9]{4}-[0-9]{2}-[0-9]{2}"), "format": "date"}
_DECIMAL: Schema = _text(r"(0|-?(0\.[0-9]{0,23}[1-9]|[1-9][0-9]{0,23}(\.[0-9]{0,23}[1-9])?))")
_TRUTH: Schema = {"type": "boolean"}
_NOTHING: Schema = {"const": ""}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _choice(kinds: type[Enum]) -> Schema:
    return {"enum": [kind.value for kind in kinds]}


def _list(items: Schema, *, least: int = 1, most: int | None = None, distinct: bool = False) -> Schema:
    limits = {"minItems": least, "maxItems": most, "uniqueItems": distinct or None}
    return {"type": "array", "items": items, **{key: value for key, value in limits.items() if value}}


def _object(path: str, properties: Mapping[str, Schema]) -> Schema:
    """Every key is there and no other; each is described by its name in `TERMS`."""
    described = {key: {**schema, **_described(path, key)} for key, schema in properties.items()}
    return {
        "type": "object",
        "properties": described,
        "required": list(properties),
        "additionalProperties": False,
    }


def _described(path: str, key: str) -> Schema:
    term = TERMS.get(f"{path}.{key}" if path else key)
    return {} if term is None or "{}" in term.name else {"description": f"{term.name}."}


def _prose(keys: Iterable[str]) -> dict[str, Schema]:
    return dict.fromkeys(keys, _PROSE)


def _public() -> Schema:
    from_people = ("summary", "public_benefit", "legal_gateway", "contact")
    more = ("retention", "sub_licensing", "commercial_use", "impact_assessment", "transparency_record")
    lists: dict[str, Schema] = dict.fromkeys(("processors", "recipients"), _list(_PROSE, least=0))
    return _object("public", {**_prose((*from_people, *more, "method", "areas")), **lists})


def _purpose() -> Schema:
    return _object(
        "purposes", {"code": _matching(AGREEMENT), "text": _PROSE, "prohibited": _list(_PROSE, least=0)}
    )


def _controller() -> Schema:
    return _object(
        "controllers",
        {
            "department": _matching(DEPARTMENT),
            "organisation": _LABEL,
            "key": _text("[0-9a-f]{64}"),
            **_prose(("contact", "role", "senior_owner", "data_protection_officer")),
        },
    )


def _privacy() -> Schema:
    return _object(
        "privacy",
        {
            "epsilon": _DECIMAL,
            "delta": _DECIMAL,
            "epsilon_per_query": _DECIMAL,
            "max_departments": _whole(1, DEPARTMENTS_MAX),
            "mechanisms": _list(_choice(Mechanism), distinct=True),
            "pace_epsilon": {"anyOf": [_DECIMAL, _NOTHING]},
            "pace_days": _whole(0, PACE_DAYS_MAX),
        },
    )


def _opt_out() -> Schema:
    return _object(
        "opt_out",
        {
            "applies": _TRUTH,
            "reason": _PROSE,
            "list_age_days_max": _whole(1, LIST_AGE_DAYS_MAX),
            "list": _choice(ListKind),
        },
    )


def _dataset() -> Schema:
    unit = {
        "kind": _choice(UnitKind),
        "namespace": _matching(IDENTIFIER),
        "column": {"anyOf": [_matching(IDENTIFIER), _NOTHING]},
    }
    return _object(
        "datasets",
        {
            "name": _matching(IDENTIFIER),
            "unit": _object("datasets.unit", unit),
            "rows_max": _whole(1, ROWS_OF_ONE_PERSON_MAX),
            "people_max": _whole(1, PEOPLE_MAX),
            "people_about": _whole(1, PEOPLE_MAX),
            "columns": _list({"oneOf": _columns()}, most=COLUMNS_MAX),
            "editions": _list(_matching(SCHEDULED), least=0, distinct=True),
            "holders": _list(_matching(DEPARTMENT), distinct=True),
            "description": _PROSE,
            "population": _list({"oneOf": _conditions()}, least=0),
            "sources": _list(
                _object("datasets.sources", {"department": _matching(DEPARTMENT), "table": _LABEL}),
                least=0,
                distinct=True,
            ),
        },
    )


def _columns() -> list[Schema]:
    """A column of each type."""
    labels = _list(_LABEL, distinct=True)
    texts = {
        "characters_max": _whole(1, TEXT_CHARACTERS_MAX),
        "values_max": _whole(1, CELLS_OF_ONE_KEY_MAX),
    }
    kinds: Mapping[str, Mapping[str, Schema]] = {
        "number": {"lo": _DECIMAL, "hi": _DECIMAL, "step": _DECIMAL},
        "category": {"labels": labels},
        "date": {"lo": _DATE, "hi": _DATE},
        "boolean": {},
        "text": texts,
    }
    each: dict[str, Schema] = {
        "name": _matching(IDENTIFIER),
        **dict.fromkeys(("as_key", "as_measure", "missing"), _TRUTH),
        **_prose(("description", "classification", "justification")),
    }
    return [
        _object("datasets.columns", {**each, "type": {"const": kind}, **values})
        for kind, values in kinds.items()
    ]


def _conditions() -> list[Schema]:
    """A condition on a column of each type; free text has none."""
    kinds: Iterable[Mapping[str, Schema]] = (
        {"lo": _DECIMAL, "hi": _DECIMAL},
        {"lo": _DATE, "hi": _DATE},
        {"labels": _list(_LABEL, distinct=True)},
        {"truth": _TRUTH},
    )
    return [_object("datasets.population", {"column": _matching(IDENTIFIER), **values}) for values in kinds]

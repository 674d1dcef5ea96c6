"""The published schema of a signed agreement, and the reader: they agree on what both can judge."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from full_agreement import DOCUMENT, full_agreement, paths, value_at, variants
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from samples import sample_agreement

from fedstats.core.agreement_document import agreement_from_json, canonical_json, document_of
from fedstats.core.agreement_schema import agreement_schema
from fedstats.core.names import UNREADABLE
from fedstats.errors import AgreementInvalid

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "agreement.schema.json"
SCHEMA = Draft202012Validator(json.loads(PUBLISHED.read_text()))
PLACES = list(paths(DOCUMENT))
TEXTS = [path for path in PLACES if isinstance(value_at(DOCUMENT, path), str)]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    st.sampled_from(
        ["", "0", "-0", "1.0", "01", "1e3", "person", "deny", "2026-04-01", "a" * 81, "a" * 4001]
    ),
)


def is_read(document: Any) -> bool:
    """Whether the reader takes it for a signed agreement."""
    try:
        agreement_from_json(canonical_json(document))
    except AgreementInvalid:
        return False
    return True


def test_the_published_schema_is_a_schema_and_fresh() -> None:
    """It is valid itself, under the draft that it names, and is what the code makes now."""
    Draft202012Validator.check_schema(SCHEMA.schema)
    assert SCHEMA.schema == json.loads(json.dumps(agreement_schema()))


def test_every_agreement_fits_the_schema() -> None:
    """Whatever the reader accepts, in every field, is admitted: the schema never forbids what is allowed."""
    SCHEMA.validate(document_of(sample_agreement()))
    for agreement in (full_agreement(), *dict(variants()).values()):
        SCHEMA.validate(json.loads(canonical_json(document_of(agreement))))


def test_what_is_missing_or_unknown_is_refused_by_both() -> None:
    """No key may be left out, and none be added, at any place: the schema sees that as the reader does."""
    for path in [(), *(path for path in PLACES if isinstance(value_at(DOCUMENT, path), dict))]:
        added = copy.deepcopy(DOCUMENT)
        value_at(added, path)["unknown"] = 1
        assert not is_read(added), path
        assert not SCHEMA.is_valid(added), path
        for key in value_at(DOCUMENT, path):
            left_out = copy.deepcopy(DOCUMENT)
            del value_at(left_out, path)[key]
            assert not is_read(left_out), (path, key)
            assert not SCHEMA.is_valid(left_out), (path, key)


@settings(max_examples=100, deadline=None)
@given(path=st.sampled_from(PLACES), junk=JUNK)
def test_what_the_schema_refuses_is_no_agreement(path: tuple[Any, ...], junk: Any) -> None:
    """Put anything anywhere: where the schema says no, the reader says no, and of another type both do."""
    document = copy.deepcopy(DOCUMENT)
    before = value_at(document, path)
    value_at(document, path[:-1])[path[-1]] = junk
    if is_read(document):
        assert SCHEMA.is_valid(document)
    if type(junk) is not type(before):
        assert not is_read(document)
        assert not SCHEMA.is_valid(document)


@settings(max_examples=100, deadline=None)
@given(
    path=st.sampled_from(TEXTS),
    character=st.from_regex(rf"[{UNREADABLE}]", fullmatch=True).filter(lambda c: c != "\n" and c.isascii()),
)
def test_no_text_of_the_schema_admits_what_a_terminal_obeys(path: tuple[Any, ...], character: str) -> None:
    """Control characters are refused in every text by the schema too, also at the very end."""
    document = copy.deepcopy(DOCUMENT)
    value_at(document, path[:-1])[path[-1]] += character
    assert not SCHEMA.is_valid(document)


@pytest.mark.parametrize("text", ["RTT-2026\n", "\u202eRTT", "RTT\U000e0041", "9RTT", ""])
def test_a_name_is_whole(text: str) -> None:
    """A line break behind a name, or a character that hides or reorders, is none of the name."""
    for path in (("id",), ("title",), ("purposes", 0, "code")):
        document = copy.deepcopy(DOCUMENT)
        value_at(document, path[:-1])[path[-1]] = text
        if path != ("title",) or text in ("", "RTT-2026\n"):
            assert not SCHEMA.is_valid(document), path
        assert SCHEMA.is_valid(document) == is_read(document)

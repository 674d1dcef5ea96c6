"""The way from an agreement back to a file: exact, commented, and what the next version starts from."""

from __future__ import annotations

import tomllib

from full_agreement import full_agreement, variants
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import sample_agreement

from fedstats.client.agreement_file import template
from fedstats.client.agreement_toml import toml_of
from fedstats.core.agreement_document import agreement_of, document_of
from fedstats.core.names import UNREADABLE


def test_every_agreement_comes_back_from_its_file() -> None:
    """Whatever an agreement says, in every single field, is in the file that is written of it."""
    for agreement in (full_agreement(), sample_agreement(), *dict(variants()).values()):
        written = toml_of(document_of(agreement), template())
        assert agreement_of(tomllib.loads(written)) == agreement


@settings(max_examples=60, deadline=None)
@given(text=st.from_regex(rf"[^{UNREADABLE}]{{1,80}}(\n[^{UNREADABLE}]{{1,80}})?", fullmatch=True))
def test_any_prose_survives(text: str) -> None:
    """Quotation marks, backslashes, number signs and line breaks in a text neither end it nor get lost."""
    document = {**tomllib.loads(template()), "public": {"summary": text, "retention": text}}
    assert tomllib.loads(toml_of(document, template()))["public"] == document["public"]


def test_an_unfinished_document_keeps_the_template_for_the_rest() -> None:
    """The template written again is the template, with its comments and the keys that are commented out."""
    again = toml_of(tomllib.loads(template()), template())
    assert tomllib.loads(again) == tomllib.loads(template())
    ours = {line.split("  #")[0].rstrip() for line in template().splitlines()}
    assert ours <= {line.split("  #")[0].rstrip() for line in again.splitlines()}


def test_what_is_left_at_its_default_is_offered_in_a_comment() -> None:
    """Whoever writes the next version sees the terms that this one does not use."""
    written = toml_of(document_of(sample_agreement()), template(), head=["The next version."])
    assert written.startswith("# The next version.\n")
    for hint in (
        "# pace_days = ",
        "# retention = ",
        "# population = ",
        "# [[datasets.sources]]",
        "# role = ",
    ):
        assert hint in written

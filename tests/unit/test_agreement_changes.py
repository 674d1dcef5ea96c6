"""What a new version of an agreement changes: nothing is left out, and what widens is called so."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from full_agreement import DOCUMENT, full_agreement, paths, term_of, value_at, variants
from samples import seed_key

from fedstats.core.agreement_changes import CHARACTERS_SHOWN, Change, Effect, changes
from fedstats.core.agreement_document import agreement_of
from fedstats.core.agreement_terms import TERMS
from fedstats.core.domain import Categories, Truth
from fedstats.core.population import Condition

AGREEMENT = full_agreement()
OTHER_KEY = seed_key("another controller").public.raw.hex()
VARIANTS = list(variants())


def test_every_term_that_is_altered_is_told() -> None:
    """No field of an agreement can be altered without a sentence about that very field."""
    for term, altered in VARIANTS:
        told = {change.term for change in changes(AGREEMENT, altered)}
        assert any(term.startswith(name) or name.startswith(term) for name in told), (term, told)


def test_every_term_has_a_name_and_was_altered() -> None:
    """The table of names is complete and holds no more, and the test above altered nearly all of it."""
    leaves = {term_of(path) for path in paths(DOCUMENT) if not isinstance(value_at(DOCUMENT, path), dict)}
    assert leaves == TERMS.keys()
    together = {"datasets.unit.kind", "datasets.columns.type", "datasets.columns.step"}  # not altered alone
    assert leaves - {term for term, _ in VARIANTS} <= {*together, "aggregates"}  # of which there is one kind


def test_what_widens_one_way_narrows_the_other_way() -> None:
    """Going back says the opposite, so a widening can never pass as a narrowing. A new key always widens."""
    opposite = {Effect.WIDENS: Effect.NARROWS, Effect.NARROWS: Effect.WIDENS, Effect.CHANGES: Effect.CHANGES}
    for term, altered in VARIANTS:
        if term == "controllers.key":
            continue
        there, back = changes(AGREEMENT, altered), changes(altered, AGREEMENT)
        assert sorted((c.term, opposite[c.effect].value) for c in there) == sorted(
            (c.term, c.effect.value) for c in back
        ), term


def altered(path: tuple[Any, ...], value: Any) -> Change:
    """The only change when one value of the full agreement is another one."""
    document = copy.deepcopy(DOCUMENT)
    value_at(document, path[:-1])[path[-1]] = value
    (change,) = changes(AGREEMENT, agreement_of(document))
    return change


@pytest.mark.parametrize(
    "path, value, effect, says",
    [
        (("privacy", "epsilon"), "16", Effect.WIDENS, "rises from 8 to 16. So all answers together"),
        (("privacy", "max_departments"), 1, Effect.WIDENS, "falls from 2 to 1. So people who are in more"),
        (("privacy", "mechanisms"), ["gaussian"], Effect.NARROWS, "is taken away: laplace"),
        (("nodes_min",), 1, Effect.WIDENS, "falls from 2 to 1"),
        (("ends_on",), "2028-03-31", Effect.WIDENS, "from 2027-03-31 to 2028-03-31"),
        (("starts_on",), "2026-05-01", Effect.NARROWS, "from 2026-04-01 to 2026-05-01"),
        (("purposes", 0, "prohibited"), [], Effect.WIDENS, 'away: "No insurance." So that use'),
        (("public", "recipients"), ["Analysts of the trusts", "The press"], Effect.WIDENS, "The press"),
        (("opt_out", "applies"), False, Effect.WIDENS, "from yes to no. So their data is counted"),
        (("opt_out", "list"), "deny", Effect.WIDENS, "from allow to deny"),
        (("disclosure", "profile"), "none", Effect.WIDENS, "from acro to none"),
        (("datasets", 0, "columns", 0, "lo"), "-5", Effect.WIDENS, "of age of rtt falls from 0 to -5"),
        (("datasets", 0, "columns", 5, "as_key"), True, Effect.WIDENS, "postcode_area of rtt"),
        (("datasets", 0, "columns", 1, "step"), "0.125", Effect.WIDENS, "falls from 0.25 to 0.125"),
        (("datasets", 0, "population", 1, "lo"), "2025-01-15", Effect.WIDENS, "of started of rtt"),
        (("datasets", 0, "population"), [], Effect.WIDENS, "is taken away: age"),
        (("controllers", 1, "key"), OTHER_KEY, Effect.WIDENS, "speaks for south is another one"),
        (("public", "legal_gateway"), "Another Act.", Effect.CHANGES, 'to "Another Act."'),
    ],
)
def test_a_change_is_called_what_it_does(
    path: tuple[Any, ...], value: Any, effect: Effect, says: str
) -> None:
    """Changes that matter to whoever signs have the right label, and say from what to what."""
    document = copy.deepcopy(DOCUMENT)
    value_at(document, path[:-1])[path[-1]] = value
    first = changes(AGREEMENT, agreement_of(document))[0]
    assert first.effect is effect
    assert says in first.sentence


def test_what_widens_comes_first_and_the_end_of_a_pace_is_one_change() -> None:
    """The order is the one in which a signer has to read."""
    newer = replace(
        AGREEMENT,
        version=2,
        title="Waits",
        nodes_min=3,
        privacy=replace(AGREEMENT.privacy, pace=None, epsilon=Fraction(9)),
    )
    found = changes(AGREEMENT, newer)
    assert [c.term for c in found] == [
        "privacy.epsilon",
        "privacy.pace_epsilon",
        "title",
        "version",
        "nodes_min",
    ]
    assert found[1].sentence.startswith("A pace ends: at most epsilon 3 in any 90 days. Without it")
    assert changes(newer, newer) == ()


def test_a_retyped_column_and_condition_are_told_once() -> None:
    """A column that becomes another type is one change, and so is the condition on it."""
    dataset = AGREEMENT.datasets[0]
    columns = tuple(
        replace(column, domain=Categories(("yes", "no"))) if column.name == "urgent" else column
        for column in dataset.columns
    )
    population = (*dataset.population[:3], Condition("urgent", Categories(("yes",))))
    newer = replace(
        AGREEMENT,
        datasets=(replace(dataset, columns=columns, population=population), AGREEMENT.datasets[1]),
    )
    assert isinstance(dataset.column("urgent").domain, Truth)
    told = {change.term: change.sentence for change in changes(AGREEMENT, newer)}
    assert set(told) == {"datasets.columns.type", "datasets.columns.missing", "datasets.population"}
    assert "from boolean to category" in told["datasets.columns.type"]


def test_a_long_text_is_shown_where_it_differs() -> None:
    """A word that changes at the end of a long text is seen, and no line is broken by what is quoted."""
    long = "word\n" * (2 * CHARACTERS_SHOWN)
    old, new = (replace(AGREEMENT.public, summary=f"{long}{end}") for end in ("allowed", "forbidden"))
    (change,) = changes(replace(AGREEMENT, public=old), replace(AGREEMENT, public=new))
    assert "allowed" in change.sentence
    assert "forbidden" in change.sentence
    assert "\n" not in change.sentence

"""What `agreement check` finds beyond validity: each rule, broken once, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from full_agreement import full_agreement
from samples import TODAY

from fedstats.client.agreement_gaps import gaps
from fedstats.core.agreement import Agreement, OptOutTerms, Pace
from fedstats.core.checks import Health
from fedstats.core.domain import Categories, Numbers
from fedstats.core.population import Condition
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import Unit


def sound() -> Agreement:
    """An agreement about which there is nothing to say."""
    whole = full_agreement()
    people = whole.datasets[0]
    columns = tuple(
        replace(column, as_key=True, classification="personal data", justification="Waits differ by it.")
        for column in people.columns
    )
    return replace(
        whole,
        public=replace(whole.public, legal_gateway="Health Act, section 1, for waiting and for planning."),
        privacy=replace(whole.privacy, max_departments=3),
        datasets=(replace(people, columns=columns, population=()),),
    )


def public(**changes: Any) -> Callable[[Agreement], Agreement]:
    """Change what the public is told."""
    return lambda a: replace(a, public=replace(a.public, **changes))


def privacy(**changes: Any) -> Callable[[Agreement], Agreement]:
    """Change the budget."""
    return lambda a: replace(a, privacy=replace(a.privacy, **changes))


def data(**changes: Any) -> Callable[[Agreement], Agreement]:
    """Change the dataset."""
    return lambda a: replace(a, datasets=(replace(a.datasets[0], **changes),))


def column(**changes: Any) -> Callable[[Agreement], Agreement]:
    """Change the first column."""

    def changed(a: Agreement) -> Agreement:
        first, *others = a.datasets[0].columns
        return data(columns=(replace(first, **changes), *others))(a)

    return changed


def officer(**changes: Any) -> Callable[[Agreement], Agreement]:
    """Change who answers for the first department."""
    return lambda a: replace(a, controllers=(replace(a.controllers[0], **changes), *a.controllers[1:]))


def test_a_sound_agreement_passes_in_silence() -> None:
    """Nothing is said about an agreement that lacks nothing, so that what is said is read."""
    assert gaps(sound(), TODAY) == ()


@pytest.mark.parametrize(
    "broken, id_, says",
    [
        (public(legal_gateway="None."), "legal-gateway", "No law is named that allows waiting and planning"),
        (public(legal_gateway="n/a"), "legal-gateway", "No law is named"),
        (public(contact="TBC"), "unwritten", "It says 'TBC'"),
        (public(areas="to be confirmed by York"), "unwritten", "'to be confirmed'"),
        (column(justification="???"), "unwritten", "'??'"),
        (
            lambda a: replace(
                a,
                starts_on=date(2020, 1, 1),
                review_on=TODAY.replace(day=1, month=5),
                ends_on=TODAY.replace(day=1, month=5),
            ),
            "dates",
            "ended",
        ),
        (privacy(delta=Fraction(1, 100_000)), "delta", "with about 100,000 people"),
        (privacy(epsilon_per_query=Fraction(1, 10**6)), "budget", "nothing useful comes of it"),
        (data(people_max=30_000), "sizes", "cannot have so many"),
        (data(editions=()), "editions", "no edition in its schedule"),
        (
            column(classification="special category: health", justification=""),
            "justification",
            "why it is needed",
        ),
        (public(public_benefit=" "), "public", "public_benefit is empty"),
        (officer(data_protection_officer=""), "officers", "No data protection officer is named for north"),
    ],
)
def test_a_problem_is_one(broken: Callable[[Agreement], Agreement], id_: str, says: str) -> None:
    """What makes an agreement useless, weaker than it seems or unlawful to rely on must be mended."""
    found = [gap for gap in gaps(broken(sound()), TODAY) if gap.health is Health.PROBLEM]
    assert [gap.id for gap in found] == [id_]
    assert says in found[0].found
    assert found[0].fix.endswith(".")


@pytest.mark.parametrize(
    "broken, id_, says",
    [
        (public(legal_gateway="Health Act, for waiting."), "legal-gateway", "covers planning"),
        (
            lambda a: replace(a, purposes=(replace(a.purposes[0], prohibited=()),)),
            "prohibited",
            "never be used",
        ),
        (lambda a: replace(a, review_on=date(2026, 5, 1)), "review", "was due on 2026-05-01"),
        (
            lambda a: replace(a, ends_on=date(2028, 3, 31), review_on=date(2028, 3, 31)),
            "review",
            "730 days after",
        ),
        (lambda a: replace(a, ends_on=date(2026, 6, 11), review_on=date(2026, 6, 11)), "dates", "in 10 days"),
        (lambda a: replace(a, ends_on=date(2036, 6, 11)), "dates", "runs for 10 years"),
        (privacy(epsilon=Fraction(20)), "budget", "promises nearly nothing"),
        (privacy(epsilon_per_query=Fraction(8), pace=None), "budget", "use the whole budget"),
        (privacy(pace=Pace(Fraction(1), 90)), "pace", "the pace allows 1 in 90 days"),
        (privacy(epsilon_per_query=Fraction(1, 100)), "budget", "groups are known less well"),
        (privacy(max_departments=4), "max-departments", "nobody gains"),
        (privacy(max_departments=2), "max-departments", "all 3, the whole budget is epsilon 10.2, not 8"),
        (lambda a: replace(a, nodes_min=1), "nodes-min", "one department alone"),
        (
            lambda a: replace(a, opt_out=OptOutTerms(applies=False, reason="By direction.")),
            "opt-outs",
            "are counted: By direction.",
        ),
        (
            lambda a: replace(a, opt_out=OptOutTerms(applies=True, list_age_days_max=90)),
            "opt-outs",
            "90 days",
        ),
        (public(retention=""), "public", "nothing about: retention"),
        (officer(senior_owner=""), "officers", "No senior owner or no contact"),
        (column(justification=""), "justification", "why they are needed: age"),
        (column(as_key=False, as_measure=False), "unused-column", "WHERE alone"),
        (column(domain=Categories(("one",))), "bounds", "one value only"),
        (column(domain=Numbers(Fraction(0), Fraction(10**9))), "bounds", "from 0 to 1000000000"),
        (data(population=(Condition("sex", Categories(("F", "M"))),)), "population", "admits every value"),
        (data(unit=Unit(UnitKind.ROW, "rows"), rows_max=1), "unit", "protects one record"),
        (
            lambda a: data(holders=("north",), sources=(), people_about=100_000)(
                privacy(max_departments=1)(a)
            ),
            "holders",
            "Only north holds it",
        ),
    ],
)
def test_advice_is_advice(broken: Callable[[Agreement], Agreement], id_: str, says: str) -> None:
    """What is allowed and worth a second look is told with what to do, and is no problem."""
    (gap,) = gaps(broken(sound()), TODAY)
    assert (gap.health, gap.id) == (Health.WARNING, id_)
    assert says in gap.found
    assert gap.fix.endswith(".")

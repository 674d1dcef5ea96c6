"""An agreement in which every field says something, so that a test can alter each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

from samples import sample_agreement, sample_dataset

from fedstats.core.agreement import Agreement, ListKind, OptOutTerms, Pace, PrivacyTerms, PublicTerms, Purpose
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, days_of
from fedstats.core.population import Condition
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Source, Unit
from fedstats.core.statistic import Mode


def full_agreement() -> Agreement:
    """Nothing is left at its default, each kind of condition is there, and so is a second dataset."""
    sample = sample_agreement()
    return replace(
        sample,
        public=_PUBLIC,
        purposes=(*sample.purposes, Purpose("planning", "To plan services.", ("No sale.", "No ranking."))),
        controllers=tuple(
            replace(
                controller,
                contact=f"ig@{controller.department}.example",
                role="controller",
                senior_owner="The medical director",
                data_protection_officer=f"dpo@{controller.department}.example",
            )
            for controller in sample.controllers
        ),
        datasets=(_people(), _RECORDS),
        privacy=PrivacyTerms(
            Fraction(8),
            Fraction(1, 10**6),
            Fraction(2),
            2,
            (Mechanism.GAUSSIAN, Mechanism.LAPLACE),
            Pace(Fraction(3), 90),
        ),
        modes=(Mode.LOCAL, Mode.SECURE),
        opt_out=OptOutTerms(applies=True, reason="None.", list_age_days_max=20, list_kind=ListKind.ALLOW),
        disclosure=DisclosureProfile.ACRO,
    )


_PUBLIC = PublicTerms(
    summary="Trusts answer questions\nabout waits.",
    public_benefit="Shorter waits.",
    legal_gateway="Health Act, section 1.",
    contact="ig@north.example",
    processors=("A hosting company", "A second one"),
    recipients=("Analysts of the trusts",),
    retention="Five years.",
    sub_licensing="None.",
    commercial_use="None.",
    impact_assessment="DPIA 14",
    transparency_record="ATRS 3",
    method="Totals with noise leave; records stay.",
    areas="The north, the south and the west.",
)
_RECORDS = Dataset(
    name="records",
    unit=Unit(UnitKind.ROW, "records"),
    rows_max=1,
    people_max=1_000,
    people_about=900,
    columns=(ColumnDefinition("sex", Categories(("F", "M")), as_measure=False),),
    editions=("2025-09",),
    holders=("north",),
)


def _people() -> Dataset:
    sample = sample_dataset()
    columns = tuple(
        replace(
            column, description=f"The {column.name}.", classification="personal data", justification="Why."
        )
        for column in sample.columns
    )
    practice: Domain = Texts(characters_max=10, values_max=200, nullable=True)
    lo, hi = days_of(date(2025, 2, 1)), days_of(date(2025, 11, 30))
    return replace(
        sample,
        columns=(*columns, ColumnDefinition("practice", practice, "Who refers.", as_measure=False)),
        population=(
            Condition("age", Numbers(Fraction(18), Fraction(110))),
            Condition("started", Dates(lo, hi)),
            Condition("sex", Categories(("F", "M"))),
            Condition("urgent", allowed=True),
        ),
        sources=(Source("north", "warehouse, table waits"), Source("south", "waits.csv")),
    )


DOCUMENT: Any = json.loads(canonical_json(document_of(full_agreement())))
"""What is signed of it, as JSON reads it."""


def paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document that holds a value."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*path, key))


def value_at(document: Any, path: tuple[Any, ...]) -> Any:
    """What is at a place in a document."""
    return value_at(document[path[0]], path[1:]) if path else document

"""An agreement in which every field says something, so that a test can alter each of them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from samples import sample_agreement, sample_dataset, seed_key

from fedstats.core.agreement import Agreement, ListKind, OptOutTerms, Pace, PrivacyTerms, PublicTerms, Purpose
from fedstats.core.agreement_document import agreement_of, canonical_json, decimal_text, document_of
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, days_of
from fedstats.core.population import Condition
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Source, Unit
from fedstats.core.statistic import Mode
from fedstats.errors import AgreementInvalid


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


NAMES = ("code", "department", "name", "column")
VARIANTS_OF_ONE = 2  # ways of altering one value
OTHER_KEY = seed_key("another controller").public.raw.hex()


def term_of(path: tuple[Any, ...]) -> str:
    """The path of a term, without places in lists; an entry's name stands for the entry."""
    keys = [key for key in path if isinstance(key, str)]
    listed = len(path) > 2 and isinstance(path[-2], int)
    if listed and (keys[-1] in NAMES or keys[-2:-1] == ["sources"]):
        keys = keys[:-1]
    return ".".join(keys)


def others(value: Any) -> Iterator[Any]:
    """Other values that may stand in the same place."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, list):
        yield from (value[1:], value[:-1], value[::-1])
    elif re.fullmatch(r"-?[0-9.]+", value):
        yield from (decimal_text(Fraction(value) * factor) for factor in (2, Fraction(1, 2)))
        yield decimal_text(Fraction(value) + 1)
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        yield from ((date.fromisoformat(value) + timedelta(days=n)).isoformat() for n in (1, -1))
    elif isinstance(value, str):
        yield from (
            "deny",
            "none",
            "gaussian",
            "local",
            "number",
            f"{value}1",
            OTHER_KEY,
            "row",
            "Other words.",
        )


def variants() -> Iterator[tuple[str, Agreement]]:
    """Every agreement that differs from the full one in one place, with the path of the term."""
    whole = full_agreement()
    for path in paths(DOCUMENT):
        value = value_at(DOCUMENT, path)
        found = 0
        for other in () if isinstance(value, dict) else others(value):
            if found == VARIANTS_OF_ONE:
                break
            document = copy.deepcopy(DOCUMENT)
            value_at(document, path[:-1])[path[-1]] = other
            try:
                agreement = agreement_of(document)
            except AgreementInvalid:
                continue
            if agreement != whole:
                found += 1
                yield term_of(path), agreement

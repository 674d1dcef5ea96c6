"""A small agreement, a query and its first round, for tests of what is signed and what is allowed."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from suite_log import plant

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.agreement import (
    Agreement,
    Controller,
    OptOutTerms,
    PrivacyTerms,
    PublicTerms,
    Purpose,
)
from fedstats.core.domain import Categories, Dates, Numbers, Truth, days_of
from fedstats.core.expression import Call, CategoryLiteral, Column, Expression, NumberLiteral, Op
from fedstats.core.grid import Grid
from fedstats.core.privacy import Mechanism, MechanismLoss, UnitKind
from fedstats.core.query import Query, RoundOrder, Scope, StatisticLabel
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Mode, Round
from fedstats.identity.keys import SigningKey

DEPARTMENTS = ("north", "south", "west")
TODAY = date(2026, 6, 1)
NOW_S = 1_780_300_800  # 2026-06-01


def seed_key(name: str) -> SigningKey:
    """The same key for the same name in every test."""
    seed = name.encode().ljust(32, b".")[:32]
    plant(seed.hex())
    return SigningKey.from_seed(seed)


def sample_dataset() -> Dataset:
    """Waiting times with a column of every type, one of them only for filters."""
    first, last = days_of(date(2025, 1, 1)), days_of(date(2025, 12, 31))
    return Dataset(
        name="rtt",
        unit=Unit(UnitKind.PERSON, "nhs_number", "nhs_number"),
        rows_max=3,
        people_max=1_000_000,
        people_about=100_000,
        columns=(
            ColumnDefinition("age", Numbers(Fraction(0), Fraction(120))),
            ColumnDefinition("cost", Numbers(Fraction(0), Fraction(500), Fraction(1, 4), nullable=True)),
            ColumnDefinition("sex", Categories(("F", "M")), "as recorded"),
            ColumnDefinition("started", Dates(first, last)),
            ColumnDefinition("urgent", Truth(nullable=True)),
            ColumnDefinition("postcode_area", Categories(("LS", "M")), as_key=False, as_measure=False),
        ),
        editions=("2025-09", "2025-10"),
        holders=DEPARTMENTS,
        description="Referral to treatment pathways.",
    )


def sample_agreement(**changes: object) -> Agreement:
    """An agreement of three departments; `changes` replace its fields."""
    fields: dict[str, object] = {
        "id": "RTT-2026",
        "version": 1,
        "title": "Waiting times",
        "public": PublicTerms("What we do.", "Shorter waits.", "Health Act, section 1.", "ig@north.example"),
        "purposes": (Purpose("waiting", "To see who waits how long.", ("No insurance.",)),),
        "controllers": tuple(
            Controller(
                name,
                f"{name.title()} Trust",
                seed_key(f"controller {name}").public.raw,
                data_protection_officer=f"dpo@{name}.example",
            )
            for name in DEPARTMENTS
        ),
        "starts_on": date(2026, 4, 1),
        "ends_on": date(2027, 3, 31),
        "review_on": date(2026, 10, 1),
        "datasets": (sample_dataset(),),
        "privacy": PrivacyTerms(Fraction(8), Fraction(1, 10**6), Fraction(2), 2),
        "analysts": ("a.smith@north", "*@south"),
        "aggregates": ("grouped_sums",),
        "modes": (Mode.LOCAL,),
        "nodes_min": 2,
        "partial": True,
        "opt_out": OptOutTerms(applies=True),
    }
    return Agreement(**{**fields, **changes})  # type: ignore[arg-type]  # a table of fields


def sample_round(keys: tuple[Expression, ...] = (Column("sex"),)) -> Round:
    """Rows and a sum of ages by `keys`, in normal form."""
    half = Fraction(1, 2)
    measures = (
        Measure(MeasureKind.ROWS, None, None, half),
        Measure(MeasureKind.SUM, Column("age"), Grid(Fraction(60), Fraction(1), 60), half),
    )
    return Round((GroupedSums(keys, measures),)).normalised()


def sample_query(**changes: object) -> Query:
    """A query under the sample agreement; `changes` replace its fields."""
    where = Call(
        Op.AND,
        (
            Call(Op.EQUAL, (Column("sex"), CategoryLiteral("F"))),
            Call(Op.LESS, (Column("age"), NumberLiteral(Fraction(65)))),
        ),
    )
    fields: dict[str, object] = {
        "agreement": "RTT-2026",
        "agreement_version": 1,
        "purpose": "waiting",
        "dataset": "rtt",
        "edition": "2025-09",
        "where": where,
        "scope": Scope.of(sample_round().aggregates, where),
        "loss": MechanismLoss(Mechanism.GAUSSIAN, Fraction(2**30, 2**40)),
        "contribution": sample_dataset().contribution(departments_max=2),
        "mode": Mode.LOCAL,
        "rounds_max": 2,
        "deadline_s": NOW_S + 3_600,
        "statistic": StatisticLabel("table", "1", "SELECT sex, AVG(age) FROM rtt GROUP BY sex"),
        "nonce": bytes(range(16)),
    }
    return Query(**{**fields, **changes})  # type: ignore[arg-type]  # a table of fields


def sample_order(query_hash: bytes, **changes: object) -> RoundOrder:
    """The first round of the sample query; `changes` replace its fields."""
    fields: dict[str, object] = {
        "query": query_hash,
        "number": 0,
        "round": sample_round(),
        "participants": DEPARTMENTS,
        "totals_before": b"",
    }
    return RoundOrder(**{**fields, **changes})  # type: ignore[arg-type]  # a table of fields


def round_order(number: int, share: Fraction, participants: tuple[str, ...] = DEPARTMENTS) -> RoundOrder:
    """A round of some query with this number and share."""
    before = bytes(32) if number else b""
    return RoundOrder(bytes(32), number, Round(sample_round().aggregates, share), participants, before)

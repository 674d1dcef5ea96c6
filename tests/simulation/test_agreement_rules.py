"""Every rule of an agreement, broken alone: the node says no from its own copy, and nothing is charged.

The questions are signed by an analyst with a true appointment whose client checks nothing, and shown to a
running node by a coordinator that checks nothing either. The same question without the breach is answered.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from rule_world import BASE, DAY_S, EXEMPT, Asking, World
from samples import DEPARTMENTS, NOW_S, TODAY
from waiting import HEADER, Rows, federation, opt_out_file, some_rows, write_opt_outs

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.agreement import Agreement, ListKind, OptOutTerms, Pace, PublicTerms, Purpose
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, Truth, days_of
from fedstats.core.expression import Call, CategoryLiteral, Column, Op
from fedstats.core.grid import Grid
from fedstats.core.population import Condition
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss, UnitKind
from fedstats.core.query import Scope
from fedstats.core.schema import Dataset, Unit
from fedstats.core.statistic import Mode, Round
from fedstats.errors import AgreementInvalid, EditionMissing, OptOutListProblem

RTT = BASE.datasets[0]
HALF = Fraction(1, 2)
ONCE = Fraction(1, 4)
"""An epsilon that the usual question fits into once."""
USUAL_RHO = Fraction(1, 2**10)
DELTA_ABOVE = Fraction(1, 2**20)
"""More additive delta than the agreement has: a multiple of 2^-60 above half of 10^-6."""


def variant(id_: str, **changes: Any) -> Agreement:
    """The agreement with other terms, under a name of its own."""
    return replace(BASE, id=id_, **changes)


VARIANTS = (
    BASE,
    variant("OVER", review_on=BASE.starts_on, ends_on=TODAY - timedelta(days=1)),
    variant("EARLY", starts_on=TODAY + timedelta(days=1)),
    variant("UNSIGNED"),
    variant("ACRO", disclosure=DisclosureProfile.ACRO),
    variant("SECURE", modes=(Mode.SECURE,)),
    variant("WHOLE", partial=False),
    variant("SMALL", privacy=replace(BASE.privacy, epsilon=ONCE, epsilon_per_query=ONCE)),
    variant("PACE", privacy=replace(BASE.privacy, pace=Pace(ONCE, 30))),
    variant("HUGE", datasets=(replace(RTT, rows_max=10_000, people_max=2**40),)),
    variant("CRN", datasets=(replace(RTT, unit=Unit(UnitKind.PERSON, "crn", "crn")),)),
)
ANSWERED = ("RTT-2026", "WHOLE", "SMALL", "PACE")
"""The agreements under which the usual question is answered; under the others a term forbids that."""


@dataclass(frozen=True)
class Breach:
    """One term of an agreement, and a question that breaks it alone."""

    term: str
    code: str
    says: str
    agreement: str = BASE.id
    query: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    analyst: str = "a.smith@north"
    appointed_by: str = ""


def grouped(*keys: str, threshold: bool = False) -> Round:
    """Rows by these columns, in normal form."""
    measure = Measure(MeasureKind.ROWS, None, None, HALF if threshold else Fraction(1))
    columns = tuple(map(Column, keys))
    return Round((GroupedSums(columns, (measure,), HALF if threshold else None),)).normalised()


def summed(name: str) -> Round:
    """How many rows have a value in a column, in normal form."""
    return Round((GroupedSums((), (Measure(MeasureKind.ROWS, Column(name)),)),)).normalised()


def ages(grid: Grid) -> Round:
    """A sum of ages on this grid, in normal form."""
    return Round((GroupedSums((), (Measure(MeasureKind.SUM, Column("age"), grid),)),)).normalised()


def where(column: str, label: str) -> Call:
    """A condition."""
    return Call(Op.EQUAL, (Column(column), CategoryLiteral(label)))


def gaussian(rho: Fraction, delta: Fraction = Fraction(0)) -> MechanismLoss:
    """A loss of zCDP."""
    return MechanismLoss(Mechanism.GAUSSIAN, rho, delta)


BREACHES = (
    Breach("Agreement.id", "FS-202", "is not in force here", query={"agreement": "OTHER"}),
    Breach("Agreement.version", "FS-202", "is not in force here", query={"agreement_version": 2}),
    Breach("Agreement.starts_on", "FS-202", "runs from 2026-06-02", "EARLY"),
    Breach("Agreement.ends_on", "FS-202", "to 2026-05-31; today is 2026-06-01", "OVER"),
    Breach("Agreement.disclosure", "FS-203", "disclosure control is none; agreement ACRO has acro", "ACRO"),
    Breach("Agreement.modes", "FS-203", "Mode local is not allowed", "SECURE"),
    Breach("Agreement.aggregates", "FS-203", "does not allow vector_sums",
           query={"scope": Scope((), (), ("grouped_sums", "vector_sums"))}),
    Breach("Agreement.analysts", "FS-201", "not on the list of analysts", analyst="mallory@north"),
    Breach("Agreement.nodes_min", "FS-203", "at least 2 departments", order={"participants": ("north",)}),
    Breach("Agreement.partial", "FS-203", "at least 3 departments", "WHOLE",
           order={"participants": ("north", "south")}),
    Breach("Agreement.disclosure", "FS-203", "disclosure control is acro; agreement RTT-2026 has none",
           query={"disclosure": DisclosureProfile.ACRO}),
    Breach("Purpose.code", "FS-203", "Purpose marketing", query={"purpose": "marketing"}),
    Breach("Controller.department", "FS-201", "east's controller in RTT-2026", analyst="a.smith@east"),
    Breach("Controller.key", "FS-201", "north's controller in RTT-2026", appointed_by="south"),
    Breach("Controller.key", "FS-202", "not signed by west", "UNSIGNED"),
    Breach("Dataset.name", "FS-203", "has no dataset payroll", query={"dataset": "payroll"}),
    Breach("Dataset.editions", "FS-203", "not in the agreement's schedule", query={"edition": "2031-01"}),
    Breach("Dataset.holders", "FS-203", "does not hold rtt",
           order={"participants": ("east", "north", "south")}),
    Breach("Dataset.rows_max", "FS-203", "one person's contribution",
           query={"contribution": Contribution(2, 2, 2)}),
    Breach("Dataset.people_max", "FS-203", "for the declared people_max", "HUGE",
           order={"round": ages(Grid(Fraction(60), Fraction(1, 40), 2_400))}),
    Breach("Unit.namespace", "FS-216", "no lifetime cap for persons of crn", "CRN"),
    Breach("Unit.column", "FS-203", "columns that rtt does not have", order={"round": grouped("nhs_number")}),
    Breach("ColumnDefinition.name", "FS-203", "columns that rtt does not have",
           order={"round": grouped("income")}),
    Breach("ColumnDefinition.as_key", "FS-203", "postcode_area of rtt may not be used in GROUP BY",
           order={"round": grouped("postcode_area")}),
    Breach("ColumnDefinition.as_measure", "FS-203", "postcode_area of rtt may not be counted",
           order={"round": summed("postcode_area")}),
    Breach("Categories.labels", "FS-203", "not one of the declared categories",
           query={"where": where("sex", "probe")}),
    Breach("PrivacyTerms.epsilon", "FS-214", "of the budget of agreement SMALL", "SMALL",
           order={"round": grouped("urgent")}),
    Breach("PrivacyTerms.epsilon_per_query", "FS-203", "an epsilon of at most 2",
           query={"loss": gaussian(Fraction(1, 2))}),
    Breach("PrivacyTerms.delta", "FS-203", "a larger additive delta",
           query={"loss": gaussian(USUAL_RHO, DELTA_ABOVE)},
           order={"round": grouped("practice", threshold=True)}),
    Breach("PrivacyTerms.max_departments", "FS-203", "one person's contribution",
           query={"contribution": Contribution(3, 3, 1)}),
    Breach("PrivacyTerms.mechanisms", "FS-203", "mechanism laplace is not allowed",
           query={"loss": MechanismLoss(Mechanism.LAPLACE, USUAL_RHO)}),
    Breach("Pace.epsilon", "FS-218", "allows in any 30 days", "PACE", order={"round": grouped("urgent")}),
)  # fmt: skip

FIRST, LAST = days_of(date(2025, 1, 1)), days_of(date(2025, 12, 31))


def with_domain(column: str, domain: Domain) -> Dataset:
    """The dataset with another domain of a column."""
    columns = tuple(replace(c, domain=domain) if c.name == column else c for c in RTT.columns)
    return replace(RTT, columns=columns)


REDEFINED: Mapping[str, Dataset] = {
    "Dataset.rows_max": replace(RTT, rows_max=4),
    "Unit.kind": replace(RTT, unit=Unit(UnitKind.ROW, "nhs_number"), rows_max=1),
    "ColumnDefinition.name": replace(
        RTT, columns=(*RTT.columns[:-1], replace(RTT.columns[-1], name="surgery"))
    ),
    "Numbers.lo": with_domain("cost", Numbers(Fraction(1), Fraction(500), Fraction(1, 4), nullable=True)),
    "Numbers.hi": with_domain("cost", Numbers(Fraction(0), Fraction(600), Fraction(1, 4), nullable=True)),
    "Numbers.step": with_domain("cost", Numbers(Fraction(0), Fraction(500), HALF, nullable=True)),
    "Numbers.nullable": with_domain("cost", Numbers(Fraction(0), Fraction(500), Fraction(1, 4))),
    "Categories.labels": with_domain("sex", Categories(("F", "M", "X"))),
    "Categories.nullable": with_domain("sex", Categories(("F", "M"), nullable=True)),
    "Dates.lo": with_domain("started", Dates(FIRST + 1, LAST)),
    "Dates.hi": with_domain("started", Dates(FIRST, LAST + 1)),
    "Dates.nullable": with_domain("started", Dates(FIRST, LAST, nullable=True)),
    "Truth.nullable": with_domain("urgent", Truth()),
    "Texts.characters_max": with_domain("practice", Texts(21, 50, nullable=True)),
    "Texts.values_max": with_domain("practice", Texts(20, 51, nullable=True)),
    "Texts.nullable": with_domain("practice", Texts(20, 50)),
    "Condition.column": replace(RTT, population=(Condition("urgent", allowed=True),)),
    "Condition.allowed": replace(RTT, population=(Condition("urgent", allowed=False),)),
}
"""Terms that decide what is in an edition: one that was made under others answers nothing."""

OF_EDITIONS = ("OptOutTerms.applies", "OptOutTerms.list_kind", "OptOutTerms.list_age_days_max")
"""Terms of whom an edition leaves out: see the test of opt-outs below."""

OF_TIME = ("Pace.days",)
"""Terms that tests below break by letting time pass."""

INFORMS = {
    "Agreement.title", "Agreement.review_on", "Purpose.text", "Purpose.prohibited",
    "Controller.organisation", "Controller.contact", "Controller.role", "Controller.senior_owner",
    "Controller.data_protection_officer",
    "Dataset.description", "Dataset.people_about", "Source.department", "Source.table",
    "ColumnDefinition.description", "ColumnDefinition.classification", "ColumnDefinition.justification",
    "OptOutTerms.reason", "Dates.every",  # agreements write days: `every` is of expressions
    *(f"PublicTerms.{term.name}" for term in fields(PublicTerms)),
}  # fmt: skip
"""Terms that people read and no node can check: whatever is here is a promise of people to people."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The federation under all these agreements; north's edition of each is made."""

    def rows(department: str) -> Rows:
        return [(*row, "A81001") for row in some_rows(department, 8)]

    folder = tmp_path_factory.mktemp("rules")
    with federation(folder, rows, header=(*HEADER, "practice"), datasets=(RTT,), opt_out=EXEMPT) as fed:
        fed.configure("north", policy={"register_proof": False})  # a term is tried, not the register
        fed.start_node("north")
        world = World(fed)
        for agreement in VARIANTS[1:]:
            signers = DEPARTMENTS[:2] if agreement.id == "UNSIGNED" else DEPARTMENTS
            agreed = world.agree(agreement, signers=signers)
            if agreement.id in ANSWERED:
                world.refresh(agreed)
        yield world


@pytest.mark.parametrize(
    "breach", BREACHES, ids=lambda breach: f"{breach.term} {breach.code} {breach.agreement}"
)
def test_a_question_that_breaks_one_rule_is_refused(world: World, breach: Breach) -> None:
    """Code, sentence, nothing charged; the same question without the breach is answered."""
    agreements = {agreement.id: agreement for agreement in VARIANTS}
    control = agreements[breach.agreement if breach.agreement in ANSWERED else BASE.id]
    assert world.says(Asking(control)) is None
    broken = Asking(
        agreements[breach.agreement],
        query=breach.query,
        order=breach.order,
        analyst=breach.analyst,
        appointed_by=breach.appointed_by,
    )
    world.refused(broken, breach.code, breach.says)


def terms_of(kind: type) -> Iterator[str]:
    """Every term of a type of the agreement, and of the types in it: `Dataset.rows_max`."""
    hints = typing.get_type_hints(kind)
    for term in fields(kind):
        parts = list(_types_in(hints[term.name]))
        for part in parts:
            if is_dataclass(part):
                yield from terms_of(part)
        if not all(is_dataclass(part) for part in parts):
            yield f"{kind.__name__}.{term.name}"


def _types_in(hint: Any) -> Iterator[type]:
    """The types that a hint is made of, without None."""
    if typing.get_origin(hint) in (tuple, types.UnionType):
        for part in typing.get_args(hint):
            if part not in (types.NoneType, Ellipsis):
                yield from _types_in(part)
    else:
        yield hint


def test_no_term_is_forgotten() -> None:
    """Every term of an agreement is enforced by a node, with a test here that breaks it, or only informs."""
    broken = {breach.term for breach in BREACHES}
    enforced = broken | REDEFINED.keys() | {*OF_EDITIONS, *OF_TIME}
    terms = set(terms_of(Agreement))
    assert not terms - enforced - INFORMS, "say in which test a node is held to it, or that it informs"
    assert not (enforced | INFORMS) - terms, "no such term any more"
    assert not enforced & INFORMS


def test_an_edition_answers_under_its_own_definition_alone(world: World) -> None:
    """Whatever changes of the definition, an older edition answers nothing; under its own again it does."""
    first = variant("DEFINED")
    world.refresh(world.agree(first))
    assert world.says(Asking(first)) is None
    for term, dataset in REDEFINED.items():
        redefined = replace(first, version=2, datasets=(dataset,))
        with pytest.raises(EditionMissing, match="made for another definition of rtt"):
            world.node.editions.find(redefined, dataset, "2025-09")
        assert world.node.editions.holdings([redefined]) == (), term
    for version, term in enumerate(("Condition.allowed", "Categories.labels"), start=2):
        redefined = world.agree(replace(first, version=version, datasets=(REDEFINED[term],)))
        world.refused(Asking(redefined), "FS-208", "made for another definition of rtt")
    said_anew = replace(RTT, description="In other words.", people_about=5)
    again = world.agree(replace(first, version=4, datasets=(said_anew,)))
    assert world.says(Asking(again)) is None


def test_the_pace_ends_after_its_days(world: World) -> None:
    """A second before the time that the refusal names nothing is charged; from then on the question is."""
    paced = world.agree(variant("PACED", privacy=replace(BASE.privacy, pace=Pace(ONCE, 7))))
    world.refresh(paced)
    other = Asking(paced, order={"round": grouped("urgent")})
    assert world.says(Asking(paced)) is None
    world.refused(other, "FS-218", "before 2026-06-08 08:00 UTC: --epsilon 0.1")
    with world.later(7 * DAY_S - 1):
        world.refused(other, "FS-218", "before 2026-06-08 08:00 UTC")
    with world.later(7 * DAY_S):
        assert world.says(other) is None


def test_whom_an_edition_leaves_out_is_what_the_agreement_says(world: World) -> None:
    """Applied or not, denied or allowed, young enough and there at all: else nothing is answered."""
    folder, terms = world.fed.folder, OptOutTerms(applies=True)
    first = world.agree(variant("OPT"))
    world.refresh(first)
    assert world.says(Asking(first)) is None
    denied = world.agree(replace(first, version=2, opt_out=terms))
    world.refused(Asking(denied), "FS-208", "still holds people who opted out")
    world.refresh(denied, revise=True)
    second = Asking(denied)
    assert world.says(second) is None
    allowed = world.agree(replace(first, version=3, opt_out=replace(terms, list_kind=ListKind.ALLOW)))
    third = Asking(allowed)
    world.refused(third, "FS-208", "is one to deny, and the agreement is about one to allow")
    with pytest.raises(OptOutListProblem, match='opt_out_kind = "allow"'):
        world.refresh(allowed, revise=True)
    with world.later(0, opt_out_kind="allow"):
        world.refused(third, "FS-208", "or what the agreement says of it")
        write_opt_outs(folder, "north", ["zq-person-north-1"])
        world.refresh(allowed, revise=True)
        third = Asking(allowed)
        assert world.says(third) is None
        world.refused(Asking(denied), "FS-202", "is not in force")
        write_opt_outs(folder, "north", ["zq-person-north-1"], made_s=NOW_S + 2 * DAY_S)
        world.refused(third, "FS-208", "lies in the future")
        opt_out_file(folder, "north").unlink()
        world.refused(third, "FS-208", "cannot be read")
        write_opt_outs(folder, "north", ["zq-person-north-1"])
    with world.later(30 * DAY_S + 1, opt_out_kind="allow"):
        world.refused(third, "FS-208", "older than the 30 days")
    with world.later(0, opt_out_list=None, opt_out_kind="allow"):
        world.refused(third, "FS-208", "names no opt-out list for rtt")


def test_another_text_of_the_same_version_changes_nothing(world: World) -> None:
    """Not even one that every controller signed: what this department accepted is what its node goes by."""
    own = world.agree(variant("TEXT"))
    world.refresh(own)
    purposes = (*own.purposes, Purpose("marketing", "To sell."))
    wider = replace(own, purposes=purposes, privacy=replace(own.privacy, epsilon_per_query=Fraction(8)))
    world.published(wider)
    world.hear()
    assert {s.agreement for s in world.node.agreements.all() if s.agreement.id == "TEXT"} == {own, wider}
    for broken in ({"purpose": "marketing"}, {"loss": gaussian(HALF)}):
        world.refused(Asking(own, query=broken), "FS-203", "TEXT")
    with pytest.raises(AgreementInvalid, match="signed 2 different texts"):
        world.accept(wider)
    assert world.says(Asking(own)) is None

"""What an agreement allows, rule by rule: each test breaks one."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from samples import TODAY, sample_agreement, sample_order, sample_query, sample_round

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.expression import Call, CategoryLiteral, Column, NumberLiteral, Op
from fedstats.core.grid import Grid
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.core.query import Scope
from fedstats.core.rules import budget_of, check_query, check_round, query_cap_of
from fedstats.core.statistic import Mode, Round
from fedstats.errors import AgreementNotInForce, OutsideAgreement, OutsideScope, ValueInvalid

AGREEMENT = sample_agreement()
HASH = bytes(32)


def test_the_sample_query_is_allowed() -> None:
    """What the agreement allows passes, so that the refusals below are for their own reason."""
    check_query(AGREEMENT, sample_query(), TODAY)
    check_round(AGREEMENT, sample_query(), sample_order(HASH))


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "insurance"},
        {"dataset": "payroll"},
        {"edition": "2024-01"},
        {"mode": Mode.SECURE},
        {"disclosure": DisclosureProfile.OPENSAFELY},
        {"loss": MechanismLoss(Mechanism.LAPLACE, Fraction(1))},
        {"loss": MechanismLoss(Mechanism.GAUSSIAN, Fraction(1))},
        {"contribution": Contribution(1, 1, 2)},
        {"contribution": Contribution(3, 3, 1)},
        {"scope": Scope(("age",), (), ("vector_sums",))},
        {"scope": Scope(("age", "nhs_number"), (), ("grouped_sums",))},
        {"scope": Scope(("postcode_area",), (Column("postcode_area"),), ("grouped_sums",))},
    ],
)
def test_what_the_agreement_does_not_allow_is_refused(changes: dict[str, object]) -> None:
    """Purpose, dataset, edition, mode, disclosure control, mechanism, loss, bounds, columns, keys, kinds."""
    with pytest.raises(OutsideAgreement):
        check_query(AGREEMENT, sample_query(**changes), TODAY)


@pytest.mark.parametrize("today", [date(2026, 3, 31), date(2027, 4, 1)])
def test_outside_its_dates_an_agreement_allows_nothing(today: date) -> None:
    """The day before it starts and the day after it ends are refused, the days themselves are not."""
    with pytest.raises(AgreementNotInForce):
        check_query(AGREEMENT, sample_query(), today)
    check_query(AGREEMENT, sample_query(), AGREEMENT.starts_on)
    check_query(AGREEMENT, sample_query(), AGREEMENT.ends_on)


def test_another_version_is_refused() -> None:
    """A query signed for one version is never answered under another."""
    with pytest.raises(AgreementNotInForce):
        check_query(AGREEMENT, sample_query(agreement_version=2), TODAY)


def test_the_query_cap_is_met_exactly() -> None:
    """A query may use the whole cap of one query and not 2^-40 more."""
    cap = query_cap_of(AGREEMENT)
    check_query(AGREEMENT, sample_query(loss=MechanismLoss(Mechanism.GAUSSIAN, cap.rho)), TODAY)
    over = MechanismLoss(Mechanism.GAUSSIAN, cap.rho + Fraction(1, 2**40))
    with pytest.raises(OutsideAgreement):
        check_query(AGREEMENT, sample_query(loss=over), TODAY)


def test_the_budget_splits_delta_in_half() -> None:
    """Half of delta converts rho to epsilon, the other half caps additive delta."""
    budget = budget_of(AGREEMENT)
    assert budget.delta_add == AGREEMENT.privacy.delta / 2
    assert budget.rho > query_cap_of(AGREEMENT).rho > 0


def test_a_round_stays_in_its_scope() -> None:
    """A later round that reads a new column or groups by a new key is refused."""
    order = sample_order(HASH, round=sample_round(keys=(Column("started"),)))
    with pytest.raises(OutsideScope):
        check_round(AGREEMENT, sample_query(), order)


def test_a_round_beyond_the_announced_number_is_refused() -> None:
    """Two rounds were announced: the third is refused."""
    order = sample_order(HASH, number=2, totals_before=bytes(32))
    with pytest.raises(OutsideAgreement):
        check_round(AGREEMENT, sample_query(), order)


@pytest.mark.parametrize("participants", [("north",), ("east", "north", "south")])
def test_participants_are_holders_and_enough(participants: tuple[str, ...]) -> None:
    """Fewer than nodes_min, or a department that is no holder, is refused."""
    with pytest.raises(OutsideAgreement):
        check_round(AGREEMENT, sample_query(), sample_order(HASH, participants=participants))


def test_without_partial_participation_all_holders_are_asked() -> None:
    """An agreement that wants everybody refuses a round that names fewer."""
    agreement = sample_agreement(partial=False)
    with pytest.raises(OutsideAgreement):
        check_round(agreement, sample_query(), sample_order(HASH, participants=("north", "south")))


def test_a_measure_of_a_filter_only_column_is_refused() -> None:
    """A column that may only be filtered by cannot be counted, whatever the scope announced."""
    where = Call(Op.EQUAL, (Column("postcode_area"), CategoryLiteral("LS")))
    round_ = sample_round(keys=(Column("postcode_area"),))
    query = sample_query(where=where, scope=Scope.of(round_.aggregates, where))
    with pytest.raises(OutsideAgreement, match="postcode_area"):
        check_round(AGREEMENT, query, sample_order(HASH, round=round_))


def test_a_condition_that_does_not_fit_the_definition_is_refused() -> None:
    """An undeclared category in WHERE is refused at the node too, not only by the client."""
    where = Call(Op.EQUAL, (Column("sex"), CategoryLiteral("probe")))
    query = sample_query(where=where, scope=Scope.of(sample_round().aggregates, where))
    with pytest.raises(OutsideAgreement):
        check_round(AGREEMENT, query, sample_order(HASH))


def test_a_measure_with_another_literal_is_outside_the_scope() -> None:
    """A literal chosen after seeing totals is refused, also inside a measure of announced columns."""
    probe = Call(Op.EQUAL, (Column("age"), NumberLiteral(Fraction(52))))
    measure = Measure(MeasureKind.SUM, probe, Grid(Fraction(0), Fraction(1), 1))
    order = sample_order(
        HASH, number=1, totals_before=bytes(32), round=Round((GroupedSums((), (measure,)),)).normalised()
    )
    with pytest.raises(OutsideScope, match="measures"):
        check_round(AGREEMENT, sample_query(), order)


def test_losses_and_shares_lie_on_a_grid() -> None:
    """Amounts are multiples of 2^-40 and shares of 2^-20, or the ledger's exact sums would grow for ever."""
    with pytest.raises(ValueInvalid, match="2\\^-40"):
        sample_query(loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 3)))
    third = Round(sample_round().aggregates, Fraction(1, 3))
    with pytest.raises(ValueInvalid, match="normal form"):
        sample_order(HASH, round=third)
    assert sample_order(HASH, round=third.normalised()).round.share == Fraction(2**20 // 3, 2**20)


def test_values_of_in_are_compared_at_one_step() -> None:
    """A list of coprime fractions that no engine can compare is refused by the rules, before any charge."""
    values = tuple(
        NumberLiteral(Fraction(1, p)) for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)
    )
    where = Call(Op.IN, (Column("age"), *values))
    query = sample_query(where=where, scope=Scope.of(sample_round().aggregates, where))
    with pytest.raises(OutsideAgreement, match="62 bits"):
        check_round(AGREEMENT, query, sample_order(HASH))

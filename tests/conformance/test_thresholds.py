"""Naming values of open keys: what is named, what is kept back, and the two proofs that must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from opendp.domains import atom_domain, map_domain
from opendp.measurements import make_gaussian_threshold, make_laplace_threshold
from opendp.metrics import absolute_distance, l01inf_distance, l02inf_distance

from fedstats.core.aggregate.exact import Exact
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.expression import Column
from fedstats.core.plan import ThresholdPlan, threshold_plan
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.errors import InternalError
from fedstats.mechanisms import mechanism_of, named_values

HALF = Fraction(1, 2)
AGGREGATE = GroupedSums((Column("practice"),), (Measure(MeasureKind.PEOPLE, None, None, HALF),), HALF)
DELTA = Fraction(1, 10**6)


def plan_of(
    mechanism: Mechanism, amount: Fraction, *, delta: Fraction = DELTA, bounds: Contribution | None = None
) -> ThresholdPlan:
    """The threshold of a question that loses `amount`, half of it on naming."""
    found = threshold_plan(
        AGGREGATE, MechanismLoss(mechanism, amount, delta), bounds or Contribution(1, 1, 1)
    )
    assert found is not None
    return found


def batch(**units: int) -> Exact:
    """Values with so many units each."""
    return Exact((np.array(list(units.values()), dtype=np.int64),), tuple(units))


def named(batches: Sequence[Exact], plan: ThresholdPlan, mechanism: Mechanism, most: int = 100) -> object:
    """What may be named of them."""
    return named_values(batches, plan, mechanism_of(mechanism), values_max=most)


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_many_are_named_in_order_and_few_are_not(mechanism: Mechanism) -> None:
    """Whatever order the engine found them in: sorted by code point, over all batches."""
    plan = plan_of(mechanism, Fraction(1, 10))
    many = 100 * plan.least
    batches = [batch(z=many, b=1), batch(Ä=many, a=many, c=-many), batch(), batch(B=many)]
    assert named(batches, plan, mechanism) == ("B", "a", "z", "Ä")


def test_of_too_many_the_largest_stay() -> None:
    """The most values that a release may have are those with the greatest noisy numbers."""
    plan = plan_of(Mechanism.GAUSSIAN, Fraction(1, 10))
    units = {f"v{i:02}": 1_000 * plan.least * (i + 1) for i in range(30)}
    assert named([batch(**units)], plan, Mechanism.GAUSSIAN, most=3) == ("v27", "v28", "v29")


def test_a_person_in_two_departments_has_half_of_both_at_each() -> None:
    """C = 2 halves rho and delta at one node, and L0 values can be new at once: each raises T."""
    alone = plan_of(Mechanism.GAUSSIAN, Fraction(1, 10))
    two = plan_of(Mechanism.GAUSSIAN, Fraction(1, 10), bounds=Contribution(1, 1, 2))
    three_rows = plan_of(Mechanism.GAUSSIAN, Fraction(1, 10), bounds=Contribution(3, 3, 1))
    assert two.loss == MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40), DELTA / 2)
    assert alone.least < two.least < three_rows.least
    assert three_rows.sensitivity.d2_squared == three_rows.sensitivity.d1 == three_rows.values == 3


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("values", [1, 6, 100])
def test_a_small_delta_is_not_lost_to_the_library_s_rounding(mechanism: Mechanism, values: int) -> None:
    """Down to the least delta that can be asked for there is an answer: no rounding of OpenDP refuses one.

    It is asked after the charge, so each refusal would cost budget, at every try.
    """
    bounds = Contribution(values, values, 1)
    for bits in range(20, 61):
        plan = plan_of(mechanism, Fraction(1, 10), delta=Fraction(1, 2**bits), bounds=bounds)
        assert named([batch(few=-plan.least)], plan, mechanism) == ()


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("change", [{"least": 3}, {"scale": HALF}])
def test_a_threshold_or_noise_below_the_charge_names_nothing(
    mechanism: Mechanism, change: dict[str, object]
) -> None:
    """A plan that OpenDP's own map does not cover is a bug of ours, and stops everything."""
    plan = replace(plan_of(mechanism, Fraction(1, 10)), **change)  # type: ignore[arg-type]  # a table of fields
    with pytest.raises(InternalError, match="was charged"):
        named([batch(a=10**6)], plan, mechanism)


SCALES = [Fraction(1), Fraction(2), Fraction(5), Fraction(50)]


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("values", [1, 3])
def test_opendp_never_asks_for_more(mechanism: Mechanism, scale: Fraction, values: int) -> None:
    """OpenDP's delta at our threshold is within ours, so its map is never what stops an honest node.

    At the threshold before it, OpenDP would be content at least once: its delta is too small, which is why
    its map does not choose T. If it is mended one day, this test says so.
    """
    mechanism_of(mechanism)  # enables what of OpenDP is used
    counts = map_domain(atom_domain(T=str), atom_domain(T="i64"))
    by_count = absolute_distance(T="i64")
    bounds = Contribution(values, values, 1)
    amount = 2 * (Fraction(values) / (2 * scale**2) if mechanism is Mechanism.GAUSSIAN else values / scale)
    plan = plan_of(mechanism, amount, bounds=bounds)
    deltas = []
    for threshold in (plan.least, plan.least - 1):
        if mechanism is Mechanism.GAUSSIAN:
            metric = l02inf_distance(by_count)
            measurement = make_gaussian_threshold(counts, metric, float(plan.scale), threshold)
        else:
            measurement = make_laplace_threshold(
                counts, l01inf_distance(by_count), float(plan.scale), threshold
            )
        _, delta = measurement.map((values, values, 1))  # type: ignore[no-untyped-call]  # opendp types it not
        deltas.append(Fraction(delta))
    assert deltas[0] <= DELTA
    if mechanism is Mechanism.LAPLACE:
        assert deltas[1] <= DELTA

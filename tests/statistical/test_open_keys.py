"""Keys without a public list: how often a value that only one person has is named, counted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from fedstats.core.aggregate.exact import Exact
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.expression import Column
from fedstats.core.plan import ThresholdPlan, threshold_plan
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.mechanisms import mechanism_of, named_values

RUNS = 100_000
NAMED_MAX = 151
"""Binomial(100,000, 1/1,000) is above 151 with probability 7e-7 (privacy.md, section 6): the false-alarm rate
of each case if the chance were as large as it may be; T is an integer, so it is smaller."""
DELTA = Fraction(1, 1_000)
HALF = Fraction(1, 2)
AGGREGATE = GroupedSums((Column("practice"),), (Measure(MeasureKind.ROWS, None, None, HALF),), HALF)


def _plan(mechanism: Mechanism, amount: Fraction) -> ThresholdPlan:
    """One row a person, one department, and noise as for the loss `amount` of the whole question."""
    plan = threshold_plan(AGGREGATE, MechanismLoss(mechanism, amount, DELTA), Contribution(1, 1, 1))
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    "mechanism, amount",
    [
        (Mechanism.GAUSSIAN, Fraction(1, 4)),  # sigma 2, where a continuous tail is furthest from the truth
        (Mechanism.GAUSSIAN, Fraction(1, 25)),
        (Mechanism.GAUSSIAN, Fraction(1, 10_000)),
        (Mechanism.LAPLACE, Fraction(2)),
        (Mechanism.LAPLACE, Fraction(1, 20)),
    ],
)
def test_a_single_person_is_named_as_rarely_as_promised(mechanism: Mechanism, amount: Fraction) -> None:
    """Of 100,000 values that one person each has, at most 151 are named at delta 1e-3.

    Values are independent of each other, so one release of all of them is 100,000 runs.
    """
    plan = _plan(mechanism, amount)
    found = Exact((np.ones(RUNS, dtype=np.int64),), tuple(map(str, range(RUNS))))
    named = named_values([found], plan, mechanism_of(mechanism), values_max=RUNS)
    assert len(named) <= NAMED_MAX


def test_the_limit_is_what_it_says() -> None:
    """More than 151 of 100,000 at a chance of 1 in 1,000 has probability below 1e-6, and not far below it."""
    terms = (
        math.exp(
            math.lgamma(RUNS + 1)
            - math.lgamma(k + 1)
            - math.lgamma(RUNS - k + 1)
            + k * math.log(0.001)
            + (RUNS - k) * math.log(0.999)
        )
        for k in range(NAMED_MAX + 1, 1_000)
    )
    assert 1e-7 < sum(terms) < 1e-6

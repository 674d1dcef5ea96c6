"""The figures of a guarantee report, recomputed by somebody who has nothing but the report and OpenDP."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from guarantee_runs import THIRDS, run_of
from hypothesis import given, settings
from hypothesis import strategies as st
from opendp.combinators import make_zCDP_to_approxDP
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_gaussian, make_laplace
from opendp.metrics import l1_distance, l2_distance
from opendp.mod import enable_features

from fedstats.core.aggregate.grouped_sums import Measure
from fedstats.core.bound import Bound
from fedstats.core.expression import Column
from fedstats.core.guarantee import report_of
from fedstats.core.privacy import Mechanism

enable_features("contrib")

Report = Any
TIGHT = 1 + 1e-6
INTEGERS = vector_domain(atom_domain(T="i64"))
AMOUNTS = st.integers(2**30, 2**37).map(lambda steps: Fraction(steps, 2**40))
MEASURES = st.sets(st.sampled_from(THIRDS), min_size=1).map(lambda found: with_equal_weights(tuple(found)))


BOUNDS = (Bound.rows(), Bound.people(), Bound.weighted(1), Bound.weighted(2))


def with_equal_weights(measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """The same measures, each with an equal share of the loss."""
    return tuple(Measure(m.kind, m.expression, m.grid, Fraction(1, len(measures))) for m in measures)


def as_read(report: object) -> Report:
    """The report as somebody else reads it."""
    return json.loads(json.dumps(report))


def gaussian_rho(scale: Fraction, sensitivity: Report) -> float:
    """What OpenDP says that this noise costs in rho."""
    distance = math.sqrt(int(sensitivity["d2_squared"]))
    made = make_gaussian(INTEGERS, l2_distance(T="f64"), scale=float(scale))
    return float(made.map(distance))  # type: ignore[no-untyped-call]  # opendp types it not


def laplace_epsilon(scale: Fraction, sensitivity: Report) -> float:
    """What OpenDP says that this noise costs in pure epsilon."""
    made = make_laplace(INTEGERS, l1_distance(T="i64"), scale=float(scale))
    return float(made.map(int(sensitivity["d1"])))  # type: ignore[no-untyped-call]  # opendp types it not


def cost_at_node(report: Report, cost: Callable[[Fraction, Report], float]) -> float:
    """The costs of every noise in the report, added up, as one department pays them."""
    return sum(
        cost(Fraction(noisy["scale_exact"]), noisy["sensitivity"])
        for one in report["rounds"]
        for aggregate in one["aggregates"]
        for noisy in (*aggregate["measures"], *([aggregate["threshold"]] if aggregate["threshold"] else []))
    )


def promise(report: Report, of: str) -> Report:
    """The figures of one of the two promises."""
    return next(found["figures"] for found in report["guarantees"] if found["of"] == of)


@settings(max_examples=15)
@given(
    MEASURES,
    AMOUNTS,
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(((), (Column("practice"),))),
    st.sampled_from(BOUNDS),
)
def test_opendp_finds_no_more_loss_than_is_promised(
    measures: tuple[Measure, ...],
    amount: Fraction,
    departments: int,
    cells: int,
    opened: tuple[Column, ...],
    bound: Bound,
) -> None:
    """Scales and sensitivities of the report cost, by OpenDP's map, the rho that it says, and no less."""
    keys = (Column("sex"), *opened)
    shares = (Fraction(1, 4), Fraction(1, 2))
    report = as_read(
        report_of(
            run_of(
                measures,
                keys=keys,
                amount=amount,
                departments_max=departments,
                cells_max=cells,
                shares=shares,
                bound=bound,
            )
        )
    )
    c = report["contribution"]["departments_max"]
    at_node = cost_at_node(report, gaussian_rho)
    for of, found in (("department", at_node), ("federation", c * at_node)):
        said = float(Fraction(promise(report, of)["rho_exact"]))
        assert found <= said * (1 + 1e-12)
        assert said <= found * TIGHT
    for more in report["in_more_departments"]:
        assert more["departments"] * at_node <= float(Fraction(more["figures"]["rho_exact"])) * (1 + 1e-12)


@settings(max_examples=10)
@given(MEASURES, AMOUNTS, st.integers(1, 3), st.sampled_from(BOUNDS))
def test_opendp_finds_no_more_pure_epsilon_than_is_promised(
    measures: tuple[Measure, ...], amount: Fraction, departments: int, bound: Bound
) -> None:
    """The same for Laplace noise, whose currency is epsilon, and whose rho is c (epsilon / c)^2 / 2."""
    report = as_read(
        report_of(
            run_of(
                measures,
                amount=amount,
                departments_max=departments,
                mechanism=Mechanism.LAPLACE,
                bound=bound,
            )
        )
    )
    at_node = cost_at_node(report, laplace_epsilon)
    c = report["contribution"]["departments_max"]
    figures = promise(report, "federation")
    assert figures["pure"]
    assert c * at_node <= float(figures["epsilon"])
    assert float(figures["epsilon"]) <= c * at_node * 1.001
    assert c * at_node**2 / 2 <= float(Fraction(figures["rho_exact"])) * TIGHT
    assert figures["strict"]["epsilon"] == figures["epsilon"]


@settings(max_examples=10)
@given(AMOUNTS)
def test_epsilon_is_what_opendp_converts_rho_to(amount: Fraction) -> None:
    """Never below OpenDP's own conversion of the same rho at the same delta, and within rounding of it."""
    figures = promise(as_read(report_of(run_of(amount=amount))), "federation")
    made = make_zCDP_to_approxDP(make_gaussian(INTEGERS, l2_distance(T="f64"), scale=1.0))
    distance = math.sqrt(2 * float(Fraction(figures["rho_exact"])))
    epsilon = made.map(distance).epsilon(float(figures["delta"]))  # type: ignore[no-untyped-call]  # as above
    assert epsilon <= float(figures["epsilon"]) * (1 + 1e-9)
    assert float(figures["epsilon"]) <= epsilon * 1.002


@settings(max_examples=10)
@given(AMOUNTS)
def test_a_belief_and_its_strict_reading_are_never_understated(amount: Fraction) -> None:
    """e^epsilon / (1 + e^epsilon) in percent; strictly, the normal tail of the loss is within its delta.

    Of a Gaussian with rho the loss is normal with mean rho and variance 2 rho: the chance that it is above
    the strict epsilon must be below delta.
    """
    figures = promise(as_read(report_of(run_of(amount=amount))), "federation")
    for said in (figures, figures["strict"]):
        exact = 100 / (1 + math.exp(-float(said["epsilon"])))
        assert exact <= float(said["belief_percent"]) + 1e-9 <= exact + 0.11
    rho, strict = float(Fraction(figures["rho_exact"])), float(figures["strict"]["epsilon"])
    tail = math.erfc((strict - rho) / math.sqrt(2 * rho) / math.sqrt(2)) / 2
    assert tail <= float(figures["delta"])
    assert Decimal(figures["strict"]["epsilon"]) >= Decimal(figures["epsilon"])


@pytest.mark.parametrize("mechanism", Mechanism)
def test_half_the_noise_would_be_seen(mechanism: Mechanism) -> None:
    """The recomputation is no tautology: half the scale that was used costs more than is promised."""
    report = as_read(report_of(run_of(mechanism=mechanism)))
    measure = report["rounds"][0]["aggregates"][0]["measures"][0]
    measure["scale_exact"] = str(Fraction(measure["scale_exact"]) / 2)
    gaussian = mechanism is Mechanism.GAUSSIAN
    at_node = cost_at_node(report, gaussian_rho if gaussian else laplace_epsilon)
    figures = promise(report, "department")
    assert at_node > 1.1 * float(Fraction(figures["rho_exact"]) if gaussian else figures["epsilon"])

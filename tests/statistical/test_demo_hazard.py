"""The demo's planted truth: shares, dirt and effects, found again in a large sample.

Every gate is two-sided at 5.2 standard errors or the like, 2e-7 of false alarms each. There are fewer than a
hundred, so a sound generator fails this file for less than 1 seed in 10,000; and the seed is fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fedstats.demo.codes import CENSUS, CODES, TREATMENT_FUNCTIONS, Column
from fedstats.demo.dirt import NO_NHS_NUMBER
from fedstats.demo.hazards import (
    WEEKLY_HAZARD,
    band_of_days,
    cumulative_hazard,
    draw_wait_days,
    log_hazard_ratio,
)
from fedstats.demo.people import People, draw_people
from fedstats.demo.trusts import TRUSTS
from fedstats.demo.waiting_list import WaitingList, clean, generate

PATHWAYS_PER_TRUST = 60_000
SEED = 52
GATE = 5.2

Vector = NDArray[np.float64]


@pytest.fixture(scope="module")
def waiting_list() -> WaitingList:
    """A list large enough for every gate here to have power."""
    return generate(TRUSTS, PATHWAYS_PER_TRUST, SEED)


@pytest.fixture(scope="module")
def people() -> People:
    """The people of such a list, before anything happens to their rows."""
    return draw_people(TRUSTS, PATHWAYS_PER_TRUST * len(TRUSTS), np.random.default_rng(SEED))


def assert_share(hits: Column, share: float) -> None:
    """Hold a share of independent cases to the truth: binomial, GATE standard errors."""
    standard_error = math.sqrt(share * (1 - share) / hits.size)
    assert abs(hits.mean() - share) < GATE * standard_error


def test_people_are_as_stated(people: People) -> None:
    """Ages, sexes and pathways per person follow the shares of the specification.

    Power: with 250,000 people a share of 0.5 that is off by 0.01 is seen with certainty (10 standard errors).
    """
    assert_share(people.age < 19, 0.108)
    assert_share(people.age >= 65, 0.331)
    assert_share(people.sex == CODES["sex"].index("F"), 0.57)
    assert_share(people.opted_out, 0.05)
    for pathways, share in ((1, 0.90), (2, 0.06), (3, 0.015), (4, 0.0125), (5, 0.0125)):
        assert_share(people.pathways == pathways, share)


def test_rows_are_as_stated(waiting_list: WaitingList) -> None:
    """Priorities, unknown ethnic categories and the second trust follow the shares of the specification."""
    rows = {name: column[~waiting_list.copy] for name, column in waiting_list.rows.items()}
    trust = waiting_list.trust[~waiting_list.copy]
    for code, share in (("routine", 0.75), ("urgent", 0.17), ("two_week", 0.08)):
        assert_share(rows["priority"] == CODES["priority"].index(code), share)
    numbers, first, pathways = np.unique(rows["nhs_number"], return_index=True, return_counts=True)
    unknown = rows["ethnic_category"] == CODES["ethnic_category"].index("Z")
    for position, each in enumerate(TRUSTS):
        alone = first[(pathways == 1) & (numbers != NO_NHS_NUMBER)]
        assert 0.08 <= each.ethnicity_unknown <= 0.15
        assert_share(unknown[alone[trust[alone] == position]], each.ethnicity_unknown)
    # Of people with two pathways, a quarter have the second elsewhere.
    order = np.argsort(rows["nhs_number"], kind="stable")
    begins = np.searchsorted(rows["nhs_number"][order], numbers[pathways == 2])
    assert_share(trust[order[begins]] != trust[order[begins + 1]], 0.25)


def test_dirt_is_as_stated(waiting_list: WaitingList) -> None:
    """Duplicates, missing numbers, unknown starts and early ends are as frequent as specified."""
    once = ~waiting_list.copy
    rows = {name: column[once] for name, column in waiting_list.rows.items()}
    copies = np.zeros(once.sum(), dtype=np.bool_)
    copies[: waiting_list.copy.sum()] = True
    assert_share(copies, 0.005)
    assert_share(rows["nhs_number"] == NO_NHS_NUMBER, 0.003)
    assert_share(np.isnat(rows["rtt_start_date"]), 0.005)
    assert_share(rows["rtt_end_date"] < rows["rtt_start_date"], 0.002 * (1 - 0.005))


def test_waits_follow_the_table() -> None:
    """Without effects, the bands of drawn waits have the probabilities of the published hazard.

    Chi-square with 105 degrees of freedom against its 1 - 1e-6 quantile, 189. Power: with 1,000,000 draws,
    shifting every wait by one week gives a statistic in the thousands.
    """
    draws = 1_000_000
    days = draw_wait_days(np.zeros(draws), np.random.default_rng(SEED))
    observed = np.bincount(np.where(days > 735, 105, band_of_days(days)), minlength=106)
    surviving = np.concatenate([[1.0], np.cumprod(1 - np.array(WEEKLY_HAZARD))])
    expected = draws * np.concatenate([-np.diff(surviving), surviving[-1:]])
    assert np.sum((observed - expected) ** 2 / expected) < 189


def test_hazard_has_the_published_shape() -> None:
    """The hazard falls to a floor around half a year and peaks between the 52 and 65 week targets' weeks."""
    hazard = np.array(WEEKLY_HAZARD)
    assert hazard.size == 105
    assert 20 <= hazard[:52].argmin() <= 28
    assert hazard.argmax() == 64
    assert hazard[0] > 3 * hazard[:52].min()
    assert hazard[52] > 2 * hazard[26]


def test_day_126_is_within_18_weeks() -> None:
    """Bands are NHS England's: days 0 to 7 are band 0, and day 126 still counts as within 18 weeks."""
    days = np.array([0, 7, 8, 14, 15, 126, 127, 728, 729, 5000])
    assert band_of_days(days).tolist() == [0, 0, 1, 1, 2, 17, 18, 103, 104, 104]


def test_waits_are_at_the_published_level(waiting_list: WaitingList) -> None:
    """With all effects but the trusts' frailty, 64 % of waits are within 18 weeks as published, +- 2."""
    covariates = ("treatment_function", "priority", "age", "imd_decile")
    ratio = log_hazard_ratio(**{name: waiting_list.rows[name] for name in covariates})
    days = draw_wait_days(ratio, np.random.default_rng(SEED))
    assert 0.62 < (days <= 126).mean() < 0.66


def test_planted_effects_are_found_again(waiting_list: WaitingList) -> None:
    """A joint proportional hazards fit of the cleaned rows finds every planted effect.

    Age, deprivation, the priorities, all treatment functions and the trusts' frailties, from 300,000
    pathways. Power: the standard error of the deprivation hazard ratio's logarithm is below 0.01, its truth
    -0.12, so an effect that is missing or halved is at least 6 standard errors away; so for age and priority.
    """
    rows = clean(waiting_list)
    usable = ~(np.isnat(rows["rtt_start_date"]) | (rows["rtt_end_date"] < rows["rtt_start_date"]))
    rows = {name: column[usable] for name, column in rows.items()}
    design, truth = design_and_truth(rows, waiting_list)
    fitted, standard_error = fit(design, *follow_up(rows))
    distance = np.abs(fitted - truth) / standard_error
    assert distance.max() < GATE
    assert 9 * standard_error[1] < 0.01
    assert (truth[1:5] / standard_error[1:5]).min() > 2 * (GATE + 1)


def design_and_truth(rows: dict[str, Column], waiting_list: WaitingList) -> tuple[Vector, Vector]:
    """One column per effect, and what was planted, in the specification's numbers; the level first."""
    functions = [function.code for function in TREATMENT_FUNCTIONS]
    departments = [trust.department for trust in waiting_list.trusts]
    columns = [
        np.ones(rows["age"].size),
        rows["imd_decile"] - 5.5,
        (rows["age"] - 50) / 10,
        rows["priority"] == "urgent",
        rows["priority"] == "two_week",
        *(rows["treatment_function"] == code for code in functions[1:]),
        *(rows["department"] == department for department in departments[1:]),
    ]
    of_function = np.array([function.log_hazard for function in TREATMENT_FUNCTIONS])
    truth = [
        -0.23 + of_function[0] + waiting_list.log_frailty[0],
        -math.log(0.885) / 9,
        0.02,
        0.69,
        1.10,
        *(of_function[1:] - of_function[0]),
        *(waiting_list.log_frailty[1:] - waiting_list.log_frailty[0]),
    ]
    return np.column_stack(columns).astype(np.float64), np.array(truth)


def follow_up(rows: dict[str, Column]) -> tuple[Vector, Vector, Column]:
    """Baseline hazard survived, hazard of the band of the stop, and whether there was one.

    Only bands that were followed to their end count, so that the census cuts off no part of a band.
    """
    edges = cumulative_hazard()
    whole_bands = (np.datetime64(CENSUS) - rows["rtt_start_date"]).astype(np.int64) // 7
    stopped = ~np.isnat(rows["rtt_end_date"])
    days = np.where(stopped, (rows["rtt_end_date"] - rows["rtt_start_date"]).astype(np.int64), 0)
    band = band_of_days(days)
    stopped &= band < whole_bands
    survived = edges[np.where(stopped, band, whole_bands)]
    return survived, edges[band + 1] - edges[band], stopped


def fit(design: Vector, survived: Vector, risked: Vector, stopped: Column) -> tuple[Vector, Vector]:
    """Maximum likelihood of grouped proportional hazards by Newton's method (Prentice and Gloeckler 1978)."""
    effects = np.zeros(design.shape[1])
    for _ in range(20):
        ratio = np.exp(design @ effects)
        hazard = np.where(stopped, ratio * risked, 1.0)
        chance = stopped * hazard / np.expm1(hazard)
        score = chance - ratio * survived
        curvature = ratio * survived + chance * (hazard / -np.expm1(-hazard) - 1)
        covariance = np.linalg.inv(design.T @ (design * curvature[:, np.newaxis]))
        step = covariance @ (design.T @ score)
        effects = effects + step
        if np.abs(step).max() < 1e-6:
            return effects, np.sqrt(np.diag(covariance))
    pytest.fail("Newton's method did not converge.")

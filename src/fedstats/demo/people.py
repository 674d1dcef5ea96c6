"""Draw the people on the waiting list: who they are, how many pathways they have, and at which trusts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fedstats.demo.codes import (
    AGE_YEARS_BOUNDS,
    CODES,
    ETHNICITY_UNKNOWN,
    IMD_DECILE_BOUNDS,
    TREATMENT_FUNCTIONS,
)
from fedstats.demo.trusts import Trust

CHILD_SHARE: Final = 0.108
ADULT_SHARE: Final = 0.561
CHILD_YEARS_MAX: Final = 18
ADULT_YEARS_MAX: Final = 64
FEMALE_SHARE: Final = 0.57
OPT_OUT_SHARE: Final = 0.05
PATHWAYS_PER_PERSON: Final = {1: 0.90, 2: 0.06, 3: 0.015, 4: 0.0125, 5: 0.0125}

# Of people whose category is known. The order of size follows the 2021 census of England; the digits are made
# up.
_ETHNIC_SHARES: Final = {
    "A": 0.710, "B": 0.010, "C": 0.065, "D": 0.009, "E": 0.004, "F": 0.008, "G": 0.008, "H": 0.034,
    "J": 0.030, "K": 0.011, "L": 0.022, "M": 0.013, "N": 0.026, "P": 0.009, "R": 0.009, "S": 0.032,
}  # fmt: skip  # two rows of numbers read better than sixteen lines

_PAYLOAD_FIRST: Final = 900_000_000
_PAYLOAD_END: Final = 1_000_000_000
_MOD_11_WEIGHTS: Final = tuple(range(10, 1, -1))
_NO_CHECK_DIGIT: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """One entry per person in each array. Codes are positions in `CODES`, trusts positions in the list given.

    Nobody is at more than two trusts: one person's extra pathways elsewhere are all at `other`. `reticence`
    is uniform on [0, 1): a trust that misses 12 % of ethnic categories misses those of the least reticence.
    """

    nhs_number: NDArray[np.int64]
    pathways: NDArray[np.int64]
    home: NDArray[np.int64]
    other: NDArray[np.int64]
    age: NDArray[np.int64]
    sex: NDArray[np.int64]
    ethnic_category: NDArray[np.int64]
    reticence: NDArray[np.float64]
    imd_decile: NDArray[np.int64]
    opted_out: NDArray[np.bool_]


def draw_people(trusts: Sequence[Trust], pathways: int, rng: np.random.Generator) -> People:
    """Draw people who have exactly `pathways` pathways between them, homes spread evenly over the trusts."""
    counts = _draw_pathway_counts(pathways, rng)
    people = counts.size
    home = np.arange(people) % len(trusts)
    elsewhere = rng.integers(1, max(len(trusts), 2), people)
    known = [_ETHNIC_SHARES.get(code, 0.0) for code in CODES["ethnic_category"]]
    return People(
        nhs_number=draw_nhs_numbers(people, rng),
        pathways=counts,
        home=home,
        other=(home + elsewhere) % len(trusts),
        age=_draw_ages(people, rng),
        sex=_choose(np.array([FEMALE_SHARE, 1 - FEMALE_SHARE]), people, rng),
        ethnic_category=_choose(np.array(known), people, rng),
        reticence=rng.random(people),
        imd_decile=_draw_deciles(home, [trust.deprivation for trust in trusts], rng),
        opted_out=rng.random(people) < OPT_OUT_SHARE,
    )


def draw_treatment_functions(
    age: NDArray[np.int64], sex: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the position of each pathway's treatment function, from those its patient can be referred to."""
    child = age <= CHILD_YEARS_MAX
    older = age > ADULT_YEARS_MAX
    group = 2 * np.where(child, 0, np.where(older, 2, 1)) + sex
    shares = _function_shares()
    functions = np.empty(age.size, dtype=np.int64)
    for number, of_group in enumerate(shares):
        rows = np.flatnonzero(group == number)
        functions[rows] = _choose(of_group, rows.size, rng)
    return functions


def draw_nhs_numbers(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` different NHS numbers with valid check digits, all in the unissued range 900-999."""
    numbers = np.empty(0, dtype=np.int64)
    while numbers.size < count:
        missing = count - numbers.size
        payloads = rng.integers(_PAYLOAD_FIRST, _PAYLOAD_END, missing + missing // 4 + 100)
        check = check_digits(payloads)
        drawn = (payloads * 10 + check)[check != _NO_CHECK_DIGIT]
        numbers = np.unique(np.concatenate([numbers, drawn]))
    return rng.permutation(numbers)[:count]


def check_digits(payloads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the Mod 11 check digit of nine-digit payloads; 10 where there is none (NHS Data Dictionary)."""
    weighted = np.zeros_like(payloads)
    for place, weight in enumerate(reversed(_MOD_11_WEIGHTS)):
        weighted += payloads // 10**place % 10 * weight
    return (11 - weighted % 11) % 11


def ethnicity_unknown() -> int:
    """Return the position of the code for a category that was not stated."""
    return CODES["ethnic_category"].index(ETHNICITY_UNKNOWN)


def _draw_pathway_counts(pathways: int, rng: np.random.Generator) -> NDArray[np.int64]:
    # Everybody has at least one pathway, so as many people as pathways are always enough; the last one kept
    # gives up what is over.
    shares = np.array(list(PATHWAYS_PER_PERSON.values()))
    counts = 1 + _choose(shares, pathways, rng)
    ends = np.cumsum(counts)
    people = int(np.searchsorted(ends, pathways)) + 1
    counts = counts[:people]
    counts[-1] -= ends[people - 1] - pathways
    return counts


def _draw_ages(people: int, rng: np.random.Generator) -> NDArray[np.int64]:
    group = _choose(np.array([CHILD_SHARE, ADULT_SHARE, 1 - CHILD_SHARE - ADULT_SHARE]), people, rng)
    spread = rng.random(people)
    # As the largest of two draws, which leans to the old end of the group, and the smallest of three.
    adult = np.sqrt(spread)
    older = 1 - np.cbrt(1 - spread)
    lowest = np.array([AGE_YEARS_BOUNDS[0], CHILD_YEARS_MAX + 1, ADULT_YEARS_MAX + 1])
    end = np.array([CHILD_YEARS_MAX + 1, ADULT_YEARS_MAX + 1, AGE_YEARS_BOUNDS[1] + 1])
    years = lowest[group] + np.choose(group, [spread, adult, older]) * (end - lowest)[group]
    return np.asarray(years, dtype=np.int64)


def _draw_deciles(
    home: NDArray[np.int64], deprivation: Sequence[float], rng: np.random.Generator
) -> NDArray[np.int64]:
    deciles = np.arange(IMD_DECILE_BOUNDS[0], IMD_DECILE_BOUNDS[1] + 1)
    drawn = np.empty(home.size, dtype=np.int64)
    for trust, tilt in enumerate(deprivation):
        people = np.flatnonzero(home == trust)
        drawn[people] = deciles[_choose(np.exp(-tilt * deciles), people.size, rng)]
    return drawn


def _function_shares() -> NDArray[np.float64]:
    # Row 2 * age group + sex. A service that only some people use has its published share of all pathways, so
    # it takes more of theirs: share / (their part of the population), and the other services fill what is
    # left.
    sexes = np.array([FEMALE_SHARE, 1 - FEMALE_SHARE])
    ages = np.array([CHILD_SHARE, ADULT_SHARE, 1 - CHILD_SHARE - ADULT_SHARE])
    population = np.outer(ages, sexes)
    users = {
        "C_502": np.array([[0, 0], [1, 0], [1, 0]]),
        "C_430": np.array([[0, 0], [0, 0], [1, 1]]),
        "X04": np.array([[1, 1], [0, 0], [0, 0]]),
    }
    shares = np.empty((population.size, len(TREATMENT_FUNCTIONS)))
    for position, function in enumerate(TREATMENT_FUNCTIONS):
        may_use = users.get(function.code, np.ones_like(population))
        shares[:, position] = (function.share * may_use / (population * may_use).sum()).ravel()
    special = [position for position, function in enumerate(TREATMENT_FUNCTIONS) if function.code in users]
    general = np.setdiff1d(np.arange(len(TREATMENT_FUNCTIONS)), special)
    left = 1 - shares[:, special].sum(axis=1, keepdims=True)
    shares[:, general] *= left / shares[:, general].sum(axis=1, keepdims=True)
    return shares


def _choose(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    edges = np.cumsum(weights / weights.sum())
    # The last edge can end below 1 by rounding; leaving it out keeps every draw inside.
    chosen = np.searchsorted(edges[:-1], rng.random(count), side="right")
    return chosen.astype(np.int64)

"""The table sampler draws the exact law: at every scale, however short its table, from head to tail.

What it does at small scales is tested with every mechanism in test_mechanisms.py. Here z = k x + y with
k > 1, so that rejection makes the law: with the table's own length rejection is too rare for any test to see,
so most tests give it a table of 64 entries, where up to a quarter of the draws is rejected.

False alarms: each gate is set at 1e-6 or less and there are 24, so a right program fails this file less than
once in 4e4 runs. Power: a wrong scale, a table one step off, draws that are never rejected and a sign that is
not fair are each shown to fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import exp
from statistics import NormalDist

import numpy as np
import pytest
from goodness_of_fit import chi_square_p_value, p_value
from numpy.typing import NDArray

from fedstats.core.privacy import Mechanism
from fedstats.mechanisms._law import Law
from fedstats.mechanisms._sampler import ENTRIES_MAX, Table, draw_from, draw_noise, key_stream, table_of

DRAWS = 50_000
ALARM = 1e-6
SHORT_TABLE = 64
EITHER_LAW = pytest.mark.parametrize("mechanism", list(Mechanism))
SCALE = Fraction(97, 2)


def law_of(mechanism: Mechanism, scale: Fraction) -> Law:
    """The law of a mechanism's noise, written down once more."""
    if mechanism is Mechanism.LAPLACE:
        return Law(1 / scale, Fraction(0))
    return Law(Fraction(0), 1 / (2 * scale**2))


def fits(table: Table, mechanism: Mechanism, scale: Fraction) -> bool:
    """Whether the table's draws pass for the exact law at this scale."""
    noise = draw_from(table, DRAWS, key_stream())
    return chi_square_p_value(noise, mechanism, float(scale)) > ALARM


# ------------------------------------------------------------------------------------------------ the law


@EITHER_LAW
@pytest.mark.parametrize("scale", [Fraction(61, 2), SCALE, Fraction(1000), Fraction(2**11)])
@pytest.mark.parametrize("entries_max", [SHORT_TABLE, ENTRIES_MAX])
def test_draws_follow_the_exact_law(mechanism: Mechanism, scale: Fraction, entries_max: int) -> None:
    """Chi-square against the exact probabilities; the shorter the table, the more is up to rejection."""
    assert fits(table_of(law_of(mechanism, scale), entries_max), mechanism, scale)


@EITHER_LAW
@pytest.mark.parametrize("scale", [Fraction(2**20), Fraction(2**50)])
def test_large_draws_follow_their_law_in_head_and_in_tail(mechanism: Mechanism, scale: Fraction) -> None:
    """At scales whose integers cannot be counted one by one: 400 ranges against the distribution function."""
    edges = np.arange(-200, 200) * int(scale) // 40
    noise = draw_noise(law_of(mechanism, scale), DRAWS)
    observed = np.bincount(np.searchsorted(edges, noise, side="right"), minlength=len(edges) + 1)
    below = [distribution_function(mechanism, scale)(int(edge)) for edge in edges]
    expected = DRAWS * np.diff([0.0, *below, 1.0])
    enough = expected >= 20
    statistic = ((observed - expected) ** 2 / expected)[enough].sum()
    rest_observed, rest = observed[~enough].sum(), expected[~enough].sum()
    statistic += (rest_observed - rest) ** 2 / rest
    assert p_value(statistic, int(enough.sum())) > ALARM


@EITHER_LAW
@pytest.mark.parametrize("scale", [Fraction(2**20), Fraction(2**50)])
def test_the_low_bits_of_large_draws_are_fair(mechanism: Mechanism, scale: Fraction) -> None:
    """The last six bits say nothing: 64 values, equally often (to 1e-5 of their probability)."""
    noise = draw_noise(law_of(mechanism, scale), DRAWS)
    observed = np.bincount(noise & 63, minlength=64)
    assert p_value(float(((observed - DRAWS / 64) ** 2).sum() / (DRAWS / 64)), 63) > ALARM


# ------------------------------------------------------------------------------------------------ the power


@EITHER_LAW
@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(7, 8)])
@pytest.mark.parametrize("entries_max", [SHORT_TABLE, ENTRIES_MAX])
def test_another_scale_is_caught(mechanism: Mechanism, factor: Fraction, entries_max: int) -> None:
    """Half the scale, and a scale that is an eighth too small, do not pass."""
    assert not fits(table_of(law_of(mechanism, SCALE * factor), entries_max), mechanism, SCALE)


@EITHER_LAW
def test_a_table_one_step_off_is_caught(mechanism: Mechanism) -> None:
    """A table without its first entry, which draws x - 1 for x, does not pass."""
    table = table_of(law_of(mechanism, SCALE), 2**12)
    assert table.shift == 0
    assert not fits(replace(table, first=table.first[1:], last=table.last[1:]), mechanism, SCALE)


@EITHER_LAW
def test_draws_that_are_never_rejected_are_caught(mechanism: Mechanism) -> None:
    """Without rejection the law has steps; a short table shows them."""
    table = table_of(law_of(mechanism, SCALE), SHORT_TABLE)
    always = np.full_like(table.kept_below, 2**64 - 1)
    assert table.shift > 0
    assert not fits(replace(table, kept_below=always), mechanism, SCALE)


@EITHER_LAW
def test_a_sign_that_is_not_fair_is_caught(mechanism: Mechanism) -> None:
    """If one word in 4 loses its minus, the draws do not pass."""
    words, table = key_stream(), table_of(law_of(mechanism, SCALE), 2**12)

    def unfair(count: int) -> NDArray[np.uint64]:
        drawn = words(count)
        drawn[::4] &= np.uint64(2**64 - 2)
        return drawn

    noise = draw_from(table, DRAWS, unfair)
    assert chi_square_p_value(noise, mechanism, float(SCALE)) < ALARM


def distribution_function(mechanism: Mechanism, scale: Fraction) -> Callable[[int], float]:
    """P(noise < edge). Laplace: in closed form; Gaussian: the normal law's, half a step below the edge.

    From scale 2 on the discrete Gaussian's and the rounded normal's probabilities of a range differ by a
    relative 1 / (24 sigma^2) at most, here less than 1e-13.
    """
    b = float(scale)

    def of_laplace(edge: int) -> float:
        share = 1 / (1 + exp(-1 / b))
        return 1 - share * exp(-edge / b) if edge > 0 else share * exp((edge - 1) / b)

    if mechanism is Mechanism.LAPLACE:
        return of_laplace
    normal = NormalDist(0, b)
    return lambda edge: normal.cdf(edge - 0.5)

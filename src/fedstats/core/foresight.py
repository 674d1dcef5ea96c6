"""What is known of an answer's widths before it is asked, and the least loss that makes them enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from fedstats.core.accounting import EPSILON_MIN
from fedstats.core.estimate import Estimate
from fedstats.core.statistic import Ask, Round, RoundResult

EPSILON_STEP = Fraction(1, 10_000)
"""Losses that are searched for are multiples of this: short to type, so that typing them asks the same."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A column of an answer: `exact` if its noise interval depends on no data, `counts` if it counts."""

    column: str
    exact: bool
    counts: bool


@runtime_checkable
class Foreseeing(Protocol):
    """A statistic that can say which of its columns have widths that depend on no data."""

    def foresee(self, ask: Ask) -> tuple[Foreseen, ...]:
        """Its columns, in order."""


@runtime_checkable
class Supporting(Protocol):
    """A statistic that counts, for disclosure control, who stands behind its numbers."""

    def support_share(self, ask: Ask) -> Fraction:
        """The part of the loss that this takes; 0 where the question counts them anyway."""


@runtime_checkable
class Bounding(Protocol):
    """A statistic that can bound a person in several ways."""

    @property
    def bound(self) -> str:
        """The way that was chosen, as people write it."""

    def bounds(self, ask: Ask) -> Sequence[Bounding]:
        """The same question with each bound that there is, the one that it is asked with first."""

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """As of every statistic."""


def least_epsilon(enough: Callable[[Fraction], bool], *, most: Fraction) -> Fraction | None:
    """The least multiple of 0.0001 from 0.001 to `most` that is enough; None if even `most` is not.

    `enough` must hold for every loss above one for which it holds. Whatever it does, what is returned is
    enough, and one step less is not, or is below 0.001.
    """
    low, high = EPSILON_MIN // EPSILON_STEP - 1, most // EPSILON_STEP
    if high <= low or not enough(high * EPSILON_STEP):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle * EPSILON_STEP):
            high = middle
        else:
            low = middle
    return high * EPSILON_STEP


def greatest_epsilon(allowed: Callable[[Fraction], bool], *, most: Fraction) -> Fraction | None:
    """The greatest multiple of 0.0001 from 0.001 to `most` that is allowed; None if none is."""
    steps = most // EPSILON_STEP
    if allowed(steps * EPSILON_STEP):
        return steps * EPSILON_STEP
    refused = least_epsilon(lambda epsilon: not allowed(epsilon), most=most)
    if refused is None or refused - EPSILON_STEP < EPSILON_MIN:
        return None
    return refused - EPSILON_STEP

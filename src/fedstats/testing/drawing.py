"""Noise for many answers from one set of exact totals: drawn in long vectors and handed out piece by piece.

Each piece is used once, so the pieces are as independent as if they had been drawn one by one. The noise of a
seed is for tests, which must end the same way each time: whoever knows the seed takes it off again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, Sensitivity
from fedstats.mechanisms import NoiseMechanism, mechanism_of

STOCK = 2**15
_REACH = 12
"""So many scales away the Gaussian law is below 1e-31: no float64 comes out there."""
_TABLE_SCALE_MAX = 4_096
"""Above it a rounded normal deviate has the variance of the integer law to 1 part in 2e8."""

Draw = Callable[[Fraction, Sensitivity, Fraction, int], Integers]
"""So many fresh noises, by scale, sensitivity and allowed loss as `NoiseMechanism.add_noise` has them."""


@dataclass(frozen=True, slots=True)
class Stocked:
    """A mechanism whose noise is drawn ahead; it keeps what `NoiseMechanism` promises if `draw` does."""

    name: Mechanism
    draw: Draw
    description: str = "Noise that was drawn ahead, for trying a question many times."
    _stock: dict[tuple[Fraction, Sensitivity, Fraction], list[Integers]] = field(default_factory=dict)

    def add_noise(
        self, values: Integers, *, scale: Fraction, sensitivity: Sensitivity, allowed: Fraction
    ) -> Integers:
        """Add noise that nobody else gets to every element of `values`."""
        stock = self._stock.setdefault((scale, sensitivity, allowed), [np.zeros(0, dtype=np.int64)])
        if len(stock[0]) < len(values):
            stock[0] = self.draw(scale, sensitivity, allowed, max(STOCK, len(values)))
        taken, stock[0] = stock[0][: len(values)], stock[0][len(values) :]
        return np.asarray(values + taken, dtype=np.int64)


def stocked(name: Mechanism, *, seed: int | None) -> NoiseMechanism:
    """The noise of this mechanism, drawn ahead: by the mechanism itself, or from the generator of a seed."""
    if seed is not None:
        generator = np.random.default_rng(seed)  # for tests that must pass again; departments draw their own
        return Stocked(
            name, lambda scale, _sensitivity, _allowed, count: noise(name, generator, scale, count)
        )
    real = mechanism_of(name)

    def draw(scale: Fraction, sensitivity: Sensitivity, allowed: Fraction, count: int) -> Integers:
        none = np.zeros(count, dtype=np.int64)
        return real.add_noise(none, scale=scale, sensitivity=sensitivity, allowed=allowed)

    return Stocked(name, draw)


def noise(mechanism: Mechanism, generator: np.random.Generator, scale: Fraction, count: int) -> Integers:
    """So many noises of this mechanism from a generator, to try intervals with: int64 of shape (count,).

    In floats, and as predictable as the generator is: nothing that leaves a department may have such noise.
    """
    law = _gaussian if mechanism is Mechanism.GAUSSIAN else _laplace
    return law(generator, scale, count)


def _gaussian(generator: np.random.Generator, scale: Fraction, count: int) -> Integers:
    """The discrete Gaussian by its inverse distribution function in floats: exact enough for tests."""
    sigma = float(scale)
    if sigma > _TABLE_SCALE_MAX:
        return np.rint(generator.normal(0, sigma, count)).astype(np.int64)
    reach = int(_REACH * sigma) + 2
    distribution = np.cumsum(np.exp(-((np.arange(-reach, reach + 1) / sigma) ** 2) / 2))
    uniform = generator.random(count) * distribution[-1]
    return np.asarray(np.searchsorted(distribution, uniform, side="right") - reach, dtype=np.int64)


def _laplace(generator: np.random.Generator, scale: Fraction, count: int) -> Integers:
    """The discrete Laplace law is that of the difference of two geometric numbers."""
    end = -np.expm1(-1 / float(scale))
    return np.asarray(generator.geometric(end, count) - generator.geometric(end, count), dtype=np.int64)

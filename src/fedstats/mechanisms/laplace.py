"""Discrete Laplace noise: for those who ask for pure epsilon, with no delta at all."""

from __future__ import annotations

from fractions import Fraction

from opendp.measurements import make_laplace
from opendp.metrics import l1_distance
from opendp.mod import Measurement

from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, Sensitivity
from fedstats.mechanisms._contract import NoiseMechanism
from fedstats.mechanisms._law import Law
from fedstats.mechanisms._opendp import Noise, add_proved_noise, integer_vectors


class Laplace:
    """P(k) ~ exp(-|k| / b) on each integer k; `scale` is b, `allowed` is the pure epsilon.

    Source: Ghosh, Roughgarden, Sundararajan 2009 (the geometric mechanism): D1/b-DP for a vector that one
    unit moves by at most D1 in L1.
    """

    name = Mechanism.LAPLACE
    description = "Discrete Laplace noise on integers; pure differential privacy (epsilon, delta 0)."

    def add_noise(
        self, values: Integers, *, scale: Fraction, sensitivity: Sensitivity, allowed: Fraction
    ) -> Integers:
        """Keep the promise of `NoiseMechanism.add_noise`."""
        return add_proved_noise(
            Noise(self.name, _measurement, _law),
            values,
            distance=sensitivity.d1,
            scale=scale,
            sensitivity=sensitivity,
            allowed=allowed,
        )


def _measurement(scale: float) -> Measurement:
    return make_laplace(integer_vectors(), l1_distance(T="i64"), scale=scale)


def _law(scale: Fraction) -> Law:
    return Law(linear=1 / scale, square=Fraction(0))


MECHANISM: NoiseMechanism = Laplace()

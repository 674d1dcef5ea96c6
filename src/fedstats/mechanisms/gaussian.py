"""Discrete Gaussian noise: the default, and at equal rho the least noise."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter, sqrt

from opendp.measurements import make_gaussian
from opendp.metrics import l2_distance
from opendp.mod import Measurement

from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, Sensitivity
from fedstats.mechanisms._contract import NoiseMechanism
from fedstats.mechanisms._law import Law
from fedstats.mechanisms._opendp import Noise, add_proved_noise, integer_vectors


class Gaussian:
    """P(k) ~ exp(-k^2 / (2 sigma^2)) on each integer k; `scale` is sigma, `allowed` is rho.

    Source: Canonne, Kamath, Steinke 2020: D2^2/(2 sigma^2)-zCDP for a vector that one unit moves by at most
    D2 in L2.
    """

    name = Mechanism.GAUSSIAN
    description = "Discrete Gaussian noise on integers; zero-concentrated differential privacy (rho)."

    def add_noise(
        self, values: Integers, *, scale: Fraction, sensitivity: Sensitivity, allowed: Fraction
    ) -> Integers:
        """Keep the promise of `NoiseMechanism.add_noise`."""
        return add_proved_noise(
            Noise(self.name, _measurement, _law),
            values,
            distance=_square_root_up(sensitivity.d2_squared),
            scale=scale,
            sensitivity=sensitivity,
            allowed=allowed,
        )


def _measurement(scale: float) -> Measurement:
    return make_gaussian(integer_vectors(), l2_distance(T="f64"), scale=scale)


def _law(scale: Fraction) -> Law:
    return Law(linear=Fraction(0), square=1 / (2 * scale**2))


def _square_root_up(squared: int) -> float:
    """Round up: a distance that is a last bit too small would let OpenDP prove too little."""
    root = sqrt(squared)
    return root if Fraction(root) ** 2 >= squared else nextafter(root, inf)


MECHANISM: NoiseMechanism = Gaussian()

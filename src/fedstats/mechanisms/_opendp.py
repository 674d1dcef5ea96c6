"""The one place that calls OpenDP: proved noise on vectors of integers, and the checks before the first draw.

Of OpenDP's opt-ins only `contrib` is enabled. Its integer samplers are exact: they never round a continuous
variable, so the low-order bits of a release say nothing (Mironov 2012; Canonne, Kamath, Steinke 2020). They
draw cell by cell; long vectors get noise of the same law, as exact, from `_sampler`. The checks, and
OpenDP's proof of what a scale costs, are the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from opendp.domains import atom_domain, vector_domain
from opendp.mod import Domain, Measurement, OpenDPException, enable_features

from fedstats.core.accounting import loss_of_scale
from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, Sensitivity
from fedstats.errors import InternalError
from fedstats.mechanisms._law import Law
from fedstats.mechanisms._sampler import draw_noise

enable_features("contrib")

REACH_MAX = 2**62
"""Sums and their noise stay below this: OpenDP saturates at 2^63, which would bend the noise."""

_SCALES_OF_NOISE = 14
"""Room for noise below 2^62, as planning counts it; between 2^62 and 2^63 there is room for 4,096 more."""

LONG_CELLS_MIN = 200
"""Vectors of at least this many cells are drawn by table: where, as measured, building a large table and
drawing from it takes no longer than OpenDP. From small tables (counts) and kept ones 50 cells would do."""


@dataclass(frozen=True, slots=True)
class Noise:
    """One kind of noise: OpenDP's measurement for a scale, and the law that this measurement draws from."""

    mechanism: Mechanism
    measurement: Callable[[float], Measurement]
    law: Callable[[Fraction], Law]


def add_proved_noise(
    noise: Noise,
    values: Integers,
    *,
    distance: float,
    scale: Fraction,
    sensitivity: Sensitivity,
    allowed: Fraction,
) -> Integers:
    """Check every promise of `NoiseMechanism.add_noise`, then draw.

    `distance` is the sensitivity in the metric of OpenDP's measurement.
    """
    _check_values(values, scale)
    if scale <= 0 or Fraction(float(scale)) != scale:
        raise InternalError("A noise scale must be positive and exactly a 64-bit float.")
    try:
        measurement = noise.measurement(float(scale))
        loss = max(loss_of_scale(noise.mechanism, sensitivity, scale), _proved_loss(measurement, distance))
        if loss > allowed:
            raise InternalError("The noise would cost more privacy than was charged; nothing was released.")
        if len(values) >= LONG_CELLS_MIN:
            return values + draw_noise(noise.law(scale), len(values))
        return np.array(measurement(values.tolist()), dtype=np.int64)
    except OpenDPException:
        # Without the cause: what OpenDP says may speak of the values.
        raise InternalError("OpenDP refused to add noise; nothing was released.") from None


def integer_vectors() -> Domain:
    """Describe the data that every measurement here takes: vectors of int64."""
    return vector_domain(atom_domain(T="i64"))


def _check_values(values: Integers, scale: Fraction) -> None:
    if values.dtype != np.int64 or values.ndim != 1:
        raise InternalError("Noise is added to vectors of 64-bit integers only.")
    reach = max(abs(int(values.min(initial=0))), int(values.max(initial=0)))
    if reach + _SCALES_OF_NOISE * scale >= REACH_MAX:
        raise InternalError("An exact number and its noise might not fit 64 bits.")


def _proved_loss(measurement: Measurement, distance: float) -> Fraction:
    proved: float = measurement.map(distance)  # type: ignore[no-untyped-call]  # opendp types it not
    return Fraction(proved)

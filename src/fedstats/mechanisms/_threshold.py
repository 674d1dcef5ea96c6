"""Keys without a public list: which of the values that are in the data may be named.

    noise    on the number of units at each value that is there; a value that is not there is never thought of
    compare  those with a noisy number of at least the threshold stay
    keep     of these the `values_max` with the greatest numbers, in order of the values

The last step looks at noisy numbers only. None of the numbers leaves: what is released about the named values
has noise of its own, so that its intervals are right, and not those of numbers that were picked for being
large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from heapq import nlargest

from opendp.domains import atom_domain, map_domain
from opendp.measurements import make_gaussian_threshold, make_laplace_threshold
from opendp.metrics import absolute_distance, l01inf_distance, l02inf_distance
from opendp.mod import Domain, Measurement, Metric, OpenDPException, enable_features

from fedstats.core.aggregate.exact import Exact
from fedstats.core.plan import ThresholdPlan
from fedstats.core.privacy import Mechanism
from fedstats.errors import InternalError
from fedstats.mechanisms._contract import NoiseMechanism

enable_features("contrib")

_ROUNDING = Fraction(1, 2**48)
"""By how much, for each value, OpenDP's delta can be too large: it takes 1 - (1 - p)^values in float64, each
step rounded up. Without room for that, small deltas that our exact tail keeps would be refused."""


def named_values(
    batches: Iterable[Exact], plan: ThresholdPlan, mechanism: NoiseMechanism, *, values_max: int
) -> tuple[str, ...]:
    """The values to name, sorted, of all that `batches` hold; each value comes in one batch, once.

    Raises
    ------
    InternalError
        The threshold would cost more than was charged, by our formula or by OpenDP's.

    """
    _check_proof(plan, mechanism.name)
    named: list[tuple[int, str]] = []
    for exact in batches:
        if exact.values is None or len(exact.vectors) != 1:
            raise InternalError("A threshold is for the numbers of units at the values of one key.")
        noisy = mechanism.add_noise(
            exact.vectors[0],
            scale=plan.scale,
            sensitivity=plan.sensitivity,
            allowed=plan.loss.amount,
        )
        passed = (noisy >= plan.least).nonzero()[0].tolist()
        named += [(int(noisy[i]), exact.values[i]) for i in passed]
        named = nlargest(values_max, named)
    return tuple(sorted(value for _, value in named))


def _check_proof(plan: ThresholdPlan, mechanism: Mechanism) -> None:
    """Ask OpenDP too. Its delta is a lower bound (see `core.threshold`): passing is needed, not enough."""
    try:
        measurement = _MEASUREMENTS[mechanism](float(plan.scale), plan.least)
        # At most so many values change, in sum and in squares by no more than each by 1.
        amount, delta = measurement.map((plan.values, plan.values, 1))  # type: ignore[no-untyped-call]  # opendp types it not
    except OpenDPException:
        raise InternalError("OpenDP has no proof of this threshold; nothing was released.") from None
    allowed = plan.loss.delta_add + plan.values * _ROUNDING
    if Fraction(amount) > plan.loss.amount or Fraction(delta) > allowed:
        raise InternalError("The threshold would cost more privacy than was charged; nothing was released.")


def _gaussian(scale: float, threshold: int) -> Measurement:
    return make_gaussian_threshold(_counts(), l02inf_distance(_by_count()), scale, threshold)


def _laplace(scale: float, threshold: int) -> Measurement:
    return make_laplace_threshold(_counts(), l01inf_distance(_by_count()), scale, threshold)


_MEASUREMENTS: dict[Mechanism, Callable[[float, int], Measurement]] = {
    Mechanism.GAUSSIAN: _gaussian,
    Mechanism.LAPLACE: _laplace,
}


def _counts() -> Domain:
    return map_domain(atom_domain(T=str), atom_domain(T="i64"))


def _by_count() -> Metric:
    return absolute_distance(T="i64")

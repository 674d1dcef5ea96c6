"""The noise: one file of this folder = one mechanism of differential privacy.

Only a mechanism turns exact numbers into numbers that may leave a node. A file here has the name of a value
of `fedstats.core.privacy.Mechanism`, offers `MECHANISM`, and passes `tests/conformance/test_mechanisms.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules

from fedstats.core.aggregate.exact import Exact
from fedstats.core.plan import ThresholdPlan
from fedstats.core.privacy import Mechanism
from fedstats.errors import ExtraMissing, InternalError
from fedstats.mechanisms._contract import NoiseMechanism

__all__ = ["NoiseMechanism", "mechanism_of", "mechanisms_here", "named_values"]


def mechanism_of(name: Mechanism) -> NoiseMechanism:
    """Load the mechanism of this name from its file; nothing loads OpenDP before.

    Raises
    ------
    ExtraMissing
        OpenDP is not installed.
    InternalError
        The folder has no such file.

    """
    if name not in mechanisms_here():
        raise InternalError(f"There is no file for the mechanism {name.value}.")
    try:
        mechanism: NoiseMechanism = import_module(f"{__name__}.{name.value}").MECHANISM
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opendp":
            raise
        raise ExtraMissing(
            "OpenDP, which draws the noise, is not installed.", remedy='Type: pip install "fedstats[node]"'
        ) from error
    return mechanism


def named_values(
    batches: Iterable[Exact], plan: ThresholdPlan, mechanism: NoiseMechanism, *, values_max: int
) -> tuple[str, ...]:
    """The values of a key without a public list that may be named, sorted; see `_threshold`."""
    thresholding = import_module(f"{__name__}._threshold")  # it loads OpenDP
    named: tuple[str, ...] = thresholding.named_values(batches, plan, mechanism, values_max=values_max)
    return named


def mechanisms_here() -> tuple[Mechanism, ...]:
    """List the mechanisms whose file is in this folder, without loading any."""
    files = sorted(module.name for module in iter_modules(__path__))
    return tuple(Mechanism(file) for file in files if not file.startswith("_"))

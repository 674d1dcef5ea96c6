"""What every mechanism promises to the node that runs it."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism, Sensitivity


class NoiseMechanism(Protocol):
    """One way to make exact integers releasable."""

    @property
    def name(self) -> Mechanism:
        """Its name in agreements and on the wire, and the name of its file."""

    @property
    def description(self) -> str:
        """One sentence for reports: which noise it adds and what it guarantees."""

    def add_noise(
        self, values: Integers, *, scale: Fraction, sensitivity: Sensitivity, allowed: Fraction
    ) -> Integers:
        """Add fresh, independent integer noise to every element of `values` (shape (n,), n may be 0).

        `scale` is what `fedstats.core.accounting.noise_scale` derived, `sensitivity` how far one unit moves
        the whole vector, and `allowed` the loss that was charged for it, in the mechanism's own currency
        (rho or pure epsilon). Before the first draw the loss is computed anew from scale and sensitivity,
        once exactly and once by the noise library's own proof; if either is over `allowed`, nothing is
        drawn.

        Raises
        ------
        InternalError
            The loss would be over `allowed`, the scale is not positive and exactly a float64, the values are
            not a vector of int64, or value and noise might leave 64 bits. Planning excludes all four.

        """

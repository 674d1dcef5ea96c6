"""Exact discrete Gaussian noise for 1,000,000 cells, against OpenDP's sampler cell by cell.

The value is the slower of two: the noise of a count (sigma 4.7) and that of a sum (sigma 9,562), both for
epsilon 1, through the same function that a node calls. OpenDP draws at most 10,000 cells here; its time per
cell does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from _measuring import Result, medians_s
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_gaussian
from opendp.metrics import l2_distance

from fedstats.core.privacy import Mechanism, Sensitivity
from fedstats.mechanisms import mechanism_of

name = "noise_1e6"
unit = "s"
target = 1.0

MILLION = 10**6
COUNT, SUM = Fraction(4781, 1024), Fraction(9562)
SIZES = (200, 1_000, 10_000)


def run() -> Result:
    """Time both samplers in turn."""
    whole = medians_s({"count": fedstats(COUNT, MILLION), "sum": fedstats(SUM, MILLION)}, repeats=7)
    details = {f"fedstats, {label} of 1,000,000 cells, s": taken for label, taken in whole.items()}
    for cells in SIZES:
        peers = {
            f"fedstats, count of {cells:,} cells, us per cell": fedstats(COUNT, cells),
            f"fedstats, sum of {cells:,} cells, us per cell": fedstats(SUM, cells),
            f"OpenDP, count of {cells:,} cells, us per cell": opendp(COUNT, cells),
            f"OpenDP, sum of {cells:,} cells, us per cell": opendp(SUM, cells),
        }
        taken = medians_s(peers, repeats=7)
        details.update({label: 1e6 * seconds / cells for label, seconds in taken.items()})
    return Result(max(whole.values()), details)


def fedstats(sigma: Fraction, cells: int) -> Callable[[], object]:
    """The mechanism of a node, with its checks."""
    values, mechanism = np.zeros(cells, dtype=np.int64), mechanism_of(Mechanism.GAUSSIAN)
    return lambda: mechanism.add_noise(
        values, scale=sigma, sensitivity=Sensitivity(1, 1), allowed=Fraction(1)
    )


def opendp(sigma: Fraction, cells: int) -> Callable[[], object]:
    """OpenDP's own measurement on a list of integers."""
    measurement = make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale=float(sigma))
    values = [0] * cells
    return lambda: measurement(values)

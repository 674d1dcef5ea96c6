"""Whether draws follow the exact probabilities of a discrete law: Pearson's chi-square."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

from fedstats.core.aggregate.exact import Integers
from fedstats.core.privacy import Mechanism


def chi_square_p_value(noise: Integers, mechanism: Mechanism, scale: float) -> float:
    """Pearson's test of draws against the exact probabilities.

    Cells: -m..m one by one or in runs, and both tails.
    """
    reach = int(40 * scale) + 10
    weights = np.array([weight(mechanism, scale, k) for k in range(reach + 1)])
    probabilities = weights / (2 * weights.sum() - weights[0])
    observed = np.bincount(np.minimum(np.abs(noise), reach), minlength=reach + 1)
    signs = np.bincount(np.minimum(noise[noise > 0], reach), minlength=reach + 1)
    statistic = (observed[0] - len(noise) * probabilities[0]) ** 2 / (len(noise) * probabilities[0])
    degrees = 0
    for run in runs_of_enough(probabilities, 100 / len(noise)):
        expected = len(noise) * probabilities[run].sum()
        positive = signs[run].sum()
        negative = observed[run].sum() - positive
        statistic += ((positive - expected) ** 2 + (negative - expected) ** 2) / expected
        degrees += 2
    return p_value(statistic, degrees)


def p_value(statistic: float, degrees: int) -> float:
    """The upper tail of chi-square, a finite sum for whole halves of degrees (Abramowitz and Stegun 26.4.5).

    An odd number of degrees is taken for one more, which is a little too lenient.
    """
    halves = (degrees + 1) // 2
    terms = np.cumsum(np.concatenate([[0.0], np.log(statistic / 2) - np.log(np.arange(1, halves))]))
    return float(np.exp(terms - statistic / 2).sum())


def weight(mechanism: Mechanism, scale: float, k: int) -> float:
    """What the probability of k is proportional to."""
    return exp(-k / scale) if mechanism is Mechanism.LAPLACE else exp(-(k * k) / (2 * scale * scale))


def runs_of_enough(probabilities: NDArray[np.float64], least: float) -> list[slice]:
    """Cut 1, 2, 3, ... into runs of at least this probability each, the last of them with the whole tail."""
    cuts, total = [1], 0.0
    for k in range(1, len(probabilities)):
        total += probabilities[k]
        if total >= least and probabilities[k + 1 :].sum() >= least:
            cuts.append(k + 1)
            total = 0.0
    return [slice(start, end) for start, end in zip(cuts, [*cuts[1:], len(probabilities)], strict=True)]

"""The week of a quantile from noisy counts, as the example over published waits works it out."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DRAWS = 2_000
COVERED_MIN = 1_851
"""Of 2,000 intervals at 95 %; fewer have a chance of about 1e-5 (binomial)."""


@pytest.fixture(autouse=True)
def _examples_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.parametrize("share", [0.5, 0.92])
@pytest.mark.parametrize("pathways", [800, 2_000, 40_000])
def test_the_interval_of_a_week_holds_the_true_one(share: float, pathways: int) -> None:
    """At least 95 in 100 intervals hold the week, for few pathways and many; false alarm about 1e-5 each.

    Power: an interval of half the width fails at 2,000 and 40,000 pathways.
    """
    from rtt_bands import quantile_band

    exact = np.diff(np.round(pathways * (1 - np.exp(-np.arange(106) / 20)))).astype(int)
    total = int(exact.sum())
    true = next(k for k, n in enumerate(accumulate(exact)) if n >= share * total)
    # A seed, so that the trial can be repeated: no private number is protected by it.
    noise = np.random.default_rng(20251122)  # a fixed seed: what passes, passes again
    sd, total_sd, covered = 20.0, 30.0, 0
    for _ in range(DRAWS):
        counts = exact + np.rint(noise.normal(0, sd, 105))
        band = quantile_band(
            counts.tolist(),
            count_sd=sd,
            total=total + noise.normal(0, total_sd),
            total_sd=total_sd,
            share=share,
        )
        covered += band is None or true in band
    assert covered >= COVERED_MIN


def test_without_noise_the_week_is_exact() -> None:
    """Counts that are told exactly give the one week, also where it is the first or the last."""
    from rtt_bands import Band, quantile_band

    for week in (0, 13, 104):
        counts = [0.0] * 105
        counts[week] = 100.0
        band = quantile_band(counts, count_sd=1e-9, total=100.0, total_sd=1e-9, share=0.5)
        assert band == Band(week, week, week)


def test_noise_that_hides_everything_gives_no_week() -> None:
    """Where every week is possible there is none to show."""
    from rtt_bands import quantile_band

    assert quantile_band([0.0] * 105, count_sd=50.0, total=10.0, total_sd=50.0, share=0.5) is None

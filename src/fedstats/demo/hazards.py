"""How long people wait: the empirical weekly hazard, and the effects planted on top of it.

The model is proportional hazards on weekly bands, S(t | x) = S0(t) ^ exp(x beta), so a complementary log-log
or Cox fit of the generated rows has a known truth. A Weibull would be wrong: the hazard is U-shaped, falls
from week 0 to week 23, and rises to peaks at the 52 and 65 week targets.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fedstats.demo.codes import CODES, TREATMENT_FUNCTIONS

WEEKLY_HAZARD: Final = (
    0.113, 0.086, 0.072, 0.067, 0.062, 0.060, 0.055, 0.051, 0.047, 0.044, 0.042, 0.042, 0.042,
    0.042, 0.040, 0.041, 0.041, 0.041, 0.039, 0.038, 0.037, 0.036, 0.036, 0.035, 0.036, 0.036,
    0.036, 0.036, 0.036, 0.037, 0.038, 0.038, 0.040, 0.041, 0.041, 0.040, 0.040, 0.041, 0.042,
    0.044, 0.045, 0.047, 0.049, 0.052, 0.052, 0.054, 0.057, 0.062, 0.071, 0.076, 0.082, 0.087,
    0.089, 0.087, 0.090, 0.094, 0.097, 0.103, 0.114, 0.125, 0.135, 0.150, 0.163, 0.190, 0.212,
    0.207, 0.197, 0.184, 0.168, 0.151, 0.136, 0.123, 0.113, 0.106, 0.100, 0.094, 0.089, 0.082,
    0.075, 0.069, 0.062, 0.058, 0.054, 0.052, 0.049, 0.049, 0.046, 0.044, 0.040, 0.039, 0.034,
    0.031, 0.029, 0.027, 0.025, 0.023, 0.021, 0.020, 0.020, 0.019, 0.019, 0.020, 0.020, 0.019,
    0.019,
)  # fmt: skip  # a quarter of a year a row
"""Chance that a clock still running at the start of a weekly band stops in it; 105 bands.

Source: NHS England RTT statistics, completed admitted and non-admitted pathways, September to November 2025,
all trusts and functions (Open Government Licence v3): stops in the band over stops in it or later. From band
66, where counts are small, a moving window of five bands. The last band is open-ended in that source and
repeats the one before.
"""

IMD_HAZARD_RATIO: Final = 0.885
"""Hazard of a stop in the most deprived decile (1) against the least deprived (10); log-linear between."""

LOG_HAZARD_PER_IMD_DECILE: Final = -math.log(IMD_HAZARD_RATIO) / 9
LOG_HAZARD_PER_TEN_YEARS: Final = 0.02
LOG_HAZARD_OF_PRIORITY: Final = {"routine": 0.0, "urgent": 0.69, "two_week": 1.10}
LOG_FRAILTY_SD: Final = 0.25
"""Standard deviation of a trust's log hazard ratio: lognormal frailty, median 1."""

REFERENCE_AGE_YEARS: Final = 50
REFERENCE_IMD_DECILE: Final = 5.5

# With the effects above, the average log hazard ratio of the generated people is 0.23 at the reference age
# and decile, almost all of it the two faster priorities. Taking it off again keeps the waits of everybody
# together at the published level.
_LOG_HAZARD_OFFSET: Final = -0.23

_DAYS_OF_BAND_0: Final = 8
_DAYS_OF_BAND: Final = 7


def cumulative_hazard() -> NDArray[np.float64]:
    """Return the baseline -log S0 at the start of each band and at the end of the last: shape (106,)."""
    return np.concatenate([[0.0], np.cumsum(-np.log1p(-np.array(WEEKLY_HAZARD)))])


def log_hazard_ratio(
    *,
    treatment_function: NDArray[np.int64],
    priority: NDArray[np.int64],
    age: NDArray[np.int64],
    imd_decile: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return x beta of each pathway, without the trust's frailty.

    `treatment_function` and `priority` are positions in `CODES`; `age` is in years. All have shape (n,).
    """
    of_function = np.array([function.log_hazard for function in TREATMENT_FUNCTIONS])
    of_priority = np.array([LOG_HAZARD_OF_PRIORITY[code] for code in CODES["priority"]])
    ratio: NDArray[np.float64] = (
        _LOG_HAZARD_OFFSET
        + of_function[treatment_function]
        + of_priority[priority]
        + LOG_HAZARD_PER_TEN_YEARS * (age - REFERENCE_AGE_YEARS) / 10
        + LOG_HAZARD_PER_IMD_DECILE * (imd_decile - REFERENCE_IMD_DECILE)
    )
    return ratio


def draw_wait_days(log_hazard_ratio: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the days from clock start to clock stop, shape (n,), by inverting the cumulative hazard.

    -log S(T | x) is standard exponential, so T is where the baseline reaches that draw over exp(x beta). A
    wait beyond the last band gets the day after it: longer than any pathway of the list has been followed.
    """
    edges = cumulative_hazard()
    reached = rng.standard_exponential(log_hazard_ratio.size) * np.exp(-log_hazard_ratio)
    band = np.searchsorted(edges, reached, side="right") - 1
    inside = band < len(WEEKLY_HAZARD)
    start, end = edges[np.where(inside, band, 0)], edges[np.where(inside, band + 1, 1)]
    part = np.where(inside, (reached - start) / (end - start), 0.0)
    # Band 0 is days 0 to 7; band w is the seven days from 7 w + 1.
    days = np.where(band == 0, part * _DAYS_OF_BAND_0, 1 + (band + part) * _DAYS_OF_BAND)
    return days.astype(np.int64)


def band_of_days(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the published weekly band, 0 to 104, of waits in days (day 126 is within 18 weeks)."""
    later = np.minimum((days - 1) // _DAYS_OF_BAND, len(WEEKLY_HAZARD) - 1)
    return np.where(days <= _DAYS_OF_BAND, 0, later)

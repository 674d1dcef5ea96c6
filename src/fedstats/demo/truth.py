"""What nobody in a real federation can compute: the exact answers over all trusts, for the demo alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedstats.demo.codes import CODES, IMD_DECILE_BOUNDS

WEEKS_18_DAYS = 126
LONGEST_WAIT_DAYS = 730
AGE_CUTS = (19, 65)
AGE_BANDS = ("0-18", "19-64", "65-104")

Columns = Mapping[str, NDArray[Any]]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the demo: its SQL, and its exact answers by the labels of its keys."""

    title: str
    sql: str
    truth: Callable[[Columns], Mapping[Key, float]]


def _share_within_18_weeks(columns: Columns) -> Mapping[Key, float]:
    days, ended = _waits(columns)
    within = days <= WEEKS_18_DAYS
    functions = columns["treatment_function"]
    return {
        (code,): float(within[ended & (functions == code)].mean())
        for code in CODES["treatment_function"]
        if (ended & (functions == code)).any()
    }


def _mean_wait_by_decile(columns: Columns) -> Mapping[Key, float]:
    days, ended = _waits(columns)
    clamped = np.clip(days, 0, LONGEST_WAIT_DAYS)
    lo, hi = IMD_DECILE_BOUNDS
    return {
        (str(decile),): float(clamped[ended & (columns["imd_decile"] == decile)].mean())
        for decile in range(lo, hi + 1)
    }


def _pathways_by_trust_and_age(columns: Columns) -> Mapping[Key, float]:
    bands = np.digitize(columns["age"], AGE_CUTS)
    return {
        (department, label): float(((columns["department"] == department) & (bands == i)).sum())
        for department in _distinct(columns["department"])
        for i, label in enumerate(AGE_BANDS)
    }


def _waits(columns: Columns) -> tuple[NDArray[Any], NDArray[Any]]:
    """Days from clock start to clock stop, and where both are known."""
    start, end = columns["rtt_start_date"], columns["rtt_end_date"]
    known = ~(np.isnat(start) | np.isnat(end))
    days = np.zeros(len(start), dtype=np.int64)
    days[known] = (end[known] - start[known]).astype(np.int64)
    return days, known


def _distinct(values: NDArray[Any]) -> Sequence[str]:
    return [str(value) for value in np.unique(values)]


QUESTIONS = (
    Question(
        "Which share of patients was treated within 18 weeks, by treatment function?",
        "SELECT treatment_function, SHARE(rtt_end_date - rtt_start_date <= 126) AS within_18_weeks "
        "FROM rtt GROUP BY treatment_function",
        _share_within_18_weeks,
    ),
    Question(
        "How long is the average wait in days, by deprivation (1 is the most deprived tenth)?",
        "SELECT imd_decile, AVG(CLAMP(rtt_end_date - rtt_start_date, 0, 730)) AS mean_wait "
        "FROM rtt GROUP BY imd_decile",
        _mean_wait_by_decile,
    ),
    Question(
        "How many pathways has each department, by age band?",
        "SELECT department, BAND(age, 19, 65) AS age_band, COUNT(*) AS pathways "
        "FROM rtt GROUP BY department, BAND(age, 19, 65)",
        _pathways_by_trust_and_age,
    ),
)

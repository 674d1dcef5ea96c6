"""Make rows as wrong as real ones: what a node's dirty-data policies have to survive.

How a trust spells dates and codes is not here but in `fedstats.demo.trusts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fedstats.demo.codes import Column

DUPLICATE_SHARE: Final = 0.005
NUMBER_MISSING_SHARE: Final = 0.003
END_BEFORE_START_SHARE: Final = 0.002
START_UNKNOWN_SHARE: Final = 0.005

END_BEFORE_START_DAYS_MAX: Final = 21
NO_NHS_NUMBER: Final = 0


def soil(rows: Mapping[str, Column], rng: np.random.Generator) -> tuple[dict[str, Column], NDArray[np.bool_]]:
    """Return the rows with dirt, in shuffled order, and which of them are the second copy of another row."""
    wrong = dict(rows)
    count = wrong["nhs_number"].size

    hasty = rng.random(count) < END_BEFORE_START_SHARE
    early_days = rng.integers(1, END_BEFORE_START_DAYS_MAX, count, endpoint=True)
    wrong["rtt_end_date"] = np.where(hasty, wrong["rtt_start_date"] - early_days, wrong["rtt_end_date"])

    unknown = rng.random(count) < START_UNKNOWN_SHARE
    wrong["rtt_start_date"] = np.where(unknown, np.datetime64("NaT"), wrong["rtt_start_date"])

    unnamed = rng.random(count) < NUMBER_MISSING_SHARE
    wrong["nhs_number"] = np.where(unnamed, NO_NHS_NUMBER, wrong["nhs_number"])

    twice = np.flatnonzero(rng.random(count) < DUPLICATE_SHARE)
    order = rng.permutation(count + twice.size)
    taken = np.concatenate([np.arange(count), twice])[order]
    return {name: column[taken] for name, column in wrong.items()}, order >= count

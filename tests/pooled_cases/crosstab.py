"""The crosstab: counts, shares, expected counts, residuals and Pearson's test, as textbooks write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pooled_case import Case, Key, Tables
from scipy.stats import chi2

from fedstats.statistics.crosstab import Crosstab


def crossed(frame: pd.DataFrame, row: str, column: str, of: Key = ()) -> Tables:
    """All three tables from the counts of all rows."""
    counts = pd.crosstab(frame[row], frame[column])
    n, total = counts.to_numpy(dtype=float), float(len(frame.dropna(subset=[row, column])))
    rows, columns = n.sum(axis=1), n.sum(axis=0)
    expected = np.outer(rows, columns) / total
    residual = (n - expected) / np.sqrt(expected * np.outer(1 - rows / total, 1 - columns / total))
    places = [
        ((*of, _label(r), _label(c)), i, j)
        for i, r in enumerate(counts.index)
        for j, c in enumerate(counts.columns)
    ]
    square, free = float(((n - expected) ** 2 / expected).sum()), (len(rows) - 1) * (len(columns) - 1)
    v = (square / total / (min(n.shape) - 1)) ** 0.5
    return {
        "crosstab": {key: (n[i, j], n[i, j] / rows[i], n[i, j] / columns[j]) for key, i, j in places},
        "independence": {key: (expected[i, j], residual[i, j]) for key, i, j in places},
        "test": {of: (square, float(free), float(chi2.sf(square, free)), v)},
    }


def by(frame: pd.DataFrame, key: str, row: str, column: str) -> Tables:
    """The same for each value of another key."""
    made: dict[str, dict[Key, tuple[float, ...]]] = {}
    for value, group in frame.groupby(key):
        for name, found in crossed(group, row, column, (_label(value),)).items():
            made.setdefault(name, {}).update(found)
    return made


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)


CASES = (
    Case(
        "two truths by department",
        "randhie",
        lambda dataset: Crosstab(dataset.name, "idp", "hlthg", by=("department",)),
        lambda frame: by(frame, "department", "idp", "hlthg"),
    ),
    Case(
        "categories, rows without a value left out",
        "demo",
        lambda dataset: Crosstab(
            dataset.name, "stop_type", "sex", where="stop_type IN ('admitted', 'nonadmitted')"
        ),
        lambda frame: crossed(
            frame[frame["stop_type"].isin(["admitted", "nonadmitted"])], "stop_type", "sex"
        ),
    ),
)

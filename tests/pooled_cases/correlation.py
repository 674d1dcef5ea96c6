"""Correlation: means, covariances and correlations as pandas computes them of rows without gaps."""

from __future__ import annotations

import pandas as pd
from pooled_case import Case, Key, Tables

from fedstats.statistics.correlation import Correlation


def moments(columns: pd.DataFrame, of: Key = ()) -> Tables:
    """All three tables of numbers in columns that are named as they were asked for."""
    whole = columns.dropna().astype(float)
    matrices = {"correlation": whole.corr(), "covariance": whole.cov()}
    made: dict[str, dict[Key, tuple[float, ...]]] = {
        name: {(*of, str(c)): tuple(matrix.loc[c]) for c in whole} for name, matrix in matrices.items()
    }
    made["columns"] = {(*of, str(c)): (float(len(whole)), whole[c].mean(), whole[c].std()) for c in whole}
    return made


def sites(frame: pd.DataFrame) -> Tables:
    """Of each site."""
    made: dict[str, dict[Key, tuple[float, ...]]] = {}
    for site, group in frame.groupby("department"):
        for name, rows in moments(group[["mdvis", "lpi", "disea", "hlthg"]], (str(site),)).items():
            made.setdefault(name, {}).update(rows)
    return made


def waits(frame: pd.DataFrame) -> Tables:
    """Of those whose clock stopped."""
    days = (frame["rtt_end_date"] - frame["rtt_start_date"]).dt.days.clip(0, 730)
    return moments(pd.DataFrame({"CLAMP(rtt_end_date - rtt_start_date, 0, 730)": days, "age": frame["age"]}))


CASES = (
    Case(
        "numbers and a truth by department",
        "randhie",
        lambda dataset: Correlation(dataset.name, ("mdvis", "lpi", "disea", "hlthg"), by=("department",)),
        sites,
    ),
    Case(
        "complete cases of values that may be missing",
        "demo",
        lambda dataset: Correlation(dataset.name, ("CLAMP(rtt_end_date - rtt_start_date, 0, 730)", "age")),
        waits,
    ),
)

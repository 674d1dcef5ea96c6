"""Quantiles: the least value that a share of the rows does not exceed, as sorting the rows gives it."""

from __future__ import annotations

import math

import pandas as pd
from pooled_case import Case, Tables

from fedstats.statistics.quantiles import Quantiles

SHARES = (0.1, 0.25, 0.5, 0.92)


def of(frame: pd.DataFrame, column: str, key: str) -> Tables:
    """The order statistics of all rows, by a key."""
    return {
        "quantiles": {
            (str(value), f"{q:g}"): (float(group.iloc[math.ceil(q * len(group)) - 1]),)
            for value, held in frame.dropna(subset=[key]).groupby(key)
            for group in [held[column].dropna().sort_values()]
            for q in SHARES
            if len(group)
        }
    }


CASES = (
    Case(
        "ages by sex",
        "demo",
        lambda dataset: Quantiles(dataset.name, "age", SHARES, by=("sex",)),
        lambda frame: of(frame, "age", "sex"),
    ),
    Case(
        "visits by year, several rows a person",
        "randhie",
        lambda dataset: Quantiles(dataset.name, "mdvis", SHARES, by=("year",)),
        lambda frame: of(frame, "mdvis", "year"),
    ),
    Case(
        "published weeks by part",
        "rtt",
        lambda dataset: Quantiles(dataset.name, "weeks", SHARES, by=("part",)),
        lambda frame: of(frame, "weeks", "part"),
    ),
)

"""A description: rows, people, gaps, means, quantiles and categories as pandas finds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pooled_case import Case, Key, Tables

from fedstats.statistics.describe import Describe

NUMBERS = ("year", "mdvis")
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def randhie(frame: pd.DataFrame) -> Tables:
    """Two numbers of few values, and a truth."""
    return {
        "dataset": {(): (float(len(frame)), _people(frame, "zper"))},
        "numbers": {
            (name,): (frame[name].mean(), frame[name].std(), *(_rank(frame[name], q) for q in SHARES))
            for name in NUMBERS
        },
        "categories": _values(frame, "hlthg", lambda value: str(value).lower()),
    }


def demo(frame: pd.DataFrame) -> Tables:
    """Dates and categories with gaps."""
    stops = frame["stop_type"].where(frame["stop_type"] != "")
    return {
        "dataset": {(): (float(len(frame)), _people(frame, "nhs_number"))},
        "missing": {
            ("rtt_end_date",): (float(frame["rtt_end_date"].isna().mean()),),
            ("stop_type",): (float(stops.isna().mean()),),
        },
        "categories": _values(
            frame.assign(stop_type=stops), "stop_type", lambda value: None if pd.isna(value) else str(value)
        ),
    }


def _people(frame: pd.DataFrame, person: str) -> float:
    """Of each department."""
    return float(frame.groupby("department")[person].nunique().sum())


def _rank(values: pd.Series, q: float) -> float:
    """The least value that a share q of them does not exceed."""
    return float(np.sort(values)[int(np.ceil(q * len(values) - 1e-9)) - 1])


def _values(
    frame: pd.DataFrame, name: str, label: Callable[[Any], str | None]
) -> dict[Key, tuple[float, ...]]:
    counts = frame[name].value_counts(dropna=False)
    return {(name, label(value)): (float(n), n / len(frame)) for value, n in counts.items()}


CASES = (
    Case("numbers and a truth", "randhie", lambda d: Describe(d.name, (*NUMBERS, "hlthg")), randhie),
    Case("gaps", "demo", lambda d: Describe(d.name, ("rtt_end_date", "stop_type")), demo),
)

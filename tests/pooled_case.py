"""A comparison of a statistic with the pooled answer; a file in `pooled_cases` has those of its statistic."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fedstats.core.schema import Dataset
from fedstats.core.statistic import Statistic

Key = tuple[str | None, ...]
Tables = Mapping[str, Mapping[Key, tuple[float, ...]]]
"""By the name of a table: the numbers of each row that has any, by the labels of its keys."""


@dataclass(frozen=True)
class Case:
    """A statistic over one of the `pooled_worlds`, and what plain pandas makes of all its rows together.

    `pooled` leaves out rows that must be absent or 0.
    """

    title: str
    world: str
    statistic: Callable[[Dataset], Statistic]
    pooled: Callable[[pd.DataFrame], Tables]


def cases_of(name: str) -> tuple[Case, ...]:
    """The cases of a statistic; none where nobody wrote a file of its name."""
    if not (Path(__file__).parent / "pooled_cases" / f"{name}.py").exists():
        return ()
    cases: tuple[Case, ...] = importlib.import_module(f"pooled_cases.{name}").CASES
    return cases

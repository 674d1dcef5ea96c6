"""Quantiles of 20,000,000 rows, as times the plain histogram query over the same rows.

The private one is all that a node does between the charge and the record for MEDIAN(wait_days), or for any
other quantiles: the statement is written and tried, the edition opened, rows counted in 731 bins in one scan,
the levels of the tree added up, and noise added to all of them. The plain one is what people write where the
rows are at hand, `SELECT wait_days, count(*) ... GROUP BY wait_days`, on a DuckDB table of its own with the
connection open already. DuckDB's own MEDIAN, and the same by treatment function, are beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import _data
from _measuring import Result, medians_s
from private_query import asking, plain_tables, private

from fedstats.core.expression import Column, Expression
from fedstats.core.privacy import Mechanism
from fedstats.statistics._quantile import TreePlan

name = "quantiles_20m"
unit = "ratio"
target = 1.5

_REPEATS = 5
_HISTOGRAM = "SELECT wait_days, count(*) FROM ordered GROUP BY wait_days"
_BY = "SELECT treatment_function, wait_days, count(*) FROM ordered GROUP BY ALL"
_MEDIAN = "SELECT median(wait_days) FROM ordered"


def run() -> Result:
    """All in turn, after one run of each that is not timed."""
    with _data.folder() as place:
        edition = _data.edition(place)
        plain = plain_tables(place, edition)
        taken = medians_s(
            {
                "quantiles, s": quantiles(edition),
                "plain histogram, s": asking(plain, _HISTOGRAM),
                "plain median, s": asking(plain, _MEDIAN),
                "quantiles by function, s": quantiles(edition, Column("treatment_function")),
                "plain histogram by function, s": asking(plain, _BY),
            },
            repeats=_REPEATS,
        )
    return Result(taken["quantiles, s"] / taken["plain histogram, s"], taken)


def quantiles(edition: Path, *keys: Expression) -> Callable[[], object]:
    """What a node does, with its engine and its mechanism."""
    plan = TreePlan.of(Column("wait_days"), _data.DATASET, Mechanism.GAUSSIAN)
    return private(edition, plan.aggregate(keys, _data.DATASET).normalised())

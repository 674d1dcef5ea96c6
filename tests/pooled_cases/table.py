"""The table, every aggregate of it: counts, people, sums, averages, shares, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
from pooled_case import Case, Key, Tables

from fedstats.statistics.table import Table


def of_groups(
    frame: pd.DataFrame, keys: list[str], *numbers: Callable[[pd.DataFrame], float], given: Any = None
) -> Tables:
    """A table with these numbers of every group of rows, of those that meet a condition."""
    rows = frame if given is None else frame[given]
    groups: Iterable[tuple[Any, pd.DataFrame]] = rows.groupby(keys) if keys else [((), rows)]
    return {"table": {_labels(key): tuple(float(n(group)) for n in numbers) for key, group in groups}}


def _labels(key: Any) -> Key:
    return tuple(str(part).lower() if isinstance(part, bool) else str(part) for part in key)


def _sql(
    title: str, world: str, text: str, pooled: Callable[[pd.DataFrame], Tables], bound: str = "rows"
) -> Case:
    return Case(title, world, lambda d: Table.from_sql(text, lambda _: d, bound=bound), pooled)


def _once(frame: pd.DataFrame) -> Tables:
    """Everybody counts once in a cell, with the mean of what they have there."""
    means = frame.groupby(["idp", "zper"])[["mdvis", "disea"]].mean().reset_index()
    return of_groups(means, ["idp"], len, lambda g: g.mdvis.sum(), lambda g: g.disea.mean())


def _weighted(frame: pd.DataFrame) -> Tables:
    """The rows of a person weigh as much as makes their numbers in the cells no longer than two rows."""
    held = frame.groupby(["zper", "idp"]).size()
    length = (held**2).groupby("zper").sum() ** 0.5
    weight = frame.zper.map((2 / length).clip(upper=1))
    weighed = frame.assign(w=weight, wm=weight * frame.mdvis, wd=weight * frame.disea)
    return of_groups(
        weighed, ["idp"], lambda g: g.w.sum(), lambda g: g.wm.sum(), lambda g: g.wd.sum() / g.w.sum()
    )


def _waits(frame: pd.DataFrame) -> pd.Series:
    """Days waited by those whose clock stopped, as the questions below clamp them."""
    return (frame["rtt_end_date"] - frame["rtt_start_date"]).dt.days.clip(0, 730)


_BOUNDED = "SELECT idp, COUNT(*), SUM(mdvis), AVG(disea) FROM randhie GROUP BY idp"

CASES = (
    _sql(
        "counts, people, sums and averages by a truth",
        "randhie",
        "SELECT idp, COUNT(*), COUNT(DISTINCT zper), SUM(disea), AVG(lpi), SUM(mdvis) "
        "FROM randhie GROUP BY idp",
        lambda frame: of_groups(
            frame, ["idp"], len, lambda g: g.zper.nunique(), lambda g: g.disea.sum(),
            lambda g: g.lpi.mean(), lambda g: g.mdvis.sum(),
        ),
    ),
    _sql("everybody once in a cell", "randhie", _BOUNDED, _once, "people"),
    _sql("rows with weights", "randhie", _BOUNDED, _weighted, "norm:2"),
    _sql(
        "shares, ratios, differences and factors by department, under a condition",
        "randhie",
        "SELECT department, 100 * SHARE(hlthg), SUM(mdvis) / COUNT(*), AVG(disea) - AVG(fmde), "
        "SUM(lpi) / SUM(disea) FROM randhie WHERE year <= 3 AND mdvis > 0 GROUP BY department",
        lambda frame: of_groups(
            frame, ["department"], lambda g: 100 * g.hlthg.mean(), lambda g: g.mdvis.mean(),
            lambda g: g.disea.mean() - g.fmde.mean(), lambda g: g.lpi.sum() / g.disea.sum(),
            given=(frame.year <= 3) & (frame.mdvis > 0),
        ),
    ),
    _sql(
        "products and cases of columns, in one cell",
        "randhie",
        "SELECT AVG(mdvis * year), SUM(CASE WHEN hlthp THEN mdvis ELSE 0 END), AVG(ABS(lpi - fmde)) "
        "FROM randhie",
        lambda frame: of_groups(
            frame, [], lambda g: (g.mdvis * g.year).mean(), lambda g: g.mdvis[g.hlthp].sum(),
            lambda g: (g.lpi - g.fmde).abs().mean(),
        ),
    ),
    _sql(
        "values that are missing: waits of those who still wait",
        "demo",
        "SELECT priority, COUNT(*), COUNT(rtt_end_date), AVG(CLAMP(rtt_end_date - rtt_start_date, 0, 730)), "
        "SHARE(rtt_end_date - rtt_start_date <= 126) FROM rtt GROUP BY priority",
        lambda frame: of_groups(
            frame, ["priority"], len, lambda g: g.rtt_end_date.notna().sum(), lambda g: _waits(g).mean(),
            lambda g: ((g.rtt_end_date - g.rtt_start_date).dt.days.dropna() <= 126).mean(),
        ),
    ),
    _sql(
        "published counts by two keys",
        "rtt",
        "SELECT department, part, COUNT(*), SHARE(weeks < 18), AVG(weeks) FROM rtt_months "
        "GROUP BY department, part",
        lambda frame: of_groups(
            frame, ["department", "part"], len, lambda g: (g.weeks < 18).mean(), lambda g: g.weeks.mean()
        ),
    ),
    _sql(
        "dates: months in which clocks started",
        "rtt",
        "SELECT DATE_TRUNC('month', clock_start) AS month, COUNT(*), AVG(clock_stop - clock_start) "
        "FROM rtt_months WHERE tfc <> 'C_100' GROUP BY month",
        lambda frame: of_groups(
            frame.assign(month=frame.clock_start.dt.strftime("%Y-%m-01")), ["month"], len,
            lambda g: (g.clock_stop - g.clock_start).dt.days.mean(), given=frame.tfc != "C_100",
        ),
    ),
)  # fmt: skip # one number a line would hide which question it answers

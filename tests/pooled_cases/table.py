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


def _who(frame: pd.DataFrame) -> pd.DataFrame:
    """The age groups that the question below names, and weekdays and months of the starts of clocks."""
    who = pd.cut(frame.age, [-1, 17, 64, 104], labels=["child", "adult", "older"]).astype(str)
    return frame.assign(
        who=who, weekday=frame.rtt_start_date.dt.isocalendar().day.astype("Int64").astype(str),
        year=frame.rtt_start_date.dt.year.astype("Int64").astype(str),
    )  # fmt: skip # columns of one kind


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
        "variances and standard deviations",
        "randhie",
        "SELECT idp, VAR_SAMP(mdvis), STDDEV(lpi), VAR(hlthg), 2 * STDDEV(mdvis) / AVG(mdvis), "
        "VARIANCE(disea) - VARIANCE(fmde) FROM randhie GROUP BY idp",
        lambda frame: of_groups(
            frame, ["idp"], lambda g: g.mdvis.var(), lambda g: g.lpi.std(), lambda g: g.hlthg.var(),
            lambda g: 2 * g.mdvis.std() / g.mdvis.mean(), lambda g: g.disea.var() - g.fmde.var(),
        ),
    ),
    _sql(
        "a histogram, with averages of its bins",
        "randhie",
        "SELECT HISTOGRAM(mdvis, 7), COUNT(*), AVG(lpi) FROM randhie",
        lambda frame: of_groups(
            frame.assign(bin=(frame.mdvis // 11).clip(upper=6).map(
                lambda i: f"{11 * i} to {11 * i + 10 + (i == 6)}")),
            ["bin"], len, lambda g: g.lpi.mean(),
        ),
    ),
    _sql(
        "cells with names, parts of dates, rounded numbers",
        "demo",
        "SELECT CASE WHEN age < 18 THEN 'child' WHEN age < 65 THEN 'adult' ELSE 'older' END AS who, "
        "COUNT(*), AVG(ROUND(age / 10)), SHARE(ISODOW(rtt_start_date) > 5), "
        "COUNT_IF(YEAR(rtt_start_date) = 2024), AVG(age ** 2 % 7) FROM rtt GROUP BY who",
        lambda frame: of_groups(
            _who(frame), ["who"], len, lambda g: (g.age / 10 + 0.5).floordiv(1).mean(),
            lambda g: (g.rtt_start_date.dropna().dt.day_of_week > 4).mean(),
            lambda g: (g.rtt_start_date.dt.year == 2024).sum(), lambda g: (g.age**2 % 7).mean(),
        ),
    ),
    _sql(
        "keys made of dates",
        "demo",
        "SELECT YEAR(rtt_start_date), ISODOW(rtt_start_date), COUNT(*), "
        "AVG(DATEDIFF('month', rtt_start_date, rtt_end_date)) FROM rtt "
        "WHERE rtt_start_date IS NOT NULL AND rtt_end_date IS NOT NULL GROUP BY 1, 2",
        lambda frame: of_groups(
            _who(frame), ["year", "weekday"], len,
            lambda g: (12 * (g.rtt_end_date.dt.year - g.rtt_start_date.dt.year)
                       + g.rtt_end_date.dt.month - g.rtt_start_date.dt.month).mean(),
            given=frame.rtt_start_date.notna() & frame.rtt_end_date.notna(),
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

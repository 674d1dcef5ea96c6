"""The waiting-times report: shares, quantiles, long waits, stock and flow, from dates and from bands."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pooled_case import Case, Key, Tables

from fedstats.statistics.waiting_times import WaitingTimes

CENSUS = ("2025-07-27", "2025-08-31", "2025-09-28")
FIRST, MIDDLE, LAST = (pd.Timestamp(day) for day in CENSUS)


def _figures(bands: pd.Series) -> tuple[float, ...]:
    """All columns of the report, from the weekly bands of some pathways."""
    waited = bands.to_numpy()
    within = [100 * float((waited < weeks).mean()) for weeks in (18, 26, 52, 65)]
    quantiles = [_interpolated(waited, share) for share in (0.5, 0.92)]
    return (float(len(waited)), *within, *quantiles, float((waited >= 52).sum()))


def _interpolated(waited: np.ndarray, share: float) -> float:
    """The week at which so many had waited; within a week pathways are spread evenly."""
    wanted, passed = share * len(waited), 0
    for week in range(104):
        inside = int((waited == week).sum())
        if passed + inside >= wanted:
            return week + (wanted - passed) / inside
        passed += inside
    return 104.0


def _pathways(frame: pd.DataFrame) -> pd.DataFrame:
    """Those that take part, with their band and kind; 126 days are within 18 weeks."""
    start, stop = frame["rtt_start_date"], frame["rtt_end_date"]
    rows = frame[start.notna() & (start <= LAST) & ~(stop < start)].copy()
    days = (rows["rtt_end_date"].fillna(LAST).clip(upper=LAST) - rows["rtt_start_date"]).dt.days
    rows["band"] = np.where(days <= 7, 0, np.minimum((days - 1) // 7, 104))
    ended = rows["stop_type"].where(rows["stop_type"].isin(["admitted", "nonadmitted"]), "other")
    rows["kind"] = ended.where(rows["rtt_end_date"].notna() & (rows["rtt_end_date"] <= LAST), "incomplete")
    return rows


def _report(frame: pd.DataFrame) -> Tables:
    rows = _pathways(frame)
    taken = rows[~(rows["rtt_end_date"] <= FIRST)]
    report: dict[Key, tuple[float, ...]] = {}
    flow: dict[Key, tuple[float, ...]] = {}
    for sex, group in taken.groupby("sex"):
        for kind, own in group.groupby("kind"):
            report[(str(sex), str(kind))] = _figures(own["band"])
        both = group[group["kind"].isin(["admitted", "nonadmitted"])]
        report[(str(sex), "completed")] = _figures(both["band"])
    del report["F", "other"], report["M", "other"]
    for sex, group in rows.groupby("sex"):
        for since, until in ((FIRST, MIDDLE), (MIDDLE, LAST)):
            flow[(str(sex), f"{since.date()} to {until.date()}")] = _flow(group, since, until)
    return {"waiting times": report, "stock and flow": flow}


def _flow(rows: pd.DataFrame, since: pd.Timestamp, until: pd.Timestamp) -> tuple[float, ...]:
    start, stop = rows["rtt_start_date"], rows["rtt_end_date"]
    return (
        float(((start <= since) & ~(stop <= since)).sum()),
        float(((start > since) & (start <= until)).sum()),
        float(((stop > since) & (stop <= until)).sum()),
        float(((start <= until) & ~(stop <= until)).sum()),
    )


def _published(frame: pd.DataFrame) -> Tables:
    report: dict[Key, tuple[float, ...]] = {
        (str(part),): _figures(group["weeks"]) for part, group in frame.groupby("part")
    }
    return {"waiting times": {**report, ("completed",): _figures(frame["weeks"])}}


CASES = (
    Case(
        "dates at three censuses, released by department and sex, reported by sex",
        "demo",
        lambda dataset: WaitingTimes(
            dataset.name,
            start="rtt_start_date",
            stop="rtt_end_date",
            status="stop_type",
            census=CENSUS,
            keys=("department", "sex"),
            by=("sex",),
        ),
        _report,
    ),
    Case(
        "published bands, reported as one",
        "rtt",
        lambda dataset: WaitingTimes(
            dataset.name, week="weeks", status="part", keys=("department", "tfc"), by=("none",)
        ),
        _published,
    ),
)

"""NHS England's published counts of completed RTT pathways: reading them, and one file of rows per trust.

The counts have one line for each part (admitted, nonadmitted), month, trust, treatment function and week of
waiting: columns part, period, prov, tfc, w, n. Band w holds the pathways that took more than w weeks and at
most w + 1; band 104 all that took longer. They are published in the "RTT waiting times data" of NHS England's
statistics pages, under the Open Government Licence v3.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb

COLUMNS = ("part", "period", "prov", "tfc", "w", "n")
PARTS = ("admitted", "nonadmitted")
BANDS = 105
WEEKS_OF_THE_STANDARD = 18
TOTAL_ROW = "C_999"  # a row of totals in the published files: counted in, every pathway would be there twice
ENGLAND = "England"
QUANTILES = (0.5, 0.92)

FUNCTIONS = {
    "C_100": "General Surgery",
    "C_101": "Urology",
    "C_110": "Trauma and Orthopaedics",
    "C_120": "Ear Nose and Throat",
    "C_130": "Ophthalmology",
    "C_140": "Oral Surgery",
    "C_150": "Neurosurgery",
    "C_160": "Plastic Surgery",
    "C_170": "Cardiothoracic Surgery",
    "C_300": "General Internal Medicine",
    "C_301": "Gastroenterology",
    "C_320": "Cardiology",
    "C_330": "Dermatology",
    "C_340": "Respiratory Medicine",
    "C_400": "Neurology",
    "C_410": "Rheumatology",
    "C_430": "Elderly Medicine",
    "C_502": "Gynaecology",
    "X02": "Other - Medical",
    "X03": "Other - Mental Health",
    "X04": "Other - Paediatric",
    "X05": "Other - Surgical",
    "X06": "Other - Other",
}
REGIONS = {
    "Y56": "London",
    "Y58": "South West",
    "Y59": "South East",
    "Y60": "Midlands",
    "Y61": "East of England",
    "Y62": "North West",
    "Y63": "North East and Yorkshire",
}


class CountsUnusable(Exception):
    """The file is not what it should be; the sentence says what it lacks."""


@dataclass(frozen=True, slots=True)
class Group:
    """The trusts that one node serves."""

    department: str
    title: str
    trusts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The exact figures of one part, and of one treatment function or of England."""

    pathways: int
    within_18: float
    bands: tuple[int, ...]  # one for each of QUANTILES


class Counts:
    """One month (`2025-09`) of the published counts in a Parquet file."""

    def __init__(self, path: Path, month: str) -> None:
        """Open the file; raises CountsUnusable where it is not as published."""
        self._database = duckdb.connect()
        try:
            self._database.read_parquet(str(path)).create_view("counts")
            names = [row[0] for row in self._rows("DESCRIBE counts")]
        except duckdb.Error as problem:
            raise CountsUnusable(f"{path} cannot be read as Parquet ({type(problem).__name__}).") from None
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise CountsUnusable(f"{path.name} has no column {', '.join(missing)}.")
        self._rows(
            "CREATE TABLE month AS SELECT * FROM counts WHERE period = ? AND tfc <> ?", month, TOTAL_ROW
        )
        if not self.trusts():
            months = ", ".join(
                str(row[0]) for row in self._rows("SELECT DISTINCT period FROM counts ORDER BY 1")
            )
            raise CountsUnusable(f"{path.name} has no counts of {month}; it has {months}.")
        self._check_codes(path.name)

    def trusts(self) -> tuple[str, ...]:
        """The codes of all trusts with a pathway in this month."""
        return tuple(str(row[0]) for row in self._rows("SELECT DISTINCT prov FROM month ORDER BY 1"))

    def write_rows(self, trust: str, path: Path) -> None:
        """Write one row for each pathway of a trust: what its own database would hold."""
        self._database.sql(
            "SELECT prov AS provider, tfc AS treatment_function, part, w AS week "
            "FROM (SELECT *, unnest(range(n)) FROM month WHERE prov = $trust)",
            params={"trust": trust},
        ).write_parquet(str(path))

    def published(self) -> dict[tuple[str, str], Published]:
        """The exact figures, by part and treatment function, ENGLAND among them."""
        counts: dict[tuple[str, str], list[int]] = {}
        for part, function, week, number in self._rows(
            "SELECT part, tfc, w, sum(n) FROM month GROUP BY part, tfc, w"
        ):
            for key in ((str(part), str(function)), (str(part), ENGLAND)):
                counts.setdefault(key, [0] * BANDS)[int(week)] += int(number)
        return {key: _published(bands) for key, bands in counts.items()}

    def _check_codes(self, name: str) -> None:
        rows = self._rows("SELECT DISTINCT part, tfc, w, n > 0 FROM month")
        known = [
            part in PARTS and function in FUNCTIONS and week in range(BANDS) and positive
            for part, function, week, positive in rows
        ]
        if not all(known):
            raise CountsUnusable(f"{name} has parts, functions, weeks or counts that are not as published.")

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(sql, values).fetchall()


def groups_of(trusts: Sequence[str], providers: Path | None, nodes: int) -> tuple[Group, ...]:
    """Spread the trusts over `nodes` nodes, each with trusts of one region as far as regions are known.

    `providers` is a CSV file with the columns prov and region.
    """
    regions: dict[str, str] = {}
    if providers is not None:
        with providers.open(encoding="utf-8", newline="") as file:
            regions = {row["prov"]: row["region"] for row in csv.DictReader(file)}
    by_region: dict[str, list[str]] = {}
    for trust in trusts:
        by_region.setdefault(REGIONS.get(regions.get(trust, ""), "England"), []).append(trust)
    parts = dict.fromkeys(by_region, 1)
    while sum(parts.values()) < nodes:  # one more for the region whose nodes have the most trusts each
        parts[max(parts, key=lambda region: len(by_region[region]) / parts[region])] += 1
    return tuple(
        Group(
            f"{region.lower().replace(' ', '-')}-{number + 1}",
            f"NHS trusts of {region}, {number + 1}",
            chosen,
        )
        for region, members in by_region.items()
        for number in range(parts[region])
        if (chosen := tuple(members[number :: parts[region]]))
    )


def _published(bands: Sequence[int]) -> Published:
    total, passed = sum(bands), list(accumulate(bands))
    return Published(
        pathways=total,
        within_18=passed[WEEKS_OF_THE_STANDARD - 1] / total,
        bands=tuple(next(i for i, n in enumerate(passed) if n >= share * total) for share in QUANTILES),
    )

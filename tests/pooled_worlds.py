"""Three sets of rows whose pooled answers anybody can compute: the demo, RAND HIE, and published RTT counts.

The frames hold natural values: numbers, labels, dates, truths, and what pandas has for missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from float_sums import FloatSums

from fedstats.core.agreement_document import agreement_of
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Truth, days_of
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.demo.agreement import agreement_document
from fedstats.demo.trusts import TRUSTS
from fedstats.demo.waiting_list import clean, generate
from fedstats.testing.pool import Pool

DATA = Path(__file__).parents[2] / "shared" / "data"
PATHWAYS = 300
RTT_MONTH = "2025-09"
RTT_ROWS_MAX = 900


@dataclass(frozen=True, eq=False)
class World:
    """A definition with all rows of all departments: `department`, the person's column, then its own."""

    dataset: Dataset
    frame: pd.DataFrame
    departments_max: int = 1

    def floats(self) -> FloatSums:
        """The float world of these rows."""
        return _floats(self)

    def pool(self) -> Pool:
        """Editions of these rows, on the grid."""
        return _pool(self)

    def columns(self, department: str) -> dict[str, list[Any]]:
        """One department's rows, as a pool takes them."""
        own = self.frame[self.frame["department"] == department]
        names = [column.name for column in self.dataset.columns]
        if self.dataset.unit.column is not None:
            names.append(self.dataset.unit.column)
        return {name: [None if missing(value) else _plain(value) for value in own[name]] for name in names}

    def codes(self, department: str) -> dict[str, list[int | str | None]]:
        """The same as integer codes."""
        made = self.columns(department)
        person = self.dataset.unit.column
        return {
            name: list(map(str, values))
            if name == person
            else coded(self.dataset.column(name).domain, values)
            for name, values in made.items()
        }

    @property
    def departments(self) -> list[str]:
        """Their names in order."""
        return sorted(set(self.frame["department"]))


def missing(value: object) -> bool:
    """Whether there is no value, however pandas writes that."""
    return value is None or value is pd.NaT or value != value or value == ""  # noqa: PLR0124 # NaN is not itself


def coded(domain: Domain, values: Sequence[Any]) -> list[int | str | None]:
    """The code of each value, which must be exactly one of the domain's."""
    return [None if value is None else _code(domain, value) for value in values]


def _code(domain: Domain, value: Any) -> int | str:
    if isinstance(domain, Numbers):
        code: int = round(float(value) / float(domain.step))
        assert abs(code * float(domain.step) - value) < 1e-9, f"{value} is between two steps"
        assert domain.lo_code <= code <= domain.hi_code
        return code
    if isinstance(domain, Categories):
        return domain.code(str(value))
    if isinstance(domain, Dates):
        return days_of(value)
    return int(value) if isinstance(domain, Truth) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return value.date() if isinstance(value, pd.Timestamp) else value


@cache
def _floats(world: World) -> FloatSums:
    rows = {name: world.codes(name) for name in world.departments}
    return FloatSums(world.dataset, rows, world.dataset.unit.column, world.departments_max)


@cache
def _pool(world: World) -> Pool:
    rows = {name: world.columns(name) for name in world.departments}
    return Pool.of(world.dataset, rows, departments_max=world.departments_max)


def world(name: str) -> World:
    """One of the three; a test whose data is not on this computer is skipped, and says so."""
    made = WORLDS[name]()
    if made is None:
        pytest.skip(f"LEFT OUT: the data of {name} is not in {DATA}, so nothing was compared with it.")
    return made


@cache
def _demo() -> World:
    """The demo's five trusts: people with pathways at several, dates, categories, missing values."""
    keys = {trust.department: f"{i:064x}" for i, trust in enumerate(TRUSTS, 1)}
    document = agreement_document(
        TRUSTS,
        keys,
        pathways_per_trust=PATHWAYS,
        analysts=[f"a.smith@{TRUSTS[0].department}"],
        today=date(2025, 10, 1),
    )
    agreement = agreement_of(document)
    (dataset,) = agreement.datasets
    frame = pd.DataFrame(dict(clean(generate(TRUSTS, PATHWAYS, 3))))
    return World(dataset, frame, agreement.privacy.max_departments)


@cache
def _randhie() -> World | None:
    """RAND's health insurance experiment: 20,190 years of 5,912 people at six sites."""
    file = DATA / "randhie_with_site_person.csv.gz"
    if not file.exists():
        return None
    frame = pd.read_csv(file)
    frame["department"] = "site" + frame["site"].astype(str)
    for name in ("idp", "hlthg", "hlthf", "hlthp"):
        frame[name] = frame[name] == 1
    micro = Fraction(1, 10**6)
    columns = (
        _number("mdvis", 0, 77),
        _number("lncoins", 0, 5, micro),
        ColumnDefinition("idp", Truth()),
        _number("lpi", 0, 8, micro),
        _number("fmde", 0, 9, micro),
        _number("disea", 0, 60, micro),
        *(ColumnDefinition(name, Truth()) for name in ("hlthg", "hlthf", "hlthp")),
        _number("year", 1, 5),
    )
    unit = Unit(UnitKind.PERSON, "randhie", "zper")
    return World(Dataset("randhie", unit, 5, 10_000, 5_912, columns, ("2025-09",), ()), frame)


@cache
def _rtt() -> World | None:
    """Published completed pathways of one month, one row each: six trusts, 23 functions, weeks waited."""
    file = DATA / "rtt_completed_by_provider_tfc_week_2025-09_11.parquet"
    if not file.exists():
        return None
    counts = pd.read_parquet(file)
    counts = counts[counts["period"] == RTT_MONTH]
    sizes = counts.groupby("prov")["n"].sum().sort_values()
    chosen = counts[counts["prov"].isin(sizes[sizes > RTT_ROWS_MAX].index[:6])]
    frame = chosen.loc[chosen.index.repeat(chosen["n"])].reset_index(drop=True)
    stop = np.datetime64(f"{RTT_MONTH}-30")
    frame = frame.assign(
        department=frame["prov"].str.lower(),
        weeks=frame["w"].astype(int),
        clock_stop=stop,
        clock_start=stop - frame["w"].to_numpy().astype("timedelta64[D]") * 7,
    )
    first, last = days_of(date(2023, 1, 1)), days_of(date(2025, 9, 30))
    columns = (
        ColumnDefinition("part", Categories(("admitted", "nonadmitted"))),
        ColumnDefinition("tfc", Categories(tuple(sorted(set(frame["tfc"]))))),
        _number("weeks", 0, 104),
        ColumnDefinition("clock_start", Dates(first, last)),
        ColumnDefinition("clock_stop", Dates(first, last)),
    )
    unit = Unit(UnitKind.ROW, "pathways")
    return World(Dataset("rtt_months", unit, 1, 100_000, 10_000, columns, ("2025-09",), ()), frame)


def _number(name: str, lo: int, hi: int, step: Fraction = Fraction(1)) -> ColumnDefinition:
    return ColumnDefinition(name, Numbers(Fraction(lo), Fraction(hi), step))


WORLDS: dict[str, Callable[[], World | None]] = {"demo": _demo, "randhie": _randhie, "rtt": _rtt}

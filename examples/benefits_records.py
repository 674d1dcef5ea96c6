"""Made-up records of three departments that pay benefits: whoever is known to several has records at each.

Every department has the same columns under names of its own. Nothing here is about anybody: people, incomes
and payments are drawn from laws that are written out below.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TAX_YEARS = (2023, 2024)
INCOME_MAX = 150_000
AMOUNT_MAX = 30_000
VISAS = ("none needed", "work", "study", "family", "protection")
VISA_PARTS = (0.86, 0.05, 0.03, 0.04, 0.02)
KNOWN_TO = (0.58, 0.33, 0.09)
"""Which parts of all people are known to one, two and three of the departments."""


@dataclass(frozen=True, slots=True)
class Department:
    """A department that pays, what it pays with the part that is overpaid, and how it calls its columns."""

    department: str
    title: str
    pays: Mapping[str, float]
    names: Mapping[str, str]


COLUMNS = (
    "person_id",
    "tax_year",
    "declared_income",
    "benefit_type",
    "benefit_amount",
    "visa_status",
    "overpayment_flag",
)
DEPARTMENTS = (
    Department(
        "hmrc",
        "HM Revenue and Customs",
        {"child benefit": 0.02, "tax credit": 0.11},
        dict(zip(COLUMNS, ("nino", "year", "income", "award", "paid", "visa", "overpaid"), strict=True)),
    ),
    Department(
        "dwp",
        "Department for Work and Pensions",
        {"universal credit": 0.12, "housing": 0.08, "pension credit": 0.06},
        dict(zip(COLUMNS, ("person", "ty", "earnings", "benefit", "amount", "status", "op"), strict=True)),
    ),
    Department(
        "home-office",
        "Home Office",
        {"asylum support": 0.03, "resettlement": 0.02},
        {name: name for name in COLUMNS},
    ),
)
BENEFITS = tuple(benefit for department in DEPARTMENTS for benefit in department.pays)

Record = dict[str, str | int]
"""One payment to one person in one tax year, by the shared names."""


def records(people: int, seed: int) -> dict[str, list[Record]]:
    """The records of each department: everybody has one for each tax year at each who knows them."""
    draw = np.random.default_rng(seed)  # made-up people, no noise
    found: dict[str, list[Record]] = {department.department: [] for department in DEPARTMENTS}
    for number in range(people):
        known = draw.choice(len(KNOWN_TO), p=KNOWN_TO) + 1
        visa = VISAS[draw.choice(len(VISAS), p=VISA_PARTS)]
        income = float(draw.lognormal(9.7, 0.6))
        for place in draw.choice(len(DEPARTMENTS), size=known, replace=False):
            department = DEPARTMENTS[place]
            benefit = str(draw.choice(list(department.pays)))
            for year in TAX_YEARS:
                found[department.department].append(
                    {
                        "person_id": f"QQ{number:06d}",
                        "tax_year": year,
                        "declared_income": min(round(income * draw.uniform(0.9, 1.1)), INCOME_MAX),
                        "benefit_type": benefit,
                        "benefit_amount": min(round(draw.lognormal(8.3, 0.5)), AMOUNT_MAX),
                        "visa_status": visa,
                        "overpayment_flag": "true" if draw.random() < department.pays[benefit] else "false",
                    }
                )
    return found


def write(department: Department, held: list[Record], path: Path) -> None:
    """The department's own file: its own names for the shared columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(department.names[name] for name in COLUMNS)
        writer.writerows([record[name] for name in COLUMNS] for record in held)

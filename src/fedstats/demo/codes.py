"""What the trusts agree on: the columns of the waiting list, their codes, titles and bounds.

The demo writes its dataset definition from here. Local spellings of the same things are in
`fedstats.demo.trusts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

Column: TypeAlias = NDArray[Any]
"""The values of one column: dates, integers, or positions in its codes."""

EDITION: Final = "2025-09"
CLOCK_STARTS_FIRST: Final = date(2023, 9, 24)
"""First day a pathway of the list can begin: 105 weekly bands before the census."""

CENSUS: Final = date(2025, 9, 28)
"""The Sunday on which the edition was taken. A pathway that had not ended by then is open."""

DATE_BOUNDS: Final = (date(2023, 9, 1), CENSUS)
"""Bounds of every date column. They begin before the first clock start because some rows end before they
start (see `fedstats.demo.dirt`), and such an end must stay inside."""

AGE_YEARS_BOUNDS: Final = (0, 104)
IMD_DECILE_BOUNDS: Final = (1, 10)
PATHWAYS_PER_PERSON_MAX: Final = 5
TRUSTS_PER_PERSON_MAX: Final = 2

COLUMNS: Final = (
    "nhs_number",
    "pathway_id",
    "provider_code",
    "site_code",
    "commissioner_code",
    "census_week",
    "rtt_start_date",
    "rtt_end_date",
    "stop_type",
    "decision_to_admit_date",
    "treatment_function",
    "priority",
    "age",
    "sex",
    "ethnic_category",
    "imd_decile",
)
"""The shared columns, in the order in which every trust's file has them."""

DATE_COLUMNS: Final = ("census_week", "rtt_start_date", "rtt_end_date", "decision_to_admit_date")


@dataclass(frozen=True, slots=True)
class TreatmentFunction:
    """One of the 23 functions under which waiting times are published.

    `share`, `admitted` and `log_hazard` were computed from NHS England's RTT statistics, completed pathways
    of September to November 2025 (Open Government Licence v3): the function's part of all completed pathways,
    the admitted part of its own, and its log hazard ratio against the table in `fedstats.demo.hazards`, by
    maximum likelihood over the weekly bands.
    """

    code: str
    title: str
    share: float
    admitted: float
    log_hazard: float


TREATMENT_FUNCTIONS: Final = (
    TreatmentFunction("C_100", "General Surgery Service", 0.049, 0.31, -0.01),
    TreatmentFunction("C_101", "Urology Service", 0.050, 0.27, -0.01),
    TreatmentFunction("C_110", "Trauma and Orthopaedic Service", 0.087, 0.28, -0.20),
    TreatmentFunction("C_120", "Ear Nose and Throat Service", 0.067, 0.14, -0.31),
    TreatmentFunction("C_130", "Ophthalmology Service", 0.091, 0.25, +0.15),
    TreatmentFunction("C_140", "Oral Surgery Service", 0.036, 0.25, -0.31),
    TreatmentFunction("C_150", "Neurosurgical Service", 0.007, 0.24, -0.17),
    TreatmentFunction("C_160", "Plastic Surgery Service", 0.016, 0.53, +0.00),
    TreatmentFunction("C_170", "Cardiothoracic Surgery Service", 0.002, 0.57, +0.17),
    TreatmentFunction("C_300", "General Internal Medicine Service", 0.006, 0.10, +0.40),
    TreatmentFunction("C_301", "Gastroenterology Service", 0.045, 0.24, +0.07),
    TreatmentFunction("C_320", "Cardiology Service", 0.049, 0.14, -0.06),
    TreatmentFunction("C_330", "Dermatology Service", 0.070, 0.11, +0.17),
    TreatmentFunction("C_340", "Respiratory Medicine Service", 0.030, 0.05, +0.10),
    TreatmentFunction("C_400", "Neurology Service", 0.023, 0.02, -0.26),
    TreatmentFunction("C_410", "Rheumatology Service", 0.020, 0.05, +0.07),
    TreatmentFunction("C_430", "Elderly Medicine Service", 0.006, 0.06, +0.55),
    TreatmentFunction("C_502", "Gynaecology Service", 0.072, 0.15, -0.08),
    TreatmentFunction("X02", "Other - Medical Services", 0.105, 0.10, +0.14),
    TreatmentFunction("X03", "Other - Mental Health Services", 0.001, 0.02, +0.56),
    TreatmentFunction("X04", "Other - Paediatric Services", 0.049, 0.14, -0.04),
    TreatmentFunction("X05", "Other - Surgical Services", 0.089, 0.18, +0.25),
    TreatmentFunction("X06", "Other - Other Services", 0.030, 0.10, +0.28),
)

STOP_TYPES: Final[Mapping[str, str]] = {
    "admitted": "Treated, admitted to a bed",
    "nonadmitted": "Treated or discharged without admission",
    "rott_dna": "Removed: did not attend",
    "rott_declined": "Removed: declined treatment",
    "rott_monitoring": "Removed: active monitoring",
    "died": "Died while waiting",
}
"""How a clock stopped, code to title. Null while the pathway is open."""

PRIORITIES: Final[Mapping[str, str]] = {
    "routine": "Routine",
    "urgent": "Urgent",
    "two_week": "Two-week wait for suspected cancer",
}

SEXES: Final[Mapping[str, str]] = {"F": "Female", "M": "Male"}

ETHNICITY_UNKNOWN: Final = "Z"
ETHNIC_CATEGORIES: Final[Mapping[str, str]] = {
    "A": "White - British",
    "B": "White - Irish",
    "C": "White - Any other White background",
    "D": "Mixed - White and Black Caribbean",
    "E": "Mixed - White and Black African",
    "F": "Mixed - White and Asian",
    "G": "Mixed - Any other mixed background",
    "H": "Asian or Asian British - Indian",
    "J": "Asian or Asian British - Pakistani",
    "K": "Asian or Asian British - Bangladeshi",
    "L": "Asian or Asian British - Any other Asian background",
    "M": "Black or Black British - Caribbean",
    "N": "Black or Black British - African",
    "P": "Black or Black British - Any other Black background",
    "R": "Other Ethnic Groups - Chinese",
    "S": "Other Ethnic Groups - Any other ethnic group",
    ETHNICITY_UNKNOWN: "Not stated",
}
"""Ethnic category of the NHS Data Dictionary, code to title."""

CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "stop_type": tuple(STOP_TYPES),
    "treatment_function": tuple(function.code for function in TREATMENT_FUNCTIONS),
    "priority": tuple(PRIORITIES),
    "sex": tuple(SEXES),
    "ethnic_category": tuple(ETHNIC_CATEGORIES),
}
"""The shared codes of each coded column, the same at every trust."""

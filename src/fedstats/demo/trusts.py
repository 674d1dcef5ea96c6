"""The trusts of the demo, and how each one's own file spells what the shared columns mean.

The trusts' names and codes are real and public (NHS Organisation Data Service); everything in their files is
invented, including the column names, site codes and spellings. Each trust differs in its own way, because
that is what a node's mapping has to deal with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fedstats.demo.codes import (
    CODES,
    COLUMNS,
    DATE_COLUMNS,
    ETHNIC_CATEGORIES,
    PRIORITIES,
    SEXES,
    STOP_TYPES,
    TREATMENT_FUNCTIONS,
)
from fedstats.errors import ValueInvalid

ISO: Final = ("%Y-%m-%d",)
BRITISH: Final = ("%d/%m/%Y",)


@dataclass(frozen=True, slots=True)
class LocalColumn:
    """One shared column as a trust writes it.

    `codes` goes from local spelling to shared code, for coded columns only; several spellings may mean one
    code. `date_formats` (strptime) is for dates only. An empty field is null in every column.
    """

    name: str
    codes: Mapping[str, str] = field(default_factory=dict)
    date_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust: its identity, its people, and `columns`, shared column name to what its own file has.

    `ethnicity_unknown` is the share of people whose ethnic category it does not know. `deprivation` tilts its
    catchment: weight exp(-deprivation * decile), so positive means more people in the deprived deciles.

    Raises ValueInvalid where a shared column or code has no spelling, two columns share a name, there is no
    site or commissioner, or the department could not be a folder and an identifier.
    """

    department: str
    provider_code: str
    title: str
    commissioner_codes: tuple[str, ...]
    columns: Mapping[str, LocalColumn]
    sites: int = 3
    ethnicity_unknown: float = 0.10
    deprivation: float = 0.0

    def __post_init__(self) -> None:
        """Check that every value a row can have can be written."""
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.department):
            raise ValueInvalid(f"{self.department!r} is not a department: use lower-case words and hyphens.")
        if self.sites < 1 or not self.commissioner_codes:
            raise ValueInvalid(f"{self.department} needs a site and a commissioner.")
        if tuple(self.columns) != COLUMNS:
            raise ValueInvalid(f"{self.department} must spell these columns, in this order: {COLUMNS}.")
        if len({column.name for column in self.columns.values()}) != len(COLUMNS):
            raise ValueInvalid(f"{self.department} gives two columns the same name.")
        for shared, column in self.columns.items():
            if set(column.codes.values()) != set(CODES.get(shared, ())):
                raise ValueInvalid(f"{self.department} must spell every code of {shared} and no others.")
            if bool(column.date_formats) != (shared in DATE_COLUMNS):
                raise ValueInvalid(f"{self.department} must give date formats for dates only: {shared}.")

    @property
    def site_codes(self) -> tuple[str, ...]:
        """The trust's sites: its code and two digits."""
        return tuple(f"{self.provider_code}{number:02}" for number in range(1, self.sites + 1))


def local_columns(
    names: str, codes: Mapping[str, Mapping[str, str]], date_formats: tuple[str, ...]
) -> Mapping[str, LocalColumn]:
    """Describe a trust's file: its column names in shared order split at `|`, its codes, its date formats."""
    return {
        shared: LocalColumn(
            name=name,
            codes=codes.get(shared, {}),
            date_formats=date_formats if shared in DATE_COLUMNS else (),
        )
        for shared, name in zip(COLUMNS, names.split("|"), strict=True)
    }


def _spelled(spellings: str, shared: tuple[str, ...]) -> Mapping[str, str]:
    return dict(zip(spellings.split("|"), shared, strict=True))


_SHARED_CODES: Final = {column: {code: code for code in codes} for column, codes in CODES.items()}

# Treatment functions without their prefix (`110`), by title, and by the letters doctors use.
_FUNCTIONS: Final = CODES["treatment_function"]
_FUNCTION_NUMBERS: Final = {code.removeprefix("C_"): code for code in _FUNCTIONS}
_FUNCTION_TITLES: Final = {function.title: function.code for function in TREATMENT_FUNCTIONS}
_FUNCTION_LETTERS: Final = _spelled(
    "GEN SURG|UROL|T&O|ENT|OPHTH|ORAL|NEUROSURG|PLASTICS|CTS|GIM|GASTRO|CARDIO|DERM|RESP|NEURO|RHEUM"
    "|ELDERLY|GYNAE|OTH MED|OTH MH|PAEDS|OTH SURG|OTHER",
    _FUNCTIONS,
)

# RTT period status codes of the NHS Data Dictionary; 30 has a letter here for admitted or not.
_STOP_STATUS: Final = _spelled("30A|30N|33|35|32|36", CODES["stop_type"])
_PRIORITY_NUMBERS: Final = _spelled("1|2|3", CODES["priority"])
_SEX_NUMBERS: Final = _spelled("2|1", CODES["sex"])


def _by_title(titles: Mapping[str, str]) -> Mapping[str, str]:
    return {title: code for code, title in titles.items()}


TRUSTS: Final = (
    Trust(
        department="gstt",
        provider_code="RJ1",
        title="Guy's and St Thomas' NHS Foundation Trust",
        commissioner_codes=("72Q", "93C", "91Q"),
        columns=local_columns("|".join(COLUMNS), _SHARED_CODES, ISO),
        ethnicity_unknown=0.12,
        deprivation=0.06,
    ),
    Trust(
        department="uclh",
        provider_code="RRV",
        title="University College London Hospitals NHS Foundation Trust",
        commissioner_codes=("93C", "72Q", "W2U3Z"),
        columns=local_columns(
            "NHS_NO|PATHWAY|PROVIDER|SITE|COMMISSIONER|CENSUS_DT|CLOCK_START|CLOCK_STOP|STOP_STATUS|DTA_DT|TFC"
            "|PRIORITY|AGE_YRS|SEX|ETHNICITY|IMD",
            {
                "stop_type": _STOP_STATUS,
                "treatment_function": _FUNCTION_NUMBERS,
                "priority": _PRIORITY_NUMBERS,
                "sex": _SEX_NUMBERS,
                "ethnic_category": _SHARED_CODES["ethnic_category"],
            },
            ISO,
        ),
        ethnicity_unknown=0.15,
        deprivation=0.02,
    ),
    Trust(
        department="mft",
        provider_code="R0A",
        title="Manchester University NHS Foundation Trust",
        commissioner_codes=("14L", "01G", "02A"),
        columns=local_columns(
            "patient_nhs_number|ppi|org_code|hospital|ccg|snapshot|referral_received|pathway_end|end_reason|added_to_list"
            "|specialty|urgency|age_at_census|gender|ethnic_origin|imd_decile_2019",
            {
                "stop_type": _by_title(STOP_TYPES),
                "treatment_function": _FUNCTION_LETTERS,
                "priority": _by_title(PRIORITIES),
                "sex": _by_title(SEXES),
                "ethnic_category": _by_title(ETHNIC_CATEGORIES),
            },
            BRITISH,
        ),
        sites=5,
        ethnicity_unknown=0.08,
        deprivation=0.12,
    ),
    Trust(
        department="ltht",
        provider_code="RR8",
        title="Leeds Teaching Hospitals NHS Trust",
        commissioner_codes=("15F", "03R", "36J"),
        columns=local_columns(
            "NHS Number|Pathway ID|Provider|Site|Commissioner|Week Ending|RTT Start|RTT End|RTT Stop|DTA Date"
            "|Treatment Function|Priority|Age|Sex|Ethnic Group|IMD Decile",
            {
                "stop_type": _SHARED_CODES["stop_type"],
                "treatment_function": _FUNCTION_TITLES,
                "priority": _spelled("R|U|2WW", CODES["priority"]),
                "sex": _spelled("female|male", CODES["sex"]),
                "ethnic_category": {code.lower(): code for code in ETHNIC_CATEGORIES},
            },
            ISO,
        ),
        ethnicity_unknown=0.10,
        deprivation=0.09,
    ),
    Trust(
        department="ouh",
        provider_code="RTH",
        title="Oxford University Hospitals NHS Foundation Trust",
        commissioner_codes=("10Q", "14Y", "15A"),
        # Two systems were joined here, and the column kept both spellings.
        columns=local_columns(
            "nhsNumber|pathwayId|providerCode|siteCode|commissionerCode|censusWeek|startDate|endDate|stopType"
            "|decisionToAdmit|treatmentFunction|priority|age|sex|ethnicity|imdDecile",
            {
                **_SHARED_CODES,
                "stop_type": _STOP_STATUS,
                "treatment_function": {**_FUNCTION_NUMBERS, **_SHARED_CODES["treatment_function"]},
                "priority": _PRIORITY_NUMBERS,
            },
            ISO,
        ),
        ethnicity_unknown=0.14,
        deprivation=-0.10,
    ),
)
"""The five trusts of `fedstats demo`."""

NEWCOMER: Final = Trust(
    department="nuh",
    provider_code="RX1",
    title="Nottingham University Hospitals NHS Trust",
    commissioner_codes=("52R", "02Q", "04C"),
    columns=local_columns(
        "NHSNUM|PATHID|PROCODE|SITECODE|COMMCODE|WEEKEND|STARTDT|ENDDT|STOPCD|DTADT|TRETSPEF|PRTYCD|AGE|SEXCD|ETHNOS|IMD10",
        {
            **_SHARED_CODES,
            "treatment_function": _FUNCTION_NUMBERS,
            "priority": _PRIORITY_NUMBERS,
            "sex": _SEX_NUMBERS,
        },
        BRITISH,
    ),
    ethnicity_unknown=0.09,
    deprivation=0.08,
)
"""A sixth trust, for trying how a department joins a federation that is already running."""

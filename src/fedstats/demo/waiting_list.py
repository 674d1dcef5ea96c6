"""A synthetic NHS waiting list, held by several trusts: generate it, write it as their files, know its truth.

`generate` draws one list for all trusts together, since people have pathways at more than one of them.
`write` turns it into what each trust has: a file in its own spelling, with dirt, and its list of opt-outs.
`clean` is the truth that a federation over those files must arrive at, and that only a demo or a test may
look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fedstats.demo.codes import CENSUS, CLOCK_STARTS_FIRST, CODES, COLUMNS, TREATMENT_FUNCTIONS, Column
from fedstats.demo.dirt import NO_NHS_NUMBER, soil
from fedstats.demo.hazards import LOG_FRAILTY_SD, draw_wait_days, log_hazard_ratio
from fedstats.demo.people import People, draw_people, draw_treatment_functions, ethnicity_unknown
from fedstats.demo.trusts import Trust
from fedstats.errors import ValueInvalid

PATHWAYS_SMALL: Final = 2_000
PATHWAYS_DEMO: Final = 20_000
PATHWAYS_LOAD: Final = 1_000_000
"""Pathways per trust: for tests, for the demo, for load."""

ELSEWHERE_SHARE: Final = 0.25
"""Chance that a person's second or later pathway is at another trust than the first."""

PRIORITY_SHARES: Final = {"routine": 0.75, "urgent": 0.17, "two_week": 0.08}

# Of pathways that do not end with an admission; the rest are treated or discharged in the clinic.
_OTHER_STOP_SHARES: Final = {"rott_dna": 0.035, "rott_declined": 0.03, "rott_monitoring": 0.06, "died": 0.005}

# Of pathways that any of a trust's commissioners may pay for; the rest are its first one's.
_ANY_COMMISSIONER_SHARE: Final = 0.3
_DAYS_PER_WEEK: Final = 7
NO_CODE: Final = -1
"""Position that stands for null in a coded column, since an array of positions has no null."""


@dataclass(frozen=True, slots=True, eq=False)
class WaitingList:
    """Every row of every trust as it is held, dirt included.

    `rows` has the shared columns, one array each, all of the same length: dates as datetime64[D] with NaT for
    null; coded columns as positions in `codes`, -1 for null; `nhs_number` 0 for null; `pathway_id`, `age` and
    `imd_decile` as integers. `trust` is the position of the row's trust in `trusts`, `copy` marks the second
    of two equal rows, and `opted_out` holds the sorted NHS numbers of people who opted out. `log_frailty` is
    the planted log hazard ratio of each trust.
    """

    trusts: tuple[Trust, ...]
    rows: Mapping[str, Column]
    codes: Mapping[str, tuple[str, ...]]
    trust: NDArray[np.int64]
    copy: NDArray[np.bool_]
    opted_out: NDArray[np.int64]
    log_frailty: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of rows over all trusts."""
        return self.trust.size


def generate(trusts: Sequence[Trust], pathways_per_trust: int, seed: int) -> WaitingList:
    """Draw a waiting list with `pathways_per_trust` pathways for each trust on average, exactly that in all.

    The same arguments give the same list with the same release of numpy. Raises ValueInvalid without trusts,
    for two trusts of one department, or for fewer than one pathway.
    """
    if not trusts or pathways_per_trust < 1:
        raise ValueInvalid("A waiting list needs at least one trust and one pathway per trust.")
    if len({trust.department for trust in trusts}) != len(trusts):
        raise ValueInvalid("Two trusts of the waiting list are the same department.")
    rng = np.random.default_rng(seed)
    people = draw_people(trusts, len(trusts) * pathways_per_trust, rng)
    log_frailty = rng.normal(0.0, LOG_FRAILTY_SD, len(trusts))
    person, trust = _assign_pathways(people, rng)
    rows = {
        **_describe_patients(people, person, trust, trusts),
        **_describe_places(trust, trusts, rng),
        **_follow_pathways(people, person, log_frailty[trust], rng),
    }
    rows, trust, copy = _with_dirt(rows, trust, rng)
    return WaitingList(
        trusts=tuple(trusts),
        rows={column: rows[column] for column in COLUMNS},
        codes={**CODES, **_place_codes(trusts)},
        trust=trust,
        copy=copy,
        opted_out=np.sort(people.nhs_number[people.opted_out]),
        log_frailty=log_frailty,
    )


def clean(waiting_list: WaitingList) -> dict[str, Column]:
    """Return the rows that an edition keeps, over all trusts, in shared codes: the central truth.

    Dropped are copies, rows without an NHS number, and everything about people who opted out. Kept, because
    no policy of a single column can see them, are rows whose clock ends before it starts. Columns are
    `department` and the shared ones: text for codes ("" for null), datetime64[D] for dates (NaT for null),
    int64 for `nhs_number`, `age` and `imd_decile`, `P000000001` for `pathway_id`.
    """
    number = waiting_list.rows["nhs_number"]
    kept = ~waiting_list.copy & (number != NO_NHS_NUMBER) & ~np.isin(number, waiting_list.opted_out)
    departments = np.array([trust.department for trust in waiting_list.trusts])
    columns: dict[str, Column] = {"department": departments[waiting_list.trust[kept]]}
    for name, column in waiting_list.rows.items():
        values = column[kept]
        if name in waiting_list.codes:
            # The null position -1 takes the last entry.
            columns[name] = np.array([*waiting_list.codes[name], ""])[values.astype(np.int64)]
        elif name == "pathway_id":
            columns[name] = np.array([pathway_text(pathway) for pathway in values.tolist()])
        else:
            columns[name] = values
    return columns


def pathway_text(pathway: int) -> str:
    """Return a pathway's identifier as files and `clean` show it."""
    return f"P{pathway:09}"


def _assign_pathways(people: People, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    person = np.repeat(np.arange(people.pathways.size), people.pathways)
    extra = np.concatenate([[False], person[1:] == person[:-1]])
    elsewhere = extra & (rng.random(person.size) < ELSEWHERE_SHARE)
    return person, np.where(elsewhere, people.other[person], people.home[person])


def _describe_patients(
    people: People, person: NDArray[np.int64], trust: NDArray[np.int64], trusts: Sequence[Trust]
) -> dict[str, Column]:
    unknown_share = np.array([each.ethnicity_unknown for each in trusts])
    unknown = people.reticence[person] < unknown_share[trust]
    return {
        "nhs_number": people.nhs_number[person],
        "age": people.age[person],
        "sex": people.sex[person],
        "imd_decile": people.imd_decile[person],
        "ethnic_category": np.where(unknown, ethnicity_unknown(), people.ethnic_category[person]),
    }


def _describe_places(
    trust: NDArray[np.int64], trusts: Sequence[Trust], rng: np.random.Generator
) -> dict[str, Column]:
    sites = np.array([len(each.site_codes) for each in trusts])
    commissioners = np.array([len(each.commissioner_codes) for each in trusts])
    first_site = np.concatenate([[0], np.cumsum(sites)])[trust]
    first_commissioner = np.concatenate([[0], np.cumsum(commissioners)])[trust]
    any_of_them = rng.random(trust.size) < _ANY_COMMISSIONER_SHARE
    return {
        "provider_code": trust,
        "site_code": first_site + rng.integers(0, sites[trust]),
        "commissioner_code": first_commissioner + any_of_them * rng.integers(0, commissioners[trust]),
    }


def _place_codes(trusts: Sequence[Trust]) -> dict[str, tuple[str, ...]]:
    return {
        "provider_code": tuple(each.provider_code for each in trusts),
        "site_code": tuple(code for each in trusts for code in each.site_codes),
        "commissioner_code": tuple(code for each in trusts for code in each.commissioner_codes),
    }


def _follow_pathways(
    people: People, person: NDArray[np.int64], log_frailty: NDArray[np.float64], rng: np.random.Generator
) -> dict[str, Column]:
    pathways = person.size
    age, sex = people.age[person], people.sex[person]
    function = draw_treatment_functions(age, sex, rng)
    shares = [PRIORITY_SHARES[code] for code in CODES["priority"]]
    priority = np.searchsorted(np.cumsum(shares)[:-1], rng.random(pathways), side="right")
    ratio = log_hazard_ratio(
        treatment_function=function, priority=priority, age=age, imd_decile=people.imd_decile[person]
    )
    wait_days = draw_wait_days(ratio + log_frailty, rng)
    start = np.datetime64(CLOCK_STARTS_FIRST) + rng.integers(0, _follow_up_days(), pathways, endpoint=True)
    end = start + wait_days
    stopped = end <= np.datetime64(CENSUS)
    stop = _draw_stop_types(function, rng)
    decision = start + (wait_days * np.sqrt(rng.random(pathways))).astype(np.int64)
    decided = (stop == CODES["stop_type"].index("admitted")) & (decision <= np.datetime64(CENSUS))
    nat = np.datetime64("NaT")
    return {
        "treatment_function": function,
        "priority": priority,
        "rtt_start_date": start,
        "rtt_end_date": np.where(stopped, end, nat),
        "stop_type": np.where(stopped, stop, NO_CODE),
        "decision_to_admit_date": np.where(decided, decision, nat),
        "census_week": np.where(stopped, _sunday_from(end), np.datetime64(CENSUS)),
    }


def _follow_up_days() -> int:
    return (CENSUS - CLOCK_STARTS_FIRST).days


def _draw_stop_types(function: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    # The type does not depend on the wait given the function, so each type's own hazard is proportional to
    # the hazard of any stop, and the planted effects hold for each type as well.
    codes = CODES["stop_type"]
    admitted = np.array([each.admitted for each in TREATMENT_FUNCTIONS])[function]
    clinic_share = 1 - sum(_OTHER_STOP_SHARES.values())
    others = np.array([codes.index(code) for code in ("nonadmitted", *_OTHER_STOP_SHARES)])
    edges = np.cumsum([clinic_share, *_OTHER_STOP_SHARES.values()])[:-1]
    other = others[np.searchsorted(edges, rng.random(function.size), side="right")]
    return np.where(rng.random(function.size) < admitted, codes.index("admitted"), other)


def _sunday_from(day: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    # A pathway is last seen in the weekly return of the first Sunday on or after its end. The census is a
    # Sunday.
    days_to_census = (np.datetime64(CENSUS) - day).astype(np.int64)
    return day + days_to_census % _DAYS_PER_WEEK


def _with_dirt(
    rows: Mapping[str, Column], trust: NDArray[np.int64], rng: np.random.Generator
) -> tuple[dict[str, Column], NDArray[np.int64], NDArray[np.bool_]]:
    identifiers = 1 + rng.permutation(trust.size)
    soiled, copy = soil({**rows, "pathway_id": identifiers, "trust": trust}, rng)
    return soiled, soiled.pop("trust").astype(np.int64), copy

"""The agreement that the demo's trusts sign, written from the codes that their files share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from fedstats.demo.codes import (
    AGE_YEARS_BOUNDS,
    CODES,
    DATE_BOUNDS,
    EDITION,
    IMD_DECILE_BOUNDS,
    PATHWAYS_PER_PERSON_MAX,
    TRUSTS_PER_PERSON_MAX,
)
from fedstats.demo.trusts import Trust

AGREEMENT_ID = "RTT-2026"
PURPOSE = "waiting-times"
DATASET = "rtt"
DATASET_COLUMNS = (
    "rtt_start_date",
    "rtt_end_date",
    "stop_type",
    "treatment_function",
    "priority",
    "age",
    "sex",
    "ethnic_category",
    "imd_decile",
    "commissioner_code",
)
Document = dict[str, object]

_PUBLIC: Document = {
    "summary": "Hospital trusts answer questions about how long patients wait for treatment. No patient's "
    "record leaves a trust: each sends totals with noise added.",
    "public_benefit": "Seeing which patients wait longest, so that waits can be shortened fairly.",
    "legal_gateway": "Health and Social Care Act 2012, section 254 (demonstration)",
    "contact": "information.governance@example.org",
    "method": "Each trust computes totals on its own machine, adds noise, and sends these totals alone.",
    "areas": "The patches of the five trusts that take part (demonstration).",
    "processors": ["None: each trust runs its own node; the coordinator holds noisy totals only."],
    "recipients": ["Analysts whom a trust's controller appointed."],
    "retention": "Answers are kept; editions are deleted when the agreement ends.",
    "sub_licensing": "None: answers are published, nothing else is passed on.",
    "commercial_use": "None.",
    "impact_assessment": "DPIA-2026-014, with the information governance team of each trust (demonstration)",
    "transparency_record": "ATRS record rtt-waits, version 1 (demonstration)",
}
_PURPOSE: Document = {
    "code": PURPOSE,
    "text": "Statistics on waits by service, deprivation and age, to plan services.",
    "prohibited": ["Decisions about one patient.", "Ranking of staff."],
}


def agreement_document(
    trusts: Sequence[Trust],
    controller_keys: Mapping[str, str],
    *,
    pathways_per_trust: int,
    analysts: Sequence[str],
    today: date,
) -> Document:
    """The agreement as TOML reads it. `controller_keys` are public keys in hexadecimal, by department."""
    return {
        "id": AGREEMENT_ID,
        "version": 1,
        "title": "Waiting times from referral to treatment, across trusts",
        "starts_on": today.isoformat(),
        "review_on": (today + timedelta(days=182)).isoformat(),
        "ends_on": (today + timedelta(days=365)).isoformat(),
        "analysts": list(analysts),
        "modes": ["local"],
        "aggregates": ["grouped_sums"],
        "nodes_min": 3,
        "partial": True,
        "public": _PUBLIC,
        "purposes": [_PURPOSE],
        "controllers": [
            {
                "department": trust.department,
                "organisation": trust.title,
                "key": controller_keys[trust.department],
                "role": "Caldicott guardian",
                "senior_owner": f"Chief information officer, {trust.title}",
                "data_protection_officer": f"dpo@{trust.department}.example.org",
                "contact": f"information.governance@{trust.department}.example.org",
            }
            for trust in trusts
        ],
        "privacy": {
            "epsilon": "8",
            "delta": "0.000001",
            "epsilon_per_query": "2",
            "max_departments": TRUSTS_PER_PERSON_MAX,
            "mechanisms": ["gaussian", "laplace"],
        },
        "opt_out": {"applies": True, "list_age_days_max": 30, "list": "deny"},
        "disclosure": {"profile": "none"},
        "datasets": [_dataset(pathways_per_trust, trusts)],
    }


def _dataset(pathways_per_trust: int, trusts: Sequence[Trust]) -> Document:
    columns = [
        _dates("rtt_start_date", "clock start", missing=True),
        _dates("rtt_end_date", "clock stop; missing while the pathway is open", missing=True),
        _coded("stop_type", "how the clock stopped; missing while open", missing=True),
        _coded("treatment_function", "the service that treats"),
        _coded("priority", "routine, urgent, or two-week wait"),
        _number("age", "years at clock start", AGE_YEARS_BOUNDS),
        _coded("sex", "as recorded"),
        _coded("ethnic_category", "NHS Data Dictionary"),
        _number("imd_decile", "deprivation of the neighbourhood, 1 is most deprived", IMD_DECILE_BOUNDS),
        _text("commissioner_code", "who pays; each trust knows its own, nobody lists them all"),
    ]
    return {
        "name": DATASET,
        "description": "Pathways from referral to treatment: open ones and those that ended, at the census.",
        "rows_max": PATHWAYS_PER_PERSON_MAX,
        "people_max": max(1_000_000, 10 * pathways_per_trust),
        "people_about": pathways_per_trust * len(trusts),
        "editions": [EDITION],
        "unit": {"kind": "person", "namespace": "nhs_number", "column": "nhs_number"},
        "columns": [_justified(column) for column in columns],
        "sources": [{"department": trust.department, "table": _TABLE} for trust in trusts],
    }


_TABLE = "patient administration system: weekly waiting list extract"
_HEALTH = "special category: health"
_WHY: Mapping[str, tuple[str, str]] = {
    "rtt_start_date": (_HEALTH, "a wait is counted from its clock start"),
    "rtt_end_date": (_HEALTH, "a wait is counted to its clock stop"),
    "stop_type": (_HEALTH, "treatment and removal from the list are different ends of a wait"),
    "treatment_function": (_HEALTH, "waits differ by service, and services are planned one by one"),
    "priority": (_HEALTH, "urgent patients wait differently, which a fair comparison takes into account"),
    "age": ("personal data", "to see whether children or older people wait longer"),
    "sex": ("personal data", "to see whether women and men wait equally long"),
    "ethnic_category": ("special category: ethnic origin", "to see whether waits are fair, as the law asks"),
    "imd_decile": ("personal data", "to see whether people in deprived areas wait longer"),
    "commissioner_code": ("personal data", "commissioners plan and pay for the services"),
}
"""How sensitive each column is, and why the purpose needs it."""


def _justified(column: Document) -> Document:
    classification, justification = _WHY[str(column["name"])]
    return {**column, "classification": classification, "justification": justification}


def _dates(name: str, description: str, *, missing: bool) -> Document:
    lo, hi = DATE_BOUNDS
    column: Document = {"name": name, "description": description, "type": "date", "missing": missing}
    return {**column, "lo": lo.isoformat(), "hi": hi.isoformat()}


def _coded(name: str, description: str, *, missing: bool = False) -> Document:
    column: Document = {"name": name, "description": description, "type": "category", "missing": missing}
    return {**column, "labels": list(CODES[name])}


def _number(name: str, description: str, bounds: tuple[int, int]) -> Document:
    return {
        "name": name,
        "description": description,
        "type": "number",
        "lo": str(bounds[0]),
        "hi": str(bounds[1]),
    }


def _text(name: str, description: str) -> Document:
    column: Document = {"name": name, "description": description, "type": "text", "missing": True}
    return {**column, "characters_max": 10, "values_max": 200, "as_measure": False}

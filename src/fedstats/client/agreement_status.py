"""Where a version of an agreement stands: who signed it, where it is in force, what is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import Enum

from fedstats.client.authority import Authority, Record
from fedstats.core.agreement import Agreement
from fedstats.core.times import iso_of

Times = Mapping[str, int]
"""When each department's signature reached the register, in seconds since 1970."""


class Stage(Enum):
    """How far a department has come with a version."""

    UNSIGNED = "to sign"
    UNDECIDED = "to accept"
    WAITING = "accepted"  # and others still have to sign, or it has not begun
    IN_FORCE = "in force"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Standing:
    """One department: when it signed and when its node decided, in seconds since 1970; None: not (known)."""

    department: str
    signed: bool
    signed_s: int | None
    accepted_s: int | None
    withdrawn_s: int | None
    reason: str
    stage: Stage
    since_s: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """One version, what each department has done about it, and how many days are left."""

    agreement: Agreement
    hash: bytes
    standings: tuple[Standing, ...]
    review_days: int
    end_days: int
    newer: tuple[int, ...]

    @property
    def departments_in_force(self) -> tuple[str, ...]:
        """Where questions are answered under it."""
        return tuple(s.department for s in self.standings if s.stage is Stage.IN_FORCE)


def status_of(authority: Authority, record: Record, times: Times, today: date) -> Status:
    """The standing of one version; `times` are those of its signatures, as far as they are known."""
    agreement = record.agreement
    signed_all = times_of_all(record, times)
    return Status(
        agreement,
        record.hash,
        tuple(_standing(authority, record, name, times, signed_all, today) for name in agreement.departments),
        (agreement.review_on - today).days,
        (agreement.ends_on - today).days,
        tuple(
            sorted(
                other.agreement.version
                for other in authority.records
                if other.agreement.id == agreement.id and other.agreement.version > agreement.version
            )
        ),
    )


def times_of_all(record: Record, times: Times) -> int | None:
    """When the last controller signed; None while one is missing, 0 where it is not known."""
    if record.unsigned:
        return None
    return max((times.get(name, 0) for name in record.agreement.departments), default=0)


def _standing(
    authority: Authority, record: Record, name: str, times: Times, signed_all: int | None, today: date
) -> Standing:
    agreement, signed = record.agreement, name not in record.unsigned
    decision = authority.decisions(record).get(name)
    withdrawn = decision is not None and decision.withdrawn
    accepted_s = decision.at_s if decision is not None and not withdrawn else None
    begins_s = int(datetime.combine(agreement.starts_on, time(), UTC).timestamp())
    since_s = max(accepted_s, signed_all, begins_s) if accepted_s and signed_all is not None else None
    return Standing(
        department=name,
        signed=signed,
        signed_s=times.get(name) if signed else None,
        accepted_s=accepted_s,
        withdrawn_s=decision.at_s if decision is not None and withdrawn else None,
        reason=decision.reason.value if decision is not None and decision.reason else "",
        stage=_stage(
            agreement, signed=signed, withdrawn=withdrawn, since_s=since_s, accepted=accepted_s, today=today
        ),
        since_s=since_s,
    )


def _stage(
    agreement: Agreement,
    *,
    signed: bool,
    withdrawn: bool,
    since_s: int | None,
    accepted: int | None,
    today: date,
) -> Stage:
    if withdrawn:
        return Stage.WITHDRAWN
    if accepted is None:
        return Stage.UNDECIDED if signed else Stage.UNSIGNED
    if today > agreement.ends_on:
        return Stage.ENDED
    begun = agreement.starts_on <= today
    return Stage.IN_FORCE if since_s is not None and begun else Stage.WAITING


def document_of_status(status: Status) -> dict[str, object]:
    """For programs: times are ISO texts in UTC, or null."""
    agreement = status.agreement
    return {
        "agreement": agreement.id,
        "version": agreement.version,
        "title": agreement.title,
        "sha256": status.hash.hex(),
        "starts_on": agreement.starts_on.isoformat(),
        "review_on": agreement.review_on.isoformat(),
        "ends_on": agreement.ends_on.isoformat(),
        "review_days": status.review_days,
        "end_days": status.end_days,
        "newer_versions": list(status.newer),
        "in_force_at": list(status.departments_in_force),
        "departments": [
            {
                "department": s.department,
                "stage": s.stage.value,
                "signed": s.signed,
                "signed_at": iso(s.signed_s),
                "accepted_at": iso(s.accepted_s),
                "in_force_since": iso(s.since_s) if s.stage is Stage.IN_FORCE else None,
                "withdrawn_at": iso(s.withdrawn_s),
                "reason": s.reason,
            }
            for s in status.standings
        ],
    }


def iso(at_s: int | None) -> str | None:
    """A time in UTC, to the second."""
    return None if not at_s else iso_of(at_s)


def due_words(days: int, what: str, missed: str) -> str:
    """When something is due: `the review is in 12 days`."""
    if days < 0:
        return f"{missed} {-days} {'day' if days == -1 else 'days'} ago"
    return f"{what} today" if days == 0 else f"{what} in {days} {'day' if days == 1 else 'days'}"

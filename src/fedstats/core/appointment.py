"""Appointments: a controller's signed word that a key is its department's node or analyst, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fedstats.core.names import check_analyst, check_department, check_label
from fedstats.core.reason import Reason
from fedstats.core.times import SECONDS_MAX
from fedstats.errors import AppointmentInvalid

KEY_BYTES = 32


class AppointedRole(Enum):
    """What a key is appointed as."""

    NODE = "node"
    ANALYST = "analyst"


@dataclass(frozen=True, slots=True)
class Appointment:
    """`key` is the node, or the analyst `name`, of `department`; times are seconds since 1970."""

    department: str
    role: AppointedRole
    name: str
    key: bytes
    from_s: int
    until_s: int

    def __post_init__(self) -> None:
        """Names are names, the key has its length, the time has an end."""
        check_department(self.department)
        if self.role is AppointedRole.ANALYST:
            check_analyst(self.name)
        elif self.name != self.department:
            raise AppointmentInvalid("A node is appointed under its department's name.")
        if len(self.key) != KEY_BYTES or not 0 <= self.from_s < self.until_s < SECONDS_MAX:
            raise AppointmentInvalid(
                "An appointment needs a key of 32 bytes and a time that ends after it starts."
            )

    def holds_at(self, now_s: int) -> bool:
        """Whether it is valid at this time."""
        return self.from_s <= now_s < self.until_s


@dataclass(frozen=True, slots=True)
class Revocation:
    """`department` no longer stands behind `key`, whatever it was appointed as."""

    department: str
    key: bytes
    at_s: int
    reason: str

    def __post_init__(self) -> None:
        """Names are names, the key has its length."""
        check_department(self.department)
        check_label(self.reason, what="reason")
        if len(self.key) != KEY_BYTES or not 0 <= self.at_s < SECONDS_MAX:
            raise AppointmentInvalid("A revocation needs a key of 32 bytes and a time.")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A node says that its department accepted the agreement with this hash, or withdrew from it, and why."""

    department: str
    agreement: bytes
    withdrawn: bool
    at_s: int
    reason: Reason | None = None

    def __post_init__(self) -> None:
        """Names are names, the hash has its length, and a withdrawal alone has a reason."""
        if self.withdrawn != (self.reason is not None):
            raise AppointmentInvalid("A withdrawal gives its reason, and an acceptance none.")
        check_department(self.department)
        if len(self.agreement) != KEY_BYTES or not 0 <= self.at_s < SECONDS_MAX:
            raise AppointmentInvalid("An acceptance needs the SHA-256 of an agreement and a time.")

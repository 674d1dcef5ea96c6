"""Approvals: an approver's signed word, inside a department, that its node may answer a question."""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.core.names import check_department
from fedstats.core.times import SECONDS_MAX
from fedstats.errors import ValueInvalid

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Approval:
    """The node of `department` may answer all rounds of the query whose signed bytes have this SHA-256."""

    department: str
    query: bytes
    at_s: int

    def __post_init__(self) -> None:
        """Names are names, the hash has its length."""
        check_department(self.department)
        if len(self.query) != HASH_BYTES or not 0 <= self.at_s < SECONDS_MAX:
            raise ValueInvalid("An approval needs the SHA-256 of a query and a time.")

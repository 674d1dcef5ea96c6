"""Why a department stops something: the closed list of categories that the public is told."""

from __future__ import annotations

from enum import Enum
from typing import Self

from fedstats.errors import ValueInvalid


class Reason(Enum):
    """Why a department refused a question, paused its node or left an agreement.

    Only the category leaves the department, so that no words can say what its data hold. The values are
    what messages, the register and the command line say; they are only ever added to.
    """

    MAINTENANCE = "maintenance"
    DATA_QUALITY = "data-quality"
    SECURITY = "security"
    GOVERNANCE = "governance"
    PURPOSE = "purpose"
    LEGAL = "legal"
    PRIVACY = "privacy"
    OTHER = "other"

    @property
    def words(self) -> str:
        """The category as people read it."""
        return _WORDS[self]

    @classmethod
    def of(cls, word: str) -> Self:
        """The category that a message or a person names; raises ValueInvalid."""
        try:
            return cls(word)
        except ValueError:
            known = ", ".join(reason.value for reason in cls)
            raise ValueInvalid(f"{word[:40]!r} is no category of reasons: {known}.") from None


_WORDS = {
    Reason.MAINTENANCE: "the systems are being worked on",
    Reason.DATA_QUALITY: "the data are not fit to be asked about",
    Reason.SECURITY: "a question of security is open",
    Reason.GOVERNANCE: "those responsible have not agreed, or want to see more",
    Reason.PURPOSE: "it does not serve the agreed purpose",
    Reason.LEGAL: "the legal ground is missing or in doubt",
    Reason.PRIVACY: "it would say too much about too few people",
    Reason.OTHER: "another reason",
}

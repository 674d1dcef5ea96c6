"""What every error says: its code, what happened, who can change it, what to do, what it cost."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Spent(Enum):
    """What an error did to the privacy budget."""

    NOTHING = "Nothing was spent."
    CHARGED = "The budget of this round was spent."
    BEFORE = "What earlier rounds asked was spent, and nothing more."
    UNKNOWN = "It is not known whether budget was spent; the ledger of the node knows."
    NOT_APPLICABLE = ""


class Actor(Enum):
    """Who can change what led to an error."""

    CALLER = "whoever typed the command"
    ANALYST = "the analyst who asks"
    CONTROLLER = "the department's controller"
    CONTROLLER_OF_ANALYST = "the controller of the analyst's organisation"
    DEPARTMENT_IT = "the department's IT"
    OPERATOR = "whoever runs the coordinator"
    DEVELOPERS = "the developers of fedstats"


class FedstatsError(Exception):
    """The root of all errors: catch this to catch everything that fedstats raises on purpose."""

    code: ClassVar[str] = "FS-000"
    title: ClassVar[str] = "fedstats could not do this."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.CALLER,)
    remedy: ClassVar[str] = ""
    spent_default: ClassVar[Spent] = Spent.NOT_APPLICABLE

    def __init__(
        self, sentence: str = "", *, where: str = "", remedy: str | None = None, spent: Spent | None = None
    ) -> None:
        """Say what happened (`sentence`), who says so (`where`), what to do and what it cost."""
        self.sentence = sentence or self.title
        self.where = where
        self.advice = self.remedy if remedy is None else remedy
        self.spent = self.spent_default if spent is None else spent
        super().__init__(self.sentence)

    def __str__(self) -> str:
        """Give one line: `FS-214 dvla: what happened. What was spent. What to do.`.

        What to do stands last, because it often ends in a command that people copy.
        """
        head = f"{self.code} {self.where}:" if self.where else self.code
        parts = (head, self.sentence, self.spent.value, self._who(), self.advice)
        return " ".join(part for part in parts if part)

    def _who(self) -> str:
        """Who can change it, where readers need to be told; most errors are their readers' own affair."""
        return ""

"""The answers of a sitting that was broken off: kept in the node's own folder until node.toml is written."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fedstats.errors import FedstatsError

NAME = "init.draft.json"


@dataclass(slots=True)
class Draft:
    """Answers by their questions; they may hold codes of the data, so only this account can read the file."""

    folder: Path | None = None  # where it is kept, once the folder is there
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path | None:
        """The file."""
        return None if self.folder is None else self.folder / NAME

    def open(self, folder: Path) -> int:
        """Keep answers in this folder from now on; how many are there from an earlier sitting."""
        self.folder = folder
        with suppress(OSError, ValueError):
            found = json.loads((folder / NAME).read_text(encoding="utf-8"))
            if isinstance(found, dict):
                self.answers = {str(question): str(answer) for question, answer in found.items()}
        return len(self.answers)

    def keep(self, question: str, answer: str) -> None:
        """Write an answer down; where that is not possible the sitting goes on without."""
        from fedstats.identity.durable_file import PRIVATE_MODE, write_durably

        self.answers[question] = answer
        if self.path is not None:
            with suppress(FedstatsError):
                content = json.dumps(self.answers, ensure_ascii=False, indent=1).encode()
                write_durably(self.path, content, mode=PRIVATE_MODE, replace=True)

    def forget(self, question: str) -> None:
        """An answer was no use: ask anew, also in a later sitting."""
        self.answers.pop(question, None)

    def end(self) -> None:
        """Everything is written where it belongs."""
        self.answers = {}
        if self.path is not None:
            self.path.unlink(missing_ok=True)

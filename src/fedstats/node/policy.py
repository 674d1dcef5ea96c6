"""The department's own word, before anything else: pause and resume, and the deadlines of queries."""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.core.names import check_text
from fedstats.core.query import Query
from fedstats.core.reason import Reason
from fedstats.errors import DeadlinePassed, NodePaused
from fedstats.journal.security import PAUSED, RESUMED
from fedstats.node import log_entries
from fedstats.node.state import State


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force, since when (seconds since 1970); the note is for the department itself."""

    reason: Reason
    since_s: int
    note: str = ""


class Policy:
    """What the department decided locally. It needs no coordinator and lasts over restarts."""

    def __init__(self, state: State) -> None:
        """Use this node's records."""
        self._state = state

    def pause(self, reason: Reason, *, now_s: int, note: str = "") -> None:
        """Answer nothing, not even recorded answers, until `resume`; the note stays here."""
        check_text(note, what="note")
        with self._state.change() as sqlite:
            sqlite.execute("DELETE FROM pause")
            sqlite.execute("INSERT INTO pause VALUES (?, ?, ?)", (reason.value, now_s, note))
            self._state.log.enter(log_entries.PAUSED, {"reason": reason.value}, now_s=now_s)
        PAUSED(reason=reason.value)

    def resume(self, *, now_s: int) -> None:
        """Answer again."""
        with self._state.change() as sqlite:
            sqlite.execute("DELETE FROM pause")
            self._state.log.enter(log_entries.RESUMED, {}, now_s=now_s)
        RESUMED()

    def paused(self) -> Pause | None:
        """The pause in force, None if the node answers."""
        with self._state.look() as sqlite:
            row = sqlite.execute("SELECT reason, since_s, note FROM pause").fetchone()
        return None if row is None else Pause(Reason(row[0]), row[1], row[2])

    def check(self, query: Query, *, now_s: int) -> None:
        """Refuse what the department does not want answered now.

        Raises
        ------
        NodePaused
            The node is paused.
        DeadlinePassed
            The query waited too long.

        """
        pause = self.paused()
        if pause is not None:
            word = pause.reason.value
            raise NodePaused(f"The department has paused answering ({word}).", reason=word)
        if now_s > query.deadline_s:
            raise DeadlinePassed

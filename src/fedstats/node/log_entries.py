"""What each kind of entry in the node's log says, and in which words a person reads it. Pure.

Entries outlive programs: keys are only ever added, and readers must not fail at a kind they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fedstats.core.agreement_document import Document
from fedstats.core.log_head import LogHead
from fedstats.core.privacy import Loss

BEGAN: Final = "began"
RENEWED: Final = "log-renewed"
ANSWERED: Final = "answered"
REFUSED: Final = "refused"
UNLISTED: Final = "refused-unlisted"
CHARGED: Final = "charged"
CARRIED: Final = "ledger-recovered"
KEY_CHANGED: Final = "key-changed"
ACCEPTED: Final = "agreement-accepted"
WITHDRAWN: Final = "agreement-withdrawn"
PAUSED: Final = "paused"
RESUMED: Final = "resumed"
APPROVAL_ASKED: Final = "approval-asked"
APPROVED: Final = "question-approved"
VETOED: Final = "question-refused"
EDITION_MADE: Final = "edition-made"
EDITIONS_DELETED: Final = "editions-deleted"
REGISTER_PINNED: Final = "register-pinned"
REGISTER_FORKED: Final = "register-forked"
REGISTER_FORGOTTEN: Final = "register-forgotten"

SHOWN_DIGITS = 12  # of a hash


def loss_document(loss: Loss) -> Document:
    """A loss as the log says it: exact fractions as text."""
    return {"rho": str(loss.rho), "delta_add": str(loss.delta_add)}


@dataclass(frozen=True, slots=True)
class Former:
    """A log that this one took the place of: so many entries were known, and the root over them."""

    log: bytes
    size: int
    root: bytes

    def covers(self, head: LogHead) -> bool:
        """Whether a head is of this log and says nothing more than, and nothing else than, what was known."""
        if head.log != self.log or head.size > self.size:
            return False
        return head.size < self.size or head.root == self.root


def former_of(document: Mapping[str, object]) -> tuple[Former, ...]:
    """The logs that a renewal names; what is no such thing is left out."""
    found, listed = [], document.get("former")
    for one in listed if isinstance(listed, list) else ():
        with suppress(ValueError, KeyError, TypeError):
            found.append(Former(bytes.fromhex(one["log"]), int(one["size"]), bytes.fromhex(one["root"])))
    return tuple(found)


def words(kind: str, document: Mapping[str, object]) -> str:
    """One line about an entry, for people; of an unknown kind its name."""
    line = _WORDS.get(kind)
    if line is None:
        return kind
    return line(_Facts(document))


class _Facts(dict[str, object]):
    """A document as it is read: a missing key is a question mark, since later versions may differ."""

    def __init__(self, document: Mapping[str, object]) -> None:
        super().__init__(document)

    def __missing__(self, key: str) -> object:
        return "?"

    def short(self, key: str) -> str:
        """The first digits of a hash."""
        return str(self[key])[:SHOWN_DIGITS]


def _answered(facts: _Facts) -> str:
    cost = "charged" if facts.get("charge") else "free, from the record"
    return (
        f"answered {facts['analyst']} for {facts['purpose']} under {facts['agreement']} {facts['version']}: "
        f"{facts['dataset']} {facts['edition']}, question {facts.short('query')} round {facts['round']}, "
        f"{cost}"
    )


def _refused(facts: _Facts) -> str:
    charged = ", after the charge" if facts.get("charged") else ""
    return (
        f"refused {facts['analyst']} for {facts['purpose']} under {facts['agreement']} {facts['version']}: "
        f"{facts['code']}{charged}, question {facts.short('query')} round {facts['round']}"
    )


def _renewed(facts: _Facts) -> str:
    line = f"this log began in the place of another one ({_LOG_GONE.get(facts['why'], '?')}), with key "
    line += facts.short("key")
    for former in former_of(facts):
        line += f"; of log {former.log.hex()} {former.size} entries were known, root {former.root.hex()}"
    return line


_LOG_GONE: Mapping[object, str] = {
    "lost": "the file was lost",
    "damaged": "the file was not what was written",
    "restored": "the file was an older copy",
}
_WHY: Mapping[object, str] = {
    "unverified": "questions that nobody signed who is appointed under an agreement accepted here",
    "too many": "more questions than are listed one by one",
}
_WORDS: Mapping[str, Callable[[_Facts], str]] = {
    BEGAN: lambda facts: f"the node of {facts['department']} began work, with key {facts.short('key')}",
    RENEWED: _renewed,
    ANSWERED: _answered,
    REFUSED: _refused,
    UNLISTED: lambda facts: f"refused with {facts['code']}, on {facts['day']}: {_WHY.get(facts['why'], '?')}",
    CHARGED: lambda facts: (
        f"the ledger charged {facts['agreement']} for question {facts.short('query')} round "
        f"{facts['round']}; entered after a crash"
    ),
    CARRIED: lambda facts: f"the ledger carried forward {facts['links']} links of another one",
    KEY_CHANGED: lambda facts: f"the node signs with key {facts.short('key')} from now on",
    ACCEPTED: lambda facts: f"accepted agreement {facts['agreement']} {facts['version']}",
    WITHDRAWN: lambda facts: f"left agreement {facts['agreement']} ({facts['reason']})",
    PAUSED: lambda facts: f"paused answering ({facts['reason']})",
    RESUMED: lambda _: "answers again",
    APPROVAL_ASKED: lambda facts: (
        f"a person is to decide about question {facts.short('query')} of {facts['analyst']}, "
        f"under {facts['agreement']}"
    ),
    APPROVED: lambda facts: f"{facts['by']} approved question {facts.short('query')}",
    VETOED: lambda facts: f"refused question {facts.short('query')} ({facts['reason']})",
    EDITION_MADE: lambda facts: (
        f"made edition {facts['edition']} of {facts['dataset']}, {facts['agreement']}"
    ),
    EDITIONS_DELETED: lambda facts: f"deletes the editions of agreement {facts['agreement']}",
    REGISTER_PINNED: lambda facts: f"the coordinator's register is signed with key {facts.short('key')}",
    REGISTER_FORKED: lambda facts: (
        f"was shown two registers: size {facts['seen_size']}, then size {facts['shown_size']} that does not "
        "continue it"
    ),
    REGISTER_FORGOTTEN: lambda _: "a person decided to go on after two registers were shown",
}

"""What documents are made of: an agreement, and what the public register says was done under it.

The register is read as the coordinator relays it; nothing of an entry is taken for granted. Whether the
register itself was changed is what `fedstats register verify` looks into.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fedstats.client.register_reading import register_pages
from fedstats.core.agreement import Agreement
from fedstats.wire.method import Transport

JOB_DIGITS = 10
ACCEPTED, WITHDRAWN = "agreement-accepted", "agreement-withdrawn"
QUERY, OUTCOME = "query", "outcome"

_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,60})?", re.ASCII)

Said = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the register, its document parsed."""

    number: int
    at_s: int
    kind: str
    said: Said


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the rounds of a run ended, department by department; `refused` holds codes."""

    released: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    used_percent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredRun:
    """A question as the register shows it: who asked what, for which purpose, at what loss, who answered."""

    number: int
    at_s: int
    query: str
    version: int
    asked_by: str
    purpose: str
    dataset: str
    edition: str
    question: str
    departments: tuple[str, ...]
    mode: str
    epsilon: str
    delta: str
    rho: str
    budget_percent: str
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def name(self) -> str:
        """The first digits of the query's hash."""
        return self.query[:JOB_DIGITS]

    @property
    def day(self) -> str:
        """When it was registered."""
        return day_of(self.at_s)


@dataclass(frozen=True, slots=True)
class Dossier:
    """An agreement with its runs. `until` is the newest entry that was read, None where no register was.

    `signed_by` and `accepted_by` are departments; `withdrawn` is who withdrew and when, in the order of the
    register; `doubt` says why this text should not be relied on, as far as this computer knows.
    """

    agreement: Agreement
    digest: str
    signed_by: tuple[str, ...] = ()
    accepted_by: tuple[str, ...] = ()
    doubt: str = ""
    runs: tuple[RegisteredRun, ...] = ()
    withdrawn: tuple[tuple[str, str], ...] = ()
    until: int | None = None

    def with_register(self, entries: Iterable[Entry]) -> Dossier:
        """The same with what these entries say of the agreement, in any version."""
        runs: dict[str, RegisteredRun] = {}
        withdrawn, until = [], 0
        for entry in entries:
            until = max(until, entry.number)
            if entry.said.get("agreement") == self.agreement.id:
                if entry.kind == QUERY:
                    run = _run(entry)
                    runs.setdefault(run.query, run)
                if entry.kind == WITHDRAWN:
                    withdrawn.append((_text(entry.said, "department"), day_of(entry.at_s)))
            query = _text(entry.said, "query")
            if entry.kind == OUTCOME and query in runs:
                runs[query] = replace(runs[query], outcome=_ended(runs[query].outcome, entry.said))
        return replace(self, runs=tuple(runs.values()), withdrawn=tuple(withdrawn), until=until)


def entries_over(transport: Transport) -> Iterator[Entry]:
    """The whole register, the oldest first."""
    for page in register_pages(transport):
        for entry in page:
            yield Entry(entry.number, entry.at_s, entry.kind, _parsed(entry.document))


def day_of(at_s: int) -> str:
    """The day of a moment, in UTC; of one that no calendar has, the number."""
    try:
        return datetime.fromtimestamp(at_s, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return str(at_s)


def _run(entry: Entry) -> RegisteredRun:
    said = entry.said
    loss = said.get("loss")
    loss = loss if isinstance(loss, dict) else {}
    version = said.get("version")
    return RegisteredRun(
        number=entry.number,
        at_s=entry.at_s,
        query=_text(said, "query"),
        version=version if type(version) is int and version > 0 else 0,
        asked_by=f"{_text(said, 'analyst')}@{_text(said, 'department')}",
        purpose=_text(said, "purpose"),
        dataset=_text(said, "dataset"),
        edition=_text(said, "edition"),
        question=_text(said, "question_words") or _text(said, "question"),
        departments=_texts(said, "departments"),
        mode=_text(said, "mode"),
        epsilon=_decimal(loss, "epsilon"),
        delta=_decimal(loss, "delta"),
        rho=_text(loss, "rho"),
        budget_percent=_decimal(loss, "budget_percent"),
    )


def _ended(before: Outcome, said: Said) -> Outcome:
    """How a run stands after one more round: who released in the newest one, and all that anybody said."""
    return Outcome(
        released=_texts(said, "released"),
        refused=_pairs(said, "refused", before.refused),
        missing=_texts(said, "missing"),
        left_out=tuple(dict.fromkeys((*before.left_out, *_texts(said, "left_out")))),
        used_percent=_pairs(said, "budget_used_percent", before.used_percent),
    )


def _pairs(said: Said, key: str, before: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    value = said.get(key)
    new = {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
    return tuple(sorted({**dict(before), **new}.items()))


def _text(said: Said, key: str) -> str:
    value = said.get(key, "")
    return str(value) if isinstance(value, str | int) else ""


def _decimal(said: Said, key: str) -> str:
    text = _text(said, key)
    return text if _DECIMAL.fullmatch(text) else ""


def _texts(said: Said, key: str) -> tuple[str, ...]:
    value = said.get(key)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _parsed(document: bytes) -> Said:
    try:
        said = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}

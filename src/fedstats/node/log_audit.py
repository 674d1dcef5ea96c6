"""Verifying a department's log: within itself, against heads that others keep, against ledger and register.

Within itself, what a failing disk or a careless hand did is named to the entry. Whoever may sign as the node
can write a whole other log; then heads that other departments and the register keep contradict it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fedstats.core.log_head import LogHead
from fedstats.errors import FedstatsError, FileProblem, LogDamaged
from fedstats.identity.keys import Context, PublicKey
from fedstats.node.log import signed_head
from fedstats.node.log_copy import LogCopy, opened
from fedstats.node.log_entries import (
    ANSWERED,
    BEGAN,
    CARRIED,
    CHARGED,
    KEY_CHANGED,
    REFUSED,
    RENEWED,
    WITHDRAWN,
    Former,
    former_of,
)
from fedstats.node.log_file import HeadRow
from fedstats.transparency.check import Examined, Fault, Wrong, against, backdated_against, examine
from fedstats.transparency.entry import LogEntry

SIGNATURES = 4_096  # that are verified of a log in which nothing is wrong
COMPUTING_S = 3_600  # a charge younger than this may still be computed; a start enters it if it is not


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found: the faults in the order of entries, and the tree as it was written."""

    copy: LogCopy
    examined: Examined
    faults: tuple[Fault, ...]
    signatures: int
    """Of how many heads the signature was verified."""


def audit(copy: LogCopy, *, signatures: int | None = SIGNATURES) -> Audit:
    """Verify a log within itself: every leaf, hash and head anew, and the signatures.

    In a log in which nothing else is wrong, the newest so many `signatures` stand for those before them, and
    so does the last of each key: the newest head commits to all entries, and each head's root is computed
    anew. As soon as anything is wrong, or with None, all are verified.
    """
    keys = _keys(copy.kept.entries)
    if signatures is not None and len(copy.heads) > signatures:
        last = {head[3]: head[0] for head in copy.heads}
        matter = {*last.values(), *(head[0] for head in copy.heads[-signatures:])}
        believed = [
            (head, _is_signed(copy, head, keys) if head[0] in matter else head[3] in keys)
            for head in copy.heads
        ]
        found = _audited(copy, believed, len(matter))
        if not found.faults:
            return found
    return _audited(copy, [(head, _is_signed(copy, head, keys)) for head in copy.heads], len(copy.heads))


def _audited(copy: LogCopy, signed: Sequence[tuple[HeadRow, bool]], signatures: int) -> Audit:
    """What is wrong, when of each head it is known whether it is signed."""
    sound = [head for head, good in signed if good]
    examined = examine(copy.kept, [head[:2] for head in sound])
    faults = [*examined.faults]
    if not any(
        fault.wrong is Wrong.BOTH_CHANGED for fault in faults
    ):  # else the tree is not known to the end
        faults += against(examined, [head[:2] for head in sound], "the node's own signed head")
    times = [(size, at_s) for size, _, at_s, _, _ in sound]
    if not faults:
        faults += backdated_against(copy.kept.entries, times, "the node's own signed head")
    faults += [
        Fault(head[0], Wrong.HEAD_CHANGED, f"The head of {head[0]} entries is not what the node signed.")
        for head, good in signed
        if not good
    ]
    in_order = tuple(sorted(faults, key=lambda fault: fault.number))
    return Audit(copy, examined, in_order, signatures)


def against_heads(found: Audit, heads: Iterable[tuple[LogHead, PublicKey]], whose: str) -> Iterator[Fault]:
    """Where heads of this department's log that others keep contradict it."""
    copy, keys, former = found.copy, _keys(found.copy.kept.entries), former_logs(found.copy)
    own = heads_about(copy.department, heads)
    for head, key in own:
        if head.log != copy.log:
            if any(one.covers(head) for one in former):
                continue  # it stays valid: of the log that this one took the place of
            sentence = (
                f"{whose} knows another log of {copy.department}: {head.log.hex()}, {head.size} entries."
            )
            if any(one.log == head.log for one in former):
                sentence = (
                    f"{whose} knows {head.size} entries of the former log {head.log.hex()}, and the entry"
                    " about it says something else: another copy of the node went on with it."
                )
            yield Fault(0, Wrong.FORKED, sentence)
        elif key.raw not in keys:
            sentence = f"{whose} has a head of {head.size} entries by a key that the log does not name."
            yield Fault(head.size, Wrong.FORKED, sentence)
    here = [head for head, _ in own if head.log == copy.log]
    yield from against(found.examined, [(head.size, head.root) for head in here], f"the head in {whose}")
    times = [(head.size, head.at_s) for head in here if head.size <= found.examined.size]
    yield from backdated_against(copy.kept.entries, times, f"the head in {whose}")


def renewals(copy: LogCopy) -> list[LogEntry]:
    """The entries that say that the log took the place of another one."""
    return [entry for entry, _ in _documents(copy.kept.entries, RENEWED)]


def former_logs(copy: LogCopy) -> tuple[Former, ...]:
    """The logs that this one took the place of, as its own entry says."""
    return tuple(one for _, document in _documents(copy.kept.entries, RENEWED) for one in former_of(document))


def heads_about(
    department: str, heads: Iterable[tuple[LogHead, PublicKey]]
) -> list[tuple[LogHead, PublicKey]]:
    """Those of the heads that are of this department's log."""
    return [(head, key) for head, key in heads if head.keeper == department]


def against_ledger(found: Audit, ledger: Path, *, now_s: int) -> Iterator[Fault]:
    """Charges that the log does not tell of, and charges that only the log tells of."""
    told = {
        str(document["computation"]): entry.number
        for entry, document in _documents(found.copy.kept.entries, ANSWERED, CHARGED, REFUSED)
        if document.get("computation")
    }
    try:
        with opened(ledger) as sqlite:
            rows = sqlite.execute("SELECT number, at_s, computation FROM entry").fetchall()
    except sqlite3.Error:
        raise LogDamaged(f"{ledger} cannot be read as a ledger.") from None
    charged = {computation.hex() for _, _, computation in rows}
    for number, at_s, computation in rows:
        if computation.hex() not in told and at_s < now_s - COMPUTING_S:
            sentence = f"Charge {number} of the ledger is told of by no entry: one was removed."
            yield Fault(0, Wrong.REMOVED, sentence)
    recovered = any(entry.kind == CARRIED for entry in found.copy.kept.entries)
    for computation, number in told.items():
        if computation not in charged and not recovered:
            sentence = f"Entry {number} tells of a charge that the ledger does not have: it is an older copy."
            yield Fault(number, Wrong.ADDED, sentence)


def against_register(found: Audit, register: Sequence[Mapping[str, object]]) -> Iterator[Fault]:
    """Own refusals and withdrawals that the public register does not show: somebody hid a veto."""
    department, shown = found.copy.department, _shown(register, found.copy.department)
    for entry, document in _documents(found.copy.kept.entries, REFUSED):
        asked = (document.get("query"), document.get("round"))
        outcomes = shown.get(asked)
        if outcomes is not None and department not in outcomes:
            sentence = (
                f"Entry {entry.number}: {department} refused a question with {document.get('code')}, and the "
                "register says how it ended without saying so."
            )
            yield Fault(entry.number, Wrong.HIDDEN, sentence)
    left = {
        document.get("agreement")
        for kind, document in _register_documents(register)
        if kind == "agreement-withdrawn" and document.get("department") == department
    }
    for entry, document in _documents(found.copy.kept.entries, WITHDRAWN):
        if document.get("agreement") not in left:
            which = f"Entry {entry.number}: {department} left {document.get('agreement')}"
            sentence = f"{which}, and the register does not say so."
            yield Fault(entry.number, Wrong.HIDDEN, sentence)


def _is_signed(copy: LogCopy, head: HeadRow, keys: frozenset[bytes]) -> bool:
    with suppress(FedstatsError, ValueError):
        signed = signed_head(copy.log, copy.department, head)
        signed.verify(Context.LOG_HEAD)
        return signed.key.raw in keys
    return False


def _keys(entries: Iterable[LogEntry]) -> frozenset[bytes]:
    """The keys by which the log says that the node signs."""
    found = set()
    for _, document in _documents(entries, BEGAN, KEY_CHANGED, RENEWED):
        with suppress(ValueError):
            found.add(bytes.fromhex(str(document.get("key"))))
    return frozenset(found)


def _documents(entries: Iterable[LogEntry], *kinds: str) -> Iterator[tuple[LogEntry, Mapping[str, object]]]:
    """The entries of some kinds, with what they say; one that cannot be read is named elsewhere."""
    for entry in entries:
        if entry.kind in kinds:
            with suppress(ValueError):
                yield entry, entry.read()


def _register_documents(
    register: Iterable[Mapping[str, object]],
) -> Iterator[tuple[object, Mapping[str, object]]]:
    for entry in register:
        document = entry.get("document")
        if isinstance(document, Mapping):
            yield entry.get("kind"), document


def _shown(
    register: Iterable[Mapping[str, object]], department: str
) -> Mapping[tuple[object, object], set[object]]:
    """For each (query, round) whose end the register tells: the department, if it is said to be in it."""
    found: dict[tuple[object, object], set[object]] = {}
    for kind, document in _register_documents(register):
        if kind != "outcome":
            continue
        said = found.setdefault((document.get("query"), document.get("round")), set())
        for part in ("refused", "released"):
            names = document.get(part)
            if isinstance(names, Mapping | list) and department in names:
                said.add(department)
    return found


def read_register_file(path: Path) -> list[Mapping[str, object]]:
    """The register in a file that `fedstats register export --json` wrote; raises FileProblem."""
    try:
        entries = json.loads(path.read_bytes())
    except OSError as problem:
        raise FileProblem(f"{path} cannot be read: {problem.strerror}.") from None
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise FileProblem(
            f"{path} is no register.", remedy="It is written by: fedstats register export --json FILE"
        )
    return [entry for entry in entries if isinstance(entry, dict)]

"""Beginning a new log where the old one is lost, damaged, or an older copy than the node signed for.

The new log's first entry says so, and how far the former one had come as far as anybody knows; what is left
of the old file is kept as evidence. The heads that others keep of it stay valid: the entry names its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import count
from pathlib import Path

from fedstats.errors import AlreadyExists, FedstatsError, FileProblem, LogDamaged
from fedstats.identity.durable_file import sync_folder
from fedstats.identity.keys import Signed
from fedstats.journal.security import LOG_RENEWED
from fedstats.node.agreements import Agreements
from fedstats.node.alone import alone
from fedstats.node.home import Home
from fedstats.node.ledger import Ledger
from fedstats.node.log import Log
from fedstats.node.log_audit import audit
from fedstats.node.log_copy import LogCopy, head_document, read_copy
from fedstats.node.log_entries import RENEWED, Former, former_of
from fedstats.node.log_witness import LogWitness, Told, heard, told_of
from fedstats.node.outcomes import Outcomes
from fedstats.node.state import State
from fedstats.wire.authority import was_appointed
from fedstats.wire.codec import signed_from
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH_AUTHORITY, HEADS
from fedstats.wire.v1 import agreements_pb2, signed_pb2


class Gone(Enum):
    """Why a log cannot be continued."""

    LOST = "lost"
    DAMAGED = "damaged"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Renewed:
    """The new log: why it was begun, what was known of former ones, and where the old file is, if any."""

    why: Gone
    log: bytes
    former: tuple[Former, ...]
    kept: Path


def renew(
    home: Home,
    transport: Transport | None,
    *,
    now: Callable[[], float],
    checkpoint: Callable[[str], None] = lambda _: None,
) -> Renewed:
    """Begin a new log; after a crash in between it may be typed again.

    The new one is complete, with all that the ledger charged, before the old one is moved away.

    Raises
    ------
    AlreadyExists
        The log is sound and the newest, or the node is running.
    NetworkError
        The coordinator, who remembers how far the log had come, cannot be reached.
    LedgerCorrupt
        The ledger comes first: fedstats node ledger recover.
    FileProblem
        It could not be made durable; the old file is where it was, or all of it is in the folder for it.

    """
    ready = home.path / "log.next.sqlite"
    with alone(home):
        relayed, appointments = _relayed(transport)
        if home.log.exists() or not _is_ready(home, ready):
            with State(home.state) as state:
                told = _told(home, state, relayed, appointments)
                why = _why(home, state, relayed)
                _make(home, state, ready, _document(home, why, told, now_s=int(now())), now=now)
            checkpoint("made")
        renewed = _put_in_place(home, ready, checkpoint)
    LOG_RENEWED(reason=renewed.why.value)
    return renewed


def _relayed(transport: Transport | None) -> tuple[tuple[signed_pb2.Signed, ...], tuple[Signed, ...]]:
    """The heads that the coordinator keeps, and who was appointed; nothing where the node joined none."""
    if transport is None:
        return (), ()
    heads = transport.call(HEADS, agreements_pb2.HeadsRequest()).heads
    appointments = []
    for message in transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()).appointments:
        with suppress(FedstatsError):
            appointments.append(signed_from(message))
    return tuple(heads), tuple(appointments)


def _told(
    home: Home, state: State, relayed: Iterable[signed_pb2.Signed], appointments: Iterable[Signed]
) -> list[Told]:
    """The heads of this department's logs by keys that are, or were, its node's."""
    own, who = home.read_node_key().public, tuple(appointments)
    with state.look() as sqlite:
        known = heard(sqlite)  # whose keys were looked at when they were heard
    return known + [
        (head, signed)
        for head, signed in told_of(relayed, state.department)
        if signed.key == own or was_appointed(signed.key, state.department, who, home.trust.is_trusted)
    ]


def _why(home: Home, state: State, relayed: Iterable[signed_pb2.Signed]) -> Gone:
    """Why the log cannot be continued; raises AlreadyExists where it can."""
    if not home.log.exists():
        return Gone.LOST
    try:
        state.log.size()
        sound = not audit(read_copy(home.log)).faults
    except LogDamaged:
        sound = False
    if not sound:
        return Gone.DAMAGED
    try:
        LogWitness(state, own=lambda: home.read_node_key().public).hear(relayed)
    except LogDamaged:
        return Gone.RESTORED
    raise AlreadyExists(
        f"{home.log} is sound, and as new as anybody knows; it is not replaced.",
        remedy="What it tells: fedstats audit show",
    )


def _document(home: Home, why: Gone, told: Iterable[Told], *, now_s: int) -> dict[str, object]:
    """What the first entry says. Of each log the last that is known, from the file and from others."""
    former: dict[tuple[bytes, str], dict[str, object]] = {}
    for head, signed in sorted(told, key=lambda one: one[0].size):
        row = (head.size, head.root, head.at_s, signed.key.raw, signed.signature)
        said = {"log": head.log.hex(), "known_from": "coordinator", **head_document(row)}
        former[head.log, "coordinator"] = said
    for one in _of_file(home):
        said = {"log": one.log.hex(), "known_from": "file", "size": one.size, "root": one.root.hex()}
        former.setdefault((one.log, f"file {one.size}"), said)
    return {
        "department": _department(home),
        "key": home.read_node_key().public.raw.hex(),
        "why": why.value,
        "former": list(former.values()),
        "kept": _free(home.path, f"log.former.{now_s}").name,
    }


def _of_file(home: Home) -> list[Former]:
    """What the old file, and those that were kept, say of themselves and of those before them."""
    found: list[Former] = []
    for path in (*sorted(home.path.glob(f"log.former.*/{home.log.name}")), home.log):
        with suppress(FedstatsError, ValueError):
            copy: LogCopy = read_copy(path)
            for entry in copy.kept.entries:
                if entry.kind == RENEWED:
                    found += former_of(entry.read())
            if copy.heads:
                size, root, *_ = copy.heads[-1]
                found.append(Former(copy.log, size, root))
    return found


def _free(folder: Path, name: str) -> Path:
    """A name that nothing has: evidence is never written over."""
    names = (folder / (f"{name}.{number}" if number else name) for number in count())
    return next(place for place in names if not place.exists())


def _department(home: Home) -> str:
    with State(home.state) as state:
        return str(state.department)


def _make(
    home: Home, state: State, ready: Path, document: dict[str, object], *, now: Callable[[], float]
) -> None:
    """A complete new log under the name `ready`: its first entry, and every charge of the ledger."""
    building = home.path / "log.building.sqlite"
    for unfinished in (building, ready):
        _remove(unfinished)
    Log.create(building, state.department)
    log = Log(building)
    try:
        log.enter(RENEWED, document, now_s=int(now()))
        log.sign_with(home.read_node_key)
        with Ledger(home.ledger) as ledger:
            Outcomes(log, ledger, Agreements(state, home.trust), now).catch_up()
        log.head(now_s=int(now()))
    finally:
        log.close()
    building.rename(ready)
    sync_folder(home.path)


def _is_ready(home: Home, ready: Path) -> bool:
    """Whether an earlier try had moved the old file away, so that only the last step is missing."""
    if not ready.exists():
        return False
    try:
        log = Log(ready)
    except LogDamaged:
        return False
    try:
        entry = log.last(RENEWED)
        return entry is not None and (home.path / str(entry.read()["kept"])).exists()
    finally:
        log.close()


def _put_in_place(home: Home, ready: Path, checkpoint: Callable[[str], None]) -> Renewed:
    """Move what is left of the old log to its folder, and the new one to its place."""
    log = Log(ready)
    try:
        entry, id_ = log.last(RENEWED), log.id
    finally:
        log.close()
    document = {} if entry is None else entry.read()
    kept = home.path / str(document["kept"])
    try:
        kept.mkdir(mode=0o700, exist_ok=True)
        sync_folder(home.path)
        for part in sorted(home.path.glob(f"{home.log.name}*")):  # the file itself first
            part.rename(kept / part.name)
            checkpoint(part.name)
        sync_folder(kept)
        ready.rename(home.log)
        sync_folder(home.path)
    except OSError as problem:
        raise FileProblem(f"{problem.filename} cannot be moved: {problem.strerror}.") from None
    checkpoint("placed")
    return Renewed(Gone(document["why"]), id_, former_of(document), kept)


def _remove(path: Path) -> None:
    """Remove what an interrupted try left behind; nobody was ever told of it."""
    try:
        for part in path.parent.glob(f"{path.name}*"):
            part.unlink()
    except OSError as problem:
        raise FileProblem(f"{path} cannot be removed: {problem.strerror}.") from None

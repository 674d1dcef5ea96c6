"""Bringing a ledger up to date with its witnesses: one that was restored, and one that was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fedstats.core.privacy import NO_LOSS, Loss
from fedstats.core.witness import Witness
from fedstats.errors import AlreadyExists, FileProblem, LedgerCorrupt, LedgerRestored, NetworkError
from fedstats.node.alone import alone
from fedstats.node.home import Home
from fedstats.node.ledger import Ledger
from fedstats.node.node_key import NodeKey
from fedstats.node.state import State
from fedstats.node.witness import Witnesses
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.v1 import agreements_pb2, signed_pb2


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was carried forward, each total before and after, and why the coordinator was not heard, if so."""

    witnesses: tuple[Witness, ...]
    changes: Mapping[str, tuple[Loss, Loss]]
    problem: NetworkError | None = None
    kept: Path | None = None


def carry_forward(
    home: Home, file: Path | None, transport: Transport | None, *, now: Callable[[], float]
) -> Recovered:
    """Carry forward whatever the witnesses know and the ledger does not; may be repeated.

    Raises
    ------
    LedgerCorrupt
        The ledger is missing or damaged.
    KeyUnknown
        A witness is signed by a key that no controller who is trusted here appointed.
    LedgerBusy, FileProblem
        It could not be made durable: nothing was changed.

    """
    records, problem = _heard(transport)
    with Ledger(home.ledger) as ledger:
        carried, changes = _carried(home, ledger, file, records, now)
    return Recovered(carried, changes, problem)


def begin_anew(
    home: Home, file: Path | None, transport: Transport | None, *, now: Callable[[], float]
) -> Recovered:
    """Make a new ledger in the place of one that is lost or damaged, with all that the witnesses know.

    The new one is complete before it takes its place, and what is left of the old one is kept.

    Raises
    ------
    AlreadyExists
        The ledger is sound, or the node is running.
    LedgerCorrupt
        Nobody remembers what was spent: without a witness there is no way back.
    NetworkError
        The coordinator cannot be reached, and there is no file that remembers.
    KeyUnknown, FileProblem
        As for `carry_forward`.

    """
    with alone(home):
        _check_lost(home.ledger)
        records, problem = _heard(transport)
        fresh = home.path / "ledger.new.sqlite"
        _remove(fresh)
        Ledger.create(fresh)
        with Ledger(fresh) as ledger:
            carried, changes = _carried(home, ledger, file, records, now)
        if not carried:
            _remove(fresh)
            raise problem or LedgerCorrupt(
                "Neither the coordinator nor a file remembers this department's ledger.",
                remedy="If this node never answered anything, join with another folder. Otherwise its budgets"
                " count as spent: a new agreement is for the controllers to sign.",
            )
        kept = home.path / f"ledger.damaged.{int(time.time())}"
        kept.mkdir(mode=0o700)
        for part in home.path.glob(f"{home.ledger.name}*"):
            part.rename(kept / part.name)
        fresh.rename(home.ledger)
    return Recovered(carried, changes, problem, kept)


def _heard(
    transport: Transport | None,
) -> tuple[tuple[signed_pb2.WitnessRecord, ...], NetworkError | None]:
    """What the coordinator remembers, or why it was not heard."""
    if transport is None:
        return (), None
    try:
        return tuple(transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()).witnesses), None
    except NetworkError as problem:
        return (), problem


def _carried(
    home: Home,
    ledger: Ledger,
    file: Path | None,
    records: tuple[signed_pb2.WitnessRecord, ...],
    now: Callable[[], float],
) -> tuple[tuple[Witness, ...], Mapping[str, tuple[Loss, Loss]]]:
    """Carry everything forward that is known; which witnesses, and every total before and after."""
    before, count = ledger.totals(), len(ledger.carriages())
    with State(home.state) as state:
        witnesses = Witnesses(ledger, state, home.trust, key=NodeKey(home), now=now, file=file)
        with suppress(LedgerRestored):
            witnesses.hear(records)
        witnesses.recover()
    carried = tuple(carriage.witness for carriage in ledger.carriages()[count:])
    after = ledger.totals()
    changes = {
        f"{kind.value} {name}": (before.get((kind, name), NO_LOSS), spent)
        for (kind, name), spent in after.items()
        if before.get((kind, name), NO_LOSS) != spent
    }
    return carried, changes


def _check_lost(path: Path) -> None:
    """Return if the ledger is missing or damaged: a sound one is never replaced."""
    try:
        Ledger(path).close()
    except LedgerCorrupt:
        return
    raise AlreadyExists(
        f"{path} is sound, and is not replaced.",
        remedy="Bring it up to date: fedstats node ledger recover",
    )


def _remove(path: Path) -> None:
    """Remove what an interrupted sitting left behind."""
    try:
        for part in path.parent.glob(f"{path.name}*"):
            part.unlink()
    except OSError as problem:
        raise FileProblem(f"{path} cannot be removed: {problem.strerror}.") from None

"""A ledger that is backed up and restored at will: whatever happens, what left stays within the budgets."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from samples import NOW_S, seed_key

from fedstats.coordinator.store import Store
from fedstats.core.privacy import NO_LOSS, Loss, Mechanism
from fedstats.errors import BudgetExceeded, LedgerRestored, LifetimeExceeded
from fedstats.identity.trust import TrustStore
from fedstats.node.caps import Cap, CapKind
from fedstats.node.ledger import Charge, Ledger
from fedstats.node.state import State
from fedstats.node.witness import Witnesses
from fedstats.wire.codec import decode_witness
from fedstats.wire.v1 import signed_pb2

DELTA = Fraction(1, 1000)
AGREEMENTS = [Cap(CapKind.AGREEMENT, name, Loss(Fraction(1), DELTA), DELTA) for name in ("A", "B")]
LIFETIME = Cap(CapKind.LIFETIME, "nhs_number", Loss(Fraction(6, 5), DELTA), DELTA)
KEY = seed_key("node north")
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 # not about power cuts
COMPUTATIONS = st.integers(0, 5)


def charge(number: int) -> Charge:
    """What computation `number` costs: between two and four fifths, so that two are mostly too many."""
    return Charge(
        computation=sha256(str(number).encode()).digest(),
        agreement=AGREEMENTS[number % 2],
        lifetime=LIFETIME,
        loss=Loss(Fraction(2 + number % 3, 5), Fraction(number, 100_000)),
        mechanism=Mechanism.GAUSSIAN,
        share=Fraction(1),
        query=b"q" * 32,
        round=0,
        agreement_version=1,
        dataset="rtt",
        edition="2025-09",
        purpose="waiting",
        analyst="a.smith@north",
    )


@dataclass(frozen=True)
class Left:
    """A release that left the node: each one lost what its computation costs."""

    number: int
    noise: bytes


class WitnessMachine(RuleBasedStateMachine):
    """A node, its coordinator, its file, and somebody who restores backups. Subclasses say who is honest."""

    coordinator_is_honest: bool
    with_file: bool

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.home, self.other_disk = self.place / "home", self.place / "witness"
        self.home.mkdir()
        Ledger.create(self.home / "ledger.sqlite")
        State.make(self.home / "state.sqlite", "north")
        self.store = Store.in_memory()
        self.shown: list[signed_pb2.Signed] = []  # every witness that the coordinator ever saw
        self.backups: list[Path] = []
        self.left: set[Left] = set()
        self.draws = 0
        self.start()

    def teardown(self) -> None:
        """Remove the files."""
        self.stop()
        self.store.close()
        shutil.rmtree(self.place)

    def start(self) -> None:
        """A new process over whatever is on disk; it has heard nothing yet."""
        self.ledger, self.state = Ledger(self.home / "ledger.sqlite"), State(self.home / "state.sqlite")
        self.witnesses = Witnesses(
            self.ledger,
            self.state,
            TrustStore(self.home / "trust.json"),
            key=lambda: KEY,
            now=lambda: NOW_S,
            file=self.other_disk if self.with_file else None,
        )
        self.heard = False

    def stop(self) -> None:
        """End the process."""
        self.ledger.close()
        self.state.close()

    @rule()
    def crash(self) -> None:
        """The process dies, and another one starts."""
        self.stop()
        self.start()

    @rule()
    def back_up(self) -> None:
        """Somebody copies the node's folder."""
        copy = Path(tempfile.mkdtemp(dir=self.place)) / "home"
        shutil.copytree(self.home, copy)
        self.backups.append(copy)

    @rule(which=st.integers(0, 1_000), only_ledger=st.booleans())
    def restore(self, which: int, *, only_ledger: bool) -> None:
        """Somebody puts an old copy back, of everything or of the ledger alone, and starts the node."""
        if not self.backups:
            return
        copy = self.backups[which % len(self.backups)]
        self.stop()
        for file in [f for f in self.home.iterdir() if f.name.startswith("ledger") or not only_ledger]:
            file.unlink()
        for file in [f for f in copy.iterdir() if f.name.startswith("ledger") or not only_ledger]:
            shutil.copy(file, self.home)
        self.start()

    @rule()
    def lose(self) -> None:
        """The disk dies, and the department begins with an empty ledger under the same key."""
        self.stop()
        shutil.rmtree(self.home)
        self.home.mkdir()
        Ledger.create(self.home / "ledger.sqlite")
        State.make(self.home / "state.sqlite", "north")
        self.start()

    @rule(silent=st.booleans(), old=st.integers(0, 1_000))
    def lease(self, *, silent: bool, old: int) -> None:
        """The node asks for work. A hostile coordinator keeps silent, or shows an old witness."""
        newest = self.witnesses.told()
        self.tell(newest)
        if self.coordinator_is_honest:
            shown = self.store.witnesses.not_in("north", decode_witness(newest.payload))
        else:
            shown = [] if silent else [self.shown[old % len(self.shown)]]
        try:
            self.witnesses.hear([signed_pb2.WitnessRecord(witness=signed) for signed in shown])
        except LedgerRestored:
            return
        self.heard = True

    @rule(number=COMPUTATIONS, send=st.sampled_from((True, True, False)), old=st.integers(0, 1_000))
    def ask(self, number: int, old: int, *, send: bool) -> None:
        """A question comes with a lease; its release leaves, unless the process dies after the charge."""
        self.lease(silent=old % 2 == 0, old=old)
        self.answer(number, send=send)

    def answer(self, number: int, *, send: bool) -> None:
        """What the runner does, in its order."""
        if not self.heard:
            return  # tasks come with a lease's reply only
        try:
            self.witnesses.check()
            release = self.ledger.find(charge(number).computation)
            if release is None:
                self.ledger.reserve(charge(number), now_s=NOW_S)
                if not send:
                    return
                self.draws += 1
                noise = str(self.draws).encode()
                release = self.ledger.record(charge(number).computation, noise, now_s=NOW_S)
        except (BudgetExceeded, LifetimeExceeded, LedgerRestored):
            return
        self.witnesses.check()
        self.witnesses.keep()
        self.tell(self.witnesses.tell())
        self.left.add(Left(number, release))

    @rule()
    def recover(self) -> None:
        """IT types `fedstats node ledger recover`, once or again."""
        self.witnesses.recover()
        assert self.witnesses.recover() == ()
        self.ledger.verify()

    @invariant()
    def what_left_stays_within_the_budgets(self) -> None:
        """Every release that ever left is paid for under every limit, whatever was restored."""
        lost: dict[str, Loss] = defaultdict(lambda: NO_LOSS)
        for left in self.left:
            made = charge(left.number)
            for cap in (made.agreement, made.lifetime):
                lost[cap.name] += made.loss
        for cap in (*AGREEMENTS, LIFETIME):
            assert lost[cap.name].fits(cap.budget)

    def tell(self, signed: signed_pb2.Signed) -> None:
        """The coordinator hears a witness; an honest one keeps it."""
        self.shown.append(signed)
        self.store.witnesses.keep(decode_witness(signed.payload), signed, NOW_S, appointed=lambda _key: True)


class HonestCoordinator(WitnessMachine):
    """The coordinator keeps and shows the newest; there is no file."""

    coordinator_is_honest, with_file = True, False


class SilentCoordinatorWithFile(WitnessMachine):
    """The coordinator shows what it likes; the file on another disk does not."""

    coordinator_is_honest, with_file = False, True


FEW = settings(max_examples=40, stateful_step_count=25)
TestHonestCoordinator = HonestCoordinator.TestCase
TestHonestCoordinator.settings = FEW
TestHonestCoordinator.__doc__ = "With an honest coordinator restoring a backup never raises a budget."
TestSilentCoordinatorWithFile = SilentCoordinatorWithFile.TestCase
TestSilentCoordinatorWithFile.settings = FEW
TestSilentCoordinatorWithFile.__doc__ = (
    "With the file on another disk it does not either, if it keeps silent."
)

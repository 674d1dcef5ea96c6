"""The ledger as a state machine: crashes, repeated messages, many askers, two budgets, a pace, odd clocks."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from samples import round_order

from fedstats.core.privacy import Loss, Mechanism
from fedstats.errors import BudgetExceeded, LifetimeExceeded, PaceExceeded, RoundConflict
from fedstats.node.caps import Cap, CapKind
from fedstats.node.ledger import Charge, Ledger
from fedstats.node.pace import DAY_S, PaceLimit

DELTA = Fraction(1, 1000)
AGREEMENTS = [Cap(CapKind.AGREEMENT, name, Loss(Fraction(1), DELTA), DELTA) for name in ("A", "B")]
LIFETIMES = [
    Cap(CapKind.LIFETIME, name, Loss(Fraction(budget, 2), DELTA), DELTA)
    for name, budget in (("nhs_number", 3), ("crn", 1))
]
PACES = [PaceLimit("A", Fraction(4, 5), 2, DELTA), None]
COMPUTATIONS = st.integers(0, 7)
QUERIES = st.integers(0, 2)


def hashed(*parts: object) -> bytes:
    """A hash that stands for these."""
    return sha256(repr(parts).encode()).digest()


@dataclass
class Question:
    """A computation in the model: its charge is a function of its number, as it is of a real one's bytes."""

    number: int
    charged_s: int | None = None
    release: bytes | None = None
    left_the_node: set[bytes] = field(default_factory=set)

    @property
    def charge(self) -> Charge:
        """What it costs: between a tenth and four fifths of a budget."""
        return Charge(
            computation=hashed("computation", self.number),
            agreement=AGREEMENTS[self.number % 2],
            lifetime=LIFETIMES[self.number % 3 % 2],
            loss=Loss(Fraction(1 + self.number, 10), Fraction(self.number, 20_000)),
            mechanism=Mechanism.GAUSSIAN,
            share=Fraction(1),
            query=hashed("query", self.number),
            round=0,
            agreement_version=1,
            dataset="rtt",
            edition="2025-09",
            purpose="waiting",
            analyst="a.smith@north",
            pace=PACES[self.number % 2],
        )

    @property
    def charged(self) -> bool:
        """Whether it was."""
        return self.charged_s is not None


class LedgerMachine(RuleBasedStateMachine):
    """A node that may die between any two steps, and hears every question as often as the network likes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        Ledger.create(self.folder / "ledger.sqlite")
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        self.questions = [Question(number) for number in range(8)]
        self.rounds: dict[tuple[int, int], tuple[int, Fraction]] = {}
        self.draws = 0
        self.now_s = 100 * DAY_S

    def teardown(self) -> None:
        """Remove the files."""
        self.ledger.close()
        shutil.rmtree(self.folder)

    @rule()
    def crash(self) -> None:
        """The process dies between two steps: a new one finds what is on disk, in a copy of it."""
        image = Path(tempfile.mkdtemp())
        for file in self.folder.iterdir():
            shutil.copy(file, image)
        self.ledger.close()
        shutil.rmtree(self.folder)
        self.folder = image
        self.ledger = Ledger(self.folder / "ledger.sqlite")

    @rule(query=QUERIES, number=st.integers(0, 2), content=st.integers(0, 1), parts=st.integers(1, 4))
    def hear_a_round(self, query: int, number: int, content: int, parts: int) -> None:
        """A round arrives: for the first time, again, changed, too early, or one too many."""
        share = Fraction(parts, 4)
        others = sum(part for (of, n), (_, part) in self.rounds.items() if of == query and n != number)
        known = self.rounds.get((query, number))
        in_order = number == 0 or (query, number - 1) in self.rounds
        # The content is a hash of all of the order, of its share too.
        allowed = known == (content, share) if known else in_order and others + share <= 1
        order = round_order(number, share)
        try:
            self.ledger.bind(hashed(query), order, content=hashed(content, share))
        except RoundConflict:
            assert not allowed
        else:
            assert allowed
            self.rounds[query, number] = (content, share)

    @rule(half_days=st.integers(-2, 4))
    def clock_moves(self, half_days: int) -> None:
        """Time passes, or somebody sets the computer's clock, back too; often to just when a pace is over."""
        self.now_s += half_days * DAY_S // 2

    @rule(number=COMPUTATIONS)
    def charge(self, number: int) -> None:
        """A worker gets as far as the charge, and perhaps no further."""
        question = self.questions[number]
        fits, waits = question.charged or self.fits(question), self.waits_until(question)
        try:
            fresh = self.ledger.reserve(question.charge, now_s=self.now_s)
        except (BudgetExceeded, LifetimeExceeded):
            assert not fits
        except PaceExceeded:
            assert fits
            assert waits is not None
            pace = question.charge.pace
            assert pace is not None
            said = self.ledger.pace_status(pace, now_s=self.now_s).free_s(question.charge.loss.rho)
            assert said == waits
        else:
            assert fits
            assert question.charged or waits is None
            assert fresh == (not question.charged)
            question.charged_s = self.latest_s() if fresh else question.charged_s

    @rule(number=COMPUTATIONS)
    def answer(self, number: int) -> None:
        """A worker that charged before draws fresh noise, records, and sends what the ledger gives back."""
        question = self.questions[number]
        if not question.charged:
            return
        self.draws += 1
        sent = self.ledger.record(question.charge.computation, hashed("noise", self.draws), now_s=1)
        question.release = question.release or sent
        question.left_the_node.add(sent)

    @rule(number=COMPUTATIONS)
    def ask_again(self, number: int) -> None:
        """A repeated question is answered from the record."""
        question = self.questions[number]
        found = self.ledger.find(question.charge.computation)
        assert found == question.release
        if found is not None:
            question.left_the_node.add(found)

    @invariant()
    def one_release_per_computation(self) -> None:
        """Nobody ever sees two noises over one exact number."""
        assert all(len(question.left_the_node) <= 1 for question in self.questions)

    @invariant()
    def never_overspent(self) -> None:
        """What was spent is what was charged, exactly, within every limit, and adds up."""
        for status in self.ledger.status((*AGREEMENTS, *LIFETIMES)):
            assert status.spent == self.spent(status.cap)
            assert status.spent.fits(status.cap.budget)
        self.ledger.verify()

    @invariant()
    def never_faster_than_agreed(self) -> None:
        """In any two days, by times that never go back whatever the clock did, no more than the pace."""
        times = [entry.at_s for entry in self.ledger.entries()]
        assert times == sorted(times)
        for pace in filter(None, PACES):
            for end_s in times:
                since_s = end_s - pace.days * DAY_S
                spent = sum(
                    entry.loss.rho
                    for entry in self.ledger.entries()
                    if entry.agreement == pace.agreement and since_s < entry.at_s <= end_s
                )
                assert spent <= pace.rho

    def latest_s(self) -> int:
        """The clock's time, but none before the last charge."""
        return max(self.now_s, *(question.charged_s or 0 for question in self.questions))

    def waits_until(self, question: Question) -> int | None:
        """The first moment at which the pace admits the question, found by trying; None if that is now."""
        pace, rho = question.charge.pace, question.charge.loss.rho
        if pace is None:
            return None
        paced = [q for q in self.questions if q.charge.pace == pace]
        charges = [(q.charged_s, q.charge.loss.rho) for q in paced if q.charged_s is not None]
        now_s, lasts_s = self.latest_s(), pace.days * DAY_S
        for moment_s in sorted({now_s, *(at_s + lasts_s for at_s, _ in charges if at_s + lasts_s > now_s)}):
            spent = sum(part for at_s, part in charges if at_s > moment_s - lasts_s)
            if spent + rho <= pace.rho:
                return None if moment_s == now_s else moment_s
        raise AssertionError("no single charge is above the pace")

    def spent(self, cap: Cap) -> Loss:
        """What the model charged to a limit."""
        charged = [question.charge for question in self.questions if question.charged]
        return sum((c.loss for c in charged if cap in (c.agreement, c.lifetime)), Loss(Fraction(0)))

    def fits(self, question: Question) -> bool:
        """Whether both limits admit the question."""
        charge = question.charge
        return all(
            (self.spent(cap) + charge.loss).fits(cap.budget) for cap in (charge.agreement, charge.lifetime)
        )


TestLedger = LedgerMachine.TestCase
TestLedger.__doc__ = (
    "Never overspent, never two releases of one computation, whatever is lost, late or repeated."
)

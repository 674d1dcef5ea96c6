"""The ledger as a state machine: crashes, lost and repeated messages, many askers, two budgets."""

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
from fedstats.errors import BudgetExceeded, LifetimeExceeded, RoundConflict
from fedstats.node.caps import Cap, CapKind
from fedstats.node.ledger import Charge, Ledger

DELTA = Fraction(1, 1000)
AGREEMENTS = [Cap(CapKind.AGREEMENT, name, Loss(Fraction(1), DELTA), DELTA) for name in ("A", "B")]
LIFETIMES = [
    Cap(CapKind.LIFETIME, name, Loss(Fraction(budget, 2), DELTA), DELTA)
    for name, budget in (("nhs_number", 3), ("crn", 1))
]
COMPUTATIONS = st.integers(0, 7)
QUERIES = st.integers(0, 2)


def hashed(*parts: object) -> bytes:
    """A hash that stands for these."""
    return sha256(repr(parts).encode()).digest()


@dataclass
class Question:
    """A computation in the model: its charge is a function of its number, as it is of a real one's bytes."""

    number: int
    charged: bool = False
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
        )


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

    @rule(number=COMPUTATIONS)
    def charge(self, number: int) -> None:
        """A worker gets as far as the charge, and perhaps no further."""
        question = self.questions[number]
        fits = question.charged or self.fits(question)
        try:
            fresh = self.ledger.reserve(question.charge, now_s=1)
        except (BudgetExceeded, LifetimeExceeded):
            assert not fits
        else:
            assert fits
            assert fresh == (not question.charged)
            question.charged = True

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

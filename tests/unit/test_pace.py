"""The pace of an agreement: what the refusal says, the very second at which it ends, and what it counts."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from samples import seed_key

from fedstats.core.privacy import Loss, Mechanism
from fedstats.errors import BudgetExceeded, PaceExceeded, Spent
from fedstats.identity.keys import Context, Signed
from fedstats.node.caps import Cap, CapKind
from fedstats.node.ledger import Charge, Ledger
from fedstats.node.pace import DAY_S, PaceLimit
from fedstats.wire.codec import encode_witness, signed_to
from fedstats.wire.codec.strict import to_bytes

DELTA = Fraction(1, 2_000_000)
AGREEMENT = Cap(CapKind.AGREEMENT, "RTT-2026", Loss(Fraction(1), DELTA), DELTA)
LIFETIME = Cap(CapKind.LIFETIME, "nhs_number", Loss(Fraction(10), DELTA), DELTA)
PACE = PaceLimit("RTT-2026", Fraction(1, 2), 30, DELTA)
NOW_S = 1_780_300_800  # 2026-06-01 08:00 UTC
WEEK_S = 7 * DAY_S


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return new_ledger(tmp_path / "ledger.sqlite")


def new_ledger(path: Path) -> Ledger:
    """An empty ledger at this place."""
    assert Ledger.create(path)
    return Ledger(path)


def charge(name: str, rho: Fraction, pace: PaceLimit | None = PACE) -> Charge:
    """The charge of the computation of this name."""
    return Charge(
        computation=sha256(name.encode()).digest(),
        agreement=AGREEMENT,
        lifetime=LIFETIME,
        loss=Loss(rho),
        mechanism=Mechanism.GAUSSIAN,
        share=Fraction(1),
        query=sha256(f"query {name}".encode()).digest(),
        round=0,
        agreement_version=1,
        dataset="rtt",
        edition="2025-09",
        purpose="waiting",
        analyst="a.smith@north",
        pace=pace,
    )


def test_the_refusal_says_when_enough_is_free_again(ledger: Ledger) -> None:
    """The first of two charges frees enough: from that second on the same question is charged, not before."""
    ledger.reserve(charge("a", Fraction(1, 4)), now_s=NOW_S)
    ledger.reserve(charge("b", Fraction(1, 5)), now_s=NOW_S + WEEK_S)
    free_s = NOW_S + 30 * DAY_S
    with pytest.raises(PaceExceeded) as refused:
        ledger.reserve(charge("c", Fraction(1, 10)), now_s=free_s - 1)
    assert refused.value.spent is Spent.NOTHING
    assert (
        "This question would use 20 % of what agreement RTT-2026 allows in any 30 days, and 10 % is left "
        "before 2026-07-01 08:00 UTC: --epsilon 1.5 would fit now."
    ) in str(refused.value)
    assert len(ledger.entries()) == 2
    assert ledger.reserve(charge("c", Fraction(1, 10)), now_s=free_s)


def test_what_is_above_the_pace_is_never_free(ledger: Ledger) -> None:
    """A question above the whole pace is told so, and what would fit; a pace never widens the budget."""
    with pytest.raises(
        PaceExceeded, match="more than all of what agreement RTT-2026 allows in any 30 days: --epsilon"
    ):
        ledger.reserve(charge("a", Fraction(3, 5)), now_s=NOW_S)
    for month in range(2):
        ledger.reserve(charge(f"month {month}", Fraction(1, 2)), now_s=NOW_S + 31 * month * DAY_S)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(charge("later", Fraction(1, 4)), now_s=NOW_S + 900 * DAY_S)


def test_a_clock_that_is_set_back_does_not_help(ledger: Ledger) -> None:
    """Charges made under a clock that was behind count from the last time that the ledger saw."""
    ledger.reserve(charge("a", Fraction(1, 4)), now_s=NOW_S)
    ledger.reserve(charge("b", Fraction(1, 4)), now_s=NOW_S - 40 * DAY_S)
    assert [entry.at_s for entry in ledger.entries()] == [NOW_S, NOW_S]
    for now_s in (NOW_S - 40 * DAY_S, NOW_S, NOW_S + 30 * DAY_S - 1):
        with pytest.raises(PaceExceeded):
            ledger.reserve(charge("c", Fraction(1, 100)), now_s=now_s)


def test_what_counts_is_the_agreements_own(ledger: Ledger) -> None:
    """Charges before the pace was agreed count; a version without one has none; the answered stays free."""
    ledger.reserve(charge("a", Fraction(1, 2), None), now_s=NOW_S)
    with pytest.raises(PaceExceeded):
        ledger.reserve(charge("b", Fraction(1, 100)), now_s=NOW_S + DAY_S)
    assert not ledger.reserve(charge("a", Fraction(1, 2)), now_s=NOW_S + DAY_S)
    other = PaceLimit("OTHER", Fraction(1, 2), 30, DELTA)
    assert ledger.pace_status(other, now_s=NOW_S).spent == 0
    assert ledger.reserve(charge("b", Fraction(1, 100), None), now_s=NOW_S + DAY_S)


def test_a_restored_ledger_does_not_restart_the_pace(tmp_path: Path, ledger: Ledger) -> None:
    """What is carried forward counts from that moment on, as nobody knows when it was spent."""
    ledger.reserve(charge("a", Fraction(1, 2)), now_s=NOW_S)
    witness = ledger.witness("north", now_s=NOW_S)
    signed = Signed.make(Context.WITNESS, encode_witness(witness), seed_key("node north"))
    with new_ledger(tmp_path / "anew.sqlite") as anew:
        anew.carry(witness, to_bytes(signed_to(signed)), now_s=NOW_S + DAY_S)
        with pytest.raises(PaceExceeded, match="2026-07-02 08:00 UTC"):
            anew.reserve(charge("b", Fraction(1, 100)), now_s=NOW_S + 2 * DAY_S)
        assert anew.reserve(charge("b", Fraction(1, 100)), now_s=NOW_S + 31 * DAY_S)

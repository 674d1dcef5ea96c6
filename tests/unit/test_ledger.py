"""The budget ledger: each refusal, what is exact, and what becomes of damage."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from samples import round_order, seed_key

from fedstats.core.privacy import Loss, Mechanism
from fedstats.core.witness import MARKS_MAX, RECENT_MARKS, places_to_mark
from fedstats.errors import (
    BudgetExceeded,
    InternalError,
    LedgerBusy,
    LedgerCorrupt,
    LifetimeExceeded,
    RoundConflict,
)
from fedstats.identity.keys import Context, Signed
from fedstats.node.caps import Cap, CapKind, CapStatus, percent
from fedstats.node.ledger import Charge, Ledger
from fedstats.wire.codec import encode_witness, signed_to

DELTA = Fraction(1, 2_000_000)
AGREEMENT = Cap(CapKind.AGREEMENT, "RTT-2026", Loss(Fraction(1), DELTA), DELTA)
LIFETIME = Cap(CapKind.LIFETIME, "nhs_number", Loss(Fraction(3, 2), DELTA), DELTA)
NOW_S = 1_780_300_800


def hashed(name: str) -> bytes:
    """A hash that stands for something of this name."""
    return sha256(name.encode()).digest()


def charge(name: str, rho: Fraction = Fraction(1, 10)) -> Charge:
    """The charge of the computation of this name."""
    return Charge(
        computation=hashed(name),
        agreement=AGREEMENT,
        lifetime=LIFETIME,
        loss=Loss(rho),
        mechanism=Mechanism.GAUSSIAN,
        share=Fraction(1),
        query=hashed(f"query {name}"),
        round=0,
        agreement_version=1,
        dataset="rtt",
        edition="2025-09",
        purpose="waiting",
        analyst="a.smith@north",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty ledger."""
    file = tmp_path / "ledger.sqlite"
    assert Ledger.create(file)
    return file


def spent(ledger: Ledger) -> tuple[Fraction, Fraction]:
    """What was spent of both limits."""
    agreement, lifetime = ledger.status((AGREEMENT, LIFETIME))
    return agreement.spent.rho, lifetime.spent.rho


def test_a_charge_is_exact_and_durable(path: Path) -> None:
    """Both limits are charged the exact fraction, and another process sees it after the first is gone."""
    with Ledger(path) as ledger:
        assert ledger.reserve(charge("a", Fraction(1, 3)), now_s=NOW_S)
        assert ledger.reserve(charge("b", Fraction(1, 7)), now_s=NOW_S)
    with Ledger(path) as ledger:
        assert spent(ledger) == (Fraction(10, 21), Fraction(10, 21))
        first, second = ledger.entries()
        assert (first.loss.rho, second.loss.rho) == (Fraction(1, 3), Fraction(1, 7))
        assert not first.recorded
        assert ledger.totals() == {
            (CapKind.AGREEMENT, "RTT-2026"): Loss(Fraction(10, 21)),
            (CapKind.LIFETIME, "nhs_number"): Loss(Fraction(10, 21)),
        }


def test_a_computation_is_charged_once(path: Path) -> None:
    """A crash between charge and record is retried under the same charge, by whoever asks."""
    with Ledger(path) as ledger:
        assert ledger.reserve(charge("a"), now_s=NOW_S)
    with Ledger(path) as ledger:
        assert not ledger.reserve(replace(charge("a"), query=hashed("another")), now_s=NOW_S + 9)
        assert spent(ledger) == (Fraction(1, 10), Fraction(1, 10))


def test_a_release_is_recorded_once(path: Path) -> None:
    """Whatever is recorded second, the first release is what leaves, for ever."""
    with Ledger(path) as ledger:
        ledger.reserve(charge("a"), now_s=NOW_S)
        assert ledger.find(hashed("a")) is None
        assert ledger.record(hashed("a"), b"first", now_s=NOW_S) == b"first"
        assert ledger.record(hashed("a"), b"second", now_s=NOW_S) == b"first"
    with Ledger(path) as ledger:
        assert ledger.find(hashed("a")) == b"first"
        assert ledger.entries()[0].recorded


def test_nothing_is_recorded_that_was_not_charged(path: Path) -> None:
    """A release without its charge cannot get into the ledger, so it cannot be sent."""
    with Ledger(path) as ledger:
        with pytest.raises(InternalError):
            ledger.record(hashed("a"), b"release", now_s=NOW_S)
        assert ledger.find(hashed("a")) is None


def test_the_budget_is_reached_and_never_passed(path: Path) -> None:
    """The last bit of a budget can be spent, and not a 2^-40th more; a refusal charges neither limit."""
    with Ledger(path) as ledger:
        ledger.reserve(charge("a", Fraction(9, 10)), now_s=NOW_S)
        with pytest.raises(BudgetExceeded) as refused:
            ledger.reserve(charge("b", Fraction(1, 10) + Fraction(1, 2**40)), now_s=NOW_S)
        assert "This question would use 11 % of the budget of agreement RTT-2026, and 10 % is left" in str(
            refused.value
        )
        assert "Nothing was spent." in str(refused.value)
        assert spent(ledger) == (Fraction(9, 10), Fraction(9, 10))
        ledger.reserve(charge("c", Fraction(1, 10)), now_s=NOW_S)
        assert spent(ledger) == (Fraction(1), Fraction(1))


def test_the_refusal_names_an_epsilon_that_fits(path: Path) -> None:
    """Whoever follows the advice of a refusal is answered."""
    from fedstats.core.accounting import rho_from_epsilon

    with Ledger(path) as ledger:
        ledger.reserve(charge("a", Fraction(99, 100)), now_s=NOW_S)
        with pytest.raises(BudgetExceeded) as refused:
            ledger.reserve(charge("b"), now_s=NOW_S)
        (advised,) = (word for word in refused.value.sentence.split() if word.startswith("0."))
        ledger.reserve(charge("c", rho_from_epsilon(Fraction(advised), DELTA)), now_s=NOW_S)


def test_the_lifetime_cap_spans_agreements(path: Path) -> None:
    """Two agreements about the same persons share the node's own limit; the refusal has its own code."""
    other = replace(AGREEMENT, name="OTHER-1")
    with Ledger(path) as ledger:
        ledger.reserve(charge("a", Fraction(9, 10)), now_s=NOW_S)
        with pytest.raises(LifetimeExceeded):
            ledger.reserve(replace(charge("b", Fraction(9, 10)), agreement=other), now_s=NOW_S)
        ledger.reserve(replace(charge("c", Fraction(6, 10)), agreement=other), now_s=NOW_S)
        assert [s.spent.rho for s in ledger.status((AGREEMENT, other, LIFETIME))] == [
            Fraction(9, 10),
            Fraction(6, 10),
            Fraction(3, 2),
        ]


def test_additive_delta_has_its_own_limit(path: Path) -> None:
    """A loss that fits in rho and not in delta is refused."""
    with Ledger(path) as ledger, pytest.raises(BudgetExceeded, match="delta"):
        ledger.reserve(replace(charge("a"), loss=Loss(Fraction(1, 100), DELTA * 2)), now_s=NOW_S)


def test_a_lowered_budget_answers_nothing_more(path: Path) -> None:
    """A new version with less budget inherits the spending: what is left is 0, and not less."""
    with Ledger(path) as ledger:
        ledger.reserve(charge("a", Fraction(1, 2)), now_s=NOW_S)
        lowered = replace(AGREEMENT, budget=Loss(Fraction(1, 4), DELTA))
        with pytest.raises(BudgetExceeded):
            ledger.reserve(replace(charge("b", Fraction(1, 1000)), agreement=lowered), now_s=NOW_S)
        (status,) = ledger.status((lowered,))
        assert status.left == Loss(Fraction(0), DELTA)
        assert (status.used_ppm, status.used_share) == (1_000_000, Fraction(1))


def test_a_round_has_one_content(path: Path) -> None:
    """The same round again is fine; with other content it is refused, also in another process."""
    with Ledger(path) as ledger:
        ledger.bind(hashed("q"), round_order(0, Fraction(1, 2)), content=hashed("x"))
        ledger.bind(hashed("q"), round_order(0, Fraction(1, 2)), content=hashed("x"))
    with Ledger(path) as ledger, pytest.raises(RoundConflict):
        ledger.bind(hashed("q"), round_order(0, Fraction(1, 2)), content=hashed("y"))


def test_the_rounds_of_a_query_share_one_loss(path: Path) -> None:
    """The shares of a query's rounds never add up to more than 1."""
    with Ledger(path) as ledger:
        ledger.bind(hashed("q"), round_order(0, Fraction(1, 4)), content=hashed("a"))
        ledger.bind(hashed("q"), round_order(1, Fraction(1, 2)), content=hashed("b"))
        with pytest.raises(RoundConflict):
            ledger.bind(hashed("q"), round_order(2, Fraction(1, 4) + Fraction(1, 2**20)), content=hashed("c"))
        ledger.bind(hashed("q"), round_order(2, Fraction(1, 4)), content=hashed("c"))
        ledger.bind(hashed("other"), round_order(0, Fraction(1)), content=hashed("a"))


def test_rounds_come_in_order_and_never_ask_more_departments(path: Path) -> None:
    """A round before its predecessor, or with a department that was not asked before, is refused."""
    with Ledger(path) as ledger:
        with pytest.raises(RoundConflict):
            ledger.bind(hashed("q"), round_order(1, Fraction(1, 4)), content=hashed("b"))
        ledger.bind(hashed("q"), round_order(0, Fraction(1, 4), ("north", "south")), content=hashed("a"))
        with pytest.raises(RoundConflict):
            ledger.bind(hashed("q"), round_order(1, Fraction(1, 4), ("north", "west")), content=hashed("b"))
        ledger.bind(hashed("q"), round_order(1, Fraction(1, 4), ("north",)), content=hashed("b"))
        with pytest.raises(RoundConflict):
            ledger.bind(hashed("q"), round_order(2, Fraction(1, 4), ("north", "south")), content=hashed("c"))


def test_fifty_at_once_never_pass_the_budget(path: Path) -> None:
    """Many questions at one moment, through several connections, are charged one after the other."""

    def ask(number: int) -> bool:
        with Ledger(path) as ledger:
            try:
                return ledger.reserve(charge(f"question {number}", Fraction(3, 50)), now_s=NOW_S)
            except BudgetExceeded:
                return False

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(ask, range(50)))
    assert granted == 16  # 16 * 3/50 fits into 1, and 17 does not
    with Ledger(path) as ledger:
        assert spent(ledger)[0] == Fraction(48, 50)


def test_a_full_disk_refuses_and_charges_nothing(path: Path) -> None:
    """Where the charge cannot be made durable nothing may be computed; later the ledger goes on."""
    with Ledger(path) as ledger:
        ledger.reserve(charge("a"), now_s=NOW_S)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            with pytest.raises(LedgerBusy):
                ledger.reserve(charge("b"), now_s=NOW_S)
            with pytest.raises(LedgerBusy):
                ledger.record(hashed("a"), b"release", now_s=NOW_S)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert spent(ledger)[0] == Fraction(1, 10)
        assert ledger.find(hashed("a")) is None
        assert ledger.reserve(charge("b"), now_s=NOW_S)
        assert ledger.record(hashed("a"), b"release", now_s=NOW_S) == b"release"


def test_a_lost_ledger_is_not_an_empty_one(path: Path) -> None:
    """A missing ledger is an error: it does not come back saying that nothing was spent."""
    with pytest.raises(LedgerCorrupt, match="missing"):
        Ledger(path.with_name("nothing.sqlite"))
    with Ledger(path) as ledger:
        ledger.reserve(charge("a"), now_s=NOW_S)
    assert not Ledger.create(path)
    with Ledger(path) as ledger:
        assert spent(ledger)[0] == Fraction(1, 10)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE total SET rho = '1/100'",
        "UPDATE total SET rho = 'much'",
        "UPDATE total SET rho = '1/0'",
        "UPDATE total SET rho = '-1'",
        "UPDATE total SET delta_add = '1/7'",
        "INSERT INTO total VALUES ('agreement', 'OTHER', '1', '0')",
        "DROP TRIGGER total_DELETE; DELETE FROM total",
        "DROP TRIGGER entry_DELETE; DELETE FROM entry WHERE number = 2",
        "DROP TRIGGER entry_UPDATE; UPDATE entry SET rho = '1/1000'",
        "DROP TRIGGER entry_UPDATE; UPDATE entry SET agreement = 'OTHER'",
        "DROP TRIGGER entry_UPDATE; UPDATE entry SET namespace = 'other' WHERE number = 1",
        "PRAGMA user_version = 99",
    ],
)
def test_tampering_is_found(path: Path, tampering: str) -> None:
    """A ledger whose totals are not those of its entries answers nothing."""
    with Ledger(path) as ledger:
        for name in ("a", "b"):
            ledger.reserve(charge(name), now_s=NOW_S)
    raw = sqlite3.connect(path)
    raw.executescript(tampering)
    raw.commit()
    raw.close()
    with pytest.raises(LedgerCorrupt):
        Ledger(path)


@pytest.mark.parametrize("table", ["entry", "release", "round", "total"])
@pytest.mark.parametrize("verb", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid"])
def test_the_file_itself_refuses_rewriting(path: Path, table: str, verb: str) -> None:
    """Not even a mistake in this program can delete a charge or replace a release."""
    with Ledger(path) as ledger:
        ledger.bind(hashed("q"), round_order(0, Fraction(1)), content=hashed("x"))
        ledger.reserve(charge("a"), now_s=NOW_S)
        ledger.record(hashed("a"), b"release", now_s=NOW_S)
    raw = sqlite3.connect(path)
    if (table, verb[:6]) == ("total", "UPDATE"):
        return  # totals grow; that they are right is verified
    with pytest.raises(sqlite3.IntegrityError, match="never changes"):
        raw.execute(verb.format(table))
    raw.close()


def test_garbage_is_no_ledger(tmp_path: Path) -> None:
    """A file that is no database is refused as damaged."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(LedgerCorrupt):
        Ledger(path)


def test_only_its_owner_reads_the_ledger(path: Path) -> None:
    """Ledger and write-ahead log have mode 0600."""
    with Ledger(path) as ledger:
        ledger.reserve(charge("a"), now_s=NOW_S)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_percentages_never_flatter() -> None:
    """What a question uses is rounded up, what is left is rounded down, to two digits."""
    assert percent(Fraction(1, 3)) == "33 %"
    assert percent(Fraction(1, 3), up=True) == "34 %"
    assert percent(Fraction(1, 1000), up=True) == "0.1 %"
    assert percent(Fraction(1)) == "100 %"
    assert percent(Fraction(0)) == "0 %"
    assert percent(Fraction(1, 3_000_000), up=True) == "0.000034 %"
    assert CapStatus(AGREEMENT, Loss(Fraction(1, 10**9))).used_ppm == 1


def test_what_was_charged_on_two_ways_is_all_carried(tmp_path: Path) -> None:
    """Two copies went on from one place: whoever carries the other forward has what both spent, and once."""
    mine, theirs = tmp_path / "mine.sqlite", tmp_path / "theirs.sqlite"
    Ledger.create(mine)
    with Ledger(mine) as ledger:
        ledger.reserve(charge("common", Fraction(1, 10)), now_s=NOW_S)
    shutil.copy(mine, theirs)
    with Ledger(theirs) as ledger:
        ledger.reserve(charge("theirs", Fraction(2, 10)), now_s=NOW_S)
        witness = ledger.witness("north", now_s=NOW_S)
    signed = signed_to(Signed.make(Context.WITNESS, encode_witness(witness), seed_key("node north")))
    with Ledger(mine) as ledger:
        ledger.reserve(charge("mine", Fraction(4, 10)), now_s=NOW_S)
        assert not ledger.contains(witness)
        assert ledger.carry(witness, signed.SerializeToString(), now_s=NOW_S)
        assert not ledger.carry(witness, signed.SerializeToString(), now_s=NOW_S)
        assert spent(ledger)[0] == Fraction(7, 10)
        later = ledger.witness("north", now_s=NOW_S)
        ledger.verify()
    assert later.contains(witness)
    assert (later.epoch, witness.epoch) == (2, 1)
    with Ledger(theirs) as ledger:
        assert not ledger.contains(later)


def test_a_witness_marks_enough_places_to_find_a_fork() -> None:
    """The last 32 places exactly, older ones to a quarter of their distance, and never too many."""
    for links in (0, 1, 31, 33, 1_000, 10**6):
        places = places_to_mark(links)
        assert len(places) <= MARKS_MAX
        assert set(range(max(0, links - RECENT_MARKS), links)) <= set(places)
        for fork in range(0, links, max(1, links // 100)):
            known = max((place for place in places if place <= fork), default=0)
            assert links - known <= (links - fork) * 5 / 4 + 1 or known == 0

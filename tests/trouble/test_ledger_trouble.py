"""Trouble with the ledger: an old copy put back, a lost one, flipped bits, a full disk."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import NOW_S, round_order, seed_key
from waiting import federation

from fedstats.cli import main
from fedstats.core.privacy import Loss, Mechanism
from fedstats.errors import AlreadyExists, KeyUnknown, LedgerCorrupt, LedgerRestored, StillWaiting
from fedstats.identity.keys import Context, Signed
from fedstats.identity.trust import TrustStore
from fedstats.node.caps import Cap, CapKind
from fedstats.node.ledger import Charge, Ledger
from fedstats.node.recovering import begin_anew, carry_forward
from fedstats.node.state import State
from fedstats.node.witness import Witnesses
from fedstats.testing.federation import Federation
from fedstats.wire.codec import decode_witness, encode_witness, signed_to
from fedstats.wire.methods import LEASE
from fedstats.wire.v1 import nodes_pb2, signed_pb2

SQL = "SELECT COUNT(*) FROM rtt WHERE age <= {}"
DELTA = Fraction(1, 1000)
RELEASE = b"release" * 200


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Federation]:
    """A federation of three departments."""
    with federation(tmp_path) as made:
        yield made


def ask(fed: Federation, age: int) -> None:
    """Ask a question of its own; all departments answer."""
    with fed.session() as session:
        session.query(SQL.format(age), epsilon="0.5", wait_s=60)


def put_back(fed: Federation, copy: Path) -> None:
    """Restore north's ledger from a copy, as a backup tool does, and start the node."""
    fed.stop_node("north")
    for file in copy.iterdir():
        shutil.copy(file, fed.node_home("north").path)
    fed.start_node("north")


def back_up(fed: Federation, tmp_path: Path) -> Path:
    """A copy of north's ledger."""
    copy = tmp_path / "backup"
    copy.mkdir()
    fed.stop_node("north")
    shutil.copy(fed.node_home("north").ledger, copy)
    fed.start_node("north")
    return copy


def test_an_older_ledger_is_recognised_and_answers_nothing(fed: Federation, tmp_path: Path) -> None:
    """A restored ledger takes no task, says FS-703 with what to type, and goes on once that was typed."""
    ask(fed, 90)
    copy = back_up(fed, tmp_path)
    ask(fed, 80)
    spent = fed.nodes["north"].ledger.totals()
    put_back(fed, copy)
    with pytest.raises(LedgerRestored, match="older than its witness") as refused:
        fed.nodes["north"].poll_once()
    assert "fedstats node ledger recover" in refused.value.advice
    with fed.session() as session, pytest.raises(StillWaiting):  # nor does it answer what it answered before
        session.query(SQL.format(90), epsilon="0.5", wait_s=5)
    node = fed.nodes["north"]
    recovered = carry_forward(node.home, None, node.transport, now=fed.clock)
    assert len(recovered.witnesses) == 1
    assert fed.nodes["north"].ledger.totals() == spent
    again = carry_forward(node.home, None, node.transport, now=fed.clock)
    assert (again.witnesses, again.changes) == ((), {})
    ask(fed, 70)
    assert all(fed.nodes["north"].ledger.totals()[cap].rho > loss.rho for cap, loss in spent.items())


def test_the_old_branch_is_dead_after_it_was_carried_forward(fed: Federation, tmp_path: Path) -> None:
    """The very disk that was thought lost, put back later, is recognised too."""
    ask(fed, 90)
    copy = back_up(fed, tmp_path)
    ask(fed, 80)
    fed.stop_node("north")
    lost = tmp_path / "lost"
    lost.mkdir()
    shutil.copy(fed.node_home("north").ledger, lost)
    fed.start_node("north")
    put_back(fed, copy)
    node = fed.nodes["north"]
    carry_forward(node.home, None, node.transport, now=fed.clock)
    ask(fed, 70)
    put_back(fed, lost)
    with pytest.raises(LedgerRestored, match="another"):
        fed.nodes["north"].poll_once()


def test_what_two_copies_answered_at_the_same_time_is_not_forgotten(fed: Federation, tmp_path: Path) -> None:
    """A node runs twice, each copy with a task in hand: what both spent counts before either goes on."""
    ask(fed, 90)
    copy = back_up(fed, tmp_path)
    node = fed.nodes["north"]
    with Ledger(copy / "ledger.sqlite") as twin:
        twin.reserve(charge(1), now_s=NOW_S)
        ask(fed, 80)
        assert node.ledger.tip().links > twin.tip().links
        witness = encode_witness(twin.witness("north", now_s=NOW_S))
    told = signed_to(Signed.make(Context.WITNESS, witness, node.key))
    node.transport.call(LEASE, nodes_pb2.LeaseRequest(witness=told))  # as with its report
    spent = node.ledger.totals()
    with pytest.raises(LedgerRestored, match="another copy of this node has answered"):
        node.poll_once()
    carry_forward(node.home, None, node.transport, now=fed.clock)
    assert node.ledger.totals() == {cap: loss + charge(1).loss for cap, loss in spent.items()}
    ask(fed, 70)


def test_the_file_recognises_it_when_the_coordinator_keeps_silent(fed: Federation, tmp_path: Path) -> None:
    """A file on another disk is a witness of its own, written before an answer leaves."""
    fed.configure("north", witness={"file": str(tmp_path / "other" / "fedstats.witness")})
    (tmp_path / "other").mkdir()
    fed.start_node("north")
    ask(fed, 90)
    copy = back_up(fed, tmp_path)
    ask(fed, 80)
    with fed.coordinator.desk.store.file.transaction() as db:
        db.execute("DELETE FROM witnesses")  # it keeps silent
    put_back(fed, copy)
    with pytest.raises(LedgerRestored):
        fed.nodes["north"].poll_once()
    (tmp_path / "other" / "fedstats.witness").unlink()
    fed.start_node("north")
    with pytest.raises(LedgerRestored):  # what was heard once stays heard
        fed.nodes["north"].poll_once()


def test_two_copies_that_share_a_file_hear_of_each_other(tmp_path: Path) -> None:
    """The coordinator is silent and both began with one ledger: the second one's answer does not leave."""

    def copy(name: str) -> Witnesses:
        home = tmp_path / name
        home.mkdir()
        shutil.copy(tmp_path / "ledger.sqlite", home)
        State.make(home / "state.sqlite", "north")
        ledger, state = Ledger(home / "ledger.sqlite"), State(home / "state.sqlite")
        ledgers.append(ledger)
        states.append(state)
        key, trust = seed_key("node north"), TrustStore(home / "trust.json")
        file = tmp_path / "shared.witness"
        return Witnesses(ledger, state, trust, key=lambda: key, now=lambda: NOW_S, file=file)

    ledgers, states = list[Ledger](), list[State]()
    Ledger.create(tmp_path / "ledger.sqlite")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.reserve(charge(1), now_s=NOW_S)
    first, second = copy("first"), copy("second")
    first.check()
    second.check()
    for number, ledger in enumerate(ledgers, start=2):
        ledger.reserve(charge(number), now_s=NOW_S)
    first.keep()
    first.keep()
    with pytest.raises(LedgerRestored):
        second.keep()
    (tmp_path / "shared.witness").unlink()
    first.keep()
    assert (tmp_path / "shared.witness").exists()
    for ledger, state in zip(ledgers, states, strict=True):
        ledger.close()
        state.close()


def test_a_lost_ledger_is_made_anew_with_what_was_spent(fed: Federation) -> None:
    """FS-701 says what to type; then the budget is where it was, and the damaged file is kept."""
    ask(fed, 90)
    ask(fed, 80)
    node = fed.nodes["north"]
    home, spent = node.home, node.ledger.totals()
    with pytest.raises(AlreadyExists, match="is sound"):
        begin_anew(home, None, node.transport, now=fed.clock)
    fed.stop_node("north")
    home.ledger.write_bytes(b"rubbish")
    with pytest.raises(LedgerCorrupt) as refused:
        Ledger(home.ledger)
    assert "fedstats node ledger recover --new" in refused.value.advice
    recovered = begin_anew(home, None, node.transport, now=fed.clock)
    assert recovered.kept is not None
    assert (recovered.kept / "ledger.sqlite").read_bytes() == b"rubbish"
    with Ledger(home.ledger) as ledger:
        assert ledger.totals() == spent
    fed.start_node("north")
    ask(fed, 70)


def test_nobody_starts_again_at_nothing(fed: Federation) -> None:
    """Where no witness remembers anything a new ledger is refused: it would say that nothing was spent."""
    ask(fed, 90)
    node = fed.nodes["north"]
    fed.stop_node("north")
    node.home.ledger.unlink()
    with pytest.raises(LedgerCorrupt, match="Neither the coordinator nor a file remembers"):
        begin_anew(node.home, None, None, now=fed.clock)
    assert not list(node.home.path.glob("ledger*"))


def test_a_rebuilt_node_inherits_what_was_spent(fed: Federation, tmp_path: Path) -> None:
    """A new machine with new keys and no ledger answers nothing before it carried the old one's spending."""
    ask(fed, 90)
    spent = fed.nodes["north"].ledger.totals()
    joined = fed.rebuild("north", tmp_path / "new machine")
    assert "carried forward" in joined.words
    with pytest.raises(KeyUnknown, match="An earlier node"):  # no controller's key compared yet
        fed.nodes["north"].lease(0)
    fed.settle("north")
    node = fed.nodes["north"]
    node.lease(0)
    assert node.ledger.totals() == spent
    assert len(node.ledger.carriages()) == 1
    ask(fed, 70)
    assert node.ledger.entries()


def test_a_rebuilt_node_with_its_ledger_goes_on(fed: Federation, tmp_path: Path) -> None:
    """A new machine with new keys and the ledger of the old one keeps every answer that was recorded."""
    ask(fed, 90)
    old = fed.node_home("north").ledger
    fed.stop_node("north")
    (tmp_path / "new machine").mkdir()
    shutil.copy(old, tmp_path / "new machine" / "ledger.sqlite")
    joined = fed.rebuild("north", tmp_path / "new machine")
    assert "is kept" in joined.words
    fed.settle("north")
    entries = len(fed.nodes["north"].ledger.entries())
    ask(fed, 90)  # recorded under the old key, and signed anew
    assert len(fed.nodes["north"].ledger.entries()) == entries == 1


def test_another_departments_witness_changes_nothing(fed: Federation) -> None:
    """A witness that names north, signed by south's node, is not believed, whoever shows it."""
    ask(fed, 90)
    south = fed.nodes["south"].ledger.witness("north", now_s=NOW_S)
    signed = Signed.make(Context.WITNESS, encode_witness(south), fed.nodes["south"].key)
    forged = signed_pb2.WitnessRecord(
        witness=signed_to(signed),
        appointments=fed.coordinator.desk.store.documents.appointments_of("south", signed.key.raw),
    )
    with pytest.raises(KeyUnknown):
        fed.nodes["north"].witnesses.hear([forged])
    assert not fed.nodes["north"].witnesses.missing()
    assert decode_witness(forged.witness.payload).department == "north"


def test_recover_says_what_it_did(fed: Federation) -> None:
    """The command that FS-703 names exists, says that nothing had to be done, and changes nothing."""
    ask(fed, 90)
    home = fed.node_home("north")
    said = CliRunner().invoke(main, ["node", "ledger", "recover", "--home", str(home.path)])
    assert said.exit_code == 0, said.output
    assert "Nothing had to be carried forward" in said.output
    shown = CliRunner().invoke(main, ["node", "ledger", "--home", str(home.path)])
    assert "\n1 charge\n" in shown.output


# ------------------------------------------------------------------------------------------ the file itself


def charge(number: int) -> Charge:
    """A charge of a hundredth."""
    budget = Loss(Fraction(1), DELTA)
    return Charge(
        computation=bytes([number]) * 32,
        agreement=Cap(CapKind.AGREEMENT, "RTT-2026", budget, DELTA),
        lifetime=Cap(CapKind.LIFETIME, "nhs_number", budget, DELTA),
        loss=Loss(Fraction(1, 100)),
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


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with rounds, charges and releases, closed."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    Ledger.create(path)
    with Ledger(path) as ledger:
        for number in range(1, 6):
            ledger.bind(bytes([number]) * 32, round_order(0, Fraction(1, 2)), content=b"c" * 32)
            ledger.reserve(charge(number), now_s=NOW_S)
            ledger.record(charge(number).computation, RELEASE, now_s=NOW_S)
    return path


def everything(path: Path) -> tuple[object, ...]:
    """All that a ledger says."""
    with Ledger(path) as ledger:
        releases = [ledger.find(charge(number).computation) for number in range(1, 6)]
        return ledger.entries(), ledger.totals(), releases, ledger.tip()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2**40), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_harmless(filled: Path, tmp_path: Path, place: int, bit: int) -> None:
    """Wherever a bit flips in the file: FS-701 when it is opened, or it says exactly what it said before."""
    content = bytearray(filled.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path = tmp_path / "ledger.sqlite"
    for old in tmp_path.glob("ledger.sqlite*"):
        old.unlink()
    path.write_bytes(content)
    said: tuple[object, ...] = ()
    with suppress(LedgerCorrupt):
        said = everything(path)
    assert said in ((), everything(filled))


@pytest.mark.parametrize(
    "tampering",
    [
        "DROP TRIGGER round_UPDATE; UPDATE round SET share = '1/3' WHERE number = 0",
        "DROP TRIGGER round_DELETE; DELETE FROM round",
        "DROP TRIGGER release_UPDATE; UPDATE release SET bytes = x'00'",
        "DROP TRIGGER link_UPDATE; UPDATE link SET content = x'00' WHERE number = 2",
        "DROP TRIGGER release_UPDATE",
        "DROP TRIGGER ledger_UPDATE; UPDATE ledger SET id = randomblob(16)",
    ],
)
def test_whatever_was_changed_is_found(filled: Path, tmp_path: Path, tampering: str) -> None:
    """Rounds, releases, links, triggers: the chain covers all of them, sums alone would not."""
    path = tmp_path / "ledger.sqlite"
    shutil.copy(filled, path)
    raw = sqlite3.connect(path)
    raw.executescript(tampering)
    raw.close()
    with pytest.raises(LedgerCorrupt):
        Ledger(path)


def test_totals_that_change_under_a_running_node_are_found_at_the_next_charge(
    filled: Path, tmp_path: Path
) -> None:
    """Nothing is charged on totals that are not those that were committed to last."""
    path = tmp_path / "ledger.sqlite"
    shutil.copy(filled, path)
    with Ledger(path) as ledger:
        raw = sqlite3.connect(path)
        raw.execute("UPDATE total SET rho = '1/100'")
        raw.commit()
        raw.close()
        with pytest.raises(LedgerCorrupt):
            ledger.reserve(charge(9), now_s=NOW_S)


@pytest.mark.parametrize("step, charged", [("plan", False), ("compute", True)])
def test_a_full_disk_lets_nothing_leave_and_passes(tmp_path: Path, step: str, *, charged: bool) -> None:
    """At the charge nothing was spent, at the record it stays charged; with room it is answered, once."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = True

    def fill_the_disk(here: str) -> None:
        if full and here == step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
        if here == "answer":
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with federation(tmp_path, checkpoints={"north": fill_the_disk}) as fed, fed.session() as session:
        first = session.query(SQL.format(90), epsilon="0.5", wait_s=60)
        (absent,) = [p.refusal for p in first.estimate.participants if p.refusal is not None]
        assert (absent.department, absent.code, absent.charged) == ("north", "FS-299", charged)
        assert len(fed.nodes["north"].ledger.entries()) == charged
        full = False
        second = session.query(SQL.format(90), epsilon="0.5", wait_s=60)
        assert not [p for p in second.estimate.participants if p.refusal is not None]
        assert [entry.recorded for entry in fed.nodes["north"].ledger.entries()] == [True]

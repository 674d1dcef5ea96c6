"""Checking the public register: a coordinator that rewrites it, tree and signed head included, is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from coordinator_world import (
    ANALYST,
    AUDITOR,
    NODES,
    World,
    acceptance,
    appoint_nodes,
    cosignature,
    heads,
    log_head,
    ready_world,
    release,
    submission,
)
from google.protobuf.message import Message
from samples import DEPARTMENTS, NOW_S, sample_query, seed_key

from fedstats.client.authority import authority_of
from fedstats.client.home import Home
from fedstats.client.register_check import Checked, check_register
from fedstats.client.register_reading import Head, verify_register
from fedstats.client.register_seen import Continuing, read_head
from fedstats.coordinator.service import Coordinator
from fedstats.coordinator.store_register import append
from fedstats.core.agreement_document import canonical_json
from fedstats.core.log_head import InclusionProof
from fedstats.core.query import Query
from fedstats.errors import FedstatsError, FileProblem, RegisterForked
from fedstats.identity.peer import Peer
from fedstats.testing.transport import HONEST, Relay, SimulatedNetwork
from fedstats.transparency.check import Wrong
from fedstats.transparency.entry import LogEntry
from fedstats.wire import codec, methods
from fedstats.wire.heads_file import heads_document, read_heads
from fedstats.wire.v1 import analysts_pb2
from fedstats.wire.v1.agreements_pb2 import AuthorityReply

Entries = list[LogEntry]
Rewrite = Callable[[Entries], Entries]


@pytest.fixture
def world() -> World:
    """A register with an agreement, a question and its outcome, which north and south have witnessed."""
    world = ready_world()
    appoint_nodes(world)
    world.publish(NODES["north"], acceptance=codec.signed_to(acceptance("north", NOW_S)))
    ask(world)
    for department in ("north", "south"):
        world.lease(department, cosignature=cosignature(world, department, at_s=int(world.clock())))
    return world


def ask(world: World, query: Query | None = None) -> bytes:
    """A question that all answer, some minutes after what was before it."""
    world.clock.pass_s(600)
    asked = world.submit(submission(query))
    for department in DEPARTMENTS:
        task = world.lease(department)
        assert task is not None
        world.report(
            department,
            task=task.id,
            lease_token=task.lease_token,
            release=release(task, department),
            head=log_head(department, 5),
        )
    return asked


def verified(world: World, folder: Path, *against: Path, anew: bool = False) -> Checked:
    """What an auditor with this home finds."""
    network = SimulatedNetwork(lambda: world.coordinator, AUDITOR)
    kept = [Head(head, key, path.name) for path in against for head, key in read_heads(path)]
    return verify_register(Home.at(folder), network, kept, anew=anew)


def rewritten(world: World, rewrite: Rewrite) -> None:
    """What whoever runs the coordinator can do: write the whole register anew, with its tree and its head."""
    entries = rewrite(world.store.register.entries())
    with world.store.file.transaction() as db:
        for name in ("register_keeps", "register_stays", "log_hash_keeps", "log_hash_stays"):
            db.execute(f"DROP TRIGGER IF EXISTS {name}")
        for table in ("register", "log_hash", "register_head"):
            db.execute(f"DELETE FROM {table}")
        db.execute("DROP TRIGGER IF EXISTS register_grows")
        for entry in entries:
            append(db, entry.kind, entry.read(), entry.at_s)


def changed(entries: Entries) -> Entries:
    """Another purpose for the question."""
    return [
        replace(e, document=e.document.replace(b"waiting", b"selling")) if e.kind == "query" else e
        for e in entries
    ]


def dropped(entries: Entries) -> Entries:
    """Without the acceptance."""
    return [entry for entry in entries if entry.kind != "agreement-accepted"]


def shortened(entries: Entries) -> Entries:
    """Without the last entry."""
    return entries[:-1]


def exchanged(entries: Entries) -> Entries:
    """Two of its entries in the place of each other."""
    return [entries[1], entries[0], *entries[2:]]


def test_an_honest_register_is_found_sound_again_and_again(world: World, tmp_path: Path) -> None:
    """Nothing is wrong at first sight, nor after it grew; who witnessed what is said."""
    first = verified(world, tmp_path)
    assert first.faults == ()
    assert first.cosigned == {"north": first.head.head.size, "south": first.head.head.size}
    ask(world, sample_query(nonce=bytes(16)))
    second = verified(world, tmp_path)
    assert second.faults == ()
    assert second.head.head.size > first.head.head.size


@pytest.mark.parametrize(
    "rewrite, wrong, said",
    [
        (changed, Wrong.ENTRY_CHANGED, "Entry {query}"),
        (dropped, Wrong.REMOVED, "Entry {agreement-accepted} was removed"),
        (shortened, Wrong.REMOVED, "Entry {outcome} was removed"),
        (exchanged, Wrong.MOVED, "reordered"),
    ],
)
def test_who_verified_before_is_told_which_entry(
    world: World, tmp_path: Path, rewrite: Rewrite, wrong: Wrong, said: str
) -> None:
    """A reader who kept the leaves names the entry that was changed, removed or moved, and keeps nothing."""
    before = verified(world, tmp_path)
    numbers = {entry.kind: str(entry.number) for entry in world.store.register.entries()}
    rewritten(world, rewrite)
    found = verified(world, tmp_path)
    sentences = [fault.sentence for fault in found.faults if fault.wrong is wrong]
    assert any(said.format(**numbers) in sentence for sentence in sentences), found.faults
    assert Home.at(tmp_path).register_seen.newest() == before.head
    assert verified(world, tmp_path, anew=True).faults != ()  # the departments remember


@pytest.mark.parametrize("rewrite", [changed, dropped, shortened, exchanged])
def test_who_reads_it_first_is_told_by_the_departments(
    world: World, tmp_path: Path, rewrite: Rewrite
) -> None:
    """A reader who never saw the register is warned by what two departments cosigned, and by no stranger."""
    rewritten(world, rewrite)
    found = verified(world, tmp_path)
    kinds = {fault.wrong for fault in found.faults}
    assert kinds & {Wrong.FORKED, Wrong.REMOVED}
    assert {"north", "south"} == {
        who for who in DEPARTMENTS for fault in found.faults if f"that {who} witnessed" in fault.sentence
    }


def test_heads_that_somebody_kept_prove_what_the_register_was(world: World, tmp_path: Path) -> None:
    """A file of heads from last week finds what was rewritten since, where nobody cosigned it."""
    kept = tmp_path / "heads.json"
    signed = codec.signed_from(heads(world).register_head)
    kept.write_text(json.dumps(heads_document([signed])))
    assert verified(world, tmp_path / "one", kept).faults == ()
    with world.store.file.transaction() as db:
        db.execute("DELETE FROM cosignatures")
    rewritten(world, changed)
    assert verified(world, tmp_path / "two").faults == ()  # nobody who could know
    (fault,) = verified(world, tmp_path / "three", kept).faults
    assert fault.wrong is Wrong.FORKED
    assert "heads.json" in fault.sentence
    kept.write_text("{}")
    with pytest.raises(FileProblem):
        read_heads(kept)


def test_an_entry_that_claims_to_be_old_is_found(world: World, tmp_path: Path) -> None:
    """What a department did not see at a time cannot have been entered before: the entry is named."""
    cosigned_s = int(world.clock())
    rewritten(world, lambda entries: [*entries, replace(entries[-1], at_s=cosigned_s)])
    assert verified(world, tmp_path / "same time").faults == ()
    world.clock.pass_s(1_000)
    world.submit(submission(sample_query(nonce=b"n" * 16)))
    late = cosignature(world, "west", at_s=int(world.clock()))
    world.lease("west", cosignature=late)
    rewritten(world, lambda entries: [*entries, replace(entries[-1], at_s=cosigned_s + 1_000 - 301)])
    assert verified(world, tmp_path / "tolerated").faults == ()
    first = verified(world, tmp_path / "a").head.head.size
    with world.store.file.transaction() as db:
        db.execute("DELETE FROM cosignatures")
    world.clock.pass_s(500)
    world.lease("west", cosignature=cosignature(world, "west", at_s=int(world.clock())))
    rewritten(world, lambda entries: [*entries, replace(entries[-1], at_s=cosigned_s + 1_000)])
    (fault,) = verified(world, tmp_path / "b").faults
    assert (fault.wrong, fault.number) == (Wrong.BACKDATED, first + 1)


def test_a_withdrawal_that_the_register_hides_is_found(world: World, tmp_path: Path) -> None:
    """A department's signed no to an agreement is shown to all departments; the public must see it too."""
    left = acceptance("north", NOW_S + 5, withdrawn=True)
    world.publish(NODES["north"], acceptance=codec.signed_to(left))
    rewritten(world, lambda entries: [e for e in entries if e.kind != "agreement-withdrawn"])
    faults = verified(world, tmp_path).faults
    assert [fault.wrong for fault in faults] == [Wrong.HIDDEN]
    assert "north withdrew from agreement RTT-2026 version 1" in faults[0].sentence


def test_two_readers_of_two_registers_find_out_as_soon_as_heads_meet(world: World, tmp_path: Path) -> None:
    """One is shown a question, the other is not: heads that they exchange, or a department's, tell."""
    with world.store.file.transaction() as db:
        db.execute("DELETE FROM cosignatures")
    assert verified(world, tmp_path / "north").faults == ()
    kept = tmp_path / "of-north.json"
    kept.write_text(json.dumps(heads_document([codec.signed_from(heads(world).register_head)])))
    saw = cosignature(world, "north")
    rewritten(world, changed)  # the coordinator's other face
    assert verified(world, tmp_path / "south").faults == ()
    assert [f.wrong for f in verified(world, tmp_path / "south", kept).faults] == [Wrong.FORKED]
    world.lease("north", cosignature=saw)
    assert [f.wrong for f in verified(world, tmp_path / "west").faults] == [Wrong.FORKED]


def test_a_department_that_tells_two_logs_is_found(world: World, tmp_path: Path) -> None:
    """Two heads that it signed of one size are a fork, and it was the department."""
    world.lease("north", head=log_head("north", 5, root=b"x" * 32))
    faults = verified(world, tmp_path).faults
    assert {fault.wrong for fault in faults} == {Wrong.FORKED}
    assert any("north told two different logs of 5 entries" in fault.sentence for fault in faults)


def framed(entries: Entries) -> Entries:
    """The outcome names another log of north's than north told."""
    return [
        replace(e, document=e.document.replace(b'"root":"00', b'"root":"77')) if e.kind == "outcome" else e
        for e in entries
    ]


def test_no_department_is_convicted_by_what_the_coordinator_wrote(world: World, tmp_path: Path) -> None:
    """What an entry says of a log nobody else signed: the difference is found, whose lie it is stays open."""
    with world.store.file.transaction() as db:
        db.execute("DELETE FROM cosignatures")
    rewritten(world, framed)
    faults = verified(world, tmp_path).faults
    assert faults
    assert all("or the register says what" in fault.sentence for fault in faults)


def test_another_key_is_believed_only_when_somebody_says_so(world: World, tmp_path: Path) -> None:
    """The key is pinned at first sight; --anew accepts another one."""
    verified(world, tmp_path)
    world.coordinator = Coordinator.of(
        world.store, world.admission.authority, key=seed_key("another register"), now=world.clock
    )
    with pytest.raises(RegisterForked, match="is signed by the key"):
        verified(world, tmp_path)
    assert verified(world, tmp_path, anew=True).faults == ()


def asking(world: World, folder: Path, relay: Relay = HONEST) -> Continuing:
    """The way of an analyst with this home to the coordinator, which may change what it replies."""
    network = SimulatedNetwork(lambda: world.coordinator, ANALYST, relay=lambda: relay)
    home = Home.at(folder)
    home.prepare()
    return Continuing(network, home.register_seen)


def test_a_question_finds_a_register_that_does_not_go_on(world: World, tmp_path: Path) -> None:
    """An analyst's next question notices that entries were changed, lost, or that the log is another one."""
    for number, rewrite in enumerate((changed, shortened, exchanged)):
        folder = tmp_path / str(number)
        asking(world, folder).call(methods.SUBMIT, submission(sample_query(nonce=bytes([number]) * 16)))
        rewritten(world, rewrite)
        with pytest.raises(RegisterForked):
            asking(world, folder).call(methods.SUBMIT, submission(sample_query(nonce=bytes([9, number]) * 8)))


def says(**fields: object) -> Relay:
    """A coordinator that shows an analyst another entry than the one that is in the register."""

    def leaving(_peer: Peer, message: Message) -> None:
        if isinstance(message, analysts_pb2.SubmitReply):
            entry = message.registered.entry
            entry.document = canonical_json({**json.loads(entry.document), **fields})

    return Relay(leaving=leaving)


def without_proof(_peer: Peer, message: Message) -> None:
    """What a coordinator says that has registered nothing."""
    if isinstance(message, analysts_pb2.SubmitReply):
        message.ClearField("registered")


@pytest.mark.parametrize("relay", [says(purpose="selling"), says(query="00"), Relay(leaving=without_proof)])
def test_a_question_whose_entry_is_not_proved_is_not_followed(
    world: World, tmp_path: Path, relay: Relay
) -> None:
    """What the analyst signed is in the public register, or she is told that it is not."""
    with pytest.raises(FedstatsError):
        asking(world, tmp_path, relay).call(methods.SUBMIT, submission(sample_query(nonce=b"q" * 16)))


def test_a_register_that_was_empty_when_it_was_seen_is_no_fork(tmp_path: Path) -> None:
    """Who verified a register before its first entry asks her first question like everybody else."""
    early = ready_world()
    home = Home.at(tmp_path)
    home.prepare()
    seen = read_head(heads(early).register_head)
    empty = replace(seen.head, size=0, root=sha256(b"").digest())
    home.register_seen.keep(replace(seen, head=empty))
    asking(early, tmp_path).call(methods.SUBMIT, submission(sample_query(nonce=b"e" * 16)))
    newest = home.register_seen.newest()
    assert newest is not None
    assert newest.head.size > 0


@pytest.mark.parametrize(
    "logs",
    [
        {"north": {"log": ["00"], "size": 5, "root": "00"}},
        {"north": {"log": "00", "size": float("inf"), "root": "00"}},
        {"north": {"log": "00", "size": 5, "root": ["00"]}},
        ["north"],
    ],
)
def test_an_outcome_that_names_logs_in_another_form_stops_no_check(world: World, logs: object) -> None:
    """A coordinator that writes nonsense into an entry cannot have the check end in the middle."""
    with world.store.file.transaction() as db:
        db.execute("DELETE FROM cosignatures")
    document = json.dumps({"logs": logs}).replace("Infinity", "1e999").encode()
    entries = world.store.register.entries()
    assert entries
    written = LogEntry(len(entries) + 1, entries[-1].at_s, "outcome", document)
    seen = read_head(heads(world).register_head)
    found = check_register([*entries, written], seen, heads(world), authority_of(AuthorityReply()))
    assert all(fault.number in (0, written.number) for fault in found.faults)


def test_an_entry_of_another_question_proves_nothing(world: World, tmp_path: Path) -> None:
    """A coordinator that proves an entry which is there, and is about something else, is found."""
    other = submission(sample_query(nonce=b"o" * 16))
    proof = asking(world, tmp_path / "other").call(methods.SUBMIT, other).registered

    def leaving(_peer: Peer, message: Message) -> None:
        if isinstance(message, analysts_pb2.SubmitReply):
            message.registered.entry.CopyFrom(proof.entry)
            size = codec.decode_log_head(message.registered.head.payload).size
            path = world.store.register.inclusion(proof.entry.number, size)
            message.registered.inclusion.CopyFrom(
                codec.inclusion_to(InclusionProof(proof.entry.number - 1, size, path))
            )

    with pytest.raises(RegisterForked, match="another question"):
        asking(world, tmp_path, Relay(leaving=leaving)).call(
            methods.SUBMIT, submission(sample_query(nonce=b"q" * 16))
        )

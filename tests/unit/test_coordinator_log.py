"""The register as a Merkle log: what is signed about it, what is proved, and what departments witness."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from coordinator_world import (
    AUDITOR,
    NODES,
    World,
    appoint_nodes,
    cosignature,
    heads,
    log_head,
    ready_world,
    release,
    submission,
)
from samples import DEPARTMENTS, NOW_S, seed_key
from suite_log import Happened

from fedstats.coordinator.store import Store
from fedstats.core.log_head import LogHead
from fedstats.errors import CoordinatorUnreachable, MessageInvalid, NotFound, NotPermitted
from fedstats.identity.keys import Context
from fedstats.identity.peer import Peer, Role
from fedstats.journal import security
from fedstats.testing.clock import ManualClock
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import continues, includes
from fedstats.wire import codec, methods
from fedstats.wire.method import Method
from fedstats.wire.v1 import agreements_pb2, nodes_pb2, signed_pb2

KILLER = Path(__file__).parents[1] / "register_killer.py"


@pytest.fixture
def world() -> World:
    """A register with an agreement, and nodes that were appointed."""
    world = ready_world()
    appoint_nodes(world)
    return world


def verified(message: signed_pb2.Signed) -> LogHead:
    """A head that the coordinator signed."""
    assert message.key == seed_key("register").public.raw
    return codec.decode_log_head(codec.signed_from(message).verify(Context.LOG_HEAD))


def lease(world: World, department: str, **fields: object) -> nodes_pb2.LeaseReply:
    """What a node hears when it asks for work."""
    request = nodes_pb2.LeaseRequest(**fields)  # type: ignore[arg-type]  # a table of fields
    return world.coordinator.call(methods.LEASE, request, NODES[department])


def is_proved(proof: agreements_pb2.RegisterProof, head: LogHead) -> bool:
    """Whether the entry is in the register of this head."""
    entry = LogEntry(proof.entry.number, proof.entry.at_s, proof.entry.kind, proof.entry.document)
    path = codec.inclusion_from(proof.inclusion)
    assert path.index == entry.number - 1
    return includes(leaf=entry.hash, index=path.index, size=head.size, path=path.path, root=head.root)


def continued(proof: signed_pb2.ConsistencyProof, first: LogHead, second: LogHead) -> bool:
    """Whether the second head continues the first."""
    path = codec.consistency_from(proof)
    return (path.first, path.second) == (first.size, second.size) and continues(
        first=first.size, first_root=first.root, second=second.size, second_root=second.root, path=path.path
    )


def test_a_task_comes_with_the_proof_that_its_question_is_registered(world: World) -> None:
    """The entry is in the signed head, the head continues what the node saw, and it says what was asked."""
    before = verified(heads(world).register_head)
    query = world.submit(submission())
    reply = lease(world, "north", register_size=before.size)
    head = verified(reply.register_head)
    assert reply.task.registered.head == reply.register_head
    assert is_proved(reply.task.registered, head)
    assert continued(reply.register_consistency, before, head)
    assert json.loads(reply.task.registered.entry.document)["query"] == query.hex()


def test_an_analyst_hears_at_once_where_her_question_is_registered(world: World) -> None:
    """The reply to a question proves its entry, in a register that continues what she saw before."""
    before = verified(heads(world).register_head)
    request = submission()
    request.register_size = before.size
    for _ in range(2):  # the same again gets the same proof
        reply = world.coordinator.call(methods.SUBMIT, request, Peer(Role.ANALYST, "a.smith"))
        head = verified(reply.registered.head)
        assert is_proved(reply.registered, head)
        assert continued(reply.register_consistency, before, head)


def test_nodes_hear_of_a_new_head_and_of_none_while_nothing_happens(world: World) -> None:
    """A waiting node is told the head when it grew, and a register of one size has one signed head."""
    first = lease(world, "north").register_head
    assert first == lease(world, "south").register_head == heads(world).register_head
    size = verified(first).size
    assert not lease(world, "north", register_size=size).HasField("register_head")
    world.clock.pass_s(60)
    assert heads(world).register_head == first
    world.submit(submission())
    assert verified(heads(world).register_head).size == size + 1


def test_any_two_sizes_and_any_entry_can_be_proved(world: World) -> None:
    """Whoever kept an older head can have every entry of it proved, and that the present one continues it."""
    world.submit(submission())
    entries = world.register()
    last = verified(heads(world).register_head)
    assert last.size == len(entries)
    for entry in entries:
        request = agreements_pb2.ProofRequest(number=entry.number, size=last.size, first=2, second=last.size)
        reply = world.coordinator.call(methods.PROOF, request, AUDITOR)
        proof = agreements_pb2.RegisterProof(entry=reply.entry, inclusion=reply.inclusion)
        assert reply.entry == entry
        assert is_proved(proof, last)
    for wrong in ({"number": 99, "size": 99}, {"second": 99}):
        with pytest.raises(NotFound):
            world.coordinator.call(methods.PROOF, agreements_pb2.ProofRequest(**wrong), AUDITOR)
    with pytest.raises(MessageInvalid):
        world.coordinator.call(methods.PROOF, agreements_pb2.ProofRequest(first=3, second=2), AUDITOR)


def test_times_in_the_register_never_go_back(world: World) -> None:
    """Where the coordinator's clock is set back, entries have the time of the newest one before them."""
    World(store=world.store, clock=ManualClock(NOW_S - 5.0)).submit(submission())
    times = [entry.at_s for entry in world.register()]
    assert times == sorted(times) == [NOW_S] * len(times)


def test_a_commit_that_fails_leaves_no_second_head_of_its_size(world: World) -> None:
    """A head that was signed with entries which were lost is lost with them; another takes its place."""
    file = world.store.file

    def lose() -> None:
        with file.together():
            world.submit(submission())
            lost = heads(world).register_head
            file.rows("SELECT 1")
            raise CoordinatorUnreachable(str(verified(lost).size))

    with pytest.raises(CoordinatorUnreachable) as told:
        lose()
    world.clock.pass_s(100)
    world.submit(submission())
    head = verified(heads(world).register_head)
    assert str(head.size) in str(told.value)
    assert head.root == world.store.register.root(head.size)
    assert head.at_s == NOW_S + 100


def test_cosignatures_of_appointed_nodes_are_shown_the_newest_of_each(world: World) -> None:
    """Readers see who witnessed which head; what a stranger's key signed, nobody sees."""
    lease(world, "north", cosignature=cosignature(world, "north"))
    world.submit(submission())
    newest = cosignature(world, "north")
    lease(world, "north", cosignature=newest)
    assert list(heads(world).cosignatures) == [newest]
    forged = cosignature(world, "south")
    with pytest.raises(MessageInvalid):
        lease(world, "west", cosignature=forged)
    stranger = ready_world()  # where no controller appointed a node
    lease(stranger, "north", cosignature=cosignature(stranger, "north"), head=log_head("north", 1))
    assert not heads(stranger).cosignatures
    assert not heads(stranger).heads


def test_what_contradicts_the_register_is_kept_and_shown(world: World, noted: list[Happened]) -> None:
    """A department that saw another register says so to every reader, and its next word hides nothing."""
    forked = cosignature(world, "north", root=b"r" * 32)
    lease(world, "north", cosignature=forked)
    honest = cosignature(world, "north")
    lease(world, "north", cosignature=honest)
    assert {c.signature for c in heads(world).cosignatures} == {forked.signature, honest.signature}
    assert (security.REGISTER_CONTRADICTED, {"department": "north"}) in noted


def test_an_outcome_names_the_logs_of_those_who_answered(world: World, noted: list[Happened]) -> None:
    """Whoever witnesses the register witnesses every department's log; two logs of one size are both kept."""
    world.submit(submission())
    for number, department in enumerate(DEPARTMENTS, 5):
        task = world.lease(department)
        assert task is not None
        world.report(
            department,
            task=task.id,
            lease_token=task.lease_token,
            release=release(task, department),
            head=log_head(department, number, root=bytes([number]) * 32),
            budget={"used_ppm": 123_400, "left_ppm": 876_600},
        )
    outcome = json.loads(world.register()[-1].document)
    assert outcome["logs"]["south"] == {"log": "00" * 16, "size": 6, "root": "06" * 32}
    assert outcome["budget_used_percent"] == dict.fromkeys(DEPARTMENTS, "12.34")
    lease(world, "north", head=log_head("north", 5, root=b"x" * 32))
    lease(world, "north", head=log_head("north", 8))
    of_north = [codec.decode_log_head(s.payload) for s in heads(world).heads]
    assert sorted(h.size for h in of_north if h.keeper == "north") == [5, 5, 8]
    assert (security.DEPARTMENT_LOG_CONTRADICTED, {"department": "north"}) in noted


def test_a_department_that_tells_many_logs_hides_nothing_and_fills_nothing(world: World) -> None:
    """The proof that it changed its log outlasts whatever it tells later, which is kept up to a limit."""
    first = [log_head("north", 5, root=bytes([n]) * 32) for n in range(2)]
    later = [log_head("north", 5, root=bytes([n]) * 32) for n in range(2, 40)]
    forked = [log_head("north", size, root=bytes([n]) * 32) for size in range(6, 40) for n in range(2)]
    logs = [log_head("north", 1, log=bytes([n]) * 16) for n in range(1, 40)]
    changed = [
        log_head("north", 1, log=bytes([n]) * 16, root=bytes([m]) * 32)
        for n in range(40, 60)
        for m in range(2)
    ]
    for head in (*first, *later, *forked, *logs, *changed):
        world.clock.pass_s(1)
        lease(world, "north", head=head)
    kept = {head.signature for head in heads(world).heads}
    assert {head.signature for head in first} <= kept
    assert len(kept) <= 24


def test_a_department_whose_clock_is_fast_convicts_nobody(world: World) -> None:
    """A word from the future would make every entry until then look backdated, so it is not kept."""
    lease(world, "north", cosignature=cosignature(world, "north", at_s=int(world.clock()) + 301))
    assert not heads(world).cosignatures
    sober = cosignature(world, "north", at_s=int(world.clock()) + 299)
    lease(world, "north", cosignature=sober)
    assert list(heads(world).cosignatures) == [sober]


def test_pauses_are_in_the_register_once_a_minute_at_most(world: World) -> None:
    """The public reads that a department stopped answering, and answers again; to and fro is no flood."""
    for passed_s, paused in ((0, "maintenance"), (1, ""), (1, "maintenance"), (60, ""), (120, "")):
        world.clock.pass_s(passed_s)
        world.lease("north", paused=paused)
    told = [(entry.kind, json.loads(entry.document)["reason"]) for entry in world.register()[-2:]]
    assert told == [("paused", "maintenance"), ("resumed", "")]


CALLED = {name: method for name, method in vars(methods).items() if isinstance(method, Method)}


@pytest.mark.parametrize("name", CALLED)
def test_an_auditor_reads_and_nothing_else(world: World, name: str) -> None:
    """An auditor's certificate opens what shows the register, renews itself, and opens nothing else."""
    method = CALLED[name]
    open_to_it = {"REGISTER", "PROOF", "HEADS", "FETCH_AUTHORITY", "RENEW_ANALYST"}
    assert (Role.AUDITOR in method.roles) == (name in open_to_it)
    if name not in open_to_it:
        with pytest.raises(NotPermitted):
            world.coordinator.call(method, method.request(), AUDITOR)


@pytest.fixture
def killed(tmp_path: Path) -> list[Path]:
    """A store for every write of a question and its answers, in which the coordinator was killed there."""
    subprocess.run([sys.executable, str(KILLER), str(tmp_path)], check=True, timeout=60)
    return sorted(tmp_path.glob("*.sqlite"))


def test_a_register_verifies_wherever_its_coordinator_was_killed(killed: list[Path]) -> None:
    """A kill -9 at every write leaves entries, tree and tasks that fit; nothing is asked before its entry."""
    assert len(killed) > 20
    sizes = set()
    for path in killed:
        store = Store.open(path)
        entries = store.register.entries()
        size = store.register.count()
        sizes.add(size)
        assert [entry.number for entry in entries] == list(range(1, size + 1))
        root = store.register.root(size)
        for entry in entries:
            path_up = store.register.inclusion(entry.number, size)
            assert includes(leaf=entry.hash, index=entry.number - 1, size=size, path=path_up, root=root)
        asked = {json.loads(entry.document)["query"] for entry in entries if entry.kind == "query"}
        assert {row["query"].hex() for row in store.file.rows("SELECT query FROM tasks")} <= asked
        store.close()
    assert len(sizes) >= 3

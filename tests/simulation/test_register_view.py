"""What departments demand of the public register, and what they do when they are shown two."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from google.protobuf.message import Message
from samples import DEPARTMENTS
from waiting import federation

from fedstats.cli import main
from fedstats.client.answer import Answer
from fedstats.core.log_head import LogHead
from fedstats.core.reason import Reason
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer
from fedstats.node.log_audit import against_ledger, against_register, audit
from fedstats.node.log_copy import read_copy
from fedstats.node.status import Outlook
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import of
from fedstats.testing.transport import HONEST, Relay
from fedstats.transparency.check import Wrong
from fedstats.wire.codec import (
    decode_cosignature,
    decode_log_head,
    decode_refusal,
    encode_log_head,
    signed_to,
)
from fedstats.wire.v1 import agreements_pb2, nodes_pb2

SQL = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"
NODE = "south"


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation in which a question was answered; each test leaves it honest, and its register one."""
    with federation(tmp_path_factory.mktemp("register")) as made, made.session() as session:
        session.query(SQL, epsilon="0.1", wait_s=60)
        yield made


def ask(fed: Federation, relay: Relay, epsilon: str) -> Answer:
    """Ask a question while the coordinator does this to messages."""
    fed.relay = relay
    try:
        with fed.session() as session:
            return session.query(SQL, epsilon=epsilon, wait_s=60)
    finally:
        fed.relay = HONEST


def codes(answer: Answer) -> dict[str, str]:
    """Who refused, and with which code."""
    said = {p.department: p.refusal for p in answer.estimate.participants}
    return {department: refusal.code for department, refusal in said.items() if refusal is not None}


def kinds(fed: Federation) -> list[str]:
    """What the log of `NODE` tells of."""
    return [entry.kind for entry in read_copy(fed.node_home(NODE).log).kept.entries]


def test_departments_witness_the_register_and_are_witnessed(fed: Federation) -> None:
    """Each node cosigned the head that it saw, the coordinator has each log's newest head, others keep it."""
    for node in fed.nodes.values():
        node.poll_once()
    logs = fed.coordinator.desk.store.logs
    cosigned = {c.department: c for c in (decode_cosignature(m.payload) for m in logs.cosignatures())}
    assert set(cosigned) == set(DEPARTMENTS)
    assert {c.root for c in cosigned.values()} == {
        fed.coordinator.desk.store.register.root(c.size) for c in cosigned.values()
    }
    told = {h.keeper: h for h in (decode_log_head(m.payload) for m in logs.heads())}
    own = read_copy(fed.node_home(NODE).log)
    assert (told[NODE].log, told[NODE].size) == (own.log, own.heads[-1][0])
    fed.clock.pass_s(3_600)
    for node in fed.nodes.values():
        node.poll_once()
    kept = {head.keeper for head, _ in fed.nodes["north"].register.kept_heads()}
    assert kept == {"coordinator", *DEPARTMENTS} - {"north"}


Change = Callable[[agreements_pb2.RegisterProof], None]


def says(**changes: object) -> Change:
    """Let the entry say something else."""

    def change(proof: agreements_pb2.RegisterProof) -> None:
        document = {**json.loads(proof.entry.document), **changes}
        proof.entry.document = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    return change


def another_entry(proof: agreements_pb2.RegisterProof) -> None:
    """Prove the number of another entry."""
    proof.inclusion.index -= 1


def shorter(proof: agreements_pb2.RegisterProof) -> None:
    """Leave out a hash of the path."""
    del proof.inclusion.path[0]


PROOFS: dict[str, Change] = {
    "none": lambda proof: proof.Clear(),
    "purpose": says(purpose="marketing"),
    "loss": says(loss={"mechanism": "gaussian", "rho": "1/1000"}),
    "departments": says(departments=["north"]),
    "question": says(question="SELECT COUNT(*) FROM rtt"),
    "index": another_entry,
    "path": shorter,
    "time": lambda proof: setattr(proof.entry, "at_s", proof.entry.at_s - 1),
    "head": lambda proof: proof.head.CopyFrom(signed_to(another_head(proof.head.payload))),
}


def another_head(payload: bytes) -> Signed:
    """A head that says something else, signed by somebody."""
    head = decode_log_head(payload)
    forged = LogHead(head.log, head.keeper, head.size, bytes(32), head.at_s)
    return Signed.make(Context.LOG_HEAD, encode_log_head(forged), SigningKey.generate())


@pytest.fixture(scope="module")
def task(fed: Federation) -> nodes_pb2.Task:
    """A task that `NODE` answered, as the coordinator handed it out."""
    tasks: list[nodes_pb2.Task] = []

    def leaving(peer: Peer, message: Message) -> None:
        if peer.name == NODE and isinstance(message, nodes_pb2.LeaseReply) and message.HasField("task"):
            tasks.append(message.task)

    assert codes(ask(fed, Relay(leaving=leaving), "0.02")) == {}
    assert fed.nodes[NODE].runner.run(tasks[0]).WhichOneof("outcome") == "release"
    return tasks[0]


@pytest.mark.parametrize("what", PROOFS)
def test_a_question_that_is_not_proved_to_be_registered_is_not_answered(
    fed: Federation, task: nodes_pb2.Task, what: str
) -> None:
    """Without the proof, or with one of something else: FS-220, though the answer is on record."""
    changed = nodes_pb2.Task.FromString(task.SerializeToString())
    PROOFS[what](changed.registered)
    if what == "none":
        changed.ClearField("registered")
    report = fed.nodes[NODE].runner.run(changed)
    assert report.WhichOneof("outcome") == "refusal"
    note = decode_refusal(report.refusal.payload)
    assert (note.code, note.charged) == ("FS-220", False)
    assert not fed.nodes[NODE].register.forks()


def test_a_coordinator_that_sends_no_proof_gets_no_answer(fed: Federation) -> None:
    """The others answer; nothing is charged at the department that was shown no proof."""

    def leaving(peer: Peer, message: Message) -> None:
        if peer.name == NODE and isinstance(message, nodes_pb2.LeaseReply):
            message.task.ClearField("registered")
            if not message.task.id:
                message.ClearField("task")

    spent = fed.spent(NODE)
    assert codes(ask(fed, Relay(leaving=leaving), "0.021")) == {NODE: "FS-220"}
    assert fed.spent(NODE) == spent


def test_a_veto_that_the_register_hides_is_named(fed: Federation, task: nodes_pb2.Task) -> None:
    """A department's log, its ledger and an honest register agree; a hidden refusal is named by its entry."""
    del task
    pausing = fed.nodes[NODE].policy
    pausing.pause(Reason.SECURITY, now_s=int(fed.clock()))
    assert codes(ask(fed, HONEST, "0.022")) == {NODE: "FS-206"}
    pausing.resume(now_s=int(fed.clock()))
    found = audit(read_copy(fed.node_home(NODE).log))
    register = [
        {"number": entry.number, "kind": entry.kind, "document": json.loads(entry.document)}
        for entry in fed.coordinator.desk.store.register.entries()
    ]
    later_s = int(fed.clock()) + 1_000_000
    assert found.faults == ()
    assert list(against_ledger(found, fed.node_home(NODE).ledger, now_s=later_s)) == []
    assert list(against_register(found, register)) == []
    refusals = [e for e in found.copy.kept.entries if e.kind == "refused" and b"FS-206" in e.document]
    for entry in register:
        if entry["kind"] == "outcome":
            entry["document"]["refused"] = {}
    hidden = list(against_register(found, register))
    assert refusals[-1].number in [fault.number for fault in hidden]
    assert {fault.wrong for fault in hidden} == {Wrong.HIDDEN}
    with closing(sqlite3.connect(fed.folder / "empty.sqlite")) as empty:
        empty.execute("CREATE TABLE entry (number, at_s, computation)")
    lost = list(against_ledger(found, fed.folder / "empty.sqlite", now_s=later_s))
    assert {fault.wrong for fault in lost} == {Wrong.ADDED}


def rewritten(size: int, key: SigningKey, log: bytes) -> Callable[[nodes_pb2.LeaseReply], None]:
    """A coordinator that shows another register than it showed before."""

    def change(reply: nodes_pb2.LeaseReply) -> None:
        head = LogHead(log, "coordinator", size, bytes(32), 1_700_000_000)
        reply.register_head.CopyFrom(signed_to(Signed.make(Context.LOG_HEAD, encode_log_head(head), key)))
        reply.register_consistency.first = reply.register_consistency.second = size

    return change


@pytest.mark.parametrize("what", ["root", "shorter", "log", "key"])
def test_a_register_that_does_not_continue_what_was_seen_stops_the_node(fed: Federation, what: str) -> None:
    """Both heads are kept in the log, nothing new is answered until a person decides, then it goes on."""
    node = fed.nodes[NODE]
    seen = node.register.seen()
    assert seen is not None
    key = SigningKey.generate() if what == "key" else SigningKey.from_seed(sha256(b"register").digest())
    size = seen.head.size - 1 if what == "shorter" else seen.head.size
    log = bytes(16) if what == "log" else seen.head.log
    fed.relay = Relay(leaving=of(nodes_pb2.LeaseReply, rewritten(size, key, log)))
    node.poll_once()
    node.poll_once()
    fed.relay = HONEST
    assert kinds(fed)[-1] == "register-forked"
    document = read_copy(fed.node_home(NODE).log).kept.entries[-1].read()
    assert (document["why"], document["seen"]) == (what, signed_to(seen.signed).SerializeToString().hex())
    assert codes(ask(fed, HONEST, f"0.03{len(what)}")) == {NODE: "FS-220"}
    said = typed("node", "register", "--home", fed.node_home(NODE).path)
    assert "showed another register" in said
    stopping = [check.found for check in Outlook(node).examine() if check.id == "register"]
    assert "FS-705" in typed("audit", "heads", "--offline", "--home", fed.node_home(NODE).path)
    assert "Forgotten" in typed("node", "register", "forget", "--yes", "--home", fed.node_home(NODE).path)
    assert codes(ask(fed, HONEST, f"0.04{len(what)}")) == {}
    assert stopping == ["FS-705 The coordinator showed two registers; nothing new is answered."]
    assert "register-forgotten" in kinds(fed)


def typed(*words: str | Path) -> str:
    """What a command says."""
    ran = CliRunner().invoke(main, list(map(str, words)))
    return ran.stdout + ran.stderr

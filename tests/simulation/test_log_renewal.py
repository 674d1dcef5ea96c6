"""A department whose log was lost, damaged or restored notices, stops, and goes on with one that says so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from waiting import federation

from fedstats.cli import main
from fedstats.core.log_head import LogHead
from fedstats.errors import AlreadyExists, LogDamaged, StillWaiting
from fedstats.identity.keys import PublicKey
from fedstats.identity.peer import Peer, Role
from fedstats.node.log_audit import against_heads, against_ledger, audit
from fedstats.node.log_copy import read_copy
from fedstats.node.renewing import Gone, Renewed, renew
from fedstats.testing.federation import Federation
from fedstats.wire.codec import decode_log_head
from fedstats.wire.heads_file import heads_document, read_heads

SQL = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"
NODE = "south"
PARTS = ("log.sqlite", "log.sqlite-wal", "log.sqlite-shm")


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation that answered; each test leaves `NODE` stopped, and every log sound."""
    with federation(tmp_path_factory.mktemp("renewal")) as made:
        ask(made, "0.1")
        made.stop_node(NODE)
        yield made


def ask(fed: Federation, epsilon: str) -> dict[str, str]:
    """Ask all; who answered how."""
    with fed.session() as session:
        answer = session.query(SQL, epsilon=epsilon, wait_s=60)
    return {p.department: p.refusal.code if p.refusal else "" for p in answer.estimate.participants}


def folder(fed: Federation) -> Path:
    """Where `NODE` keeps everything."""
    return fed.node_home(NODE).path


def move_log(fed: Federation, to: Path) -> None:
    """Copy the log of the stopped node."""
    to.mkdir(exist_ok=True)
    for name in PARTS:
        if (folder(fed) / name).exists():
            shutil.copy(folder(fed) / name, to / name)


def put_back(fed: Federation, kept: Path) -> None:
    """Put a copy of the log in the place of the newest."""
    for name in PARTS:
        (folder(fed) / name).unlink(missing_ok=True)
        if (kept / name).exists():
            shutil.copy(kept / name, folder(fed) / name)


def answered_since(fed: Federation, kept: Path, epsilon: str) -> None:
    """Keep a copy of the log, then answer some more."""
    move_log(fed, kept)
    fed.start_node(NODE)
    ask(fed, epsilon)
    fed.stop_node(NODE)


def own_heads(fed: Federation) -> set[tuple[bytes, int, bytes]]:
    """What the coordinator keeps of the logs of `NODE`."""
    told = [decode_log_head(message.payload) for message in fed.coordinator.desk.store.logs.heads()]
    return {(head.log, head.size, head.root) for head in told if head.keeper == NODE}


def begin_anew(fed: Federation) -> Renewed:
    """What the department's IT types."""
    return renew(fed.node_home(NODE), fed.network(Peer(Role.NODE, NODE)), now=fed.clock)


def goes_on(fed: Federation, renewed: Renewed, tmp_path: Path) -> None:
    """The node answers with its new log: sound, with all charges, and explaining the heads of others."""
    node = fed.start_node(NODE)
    node.poll_once()
    assert node.log.id == renewed.log
    copy = read_copy(fed.node_home(NODE).log)
    found = audit(copy)
    assert found.faults == ()
    first = copy.kept.entries[0]
    assert (first.kind, first.read()["why"]) == ("log-renewed", renewed.why.value)
    assert "charged" in {entry.kind for entry in copy.kept.entries}
    assert list(against_ledger(found, fed.node_home(NODE).ledger, now_s=int(fed.clock()) + 9_999)) == []
    fed.stop_node(NODE)
    assert list(against_heads(found, kept_by_others(fed, tmp_path), "north")) == []


def kept_by_others(fed: Federation, tmp_path: Path) -> list[tuple[LogHead, PublicKey]]:
    """The heads of all logs in the file that another department makes."""
    fed.clock.pass_s(3_601)
    north = fed.nodes["north"]
    north.poll_once()
    path = tmp_path / "north.heads"
    path.write_text(json.dumps(heads_document(signed for _, signed in north.register.kept_heads())))
    return read_heads(path)


def damage(fed: Federation) -> None:
    """Change an entry, as somebody with a database tool can."""
    with closing(sqlite3.connect(fed.node_home(NODE).log)) as sqlite:
        sqlite.executescript("DROP TRIGGER entry_UPDATE; UPDATE entry SET at_s = at_s + 1 WHERE number = 2")


def test_a_restored_log_is_noticed_at_once_and_nothing_is_signed_for_it(
    fed: Federation, tmp_path: Path
) -> None:
    """FS-704 before the first task, and again while the coordinator is silent; no second head of one size."""
    answered_since(fed, tmp_path / "kept", "0.02")
    known = own_heads(fed)
    put_back(fed, tmp_path / "kept")
    heads_before = read_copy(fed.node_home(NODE).log).heads
    node = fed.start_node(NODE)
    for _ in range(2):
        with pytest.raises(LogDamaged, match="node signed for") as caught:
            node.poll_once()
        assert caught.value.advice.endswith("fedstats node log renew")
    with pytest.raises(StillWaiting, match=f"waits for {NODE}"):
        ask(fed, "0.03")
    fed.stop_node(NODE)
    assert read_copy(fed.node_home(NODE).log).heads == heads_before
    assert own_heads(fed) == known, "nothing else was told to anybody"
    node = fed.start_node(NODE)
    with pytest.raises(LogDamaged):
        node.log_witness.check()  # before the coordinator is asked: it was heard once
    fed.stop_node(NODE)
    shown = CliRunner().invoke(main, ["node", "log", "--home", str(folder(fed))])
    assert "FS-704" in shown.stderr
    renewed = begin_anew(fed)
    assert renewed.why is Gone.RESTORED
    log = read_copy(renewed.kept / "log.sqlite").log
    newest = max(size for of, size, _ in known if of == log)
    assert max(former.size for former in renewed.former if former.log == log) == newest
    assert read_copy(renewed.kept / "log.sqlite").heads == heads_before, "the old file is kept"
    goes_on(fed, renewed, tmp_path)


def test_a_log_that_tells_another_story_since_it_was_restored_is_noticed(
    fed: Federation, tmp_path: Path
) -> None:
    """As long as what was told, or longer, but not the same: decisions were typed on the copy."""
    answered_since(fed, tmp_path / "kept", "0.04")
    put_back(fed, tmp_path / "kept")
    typed = CliRunner()
    for _ in range(4):
        for command in ("pause", "resume"):
            ended = typed.invoke(main, ["node", command, "--home", str(folder(fed))])
            assert ended.exit_code == 0, ended.output
    with pytest.raises(LogDamaged, match="another story"):
        fed.start_node(NODE).poll_once()
    fed.stop_node(NODE)
    renewed = begin_anew(fed)
    goes_on(fed, renewed, tmp_path)
    verified = typed.invoke(main, ["audit", "verify", "--home", str(folder(fed))])
    assert "this log began in the place of another one (the file was an older copy)" in verified.stdout


@pytest.mark.parametrize("why", [Gone.LOST, Gone.DAMAGED])
def test_a_log_that_is_gone_is_begun_anew(fed: Federation, tmp_path: Path, why: Gone) -> None:
    """The node does not start; the new log names how far the former one had come, as others know."""
    if why is Gone.LOST:
        fed.node_home(NODE).log.unlink()
    else:
        damage(fed)
    renewed = begin_anew(fed)
    assert renewed.why is why
    assert any((one.log, one.size, one.root) in own_heads(fed) for one in renewed.former)
    assert (renewed.kept / "log.sqlite").exists() == (why is Gone.DAMAGED)
    goes_on(fed, renewed, tmp_path)


def test_a_sound_log_is_never_replaced(fed: Federation) -> None:
    """Whoever types it without need is told so, and nothing changes."""
    before = read_copy(fed.node_home(NODE).log)
    with pytest.raises(AlreadyExists, match="sound"):
        begin_anew(fed)
    after = read_copy(fed.node_home(NODE).log)
    assert (after.log, after.kept.entries) == (before.log, before.kept.entries)


@pytest.mark.parametrize("step", ["made", "log.sqlite", "placed"])
def test_a_renewal_that_is_killed_is_finished_when_it_is_typed_again(
    fed: Federation, tmp_path: Path, step: str
) -> None:
    """A kill -9 anywhere loses nothing: one new log in the end, and the old file whole in its folder."""
    damage(fed)
    old = read_copy(fed.node_home(NODE).log)
    child = os.fork()
    if child == 0:
        killed_at(fed, step)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    if step == "placed":
        renewed_id = read_copy(fed.node_home(NODE).log).log
        assert renewed_id != old.log
        return
    fed.clock.pass_s(7)
    renewed = begin_anew(fed)
    kept = read_copy(renewed.kept / "log.sqlite")
    assert (kept.log, kept.kept.entries) == (old.log, old.kept.entries)
    assert not list(folder(fed).glob("log.next*")) + list(folder(fed).glob("log.building*"))
    goes_on(fed, renewed, tmp_path)


def killed_at(fed: Federation, step: str) -> None:
    """Renew in this process until a step has been done; does not return."""

    def die(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        renew(fed.node_home(NODE), fed.network(Peer(Role.NODE, NODE)), now=fed.clock, checkpoint=die)
    finally:
        os._exit(1)

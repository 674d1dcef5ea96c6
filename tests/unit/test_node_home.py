"""A node's home: made once, joined with a token, paused and resumed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from samples import NOW_S, sample_query

from fedstats.core.reason import Reason
from fedstats.errors import (
    AlreadyExists,
    CertificateProblem,
    CoordinatorUnreachable,
    DeadlinePassed,
    FileProblem,
    LedgerCorrupt,
    NodePaused,
    NotJoined,
    TokenInvalid,
)
from fedstats.identity.certificates import Authority, issue, make_authority
from fedstats.identity.key_files import read_certificate, read_tls_key
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.token import make_token
from fedstats.node.home import Home
from fedstats.node.joining import introduction, join
from fedstats.node.ledger import Ledger
from fedstats.node.policy import Policy
from fedstats.node.state import State
from fedstats.wire.channel import ClientTls
from fedstats.wire.method import Method, Reply, Request, Transport
from fedstats.wire.methods import JOIN_NODE
from fedstats.wire.v1 import signed_pb2

NOW = datetime.fromtimestamp(NOW_S, UTC)
NODE = Peer(Role.NODE, "north")


@dataclass
class Issuer:
    """The part of a coordinator that issues certificates; it may lose its reply, or name somebody else."""

    authority: Authority = field(default_factory=lambda: make_authority("Test federation", now=NOW))
    issues_for: Peer = NODE
    loses_reply: bool = False
    asked_by: list[str] = field(default_factory=list)
    signing_keys: set[bytes] = field(default_factory=set)

    @contextmanager
    def connect(self, address: str, tls: ClientTls) -> Iterator[Transport]:
        """A connection with this certificate."""
        assert address == "stats.example.org:443"
        self.asked_by.append(peer_of(tls.certificate_der).role.value)
        yield self

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Join."""
        del timeout_s
        assert method.path == JOIN_NODE.path
        assert isinstance(request, signed_pb2.JoinRequest)
        self.signing_keys.add(request.signing_key)
        certificate = issue(self.authority, request.certificate_request, self.issues_for, now=NOW)
        if self.loses_reply:
            raise CoordinatorUnreachable
        reply = signed_pb2.JoinReply(certificate=certificate, authority=self.authority.certificate_der)
        return method.reply.FromString(reply.SerializeToString())

    def token(self, peer: Peer = NODE, address: str = "stats.example.org:443") -> str:
        """A token for this peer."""
        return make_token(self.authority, peer, address=address, now=NOW).text()


def now() -> float:
    """The tests' time."""
    return NOW_S


def test_joining_makes_everything_that_a_node_needs(tmp_path: Path) -> None:
    """One token makes keys, certificate, ledger and records, in a folder that only its owner can read."""
    home, issuer = Home(tmp_path / "home"), Issuer()
    joined = join(home, issuer.token(), now=now, connect=issuer.connect)
    assert joined.peer == peer_of(read_certificate(home.certificate))
    assert (joined.links, joined.remembered, joined.words) == (0, None, "")
    assert issuer.asked_by == ["join"]
    assert issuer.signing_keys == {home.read_node_key().public.raw}
    assert read_certificate(home.authority) == issuer.authority.certificate_der
    assert home.read_coordinator() == ("stats.example.org:443", "")
    assert len(home.read_edition_key()) == 32
    with Ledger(home.ledger) as ledger, State(home.state) as state:
        assert ledger.entries() == ()
        assert state.department == "north"
    secret = [home.node_key, home.tls_key, home.edition_key, home.ledger, home.state]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_a_lost_reply_is_asked_for_again_with_the_same_keys(tmp_path: Path) -> None:
    """When the reply to a one-use token is lost, the same keys ask again, so that the token is not wasted."""
    home, issuer = Home(tmp_path / "home"), Issuer(loses_reply=True)
    token = issuer.token()
    with pytest.raises(CoordinatorUnreachable):
        join(home, token, now=now, connect=issuer.connect)
    key = read_tls_key(home.tls_key).public
    with pytest.raises(NotJoined):
        home.read_coordinator()
    issuer.loses_reply = False
    join(home, token, now=now, connect=issuer.connect)
    assert read_tls_key(home.tls_key).public == key
    assert len(issuer.signing_keys) == 1


def test_joining_again_keeps_keys_and_ledger(tmp_path: Path) -> None:
    """A new token after an expired certificate changes the certificate and nothing else."""
    home, issuer = Home(tmp_path / "home"), Issuer()
    join(home, issuer.token(), now=now, connect=issuer.connect)
    kept = {path: path.read_bytes() for path in (home.node_key, home.edition_key, home.ledger)}
    join(home, issuer.token(), now=now, connect=issuer.connect)
    assert {path: path.read_bytes() for path in kept} == kept
    assert len(issuer.signing_keys) == 1


@pytest.mark.parametrize("peer", [Peer(Role.ANALYST, "a.smith"), Peer(Role.CONTROLLER, "north")])
def test_only_a_nodes_token_makes_a_node(tmp_path: Path, peer: Peer) -> None:
    """A token for a person is refused before anything is made."""
    home, issuer = Home(tmp_path / "home"), Issuer()
    with pytest.raises(TokenInvalid, match=peer.role.value):
        join(home, issuer.token(peer), now=now, connect=issuer.connect)
    assert not home.path.exists()


def test_an_expired_token_is_refused(tmp_path: Path) -> None:
    """A token does not outlive its date."""
    issuer = Issuer()
    late = (NOW + timedelta(days=8)).timestamp()
    with pytest.raises(TokenInvalid):
        join(Home(tmp_path), issuer.token(), now=lambda: late, connect=issuer.connect)


def test_a_home_belongs_to_one_department_and_one_federation(tmp_path: Path) -> None:
    """A second department, or a second coordinator, needs a folder of its own."""
    home, issuer = Home(tmp_path / "home"), Issuer()
    join(home, issuer.token(), now=now, connect=issuer.connect)
    other = Issuer(issues_for=Peer(Role.NODE, "south"))
    with pytest.raises(FileProblem, match="north"):
        join(home, other.token(other.issues_for), now=now, connect=other.connect)
    with pytest.raises(AlreadyExists):
        join(home, issuer.token(address="elsewhere.example.org:443"), now=now, connect=issuer.connect)


def test_a_certificate_for_somebody_else_is_not_taken(tmp_path: Path) -> None:
    """Whatever the coordinator issues must be what the token promised."""
    home, issuer = Home(tmp_path / "home"), Issuer(issues_for=Peer(Role.NODE, "south"))
    with pytest.raises(CertificateProblem):
        join(home, issuer.token(), now=now, connect=issuer.connect)
    assert not home.certificate.exists()


def test_a_lost_ledger_stays_lost(tmp_path: Path) -> None:
    """A node whose ledger was deleted does not get an empty one by joining or by being made again."""
    home, issuer = Home(tmp_path / "home"), Issuer()
    join(home, issuer.token(), now=now, connect=issuer.connect)
    home.ledger.unlink()
    join(home, issuer.token(), now=now, connect=issuer.connect)
    home.create("north")
    with pytest.raises(LedgerCorrupt):
        Ledger(home.ledger)


def test_a_home_without_a_node_says_what_to_do(tmp_path: Path) -> None:
    """Before joining, everything that needs a node names the command to type."""
    home = Home(tmp_path)
    for ask in (home.read_node_key, home.read_coordinator, home.check_exists):
        with pytest.raises(NotJoined, match="node") as refused:
            ask()
        assert "fedstats node join -" in str(refused.value)


def test_a_damaged_home_is_named(tmp_path: Path) -> None:
    """Damaged files are errors with their path, never defaults."""
    home = Home(tmp_path)
    home.create("north")
    home.edition_key.write_bytes(b"short")
    with pytest.raises(FileProblem, match=r"edition\.key"):
        home.read_edition_key()
    home.coordinator.write_text("[]")
    with pytest.raises(FileProblem, match=r"coordinator\.json"):
        home.read_coordinator()


def test_the_introduction_is_what_the_controller_types(tmp_path: Path) -> None:
    """The line for the controller carries the whole public key."""
    home = Home(tmp_path)
    home.create("north")
    key = home.read_node_key().public
    assert introduction("north", key) == f"fedstats controller appoint node north --key {key.raw.hex()}"


def test_a_pause_counts_at_once_and_lasts(tmp_path: Path) -> None:
    """A pause typed beside a running node is seen by it, survives a restart, and names its reason only."""
    Home(tmp_path).create("north")
    query = sample_query()
    with State(Home(tmp_path).state) as running, State(Home(tmp_path).state) as typed:
        Policy(running).check(query, now_s=NOW_S)
        Policy(typed).pause(Reason.DATA_QUALITY, now_s=NOW_S)
        with pytest.raises(NodePaused, match="data-quality"):
            Policy(running).check(query, now_s=NOW_S)
    with State(Home(tmp_path).state) as restarted:
        pause = Policy(restarted).paused()
        assert pause is not None
        assert (pause.reason, pause.since_s) == (Reason.DATA_QUALITY, NOW_S)
        Policy(restarted).pause(Reason.SECURITY, now_s=NOW_S + 1)
        Policy(restarted).resume(now_s=2)
        Policy(restarted).check(query, now_s=NOW_S)
        assert Policy(restarted).paused() is None


def test_a_deadline_ends_a_query(tmp_path: Path) -> None:
    """A query is answered until its deadline and not a second longer."""
    Home(tmp_path).create("north")
    query = sample_query(deadline_s=NOW_S)
    with State(Home(tmp_path).state) as state:
        Policy(state).check(query, now_s=NOW_S)
        with pytest.raises(DeadlinePassed):
            Policy(state).check(query, now_s=NOW_S + 1)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_folder_that_was_there_is_closed_to_others(tmp_path: Path) -> None:
    """Whoever made the folder beforehand, and with whichever mode: only the node's account enters it."""
    home = Home(tmp_path / "home")
    for folder in (home.path, home.node_key.parent, home.editions):
        folder.mkdir()
        folder.chmod(0o755)
    home.create("north")
    folders = [home.path, *(path for path in home.path.iterdir() if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert len(folders) == 4

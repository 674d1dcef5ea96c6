"""The analyst's folder: joining makes keys here, once; configuration is strict; certificates renew."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from coordinator_world import ANALYST, CONTROLLERS, NODES, World
from samples import NOW_S

from fedstats.client.home import Config, Home
from fedstats.client.jobs import JobStore
from fedstats.client.joining import introduction, join, open_channel, renew, signing_key
from fedstats.errors import (
    AlreadyExists,
    CertificateProblem,
    ConfigInvalid,
    FedstatsError,
    FileProblem,
    NoReplyInTime,
    NotJoined,
    TokenInvalid,
)
from fedstats.identity.certificates import check_issued, validity_of
from fedstats.identity.key_files import read_certificate, read_tls_key
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.testing.transport import Fault, SimulatedNetwork
from fedstats.wire.channel import ClientTls
from fedstats.wire.method import Method, Reply, Request, Transport
from fedstats.wire.network import Network
from fedstats.wire.v1 import nodes_pb2


def token_for(world: World, peer: Peer) -> str:
    """A token as whoever runs the coordinator gives it out."""
    return world.admission.invite(
        peer, address="stats.example:8443", lifetime=timedelta(days=1), again=True
    ).text()


class Door:
    """Opens connections with a token's certificate, as the network does; `fault` befalls the first."""

    def __init__(self, world: World, text: str, fault: Fault = Fault.NONE) -> None:
        """Let in whoever shows this token."""
        self._world, self._token, self._fault = world, Token.parse(text), fault

    def __call__(self, address: str, tls: ClientTls) -> AbstractContextManager[Transport]:
        """Connect."""
        assert (address, tls.certificate_der) == (self._token.address, self._token.certificate_der)
        fault, self._fault = self._fault, Fault.NONE
        peer = Peer(Role.JOIN, self._token.token_id)
        return nullcontext(
            SimulatedNetwork(
                lambda: self._world.coordinator, peer, faults=lambda: lambda _peer, _method: fault
            )
        )


def test_joining_makes_keys_that_only_their_owner_can_read(tmp_path: Path) -> None:
    """Both keys are made here with mode 0600; the certificate is for this analyst and by this federation."""
    world, home = World(), Home.at(tmp_path / "home")
    text = token_for(world, ANALYST)
    assert join(home, text, now=world.clock, connect=Door(world, text)).name == "a.smith"
    for path in (home.signing_key_file, home.tls_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    peer = check_issued(
        read_certificate(home.certificate_file),
        read_certificate(home.authority_file),
        read_tls_key(home.tls_key_file),
    )
    assert (peer.role, peer.name) == (Role.ANALYST, "a.smith")
    config = home.config()
    assert (config.address, config.role, config.name) == ("stats.example:8443", "analyst", "a.smith")


def test_a_controller_joins_without_an_analysts_key(tmp_path: Path) -> None:
    """A controller's certificate comes with no key that could ask questions."""
    world, home = World(), Home.at(tmp_path)
    text = token_for(world, CONTROLLERS["north"])
    assert join(home, text, now=world.clock, connect=Door(world, text)).role is Role.CONTROLLER
    assert not home.signing_key_file.exists()


def test_a_lost_reply_does_not_burn_the_token(tmp_path: Path) -> None:
    """After the coordinator's reply was lost, the same token works again for the same keys."""
    world, home = World(), Home.at(tmp_path)
    text = token_for(world, ANALYST)
    door = Door(world, text, Fault.REPLY_LOST)
    with pytest.raises(NoReplyInTime):
        join(home, text, now=world.clock, connect=door)
    assert not home.config().joined
    join(home, text, now=world.clock, connect=door)
    with pytest.raises(TokenInvalid):
        join(Home.at(tmp_path / "thief"), text, now=world.clock, connect=door)


def test_joining_again_keeps_the_signing_key(tmp_path: Path) -> None:
    """A new token after the certificate ended renews the connection; the appointed key stays."""
    world, home = World(), Home.at(tmp_path)
    key = signing_key(home).public
    for _ in range(2):
        text = token_for(world, ANALYST)
        join(home, text, now=world.clock, connect=Door(world, text))
        world.clock.pass_s(100 * 86_400)
    assert signing_key(home).public == key
    line = introduction("a.smith", key)
    assert line == f"fedstats controller appoint analyst a.smith --key {key.raw.hex()}"


@pytest.mark.parametrize(
    "peer,after_s,kind",
    [
        (NODES["north"], 0, TokenInvalid),
        (Peer(Role.ANALYST, "b.jones"), 0, AlreadyExists),
        (ANALYST, 2 * 86_400, TokenInvalid),
    ],
)
def test_tokens_that_are_not_for_this_home_are_refused(
    tmp_path: Path, peer: Peer, after_s: int, kind: type[FedstatsError]
) -> None:
    """A node's token, another analyst's, or an expired one changes nothing here."""
    world, home = World(), Home.at(tmp_path)
    first = token_for(world, ANALYST)
    join(home, first, now=world.clock, connect=Door(world, first))
    before = home.config()
    text = token_for(world, peer)
    world.clock.pass_s(after_s)
    with pytest.raises(kind):
        join(home, text, now=world.clock, connect=Door(world, text))
    assert home.config() == before


def test_a_certificate_for_somebody_else_is_refused(tmp_path: Path) -> None:
    """A coordinator that certifies our key under another name is not joined."""
    world, home = World(), Home.at(tmp_path)
    text = token_for(world, ANALYST)
    other = Token.parse(token_for(world, Peer(Role.ANALYST, "b.jones")))
    network = SimulatedNetwork(lambda: world.coordinator, Peer(Role.JOIN, other.token_id))
    with pytest.raises(CertificateProblem, match="somebody else"):
        join(home, text, now=world.clock, connect=lambda _address, _tls: nullcontext(network))
    assert not home.config().joined


def test_a_certificate_is_renewed_for_the_same_key(tmp_path: Path) -> None:
    """Renewal brings a later end and changes neither key nor name; one for another key is refused."""
    world, home = World(), Home.at(tmp_path)
    text = token_for(world, ANALYST)
    join(home, text, now=world.clock, connect=Door(world, text))
    old = read_certificate(home.certificate_file)
    key, authority = read_tls_key(home.tls_key_file), read_certificate(home.authority_file)
    world.clock.pass_s(70 * 86_400)
    network = SimulatedNetwork(lambda: world.coordinator, ANALYST)
    new = renew(home, ClientTls(authority, old, key), network)
    assert new == read_certificate(home.certificate_file)
    assert validity_of(new).not_after > validity_of(old).not_after
    with pytest.raises(CertificateProblem):
        renew(home, ClientTls(authority, old, key), SwappedKey(world))


class SwappedKey:
    """A coordinator that certifies a key of its own."""

    def __init__(self, world: World) -> None:
        """Answer with a certificate that somebody else asked for."""
        self._world = world

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Ask for a certificate for another key."""
        del timeout_s
        changed = method.request.FromString(request.SerializeToString())
        assert isinstance(changed, nodes_pb2.RenewRequest)
        changed.certificate_request = TlsKey.generate().request()
        return self._world.coordinator.call(method, changed, ANALYST)


def test_a_home_that_has_not_joined_says_so(tmp_path: Path) -> None:
    """Without a federation there is nothing to talk to, and the error says how to get one."""
    with pytest.raises(NotJoined, match="has not joined") as caught:
        open_channel(Home.at(tmp_path), now=lambda: float(NOW_S))
    assert "fedstats join -" in caught.value.advice


def test_the_configuration_survives_and_is_strict(tmp_path: Path) -> None:
    """What was written is read again; unknown keys and wrong values are named."""
    home = Home.at(tmp_path)
    config = Config(address="[::1]:8443", role="analyst", name="a.smith", agreement="RTT-2026", purpose="w")
    home.write_config(config)
    assert home.config() == config
    assert stat.S_IMODE(home.config_file.stat().st_mode) == 0o600
    for text, says in (
        ('adress = "x:1"', "adress"),
        ("address = 5", "must be a text"),
        ('address = "nowhere"', "HOST:PORT"),
        ('role = "node"\nname = "x"', "analyst, controller or auditor"),
        ("=", "not TOML"),
    ):
        home.config_file.write_text(text)
        with pytest.raises(ConfigInvalid, match=says):
            home.config()


@pytest.mark.parametrize(
    "environment,folder,state",
    [
        ({"FEDSTATS_HOME": "/f"}, "/f", "/f"),
        ({"HOME": "/h"}, "/h/.config/fedstats", "/h/.local/state/fedstats"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/fedstats", "/s/fedstats"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/fedstats", "/h/.local/state/fedstats"),
    ],
)
def test_the_home_is_where_the_environment_says(environment: dict[str, str], folder: str, state: str) -> None:
    """FEDSTATS_HOME first, then the XDG base folders; a relative base folder does not count."""
    home = Home.find(environment)
    assert (str(home.folder), str(home.state)) == (folder, state)


def test_a_proxy_that_cannot_be_used_is_refused_at_the_door(tmp_path: Path) -> None:
    """A mistyped proxy is said before the token is used."""
    world = World()
    text = token_for(world, ANALYST)
    with pytest.raises(ConfigInvalid, match="http://HOST:PORT"):
        join(Home.at(tmp_path), text, now=world.clock, network=Network(proxy="proxy.example:8080"))


def test_what_is_in_a_home_is_for_its_owner_only(tmp_path: Path) -> None:
    """Under a lax umask new folders and files are closed, and ones that were open are closed at first use."""
    before = os.umask(0o022)
    try:
        home = Home.at(tmp_path / "home")
        home.folder.mkdir()
        home.jobs_file.touch(mode=0o644)
        for _ in range(2):
            home.prepare()
            assert JobStore(home.jobs_file).all() == ()
            assert stat.S_IMODE(home.jobs_file.stat().st_mode) == 0o600
            for folder in (home.folder, home.folder / "keys"):
                assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            home.jobs_file.unlink()
    finally:
        os.umask(before)


def test_a_folder_of_everybodys_is_no_home(tmp_path: Path) -> None:
    """A folder such as /tmp is neither used nor closed to the others."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(FileProblem, match="shared by everybody"):
        Home.at(shared).prepare()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777

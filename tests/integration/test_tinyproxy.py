"""Through a real HTTP proxy that wants a password: joining, working, and what its refusals say."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from coordinator_process import Process, free_port

from fedstats.cli import main
from fedstats.client.home import Home as AnalystHome
from fedstats.client.joining import open_channel
from fedstats.errors import CoordinatorUnreachable, ProxyRefused
from fedstats.node.connection import Connection
from fedstats.node.home import Home
from fedstats.wire.methods import CATALOGUE, LEASE
from fedstats.wire.network import Network
from fedstats.wire.v1 import analysts_pb2, nodes_pb2

pytestmark = pytest.mark.real

USER, PASSWORD = "nodes", "p4ssW0rd"
NAME = socket.gethostname()  # no loopback address: those go through no proxy
PATIENCE_S = 20.0


@dataclass
class Proxy:
    """A tinyproxy on this machine that lets its user connect to one port."""

    folder: Path
    allows: int
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As it is configured."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        found = shutil.which("tinyproxy")
        assert found, "this test needs tinyproxy: apt-get install tinyproxy"
        settings = {
            "Port": self.port,
            "Listen": "127.0.0.1",
            "Allow": "127.0.0.1",
            "BasicAuth": f"{USER} {PASSWORD}",
            "ConnectPort": self.allows,
            "LogFile": f'"{self.folder / "proxy.log"}"',
            "Timeout": 600,
        }
        path = self.folder / "tinyproxy.conf"
        path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self.process = subprocess.Popen([found, "-d", "-c", str(path)], stdout=subprocess.DEVNULL)
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < end_s, (self.folder / "proxy.log").read_text()
            else:
                return

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None


@dataclass
class Place:
    """A coordinator that is reached by this machine's name, and a proxy on the way."""

    folder: Path
    process: Process
    proxy: Proxy

    def secret(self, text: str = f"{USER}:{PASSWORD}") -> Path:
        """The file of the credentials."""
        path = self.folder / "proxy-credentials"
        path.write_text(f"{text}\n")
        path.chmod(0o600)
        return path

    def type(self, *arguments: str | Path) -> Result:
        """Type a command."""
        return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all; whoever stops the proxy starts it again."""
    folder = tmp_path_factory.mktemp("proxy")
    process = Process(folder / "coordinator", host=NAME, listen=socket.gethostbyname(NAME))
    proxy = Proxy(folder, process.port, free_port())
    try:
        process.init()
        process.start()
        proxy.start()
        yield Place(folder, process, proxy)
    finally:
        proxy.stop()
        if process.running is not None:
            process.end(signal.SIGKILL)


def test_with_the_right_credentials_a_node_and_an_analyst_join_and_work(place: Place, tmp_path: Path) -> None:
    """Joined and at work through the proxy, with the password from a file; it is in no other file."""
    options = ("--proxy", place.proxy.url, "--proxy-credentials-file", place.secret())
    home = Home(tmp_path / "node")
    token = place.process.invite("node", "north").text()
    joined = place.type("node", "join", token, "--home", home.path, *options)
    assert joined.exit_code == 0, joined.output
    assert "[coordinator]" in joined.output
    (home.path / "node.toml").write_text("\n".join(_said(joined.output)))
    doctor = place.type("node", "doctor", "--home", home.path).output
    assert f"127.0.0.1:{place.proxy.port} connects to {place.process.host}" in doctor
    network = Network(place.proxy.url, place.secret())
    connection = Connection(home, now=time.time, network=network)
    assert not connection.call(LEASE, nodes_pb2.LeaseRequest()).HasField("task")
    connection.close()
    token = place.process.invite("analyst", "a.smith").text()
    joined = place.type("join", token, "--home", tmp_path / "analyst", *options)
    assert joined.exit_code == 0, joined.output
    with open_channel(AnalystHome.at(tmp_path / "analyst"), now=time.time) as channel:
        assert len(channel.call(CATALOGUE, analysts_pb2.CatalogueRequest()).nodes)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
    assert f"CONNECT {place.process.host}:{place.process.port}" in (place.folder / "proxy.log").read_text()


def _said(output: str) -> list[str]:
    """The lines for node.toml that a command printed."""
    lines = output.splitlines()
    return [line.strip() for line in lines[lines.index("  [coordinator]") :] if line.strip()]


def test_wrong_credentials_are_said_and_not_shown(place: Place, tmp_path: Path) -> None:
    """407 is told from everything else, says where the credentials go, and shows neither of them."""
    token = place.process.invite("node", "south").text()
    for options, said in (
        ((), "asks for a user and password (407)"),
        (("--proxy-credentials-file", place.secret("nodes:wr0ng")), "does not accept the user and password"),
    ):
        joined = place.type("node", "join", token, "--home", tmp_path, "--proxy", place.proxy.url, *options)
        assert joined.output.startswith(ProxyRefused.code)
        assert said in joined.output
        assert "proxy_credentials_file" in joined.output
        assert "wr0ng" not in joined.output


def test_a_port_that_the_proxy_does_not_allow_is_said(place: Place, tmp_path: Path) -> None:
    """Whoever runs the proxy must allow CONNECT to this host and port; the sentence names both."""
    limited = Proxy(tmp_path, 1, free_port())
    limited.start()
    try:
        token = place.process.invite("node", "west").text()
        options = ("--proxy", limited.url, "--proxy-credentials-file", place.secret())
        joined = place.type("node", "join", token, "--home", tmp_path / "node", *options)
    finally:
        limited.stop()
    where = f"{place.process.host}:{place.process.port}"
    assert f"The proxy 127.0.0.1:{limited.port} refuses to connect to {where} (403)." in joined.output


def test_a_proxy_or_a_coordinator_that_is_down_is_waited_for(place: Place, tmp_path: Path) -> None:
    """Both are no refusal: a node asks again within seconds, and the sentence says which of them it is."""
    home = Home(tmp_path / "node")
    options = ("--proxy", place.proxy.url, "--proxy-credentials-file", place.secret())
    token = place.process.invite("node", "east").text()
    assert place.type("node", "join", token, "--home", home.path, *options).exit_code == 0
    connection = Connection(home, now=time.time, network=Network(place.proxy.url, place.secret()))
    place.proxy.stop()
    try:
        with pytest.raises(CoordinatorUnreachable, match=r"through the proxy .*nothing listens there"):
            connection.call(LEASE, nodes_pb2.LeaseRequest())
    finally:
        place.proxy.start()
    connection.call(LEASE, nodes_pb2.LeaseRequest())
    place.process.end(signal.SIGKILL)
    try:
        with pytest.raises(CoordinatorUnreachable):
            connection.call(LEASE, nodes_pb2.LeaseRequest())
        with pytest.raises(CoordinatorUnreachable, match=r"the proxy .* could not open it \(5\d\d\)"):
            connection.call(LEASE, nodes_pb2.LeaseRequest())
    finally:
        place.process.start()
    connection.call(LEASE, nodes_pb2.LeaseRequest())
    connection.close()

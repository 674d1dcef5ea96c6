"""The way to the coordinator, step by step over real sockets and real TLS: the step that fails is named."""

from __future__ import annotations

import base64
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from doctor_world import authority_reply, examined, found, healthy_home, listening, proxy
from doctor_world import join as join_at
from one_node import Analyst, open_node
from samples import NOW_S, seed_key
from wire_world import AUTHORITY, FOREIGN, NOW, SERVER_KEY, Coordinator, server_tls

from fedstats.client.controller import revoke
from fedstats.core.checks import Check, Health
from fedstats.engines import engine_of
from fedstats.identity.certificates import issue, issue_server
from fedstats.identity.peer import Peer, Role
from fedstats.node.home import Home
from fedstats.wire.codec import signed_to
from fedstats.wire.method import Method
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.network import Network, Route
from fedstats.wire.reach import Way
from fedstats.wire.server import ServerTls
from fedstats.wire.v1 import agreements_pb2, signed_pb2

Start = Callable[..., Coordinator]
RIGHT = "aisha:open sesame"
BASIC = base64.b64encode(RIGHT.encode()).decode()


def way(address: str, **changes: Any) -> Way:
    """The way to an address of this machine, for members of the tests' federation."""
    return replace(Way(address, AUTHORITY.certificate_der, "localhost"), **changes)


def steps(of: Way) -> list[tuple[str, Health]]:
    """Each step with how it ended."""
    return [(check.id, check.health) for check in of.opened()]


def last(of: Way) -> Check:
    """The step at which it ended."""
    return list(of.opened())[-1]


def test_a_free_way_is_open(coordinator: Coordinator) -> None:
    """Name, connection and TLS, each in order."""
    assert steps(way(coordinator.address)) == [
        ("name", Health.OK),
        ("connection", Health.OK),
        ("tls", Health.OK),
    ]


def test_a_name_that_is_not_there() -> None:
    """Where the name is unknown, nothing behind it is blamed."""
    check = last(way("coordinator.invalid:8443"))
    assert (check.id, check.health) == ("name", Health.PROBLEM)
    assert "coordinator.invalid" in check.found


def test_nobody_listens() -> None:
    """A port without a listener is told from a name that is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    check = last(way(address))
    assert (check.id, check.found) == ("connection", f"No connection to {address}: nothing listens there.")


def test_something_else_has_the_port() -> None:
    """A program that does not speak TLS is no coordinator."""
    with listening(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as port:
        check = last(way(f"127.0.0.1:{port}"))
    assert (check.id, check.health) == ("tls", Health.PROBLEM)
    assert "does not speak TLS" in check.found


def foreign_tls() -> ServerTls:
    """What a proxy that inspects TLS shows: a certificate for the right name, by its own authority."""
    key = SERVER_KEY
    shown = issue(FOREIGN, key.request(), Peer(Role.NODE, "proxy"), now=NOW)
    return ServerTls(FOREIGN.certificate_der, shown, key)


def test_a_proxy_that_inspects_tls_is_recognised(start: Start) -> None:
    """The issuer of what is shown in the coordinator's place is named, and who can mend it."""
    check = last(way(start(tls=foreign_tls()).address))
    assert (check.id, check.health) == ("tls", Health.PROBLEM)
    assert "issued by 'A proxy that inspects TLS': something on the way inspects TLS" in check.found
    assert "exempt 127.0.0.1 from TLS inspection" in check.fix


def test_another_federations_coordinator_is_recognised(start: Start) -> None:
    """A coordinator that was made anew, or is another one, is told from a proxy."""
    shown = issue_server(FOREIGN, SERVER_KEY, ("localhost",), now=NOW)
    check = last(way(start(tls=ServerTls(FOREIGN.certificate_der, shown, SERVER_KEY)).address))
    assert "coordinator of another federation" in check.found
    assert "join again" in check.fix


def test_a_certificate_for_another_name(start: Start) -> None:
    """The coordinator's host adds the name by which it is reached."""
    check = last(way(start(tls=server_tls("stats.example.gov.uk")).address))
    assert check.found == "The coordinator's certificate is not for localhost."
    assert "hosts in coordinator.toml" in check.fix


def test_a_certificate_that_has_expired_points_at_the_clock(start: Start) -> None:
    """Where time is what does not fit, the clock is looked at first."""
    shown = issue_server(
        AUTHORITY,
        SERVER_KEY,
        ("localhost",),
        now=NOW - timedelta(seconds=200),
        lifetime=timedelta(seconds=100),
    )
    check = last(way(start(tls=ServerTls(AUTHORITY.certificate_der, shown, SERVER_KEY)).address))
    assert "does not count now" in check.found
    assert "clock" in check.fix


@pytest.mark.parametrize(
    "wants,allows,credentials,said",
    [
        (BASIC, True, "", "asks for a user and password (407)"),
        (BASIC, True, "aisha:wrong", "does not accept the user and password (407)"),
        ("", False, "", "refuses to connect"),
    ],
)
def test_a_proxy_that_refuses(wants: str, allows: bool, credentials: str, said: str) -> None:  # noqa: FBT001 # a row
    """What the proxy wants is said, and its credentials are never shown."""
    with listening(proxy(wants=wants, allows=allows)) as port:
        check = last(way("stats.example.invalid:443", proxy=Route(f"127.0.0.1:{port}", credentials)))
    assert (check.id, check.health) == ("proxy", Health.PROBLEM)
    assert said in check.found
    assert "wrong" not in check.found + check.fix + repr(Route("proxy:1", credentials))


def dripping(connection: socket.socket) -> None:
    """A proxy that begins an answer and never ends it, a byte at a time, until its caller hangs up."""
    with connection, suppress(OSError):
        connection.recv(4_096)
        while not select.select([connection], [], [], 0.02)[0]:
            connection.sendall(b"H")


def test_a_proxy_that_never_ends_its_answer() -> None:
    """Each byte comes in time, and the step ends all the same: no daemon waits here for hours."""
    with listening(dripping) as port:
        check = last(way("stats.example.invalid:443", proxy=Route(f"127.0.0.1:{port}"), step_s=0.3))
    assert check.found == f"The proxy 127.0.0.1:{port} cannot be reached."


def test_a_proxy_that_is_down() -> None:
    """A proxy that nobody answers for is told from the coordinator."""
    check = last(way("stats.example.invalid:443", proxy=Route("127.0.0.1:1")))
    assert check.found == "The proxy 127.0.0.1:1 cannot be reached."


def test_a_way_through_a_proxy(coordinator: Coordinator) -> None:
    """With the right credentials TLS is looked at through the tunnel, end to end."""
    port = coordinator.server.port
    with listening(proxy(wants=BASIC)) as at:
        through = way(f"stats.example.invalid:{port}", proxy=Route(f"127.0.0.1:{at}", RIGHT))
        assert steps(through) == [("proxy", Health.OK), ("tls", Health.OK)]


def test_the_environments_proxy_counts_except_on_this_machine() -> None:
    """As for the connection itself."""
    environment = {"https_proxy": "http://user:word@proxy.example:8080/"}

    def proxy_of(address: str, environment: dict[str, str]) -> Route | None:
        return Way.of(address, AUTHORITY.certificate_der, "", Network(), environment).proxy

    found = proxy_of("stats.example.gov.uk:443", environment)
    assert found == Route("proxy.example:8080", "user:word", "$https_proxy")
    assert proxy_of("localhost:443", environment) is None
    assert proxy_of("stats.example.gov.uk:443", {}) is None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A healthy node; where it has joined is for each test to say."""
    return healthy_home(tmp_path_factory.mktemp("healthy"))


def relaying(reply: agreements_pb2.AuthorityReply) -> dict[Method[Any, Any], Any]:
    """A coordinator that relays this to everybody who may call."""

    async def fetch(request: agreements_pb2.AuthorityRequest, peer: Peer) -> agreements_pb2.AuthorityReply:
        del request, peer
        return reply

    return {FETCH_AUTHORITY: fetch}


def online(home: Home, address: str) -> list[Check]:
    """What the node's doctor finds of a coordinator there, on the day that the certificates are of."""
    join_at(home, authority=AUTHORITY, address=address, now=NOW)
    return examined(home, offline=False)


def test_clock_version_and_appointment_are_compared(home: Home, start: Start) -> None:
    """An accepted node learns whether its clock, its version and its appointment fit."""
    address = start(methods=relaying(authority_reply(home))).address
    checks = {check.id: check for check in online(home, address)}
    for id_ in ("name", "connection", "tls", "accepted", "clock", "version", "appointment"):
        assert checks[id_].health is Health.OK, checks[id_]


@pytest.mark.parametrize("ahead_s,said", [(3_600, "3,600 s ahead of"), (-90, "90 s behind")])
def test_a_clock_that_is_wrong(home: Home, start: Start, ahead_s: int, said: str) -> None:
    """More than a minute from the coordinator's time is a problem, with its direction."""
    address = start(methods=relaying(authority_reply(home, now_s=NOW_S - ahead_s))).address
    check = found(online(home, address), "clock")
    assert (check.health, said in check.found) == (Health.PROBLEM, True)
    assert "timedatectl" in check.fix


def test_another_version_is_a_warning(home: Home, start: Start) -> None:
    """Sides of different versions are named, before something does not fit."""
    address = start(methods=relaying(authority_reply(home, software="fedstats 9.9.0"))).address
    check = found(online(home, address), "version")
    assert (check.health, "9.9.0" in check.found) == (Health.WARNING, True)


def test_nobody_appointed_the_node(home: Home, start: Start) -> None:
    """The line for the controller is the fix."""
    address = start(methods=relaying(authority_reply(home, appointments=[]))).address
    check = found(online(home, address), "appointment")
    assert check.health is Health.PROBLEM
    assert check.fix.startswith("The controller types: fedstats controller appoint node north --key ")


def test_the_controller_revoked_the_node(home: Home, start: Start) -> None:
    """Appointing that key again would change nothing: the cure is a new one. A stranger's word is none."""
    key = home.read_node_key().public
    said = {
        name: signed_to(revoke(seed_key(name), "north", key, reason="stolen", now_s=NOW_S))
        for name in ("controller north", "stranger")
    }
    for name, health in (("controller north", Health.PROBLEM), ("stranger", Health.OK)):
        address = start(methods=relaying(authority_reply(home, revocations=[said[name]]))).address
        check = found(online(home, address), "appointment")
        assert (check.health, "rotate-key" in check.fix) == (health, health is Health.PROBLEM), name


def test_a_certificate_that_was_ended(home: Home, start: Start) -> None:
    """The way is free and the coordinator turns us away: that is a step of its own."""

    async def unknown(peer: Peer) -> bool:
        del peer
        return False

    address = start(methods=relaying(authority_reply(home)), known=unknown).address
    check = found(online(home, address), "accepted")
    assert (check.health, "FS-303" in check.found) == (Health.PROBLEM, True)


def test_a_ledger_that_was_restored_from_a_backup(tmp_path: Path, start: Start) -> None:
    """The coordinator remembers a charge that the ledger has forgotten: FS-703, and what to type."""
    home = healthy_home(tmp_path)
    backup = home.ledger.read_bytes()
    with open_node(home, engine=engine_of("duckdb")) as node:
        node.runner.run(Analyst().task())
        record = signed_pb2.WitnessRecord(witness=node.witnesses.tell())
    address = start(methods=relaying(authority_reply(home, witnesses=[record]))).address
    assert found(online(home, address), "witness").health is Health.OK
    for path in home.path.glob("ledger.sqlite*"):
        path.unlink()
    home.ledger.write_bytes(backup)
    check = found(online(home, address), "witness")
    assert (check.health, "FS-703" in check.found) == (Health.PROBLEM, True)
    assert check.fix.endswith(f"fedstats node ledger recover --home {home.path}")


def test_a_node_that_has_not_joined(tmp_path: Path) -> None:
    """A folder without a node says how to begin, and nothing fails over it."""
    checks = examined(Home(tmp_path), offline=False)
    assert found(checks, "coordinator").health is Health.PROBLEM
    assert "fedstats node join" in found(checks, "coordinator").fix

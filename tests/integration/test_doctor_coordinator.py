"""The coordinator's doctor: each check finds exactly what is broken, at real ports and in real files."""

from __future__ import annotations

import resource
import shutil
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from doctor_world import findings, found, listening
from wire_world import FOREIGN, SERVER_KEY, Coordinator

from fedstats.coordinator.authority import Admission, server_tls
from fedstats.coordinator.config import Config, toml_of
from fedstats.coordinator.doctor import Doctor
from fedstats.coordinator.home import Home, init
from fedstats.core.checks import Check, Health
from fedstats.identity.certificates import issue_server
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.wire.server import ServerTls
from fedstats.wire.v1 import signed_pb2

NOW = datetime.now(UTC)  # TLS itself looks at the real clock
NOW_S = NOW.timestamp()
DAY_S = 86_400
PROBLEM, WARNING, OK = Health.PROBLEM, Health.WARNING, Health.OK
Start = Callable[..., Coordinator]


def configured(home: Home, port: int, host: str = "localhost") -> None:
    """Say in coordinator.toml where it is."""
    home.config_file.write_text(toml_of(Config(address=f"{host}:{port}", listen=f"127.0.0.1:{port}")))


@pytest.fixture
def home(tmp_path: Path, start: Start) -> Home:
    """A healthy coordinator that serves, and that a node and an analyst joined."""
    made = Home(tmp_path / "coordinator")
    authority = init(made, Config(address="localhost:1", listen="127.0.0.1:1"), now=NOW)
    tls = server_tls(authority, ("localhost", "127.0.0.1"), now=NOW)
    configured(made, start(tls=tls).server.port)
    store = made.store()
    admission = Admission(authority, store.members, lambda: NOW_S)
    for peer in (Peer(Role.NODE, "york"), Peer(Role.ANALYST, "a.smith")):
        token = admission.invite(peer, address="localhost:1", lifetime=timedelta(days=1))
        request = signed_pb2.JoinRequest(
            certificate_request=TlsKey.generate().request(), signing_key=b"k" * 32
        )
        join = admission.join_node if peer.role is Role.NODE else admission.join_person
        join(request, Peer(Role.JOIN, token.token_id))
    store.close()
    return made


def examined(home: Home, *, at_s: float = NOW_S, **settings: Any) -> list[Check]:
    """What the doctor finds."""
    return list(Doctor(home, lambda: at_s, **settings).examine())


def test_a_healthy_coordinator_has_no_findings(home: Home) -> None:
    """Where nothing is broken every check is ok, and every subject of the promise is looked at."""
    told: list[str] = []
    checks = examined(home, tell=told.append)
    assert findings(checks) == {}
    assert {check.id for check in checks} == {
        "account",
        "private",
        "disk",
        "configuration",
        "authority",
        "store",
        "register",
        "register-log",
        "clock",
        "member-certificate",
        "node-seen",
        "open-files",
        "running",
        "address",
    }
    assert told == [f"reading all of {home.store_file}"]
    assert "address" not in {check.id for check in examined(home, offline=True)}


def damage(home: Home) -> None:
    """Pages of the store are overwritten."""
    content = bytearray(home.store_file.read_bytes())
    content[4096 * 3 : 4096 * 4] = bytes(4096)
    home.store_file.write_bytes(content)


def lose_an_entry(home: Home) -> None:
    """Somebody took an entry out of the register."""
    with sqlite3.connect(home.store_file) as sqlite:
        for (guard,) in sqlite.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            sqlite.execute(f"DROP TRIGGER {guard}")
        kept = "(number, at_s, kind, document)"
        sqlite.execute(f"INSERT INTO register {kept} VALUES (1, 1, 'query', x'00'), (3, 1, 'query', x'00')")


def stranger(home: Home) -> None:
    """The authority's key is another one than its certificate's."""
    shutil.copy(home.authority_folder / "authority.pem", home.folder / "old.pem")
    (home.authority_folder / "authority.pem").write_bytes(TlsKey.generate().private_pem())


BROKEN: list[tuple[Callable[[Home], object], str, str, str]] = [
    (lambda home: home.folder.chmod(0o755), "private", "open to other users", "chmod 700"),
    (
        lambda home: (home.authority_folder / "authority.pem").chmod(0o640),
        "private",
        "authority.pem",
        "chmod 600",
    ),
    (lambda home: (home.authority_folder / "authority.pem").chmod(0o644), "authority", "FS-102", "chmod 600"),
    (stranger, "authority", "FS-302", "exempt"),
    (damage, "store", "damaged", "last good backup"),
    (lambda home: home.store_file.unlink(), "store", "missing", "fedstats coordinator init"),
    (lose_an_entry, "register", "Entry 2 of the register is missing", "backup"),
    (lambda home: home.config_file.write_text("address = 1"), "configuration", "FS-101", "Correct the file"),
]


@pytest.mark.parametrize("broken,where,words,fix", BROKEN, ids=[f"{row[1]} {row[2]}" for row in BROKEN])
def test_each_check_finds_what_it_is_for(
    home: Home, broken: Callable[[Home], object], where: str, words: str, fix: str
) -> None:
    """What is broken is found by the check of its name, with a sentence and a way to mend it."""
    broken(home)
    check = found(examined(home), where)
    assert (check.health, words in check.found, fix in check.fix) == (PROBLEM, True, True), check


def test_the_authoritys_end_is_seen_a_year_before(home: Home) -> None:
    """Everybody must join anew when the authority ends: that needs time."""
    years = [
        found(examined(home, at_s=NOW_S + days * DAY_S), "authority").health for days in (1, 3_400, 3_700)
    ]
    assert years == [OK, WARNING, PROBLEM]


def test_members_that_were_away_too_long(home: Home) -> None:
    """A node that was not here for days, and certificates that nobody renewed, are named."""
    later = examined(home, at_s=NOW_S + 10 * DAY_S)
    assert found(later, "node-seen").found == "The node of york: never seen."
    assert findings(later) == {"node-seen york": WARNING}
    much_later = examined(home, at_s=NOW_S + 100 * DAY_S)
    expired = [check for check in much_later if check.id == "member-certificate"]
    assert [(check.subject, check.health) for check in expired] == [("a.smith", WARNING), ("york", WARNING)]
    assert f"fedstats coordinator invite node york --again --home {home.folder}" in expired[1].fix


def test_a_clock_that_was_set_back(home: Home) -> None:
    """The register's newest entry cannot be from the future."""
    with sqlite3.connect(home.store_file) as sqlite:
        sqlite.execute(
            "INSERT INTO register (number, at_s, kind, document) VALUES (1, ?, 'query', x'00')",
            (int(NOW_S) + 3_600,),
        )
    check = found(examined(home), "clock")
    assert (check.health, "behind the newest entry" in check.found) == (PROBLEM, True)


def test_a_coordinator_that_was_not_started(home: Home) -> None:
    """A free port: type the command that starts it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configured(home, port)
    check = found(examined(home), "running")
    assert (check.health, "is free" in check.found) == (PROBLEM, True)
    assert check.fix == f"Start it: fedstats coordinator run --home {home.folder}"


def test_an_address_that_is_not_this_machines(home: Home) -> None:
    """Where it cannot listen, starting it would not help."""
    home.config_file.write_text(toml_of(Config(address="localhost:8443", listen="192.0.2.1:8443")))
    check = found(examined(home), "running")
    assert (check.health, "It cannot listen at 192.0.2.1" in check.found) == (PROBLEM, True)


def test_another_program_has_the_port(home: Home) -> None:
    """Somebody answers there who is not the coordinator."""
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")) as port:
        configured(home, port)
        check = found(examined(home), "running")
    assert (check.health, "does not speak TLS" in check.found) == (PROBLEM, True)


def test_another_coordinator_has_the_port(home: Home, start: Start) -> None:
    """A coordinator of another folder answers at our port."""
    shown = issue_server(FOREIGN, SERVER_KEY, ("localhost",), now=NOW)
    configured(home, start(tls=ServerTls(FOREIGN.certificate_der, shown, SERVER_KEY)).server.port)
    check = found(examined(home), "running")
    assert (check.health, "another federation" in check.found) == (PROBLEM, True)


def test_a_certificate_without_the_name_that_was_told(home: Home) -> None:
    """After the address in coordinator.toml was changed, the running one must be restarted with it."""
    config = home.config()
    home.config_file.write_text(
        toml_of(replace(config, address=config.address.replace("localhost", "stats.example")))
    )
    check = found(examined(home), "running")
    assert (check.health, check.found) == (PROBLEM, "The coordinator's certificate is not for stats.example.")


def test_too_few_open_files_for_its_members(home: Home) -> None:
    """A limit below what the members' calls need is a problem before they all come."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (203, hard))
    try:
        check = found(examined(home), "open-files")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (check.health, "LimitNOFILE" in check.fix) == (PROBLEM, True)

"""Tokens and certificates that do not fit: what the person is told, that nothing is lost, and that it mends.

Joining and connecting spend no privacy budget, so these errors say nothing of it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from real_federation import Running, coordinator_alone

from fedstats.cli import main
from fedstats.client.home import Home
from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.identity.certificates import Authority, issue, make_authority
from fedstats.identity.key_files import read_tls_key, write_certificate
from fedstats.identity.peer import Peer, Role
from fedstats.identity.token import make_token

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A coordinator's process."""
    with coordinator_alone(tmp_path_factory.mktemp("coordinator")) as made:
        yield made


def authority(host: Running) -> Authority:
    """Its certificate authority."""
    return CoordinatorHome(host.places.coordinator).authority()


def address(host: Running) -> str:
    """Where it is, as tokens say it."""
    return CoordinatorHome(host.places.coordinator).config().address


def token(host: Running, role: Role, name: str, *, age: timedelta = timedelta()) -> str:
    """A token that the coordinator made so long ago."""
    return host.invite(Peer(role, name), age=age).text()


def fedstats(home: Path, *words: str, typed: str = "") -> Result:
    """What somebody with this home types."""
    environment = {"FEDSTATS_HOME": str(home), "COLUMNS": "200"}
    return CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats", input=typed)


def join(home: Path, text: str) -> Result:
    """Join with a token on standard input."""
    return fedstats(home, "join", "-", typed=text)


def works(home: Path, host: Running, name: str) -> bool:
    """Whether this home can join with a good token after all, and is let in: nothing was lost."""
    joined = join(home, token(host, Role.ANALYST, name))
    assert joined.exit_code == 0, joined.output
    return "FS-202" in fedstats(home, "query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1").stderr


def says(result: Result, code: str, *parts: str) -> None:
    """One line with this code and these words, exit code 4, nothing on stdout."""
    assert result.exit_code == 4, result.output
    assert result.stderr.startswith(f"{code} "), result.stderr
    for part in parts:
        assert part in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "budget" not in result.stderr


def test_a_used_token(host: Running, tmp_path: Path) -> None:
    """It lets in one computer: a second one is told so, and the first one may repeat a lost reply."""
    text = token(host, Role.ANALYST, "used.token")
    assert join(tmp_path / "first", text).exit_code == 0
    says(join(tmp_path / "second", text), "FS-304", "used", "fedstats coordinator invite")
    assert join(tmp_path / "first", text).exit_code == 0
    assert works(tmp_path / "second", host, "used.token")


def test_an_expired_token(host: Running, tmp_path: Path) -> None:
    """The time is named; no key is made, nothing is sent."""
    says(join(tmp_path, token(host, Role.ANALYST, "late", age=2 * HOUR)), "FS-304", "expired at", "UTC")
    assert not Home.at(tmp_path).tls_key_file.exists()
    assert works(tmp_path, host, "late")


def test_a_damaged_token(host: Running, tmp_path: Path) -> None:
    """Cut off, mistyped or something else: told apart from one that was used."""
    text = token(host, Role.ANALYST, "damaged")
    for broken in (text[:-5], text.replace(text[40:44], "AAAA"), text[10:], "a letter", text + "AAAA"):
        says(join(tmp_path, broken), "FS-304", "token")
    assert works(tmp_path, host, "damaged")


def test_a_token_for_another_role(host: Running, tmp_path: Path) -> None:
    """A node's token in an analyst's hands, and the reverse: which command it is for."""
    says(join(tmp_path, token(host, Role.NODE, "north")), "FS-304", "for a node", "fedstats node join")
    node = tmp_path / "node"
    typed = token(host, Role.ANALYST, "not.a.node")
    says(fedstats(node, "node", "join", "-", "--home", str(node), typed=typed), "FS-304", "analyst")
    assert works(tmp_path, host, "not.a.node")


def test_a_token_of_a_coordinator_that_was_set_up_anew(host: Running, tmp_path: Path) -> None:
    """The address is right, the authority is another: TLS refuses, and the sentence says what to look at."""
    other = make_authority("Before", now=NOW - 2 * HOUR)
    stale = make_token(other, Peer(Role.ANALYST, "stale"), address=address(host), now=NOW, lifetime=HOUR)
    says(join(tmp_path, stale.text()), "FS-302", address(host))
    assert works(tmp_path, host, "stale")


def test_a_foreign_token(host: Running, tmp_path: Path) -> None:
    """A token that this federation's authority signed and its coordinator never gave out opens nothing."""
    foreign = make_token(
        authority(host), Peer(Role.ANALYST, "foreign"), address=address(host), now=NOW, lifetime=HOUR
    )
    says(join(tmp_path, foreign.text()), "FS-304")
    assert works(tmp_path, host, "foreign")


def test_a_client_of_another_federation(host: Running, tmp_path: Path) -> None:
    """A home whose authority is another one's does not believe this coordinator, and says whom it met."""
    assert works(tmp_path / "home", host, "elsewhere")
    home = Home.at(tmp_path / "home")
    saved = tmp_path / "saved"
    shutil.copy(home.authority_file, saved)
    write_certificate(home.authority_file, make_authority("Other", now=NOW).certificate_der, replace=True)
    says(fedstats(home.folder, "datasets"), "FS-302", "is not this federation's coordinator")
    shutil.copy(saved, home.authority_file)
    assert fedstats(home.folder, "agreement", "list").exit_code == 0


def expired_home(host: Running, folder: Path, name: str, *, age: timedelta, lifetime: timedelta) -> Home:
    """A home that joined, with a certificate made so long ago for so long."""
    assert works(folder, host, name)
    home, peer = Home.at(folder), Peer(Role.ANALYST, name)
    request = read_tls_key(home.tls_key_file).request()
    certificate = issue(authority(host), request, peer, now=NOW - age, lifetime=lifetime)
    write_certificate(home.certificate_file, certificate, replace=True)
    return home


def test_an_expired_certificate(host: Running, tmp_path: Path) -> None:
    """Somebody was away for too long: when it ended, and what to do; a new token makes everything right."""
    home = expired_home(host, tmp_path, "away", age=48 * HOUR, lifetime=24 * HOUR)
    key = home.signing_key_file.read_bytes()
    says(fedstats(home.folder, "datasets"), "FS-302", "expired", "token")
    assert works(home.folder, host, "away")
    assert home.signing_key_file.read_bytes() == key, "whoever joins anew stays who she was"


def test_a_certificate_that_was_never_registered(host: Running, tmp_path: Path) -> None:
    """Whoever holds the authority's key alone makes certificates that open nothing."""
    home = expired_home(host, tmp_path, "self.made", age=HOUR, lifetime=24 * HOUR)
    says(fedstats(home.folder, "datasets"), "FS-303", "does not count here", "new token")
    assert works(home.folder, host, "self.made")


def test_a_clock_an_hour_slow_meets_a_certificate_of_the_future(host: Running, tmp_path: Path) -> None:
    """The computer's clock is an hour behind: the token holds for it, and is not called expired."""
    from fedstats.client.joining import join as join_at

    text = token(host, Role.ANALYST, "slow.clock")
    join_at(Home.at(tmp_path), text, now=lambda: time.time() - 3_600)
    assert "FS-202" in fedstats(tmp_path, "query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1").stderr


def test_a_coordinator_that_is_initialised_twice_keeps_its_authority(host: Running) -> None:
    """`init` over an existing home is refused: everybody would have to join anew."""
    before = (host.places.coordinator / "ca" / "authority.crt").read_bytes()
    again = fedstats(
        host.places.folder, "coordinator", "init", "--home", str(host.places.coordinator), "--host", "x:1"
    )
    assert again.exit_code == 2
    assert "FS-105" in again.stderr
    assert (host.places.coordinator / "ca" / "authority.crt").read_bytes() == before

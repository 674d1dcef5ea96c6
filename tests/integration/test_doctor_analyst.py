"""The analyst's doctor: whether a question could be asked from this computer now, and what is in the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doctor_world import AGREEMENT, findings, found
from one_node import Analyst, published
from samples import DEPARTMENTS, seed_key
from wire_world import AUTHORITY, NOW, Coordinator

from fedstats.cli import main
from fedstats.client.doctor import Doctor
from fedstats.client.home import Config, Home
from fedstats.core.checks import Check, Health
from fedstats.identity.certificates import issue
from fedstats.identity.key_files import write_certificate, write_key
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import agreements_pb2

NOW_S = NOW.timestamp()
DAY_S = 86_400
ANALYST = Analyst()
Start = Callable[..., Coordinator]


def relaying(**changes: Any) -> dict[Any, Any]:
    """A coordinator that relays the agreement and the analyst's appointment; `changes` replace fields."""
    appointment = ANALYST.appointment(from_s=int(NOW_S) - DAY_S, until_s=int(NOW_S) + 30 * DAY_S)
    fields = {
        "agreements": [published(AGREEMENT)],
        "appointments": [appointment],
        "now_s": int(NOW_S),
        "software": SOFTWARE,
        **changes,
    }

    async def fetch(request: agreements_pb2.AuthorityRequest, peer: Peer) -> agreements_pb2.AuthorityReply:
        del request, peer
        return agreements_pb2.AuthorityReply(**fields)

    return {FETCH_AUTHORITY: fetch}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An analyst who joined, compared the controllers' keys, and chose the agreement."""
    made = Home.at(tmp_path / "analyst")
    made.prepare()
    key = TlsKey.generate()
    write_key(made.tls_key_file, key)
    write_key(made.signing_key_file, ANALYST.key)
    peer = Peer(Role.ANALYST, ANALYST.name)
    write_certificate(made.certificate_file, issue(AUTHORITY, key.request(), peer, now=NOW))
    write_certificate(made.authority_file, AUTHORITY.certificate_der)
    for name in DEPARTMENTS:
        made.trust.trust(name, seed_key(f"controller {name}").public.fingerprint)
    made.write_config(
        Config(
            address="127.0.0.1:1",
            server_name="localhost",
            role="analyst",
            name=ANALYST.name,
            agreement=AGREEMENT.id,
        )
    )
    return made


def examined(home: Home, coordinator: Coordinator | None = None, **settings: Any) -> list[Check]:
    """What the doctor finds, of this coordinator."""
    if coordinator is not None:
        home.write_config(replace(home.config(), address=coordinator.address))
    return list(Doctor(home, lambda: NOW_S, **settings).examine())


def test_an_analyst_who_could_ask_has_no_findings(home: Home, start: Start) -> None:
    """From the key file to the appointment, everything is looked at and in order."""
    checks = examined(home, start(methods=relaying()))
    assert findings(checks) == {}
    assert [check.id for check in checks] == [
        "configuration",
        "private",
        "disk",
        "certificate",
        "name",
        "connection",
        "tls",
        "accepted",
        "clock",
        "version",
        "agreement",
        "appointment",
    ]
    assert "name" not in {check.id for check in examined(home, offline=True)}


def test_nobody_appointed_the_analyst(home: Home, start: Start) -> None:
    """The line for the controller of the analyst's organisation is the fix."""
    check = found(examined(home, start(methods=relaying(appointments=[]))), "appointment")
    assert check.health is Health.PROBLEM
    key = ANALYST.key.public.raw.hex()
    assert check.fix.endswith(f"fedstats controller appoint analyst {ANALYST.name} --key {key}")


def test_an_agreement_whose_keys_were_not_compared(home: Home, start: Start) -> None:
    """Answers are only as good as the controllers' keys: an agreement of strangers is a problem."""
    (home.folder / "trust.json").unlink()
    check = found(examined(home, start(methods=relaying())), "agreement")
    assert (check.health, "FS-503" in check.found) == (Health.PROBLEM, True)
    assert f"fedstats use {AGREEMENT.id}" in check.fix


def test_no_agreement_is_in_use(home: Home, start: Start) -> None:
    """Before the first question somebody must choose."""
    home.write_config(replace(home.config(), agreement=""))
    check = found(examined(home, start(methods=relaying())), "agreement")
    assert (check.health, "fedstats use" in check.fix) == (Health.WARNING, True)


def test_keys_that_others_can_read_and_a_certificate_that_ended(home: Home) -> None:
    """What is wrong on this computer is found without a network."""
    home.signing_key_file.chmod(0o644)
    key = TlsKey.generate()
    old = issue(
        AUTHORITY,
        key.request(),
        Peer(Role.ANALYST, ANALYST.name),
        now=NOW,
        lifetime=timedelta(days=1),
    )
    write_certificate(home.certificate_file, old, replace=True)
    checks = list(Doctor(home, lambda: NOW_S + 2 * DAY_S, offline=True).examine())
    assert findings(checks) == {"private signing.pem": Health.PROBLEM, "certificate": Health.PROBLEM}
    assert "fedstats join -" in found(checks, "certificate").fix


def test_the_command_says_it_for_people_and_programs(home: Home, tmp_path: Path) -> None:
    """A computer that has not joined learns how; the form for programs has the same checks."""
    new = CliRunner().invoke(main, ["doctor", "--home", str(tmp_path / "new")])
    assert new.exit_code == 1
    assert f"fedstats join - --home {tmp_path / 'new'}" in new.output
    told = CliRunner().invoke(main, ["doctor", "--offline", "--format", "json", "--home", str(home.folder)])
    assert told.exit_code == 0, told.output
    assert [check["id"] for check in json.loads(told.output)] == [
        "configuration",
        "private",
        "disk",
        "certificate",
    ]

"""Everything that a coordinator may write into its replies, on the terminals of those who read them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from waiting import federation

from fedstats.cli import main
from fedstats.client.home import Home
from fedstats.identity.peer import Peer, Role
from fedstats.testing.federation import Federation
from fedstats.testing.served import Port, served
from fedstats.testing.transport import Relay
from fedstats.wire.v1 import agreements_pb2

STEERING = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066\u200b\r\x00<script>\U000e0041"
LONG = STEERING + 9_000 * "W"


DATES: Any = {"starts_on": date(2020, 1, 1), "review_on": date(2050, 1, 1), "ends_on": date(2099, 1, 1)}


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation whose agreement runs whenever this test does, with an answered question."""
    with federation(tmp_path_factory.mktemp("federation"), **DATES) as made:
        with made.session() as session:
            session.query("SELECT COUNT(*) FROM rtt", epsilon="0.1", wait_s=60)
        yield made


@pytest.fixture(scope="module")
def port(fed: Federation) -> Iterator[Port]:
    """Its coordinator, on a port."""
    with served(fed) as made:
        yield made


def spoil(_peer: Peer, message: Message) -> None:
    """Write into every text of a reply, and into every text inside an entry of the register."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            spoilt = [text + LONG for text in value] if field.is_repeated else value + LONG
            if field.is_repeated:
                del value[:]
                value.extend(spoilt)
            else:
                setattr(message, field.name, spoilt)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                spoil(_peer, inner)
    if isinstance(message, agreements_pb2.RegisterEntry):
        message.document = json.dumps(spoilt_document(json.loads(message.document))).encode()


def spoilt_document(value: object) -> object:
    """The document with every text and every key spoilt."""
    if isinstance(value, dict):
        return {key: spoilt_document(inner) for key, inner in value.items()} | {STEERING: STEERING}
    if isinstance(value, list):
        return [spoilt_document(inner) for inner in value]
    return value + LONG if isinstance(value, str) else value


def steering(text: str) -> set[str]:
    """The characters in it that a terminal obeys or hides."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


COMMANDS = [
    "agreement list",
    "agreement show RTT-2026",
    "agreement status RTT-2026",
    "datasets",
    "doctor",
    "register list",
    "register show 1",
    "register show 6",
    "register export --json {folder}/register.json --html {folder}/register.html",
    "register verify",
    "register heads",
    "use",
    "use RTT-2026 --trust",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_reply_steers_a_terminal(fed: Federation, port: Port, tmp_path: Path, command: str) -> None:
    """Every text of every reply says what terminals obey, at length: shown or refused, never obeyed."""
    home = Home.at(tmp_path / "person")
    port.admit(home, Peer(Role.ANALYST, "a.smith"))
    fed.relay = Relay(leaving=spoil)
    environment = {"FEDSTATS_HOME": str(home.folder), "COLUMNS": "100", "NO_COLOR": "1"}
    words = command.format(folder=tmp_path).split()
    said = CliRunner(env=environment).invoke(main, words, prog_name="fedstats")
    assert steering(said.output) == set()
    assert said.exit_code != 70, said.output  # a bug
    assert len(said.stderr) < 3_000
    if "show" not in words:  # which shows the whole document, too
        assert max(map(len, said.output.splitlines())) < 25_000
    page = tmp_path / "register.html"
    if page.exists():
        assert "<script>" not in page.read_text(encoding="utf-8")
        assert steering(page.read_text(encoding="utf-8")) == set()


def in_circles(_peer: Peer, message: Message) -> None:
    """A register of which every page is the same entry."""
    if isinstance(message, agreements_pb2.RegisterReply):
        del message.entries[:]
        message.entries.add(number=1, kind="query", document=b"{}")


READERS = [
    "agreement status RTT-2026",
    "register list",
    "register export --json {folder}/x",
    "register verify",
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", READERS)
def test_a_register_without_end_is_not_read_for_ever(
    fed: Federation, port: Port, tmp_path: Path, command: str
) -> None:
    """Pages that never go on: every command that reads the register ends."""
    home = Home.at(tmp_path / "person")
    port.admit(home, Peer(Role.ANALYST, "a.smith"))
    fed.relay = Relay(leaving=in_circles)
    environment = {"FEDSTATS_HOME": str(home.folder), "COLUMNS": "100", "NO_COLOR": "1"}
    words = command.format(folder=tmp_path).split()
    said = CliRunner(env=environment).invoke(main, words, prog_name="fedstats")
    assert said.exit_code not in (0, 70), said.output

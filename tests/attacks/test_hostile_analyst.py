"""An analyst with keys that are not hers, or not any more: real processes, real certificates, real files."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.message import Message
from real_federation import ANSWER_S_MAX, MEMBERS, Running, federation

from fedstats.cli import main
from fedstats.client.agreement_file import SignedFile
from fedstats.client.controller import read_key
from fedstats.client.home import Home as PersonHome
from fedstats.client.joining import open_channel
from fedstats.client.publishing import publish
from fedstats.client.session import connect
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.demo import founding
from fedstats.demo.agreement import AGREEMENT_ID, PURPOSE
from fedstats.errors import AppointmentInvalid, MessageInvalid, NotPermitted
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.node.connection import Connection
from fedstats.wire import codec, methods
from fedstats.wire.method import Method, Reply, Request, Transport
from fedstats.wire.v1 import agreements_pb2, analysts_pb2

FIRST = MEMBERS[0]
HOUR_S = 3_600
SQL = "SELECT COUNT(*) FROM rtt WHERE age <= {}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three trusts of the demo, a coordinator and an analyst: processes over mutual TLS."""
    with federation(tmp_path_factory.mktemp("federation")) as made:
        yield made


def fedstats(home: Path, *words: str, typed: str = "") -> Result:
    """What somebody with this home types."""
    environment = {"FEDSTATS_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    return CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats", input=typed)


def ask(home: Path, age: int) -> Result:
    """A question of its own for each test."""
    question = SQL.format(age)
    return fedstats(home, "query", question, "--epsilon", "0.1", "--wait", str(ANSWER_S_MAX))


def charges(running: Running) -> list[int]:
    """How many charges each ledger holds."""
    return [running.entries(number) for number in range(len(MEMBERS))]


@dataclass
class Bent:
    """A client that was changed by whoever runs it: it sees what suits her, and says what she likes."""

    honest: Transport
    reply: Callable[[Message], None] = lambda _: None
    request: Callable[[Message], None] = lambda _: None

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Carry one call over the real connection."""
        self.request(request)
        reply = self.honest.call(method, request, timeout_s)
        self.reply(reply)
        return reply


def somebody(running: Running, folder: Path, name: str) -> PersonHome:
    """An analyst who has joined and trusts the controllers; nobody appointed her yet."""
    token = running.invite(Peer(Role.ANALYST, name)).text()
    joined = fedstats(folder, "join", "-", typed=token)
    assert joined.exit_code == 0, joined.output
    home = PersonHome.at(folder)
    shutil.copy(PersonHome.at(running.places.analyst).folder / "trust.json", home.folder / "trust.json")
    founding.use_agreement(home, AGREEMENT_ID, PURPOSE)
    return home


def appoint(running: Running, home: PersonHome, name: str, *, from_s: int, until_s: int) -> PublicKey:
    """The first trust's controller appoints somebody's key."""
    key, controller = home.signing_key().public, running.places.controller(FIRST)
    said = Appointment(FIRST.department, AppointedRole.ANALYST, name, key.raw, from_s, until_s)
    signing = read_key(PersonHome.at(controller))
    signed = Signed.make(Context.APPOINTMENT, codec.encode_appointment(said), signing)
    with connect(controller) as session:
        publish(session.transport, SignedFile("appointment", signed))
    return key


def test_a_colleagues_key_opens_nothing_for_another_name(running: Running, tmp_path: Path) -> None:
    """Whoever copied a colleague's key file asks through her own certificate, and is refused by name."""
    thief, before = somebody(running, tmp_path, "mallory"), charges(running)
    shutil.copy(PersonHome.at(running.places.analyst).signing_key_file, thief.signing_key_file)
    said = ask(thief.folder, 21)
    assert said.exit_code == 6, said.output
    assert "FS-504" in said.stderr
    assert "certificate of mallory" in said.stderr
    assert charges(running) == before
    own = ask(running.places.analyst, 21)
    assert own.exit_code == 0, own.output


def test_an_expired_key_asks_nothing_whatever_its_clock(running: Running, tmp_path: Path) -> None:
    """Her own client refuses; with her clock set back it does not, and the coordinator does."""
    home, before, now_s = somebody(running, tmp_path, "late"), charges(running), int(time.time())
    appoint(running, home, "late", from_s=now_s - 3 * HOUR_S, until_s=now_s - HOUR_S)
    assert "expired" in ask(home.folder, 22).stderr
    with (
        connect(home.folder, now=lambda: time.time() - 2 * HOUR_S) as session,
        pytest.raises(AppointmentInvalid, match="expired"),
    ):
        session.query(SQL.format(22), epsilon="0.1", wait_s=5)
    assert charges(running) == before


def blind(message: Message) -> None:
    """Let no revocation be seen."""
    if isinstance(message, agreements_pb2.AuthorityReply):
        del message.revocations[:]


def test_a_revoked_key_asks_nothing_any_more(running: Running, tmp_path: Path) -> None:
    """From the controller's command on: a running question is refused, and a new one by all who see it."""
    home, now_s = somebody(running, tmp_path, "leaver"), int(time.time())
    key = appoint(running, home, "leaver", from_s=now_s - 60, until_s=now_s + HOUR_S)
    assert ask(home.folder, 23).exit_code == 0
    before = charges(running)
    for member in MEMBERS:
        running.kill(member.department)
    waiting = fedstats(home.folder, "query", SQL.format(24), "--epsilon", "0.1", "--wait", "1")
    assert waiting.exit_code == 75, waiting.output
    (job, *_) = re.findall("fedstats resume ([0-9a-f]+)", waiting.stderr)
    controller = running.places.controller(FIRST)
    said = fedstats(controller, "controller", "revoke", key.raw.hex(), "--reason", "left")
    assert said.exit_code == 0, said.output
    for number in range(len(MEMBERS)):
        running.start_node(number)
    assert "revoked" in fedstats(home.folder, "resume", job).stderr  # so said the nodes
    assert "revoked" in ask(home.folder, 25).stderr
    with connect(home.folder) as session:
        session.transport = Bent(session.transport, reply=blind)
        with pytest.raises(AppointmentInvalid, match="revoked"):
            session.query(SQL.format(26), epsilon="0.1", wait_s=5)
    assert charges(running) == before


def test_a_nodes_key_asks_nothing(running: Running, tmp_path: Path) -> None:
    """With a node's key and its true appointment: neither her client nor the coordinator takes it."""
    home, before = somebody(running, tmp_path, "insider"), charges(running)
    node = founding.node_home(running.places, FIRST)
    shutil.copy(node.node_key, home.signing_key_file)
    assert "not appointed as analyst" in ask(home.folder, 27).stderr
    key = node.read_node_key()
    with connect(home.folder) as session:
        (appointment,) = (
            a
            for a in session.authority().appointments
            if codec.decode_appointment(a.payload).key == key.public.raw
        )

    def instead(message: Message) -> None:
        if isinstance(message, analysts_pb2.SubmitRequest):
            for part, context in (("query", Context.QUERY), ("round", Context.ROUND)):
                signed = Signed.make(context, getattr(message, part).payload, key)
                getattr(message, part).CopyFrom(codec.signed_to(signed))
            message.appointment.CopyFrom(codec.signed_to(appointment))

    with connect(running.places.analyst) as session:
        session.transport = Bent(session.transport, request=instead)
        with pytest.raises(MessageInvalid, match="not of one analyst's key"):
            session.query(SQL.format(27), epsilon="0.1", wait_s=5)
    assert charges(running) == before


def auditor(running: Running, folder: Path) -> PersonHome:
    """Somebody who may read the register."""
    token = running.invite(Peer(Role.AUDITOR, "ico")).text()
    joined = fedstats(folder, "join", "-", typed=token)
    assert joined.exit_code == 0, joined.output
    return PersonHome.at(folder)


def certificates(running: Running, folder: Path) -> Mapping[Role, Transport]:
    """A real connection with a certificate of each role."""
    return {
        Role.NODE: Connection(founding.node_home(running.places, FIRST), now=time.time),
        Role.ANALYST: open_channel(PersonHome.at(running.places.analyst), now=time.time),
        Role.CONTROLLER: open_channel(PersonHome.at(running.places.controller(FIRST)), now=time.time),
        Role.AUDITOR: open_channel(auditor(running, folder), now=time.time),
    }


def test_no_certificate_opens_anothers_methods(running: Running, tmp_path: Path) -> None:
    """Every method of the wire, called with every certificate that it is not for: turned away at the door."""
    every = [value for value in vars(methods).values() if isinstance(value, Method)]
    assert len(every) >= 13
    for role, transport in certificates(running, tmp_path).items():
        for method in every:
            if role not in method.roles:
                with pytest.raises(NotPermitted, match="does not open"):
                    transport.call(method, method.request())

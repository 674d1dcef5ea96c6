"""A coordinator that shows keys of its own as controllers' keys, the first time anybody meets them.

Real commands over real TLS; what people compare by telephone is all that stands against it, and enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from one_node import open_node, published
from samples import DEPARTMENTS, sample_agreement, seed_key
from waiting import federation

from fedstats.cli import main
from fedstats.client.home import Home
from fedstats.core.agreement_document import canonical_json
from fedstats.identity.keys import Context, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.node.home import Home as NodeHome
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import of
from fedstats.testing.served import Port, served
from fedstats.testing.transport import Relay
from fedstats.wire.v1 import agreements_pb2, signed_pb2

FORGED = {name: seed_key(f"forged {name}") for name in DEPARTMENTS}
NAME = "RTT-2026"


DATES: Any = {"starts_on": date(2020, 1, 1), "review_on": date(2050, 1, 1), "ends_on": date(2099, 1, 1)}


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation whose agreement runs whenever this test does."""
    with federation(tmp_path_factory.mktemp("federation"), **DATES) as made:
        yield made


@pytest.fixture(scope="module")
def port(fed: Federation) -> Iterator[Port]:
    """Its coordinator, on a port."""
    with served(fed) as made:
        yield made


@dataclass
class Person:
    """Somebody at a terminal who has joined and knows nobody's key."""

    home: Home

    def types(self, *words: str, answer: str = "") -> Result:
        """A command, and what is answered to its question."""
        environment = {"FEDSTATS_HOME": str(self.home.folder), "COLUMNS": "200", "NO_COLOR": "1"}
        return CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats", input=answer)


@pytest.fixture
def person(port: Port, tmp_path: Path) -> Person:
    """An analyst on her first day."""
    home = Home.at(tmp_path / "person")
    port.admit(home, Peer(Role.ANALYST, "a.smith"))
    return Person(home)


def swapped(document: bytes, signatures: list[signed_pb2.Signed], keys: Mapping[str, SigningKey]) -> bytes:
    """The agreement with other keys for these departments, whose holders sign it anew, in `signatures`."""
    changed = json.loads(document)
    for controller in changed["controllers"]:
        if controller["department"] in keys:
            old, new = bytes.fromhex(controller["key"]), keys[controller["department"]]
            controller["key"] = new.public.raw.hex()
            signatures[:] = [s for s in signatures if s.key != old]
    payload = canonical_json(changed)
    signatures += [
        signed_pb2.Signed(key=key.public.raw, signature=key.sign(Context.AGREEMENT, payload))
        for key in keys.values()
    ]
    return payload


def swapping(*departments: str) -> Relay:
    """A coordinator that swaps the keys of these departments in all that it relays."""
    keys = {name: FORGED[name] for name in departments}

    def change(reply: agreements_pb2.AuthorityReply) -> None:
        for record in reply.agreements:
            signatures = list(record.signatures)
            record.document = swapped(record.document, signatures, keys)
            del record.signatures[:]
            record.signatures.extend(signatures)

    return Relay(leaving=of(agreements_pb2.AuthorityReply, change))


def fingerprint(key: SigningKey) -> str:
    """What is read out on the telephone."""
    return key.public.fingerprint


def test_whoever_compares_sees_it(fed: Federation, person: Person) -> None:
    """The forged fingerprints are what is shown, all of them; whoever says that they differ trusts nobody."""
    fed.relay = swapping(*DEPARTMENTS)
    said = person.types("use", NAME, answer="n\n")
    assert said.exit_code == 6, said.output
    for name in DEPARTMENTS:
        assert fingerprint(FORGED[name]) in said.output
        assert fingerprint(fed.controllers[name]) not in said.output
    assert person.home.trust.all() == {}
    assert person.home.config().agreement == ""


@pytest.mark.parametrize("options", [(), ("--trust",)], ids=["asked", "with --trust"])
def test_a_key_that_was_typed_from_the_telephone_beats_what_is_shown(
    fed: Federation, person: Person, options: tuple[str, ...]
) -> None:
    """South's true fingerprint is trusted here: the text with another key is used by nobody, and says why."""
    typed = fingerprint(fed.controllers["south"]).upper().replace("-", " ")
    assert person.types("controller", "trust", "south", typed).exit_code == 0
    fed.relay = swapping("south")
    said = person.types("use", NAME, *options, answer="y\n")
    assert said.exit_code in (2, 6), said.output
    assert "south" in said.stderr
    assert person.home.trust.all()["south"] == fingerprint(fed.controllers["south"])
    assert person.home.config().agreement == ""


def test_one_swapped_key_is_no_signature_of_the_others(fed: Federation, person: Person) -> None:
    """Trusted blindly, a text with one forged key is still not in force: the true ones did not sign it."""
    fed.relay = swapping("south")
    said = person.types("use", NAME, "--trust")
    assert said.exit_code != 0, said.output
    assert "not signed by north, west" in said.stderr
    assert person.home.config().agreement == ""


def other_letters(text: str) -> str:
    """The same to the eye: the first a, c, e or o is Cyrillic."""
    place = next(i for i, letter in enumerate(text) if letter in "aceo")
    return text[:place] + {"a": "а", "c": "с", "e": "е", "o": "о"}[text[place]] + text[place + 1 :]  # noqa: RUF001 # the point of it


MISTYPED: Mapping[str, Callable[[str], str]] = {
    "its beginning": lambda text: text[:19],
    "letters that look alike": other_letters,
    "a key in place of its fingerprint": lambda _: "ab" * 32,
    "nothing": lambda _: "",
    "another folder": lambda _: "../../trust",
}


@pytest.mark.parametrize("wrong", MISTYPED)
def test_a_fingerprint_is_typed_whole(fed: Federation, person: Person, wrong: str) -> None:
    """What is not the whole fingerprint is refused, and nothing is trusted."""
    typed = MISTYPED[wrong](fingerprint(fed.controllers["south"]))
    assert person.types("controller", "trust", "south", typed).exit_code == 2
    assert person.home.trust.all() == {}


def test_another_key_is_never_trusted_in_passing(fed: Federation, person: Person) -> None:
    """Typing a second fingerprint for a department needs the word that the first one ends."""
    true, other = fingerprint(fed.controllers["south"]), fingerprint(FORGED["south"])
    assert person.types("controller", "trust", "south", true).exit_code == 0
    said = person.types("controller", "trust", "south", other)
    assert (said.exit_code, true in said.stderr) == (2, True)
    assert person.home.trust.all() == {"south": true}
    assert person.types("controller", "trust", "south", other, "--replace").exit_code == 0


def node_that_heard(folder: Path, *departments: str, trusted: Sequence[str] = ()) -> NodeHome:
    """North's node on its first day, which was shown the agreement with these keys swapped."""
    home = NodeHome(folder)
    home.create("north", key=seed_key("node north"))
    record = published(sample_agreement())
    if departments:
        signatures = list(record.signatures)
        record.document = swapped(record.document, signatures, {name: FORGED[name] for name in departments})
        del record.signatures[:]
        record.signatures.extend(signatures)
    for name in trusted:
        home.trust.trust(name, seed_key(f"controller {name}").public.fingerprint)
    with open_node(home) as node:
        node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[record]))
    return home


def accepts(home: NodeHome, *options: str, answer: str = "") -> Result:
    """What IT types at the node."""
    words = ["agreement", "accept", NAME, "--home", str(home.path), *options]
    return CliRunner(env={"NO_COLOR": "1"}).invoke(main, words, prog_name="fedstats", input=answer)


def accepted(home: NodeHome) -> bool:
    """Whether anything was."""
    with open_node(home) as node:
        return any(standing.accepted_s is not None for standing in node.agreements.all())


def test_a_department_sees_forged_keys_when_it_accepts(tmp_path: Path) -> None:
    """All keys are forged, none was compared: they are shown, and a no trusts and accepts nothing."""
    home = node_that_heard(tmp_path, *DEPARTMENTS)
    said = accepts(home, answer="n\n")
    assert said.exit_code == 6, said.output
    assert all(FORGED[name].public.fingerprint in said.output for name in DEPARTMENTS)
    assert home.trust.all() == {}
    assert not accepted(home)


@pytest.mark.parametrize("swapped_keys", [("south",), ("north",), DEPARTMENTS])
def test_a_department_that_compared_its_own_controller_accepts_no_forgery(
    tmp_path: Path, swapped_keys: tuple[str, ...]
) -> None:
    """With its own controller's true key, a text that this key did not sign is accepted by no option."""
    home = node_that_heard(tmp_path, *swapped_keys, trusted=("north",))
    said = accepts(home, "--trust", "--yes")
    assert said.exit_code != 0, said.output
    assert not accepted(home)
    assert home.trust.all()["north"] == seed_key("controller north").public.fingerprint

"""Documents as weapons: bombs in TOML, JSON and YAML, ten megabytes, and texts that two readers read apart.

Whoever reads one gets a sentence, soon, and goes on; what is beside it still counts.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from full_agreement import DOCUMENT, paths, value_at
from one_node import published
from samples import DEPARTMENTS, sample_agreement, seed_key

from fedstats.cli import main
from fedstats.client.agreement_file import read_agreement, read_signed
from fedstats.client.home import Home as PersonHome
from fedstats.coordinator.config import read_config as read_coordinator_config
from fedstats.coordinator.register import parsed, sentence_of
from fedstats.core.agreement_document import agreement_from_json, agreement_of, canonical_json, document_of
from fedstats.core.result import result_from_json
from fedstats.errors import AgreementInvalid, FedstatsError, NetworkError
from fedstats.identity.keys import Context
from fedstats.identity.trust import TrustStore
from fedstats.node.config import read_config as read_node_config
from fedstats.node.log_audit import read_register_file
from fedstats.node.log_copy import read_copy
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import of
from fedstats.testing.transport import Relay
from fedstats.transparency.entry import LogEntry
from fedstats.wire.heads_file import read_heads
from fedstats.wire.methods import FETCH_AUTHORITY
from fedstats.wire.trailer import error_of
from fedstats.wire.v1 import agreements_pb2, signed_pb2

SOON_S = 10.0  # what takes half a second on an idle machine
MANY = 300_000
TEN_MB = 10_000_000

TOML_BOMBS = {
    "arrays in arrays": "a = " + "[" * MANY,
    "tables in tables": "a = " + "{a=" * MANY,
    "a key of many parts": ".".join("a" * MANY) + " = 1",
    "a key of many quoted parts": " . ".join(['"a.b"'] * MANY) + " = 1",
    "a key of many parts, in a table": "x = {" + ".".join("a" * MANY) + " = 1}",
    "a heading of many parts": "[" + ".".join("a" * MANY) + "]",
    "a heading of many parts, behind a text that looks open": 'x = "\\""\n[' + ".".join("a" * MANY) + "]",
    "a long number": "version = " + "9" * MANY,
    "a long number in base 16": "version = 0x" + "f" * MANY,
    "a great exponent": "version = 1e" + "9" * MANY,
    "the same key twice": 'id = "A"\nid = "B"',
    "the same heading twice": "[public]\n[public]",
    "quotes that never close": 'a = """' + '\\"""' * MANY,
    "not a number": "version = nan",
}
JSON_BOMBS = {
    "arrays in arrays": b"[" * MANY,
    "objects in objects": b'{"a":' * MANY,
    "a long number": b'{"version":' + b"9" * MANY + b"}",
    "a great exponent": b'{"version":1e' + b"9" * 1_000 + b"}",
    "not a number": b'{"version":NaN}',
    "half a pair": b'{"id":"\\ud800"}',
    "no text": b"\xff\xfe\x00",
    "null": b"null",
}
LAUGHS = "a: &a [lol,lol]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a]\n" for n in range(9))


@contextmanager
def soon() -> Iterator[None]:
    """What happens in the block takes no time that anybody would notice."""
    begun_s = time.process_time()
    yield
    assert time.process_time() - begun_s < SOON_S


def home_with(content: str, folder: Path) -> object:
    """A person's configuration file of this content, read."""
    home = PersonHome.at(folder)
    home.prepare()
    home.config_file.write_text(content)
    return home.config()


def file_with(content: str | bytes, folder: Path) -> Path:
    """A file of this content."""
    path = folder / "document"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TOML_READERS: dict[str, Callable[[str, Path], object]] = {
    "an agreement": lambda text, folder: read_agreement(file_with(text, folder)),
    "node.toml": lambda text, folder: read_node_config(file_with(text, folder)),
    "coordinator.toml": lambda text, folder: read_coordinator_config(file_with(text, folder)),
    "config.toml": home_with,
}


@pytest.mark.parametrize("reader", TOML_READERS)
def test_a_toml_bomb_is_a_sentence(reader: str, tmp_path: Path) -> None:
    """Deep nesting, keys of many parts, long numbers, keys twice: refused at once by whoever reads TOML."""
    for name, text in TOML_BOMBS.items():
        with soon(), pytest.raises(FedstatsError) as problem:
            TOML_READERS[reader](text, tmp_path)
        assert len(str(problem.value)) < 1_000, name


def entry(content: bytes) -> LogEntry:
    """A register's entry of this content."""
    return LogEntry(1, 0, "query", content)


JSON_READERS: dict[str, Callable[[bytes, Path], object]] = {
    "an agreement": lambda content, _: agreement_from_json(content),
    "a signed file": lambda content, folder: read_signed(file_with(content, folder)),
    "trusted keys": lambda content, folder: TrustStore(file_with(content, folder)).all(),
    "an entry of a log": lambda content, _: entry(content).leaf,
    "a result": lambda content, _: result_from_json(content),
    "heads that somebody kept": lambda content, folder: read_heads(file_with(content, folder)),
    "a log's export": lambda content, folder: read_copy(file_with(content, folder)),
    "a register's export": lambda content, folder: read_register_file(file_with(content, folder)),
}


@pytest.mark.parametrize("reader", JSON_READERS)
def test_a_json_bomb_is_a_sentence(reader: str, tmp_path: Path) -> None:
    """Deep nesting, long numbers, half characters: refused at once by whoever reads JSON."""
    for content in JSON_BOMBS.values():
        with soon(), pytest.raises((FedstatsError, ValueError)):
            JSON_READERS[reader](content, tmp_path)


def test_what_is_shown_of_a_bomb_is_short() -> None:
    """An entry of the register, or an error from the coordinator, that is a bomb: a line, a plain error."""
    for content in JSON_BOMBS.values():
        with soon():
            assert len(sentence_of("query", parsed(content))) < 1_000
            assert isinstance(error_of(content), NetworkError)


def test_a_number_without_end_in_any_place_is_a_sentence() -> None:
    """A whole number of 100,000 digits, where a text, a number or a table belongs: refused by its place."""
    for path in paths(DOCUMENT):
        document = copy.deepcopy(DOCUMENT)
        value_at(document, path[:-1])[path[-1]] = 1 << 300_000
        with pytest.raises(AgreementInvalid):
            agreement_of(document)


def test_keys_twice_make_no_second_meaning() -> None:
    """A document in which a key stands twice is refused: two readers could read it apart."""
    true = canonical_json(document_of(sample_agreement())).decode()
    key = '"id":"RTT-2026"'
    assert key in true
    for doubled in (f'"id":"OTHER",{key}', f"{key},{key}", f'"\\u0069d":"OTHER",{key}'):
        with pytest.raises(AgreementInvalid):
            agreement_from_json(true.replace(key, doubled, 1).encode())
    with pytest.raises(ValueError, match="canonical"):
        _ = entry(b'{"a":1,"a":2}').leaf


def test_yaml_is_never_read(tmp_path: Path) -> None:
    """Billion laughs are no TOML; and no parser of YAML is imported by anything that fedstats imports."""
    with soon():
        said = CliRunner().invoke(
            main, ["agreement", "sign", str(file_with(LAUGHS, tmp_path)), "--home", "x"]
        )
    assert said.exit_code != 0
    script = (
        "import importlib, pkgutil, sys, fedstats\n"
        "for module in pkgutil.walk_packages(fedstats.__path__, 'fedstats.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "print([name for name in sys.modules if 'yaml' in name.lower()])\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def large() -> Any:
    """An agreement of ten megabytes that would be one if it were smaller, signed by all its controllers."""
    document = json.loads(canonical_json(document_of(sample_agreement(version=9))))
    document["public"]["recipients"] = ["x" * 4_000] * (TEN_MB // 4_000)
    payload = canonical_json(document)
    keys = [seed_key(f"controller {name}") for name in DEPARTMENTS]
    signatures = [
        signed_pb2.Signed(key=key.public.raw, signature=key.sign(Context.AGREEMENT, payload)) for key in keys
    ]
    return agreements_pb2.AgreementRecord(document=payload, signatures=signatures)


def test_ten_megabytes_hide_nothing(fed: Federation, tmp_path: Path) -> None:
    """An agreement of 10 MB, at the command line, a node and an analyst: passed over beside the true one."""
    record = large()
    assert len(record.document) > TEN_MB
    with soon(), pytest.raises(FedstatsError, match="too large"):
        read_agreement(file_with(b"#" * TEN_MB, tmp_path))
    with soon(), pytest.raises(AgreementInvalid, match="at most 1 MB"):
        agreement_from_json(record.document)

    def add(reply: agreements_pb2.AuthorityReply) -> None:
        reply.agreements.extend([record, published(sample_agreement(version=8), ())])

    fed.relay, node = Relay(leaving=of(agreements_pb2.AuthorityReply, add)), fed.nodes["north"]
    with soon(), fed.session() as session:
        assert 9 not in {known.agreement.version for known in session.authority().records}
        assert session.dataset("rtt").agreement == fed.agreement
    with soon():
        node.agreements.learn(session.transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))
    assert {standing.agreement.version for standing in node.agreements.all()} == {1, 8}
    assert node.in_force() == (fed.agreement,)

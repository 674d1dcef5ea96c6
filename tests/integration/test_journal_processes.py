"""Logs, security events and metrics of real processes, as whoever runs them sees them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from node_place import ANALYST, Place, fedstats, place, set_up
from prometheus_client.parser import text_string_to_metric_families

from fedstats.coordinator.home import Home as CoordinatorHome
from fedstats.errors import FedstatsError
from fedstats.identity.certificates import make_authority
from fedstats.identity.key_files import write_certificate
from fedstats.identity.peer import Role
from fedstats.identity.tls_key import TlsKey
from fedstats.journal.fields import UNREADABLE
from fedstats.journal.meters import COORDINATOR, NODE
from fedstats.wire import methods
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.v1 import analysts_pb2, signed_pb2

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running node beside its coordinator; both have metrics."""
    with place(tmp_path_factory.mktemp("place")) as made:
        set_up(made)
        made.node.start()
        work(made)
        yield made


def work(made: Place) -> None:
    """Let the node answer a question and, while it is paused, refuse another."""
    assert made.answer(made.ask()).HasField("release")
    fedstats("node", "pause", "--reason", "maintenance", "--home", made.home.path)
    assert made.answer(made.ask()).HasField("refusal")
    fedstats("node", "resume", "--home", made.home.path)


def measured(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample that a daemon shows: (name, values of its labels by their names) -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def security(home: Path) -> list[dict[str, Any]]:
    """The security events of a daemon's folder."""
    return [json.loads(line) for line in (home / "logs" / "security.jsonl").read_text().splitlines()]


def ids(home: Path) -> set[str]:
    """Their ids."""
    return {event["security"] for event in security(home)} if (home / "logs").exists() else set()


def coordinator_folder(north: Place) -> Path:
    """The coordinator's folder."""
    return CoordinatorHome(north.folder / "coordinator").folder


def test_metrics_of_a_node_tell_how_it_does(north: Place) -> None:
    """Tasks by outcome, polls, connection, ages, budget in public percent, disk; over HTTP, and complete."""
    work(north)
    found = measured(north.node_metrics_port)
    assert found[("fedstats_node_tasks_total", ("ok", "release"))] >= 1
    assert found[("fedstats_node_tasks_total", ("FS-206", "refusal"))] >= 1
    assert found[("fedstats_node_polls_total", ("some",))] >= 2
    assert found[("fedstats_node_connected", ())] == 1
    assert time.time() - found[("fedstats_node_last_contact_timestamp_seconds", ())] < 120
    assert found[("fedstats_node_paused", ())] == 0
    assert found[("fedstats_node_questions_undecided", ())] == 0
    assert 0 <= found[("fedstats_node_edition_age_seconds", ("RTT-2026", "rtt"))] < 600
    assert 0 <= found[("fedstats_node_opt_out_list_age_seconds", ("rtt",))] < 600
    used = found[("fedstats_node_ledger_used_percent", ("RTT-2026",))]
    assert used == int(used)
    assert 0 <= used <= 100
    assert found[("fedstats_certificate_left_seconds", ())] > 86_400
    assert found[("fedstats_disk_free_bytes", ())] > 0
    names = {name.removesuffix("_total").removesuffix("_created") for name, _ in found}
    assert {meter.name for meter in NODE} - names <= {"fedstats_security_events"}  # none may have come


def test_metrics_of_a_coordinator_tell_how_it_does(north: Place) -> None:
    """Nodes, calls by method and code, latencies, sizes; over HTTP, and complete."""
    work(north)
    with pytest.raises(FedstatsError):
        north.analyst.call(methods.FETCH, analysts_pb2.FetchRequest(query=b"?" * 32))
    found = measured(north.coordinator_metrics_port)
    assert found[("fedstats_coordinator_nodes_connected", ())] == 1
    assert found[("fedstats_coordinator_calls_total", ("ok", "Analysts/Submit"))] >= 2
    assert found[("fedstats_coordinator_calls_total", ("FS-307", "Analysts/Fetch"))] >= 1
    assert found[("fedstats_coordinator_call_seconds_count", ("Nodes/Report",))] >= 2
    assert found[("fedstats_coordinator_register_entries", ())] >= 2
    assert found[("fedstats_coordinator_store_bytes", ())] > 10_000
    assert found[("fedstats_coordinator_tasks_open", ())] == 0
    names = {name.removesuffix("_total").removesuffix("_count").removesuffix("_created") for name, _ in found}
    assert {meter.name for meter in COORDINATOR} - names <= {"fedstats_security_events"}  # none may have come


def test_no_label_names_a_person(north: Place) -> None:
    """Neither the analyst who asked nor a single value of the data is a label of a metric."""
    labels = {
        label
        for port in (north.node_metrics_port, north.coordinator_metrics_port)
        for _, values in measured(port)
        for label in values
    }
    assert ANALYST.name not in labels
    assert not {"F", "M", "LS", "65"} & labels


def test_logs_are_lines_of_json_with_nothing_unreadable(north: Place) -> None:
    """Each line of both logs has time, level, event, component and version; nobody is named in them."""
    for daemon, component in ((north.node, "node"), (north.coordinator, "coordinator")):
        text = daemon.log.read_text()
        events = [json.loads(line) for line in text.splitlines()]
        assert all(
            {"timestamp", "level", "event", "component", "version", "message"} <= event.keys()
            for event in events
        )
        assert {event["component"] for event in events} == {component}
        assert ANALYST.name not in text
        assert UNREADABLE not in text
        assert "Traceback" not in text


def test_decisions_of_people_are_security_events(north: Place) -> None:
    """Acceptance, pause and resumption stand in the node's file; tokens, joins and documents in the other."""
    decided = [event["event"] for event in security(north.home.path)]
    assert decided[:3] == ["agreement_accepted", "paused", "resumed"]
    there = {event["event"] for event in security(coordinator_folder(north))}
    assert {"member_joined", "document_published"} <= there
    assert ANALYST.name not in (coordinator_folder(north) / "logs" / "security.jsonl").read_text()


def test_only_the_host_learns_whose_certificate_an_event_means(north: Place) -> None:
    """The serial number in an event leads to the person's name by a command, and by nothing in the log."""
    home = coordinator_folder(north)
    joined = [e for e in security(home) if e["event"] == "member_joined" and e["role"] == "analyst"]
    told = [
        fedstats("coordinator", "analysts", "--certificate", event["certificate"], "--home", home)
        for event in joined[:1]
    ]
    assert told == [f"analyst {ANALYST.name}\n"]
    unknown = fedstats("coordinator", "analysts", "--certificate", "12ab", "--home", home, code=4)
    assert "FS-307" in unknown


def test_what_the_coordinator_does_not_believe_is_a_security_event(north: Place) -> None:
    """Forged, unappointed, disallowed, oversized, used, removed: each leaves its id."""
    home = coordinator_folder(north)
    forged, stranger = north.question(), north.question()
    forged.query.signature = forged.query.signature[::-1]
    stranger.appointment.CopyFrom(ANALYST.appointment(from_s=10, until_s=20))
    other = north.question(purpose="insurance")
    for request in (forged, stranger, other):
        with pytest.raises(FedstatsError):
            north.analyst.call(methods.SUBMIT, request)
    with pytest.raises(FedstatsError):
        north.analyst.call(methods.WATCH, analysts_pb2.WatchRequest(query=b"short"))
    token = north.invite(Role.ANALYST, "c.brown")
    fedstats("coordinator", "remove", "analyst", "c.brown", "--home", home)
    bootstrap = ClientTls(token.ca_certificate_der, token.certificate_der, token.key)
    with Channel(token.address, bootstrap) as channel:
        joining = signed_pb2.JoinRequest(certificate_request=TlsKey.generate().request())
        with pytest.raises(FedstatsError):
            channel.call(methods.JOIN_ANALYST, joining)
    with north.join(Role.ANALYST, "b.jones") as jones:
        fedstats("coordinator", "remove", "analyst", "b.jones", "--home", home)
        with pytest.raises(FedstatsError):
            jones.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest())
    assert {"SEC-101", "SEC-103", "SEC-104", "SEC-202", "SEC-203", "SEC-204", "SEC-407"} <= ids(home)
    written = (home / "logs" / "security.jsonl").read_text()
    assert UNREADABLE not in written
    assert not {"b.jones", "c.brown", "insurance"} & set(written.replace('"', " ").split())


def test_a_foreign_certificate_is_a_security_event(north: Place) -> None:
    """A node that meets a coordinator of another authority notes it while it keeps trying."""
    north.node.end(signal.SIGTERM)
    own = north.home.authority.read_bytes()
    foreign = make_authority("Somebody else", now=datetime.now(UTC))
    write_certificate(north.home.authority, foreign.certificate_der, replace=True)
    north.node.start()
    until_s = time.monotonic() + PATIENCE_S
    try:
        while "SEC-201" not in ids(north.home.path):
            assert time.monotonic() < until_s, north.node.log.read_text()
            north.analyst.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest())
    finally:
        north.node.end(signal.SIGTERM)
        north.home.authority.write_bytes(own)
        north.node.start()


def test_files_that_cannot_be_relied_on_are_security_events(north: Place) -> None:
    """A key that others can read, then a damaged ledger: the node does not run, and its log says why."""
    north.node.end(signal.SIGTERM)
    run = ("node", "run", "--home", north.home.path)
    north.home.node_key.chmod(0o644)
    assert "chmod 600" in fedstats(*run, code=2)
    north.home.node_key.chmod(0o600)
    sound = north.home.ledger.read_bytes()
    north.home.ledger.write_bytes(b"no ledger" * 1_000)
    fedstats(*run, code=8)
    north.home.ledger.write_bytes(sound)
    north.node.start()
    assert {"SEC-301", "SEC-302"} <= ids(north.home.path)
    assert north.answer(north.ask()).HasField("release")


def test_a_node_answers_without_room_for_its_log(north: Place) -> None:
    """Its standard output is a full disk and its security file cannot be written: it answers and charges."""
    north.node.end(signal.SIGTERM)
    logs = north.home.path / "logs"
    logs.rename(logs.with_name("logs-before"))
    logs.write_text("a file where the folder should be")
    command = [sys.executable, "-m", "fedstats", "node", "run", "--home", str(north.home.path)]
    with Path("/dev/full").open("wb") as full, subprocess.Popen(command, stdout=full) as node:
        assert north.answer(north.ask()).HasField("release")
        assert measured(north.node_metrics_port)[("fedstats_log_lines_lost", ())] > 0
        node.send_signal(signal.SIGTERM)
        assert node.wait(PATIENCE_S) == 0
    logs.unlink()
    logs.with_name("logs-before").rename(logs)
    north.node.start()


def test_a_coordinator_serves_when_nobody_takes_its_log(north: Place) -> None:
    """Whoever read its standard output is gone: questions are answered as before."""
    north.coordinator.end(signal.SIGTERM)
    home = str(coordinator_folder(north))
    command = [sys.executable, "-m", "fedstats", "coordinator", "run", "--home", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert b"coordinator_started" in running.stdout.readline()
        running.stdout.close()
        assert north.answer(north.ask()).HasField("release")
        assert measured(north.coordinator_metrics_port)[("fedstats_log_lines_lost", ())] > 0
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE_S) == 0
    north.coordinator.start()


def test_metrics_stay_on_this_machine(north: Place) -> None:
    """An address that others reach is refused when it is configured, and said why."""
    config = north.home.config
    before = config.read_text()
    config.write_text(before.replace("127.0.0.1:", "0.0.0.0:"))
    refused = fedstats("node", "config", "--home", north.home.path, code=2)
    assert "beyond_this_machine" in refused
    config.write_text(before)

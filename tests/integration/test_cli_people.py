"""The people of a federation at their command lines: a real coordinator, controllers, IT, analysts."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from analyst_world import exact_vectors, people, refusing, signed_release
from click.testing import CliRunner
from coordinator_world import computation_of
from daemons import Daemon
from samples import DEPARTMENTS, sample_agreement

from fedstats.cli import main
from fedstats.client.home import Home as AnalystHome
from fedstats.client.joining import open_channel
from fedstats.core.agreement_document import document_of
from fedstats.core.appointment import Acceptance
from fedstats.core.reason import Reason
from fedstats.demo.toml_text import toml_text
from fedstats.errors import NetworkError
from fedstats.identity.certificates import check_issued
from fedstats.identity.key_files import read_certificate, read_tls_key
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.node.connection import Connection
from fedstats.node.home import Home as NodeHome
from fedstats.node.joining import introduction, join
from fedstats.wire import codec
from fedstats.wire.methods import CATALOGUE, LEASE, PUBLISH, REPORT
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2

START_S = 30.0
COUNT = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"


@dataclass
class Town:
    """A folder with everybody's homes, and the coordinator's process."""

    folder: Path
    coordinator: Daemon | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def run(self, who: str, *words: str, code: int = 0, typed: str = "") -> str:
        """Type a command as somebody, who has a home of that name; what it prints."""
        environment = {"FEDSTATS_HOME": str(self.folder / who), "COLUMNS": "100", "NO_COLOR": "1"}
        result = CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats", input=typed)
        assert result.exit_code == code, (words, result.output, result.exception)
        return result.output

    def start(self) -> None:
        """Make the coordinator and start it as a process."""
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        home = str(self.folder / "coordinator")
        self.run("host", "coordinator", "init", "--home", home, "--host", f"localhost:{port}")
        self.coordinator = Daemon(("coordinator", "run", "--home", home), self.folder / "coordinator.log")
        assert "Listening" in self.coordinator.start()

    def end(self) -> None:
        """Stop the departments and the coordinator."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.coordinator is not None:
            self.coordinator.end(signal.SIGTERM)

    def token(self, role: str, name: str) -> str:
        """What whoever runs the coordinator gives out."""
        home = str(self.folder / "coordinator")
        printed = self.run("host", "coordinator", "invite", role, name, "--home", home)
        found = re.search(r"fedstats1\.\S+", printed)
        assert found is not None
        return found.group()

    def node(self, department: str) -> NodeHome:
        """The folder of a department's node."""
        return NodeHome(self.folder / f"{department}-node")

    def work(self, department: str) -> None:
        """Answer as the department's node until told to stop: west refuses, the others count 1,000 women."""
        home = self.node(department)
        connection, key = Connection(home, now=time.time), home.read_node_key()
        held = nodes_pb2.Holding(agreement="RTT-2026", agreement_version=1, dataset="rtt", edition="2025-09")
        while not self.stop.is_set():
            try:
                reply = connection.call(LEASE, nodes_pb2.LeaseRequest(wait_s=1, holdings=[held]))
            except NetworkError:
                break
            if reply.HasField("task"):
                task = reply.task
                report = nodes_pb2.ReportRequest(task=task.id, lease_token=task.lease_token)
                if department == "west":
                    report.MergeFrom(refusing()(task, department) or report)
                    payload = report.refusal.payload
                    report.refusal.CopyFrom(codec.signed_to(Signed.make(Context.REFUSAL, payload, key)))
                else:
                    release = signed_release(
                        department, computation_of(task), exact_vectors(task, people(1_000))
                    )
                    payload = release.payload
                    report.release.CopyFrom(codec.signed_to(Signed.make(Context.RELEASE, payload, key)))
                connection.call(REPORT, report)
        connection.close()

    def start_work(self) -> None:
        """Let every department's node work."""
        for department in DEPARTMENTS:
            self.threads.append(threading.Thread(target=self.work, args=(department,)))
            self.threads[-1].start()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Everybody at work, the agreement signed and accepted, the analyst ready to ask."""
    made = Town(tmp_path_factory.mktemp("town"))
    try:
        made.start()
        found_agreement(made)
        found_nodes(made)
        found_analyst(made)
        made.start_work()
        yield made
    finally:
        made.end()


def found_agreement(town: Town) -> None:
    """Three controllers make keys, join, and sign one after the other."""
    keys = {}
    for department in DEPARTMENTS:
        town.run(department, "controller", "init", department, "--no-passphrase")
        town.run(department, "join", "-", typed=town.token("controller", department))
        printed = town.run(department, "controller", "fingerprint")
        keys[department] = bytes.fromhex(printed.split('"')[1])
    today = datetime.now(UTC).date()
    agreement = replace(
        sample_agreement(),
        controllers=tuple(
            replace(controller, key=keys[controller.department])
            for controller in sample_agreement().controllers
        ),
        starts_on=today,
        review_on=today,
        ends_on=today + timedelta(days=30),
    )
    file = town.folder / "agreement.toml"
    file.write_text(toml_text(document_of(agreement)))
    assert "It can be signed" in town.run("north", "agreement", "check", str(file))
    signed_first = town.run("north", "agreement", "sign", str(file), "--yes")
    assert re.search(
        r"south, west now type.*\n  fedstats agreement sign RTT-2026 --hash [0-9a-f]{12}\n", signed_first
    )
    assert "waits for the signatures of south, west" in town.run("south", "agreement", "show", "RTT-2026")
    town.run("south", "agreement", "sign", "RTT-2026", code=1, typed="n\n")
    town.run("south", "agreement", "sign", "RTT-2026", typed="y\n")
    signed = town.folder / "west.json"
    town.run("west", "agreement", "sign", "RTT-2026", "--yes", "--output", str(signed))
    town.run("west", "agreement", "publish", str(signed))
    assert "signed by all; accepted by no department yet" in town.run("north", "agreement", "list")


def found_nodes(town: Town) -> None:
    """Each department's IT joins; its controller appoints the node with the line from IT; IT accepts."""
    for department in DEPARTMENTS:
        home = town.node(department)
        join(home, town.token("node", department), now=time.time)
        line = introduction(department, home.read_node_key().public).split()[1:]
        town.run(department, *line)
        accepting = ("agreement", "accept", "RTT-2026", "--home", str(home.path))
        assert "Nothing was trusted" in town.run(department, *accepting, code=6, typed="n\n")
        printed = town.run(department, *accepting, typed="y\ny\n")
        assert f"{department} accepts RTT-2026 version 1" in printed


def found_analyst(town: Town) -> None:
    """The analyst joins, north's controller appoints her with the line that she got, and she chooses."""
    printed = town.run("analyst", "join", town.token("analyst", "a.smith"))
    (line,) = [words.strip() for words in printed.splitlines() if "controller appoint" in words]
    assert "You cannot ask yet" in town.run("analyst", "use", "RTT-2026", "--trust")
    town.run("north", *line.split()[1:])
    assert "You may ask as a.smith@north" in town.run("analyst", "use", "RTT-2026", "waiting")


def wait_for_editions(town: Town) -> None:
    """Until every department has said what it holds."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        (entry,) = json.loads(town.run("analyst", "datasets", "--format", "json"))
        if all(entry["held"].values()):
            return
    pytest.fail("the departments did not announce their editions")


def test_an_analyst_looks_asks_and_sees_it_again(town: Town) -> None:
    """From `datasets` to an answer on paper: one question, three departments, one of which refuses."""
    wait_for_editions(town)
    assert "protects a person" in town.run("analyst", "datasets", "rtt")
    assert "Cells: 2, and about" in town.run("analyst", "query", COUNT, "--epsilon", "1", "--explain")
    printed = town.run("analyst", "query", COUNT, "--epsilon", "1", "--wait", "60")
    assert re.search(r"^F +2,000 ± [0-9]+$", printed, re.MULTILINE), printed
    assert "Answered: north, south." in printed
    assert "Absent: west (FS-207)" in printed
    (job,) = json.loads(town.run("analyst", "jobs", "--format", "json"))
    out = town.folder / "answer.json"
    town.run("analyst", "resume", job["job"], "--output", str(out))
    document = json.loads(out.read_text())
    assert document["tables"][0]["rows"][0]["cells"][0]["value"] == 2_000
    page = town.run("analyst", "guarantee", job["job"])
    assert "Absent: west (FS-207)." in page
    promise = town.folder / "promise.json"
    town.run("analyst", "guarantee", job["job"][:4], "--output", str(promise))
    assert json.loads(promise.read_text())["query"]["query"].startswith(job["job"])
    assert job["job"] in town.run("analyst", "document", "five-safes", "RTT-2026")
    record = town.folder / "satre.json"
    town.run("north", "document", "satre", "RTT-2026", "--output", str(record))
    assert [output["query"][:10] for output in json.loads(record.read_text())["outputs"]] == [job["job"]]
    published = town.run("analyst", "publish", job["job"], "--note", "Two of three departments.")
    (number,) = re.findall(r"Published as entry (\d+)", published)
    shown = town.run("south", "register", "show", number)
    assert re.search(r"F .* 2000 \(", shown), shown
    assert "Two of three departments." in shown
    assert "--replaces" in town.run("analyst", "publish", job["job"], "--withdraw", code=2)
    csv = town.run("analyst", "resume", job["job"][:4], "--format", "csv")
    assert csv.startswith("sex,n,n_lo,n_hi,n_absent\nF,2000.0,")
    town.run("analyst", "resume", job["job"], "--format", "csv", "--output", str(town.folder))
    assert (town.folder / "table.csv").read_text() == csv
    assert re.search(r"^F +│?█+├─*┼─*┤ 2,000", town.run("analyst", "plot", job["job"]), re.MULTILINE)
    picture = town.folder / "sex.svg"
    town.run("analyst", "plot", job["job"], "--output", str(picture))
    assert "without west" in picture.read_text()


def test_an_auditor_reads_checks_and_does_nothing_else(town: Town) -> None:
    """With a certificate that only reads: the register verifies, and an entry that is changed is named."""
    town.run("auditor", "join", "-", typed=town.token("auditor", "ico"))
    assert "The register is what was written" in town.run("auditor", "register", "verify")
    heads = town.folder / "heads.json"
    town.run("auditor", "register", "heads", "--output", str(heads))
    assert "FS-303" in town.run("auditor", "datasets", code=4)
    with sqlite3.connect(town.folder / "coordinator" / "store.sqlite", timeout=20) as store:
        store.execute("DROP TRIGGER register_stays")
        ((document,),) = store.execute("SELECT document FROM register WHERE number = 2").fetchall()
        sold = document.replace(b"Waiting times", b"Selling times")
        store.execute("UPDATE register SET document = ? WHERE number = 2", (sold,))
        store.commit()
        try:
            words = ("register", "verify", "--against", str(heads))
            assert "Entry 2 was changed" in town.run("auditor", *words, code=8)
            found = json.loads(town.run("auditor", *words, "--format", "json", code=8).split("FS-705")[0])
            assert not found["sound"]
            town.run("reader", "join", "-", typed=town.token("auditor", "press"))
            assert "heads.json" in town.run("reader", *words, code=8)
            home = ("--home", str(town.folder / "coordinator"))
            examined = town.run("host", "coordinator", "doctor", "--offline", *home, code=1)
            assert "Entry 2 was changed" in " ".join(examined.split())
        finally:
            store.execute("UPDATE register SET document = ? WHERE number = 2", (document,))
    assert "The register is what was written" in town.run("auditor", "register", "verify")


def test_made_up_rows_come_from_the_definition(town: Town) -> None:
    """A data set to try code on, with every column, and nothing real in it."""
    out = town.folder / "dummy.csv"
    town.run("analyst", "datasets", "rtt", "--dummy", "50", "--output", str(out))
    lines = out.read_text().splitlines()
    assert lines[0] == "department,nhs_number,age,cost,sex,started,urgent,postcode_area"
    assert len(lines) == 51


def test_mistakes_end_with_their_exit_codes(town: Town) -> None:
    """Language, refusal, unknown names and jobs: each says what to do, and ends with its family's code."""
    for code, words in (
        (5, ("query", "SELECT age FROM rtt", "--epsilon", "1")),
        (3, ("query", COUNT, "--epsilon", "3")),
        (2, ("query", COUNT, "--epsilon", "much")),
        (5, ("query", COUNT, "--epsilon", "1", "--purpose", "fun")),
        (2, ("query", COUNT, "--epsilon", "1", "--format", "parquet")),
        (2, ("resume", "ffff")),
        (5, ("use", "RTT-1999")),
        (5, ("agreement", "show", "RTT-1999")),
    ):
        assert "FS-" in town.run("analyst", *words, code=code)


def test_a_certificate_renews_itself_before_it_ends(town: Town) -> None:
    """With a third of its time left, connecting brings a new certificate for the same key."""
    home = AnalystHome.at(town.folder / "analyst")
    before = read_certificate(home.certificate_file)
    open_channel(home, now=time.time).close()
    assert read_certificate(home.certificate_file) == before
    later = time.time() + 61 * 86_400
    with open_channel(home, now=lambda: later) as channel:
        channel.call(CATALOGUE, analysts_pb2.CatalogueRequest())
    renewed = read_certificate(home.certificate_file)
    assert renewed != before
    check_issued(renewed, read_certificate(home.authority_file), read_tls_key(home.tls_key_file))


def test_a_revoked_analyst_cannot_ask(town: Town) -> None:
    """The controller takes the appointment back by fingerprint; the next question stops before it is sent."""
    town.run("analyst2", "join", town.token("analyst", "b.jones"))
    line = town.run("analyst2", "join").split("\n  ")[1].split("\n")[0]
    town.run("south", *line.split()[1:])
    town.run("analyst2", "use", "RTT-2026", "--trust")
    fingerprint = PublicKey(bytes.fromhex(line.split()[-1])).fingerprint
    town.run("south", "controller", "revoke", fingerprint, "--reason", "left")
    printed = town.run("analyst2", "query", COUNT, "--epsilon", "1", code=3)
    assert "revoked by south" in printed


def test_the_next_version_is_made_shown_and_compared(town: Town) -> None:
    """From a published agreement back to a file; who signs or accepts the next sees what it widens."""
    again = town.folder / "again.toml"
    town.run("south", "agreement", "show", "RTT-2026@1", "--toml", "--output", str(again))
    compared = town.run("south", "agreement", "diff", "RTT-2026@1", str(again))
    assert "version 1 says the same as version 1" in compared
    file = town.folder / "next.toml"
    town.run("north", "agreement", "new", "--from", "RTT-2026@1", "--output", str(file))
    file.write_text(
        file.read_text().replace("version = 2 ", "version = 3 ").replace("nodes_min = 2", "nodes_min = 1")
    )
    (widened,) = json.loads(
        town.run("north", "agreement", "diff", "RTT-2026@1", str(file), "--format", "json")
    )[:1]
    assert (widened["term"], widened["effect"]) == ("nodes_min", "widens")
    printed = town.run("north", "agreement", "sign", str(file), "--yes")
    assert re.search(r"What changes against version [124], which you signed before\nwidens ", printed)
    assert "Spending is inherited" in printed
    accepting = ("agreement", "accept", "RTT-2026", "--version", "3", "--home", str(town.node("north").path))
    printed = town.run("north", *accepting, typed="n\n")
    assert re.search(r"against version 1, which was accepted here\nwidens .*nodes_min", printed)
    assert "Of the budget of version 3, 100 % is left here." in printed
    assert "Nothing was accepted." in printed


def say_decision(town: Town, department: str, digest: bytes, reason: Reason | None = None) -> None:
    """What a running node announces of its department's decision."""
    home = town.node(department)
    note = Acceptance(department, digest, reason is not None, int(time.time()), reason)
    signed = Signed.make(Context.ACCEPTANCE, codec.encode_acceptance(note), home.read_node_key())
    connection = Connection(home, now=time.time)
    connection.call(PUBLISH, agreements_pb2.PublishRequest(acceptance=codec.signed_to(signed)))
    connection.close()


def test_where_an_agreement_stands_is_a_table(town: Town) -> None:
    """Who signed when, as the register says, where it is in force since when, and who left and why."""
    words = ("agreement", "status", "RTT-2026@1")
    digest = bytes.fromhex(json.loads(town.run("west", *words, "--format", "json"))["sha256"])
    say_decision(town, "north", digest)
    say_decision(town, "west", digest, Reason.LEGAL)
    shown, day = town.run("south", *words), r"20\d\d-\d\d-\d\d"
    assert re.search(rf"north .* {day} .* {day} .* in force since {day}", shown), shown
    assert re.search(rf"south .* {day} .* - .* to accept", shown), shown
    assert re.search(rf"west .* {day} .* - .* withdrawn on {day} \(legal\)", shown), shown
    assert "it ends in 30 days." in shown
    found = json.loads(town.run("west", *words, "--format", "json"))
    assert found["in_force_at"] == ["north"]
    assert [entry["stage"] for entry in found["departments"]] == ["in force", "to accept", "withdrawn"]
    assert all(entry["signed_at"] for entry in found["departments"])
    assert found["sha256"][:12] in town.run("south", "agreement", "list")


def test_several_texts_of_a_version_are_told_apart(town: Town) -> None:
    """Who signs by ID is asked which text is meant, or gets the one that a trusted controller signed."""
    texts = {}
    for department, title in (("north", "Waiting times, next"), ("west", "Something else")):
        file = town.folder / f"{department}-2.toml"
        text = (town.folder / "agreement.toml").read_text()
        file.write_text(text.replace("version = 1", "version = 4").replace("Waiting times", title))
        printed = town.run(department, "agreement", "sign", str(file), "--yes")
        (texts[department],) = re.findall("SHA-256 of the text: ([0-9a-f]{64})", printed)
    refused = town.run("south", "agreement", "sign", "RTT-2026", "--yes", code=6)
    assert all(text[:12] in refused for text in texts.values())
    chosen = town.run(
        "south", "agreement", "sign", "RTT-2026", "--hash", texts["west"][:6], code=1, typed="n\n"
    )
    assert "Something else" in chosen
    assert "not signed with any key that is trusted here" in town.run("south", "agreement", "list")
    fingerprint = town.run("north", "controller", "fingerprint").splitlines()[1].strip()
    town.run("south", "controller", "trust", "north", fingerprint)
    shown = town.run("south", "agreement", "show", "RTT-2026")
    assert shown.startswith("Waiting times, next")
    assert f"SHA-256 {texts['west'][:12]}: not signed with any key" in shown
    assert texts["north"] in town.run("south", "agreement", "sign", "RTT-2026", "--yes")

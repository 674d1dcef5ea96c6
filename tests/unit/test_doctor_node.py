"""The node's doctor without a network: each check finds exactly what is broken, and says how to mend it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from doctor_world import AGREEMENT, DAY_S, NOW, YEAR_S, examined, findings, found, healthy_home, join
from one_node import open_node, published
from samples import NOW_S

from fedstats.core.checks import Check, Health
from fedstats.core.reason import Reason
from fedstats.engines import engine_of
from fedstats.identity import computer
from fedstats.node.approval_terms import Decide, PolicyTerms
from fedstats.node.approvals import Question
from fedstats.node.home import Home
from fedstats.wire.v1 import agreements_pb2, nodes_pb2

PROBLEM, WARNING = Health.PROBLEM, Health.WARNING


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a healthy node, made once."""
    folder = tmp_path_factory.mktemp("healthy")
    healthy_home(folder)
    return folder


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """A healthy node of one's own, to break."""
    shutil.copytree(template, tmp_path / "own")
    return Home(tmp_path / "own" / "home")


def test_a_healthy_node_has_no_findings(home: Home) -> None:
    """Where nothing is broken every check is ok, and every subject of the promise is looked at."""
    told: list[str] = []
    checks = examined(home, tell=told.append)
    assert findings(checks) == {}
    assert {check.id for check in checks} == {
        "account",
        "private",
        "disk",
        "temporary-disk",
        "configuration",
        "memory",
        "certificate",
        "authority",
        "keys",
        "ledger",
        "log",
        "witness",
        "pause",
        "agreement",
        "source",
        "source-read-only",
        "codes",
        "lifetime",
        "opt-outs",
        "edition",
    }
    assert told == [f"reading all of {home.path / '../rtt.csv'}"]


def change_an_entry(home: Home) -> None:
    """Somebody changed what the log says."""
    with closing(sqlite3.connect(home.log)) as sqlite, sqlite:
        sqlite.execute("DROP TRIGGER entry_UPDATE")
        sqlite.execute("UPDATE entry SET at_s = at_s - 1 WHERE number = 2")


def unmap(home: Home) -> None:
    """The configuration has a key that nobody knows."""
    home.config.write_text("treads = 2\n" + home.config.read_text())


def rename_column(home: Home) -> None:
    """The source changed its columns."""
    rewrite(home, "nhs_number,age", "nhs_number,years")


def new_code(home: Home) -> None:
    """The source has a code that nothing maps."""
    rewrite(home, ",F,", ",U,")


def rewrite(home: Home, old: str, new: str) -> None:
    """Change the source's text."""
    source = home.path.parent / "rtt.csv"
    source.chmod(0o644)
    source.write_text(source.read_text().replace(old, new))
    source.chmod(0o444)


def empty(home: Home) -> None:
    """The source lost its rows."""
    source = home.path.parent / "rtt.csv"
    source.chmod(0o644)
    source.write_text(source.read_text().splitlines()[0] + "\n")
    source.chmod(0o444)


def uncap(home: Home) -> None:
    """No lifetime cap."""
    text = home.config.read_text()
    home.config.write_text(text[text.index("[[datasets]]") :])


def pause(home: Home) -> None:
    """Somebody paused the node."""
    with open_node(home) as node:
        node.policy.pause(Reason.MAINTENANCE, now_s=NOW_S)


def let_wait(home: Home) -> None:
    """A question waits for somebody here to decide."""
    question = Question(bytes(32), "RTT-2026", 1, "a.smith@north", NOW_S + 60, nodes_pb2.Task(id="task"))
    with open_node(home, policy=PolicyTerms(Decide.EACH)) as node:
        node.approvals.ask(question, now_s=NOW_S)


def corrupt_ledger(home: Home) -> None:
    """A total was changed by hand."""
    with sqlite3.connect(home.ledger) as sqlite:
        sqlite.execute("INSERT INTO total VALUES ('agreement', 'RTT-2026', '1/2', '0')")


def lose_witness(home: Home) -> None:
    """The disk of the second witness is not there."""
    home.config.write_text(home.config.read_text() + '[witness]\nfile = "/mnt/nowhere/fedstats.witness"\n')


def age_opt_outs(days: int) -> Callable[[Home], None]:
    """The opt-out list was written so many days ago."""

    def age(home: Home) -> None:
        os.utime(home.path.parent / "optout.txt", (NOW_S - days * DAY_S,) * 2)

    return age


def newer_opt_outs(home: Home) -> None:
    """The opt-out list names somebody whom the edition did not leave out."""
    (home.path.parent / "optout.txt").write_text("9000000001,\n")
    os.utime(home.path.parent / "optout.txt", (NOW_S, NOW_S))


def expired(days_left: int) -> Callable[[Home], None]:
    """The certificate ends in so many days."""

    def let_expire(home: Home) -> None:
        join(home, address="127.0.0.1:1", now=NOW - timedelta(days=90 - days_left))

    return let_expire


def forget_edition(home: Home) -> None:
    """Somebody deleted an edition's file."""
    for path in home.editions.rglob("*.duckdb"):
        path.unlink()


def withdraw(home: Home) -> None:
    """The department left its only agreement."""
    with open_node(home, engine=engine_of("duckdb")) as node:
        node.withdraw("RTT-2026")


BROKEN: list[tuple[Callable[[Home], object], str, Health, str, str]] = [
    (lambda home: home.path.chmod(0o755), "private home", PROBLEM, "open to other users", "chmod 700"),
    (lambda home: home.node_key.chmod(0o644), "private node.pem", PROBLEM, "node.pem", "chmod 600"),
    (lambda home: home.node_key.chmod(0o644), "keys", PROBLEM, "FS-102", "chmod 600"),
    (lambda home: home.edition_key.unlink(), "keys", PROBLEM, "edition.key", "fedstats error FS-102"),
    (unmap, "configuration", PROBLEM, "node.toml", "Correct the file"),
    (expired(-1), "certificate", PROBLEM, "expired", "fedstats node join -"),
    (expired(10), "certificate", WARNING, "expires at", "A running node renews it"),
    (expired(91), "certificate", PROBLEM, "counts from", "clock"),
    (lambda home: home.authority.unlink(), "authority", PROBLEM, "cannot be read", "FS-102"),
    (lambda home: home.ledger.unlink(), "ledger", PROBLEM, "FS-701", "recover --new"),
    (corrupt_ledger, "ledger", PROBLEM, "totals", "from a backup"),
    (change_an_entry, "log", PROBLEM, "FS-704 Entry 2 was changed", "fedstats audit verify --home"),
    (lose_witness, "witness", WARNING, "is missing", "Mount its disk"),
    (pause, "pause", WARNING, "maintenance", "fedstats node resume --home"),
    (let_wait, "approvals", WARNING, "1 question waits", "fedstats node approvals list --home"),
    (withdraw, "agreements", PROBLEM, "none is in force", "fedstats agreement accept ID --home"),
    (lambda home: (home.path.parent / "rtt.csv").unlink(), "source rtt", PROBLEM, "FS-601", "path"),
    (rename_column, "source rtt", PROBLEM, "FS-602", "FS-602"),
    (
        lambda home: (home.path.parent / "rtt.csv").chmod(0o644),
        "source-read-only rtt",
        WARNING,
        "write",
        "a-w",
    ),
    (new_code, "codes rtt", WARNING, "sex has codes that nothing maps", "node datasets --count --home"),
    (empty, "codes rtt", WARNING, "no rows", "what writes it"),
    (uncap, "lifetime rtt", PROBLEM, "no lifetime cap for nhs_number", "[lifetime.nhs_number]"),
    (age_opt_outs(400), "opt-outs rtt", PROBLEM, "is older than", "Fetch the present list"),
    (age_opt_outs(29), "opt-outs rtt", WARNING, "29 days old", "Fetch the present list soon"),
    (lambda home: (home.path.parent / "optout.txt").unlink(), "opt-outs rtt", PROBLEM, "FS-604", "FS-604"),
    (newer_opt_outs, "edition rtt 2025-09", PROBLEM, "changed after this edition", "--revise --home"),
    (forget_edition, "edition rtt 2025-09", PROBLEM, "is missing", "--edition 2025-09 --revise --home"),
]


@pytest.mark.parametrize(
    "broken,where,health,words,fix", BROKEN, ids=[f"{row[1]} {row[3]}" for row in BROKEN]
)
def test_each_check_finds_what_it_is_for(  # a row of the table
    home: Home, broken: Callable[[Home], object], where: str, health: Health, words: str, fix: str
) -> None:
    """What is broken is found by the check of its name, with a sentence and a way to mend it."""
    broken(home)
    checks = examined(home)
    said = {f"{check.id} {check.subject}".rstrip(): check for check in checks}
    assert (said[where].health, words in said[where].found) == (health, True), said[where]
    assert fix in said[where].fix, said[where]
    assert all(check.fix for check in checks if check.health is not Health.OK)


def test_no_edition_and_one_that_is_due(home: Home) -> None:
    """Without an edition nothing is answered; a month of the schedule that has long ended is asked for."""
    schedule = ("2025-09", "2026-04", "2026-05", "2099-01")
    datasets = tuple(replace(dataset, editions=schedule) for dataset in AGREEMENT.datasets)
    monthly = replace(AGREEMENT, version=2, datasets=datasets)
    with open_node(home, engine=engine_of("duckdb")) as node:
        node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[published(monthly)]))
        node.agreements.accept(monthly.id, 2, lambda _: True, now_s=NOW_S)
    check = found(examined(home), "edition")
    assert (check.health, check.found) == (WARNING, "2026-04 of the schedule is not here")
    assert "--edition 2026-04" in check.fix
    with open_node(home, engine=engine_of("duckdb")) as node:
        node.editions.delete("RTT-2026", now_s=NOW_S)
    assert found(examined(home), "edition").health is PROBLEM


def test_a_version_that_was_replaced_is_no_finding(home: Home) -> None:
    """Once a newer version is in force the old one is history; one that waits is a warning."""
    newer = replace(AGREEMENT, version=2)
    with open_node(home) as node:
        node.agreements.learn(
            agreements_pb2.AuthorityReply(agreements=[published(AGREEMENT), published(newer)])
        )
    waiting = found(examined(home), "agreement")
    assert (waiting.health, waiting.found) == (WARNING, "version 2: proposed")
    assert waiting.fix == f"fedstats agreement accept RTT-2026 --home {home.path}"
    with open_node(home) as node:
        node.agreements.accept("RTT-2026", 2, lambda _: True, now_s=NOW_S)
    assert findings(examined(home)) == {}


def test_a_duckdb_source_is_examined_too(home: Home) -> None:
    """A database file is read as it is, and being writable is noticed as for files."""
    database = home.path.parent / "rtt.duckdb"
    with duckdb.connect(str(database)) as sql:
        sql.read_csv(str(home.path.parent / "rtt.csv"), all_varchar=True).create("data")
    text = home.config.read_text()
    table = 'kind = "duckdb", path = "../rtt.duckdb", table = "main.data"'
    home.config.write_text(text.replace('kind = "csv", path = "../rtt.csv"', table))
    assert findings(examined(home)) == {"source-read-only rtt": WARNING}
    database.chmod(0o444)
    assert findings(examined(home)) == {}


def test_no_finding_shows_a_value_of_the_data(home: Home) -> None:
    """Codes and identifiers of the source stay out, also where they are what is wrong."""
    new_code(home)
    printed = " ".join(f"{check.found} {check.fix}" for check in examined(home))
    assert "'U'" not in printed
    assert "9000000001" not in printed


@pytest.mark.parametrize(
    "wanted_mb,present_mb,health", [(512, 25_000, Health.OK), (900, 1_000, WARNING), (2_000, 1_000, PROBLEM)]
)
def test_memory_is_compared_with_the_machine(wanted_mb: int, present_mb: int, health: Health) -> None:
    """What computations may use together must be there, with something left for others."""
    (check,) = computer.memory(wanted_mb, present_mb)
    assert (check.health, bool(check.fix)) == (health, health is not Health.OK)


def test_whose_folder_it_is(tmp_path: Path) -> None:
    """Somebody else's account is told whose it must be; a home of root is warned of."""
    owner = tmp_path.stat().st_uid
    (stranger,) = computer.account(tmp_path, user=owner + 1)
    assert (stranger.health, f"#{owner}" in stranger.fix) == (PROBLEM, True)
    (own,) = computer.account(tmp_path, user=owner)
    assert own.health is (WARNING if owner == 0 else Health.OK)


def test_a_full_disk_is_a_problem(tmp_path: Path) -> None:
    """Free space is judged against what is needed, where a folder that is yet to be made will be."""
    (enough,) = computer.disk("disk", tmp_path / "not" / "yet", bytes_low=1)
    assert enough.health is Health.OK
    (closed,) = computer.disk("disk", tmp_path, allowed=lambda _path, mode: mode != os.W_OK)
    assert (closed.health, closed.found) == (PROBLEM, f"{tmp_path} cannot be written to.")
    assert f"findmnt -T {tmp_path}" in closed.fix
    (low,) = computer.disk("disk", tmp_path, bytes_low=2**62)
    assert (low.health, "df -h" in low.fix) == (WARNING, True)


def test_the_authoritys_end_is_seen_half_a_year_before(home: Home) -> None:
    """When the federation's authority ends, everybody must join anew: that needs time."""
    checks: list[Check] = examined(home, now=lambda: NOW_S + 10 * 365 * DAY_S - 100 * DAY_S)
    assert found(checks, "authority").health is WARNING
    assert found(examined(home, now=lambda: NOW_S + 11 * YEAR_S), "authority").health is PROBLEM

"""`fedstats coordinator` and `fedstats register` as typed: what they print and refuse, how they end."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from coordinator_world import HOLDING, NODES, ready_world, release, submission
from samples import NOW_S, seed_key

from fedstats.cli import main
from fedstats.coordinator.config import Config, config_of
from fedstats.coordinator.home import Home
from fedstats.identity.peer import Role
from fedstats.identity.token import Token


def typed(*arguments: str | Path) -> Result:
    """What a command prints and how it ends."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A coordinator's folder, made as a person makes it."""
    folder = tmp_path / "coordinator"
    made = typed("coordinator", "init", "--home", folder, "--host", "stats.example.gov.uk")
    assert made.exit_code == 0, made.output
    return folder


def test_init_says_what_was_made_and_what_to_type_next(tmp_path: Path) -> None:
    """The authority's fingerprint, where the settings are, and the two commands that follow."""
    made = typed("coordinator", "init", "--home", tmp_path / "c", "--host", "stats.example.gov.uk:443")
    for said in ("Authority: SHA-256 ", "coordinator.toml", "fedstats coordinator run --home", "invite node"):
        assert said in made.output
    again = typed("coordinator", "init", "--home", tmp_path / "c", "--host", "stats.example.gov.uk:443")
    assert again.exit_code == 2
    assert "FS-105" in again.output


@pytest.mark.parametrize(
    "host, address, listen",
    [
        ("stats.example.gov.uk", "stats.example.gov.uk:8443", "[::]:8443"),
        ("stats.example.gov.uk:443", "stats.example.gov.uk:443", "[::]:443"),
        ("localhost:18443", "localhost:18443", "127.0.0.1:18443"),
        ("127.0.0.1", "127.0.0.1:8443", "127.0.0.1:8443"),
        ("[2001:db8::1]", "[2001:db8::1]:8443", "[::]:8443"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443", "[::]:443"),
    ],
)
def test_a_host_may_be_written_with_or_without_its_port(
    tmp_path: Path, host: str, address: str, listen: str
) -> None:
    """The port is 8443 unless said, and a coordinator for this machine listens on loopback only."""
    assert typed("coordinator", "init", "--home", tmp_path / "c", "--host", host).exit_code == 0
    config = Home(tmp_path / "c").config()
    assert (config.address, config.listen) == (address, listen)


@pytest.mark.parametrize("host", ["2001:db8::1", "a b", "stats.example:0", ""])
def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    """A wrong host makes nothing."""
    refused = typed("coordinator", "init", "--home", tmp_path / "c", "--host", host)
    assert refused.exit_code == 2
    assert not (tmp_path / "c").exists()


def test_invite_prints_the_token_and_nothing_else(folder: Path) -> None:
    """Standard output holds the token alone, so that scripts can take it; the explanation goes beside it."""
    invited = typed("coordinator", "invite", "analyst", "a.smith", "--days", "2", "--home", folder)
    token = Token.parse(invited.stdout)
    assert invited.stdout == token.text() + "\n"
    assert (token.role, token.name, token.address) == (
        Role.ANALYST,
        "a.smith",
        "stats.example.gov.uk:8443",
    )
    assert "fedstats join -" in invited.stderr
    assert "a.smith" in typed("coordinator", "analysts", "--home", folder).output
    assert "a.smith" not in typed("coordinator", "nodes", "--home", folder).output


@pytest.mark.parametrize("role, name", [("node", "Guy's"), ("analyst", "A Smith"), ("controller", "")])
def test_a_name_that_is_none_gets_no_token(folder: Path, role: str, name: str) -> None:
    """Names become file names and log lines, so they follow the rules of their role."""
    refused = typed("coordinator", "invite", role, name, "--home", folder)
    assert refused.exit_code == 2
    assert refused.stdout == ""


def test_a_removed_member_is_gone(folder: Path) -> None:
    """Its name is no longer listed, an unused token neither, and a name that never was is told apart."""
    typed("coordinator", "invite", "analyst", "a.smith", "--home", folder)
    store = Home(folder).store()
    ready_world(store)
    store.close()
    for role, name in (("node", "north"), ("analyst", "a.smith")):
        removed = typed("coordinator", "remove", role, name, "--home", folder)
        assert (removed.exit_code, name in removed.output) == (0, True)
    assert "north" not in typed("coordinator", "nodes", "--home", folder).output
    assert "a.smith" not in typed("coordinator", "analysts", "--home", folder).output
    again = typed("coordinator", "remove", "node", "north", "--home", folder)
    assert again.exit_code == 4
    assert "has joined or was invited" in again.output


def test_rebind_forgets_a_controllers_key(folder: Path) -> None:
    """The old key is named, the register says it, and a department without a bound key is told apart."""
    store = Home(folder).store()
    ready_world(store)
    store.close()
    done = typed("coordinator", "rebind", "north", "--home", folder)
    assert seed_key("controller north").public.fingerprint in done.output
    assert "serves no longer" in typed("register", "list", "--home", folder).output
    assert typed("coordinator", "rebind", "north", "--home", folder).exit_code == 4


def test_nodes_shows_who_joined(folder: Path) -> None:
    """Each department with what it said of itself; holdings as dataset and edition."""
    store = Home(folder).store()
    world = ready_world(store)
    world.lease("north", holdings=[HOLDING], software="fedstats 0.1")
    store.close()
    shown = typed("coordinator", "nodes", "--home", folder).output
    for said in (*NODES, "rtt 2025-09", "fedstats 0.1", "2026-06-01", "never"):
        assert said in shown


def test_config_prints_settings_that_can_be_read_again(folder: Path) -> None:
    """The example and the settings in force are both valid files."""
    example = typed("coordinator", "config", "--example").stdout
    assert config_of(tomllib.loads(example)) == Config()
    printed = typed("coordinator", "config", "--home", folder).stdout
    assert config_of(tomllib.loads(printed)) == Home(folder).config()


def test_the_example_in_the_kit_is_fresh() -> None:
    """coordinator.example.toml is what the command prints."""
    kit = Path(__file__).resolve().parents[2] / "coordinator" / "coordinator.example.toml"
    assert kit.read_text() == typed("coordinator", "config", "--example").stdout


def test_doctor_ends_with_1_when_something_is_wrong(folder: Path) -> None:
    """Each check has its line; the machine-readable form says the same."""
    told = typed("coordinator", "doctor", "--home", folder)
    assert told.exit_code == 1
    assert "ok       store: " in told.output
    assert "problem  running: " in told.output
    checks = json.loads(typed("coordinator", "doctor", "--format", "json", "--home", folder).stdout)
    assert [check["id"] for check in checks if check["health"] == "problem"] == ["running"]


@pytest.mark.parametrize("command", ["nodes", "analysts", "config", "run"])
def test_a_folder_without_a_coordinator_says_what_to_type(tmp_path: Path, command: str) -> None:
    """Whoever has the wrong folder, or has not begun, learns how to begin."""
    told = typed("coordinator", command, "--home", tmp_path)
    assert told.exit_code == 2
    assert "fedstats coordinator init" in told.output


@pytest.fixture
def asked(folder: Path) -> Path:
    """A coordinator's folder with a question in its register."""
    store = Home(folder).store()
    world = ready_world(store)
    world.submit(submission())
    for department in NODES:
        task = world.lease(department)
        assert task is not None
        world.report(department, task=task.id, release=release(task, department))
    store.close()
    return folder


def test_the_register_is_listed_and_shown(asked: Path) -> None:
    """One line for each entry, and one entry whole."""
    listed = typed("register", "list", "--home", asked).output
    assert "a.smith of north asked" in listed
    assert "answered by north, south, west" in listed
    assert "a.smith of north asked" not in typed("register", "list", "--after", "8", "--home", asked).output
    shown = typed("register", "show", "8", "--home", asked).output
    assert '"question": "SELECT sex, AVG(age) FROM rtt GROUP BY sex"' in shown
    missing = typed("register", "show", "99", "--home", asked)
    assert missing.exit_code == 4
    assert "no entry 99" in missing.output


def test_the_register_is_exported_as_page_and_json(asked: Path, tmp_path: Path) -> None:
    """Both files at once; without either, a sentence."""
    page, listing = tmp_path / "register.html", tmp_path / "register.json"
    done = typed("register", "export", "--html", page, "--json", listing, "--home", asked)
    assert done.exit_code == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert len(json.loads(listing.read_text())) == 9
    assert typed("register", "export", "--home", asked).exit_code == 2


def test_reading_over_the_connection_needs_one(tmp_path: Path) -> None:
    """A home that has not joined says so."""
    told = typed("register", "list", "--home", tmp_path)
    assert told.exit_code == 2
    assert "FS-103" in told.output


def test_times_are_those_of_the_entries(asked: Path) -> None:
    """An exported time is the time of the entry in UTC."""
    store = Home(asked).store()
    assert {entry.at_s for entry in store.register.entries()} == {NOW_S}
    store.close()
    assert "2026-06-01 08:00:00 UTC" in typed("register", "list", "--home", asked).output

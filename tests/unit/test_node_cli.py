"""The commands of `fedstats node`, on a real edition: what they show, and what they never show."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from doctor_world import join
from one_node import Analyst, make_home, open_node, published, refusal_of
from samples import sample_agreement, seed_key

from fedstats.cli import main
from fedstats.core.agreement import OptOutTerms
from fedstats.engines import engine_of
from fedstats.node.config import read_config
from fedstats.node.home import Home
from fedstats.wire.v1 import agreements_pb2

SQL = "SELECT sex, COUNT(*), AVG(age) FROM rtt WHERE age < 65 GROUP BY sex"
PEOPLE = 3_000
AGREEMENT = sample_agreement(  # commands go by the real date
    starts_on=date(2020, 1, 1),
    review_on=date(2026, 1, 1),
    ends_on=date(2099, 1, 1),
    opt_out=OptOutTerms(applies=True, list_age_days_max=3_660),
)


def write_source(path: Path, sex_column: str = "Gender") -> None:
    """A file as a department's own system writes it: its own names, codes and dates, and some dirt."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["NHS_NO", "AgeYears", "COST", sex_column, "StartDate", "urgent", "PostcodeArea"])
        for i in range(PEOPLE):
            sex = ("Female", "Male", "u")[0 if i % 3 else 1 if i % 50 else 2]
            rows.writerow([f"9{i:09d}", 20 + i % 60, "12.25", sex, "25/03/2025", "true", "LS"])


def fedstats(*arguments: str | Path, given: str = "") -> Result:
    """Type a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=given)


def done(*arguments: str | Path, given: str = "") -> str:
    """What a command prints; it succeeds."""
    result = fedstats(*arguments, given=given)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def sat_down(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home after one sitting of `fedstats node init`, and what it printed."""
    folder = tmp_path_factory.mktemp("north")
    write_source(folder / "export.csv")
    (folder / "optout.txt").write_text("9000000001,\n")
    home = Home(folder / "home")
    home.create("north", key=seed_key("node north"))
    home.certificate.write_text("joined")
    with open_node(home) as node:
        node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[published(AGREEMENT)]))
    answers: Sequence[str] = (
        "n",  # the controller's key is elsewhere
        "y",  # the keys were compared
        "y",  # accept
        str(folder / "exprot.csv"),  # mistyped: asked again
        str(folder / "export.csv"),
        "",  # the person column, as suggested
        "no_such_column",
        "",  # age, as suggested
        "",  # cost
        "Gender",
        "",  # started
        "",  # urgent
        "",  # postcode_area
        str(folder / "no-such-file.txt"),  # asked again
        str(folder / "optout.txt"),
        "",  # Female
        "",  # Male
        "-",  # u means missing
        "",  # dates like 25/03/2025
        "much",  # asked again
        "12.5",  # the lifetime cap
        "2025-13",  # asked again
        "2025-10",
    )
    return home, done("node", "init", "--home", home.path, given="".join(f"{text}\n" for text in answers))


@pytest.fixture
def home(sat_down: tuple[Home, str]) -> Home:
    """The home after that sitting."""
    return sat_down[0]


def test_one_sitting_leads_to_the_first_edition(sat_down: tuple[Home, str]) -> None:
    """A person who answers the questions ends with a configuration that is right and an edition."""
    home, printed = sat_down
    config = read_config(home.config)
    mapping = config.mapping("rtt")
    assert mapping.person == "NHS_NO"
    assert {m.column: m.local for m in mapping.columns} == {
        "age": ("AgeYears",),
        "cost": ("COST",),
        "sex": ("Gender",),
        "started": ("StartDate",),
        "postcode_area": ("PostcodeArea",),
    }
    assert mapping.column("sex").codes == {"Female": "F", "Male": "M"}
    assert mapping.column("sex").missing == ("u",)
    assert mapping.column("started").date_formats == ("%Y-%m-%d", "%d/%m/%Y")
    assert "'no_such_column' is none of the source's columns" in printed
    assert "fedstats controller appoint node north --key" in printed
    assert "Made edition 2025-10 of rtt under RTT-2026." in printed
    with open_node(home) as node:
        assert node.agreements.in_force("RTT-2026", 1) == AGREEMENT
        assert [edition.name for edition in node.editions.all()] == ["2025-10"]


def test_what_is_mistyped_is_asked_again(sat_down: tuple[Home, str]) -> None:
    """A wrong path, list, number or edition ends no sitting; nothing of a finished one is left beside it."""
    home, printed = sat_down
    for words in ("There is no file", "no-such-file.txt", "'much'", "'2025-13' is none of them"):
        assert words in printed
    assert not (home.path / "init.draft.json").exists()


def test_a_sitting_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """What was answered before a power cut or Ctrl-C is offered again, and is nobody else's to read."""
    write_source(tmp_path / "export.csv")
    home = Home(tmp_path / "home")
    home.create("north")
    home.certificate.write_text("joined")
    with open_node(home) as node:
        node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[published(AGREEMENT)]))
    first = ["n", "y", "y", str(tmp_path / "export.csv"), "", "", "", "Gender"]  # and then nothing more
    typed = ("node", "init", "--home", str(home.path))
    assert fedstats(*typed, given="".join(f"{text}\n" for text in first)).exit_code != 0
    draft = home.path / "init.draft.json"
    assert draft.stat().st_mode & 0o077 == 0
    (tmp_path / "optout.txt").write_text("")
    rest = ["y", "n", "", "", "", str(tmp_path / "optout.txt"), "", "", "-", "", "20", "2025-10"]
    printed = done(*typed, given="".join(f"{text}\n" for text in rest))
    assert "An earlier sitting was broken off here" in printed
    assert "(F, M): Gender (as before)" in printed
    assert read_config(home.config).mapping("rtt").column("sex").codes == {"Female": "F", "Male": "M"}
    assert not draft.exists()


def test_a_second_sitting_repeats_nothing(home: Home) -> None:
    """Typed again, init finds every step done."""
    printed = done("node", "init", "--home", home.path, "--yes")
    for words in ("joined already", "was accepted", "is used as it is", "is here already"):
        assert words in printed


def test_a_sitting_without_a_person_takes_guesses(tmp_path: Path) -> None:
    """With --yes nothing is asked: what was typed and what looks alike is taken, and a gap is an error."""
    write_source(tmp_path / "export.csv", "SexCode")
    (tmp_path / "optout.txt").write_text("")
    home = Home(tmp_path / "home")
    home.create("north")
    home.certificate.write_text("joined")
    with open_node(home) as node:
        node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[published(AGREEMENT)]))
    typed = ["node", "init", "--yes", "--trust", "--home", str(home.path)]
    missing = fedstats(*typed)
    assert missing.exit_code == 7
    assert "--source PATH" in missing.output
    done(*typed, "--source", tmp_path / "export.csv", "--opt-outs", tmp_path / "optout.txt")
    assert read_config(home.config).mapping("rtt").column("sex").codes == {"Female": "F", "Male": "M"}


def test_explain_shows_the_sql_and_hides_the_key(home: Home) -> None:
    """A database administrator reads one statement; the secret key is not in it."""
    printed = done("node", "explain", SQL, "--home", home.path)
    assert "GROUP BY" in printed
    assert home.read_edition_key().hex() not in printed


def test_try_shows_noisy_numbers_and_spends_nothing(home: Home) -> None:
    """A trial looks like an answer, differs from trial to trial, says that it is one, and leaves no trace."""
    typed = ("node", "try", SQL, "--home", str(home.path), "--epsilon", "0.01")
    printed = [done(*typed) for _ in range(2)]
    assert printed[0] != printed[1]
    assert all("TRIAL" in text and "nothing spent" in text for text in printed)
    with open_node(home) as node:
        assert node.ledger.entries() == ()


def test_try_refuses_what_an_analyst_could_not_ask(home: Home) -> None:
    """The same language, with the same sentences and exit code."""
    result = fedstats("node", "try", "SELECT nhs_number FROM rtt", "--home", home.path)
    assert result.exit_code == 5
    assert "FS-402" in result.output


def test_datasets_shows_definition_and_origin(home: Home) -> None:
    """IT sees each shared column with its values, and the local column that it comes from."""
    printed = done("node", "datasets", "--home", home.path)
    assert "agreement RTT-2026 version 1: accepted and signed by all" in printed
    assert "from Gender, 2 codes" in printed
    assert "editions  2025-10 (schedule: 2025-09, 2025-10)" in printed
    counted = done("node", "datasets", "--home", home.path, "--count")
    assert f"{PEOPLE:,} rows" in counted
    assert "for your department only" in counted


def test_refresh_makes_revisions_on_request(tmp_path: Path) -> None:
    """A second refresh of one edition is refused with what to type for a revision."""
    home = own_home(tmp_path)
    typed = ("node", "refresh", "--home", str(home.path), "--edition", "2025-10")
    assert "Made edition 2025-10 of rtt" in done(*typed)
    again = fedstats(*typed)
    assert again.exit_code == 7
    assert "--revise" in again.output
    assert "Made edition 2025-10.2 of rtt" in done(*typed, "--revise")
    unknown = fedstats(*typed[:-1], "2031-01")
    assert (unknown.exit_code, "FS-208" in unknown.output) == (3, True)


def own_home(folder: Path) -> Home:
    """A home with a configuration, and the edition 2025-09."""
    (folder / "rtt.csv").write_text(
        "nhs_number,age,cost,sex,started,urgent,postcode_area\n"
        + "".join(f"9{i:09d},{i % 100},12.25,{'FM'[i % 2]},2025-03-01,true,LS\n" for i in range(400))
    )
    home = make_home(folder, AGREEMENT, engine=engine_of("duckdb"))
    home_toml = '[lifetime.nhs_number]\nepsilon = "20"\ndelta = "0.00001"\n[[datasets]]\ndataset = "rtt"\n'
    source = f'person = "nhs_number"\nopt_out_list = "{folder}/optout.txt"\n'
    home.config.write_text(f'{home_toml}{source}[datasets.source]\nkind = "csv"\npath = "{folder}/rtt.csv"\n')
    return home


def test_the_ledger_is_shown_whole(tmp_path: Path) -> None:
    """Budgets, what was spent of them, and every charge: for people, and exactly for programs."""
    home = own_home(tmp_path)
    with open_node(home, engine=engine_of("duckdb")) as node:
        node.runner.run(Analyst().task())
    printed = done("node", "ledger", "--home", home.path)
    assert re.search(r"agreement RTT-2026: 0\.\d+ % used, 99 % left", printed)
    assert "lifetime nhs_number" in printed
    assert "a.smith@north for waiting: rtt 2025-09" in printed
    document = json.loads(done("node", "ledger", "--home", home.path, "--format", "json"))
    assert document["entries"][0]["loss"]["rho"] == "1/1024"
    assert {cap["name"]: cap["spent"]["rho"] for cap in document["caps"]} == {
        "RTT-2026": "1/1024",
        "nhs_number": "1/1024",
    }


def test_a_node_says_what_it_promised_in_all_its_answers(tmp_path: Path) -> None:
    """Per agreement and over all of them, from its own ledger alone; half of each charge is its own."""
    home = own_home(tmp_path)
    nothing = done("node", "guarantee", "--home", home.path)
    assert "for persons of nhs_number: 0 charges, 0 % of the budget used" in nothing
    with open_node(home, engine=engine_of("duckdb")) as node:
        node.runner.run(Analyst().task())
        (entry,) = node.ledger.entries()
    printed = done("node", "guarantee", "--home", home.path)
    assert "Over all agreements, for persons of nhs_number: 1 charge" in printed
    report = json.loads(done("node", "guarantee", "--home", home.path, "--format", "json"))
    (over_all,), (under,) = report["across_agreements"], report["agreements"]
    assert over_all["spent"]["rho_exact"] == under["spent"]["rho_exact"] == "1/1024"
    assert over_all["here_alone"]["rho_exact"] == "1/2048"
    assert Fraction(over_all["spent"]["epsilon"]) > Fraction(over_all["here_alone"]["epsilon"])
    query = entry.query.hex()
    assert "what this department revealed alone: epsilon" in done(
        "node", "guarantee", query[:8], "--home", home.path
    )
    one = json.loads(done("node", "guarantee", query, "--home", home.path, "--format", "json"))
    assert [charge["federation"]["rho_exact"] for charge in one["rounds"]] == ["1/1024"]
    assert [limit["name"] for limit in one["with_all_else"]] == ["RTT-2026", "nhs_number"]
    unknown = fedstats("node", "guarantee", "0" * 8, "--home", home.path)
    assert (unknown.exit_code, "charged nothing" in unknown.output) == (2, True)


def test_pause_resume_and_withdraw_count_at_once(tmp_path: Path) -> None:
    """What is typed beside a running node decides its next answer."""
    home = own_home(tmp_path)
    with open_node(home, engine=engine_of("duckdb")) as running:
        done("node", "pause", "--reason", "governance", "--home", home.path)
        assert refusal_of(running.runner.run(Analyst().task())).sentence.endswith("(governance).")
        done("node", "resume", "--home", home.path)
        assert running.runner.run(Analyst().task()).HasField("release")
        assert fedstats("node", "withdraw", "RTT-2026", "--home", home.path, given="n\n").exit_code == 1
        done("node", "withdraw", "RTT-2026", "--home", home.path, given="y\n")
        assert refusal_of(running.runner.run(Analyst().task())).code == "FS-202"
    assert not list(home.editions.rglob("*.duckdb"))


def test_doctor_finds_what_is_wrong_and_says_how_to_mend_it(tmp_path: Path) -> None:
    """A node with a missing source, an old opt-out list and no connection: for people, and for programs."""
    home = own_home(tmp_path)
    (tmp_path / "rtt.csv").unlink()
    os.utime(tmp_path / "optout.txt", (1, 1))
    result = fedstats("node", "doctor", "--home", home.path, "--format", "json")
    assert result.exit_code == 1
    checks = json.loads(result.output)
    assert {tuple(check) for check in checks} == {("id", "subject", "health", "found", "fix")}
    found = {check["id"]: check for check in checks}
    assert found["configuration"]["health"] == found["ledger"]["health"] == "ok"
    for name, cure in (
        ("certificate", ""),
        ("coordinator", "fedstats node join -"),
        ("source", ""),
        ("opt-outs", "Fetch the present list"),
    ):
        assert found[name]["health"] == "problem", name
        assert cure in found[name]["fix"]
    assert found["source"]["subject"] == "rtt"
    plain = fedstats("node", "doctor", "--offline", "--home", home.path).output
    assert "problem  source rtt: FS-601" in plain
    assert "\n         fix: Fetch the present list" in plain
    assert "coordinator" not in plain
    assert re.search(r"\d+ checks: \d problems, \d warnings?\.\n$", plain)


def test_doctor_ends_with_0_on_warnings_alone(tmp_path: Path) -> None:
    """Monitoring is alarmed by problems only: a paused node is a decision."""
    home = own_home(tmp_path)
    done("node", "pause", "--home", home.path)
    (tmp_path / "home" / "certs").mkdir(exist_ok=True)
    join(home, address="localhost:1", now=datetime.now(UTC))
    printed = done("node", "doctor", "--offline", "--home", home.path)
    assert "warning  pause: paused since" in printed
    assert f"fix: fedstats node resume --home {home.path}" in printed


def test_doctor_finds_a_damaged_ledger(tmp_path: Path) -> None:
    """A ledger that is gone is a problem with its code, whatever else is well."""
    home = own_home(tmp_path)
    home.ledger.unlink()
    result = fedstats("node", "doctor", "--home", home.path)
    assert result.exit_code == 1
    assert "FS-701" in result.output


def test_a_folder_without_a_node_says_what_to_do(tmp_path: Path) -> None:
    """Every command in an empty folder names the first step."""
    for command in (["pause"], ["ledger"], ["run"], ["refresh", "--edition", "x"], ["explain", SQL]):
        result = fedstats("node", *command, "--home", tmp_path)
        assert result.exit_code == 2
        assert "fedstats node join -" in result.output


def test_the_example_configuration_is_printed(tmp_path: Path) -> None:
    """`config --example` prints what `config` accepts."""
    path = tmp_path / "node.toml"
    path.write_text(done("node", "config", "--example"))
    assert "is valid. Datasets: 1; lifetime caps: 1." in done("node", "config", "--config", path)

"""`fedstats node approvals` and `approvers`, as people at a department type them."""

from __future__ import annotations

import json
import time
import tomllib
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from one_node import Analyst, make_home, open_node, refusal_of, release_of
from samples import sample_agreement, sample_query

from fedstats.cli import main
from fedstats.core.agreement import OptOutTerms
from fedstats.node.approval_terms import Decide, PolicyTerms
from fedstats.node.config import read_config
from fedstats.node.home import Home
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import nodes_pb2

AGREEMENT = sample_agreement(  # commands go by the real date
    starts_on=date(2020, 1, 1),
    review_on=date(2026, 1, 1),
    ends_on=date(2099, 1, 1),
    opt_out=OptOutTerms(applies=False, reason="test"),
)
CONFIG = '[lifetime.nhs_number]\nepsilon = "20"\ndelta = "0.00001"\n[policy]\ndecide = "each"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A node whose node.toml lets a person decide about each question."""
    made = make_home(tmp_path, AGREEMENT)
    made.config.write_text(CONFIG)
    return made


def typed(home: Home, *words: str | Path, given: str = "") -> Result:
    """Type `fedstats node WORDS` for this node."""
    arguments = ["node", *map(str, words), "--home", str(home.path)]
    return CliRunner().invoke(main, arguments, input=given)


def done(home: Home, *words: str | Path, given: str = "") -> str:
    """What a command prints; it succeeds."""
    result = typed(home, *words, given=given)
    assert result.exit_code == 0, result.output
    return result.output


def ask(home: Home, nonce: int = 0, policy: PolicyTerms | None = None) -> tuple[nodes_pb2.Task, str]:
    """A question that came to the node while it ran, and its id."""
    now_s = int(time.time())
    analyst = Analyst()
    task = analyst.task(sample_query(deadline_s=now_s + 600, nonce=bytes([nonce]) * 16))
    task.appointment.CopyFrom(analyst.appointment(from_s=now_s - 60, until_s=now_s + 600))
    with open_node(home, now=time.time, policy=policy or PolicyTerms(Decide.EACH)) as node:
        assert node.runner.run(task).HasField("waiting")
    return task, sha256(task.query.payload).hex()[:10]


def run(home: Home, task: nodes_pb2.Task) -> nodes_pb2.ReportRequest:
    """What the node, started anew over its node.toml, makes of a task."""
    with open_node(home, now=time.time, policy=read_config(home.config).policy) as node:
        return node.runner.run(task)


def test_a_question_is_read_and_approved(home: Home) -> None:
    """List, show, approve: with no process of the node and no coordinator there."""
    assert "No question waits" in done(home, "approvals", "list")
    task, name = ask(home)
    listed = done(home, "approvals", "list")
    assert name in listed
    assert "a.smith@north" in listed
    printed = done(home, "approvals", "show", name[:4])
    shown = " ".join(printed.split())
    assert "Counts rows and adds up age (0 to 120) by sex, for rows where sex is 'F' and age < 65." in shown
    assert f"fedstats node approvals approve {name} --home {home.path}" in shown
    assert "Now" not in printed
    assert typed(home, "approvals", "approve", name, given="n\n").exit_code == 1
    assert "Approved question" in done(home, "approvals", "approve", name, given="y\n")
    assert "No question waits" in done(home, "approvals", "list")
    (entry,) = json.loads(done(home, "approvals", "list", "--all", "--format", "json"))
    assert (entry["id"], entry["state"]) == (name, "approved")
    release_of(run(home, task))


def test_a_refusal_needs_no_configuration(home: Home) -> None:
    """What stops needs one person, no key, and no node.toml that can be read; the note stays here."""
    task, name = ask(home)
    home.config.write_text("not TOML")
    assert "Refused question" in done(
        home, "approvals", "refuse", name, "--reason", "legal", "--note", "zq-value see minute 7"
    )
    home.config.write_text(CONFIG)
    assert refusal_of(run(home, task)).code == "FS-207"
    assert "minute 7" in done(home, "approvals", "show", name)
    late = typed(home, "approvals", "approve", name, given="y\n")
    assert (late.exit_code, "FS-116" in late.output, "Approve question" in late.output) == (2, True, False)
    events = (home.logs / "security.jsonl").read_text()
    assert "SEC-412" in events
    assert "minute" not in events


def test_two_approvers_with_keys_of_their_own(home: Home, tmp_path: Path) -> None:
    """Each makes a key with a passphrase; the printed lines are node.toml's; one alone is not enough."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse\n")
    lines = "approvals_needed = 2\n"
    for name in ("a.jones", "b.khan"):
        printed = CliRunner().invoke(
            main,
            ["node", "approvers", "init", name, *("--output", str(tmp_path / f"{name}.pem"))],
            input="correct horse\ncorrect horse\n",
        )
        assert printed.exit_code == 0, printed.output
        lines += printed.output[printed.output.index("  [[policy.approvers]]") :]
    home.config.write_text(CONFIG + lines)
    assert len(tomllib.loads(home.config.read_text())["policy"]["approvers"]) == 2
    task, name = ask(home, policy=read_config(home.config).policy)
    assert "FS-116" in typed(home, "approvals", "approve", name, "--yes").output
    keyed = ("--passphrase-file", passphrase, "--yes")
    first = done(home, "approvals", "approve", name, "--key", tmp_path / "a.jones.pem", *keyed)
    assert "2 approvals are needed" in first
    assert run(home, task).HasField("waiting")
    done(home, "approvals", "approve", name, "--key", tmp_path / "b.khan.pem", *keyed)
    release_of(run(home, task))


def test_what_cannot_be_decided_is_said(home: Home) -> None:
    """An unknown id, a question that was refused, an agreement that was left."""
    assert "FS-115" in typed(home, "approvals", "show", "abcd").output
    _, name = ask(home)
    done(home, "withdraw", "RTT-2026", "--yes")
    shown = done(home, "approvals", "show", name)
    assert "would be refused now, whatever you decide: FS-202" in shown
    done(home, "approvals", "refuse", name)
    assert "final" in typed(home, "approvals", "approve", name, "--yes").output

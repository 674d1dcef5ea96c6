"""What is printed to be typed next works as it stands: it names the folder that was named."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from one_node import make_home, published
from samples import sample_agreement

from fedstats.cli import main
from fedstats.cli.next_step import remember_home
from fedstats.cli.running import say
from fedstats.client.agreement_words import summary
from fedstats.client.words import filled
from fedstats.identity.keys import PublicKey
from fedstats.node.home import Home
from fedstats.wire.v1 import agreements_pb2


def printed(*arguments: str | Path) -> str:
    """Type a command; all that it prints."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments]).output


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A node that is set up, in a folder whose name a shell would split."""
    folder = tmp_path / "our node"
    folder.mkdir()
    return make_home(folder)


def test_a_next_step_and_an_error_name_the_nodes_folder(home: Home, tmp_path: Path) -> None:
    """After --home was typed the next command can be copied, quoted where a shell needs that."""
    quoted = shlex.quote(str(home.path))
    paused = printed("node", "pause", "--home", home.path)
    assert paused.endswith(f"Answer again with: fedstats node resume --home {quoted}\n")
    empty = tmp_path / "empty"
    assert printed("node", "pause", "--home", empty).endswith(f"fedstats node join - --home {empty}\n")


def test_analysts_and_hosts_are_told_their_own_folder(tmp_path: Path) -> None:
    """An analyst's folder goes to an analyst's next command, a coordinator's to the coordinator's."""
    refused = printed("query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1", "--home", tmp_path / "a")
    assert refused.endswith(f"fedstats join - --home {tmp_path / 'a'}\n")
    made = printed("coordinator", "init", "--host", "localhost:9", "--home", tmp_path / "c")
    assert f"Start it:             fedstats coordinator run --home {tmp_path / 'c'}\n" in made
    token = printed("coordinator", "invite", "node", "york", "--home", tmp_path / "c")
    assert "fedstats node join -\n" in token  # on another computer


def test_every_command_in_a_sentence_stays_a_command(tmp_path: Path) -> None:
    """A node without node.toml is told a command with its folder, and nothing of the sentence in it."""
    said = printed("node", "config", "--home", tmp_path)
    assert said.endswith(f": fedstats node init --home {tmp_path}\n")


def test_a_controller_who_joins_makes_the_key_in_the_same_folder(tmp_path: Path) -> None:
    """After `fedstats join --home X` a controller's key belongs into X; what others appoint does not."""

    @click.command()
    @click.option("--home", type=Path, callback=remember_home)
    def join(home: Path) -> None:
        say(f"Next:  fedstats controller init york (in {home.name})")
        say("Give:  fedstats controller appoint analyst a --key 0")

    group = click.Group("fedstats", commands=[join])
    folder = tmp_path / "x"
    said = CliRunner().invoke(group, ["join", "--home", str(folder)]).output
    assert f"fedstats controller init york --home {folder} (in x)\n" in said
    assert said.endswith("--key 0\n")


STEPS = [
    # what was typed, a sentence that it prints, whether the folder belongs into it
    ("publish", "Read it:  fedstats register show 8", True),
    ("join", "Check it:  fedstats register verify", True),
    ("register", "Prove it later: fedstats register verify --against FILE", True),
    ("node", "They are in the log: fedstats audit show", True),
    ("audit", "What is wrong in it: fedstats audit verify", True),
    ("audit", "One is written by: fedstats audit heads --output FILE", False),
    ("node", "To see what differs: fedstats register verify", False),
    ("coordinator", "On their computer: fedstats register verify", False),
]


@pytest.mark.parametrize("typed,sentence,named", STEPS)
def test_register_and_logs_are_looked_at_in_the_same_folder(
    typed: str, sentence: str, *, named: bool
) -> None:
    """An analyst's register and a department's log are those of the folder that was typed."""

    @click.command(typed)
    @click.option("--home", type=Path, callback=remember_home)
    def command(home: Path) -> None:  # noqa: ARG001 # as every command has it
        say(sentence)

    group = click.Group("fedstats", commands=[command])
    said = CliRunner().invoke(group, [typed, "--home", "/srv/x"]).output
    assert said == sentence + (" --home /srv/x" if named else "") + "\n"


def test_without_home_commands_stay_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever uses the default folder reads nothing of it."""
    monkeypatch.setenv("FEDSTATS_HOME", str(tmp_path))
    assert printed("query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1").endswith("fedstats join -\n")


def test_what_others_type_names_no_folder_of_ours(home: Home) -> None:
    """The line for the controller is typed on the controller's computer."""
    (line,) = [
        line
        for line in printed("node", "doctor", "--home", home.path).splitlines()
        if "fedstats controller appoint" in line
    ] or [""]
    assert "--home" not in line


def test_fingerprints_stay_in_one_piece(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow the terminal, what people compare aloud and copy is not broken over lines."""
    monkeypatch.setenv("COLUMNS", "70")
    agreement = sample_agreement(id="NEW-2026")
    shown = [line for _, lines in summary(agreement) for line in lines]
    assert any("key" in line for line in shown)
    from fedstats.node.agreements import Agreements
    from fedstats.node.state import State

    with State(home.state) as state:
        Agreements(state, home.trust).learn(agreements_pb2.AuthorityReply(agreements=[published(agreement)]))
    said = (
        CliRunner()
        .invoke(main, ["agreement", "accept", "NEW-2026", "--home", str(home.path)], input="n\n")
        .output
    )
    for controller in agreement.controllers:
        assert PublicKey(controller.key).fingerprint in said


def test_a_last_command_is_not_broken_over_lines() -> None:
    """What a person copies out of an answer's note stands on one line, however long the folder's name is."""
    command = f"fedstats resume 6d24406608 --home /srv/{'statistics/' * 4}analyst"
    note = filled(f"Job: 6d24406608; to see this answer again, free, 61 % of it: {command}", 80)
    assert command in note.splitlines()[-1]
    assert "61 %" in note.splitlines()[0]

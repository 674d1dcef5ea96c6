"""The command line without a network: help that teaches, errors in a line, exit codes for scripts."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from analyst_world import analyst_world
from click.testing import CliRunner, Result
from samples import seed_key

from fedstats.cli import COMMANDS, main
from fedstats.cli.root import EXIT_CODES, Root, exit_code
from fedstats.errors import ExtraMissing, error_classes

MINE = (
    "join", "use", "datasets", "query", "jobs", "resume", "guarantee", "agreement", "document", "controller",
    "error",
)  # fmt: skip


def run(*words: str, home: Path | None = None, typed: str = "") -> Result:
    """Run a command as its user does."""
    environment = {"FEDSTATS_HOME": str(home) if home else "/nonexistent/home", "COLUMNS": "100"}
    return CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats", input=typed)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of these groups, with the words that call it."""
    context = main.make_context("fedstats", [], resilient_parsing=True)
    for name in MINE:
        command = main.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield f"{name} {inner}", found


def test_every_option_teaches() -> None:
    """Each command says in a line what it does, each option what it is for; arguments are named."""
    for words, command in commands():
        text = command.get_help(click.Context(command, info_name=words))
        assert command.help, words
        assert len(command.get_short_help_str(100)) < 70, words
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "help":
                assert parameter.help, (words, parameter.name)
            elif isinstance(parameter, click.Argument):
                shown = parameter.make_metavar(click.Context(command))
                assert shown.strip("[]") in text, (words, shown)


def test_the_listed_line_is_how_help_begins() -> None:
    """What `fedstats --help` says of a command is what its own help begins with."""
    for name, command in commands():
        if name in COMMANDS:
            assert command.help is not None
            assert command.help.splitlines()[0] == COMMANDS[name][1]


def test_exit_codes_are_stable() -> None:
    """One code for each family; these numbers are promised in help and never change."""
    families = {error.code[:4]: exit_code(error()) for error in error_classes().values()}
    promised = {"FS-0": 70, "FS-2": 3, "FS-3": 4, "FS-4": 5, "FS-5": 6, "FS-6": 7, "FS-7": 8, "FS-9": 70}
    assert {family: families[family] for family in promised} == promised
    special = {"FS-109": 3, "FS-110": 75}
    for code, error in error_classes().items():
        if code.startswith("FS-1"):
            assert exit_code(error()) == special.get(code, 2), code
    shown = run("--help").stdout
    for _, number, words in EXIT_CODES:
        assert f"{number} {words}" in " ".join(shown.split())


def test_an_error_is_one_line_on_stderr(tmp_path: Path) -> None:
    """Nothing on stdout, no traceback, the code first, and what to do at the end."""
    result = run("query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1", home=tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("FS-103 ")
    assert result.stderr.endswith("fedstats join -\n")
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_extra_is_one_line_to_type() -> None:
    """An import that belongs to an extra is explained; one that belongs to none is a bug."""

    def needing(module: str) -> Result:
        @click.command
        def command() -> None:
            """Import something."""
            raise ImportError(module, name=module)

        root = Root(commands_at={}, name="fedstats")
        root.add_command(command, "command")
        return CliRunner().invoke(root, ["command"])

    result = needing("duckdb.experimental")
    assert (result.exit_code, result.stderr.count("\n")) == (exit_code(ExtraMissing()), 1)
    assert 'pip install "fedstats[node]"' in result.stderr
    assert needing("fedstats.nothing").exit_code == 70


@pytest.mark.parametrize("typed", ["FS-214", "fs-214", "214"])
def test_error_explains_a_code(typed: str) -> None:
    """Title, remedy, budget and exit code come from the error class."""
    result = run("error", typed)
    for part in (
        "FS-214: This question would use more",
        "Ask with a smaller --epsilon",
        "Nothing was spent",
        "Exit code 3",
    ):
        assert part in result.stdout


def test_every_error_can_be_explained() -> None:
    """There is an explanation for every code; for one that does not exist, those near it."""
    for code, error in error_classes().items():
        assert error.title in run("error", code).stdout
    result = run("error", "FS-297")
    assert (result.exit_code, "FS-299" in result.stderr) == (5, True)


def test_a_controller_makes_shows_and_uses_a_key(tmp_path: Path) -> None:
    """The key that init made is the one that fingerprint shows and that signs, behind its passphrase."""
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    opened = ("--passphrase-file", str(secret))
    made = run("controller", "init", "north", *opened, home=tmp_path)
    assert made.exit_code == 0
    shown = run("controller", "fingerprint", *opened, home=tmp_path)
    assert shown.stdout.splitlines()[1:] == made.stdout.splitlines()[2:]
    assert run("controller", "fingerprint", home=tmp_path, typed="wrong\n").exit_code == 2
    key = seed_key("a.smith").public.raw.hex()
    out = tmp_path / "appointment.json"
    words = ("controller", "appoint", "analyst", "a.smith", "--key", key, "--output", str(out))
    signed = run(*words, *opened, home=tmp_path)
    assert signed.exit_code == 0, signed.output
    assert json.loads(out.read_text())["fedstats"] == "appointment"
    wrong = run("controller", "appoint", "node", "south", "--key", key, *opened, home=tmp_path)
    assert (wrong.exit_code, "its node is north" in wrong.stderr) == (6, True)


def test_a_key_is_trusted_by_its_whole_fingerprint(tmp_path: Path) -> None:
    """Half a fingerprint is refused; another key for the same department needs --replace."""
    first, second = (seed_key(name).public.fingerprint for name in ("one", "two"))
    assert run("controller", "trust", "north", first[:19], home=tmp_path).exit_code == 2
    assert run("controller", "trust", "north", first.upper(), home=tmp_path).exit_code == 0
    assert run("controller", "trust", "north", second, home=tmp_path).exit_code == 2
    assert run("controller", "trust", "north", second, "--replace", home=tmp_path).exit_code == 0


def test_an_agreement_is_written_and_checked(tmp_path: Path) -> None:
    """`new` writes what `check` reads; what is still to fill in is said, and nothing is overwritten."""
    path = tmp_path / "agreement.toml"
    assert run("agreement", "new", "--output", str(path)).exit_code == 0
    assert run("agreement", "new", "--output", str(path)).exit_code == 2
    checked = run("agreement", "check", str(path))
    assert (checked.exit_code, "FILL IN" in checked.stderr) == (6, True)
    assert run("agreement", "new").stdout == path.read_text()


def test_jobs_are_listed_without_a_connection(tmp_path: Path) -> None:
    """The questions of this computer are on this computer."""
    assert "Nothing was asked" in run("jobs", home=tmp_path).stdout
    assert json.loads(run("jobs", "--format", "json", home=tmp_path).stdout) == []
    with analyst_world(tmp_path).session() as session:
        answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1)
    (job,) = json.loads(run("jobs", "--format", "json", home=tmp_path).stdout)
    assert (job["job"], job["state"], job["edition"]) == (answer.job, "answered", "2025-09")
    head, question = run("jobs", home=tmp_path).stdout.splitlines()
    assert (head.startswith(f"{answer.job}  "), head.endswith("  answered")) == (True, True)
    assert question.strip() == "SELECT COUNT(*) FROM rtt"


def test_joining_says_what_to_do_next(tmp_path: Path) -> None:
    """Without a token `join` prints the line for the controller; a broken token is one error."""
    world = analyst_world(tmp_path)
    shown = run("join", home=tmp_path)
    key = seed_key("a.smith").public.raw.hex()
    assert f"fedstats controller appoint analyst a.smith --key {key}" in shown.stdout
    assert run("join", "fedstats1.broken", home=tmp_path).exit_code == 4
    assert run("join", "-", home=tmp_path, typed="fedstats1.broken\n").exit_code == 4
    assert world.home.config().name == "a.smith"


@pytest.mark.skipif(os.name != "posix", reason="there are no pseudo-terminals")
def test_a_pasted_token_is_not_shown(tmp_path: Path) -> None:
    """At a terminal `join -` asks for the token and echoes nothing of it."""
    controlling, terminal = pty.openpty()
    words = [sys.executable, "-m", "fedstats", "join", "-", "--home", str(tmp_path / "home")]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=terminal, stdout=pipe, stderr=pipe, start_new_session=True) as joining:
        assert joining.stderr is not None
        prompt = b""
        while not prompt.endswith(b": "):  # typed earlier, it would be thrown away
            byte = joining.stderr.read(1)
            assert byte, prompt
            prompt += byte
        os.write(controlling, b"fedstats1.broken\n")
        printed, failed = joining.communicate(timeout=60)
    echoed, _, _ = select.select([controlling], [], [], 0)
    os.close(terminal)
    os.close(controlling)
    assert joining.returncode == 4
    assert b"The token" in prompt
    assert b"FS-304" in failed
    assert b"broken" not in printed + failed
    assert echoed == []


def test_what_cannot_work_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    """Made-up rows need a dataset and a file."""
    result = run("datasets", "rtt", "--dummy", "10", home=tmp_path)
    assert (result.exit_code, "--output" in result.stderr) == (2, True)


def test_a_file_that_cannot_be_written_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    """A wrong --output ends the command at once: the answer would be lost, and its budget with it."""
    output = tmp_path / "nowhere" / "answer.csv"
    command = ["query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1", "--output", str(output)]
    result = CliRunner().invoke(main, [*command, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert "cannot be written" in result.output


def test_a_nodes_token_can_come_through_standard_input(tmp_path: Path) -> None:
    """`node join -` reads the token from a pipe: nobody else on the computer sees it."""
    command = ["node", "join", "-", "--home", str(tmp_path / "node")]
    result = CliRunner().invoke(main, command, input="fedstats1.not-a-token")
    assert "FS-304" in result.output


def test_a_command_that_was_mistyped_is_guessed() -> None:
    """Whoever types fast is told what they meant."""
    said = run("quer")
    assert (said.exit_code, "Did you mean query?" in said.output) == (2, True)

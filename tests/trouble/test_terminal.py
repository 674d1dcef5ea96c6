"""Whatever is typed, found or broken off: a command ends in a sentence and an exit code, not a traceback."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from real_federation import Running

from fedstats.cli import main
from fedstats.cli.ending import TRACEBACK
from fedstats.cli.root import EXIT_CODES

GARBAGE = {
    "nothing": "",
    "what steers a terminal": "\x1b[2J\x07\r",
    "lines": "a\nb",
    "bytes that are no text": "\udcff",
    "what turns a line": "\N{GRINNING FACE}\u202e",
    "a million letters": "x" * 2**20,
    "a NUL": "a\0b",
    "a number beyond all": "1e400",
    "a negative number": "-1",
    "quotes": "{[('\"%s--",
}
KNOWN = {0, 1, *(code for _, code, _ in EXIT_CODES if code != 70)}
NUMBERS = count()
LINES_MAX = 60
CHARACTERS_MAX = 20_000


def commands(
    group: click.Group, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name), command


ALL = {" ".join(words): (words, command) for words, command in commands(main)}


def takes_text(parameter: click.Parameter) -> bool:
    """Whether something of the user's own is typed there."""
    flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
    return not flag and not isinstance(parameter.type, click.Choice)


def plausible(parameter: click.Parameter) -> str:
    """Something that the parameter may well be."""
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType):
        return "1"
    return {"sql": "SELECT COUNT(*) FROM rtt", "epsilon": "1"}.get(parameter.name or "", "abc")


def line(command: click.Command, garbled: click.Parameter, garbage: str) -> list[str]:
    """The command with garbage in one place, and what it needs in the others."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in command.params:
        if parameter is not garbled and not parameter.required:
            continue
        value = garbage if parameter is garbled else plausible(parameter)
        if isinstance(parameter, click.Argument):
            arguments.append(value)
        else:
            options += [parameter.opts[-1], value]
    return [*options, "--", *arguments] if arguments else options


def check(result: Result, words: list[str]) -> None:
    """It ended as commands end, in so many lines that people read them, and nothing steers the terminal."""
    shown = [word[:40] for word in words]
    assert result.exception is None or isinstance(result.exception, SystemExit), (shown, result.exception)
    assert result.exit_code in KNOWN, (shown, result.output[:500])
    assert "Traceback" not in result.output
    assert "\x1b[2J" not in result.output, shown
    assert len(result.output) < CHARACTERS_MAX, shown
    assert len(result.stderr.splitlines()) < LINES_MAX, shown


# `demo` and the daemons would run if the garbage happened to be the name of a folder.
NOT_RUN = {"demo", "node run", "coordinator run"}


@pytest.mark.parametrize("name", sorted(set(ALL) - NOT_RUN))
def test_garbage_in_any_place_of_any_command_is_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty, a megabyte, control characters, no text at all: each is refused or taken, and nothing breaks."""
    monkeypatch.chdir(tmp_path)
    words, command = ALL[name]
    for parameter in filter(takes_text, command.params):
        for garbage in GARBAGE.values():
            typed = [*words, *line(command, parameter, garbage)]
            environment = {"FEDSTATS_HOME": str(tmp_path / f"home-{next(NUMBERS)}"), "COLUMNS": "100"}
            check(CliRunner(env=environment).invoke(main, typed, prog_name="fedstats", input=""), typed)


OF_MEMBERS = (
    *("use", "query", "datasets", "jobs", "resume", "proceed", "doctor"),
    *("agreement show", "agreement list", "agreement sign", "agreement publish", "register list"),
)


@pytest.mark.parametrize("name", OF_MEMBERS)
def test_garbage_from_a_member_is_a_sentence(
    running: Running, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same from somebody who has joined: what gets as far as the coordinator breaks nothing either."""
    monkeypatch.chdir(tmp_path)
    environment = {"FEDSTATS_HOME": str(running.places.analyst), "COLUMNS": "100"}
    words, command = ALL[name]
    wait = ["--wait", "60"] if name == "query" else []
    for parameter in filter(takes_text, command.params):
        for garbage in GARBAGE.values() if parameter.name not in ("home", "wait_s") else ():
            typed = [*words, *wait, *line(command, parameter, garbage)]
            check(CliRunner(env=environment).invoke(main, typed, prog_name="fedstats", input=""), typed)


def run(home: Path, *words: str, typed: str | bytes = "") -> Result:
    """A command of whoever has this home."""
    environment = {"FEDSTATS_HOME": str(home), "COLUMNS": "100"}
    return CliRunner(env=environment).invoke(main, list(words), prog_name="fedstats", input=typed)


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_through_standard_input_is_a_sentence(kind: str, tmp_path: Path) -> None:
    """What comes through a pipe may hold every byte."""
    typed = GARBAGE[kind].encode("utf-8", "surrogateescape")
    for words in (["join", "-"], ["query", "-", "--epsilon", "1"], ["node", "join", "-", "--home", "n"]):
        check(run(tmp_path, *words, typed=typed), words)


def a_file(home: Path) -> None:
    """A file where the folder should be."""
    home.write_text("not a folder")


def a_folder_for_the_jobs(home: Path) -> None:
    """A folder where jobs.sqlite should be."""
    (home / "jobs.sqlite").mkdir(parents=True)


def garbage_for_the_jobs(home: Path) -> None:
    """A jobs.sqlite that is no database."""
    home.mkdir()
    (home / "jobs.sqlite").write_bytes(b"garbage" * 1_000)


def garbage_for_the_configuration(home: Path) -> None:
    """A config.toml that is no text."""
    home.mkdir()
    (home / "config.toml").write_bytes(b"\xff\xfe = [[[")


def a_folder_for_the_configuration(home: Path) -> None:
    """A folder where config.toml should be."""
    (home / "config.toml").mkdir(parents=True)


def a_loop(home: Path) -> None:
    """A link to itself."""
    home.symlink_to(home)


def a_deep_configuration(home: Path) -> None:
    """Configurations with more brackets than anybody reads."""
    home.mkdir()
    for name in ("config.toml", "node.toml", "coordinator.toml"):
        (home / name).write_text("a = " + 30_000 * "[")


def an_empty_configuration(home: Path) -> None:
    """A config.toml with nothing in it."""
    home.mkdir()
    (home / "config.toml").write_text("")


BROKEN = (
    a_file,
    a_folder_for_the_jobs,
    garbage_for_the_jobs,
    garbage_for_the_configuration,
    a_folder_for_the_configuration,
    a_loop,
    an_empty_configuration,
    a_deep_configuration,
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda make: make.__name__)
def test_a_broken_home_is_a_sentence(broken: object, tmp_path: Path) -> None:
    """Whatever stands where keys, jobs and configuration should be, every command says what is wrong."""
    home = tmp_path / "home"
    assert callable(broken)
    broken(home)
    for words in (
        ["jobs"],
        ["datasets"],
        ["query", "SELECT COUNT(*) FROM rtt", "--epsilon", "1"],
        ["resume", "abcd"],
        ["proceed", "abcd"],
        ["use"],
        ["controller", "fingerprint"],
        ["controller", "init", "north", "--no-passphrase"],
        ["node", "ledger", "--home", str(home)],
        ["node", "doctor", "--home", str(home)],
        ["coordinator", "nodes", "--home", str(home)],
        ["coordinator", "doctor", "--home", str(home)],
        ["coordinator", "run", "--home", str(home)],
        ["node", "run", "--home", str(home)],
    ):
        result = run(home, *words)
        check(result, words)


@pytest.mark.parametrize("command", [["agreement", "check"], ["agreement", "sign"], ["agreement", "publish"]])
def test_a_file_of_another_kind_is_a_sentence(command: list[str], tmp_path: Path) -> None:
    """A picture, a folder, a device or nothing in the place of an agreement."""
    picture = tmp_path / "agreement.toml"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    for name in (picture, tmp_path, tmp_path / "nowhere", Path(os.devnull)):
        result = run(tmp_path / "home", *command, str(name))
        check(result, [*command, str(name)])
        assert result.exit_code != 0


BROKEN_PROGRAM = """
from fedstats.client.home import Home
from fedstats.cli import main
Home.find = lambda environment: 1 / 0
main()
"""


def test_a_bug_is_one_sentence_too(tmp_path: Path) -> None:
    """What nobody foresaw ends with FS-901, its place, and how to see more; not with a page of Python."""
    environment = {**os.environ, "FEDSTATS_HOME": str(tmp_path)}
    command = [sys.executable, "-c", BROKEN_PROGRAM, "jobs"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 70
    assert ended.stderr.startswith(
        "FS-901 fedstats failed with ZeroDivisionError at <string>:4; this is a bug."
    )
    assert len(ended.stderr.splitlines()) == 1
    told = subprocess.run(
        command, env={**environment, TRACEBACK: "1"}, capture_output=True, text=True, check=False
    )
    assert "Traceback" in told.stderr


def test_a_reader_that_has_seen_enough_ends_a_command_quietly() -> None:
    """`fedstats ... | head -1`: no complaint about the closed pipe."""
    command = [sys.executable, "-m", "fedstats", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert writing.stderr is not None
        writing.stdout.close()
        assert writing.stderr.read() == b""


def test_ctrl_c_at_any_command_is_exit_code_130(tmp_path: Path) -> None:
    """Somebody breaks off while a command waits for its input: 130, as shells say it, and no traceback."""
    command = [sys.executable, "-m", "fedstats", "query", "-", "--epsilon", "1", "--home", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reading:
        assert reading.stdin is not None
        reading.stdin.write("SELECT")
        reading.stdin.flush()
        wait_until_empty(reading.stdin.fileno())
        reading.send_signal(signal.SIGINT)
        _, said = reading.communicate(timeout=60)
    assert (reading.returncode, said.strip()) == (130, "")


def wait_until_empty(pipe: int) -> None:
    """Until whoever reads from this pipe has taken what is in it, and waits for more."""
    pause = threading.Event()
    for _ in range(3_000):
        (left,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
        if not left:
            return
        pause.wait(0.01)
    raise AssertionError("nobody read it")

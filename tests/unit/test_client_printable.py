"""What other people wrote never steers the terminal of whoever reads it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table as RichTable
from rich.text import Text

from fedstats.cli.running import say, say_error, say_sections, write_text
from fedstats.cli.screen import Screen
from fedstats.client.printable import REPLACEMENT, printable
from fedstats.client.question import Question
from fedstats.client.render import show, text_of
from fedstats.core.estimate import Estimate, Interval, Participant, Refusal, Table, TableRow, Value

HOSTILE = "a\x1b[2J\x9b31m\u202e\u2066\u200b\r\x07\x00\ud800z"
QUESTION = Question("q", "RTT-2026", 1, "t", HOSTILE, HOSTILE, "rtt", "2025-09")


def hostile_estimate() -> Estimate:
    """An estimate whose every text holds what terminals obey."""
    value = Value(1.0, Interval(0.0, 2.0))
    table = Table("t", (HOSTILE,), (HOSTILE,), (TableRow((HOSTILE,), (value,)),))
    refusal = Refusal("west", HOSTILE, HOSTILE)
    return Estimate(tables=(table,), participants=(Participant("west", refusal),), notes=(HOSTILE,))


def steering(text: str) -> list[str]:
    """The characters in it that a terminal obeys or hides."""
    return [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@given(st.text(st.characters()))
def test_nothing_that_steers_passes(text: str) -> None:
    """Whatever the text, what is shown is visible; visible text stays as it is, with its line breaks."""
    shown = printable(text)
    assert steering(shown) == []
    assert len(shown) == len(text)
    assert shown.count("\n") == text.count("\n")
    assert printable(shown) == shown


def test_ordinary_text_stays() -> None:
    """Accents, other scripts, dashes and no-break spaces are no danger."""
    text = "Łódź — ≤ 5 %\u00a0± 3\n日本"
    assert printable(text) == text
    assert printable("a\tb") == "a b"


def test_everything_that_is_printed_goes_through_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, sections, documents and errors; on stdout and on stderr."""
    say(HOSTILE)
    say_error(HOSTILE)
    say_sections(((HOSTILE, (HOSTILE,)),))
    write_text(None, HOSTILE)
    printed = capsys.readouterr()
    assert printed.out.count(REPLACEMENT) > 20
    assert REPLACEMENT in printed.err
    assert steering(printed.out + printed.err) == []


def test_a_terminal_gets_no_escape_but_richs_own() -> None:
    """In a table and in an answer, on a terminal with colours, on one without, and as plain text."""
    for colours in (None, "truecolor"):
        out = io.StringIO()
        screen = Screen(file=out, force_terminal=True, width=100, color_system=colours, _environ={})
        table = RichTable(HOSTILE)
        table.add_row(HOSTILE, style="bold")
        screen.print(table, HOSTILE, Text(HOSTILE))
        show(hostile_estimate(), QUESTION, screen)
        printed = out.getvalue()
        for sequence in ("\x1b[2J", "\x9b", "\u202e", "\u2066", "\u200b", "\x07", "\r"):
            assert sequence not in printed, (colours, sequence)
        assert ("\x1b" in printed) == (colours is not None)
    assert steering(text_of(hostile_estimate(), QUESTION)) == []


@pytest.mark.skipif(os.name != "posix", reason="there are no pseudo-terminals")
def test_on_a_real_terminal_an_error_is_plain_text() -> None:
    """The bytes that reach a pseudo-terminal hold no escape, whatever the error quotes."""
    program = (
        "import click\n"
        "from fedstats.cli.root import Root\n"
        "from fedstats.errors import NameUnknown\n"
        "@click.command()\n"
        "def fail():\n"
        "    raise NameUnknown('a\\x1b[2J\\x9b\\u202ez')\n"
        "root = Root(commands_at={}, name='fedstats')\n"
        "root.add_command(fail, 'fail')\n"
        "root(['fail'])\n"
    )
    controlling, terminal = pty.openpty()
    ended = subprocess.run(
        [sys.executable, "-c", program],
        stdin=terminal, stdout=terminal, stderr=terminal, timeout=60, check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    os.close(terminal)
    printed = os.read(controlling, 65_536)
    os.close(controlling)
    assert ended.returncode == 5
    assert b"FS-405" in printed
    assert b"\x1b" not in printed
    assert b"\xc2\x9b" not in printed
    assert "\u202e".encode() not in printed

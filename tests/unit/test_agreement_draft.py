"""`agreement new`: the conversation that ends in a file, its wrong answers, and how it stops."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from samples import TODAY, seed_key

from fedstats.client.agreement_draft import drafted
from fedstats.client.agreement_file import read_agreement, template
from fedstats.client.agreement_gaps import gaps
from fedstats.client.agreement_toml import toml_of

KEYS = {name: seed_key(f"controller {name}").public.raw.hex() for name in ("york", "leeds")}
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "A short name": ("9 lives", "RTT-2026"),
    "Title": ("Waits",),
    "What is done": ("", "Trusts answer questions."),
    "What the public gains": ("Shorter waits.",),
    "The law": ("Health Act, section 1.",),
    "Where questions of": ("ig@york.example",),
    "A purpose": ("waiting times", "waiting-times"),
    "  What answers are used for": ("To plan.",),
    "Another purpose": ("perhaps", "no"),
    "A department": ("York", "york", "york", "leeds"),
    "Another department": ("yes", "no"),
    "  Its full name": ("York Trust", "Leeds Trust"),
    "  Its controller's key": (f'key = "{KEYS["york"]}"', "3yag-7bhc", KEYS["leeds"]),
    "  Its data protection": ("dpo@york.example", "dpo@leeds.example"),
    "The first day": ("tomorrow", ""),
    "The last day": ("2020-01-01", ""),
    "The day of review": ("2030-01-01", ""),
    "Its name": ("pathways",),
    "  What it holds": ("Pathways.",),
    "  How many rows": ("0", "4"),
    "  About how many": ("many", "200,000"),
    "  The named snapshots": ("2026-03.2", "2026-03, 2026-06"),
    "  A column": ("age", "sex", "started"),
    "    Its type": ("integer", "number", "", "date"),
    "    The highest": ("-5", "120"),
    "    Its values": ("F, F", "F, M"),
    "    The first day": ("2025-01-01",),
    "    The last day": ("2024-01-01", "2026-12-31"),
    "  Another column": ("yes", "yes", "no"),
    "    Why": ("Waits differ.",) * 3,
    "The most for one": ("5", ""),
    "At how many": ("3", "2"),
}
"""What is typed, by how the question begins; for the rest, the suggestion is taken."""


def conversation(answers: Mapping[str, tuple[str, ...]], most: int = 1_000) -> tuple[str, bool, list[str]]:
    """The file, whether it was finished, and what was told; the person leaves after `most` answers."""
    left, told, asked = {key: list(typed) for key, typed in answers.items()}, list[str](), list[str]()

    def ask(question: str, suggestion: str) -> str:
        if len(asked) == most:
            raise EOFError
        asked.append(question)
        for key, typed in left.items():
            if question.startswith(key) and typed:
                return typed.pop(0)
        assert suggestion or "Enter leaves" in " ".join(told) or question.startswith("  Its"), question
        return ""

    document, finished = drafted(ask, told.append, TODAY)
    assert not (finished and any(left.values())), left
    return toml_of(document, template()), finished, told


def test_a_whole_conversation_is_an_agreement_without_problems(tmp_path: Path) -> None:
    """Answering is enough: the file says what was answered, and `check` finds no problem in it."""
    written, finished, told = conversation(ANSWERS)
    path = tmp_path / "agreement.toml"
    path.write_text(written)
    agreement, _ = read_agreement(path)
    assert finished
    assert agreement.departments == ("york", "leeds")
    assert agreement.starts_on == TODAY
    assert [c.name for c in agreement.datasets[0].columns] == ["age", "sex", "started"]
    assert agreement.privacy.delta * agreement.datasets[0].people_about < 1
    assert not [gap for gap in gaps(agreement, TODAY) if gap.health.value == "problem"]
    for reason in (
        "cannot be the name",
        "64 digits and letters",
        "a day such as",
        "It is not before 2025-01-01.",
        "Each is named once",
        "cannot be scheduled",
        "a whole number from 1 to 10,000",
        "Answer yes or no.",
        "york is named already.",
        "It lies above 0, and is at most 4.",
    ):
        assert any(reason in sentence for sentence in told), reason


@pytest.mark.parametrize("most", [0, 3, 9, 17, 25, 40, 60])
def test_whoever_stops_keeps_what_was_said(most: int) -> None:
    """Wherever the answers end, the file holds them, is TOML, and says FILL IN for the rest."""
    written, finished, _ = conversation(ANSWERS, most)
    assert not finished
    document = tomllib.loads(written)
    assert "FILL IN" in written or most > 55
    assert (document["id"] == "RTT-2026") == (most >= 2)
    assert document.keys() >= {"public", "privacy", "datasets", "controllers"}


@pytest.mark.skipif(os.name != "posix", reason="there are no pseudo-terminals")
def test_at_a_terminal_it_asks_and_ctrl_d_keeps_the_answers(tmp_path: Path) -> None:
    """A real terminal: questions with suggestions, a wrong answer asked again, Ctrl-D, and a file."""
    controlling, terminal = pty.openpty()
    file = tmp_path / "agreement.toml"
    words = [sys.executable, "-m", "fedstats", "agreement", "new", "--output", str(file)]
    with subprocess.Popen(
        words, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as new:
        os.close(terminal)
        seen = typed_at(
            controlling,
            [b"such as RTT-2026: ", b"such as RTT-2026: ", b"Title"],
            [b"9\n", b"RTT-7\n", b"\x04"],
        )
        assert new.wait(30) == 0, seen
    os.close(controlling)
    assert "'9' cannot be the name of an agreement" in seen
    assert tomllib.loads(file.read_text())["id"] == "RTT-7"
    assert "FILL IN" in file.read_text()


def typed_at(controlling: int, prompts: list[bytes], answers: list[bytes]) -> str:
    """Wait for each prompt and answer it; all that was shown."""
    seen, at, end = b"", 0, time.monotonic() + 30
    for prompt, answer in zip(prompts, answers, strict=True):
        while prompt not in seen[at:]:
            assert select.select([controlling], [], [], max(0, end - time.monotonic()))[0], seen
            seen += os.read(controlling, 1_000)
        at = len(seen)
        os.write(controlling, answer)
    while select.select([controlling], [], [], max(0, end - time.monotonic()))[0]:
        try:
            seen += os.read(controlling, 1_000)
        except OSError:  # the other end is closed
            break
    return seen.decode()


def test_without_a_terminal_the_template_is_written() -> None:
    """The date is a parameter, and an unfinished draft of nothing is the template."""
    document, finished = drafted(_nobody, print, date(2030, 1, 1))
    assert not finished
    assert document == tomllib.loads(template())


def _nobody(_: str, __: str) -> str:
    raise EOFError

"""Progress while somebody watches, and Ctrl-C: the waiting ends and the question goes on."""

from __future__ import annotations

import click
import pytest
from rich.console import Console

from fedstats.cli.progress import Lines, drawn, shown
from fedstats.client.following import DepartmentProgress, Progress

NOW_S = 1_000_000


def department(name: str, state: str, sentence: str = "", seen_s: int = NOW_S) -> DepartmentProgress:
    """How far a department is."""
    return DepartmentProgress(name, state, sentence, state in ("answered", "refused"), seen_s)


def text_of(progress: Progress) -> list[str]:
    """What is drawn, without colours."""
    console = Console(width=100, color_system=None, markup=False)
    with console.capture() as captured:
        console.print(drawn(progress, NOW_S))
    return [" ".join(line.split()) for line in captured.get().splitlines()]


def test_every_department_has_a_line() -> None:
    """Its state, why, and whether its node is away; labels in brackets stay as they are."""
    progress = Progress(
        "0123456789",
        1,
        (
            department("north", "answered"),
            department("south", "refused", "The department has [paused]."),
            department("west", "offered", seen_s=NOW_S - 600),
            department("east", "offered", seen_s=0),
        ),
        problem="No connection.",
    )
    assert text_of(progress) == [
        "Job 0123456789, round 2 No connection.",
        "north answered",
        "south refused: The department has [paused].",
        "west offered: its node was last seen 10 minutes ago",
        "east offered: its node has not connected yet",
        "on without it, where allowed: fedstats proceed 0123456789",
    ]


def test_whose_people_decide_is_said_and_since_when() -> None:
    """A person's decision is no node that is away: it is named with its time, on a terminal and in a log."""
    waits = department("leeds", "waits for approval", "sentence", seen_s=0)
    progress = Progress("0123456789", 0, (department("north", "answered"), waits))
    assert text_of(progress)[1:] == [
        "north answered",
        "leeds waits for approval since 1970-01-01 00:00 UTC",
    ] or (text_of(progress)[2] == "leeds waits for approval since 1970-01-01 00:00 UTC")
    assert list(Lines(NOW_S).heard(progress, NOW_S + 20)) == [
        "Job 0123456789: 1 of 2 answered; waits for approval by leeds (since 1970-01-01 00:00 UTC)."
    ]


def test_a_log_hears_who_is_awaited_and_why() -> None:
    """Without a terminal: nothing at first, then one line for each change, with what can be done."""
    lines = Lines(NOW_S)
    there = (department("north", "answered"), department("leeds", "computing"))
    away = (department("north", "answered"), department("leeds", "offered", seen_s=NOW_S - 3 * 3_600))
    assert list(lines.heard(Progress("0123456789", 0, there), NOW_S + 1)) == []
    assert list(lines.heard(Progress("0123456789", 0, there), NOW_S + 20)) == [
        "Job 0123456789: 1 of 2 answered; waiting for leeds (computing)."
    ]
    assert list(lines.heard(Progress("0123456789", 0, there), NOW_S + 70)) == []
    (line,) = lines.heard(Progress("0123456789", 0, away), NOW_S + 80)
    assert "1 of 2 answered; waiting for leeds (its node was last seen 3 hours ago)." in line
    assert line.endswith("where the agreement allows it: fedstats proceed 0123456789")
    over = (department("north", "answered"), department("leeds", "answered"))
    assert list(lines.heard(Progress("0123456789", 0, over), NOW_S + 90)) == []


def test_a_log_hears_of_a_problem_once() -> None:
    """A coordinator that is away, or a department that is asked again, is said at once and once."""
    lines = Lines(NOW_S)
    trouble = Progress("0123456789", 0, (), "The coordinator cannot be reached.")
    assert list(lines.heard(trouble, NOW_S)) == ["Job 0123456789: The coordinator cannot be reached."]
    assert list(lines.heard(trouble, NOW_S + 60)) == []


def test_interrupting_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with the shells' code for it, and the name of the job."""

    def interrupted() -> None:
        with shown(quiet=True) as tell:
            tell(Progress("0123456789", 0, ()))
            raise KeyboardInterrupt

    with pytest.raises(click.exceptions.Exit) as ended:
        interrupted()
    assert ended.value.exit_code == 130
    assert "fedstats resume 0123456789" in capsys.readouterr().err

"""The process of a statistic's file: whatever it does, its caller goes on, and hears no other answer."""

from __future__ import annotations

import math
import os
import signal
from fractions import Fraction
from pathlib import Path

import pytest
from custom_files import BAD, write
from samples import DEPARTMENTS, sample_dataset

from fedstats.client.custom.file import StatisticFile
from fedstats.client.custom.process import Limits
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.core.statistic import Ask, Round
from fedstats.errors import ParameterInvalid, StatisticFailed, StatisticStopped

ASK = Ask(
    sample_dataset(),
    MechanismLoss(Mechanism.GAUSSIAN, Fraction(1)),
    Contribution(4, 4, 1),
    tuple(DEPARTMENTS),
)


def loaded(folder: Path, *, step_s: float = 5) -> StatisticFile:
    """The file that fails as it is told to, in a process of its own."""
    return StatisticFile(write(folder, BAD, name="bad.py"), "Bad", Limits(step_s=step_s))


def test_a_step_that_forks_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    """The fork neither keeps the caller waiting after the time limit nor lives on."""
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    heard = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with loaded(tmp_path, step_s=0.5) as file:
        with pytest.raises(StatisticStopped, match="longer than"):
            file.make({"dataset": "rtt", "how": f"forks {fifo}"}).step(ASK, [])
        os.set_blocking(heard, True)
        assert os.read(heard, 100) == b"here\n"
        assert os.read(heard, 100) == b"", "the fork ended"
    os.close(heard)


def test_a_fork_that_goes_on_answers_no_call(tmp_path: Path) -> None:
    """Of two processes that come back from a step, one is heard: the next call gets its own answer."""
    with loaded(tmp_path) as file:
        twice = file.make({"dataset": "rtt", "how": "goes on twice"})
        assert isinstance(twice.step(ASK, []), Round)
        assert twice.condition(ASK.dataset) is None


def test_an_answer_that_nobody_waited_for_answers_no_other_call(tmp_path: Path) -> None:
    """Whoever interrupts a step in a notebook ends its process; the reply is not taken for the next one's."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with loaded(tmp_path) as file:
            statistic = file.make({"dataset": "rtt", "how": "is interrupted"})
            with pytest.raises(KeyboardInterrupt):
                statistic.step(ASK, [])
            with pytest.raises(StatisticFailed, match="was ended before"):
                statistic.condition(ASK.dataset)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("how", ["answers a list", "answers a pit"])
def test_an_answer_in_no_form_is_one_sentence(tmp_path: Path, how: str) -> None:
    """JSON that is no object, or so deep that no decoder reaches its end."""
    with loaded(tmp_path) as file, pytest.raises(StatisticFailed, match="a form that is none in step"):
        file.make({"dataset": "rtt", "how": how}).step(ASK, [])


@pytest.mark.parametrize("step_s", [math.inf, math.nan, 0, -1, 1e12])
def test_a_time_limit_is_one_that_can_be_kept(step_s: float) -> None:
    """Else the clock that keeps it would fail, in a thread that nobody watches."""
    with pytest.raises(ParameterInvalid, match="may take up to 86,400 s"):
        Limits(step_s=step_s)


def test_what_an_error_says_steers_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It may quote labels, which come from other machines."""
    with loaded(tmp_path) as file, pytest.raises(StatisticFailed):
        file.make({"dataset": "rtt", "how": "steers"}).step(ASK, [])
    shown = capfd.readouterr().err
    assert "[2Ja label" in shown
    assert "\x1b" not in shown

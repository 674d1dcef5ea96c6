"""`fedstats run`: what it takes is what the statistic's fields say, and mistakes are told before any cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from custom_files import THRICE, write

from fedstats.cli import main
from fedstats.cli.run_command import Source
from fedstats.client.description import describe
from fedstats.statistics import statistic_of, statistics


def typed(*words: str) -> tuple[int, str]:
    """The exit code, and everything that was said."""
    done = CliRunner().invoke(main, ["run", *words])
    return done.exit_code, " ".join(done.output.split())


def test_all_statistics_are_listed() -> None:
    """Each with the first line of its docstring; a table is asked in SQL."""
    code, said = typed()
    assert code == 0
    assert [name for name in statistics() if name != "table" and f" {name} " not in said] == []


@pytest.mark.parametrize("name", [name for name in statistics() if name != "table"])
def test_each_statistic_says_what_it_takes(name: str) -> None:
    """Its help has its words, a sentence for every parameter, and an example that can be typed."""
    code, said = typed(name, "--help")
    assert code == 0
    assert f"xample: fedstats run {name} --dataset rtt" in said
    assert "--epsilon" in said


def test_a_file_says_what_it_takes(tmp_path: Path) -> None:
    """Its own parameters stand apart, with defaults; those that --from may change are marked."""
    reference = f"{write(tmp_path)}:Thrice"
    code, said = typed(reference, "--help")
    assert code == 0
    assert "Adds up ages three times" in said
    assert "--bound NUMBER Where the first sum is clipped. [default: 60]" in said
    assert "--title TEXT * What to call the answer. [default: sums]" in said
    code, said = typed(reference, "--bond", "3")
    assert (code, "'--bound'" in said) == (2, True)


@pytest.mark.parametrize(
    "words, told",
    [
        (("waiting_tims",), "FS-405 There is no statistic 'waiting_tims'; did you mean waiting_times?"),
        (("late_share",), "One of your own is named with its file: fedstats run ./FILE.py:Name"),
        (("table",), 'FS-120 A table is asked in SQL. Nothing was spent. Type: fedstats query "SELECT ..."'),
        (("./none.py:Waits",), "FS-120 none.py cannot be read: No such file or directory."),
        (("./none.py",), "FS-120 './none.py' names a file and no class in it."),
    ],
)
def test_what_is_no_statistic_is_said_so(words: tuple[str, ...], told: str) -> None:
    """One sentence with a code."""
    code, said = typed(*words)
    assert code in {2, 5}
    assert told in said


def test_a_field_may_not_have_the_name_of_an_option(tmp_path: Path) -> None:
    """Else nobody could type the option."""
    text = THRICE.replace("bound: int", "epsilon: int").replace("self.bound", "self.epsilon")
    code, said = typed(f"{write(tmp_path, text)}:Thrice", "--help")
    assert (code, "The field epsilon of" in said) == (2, True)


def test_the_example_of_waiting_times_can_be_typed() -> None:
    """It says where waits are read: what it makes is a question, not a refusal."""
    words = (
        " ".join(describe(statistic_of("waiting_times")).doc.split())
        .partition("Example: fedstats run ")[2]
        .split()
    )
    source = Source(words[0], describe(statistic_of(words[0])))
    typed_fields = dict(zip(words[1::2], words[2::2], strict=True))
    fields = {
        parameter.name: parameter.read((typed_fields[parameter.option],))
        for parameter in source.described.parameters
        if parameter.option in typed_fields
    }
    assert source.make(fields).name == "waiting_times"
    assert set(typed_fields) - {p.option for p in source.described.parameters} == {"--epsilon"}

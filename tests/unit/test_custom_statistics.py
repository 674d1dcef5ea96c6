"""Statistics of a file: run in a process of their own, remembered by the job, stopped when they go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from analyst_world import AnalystWorld, analyst_world
from coordinator_world import ANALYST
from custom_files import BAD, OFFERING, THRICE, write
from samples import DEPARTMENTS, sample_dataset
from two_rounds import Twice

from fedstats import statistic
from fedstats.client.custom.file import FileStatistic, StatisticFile
from fedstats.client.custom.process import Limits
from fedstats.client.explanation import explanation_lines
from fedstats.client.opening import statistic_at
from fedstats.client.session import connect
from fedstats.core.foresight import Foreseeing, Foreseen, Supporting
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.core.statistic import Announcing, Ask
from fedstats.errors import (
    FedstatsError,
    JobUnknown,
    NetworkError,
    OutsideScope,
    ParameterInvalid,
    Spent,
    StatisticChanged,
    StatisticFailed,
    StatisticStopped,
    StatisticUnreadable,
)
from fedstats.identity.peer import Peer
from fedstats.sql.texts import condition_of_text
from fedstats.testing.transport import Fault, SimulatedNetwork
from fedstats.wire.method import Method
from fedstats.wire.methods import SUBMIT

ASK = Ask(
    sample_dataset(),
    MechanismLoss(Mechanism.GAUSSIAN, Fraction(1)),
    Contribution(4, 4, 1),
    tuple(DEPARTMENTS),
)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StatisticFile]:
    """The file that fails, in one process; whoever breaks the process uses one of her own."""
    path = write(tmp_path_factory.mktemp("bad"), BAD, name="bad.py")
    with StatisticFile(path, "Bad", Limits(step_s=5, memory_bytes=2**31)) as file:
        yield file


@pytest.fixture
def world(tmp_path: Path) -> AnalystWorld:
    """An analyst, a coordinator, and departments that answer."""
    return analyst_world(tmp_path)


def failing(bad: StatisticFile, how: str) -> FileStatistic:
    """The statistic that fails like this."""
    return bad.make({"dataset": "rtt", "how": how})


@pytest.mark.parametrize(
    "how, error, words",
    [
        (
            "raises",
            StatisticFailed,
            r"FS-121 .*bad\.py failed in step with ZeroDivisionError at line \d+\. Nothing",
        ),
        ("ends", StatisticFailed, "failed in step with SystemExit at line"),
        ("memory", StatisticStopped, "FS-122 .*more memory than it may, in step"),
        ("nothing", StatisticFailed, "step gave back a NoneType, not a Round or an Estimate"),
        ("infinite", StatisticFailed, "infinite or none at all"),
        ("half a character", StatisticFailed, "step gave back no estimate. A text holds half of a character"),
        ("ragged", StatisticFailed, "not one label for each key and one cell for each column"),
    ],
)
def test_a_step_that_goes_wrong_is_one_sentence(
    bad: StatisticFile, how: str, error: type[FedstatsError], words: str
) -> None:
    """What happened, in which line, what was spent."""
    with pytest.raises(error, match=words) as caught:
        failing(bad, how).step(ASK, [])
    assert caught.value.spent is Spent.NOTHING


def test_a_step_that_never_ends_is_stopped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By the time limit; before, of an error's traceback the file's own lines were shown, and no others."""
    with StatisticFile(write(tmp_path, BAD), "Bad", Limits(step_s=0.3)) as file:
        with pytest.raises(StatisticFailed):
            failing(file, "raises").step(ASK, [])
        shown = capfd.readouterr().err
        assert "return 1 / 0" in shown
        assert "__main__" not in shown
        endless = failing(file, "never ends")
        with pytest.raises(StatisticStopped, match=r"longer than 0\.3 s in step, and was stopped"):
            endless.step(ASK, [])
        with pytest.raises(StatisticFailed, match="was ended before"):
            endless.condition(ASK.dataset)


@pytest.mark.parametrize(
    "text, name, words",
    [
        ("def f(:\n", "Bad", "is no Python: line 1"),
        ("import nothing_of_this_name\n", "Bad", "ModuleNotFoundError at line 1"),
        (BAD, "Bat", "has no class Bat; did you mean Bad"),
        (BAD, "Loose", "Loose is no frozen dataclass"),
        (BAD, "Grid", "has no condition and no step"),
    ],
)
def test_a_file_that_is_no_statistic_says_why(tmp_path: Path, text: str, name: str, words: str) -> None:
    """FS-120 names the line, or what is missing; nothing was spent."""
    path = write(tmp_path, text, name="x.py")
    with pytest.raises(StatisticUnreadable, match=words) as caught:
        statistic_at(f"{path}:{name}", {"dataset": "rtt"})
    assert "FS-120" in str(caught.value)
    assert "Nothing was spent." in str(caught.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """Before any process is started."""
    with pytest.raises(StatisticUnreadable, match="cannot be read: No such file"):
        statistic_at(f"{tmp_path}/none.py:Bad", {})
    with pytest.raises(StatisticUnreadable, match="names a file and no class"):
        statistic_at(f"{tmp_path}/none.py", {})


def test_budget_is_spent_only_for_what_was_released(world: AnalystWorld, bad: StatisticFile) -> None:
    """What a later round may not ask is refused before it is signed, and the error says what was spent."""
    for how, error, words in (
        ("raises later", StatisticFailed, "failed in step with KeyError"),
        ("scope", OutsideScope, "the columns cost, which the query did not announce"),
        ("share", StatisticFailed, r"ask for 1\.25 times the loss of the question"),
        ("endless", StatisticFailed, "announced 2 rounds and asks for one more"),
    ):
        with world.session() as session, pytest.raises(error, match=words) as caught:
            session.run(failing(bad, how), epsilon="0.5")
        assert "What earlier rounds asked was spent, and nothing more." in str(caught.value)
    kinds = [entry.kind for entry in world.world.register()]
    assert (kinds.count("query"), kinds.count("round")) == (4, 1)


def test_a_job_remembers_its_file_and_resumes_without_it_given_again(
    world: AnalystWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    """Asked once by file, looked at again by its name alone, with the same numbers and no new entry."""
    path = write(world.home.folder)
    said: list[str] = []
    with world.session() as session:
        thrice = statistic_at(f"{path}:Thrice", {"dataset": "rtt", "bound": 50})
        answer = session.run(thrice, epsilon=1, announce=said.append)
        entries = len(world.world.register())
        assert session.resume(answer.job).table == answer.table
        assert session.jobs()[0].question == 'thrice(dataset="rtt", bound=50)'
    assert len(world.world.register()) == entries
    assert said == ["Asks up to 3 rounds; loses epsilon 1 in all, 2.3 % of the budget of RTT-2026."]
    captured = capfd.readouterr()
    assert "a word of the file's own" in captured.err
    assert captured.out == ""


def test_a_built_in_statistic_is_remembered_by_its_name(world: AnalystWorld) -> None:
    """Resumed, explained and looked at from the job alone; what would be a new question is refused."""
    crossed = statistic("crosstab", dataset="rtt", row="sex", column="urgent")
    with world.session() as session:
        explained = session.explain(crossed, epsilon=1)
        answer = session.run(crossed, epsilon=1)
        job = session.jobs()[0]
        assert job.question == explained.question == 'crosstab(dataset="rtt", row="sex", column="urgent")'
        assert job.origin is not None
        assert (job.origin.statistic, job.origin.file_hash, job.sql) == ("crosstab", "", "")
        assert session.resume(job.name).tables == answer.tables
        with pytest.raises(ParameterInvalid, match="Another --row would ask"):
            session.view(job.name, row="age > 40")
        aimed = session.aim(crossed, target=200)
        assert aimed.epsilon < 1


def test_the_totals_of_a_question_in_sql_are_remembered(world: AnalystWorld) -> None:
    """Asked with totals, resumed with totals; and a view has them or has them not, free."""
    with world.session() as session:
        answer = session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1, totals=True)
        assert session.resume(answer.job).table == answer.table
        assert any(row.total for row in answer.table)
        assert not any(row.total for row in session.view(answer.job, totals=False).table)
        with pytest.raises(ParameterInvalid, match=r"Another --sql would ask .* It may change --totals"):
            session.view(answer.job, sql="SELECT COUNT(*) FROM rtt")


def test_what_a_file_offers_besides_is_offered(tmp_path: Path) -> None:
    """Announced rounds, foreseen columns and the support's share come back as the file said them."""
    path = write(tmp_path, OFFERING, name="offering.py")
    offering: Any = statistic(f"{path}:Offering", dataset="rtt")
    assert all(isinstance(offering, kind) for kind in (Announcing, Foreseeing, Supporting))
    assert [sorted(found.columns()) for found in offering.later(ASK)] == [["cost"]]
    assert offering.foresee(ASK) == (Foreseen("n", exact=True, counts=True),)
    assert offering.support_share(ASK) == Fraction(1, 3)
    assert offering.condition(ASK.dataset) == condition_of_text("age > 40", ASK.dataset)
    assert offering.version.startswith("1 sha256:")
    assert not isinstance(statistic(f"{write(tmp_path)}:Thrice", dataset="rtt"), Announcing)


def test_three_rounds_resume_wherever_they_were_cut_off(tmp_path: Path) -> None:
    """The network fails before each round in turn: the rounds signed are the same, each is asked once."""
    whole = analyst_world(tmp_path / "whole")
    reference = f"{write(tmp_path)}:Thrice"
    with whole.session() as session:
        expected = session.run(statistic_at(reference, {"dataset": "rtt"}), epsilon=1).table
    cut = analyst_world(tmp_path / "cut")
    submits = count(1)

    def faults(_peer: Peer, called: Method[Any, Any]) -> Fault:
        return Fault.REQUEST_LOST if called == SUBMIT and next(submits) in {1, 3, 6} else Fault.NONE

    network = SimulatedNetwork(lambda: cut.world.coordinator, ANALYST, faults=lambda: faults)
    with connect(cut.home.folder, transport=network, now=cut.world.clock, pause=cut.pause) as session:
        with pytest.raises(NetworkError):
            session.run(statistic_at(reference, {"dataset": "rtt"}), epsilon=1)
        job = session.jobs()[0].name
        for _ in range(2):
            with pytest.raises(NetworkError):
                session.resume(job)
        assert session.resume(job).table == expected
    assert [entry.kind for entry in cut.world.register()].count("round") == 2


def test_what_several_rounds_cost_and_how_wide_they_are_is_said_before(world: AnalystWorld) -> None:
    """Round by round from made-up totals, at no cost; of one that never ends nothing is promised."""
    path = write(world.home.folder)
    with world.session() as session:
        explained = session.explain(statistic_at(f"{path}:Thrice", {"dataset": "rtt"}), epsilon=1)
        endless = write(world.home.folder, BAD, name="bad.py")
        asked_on = statistic_at(f"{endless}:Bad", {"dataset": "rtt", "how": "endless"})
        unknown = session.explain(asked_on, epsilon=1)
    lines = dict(explanation_lines(explained))
    assert lines["Rounds:"].startswith("up to 3.")
    assert [width.column for width in explained.widths] == ["first", "second", "third"]
    assert unknown.widths == ()
    assert "cannot be known beforehand" in dict(explanation_lines(unknown))["Rounds:"]


def test_another_view_of_a_release_changes_free_parameters_alone(world: AnalystWorld) -> None:
    """A title is free, offline too; another bound would be a new question, and says so."""
    path = write(world.home.folder)
    with world.session() as session:
        answer = session.run(statistic_at(f"{path}:Thrice", {"dataset": "rtt"}), epsilon=1)
        entries = len(world.world.register())
        view = session.view(answer.job, title="again", bound=60)
        assert (view.table.name, view.table.rows) == ("again", answer.table.rows)
        with pytest.raises(
            ParameterInvalid, match=r"Another --bound would ask .* It may change --title"
        ) as caught:
            session.view(answer.job, bound=61)
        assert "FS-124" in str(caught.value)
        with pytest.raises(ParameterInvalid, match="no parameter 'titel'; did you mean title"):
            session.view(answer.job, titel="x")
    assert len(world.world.register()) == entries


def test_a_file_that_changed_is_not_resumed(world: AnalystWorld) -> None:
    """FS-123 names the hash of the file that asked; a copy of it goes on, wherever it lies."""
    path = write(world.home.folder)
    with world.session() as session:
        answer = session.run(statistic_at(f"{path}:Thrice", {"dataset": "rtt"}), epsilon=1)
        copy = write(world.home.folder, name="copy.py")
        path.write_text(THRICE + "# edited\n")
        origin = session.jobs()[0].origin
        assert origin is not None
        with pytest.raises(StatisticChanged, match=rf"FS-123 .*is not the file .* {origin.file_hash}"):
            session.resume(answer.job)
        path.unlink()
        with pytest.raises(StatisticChanged, match="cannot be read"):
            session.resume(answer.job)
        assert session.resume(answer.job, statistic=copy).table == answer.table
        assert session.resume(answer.job).table == answer.table  # where it is now is remembered


def test_a_class_of_a_notebook_is_given_again(world: AnalystWorld) -> None:
    """Nobody else can make it: the job says so, and takes it when it is given."""
    with world.session() as session:
        answer = session.run(Twice(), epsilon=1)
        with pytest.raises(JobUnknown, match=r"session\.resume"):
            session.resume(answer.job)
        assert session.resume(answer.job, statistic=Twice()).table == answer.table

"""Asking: what an analyst gets, from whom, at what cost, and what is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analyst_world import AnalystWorld, analyst_world, people, refusing, releasing, silent
from coordinator_world import CONTROLLERS
from samples import DEPARTMENTS, seed_key

from fedstats.client.following import Progress
from fedstats.client.home import Config
from fedstats.client.jobs import JobState
from fedstats.core.appointment import Revocation
from fedstats.core.estimate import Absence, AbsenceReason, Value
from fedstats.errors import (
    FedstatsError,
    KeyUnknown,
    LanguageError,
    LossInvalid,
    NameUnknown,
    NotAnswered,
    NotAuthorised,
    OutsideAgreement,
    Spent,
    StillWaiting,
)
from fedstats.identity.keys import Context, Signed
from fedstats.wire import codec

COUNT = "SELECT COUNT(*) AS n FROM rtt"
BY_DEPARTMENT = "SELECT department, COUNT(*) AS n FROM rtt GROUP BY department"


def values(cells: Sequence[object]) -> list[float | None]:
    """The numbers of cells, None where there is none."""
    return [cell.value if isinstance(cell, Value) else None for cell in cells]


def test_an_answer_is_the_sum_over_the_departments(tmp_path: Path) -> None:
    """Totals are added up here from every signed release, and carry the noise of every department."""
    world = analyst_world(tmp_path, north=releasing(people(7_000)), south=releasing(people(3_000, sex=1)))
    with world.session() as session:
        answer = session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1)
    assert [row.key for row in answer.table] == [("F",), ("M",)]
    assert [values(row.cells) for row in answer.table] == [[7_100], [3_000]]
    first = answer.table.rows[0].cells[0]
    assert isinstance(first, Value)
    assert first.noise_interval.lo < 7_100 < first.noise_interval.hi
    assert [p.department for p in answer.participants if p.refusal is None] == list(DEPARTMENTS)


def test_an_answer_says_what_it_cost_and_promises(tmp_path: Path) -> None:
    """Cost, what is left at the fullest department, the promise, the agreement and the purpose are echoed."""
    world = analyst_world(tmp_path, south=releasing(people(9), left_ppm=250_000))
    with world.session() as session:
        answer = session.query(COUNT, epsilon="0.5")
    assert answer.cost is not None
    assert answer.guarantee is not None
    assert (float(answer.cost.epsilon), answer.cost.left_percent) == (0.5, 25.0)
    assert answer.cost.used_percent == pytest.approx(0.617, abs=0.001)
    assert "64.8 %" in answer.guarantee.sentence
    assert (answer.question.agreement, answer.question.purpose) == ("RTT-2026", "waiting")
    assert answer.question.text == COUNT


def test_a_refusing_department_is_named_and_not_added(tmp_path: Path) -> None:
    """Where the agreement allows partial answers, the others are added up and the absent one says why."""
    world = analyst_world(tmp_path, west=refusing())
    with world.session() as session:
        answer = session.query(BY_DEPARTMENT, epsilon=1)
    refusals = {p.department: p.refusal.code if p.refusal else "" for p in answer.participants}
    assert refusals == {"north": "", "south": "", "west": "FS-207"}
    absent = answer.table.rows[2].cells[0]
    assert isinstance(absent, Absence)
    assert absent.reason is AbsenceReason.REFUSED


def test_too_few_answers_are_no_answer(tmp_path: Path) -> None:
    """Below the agreement's least number there is no estimate; the error says who, why and what was spent."""
    world = analyst_world(tmp_path, north=refusing(), west=refusing("FS-206", "It has paused."))
    with world.session() as session:
        with pytest.raises(NotAnswered, match=r"north: FS-207 .*west: FS-206 It has paused") as caught:
            session.query(COUNT, epsilon=1)
        assert session.jobs()[0].state is JobState.NOT_ANSWERED
    assert caught.value.spent is Spent.CHARGED  # south answered


def test_one_reason_of_several_departments_is_said_once(tmp_path: Path) -> None:
    """With a hundred departments that refuse for one reason, the sentence can still be read."""
    paused = {name: refusing("FS-206", "It has paused.") for name in ("north", "west")}
    with (
        analyst_world(tmp_path, **paused).session() as session,
        pytest.raises(NotAnswered, match=r"north, west: FS-206 It has paused\.") as caught,
    ):
        session.query(COUNT, epsilon=1)
    assert caught.value.sentence.count("It has paused.") == 1


def test_a_version_that_was_just_replaced_says_what_to_do(tmp_path: Path) -> None:
    """Between a new version's acceptance and the coordinator's hearing of it, the way on is to ask anew."""
    replaced = {name: refusing("FS-202", "Version 1 is not in force here.") for name in ("north", "west")}
    with (
        analyst_world(tmp_path, **replaced).session() as session,
        pytest.raises(NotAnswered, match="within a minute: then ask anew") as caught,
    ):
        session.query(COUNT, epsilon=1)
    assert str(caught.value).endswith(": fedstats agreement status RTT-2026")


def test_a_department_without_the_edition_is_left_out_and_named(tmp_path: Path) -> None:
    """The newest edition that the most departments hold is asked; who does not hold it is said."""
    world = analyst_world(tmp_path)
    world.editions = {"north": ("2025-09", "2025-10"), "south": ("2025-09", "2025-10"), "west": ("2025-10",)}
    for name in DEPARTMENTS:
        world.announce(name)
    with world.session() as session:
        assert session.query(COUNT, epsilon=1).question.edition == "2025-10"
        answer = session.query(COUNT, epsilon=1, edition="2025-09")
        with pytest.raises(NameUnknown, match="did you mean 2025-10"):
            session.query(COUNT, epsilon=1, edition="2025-1")
        with pytest.raises(NameUnknown, match="is a revision"):
            session.query(COUNT, epsilon=1, edition="2025-10.2")
    (absent,) = [p for p in answer.participants if p.refusal]
    assert absent.department == "west"
    assert absent.refusal is not None
    assert absent.refusal.code == "FS-208"
    assert values(answer.table.rows[0].cells) == [200]


def test_waiting_ends_when_it_was_asked_to_and_the_question_goes_on(tmp_path: Path) -> None:
    """After `wait_s` the analyst is told how to go on; the answer is there later, and is asked for once."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        with pytest.raises(StillWaiting, match="waits for west") as caught:
            session.query(COUNT, epsilon=1, wait_s=30)
        job = session.jobs()[0]
        assert f"fedstats resume {job.name}" in caught.value.advice
        world.answers["west"] = releasing(people(5))
        world.world.clock.pass_s(120)  # the lease that west took and forgot
        answer = session.resume(job.name[:4])
    assert values(answer.table.rows[0].cells) == [205]
    assert [entry.kind for entry in world.world.register()].count("query") == 1


def test_at_the_deadline_what_is_there_is_the_answer(tmp_path: Path) -> None:
    """A department that never answers does not hold up the others for ever: it is absent."""
    world = analyst_world(tmp_path, west=silent)

    def hours_pass(_progress: Progress) -> None:
        world.world.clock.pass_s(3_600)

    with world.session() as session:
        answer = session.query(BY_DEPARTMENT, epsilon=1, progress=hours_pass)
    absent = answer.table.rows[2].cells[0]
    assert isinstance(absent, Absence)
    assert absent.reason is AbsenceReason.NO_ANSWER


def test_progress_is_told_by_department(tmp_path: Path) -> None:
    """Every change of every department reaches whoever watches."""
    told: list[Progress] = []
    with analyst_world(tmp_path, west=refusing()).session() as session:
        answer = session.query(COUNT, epsilon=1, progress=told.append)
    assert told[0].job == answer.job
    assert {d.state for d in told[0].departments} == {"offered"}
    assert {d.department: d.state for d in told[-1].departments} == {
        "north": "answered",
        "south": "answered",
        "west": "refused",
    }
    assert told[-1].over


MISTAKES: list[tuple[dict[str, Any], type[FedstatsError], str]] = [
    ({"sql": "SELECT age FROM rtt"}, LanguageError, "FS-40"),
    ({"sql": "SELECT COUNT(*) FROM people"}, NameUnknown, "rtt"),
    ({"sql": "SELECT postcode_area, COUNT(*) FROM rtt GROUP BY postcode_area"}, LanguageError, "GROUP BY"),
    ({"epsilon": "3"}, OutsideAgreement, "--epsilon 2 or less"),
    ({"epsilon": "0"}, LossInvalid, "FS-106"),
    ({"pure": True}, OutsideAgreement, "laplace"),
    ({"purpose": "marketing"}, NameUnknown, "waiting"),
    ({"agreement": "RTT-2027"}, NameUnknown, "RTT-2026"),
]


@pytest.mark.parametrize("choices,kind,says", MISTAKES)
def test_mistakes_cost_nothing(
    tmp_path: Path, choices: dict[str, Any], kind: type[FedstatsError], says: str
) -> None:
    """What the agreement or the language does not allow is explained here, and nothing is sent or kept."""
    world = analyst_world(tmp_path)
    before = len(world.world.register())
    with world.session() as session:
        with pytest.raises(kind) as caught:
            session.query(choices.pop("sql", COUNT), **{"epsilon": 1, **choices})
        assert session.jobs() == ()
    assert says in str(caught.value)
    assert len(world.world.register()) == before


def test_controllers_whose_keys_were_not_compared_are_not_believed(tmp_path: Path) -> None:
    """An agreement counts only with every controller's key trusted on this computer."""
    world = analyst_world(tmp_path)
    (tmp_path / "trust.json").unlink()
    world.home.trust.trust("north", seed_key("controller north").public.fingerprint)
    world.home.trust.trust("south", seed_key("somebody else").public.fingerprint)
    with world.session() as session:
        assert session.datasets() == ()
        with pytest.raises(KeyUnknown, match=r"south, west.*") as caught:
            session.query(COUNT, epsilon=1, agreement="RTT-2026")
    assert "fedstats use RTT-2026" in caught.value.advice


def test_an_analyst_whom_nobody_appointed_is_told_before_asking(tmp_path: Path) -> None:
    """A revoked appointment stops a question here, with what to do; nothing is sent."""
    world = analyst_world(tmp_path)
    gone = Revocation("north", seed_key("a.smith").public.raw, 1, "left the department")
    signed = Signed.make(Context.REVOCATION, codec.encode_revocation(gone), seed_key("controller north"))
    world.world.publish(CONTROLLERS["north"], revocation=codec.signed_to(signed))
    with world.session() as session, pytest.raises(NotAuthorised, match="revoked by north") as caught:
        session.query(COUNT, epsilon=1)
    assert (
        "fedstats rotate-key --now" in caught.value.advice
    )  # a revoked key that is appointed again stays revoked


def test_what_is_in_use_is_the_default(tmp_path: Path) -> None:
    """`fedstats use` fills in what a question does not say; a purpose that does not exist is never sent."""
    world = analyst_world(tmp_path)
    world.home.write_config(Config(address="stats.example:8443", agreement="RTT-2026", purpose="waiting"))
    with world.session() as session:
        assert session.query(COUNT, epsilon=1).question.purpose == "waiting"


def test_explaining_spends_nothing_and_is_right(tmp_path: Path) -> None:
    """The expected width of a count is the width that its answer has; nothing reaches the coordinator."""
    world: AnalystWorld = analyst_world(tmp_path)
    with world.session() as session:
        explained = session.explain(
            "SELECT sex, COUNT(*) AS n, AVG(age) AS a FROM rtt GROUP BY sex", epsilon=1
        )
        assert session.jobs() == ()
        answer = session.query("SELECT sex, COUNT(*) AS n, AVG(age) AS a FROM rtt GROUP BY sex", epsilon=1)
    cell = answer.table.rows[0].cells[0]
    assert isinstance(cell, Value)
    assert explained.widths[0].half_width == pytest.approx(cell.noise_interval.half_width)
    assert explained.cells == 2
    assert answer.cost is not None
    assert explained.cost == replace(answer.cost, left_percent=None)

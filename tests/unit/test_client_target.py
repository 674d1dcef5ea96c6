"""--target: the least loss for a wanted accuracy, found without data, and kept to by the answer."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from analyst_world import analyst_world
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import NOW_S, sample_agreement, sample_dataset
from waiting import federation

from fedstats.client.aiming import Aim, Target, aim, limits_of, parse_target
from fedstats.client.asking import Draft, Terms, draft, loss_of
from fedstats.client.catalogue import Choice
from fedstats.client.expecting import Width, expected_widths
from fedstats.client.explanation import explanation_json, explanation_lines
from fedstats.core.estimate import Interval, TableRow, Value
from fedstats.core.estimate import Table as Answered
from fedstats.core.foresight import EPSILON_STEP, greatest_epsilon, least_epsilon
from fedstats.core.privacy import Mechanism
from fedstats.errors import TargetOutOfReach, ValueInvalid
from fedstats.statistics.table import Table

COUNT = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"
BOTH = sample_agreement(
    privacy=replace(sample_agreement().privacy, mechanisms=(Mechanism.GAUSSIAN, Mechanism.LAPLACE))
)


def drafted(sql: str, *, pure: bool = False) -> tuple[Draft, Table]:
    """The question at some loss, with its statistic."""
    dataset = sample_dataset()
    statistic = Table.from_sql(sql, lambda _: dataset)
    choice = Choice("2025-09", dataset.holders, ())
    terms = Terms(BOTH, "waiting", dataset, choice)
    loss = loss_of(BOTH, Fraction(1, 100), pure=pure)
    return draft(statistic, sql, terms, loss, now_s=NOW_S, nonce=bytes(16)), statistic


def widths_at(sql: str, epsilon: Fraction, *, pure: bool) -> list[float | None]:
    """The half widths of a question at a loss."""
    made, statistic = drafted(sql, pure=pure)
    found = expected_widths(made, statistic, loss_of(BOTH, epsilon, pure=pure))
    return [width.half_width for width in found]


def aimed(sql: str, target: str, *, pure: bool = False) -> Aim:
    """The aim of a question under the sample agreement."""
    made, statistic = drafted(sql, pure=pure)
    return aim(made, statistic, parse_target(target), pure=pure)


@settings(max_examples=12, deadline=None)
@given(width=st.integers(60, 5_000), pure=st.booleans(), mean=st.booleans())
def test_the_least_loss_is_found(width: int, pure: bool, mean: bool) -> None:  # noqa: FBT001 # drawn
    """The target is met, and with one step of the loss less it is not."""
    sql = "SELECT sex, COUNT(*) AS n, SUM(age) AS s FROM rtt GROUP BY sex" if mean else COUNT
    try:
        found = aimed(sql, str(width), pure=pure)
    except TargetOutOfReach as problem:
        (most,) = re.findall(r"\(epsilon ([0-9.]+)\)", problem.sentence)
        assert any(w is None or w > width for w in widths_at(sql, Fraction(most), pure=pure))
        return
    assert all(w is not None and w <= width for w in widths_at(sql, found.epsilon, pure=pure))
    less = found.epsilon - EPSILON_STEP
    if less >= Fraction(1, 1000):
        assert any(w is None or w > width for w in widths_at(sql, less, pure=pure))


@given(least=st.integers(1, 30_000), most=st.integers(10, 20_000))
def test_the_search_is_right_for_every_threshold(least: int, most: int) -> None:
    """Whatever the least loss is that is enough, and the greatest that is allowed: both are found exactly."""
    found = least_epsilon(lambda e: e >= least * EPSILON_STEP, most=most * EPSILON_STEP)
    assert found == (max(least, 10) * EPSILON_STEP if least <= most else None)
    top = greatest_epsilon(lambda e: e <= least * EPSILON_STEP, most=most * EPSILON_STEP)
    assert top == (min(least, most) * EPSILON_STEP if least >= 10 else None)


def test_the_answer_keeps_to_the_target(tmp_path: Path) -> None:
    """Every cell of the real release is as narrow as was wanted, and what it cost is what --explain said."""
    with federation(tmp_path) as fed, fed.session() as session:
        explained = session.explain(COUNT, target=90)
        answer = session.query(COUNT, target="90", wait_s=60)
        cells = [cell for row in answer.table for cell in row.cells if isinstance(cell, Value)]
        assert len(cells) == 2
        assert all(cell.noise_interval.half_width <= 90 for cell in cells)
        assert answer.cost is not None
        assert explained.cost.loss == answer.cost.loss
        assert explained.aim is not None
        again = session.query(COUNT, epsilon=str(float(explained.aim.epsilon)), wait_s=60)
        assert again.table == answer.table, "the same loss typed is the same question"
        assert all(len(node.ledger.entries()) == 1 for node in fed.nodes.values())


def test_a_percentage_of_an_earlier_answer_costs_nothing_to_read(tmp_path: Path) -> None:
    """5% of JOB is of the middle value in its column of the same name; reading it is post-processing."""
    with federation(tmp_path) as fed, fed.session() as session:
        first = session.query("SELECT COUNT(*) AS n FROM rtt", epsilon=2, wait_s=60)
        cell = first.table.rows[0].cells[0]
        assert isinstance(cell, Value)
        spent = {name: fed.spent(name) for name in fed.nodes}
        found = session.aim(COUNT, target=f"60% of {first.job}")
        assert found.limits == {"n": pytest.approx(0.6 * abs(cell.value))}
        assert {name: fed.spent(name) for name in fed.nodes} == spent


def test_what_is_out_of_reach_says_what_is_possible(tmp_path: Path) -> None:
    """Over the limit of one question: which width the most that may be asked reaches; nothing is sent."""
    with analyst_world(tmp_path).session() as session:
        with pytest.raises(TargetOutOfReach) as caught:
            session.query(COUNT, target=5)
        assert session.jobs() == ()
        assert "epsilon 2" in str(caught.value)
        reached = caught.value.sentence.rsplit("± ", 1)[1].rstrip(".")
        assert session.aim(COUNT, target=reached).epsilon <= 2


def test_what_is_left_limits_too() -> None:
    """Where a department said that little is left, the most that fits into it is the limit."""
    made, statistic = drafted(COUNT)
    with pytest.raises(TargetOutOfReach, match="is left"):
        aim(made, statistic, Target(Fraction(60)), pure=False, left_ppm=1_000)
    with pytest.raises(TargetOutOfReach, match="Nothing is left"):
        aim(made, statistic, Target(Fraction(60)), pure=False, left_ppm=0)


def test_a_percentage_of_the_public_size_is_for_counts() -> None:
    """2 % of 100,000 people is 2,000 for what counts; averages have no target, and alone are refused."""
    found = aimed("SELECT COUNT(*) AS n, AVG(age) AS a FROM rtt", "2%")
    assert found.limits == {"n": 2_000}
    assert "a has no target." in found.sentences
    with pytest.raises(ValueInvalid, match="counts nothing"):
        aimed("SELECT SUM(age) AS s FROM rtt", "2%")


def test_averages_are_expected_to_keep_to_it() -> None:
    """The width of an average follows from the public size, and says so."""
    found = aimed("SELECT sex, AVG(age) AS a FROM rtt GROUP BY sex", "0.5")
    (width,) = found.widths
    assert not width.exact
    assert width.half_width is not None
    assert width.half_width <= 0.5
    assert "expected in a cell of middling size" in found.sentences[0]


@pytest.mark.parametrize("text", ["", "0", "-5", "nan", "50 of abcd", "%", "1e3", "5% of", "2%%"])
def test_what_is_no_target_is_refused(text: str) -> None:
    """A target that cannot be read says how one is written."""
    with pytest.raises(ValueInvalid, match="is no target"):
        parse_target(text)


@pytest.mark.parametrize(
    "text,target",
    [
        ("50", Target(Fraction(50))),
        (" .5 ", Target(Fraction(1, 2))),
        ("2 %", Target(Fraction(2), percent=True)),
        ("5% of 3F9ac2d1", Target(Fraction(5), percent=True, job="3f9ac2d1")),
    ],
)
def test_a_target_is_read(text: str, target: Target) -> None:
    """A number, a percentage, a percentage of a job."""
    assert parse_target(text) == target


def test_the_loss_and_the_target_exclude_each_other(tmp_path: Path) -> None:
    """One of the two is given, never both and never none."""
    with analyst_world(tmp_path).session() as session:
        for wrong in ({}, {"epsilon": 1, "target": 50}):
            with pytest.raises(ValueInvalid, match="epsilon"):
                session.query(COUNT, **wrong)  # type: ignore[arg-type]  # a table of choices


def test_an_earlier_answer_without_the_columns_is_no_measure() -> None:
    """A job whose columns have other names says which names were looked for."""
    widths = [Width("table", "n", 1.0), Width("table", "m", 1.0)]
    earlier = Answered("table", (), ("x",), (TableRow((), (Value(5.0, Interval(0, 9)),)),))
    target = Target(Fraction(5), percent=True, job="abcd")
    with pytest.raises(ValueInvalid, match=r"n, m"):
        limits_of(target, widths, people_about=10, earlier=earlier)
    assert limits_of(target, widths[:1], people_about=10, earlier=earlier) == {"n": 0.25}


def test_explain_warns_where_the_noise_hides_the_cells(tmp_path: Path) -> None:
    """Noise that is wider than a cell of middling size is said before anything is spent, WHERE or not."""
    crowded = "SELECT started, sex, COUNT(*) AS n FROM rtt WHERE age > 64 GROUP BY started, sex"
    with analyst_world(tmp_path).session() as session:
        explained = session.explain(crowded, epsilon="0.1")
        lines = explanation_lines(explained)
        (warning,) = [line for head, line in lines if head == "Warning:"]
        assert "WHERE leaves still fewer" in warning
        (cells,) = [line for head, line in lines if head == "Cells:"]
        assert "nobody knows beforehand" in cells
        assert '"warnings": [\n' in explanation_json(explained)
        quiet = explanation_lines(session.explain("SELECT COUNT(*) FROM rtt", epsilon=1))
        assert "Warning:" not in [head for head, _ in quiet]

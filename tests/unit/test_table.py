"""The statistic `table`: one round with the fewest measures, and the answer that plain Python would give."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DATASET, RECORDS, definitions, rows
from tables import (
    COST,
    DEPARTMENTS,
    NO_NOISE,
    PEOPLE,
    ROWS,
    WAIT,
    People,
    answered,
    asked,
    cells,
    first_round,
    measures,
)

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.domain import Categories
from fedstats.core.estimate import Absence, AbsenceReason, Estimate, Refusal, Value
from fedstats.core.evaluation import Row
from fedstats.core.expression import Column, normalise
from fedstats.core.grid import centred_grid, zero_grid
from fedstats.core.statistic import Mode, Round, RoundResult, Vectors
from fedstats.errors import ExpressionInvalid, InternalError, NameUnknown, SqlRefused, TooLarge
from fedstats.statistics import statistic_of, statistics
from fedstats.statistics.table import Table as TableStatistic


def test_fewest_measures() -> None:
    """Each count is asked once, and an average adds its sum alone: no share of the loss is given away."""
    age, wait, cost = Column("age"), Column("wait_days"), Column("cost")
    count = (MeasureKind.ROWS, None, None)
    assert measures("SELECT COUNT(*), COUNT(age), COUNT(1) FROM waiting") == {count}
    age_grid = centred_grid(DATASET.column("age").domain)
    average = (MeasureKind.SUM, age, age_grid)
    assert measures("SELECT AVG(age), COUNT(*), SUM(age), SUM(age) / COUNT(age) FROM waiting") == {
        count,
        average,
    }
    assert measures("SELECT SUM(cost) FROM waiting") == {(MeasureKind.SUM, cost, zero_grid(COST))}
    waits = {(MeasureKind.ROWS, wait, None), (MeasureKind.SUM, wait, centred_grid(WAIT))}
    assert measures("SELECT AVG(wait_days), COUNT(wait_days), SUM(wait_days) FROM waiting") == waits
    assert measures("SELECT COUNT(DISTINCT nhs_number) FROM waiting") == {(MeasureKind.PEOPLE, None, None)}


def test_counts_of_the_same_rows_are_one_measure() -> None:
    """What is missing in the same rows shares its count, however it is written."""
    assert (
        len(measures("SELECT AVG(wait_days), SHARE(wait_days <= 126), AVG(wait_days + age) FROM waiting"))
        == 4
    )
    assert (
        len(measures("SELECT COUNT(*) FILTER (WHERE urgent), AVG(age) FILTER (WHERE urgent) FROM waiting"))
        == 2
    )
    assert len(measures("SELECT AVG(wait_days + cost), COUNT(wait_days) FROM waiting")) == 3


def test_weights_add_up_exactly() -> None:
    """Seven measures have a seventh each: the whole loss is used and not a bit more."""
    listed = ", ".join(f"SUM(age + {i})" for i in range(7))
    (aggregate,) = first_round(f"SELECT {listed} FROM waiting").aggregates
    assert [measure.weight for measure in aggregate.measures] == [Fraction(1, 7)] * 7


def test_order_of_writing_does_not_matter() -> None:
    """Reordered clauses, keys and columns, and other names, ask for the same round: it is paid once."""
    rounds, wheres = set(), set()
    outputs = ["AVG(cost) AS a", "COUNT(*) AS b", "SUM(age) AS c"]
    keys = ["sex", "BAND(age, 19, 65)", "urgent"]
    conditions = ["age > 1", "sex IN ('M', 'F')"]
    for shuffled in itertools.permutations(outputs):
        for keyed in itertools.permutations(keys):
            for conditioned in itertools.permutations(conditions):
                text = (
                    f"SELECT {', '.join((*keyed, *shuffled))} FROM waiting WHERE {' AND '.join(conditioned)} "
                )
                statistic = TableStatistic.from_sql(text + f"GROUP BY {', '.join(keyed[::-1])}", definitions)
                asked_for = statistic.step(asked(), [])
                assert isinstance(asked_for, Round)
                rounds.add(asked_for)
                where = statistic.condition(DATASET)
                wheres.add(None if where is None else normalise(where))
    assert len(rounds) == 1
    assert rounds == {round_.normalised() for round_ in rounds}
    assert len(wheres) == 1


def test_plain_answers() -> None:
    """Without noise, every aggregate equals plain Python over the pooled rows of all departments."""
    estimate = answered(
        "SELECT COUNT(*), COUNT(wait_days), COUNT(DISTINCT nhs_number), SUM(age), AVG(age), SUM(cost), "
        "AVG(cost), SHARE(wait_days <= 126), SHARE(urgent), 100 * SHARE(admitted), SUM(urgent) FROM waiting",
        PEOPLE,
    )
    ages, costs = [r["age"] for r in ROWS], [r["cost"] / 4 for r in ROWS if r["cost"] is not None]
    waits = [r["wait_days"] for r in ROWS if r["wait_days"] is not None]
    admitted = [r["admitted"] for r in ROWS if r["admitted"] is not None]
    expected = [
        7, 6, 6, sum(filter(None, ages)), fmean(a for a in ages if a is not None), sum(costs), fmean(costs),
        fmean(wait <= 126 for wait in waits), 1 / 7, 100 * fmean(admitted), 1,
    ]  # fmt: skip
    assert list(cells(estimate)[()]) == pytest.approx(expected, abs=1e-12)


def test_formulas() -> None:
    """Without noise, arithmetic of aggregates equals the arithmetic of their plain values."""
    formulas = {
        "SUM(cost) / COUNT(*)": 450 / 7,
        "AVG(age) - AVG(cost)": 320 / 7 - 75,
        "AVG(age) * AVG(cost) / 2": 320 / 7 * 75 / 2,
        "1 - SHARE(urgent)": 6 / 7,
        "SHARE(urgent) / (1 - SHARE(urgent))": 1 / 6,
        "AVG(age) * COUNT(*)": 320,
        "COUNT(wait_days) / COUNT(*)": 6 / 7,
        "(SUM(age) + 2 * COUNT(*)) / (COUNT(wait_days) + 1)": 334 / 7,
        "AVG(age) / AVG(cost) + 3": 320 / 7 / 75 + 3,
        "-COUNT(*) / 7": -1,
        "AVG(age) / SUM(cost) * 2": 320 / 7 / 450 * 2,
    }
    for formula, expected in formulas.items():
        found = cells(answered(f"SELECT {formula} FROM waiting", PEOPLE))
        assert found[()] == pytest.approx((expected,), abs=1e-12), formula


def test_cells_in_the_order_of_select() -> None:
    """Cells stand under their own keys, whatever order the round had, empty and missing ones included."""
    estimate = answered(
        "SELECT specialty, COUNT(*) AS n, BAND(age, 19, 65) AS band, sex FROM waiting "
        "GROUP BY sex, band, specialty",
        PEOPLE,
    )
    (table,) = estimate.tables
    assert (table.keys, table.columns) == (("specialty", "band", "sex"), ("n",))
    specialties = ("C_100", "o'clock", "110", "眼科", None)
    bands, sexes = ("0-18", "19-64", "65-120"), ("F", "M", "überall")
    assert [found.key for found in table] == list(itertools.product(specialties, bands, sexes))
    filled = {key: numbers[0] for key, numbers in cells(estimate).items() if numbers[0]}
    assert filled == {
        ("C_100", "19-64", "F"): 3,
        ("C_100", "19-64", "M"): 2,
        ("眼科", "65-120", "F"): 1,
        (None, "0-18", "F"): 1,
    }


def test_rows_per_department() -> None:
    """With the key department each has its own cells and its own noise, and a silent one has its reason."""
    people = {name: PEOPLE[name] for name in ("north", "west")}
    text = "SELECT sex, department, COUNT(*), AVG(wait_days) FROM waiting GROUP BY department, sex"
    found = cells(answered(text, people, scale=Fraction(1, 4)))
    assert list(found) == list(itertools.product(("F", "M", "überall"), DEPARTMENTS))
    assert found["F", "north"] == (2, 100)
    assert found["F", "west"] == (2, 100)
    silent = found["F", "south"]
    assert silent == (Absence(AbsenceReason.REFUSED, "The department has paused answering."),) * 2
    single = answered(
        "SELECT department, COUNT(*) FROM waiting GROUP BY department", people, scale=Fraction(7)
    )
    pooled = answered("SELECT COUNT(*) FROM waiting", people, scale=Fraction(7))
    assert _half_width(pooled) > 1.3 * _half_width(single)


@pytest.mark.parametrize(
    "code, reason",
    [
        ("FS-214", AbsenceReason.REFUSED),
        ("FS-299", AbsenceReason.NO_ANSWER),
        ("FS-306", AbsenceReason.NO_ANSWER),
    ],
)
def test_silence_is_no_refusal(code: str, reason: AbsenceReason) -> None:
    """A department that said no is told apart from one that said nothing."""
    text = "SELECT department, COUNT(*) FROM waiting GROUP BY department"
    statistic, order = TableStatistic.from_sql(text, definitions), first_round(text)
    result = RoundResult(
        order, ((np.zeros(1, np.int64),),), ((NO_NOISE,),), 1, {}, {"north": Refusal("north", code, "No.")}
    )
    estimate = statistic.step(asked(), [result])
    assert isinstance(estimate, Estimate)
    assert cells(estimate)[("north",)] == (Absence(reason, "No."),)
    assert cells(estimate)[("south",)] == (Absence(AbsenceReason.NO_ANSWER),)


def _half_width(estimate: Estimate) -> float:
    cell = estimate.tables[0].rows[0].cells[0]
    assert isinstance(cell, Value)
    return cell.noise_interval.half_width


def test_departments_are_hidden_in_secure_mode() -> None:
    """Where nobody may learn one department's numbers, asking is refused before anything is spent."""
    text = "SELECT department, COUNT(*) FROM waiting GROUP BY department"
    with pytest.raises(SqlRefused, match="secure mode"):
        first_round(text, asked(mode=Mode.SECURE))
    assert cells(answered("SELECT COUNT(*) FROM waiting", PEOPLE, ask=asked(mode=Mode.SECURE)))[()] == (7,)


def test_notes_say_what_the_numbers_do_not() -> None:
    """Readers are told of records instead of people, of people counted twice, of gaps and of rounding."""
    two = {name: PEOPLE[name] for name in ("north", "west")}
    text = "SELECT COUNT(DISTINCT nhs_number), AVG(cost) FROM waiting"
    notes = " ".join(answered(text, two).notes)
    assert "someone in several departments counts in each" in notes
    assert "without south: The department has paused answering." in notes
    assert "are rounded to steps of" in notes
    assert (
        answered(text, PEOPLE, ask=asked(departments_max=1)).notes
        == answered("SELECT AVG(cost) FROM waiting", PEOPLE).notes
    )
    assert answered("SELECT AVG(age) FROM waiting", PEOPLE).notes == ()
    records: dict[str, People] = {"north": [[{"age": 3, "sex": 0}]]}
    assert (
        answered("SELECT COUNT(*) FROM records", records, ask=asked(RECORDS))
        .notes[0]
        .startswith("Per record")
    )


def test_refused_before_anything_is_spent() -> None:
    """Too many cells, keys or measures, and a divisor that is always 0, are refused when asked."""
    with pytest.raises(TooLarge, match="cells"):
        first_round("SELECT age, wait_days, COALESCE(wait_days, 0), COUNT(*) FROM waiting GROUP BY 1, 2, 3")
    keys = ", ".join(f"age > {i}" for i in range(7))
    with pytest.raises(TooLarge, match="keys"):
        first_round(f"SELECT {keys}, COUNT(*) FROM waiting GROUP BY {keys}")
    with pytest.raises(TooLarge, match="measures"):
        first_round(f"SELECT {', '.join(f'SUM(age + {i})' for i in range(40))} FROM waiting")
    with pytest.raises(ExpressionInvalid, match="always 0"):
        first_round("SELECT AVG(age) / (COUNT(*) - COUNT(*)) FROM waiting")


def test_totals_of_another_question_are_refused() -> None:
    """A statistic that is resumed with the wrong totals says so instead of answering."""
    statistic = TableStatistic.from_sql("SELECT AVG(age) FROM waiting", definitions)
    other = first_round("SELECT AVG(cost) FROM waiting")
    zeros: Vectors = ((np.zeros(1, np.int64), np.zeros(1, np.int64)),)
    with pytest.raises(InternalError, match="do not belong"):
        statistic.step(asked(), [RoundResult(other, zeros, ((NO_NOISE, NO_NOISE),), 3)])


def test_registry_finds_statistics_by_file() -> None:
    """A statistic is one file of the folder, known by its name."""
    assert "table" in statistics()
    for name in statistics():
        found = statistic_of(name)
        assert found.name == name
        assert found.rounds_max >= 1
    with pytest.raises(NameUnknown, match="did you mean table"):
        statistic_of("tabel")


@given(st.lists(st.lists(rows(), min_size=1, max_size=3), min_size=1, max_size=12), st.integers(1, 3))
def test_any_rows_give_the_pooled_answer(people: People, departments: int) -> None:
    """However rows lie over departments, sums over them are the sums over the pool, and averages too."""
    split = {name: people[i::departments] for i, name in enumerate(DEPARTMENTS[:departments])}
    outputs = "COUNT(*), COUNT(cost), SUM(age), AVG(wait_days), SHARE(admitted)"
    found = cells(answered(f"SELECT sex, {outputs} FROM waiting GROUP BY sex", split))
    pool = [r for those in people for r in those]
    sex = DATASET.column("sex").domain
    assert isinstance(sex, Categories)
    for code, label in enumerate(sex.labels):
        own = [r for r in pool if r["sex"] == code]
        assert found[label,][:3] == (len(own), len(_known(own, "cost")), sum(_known(own, "age")))
        for number, column in zip(found[label,][3:], ("wait_days", "admitted"), strict=True):
            known = _known(own, column)
            assert number == pytest.approx(fmean(known)) if known else isinstance(number, Absence)


def _known(own: Sequence[Row], column: str) -> list[int]:
    return [code for r in own if (code := r[column]) is not None]

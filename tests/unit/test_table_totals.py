"""Marginal totals without disclosure control: what plain addition of the cells gives, and what it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from strategies import DATASET, definitions
from tables import NO_NOISE, PEOPLE, People, answered, asked, first_round, row

from fedstats.core.domain import Categories
from fedstats.core.estimate import Absence, AbsenceReason, Estimate, Table, Value
from fedstats.core.noise import noise_half_width
from fedstats.core.privacy import Mechanism
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Round
from fedstats.errors import TooLarge
from fedstats.statistics.table import Table as TableStatistic


def totals_of(text: str, people: dict[str, People], ask: Ask | None = None) -> Table:
    """The table of a question, with its totals."""
    estimate: Estimate = answered(text, people, ask=ask, totals=True)
    return estimate.tables[0]


def value_at(table: Table, *key: str | None, column: int = 0) -> object:
    """The number of a row, or its absence."""
    (found,) = [line for line in table if line.key == key]
    cell = found.cells[column]
    return cell.value if isinstance(cell, Value) else cell


def test_totals_are_what_the_same_question_without_the_key_would_say() -> None:
    """Counts and sums add up; averages and shares are those of all rows, not averages of the cells."""
    outputs = "COUNT(*), SUM(age), AVG(age), SHARE(urgent), SUM(age) / COUNT(*)"
    table = totals_of(f"SELECT sex, urgent, {outputs} FROM waiting GROUP BY sex, urgent", PEOPLE)
    (plain,) = answered(f"SELECT {outputs} FROM waiting", PEOPLE).tables[0].rows
    for column, cell in enumerate(plain.cells):
        assert isinstance(cell, Value)
        assert value_at(table, "all", "all", column=column) == pytest.approx(cell.value, abs=1e-9)
    (by_sex,) = answered("SELECT sex, COUNT(*) FROM waiting GROUP BY sex", PEOPLE).tables
    for line in by_sex:
        cell = line.cells[0]
        assert isinstance(cell, Value)
        assert value_at(table, line.key[0], "all") == cell.value


def test_the_noise_of_a_total_is_that_of_all_its_cells() -> None:
    """A total of n cells of three departments carries 3 n noises, and its interval says so exactly."""
    table = totals_of("SELECT sex, COUNT(*) FROM waiting GROUP BY sex", PEOPLE)
    cells = sum(not line.total for line in table)
    (total,) = [line.cells[0] for line in table if line.total]
    assert isinstance(total, Value)
    half_width = noise_half_width(Mechanism.GAUSSIAN, NO_NOISE, 3 * cells)
    assert total.noise_interval.half_width == half_width


def test_a_department_that_gave_nothing_is_in_no_total() -> None:
    """Totals over departments add up those that answered, and a note names the other; alone, it has none."""
    people = {name: PEOPLE[name] for name in ("north", "south")}
    text = "SELECT department, sex, COUNT(*) FROM waiting GROUP BY department, sex"
    estimate = answered(text, people, totals=True)
    rows = [line for name in people for person in people[name] for line in person]
    assert value_at(estimate.tables[0], "all", "all") == len(rows)
    absent = value_at(estimate.tables[0], "west", "all")
    assert isinstance(absent, Absence)
    assert absent.reason is AbsenceReason.REFUSED
    assert any("The totals are without west" in note for note in estimate.notes)


def test_the_label_of_totals_is_no_value() -> None:
    """Where `all` is a category, the total is another row, with another label."""
    columns = tuple(
        replace(column, domain=Categories(("all", "(all)"))) if column.name == "sex" else column
        for column in DATASET.columns
    )
    dataset: Dataset = replace(DATASET, columns=columns)
    table = totals_of(
        "SELECT sex, COUNT(*) FROM waiting GROUP BY sex",
        {"north": [[row()]], "south": [[row(sex=1)]], "west": [[row(sex=1)]]},
        asked(dataset),
    )
    assert [(line.key, line.total) for line in table] == [
        (("all",), False), (("(all)",), False), (("((all))",), True),
    ]  # fmt: skip
    assert value_at(table, "((all))") == 3


def test_people_in_several_cells_are_said_to_count_in_each() -> None:
    """A total of people adds up cells in which one person may be twice: a note says so."""
    text = "SELECT sex, COUNT(DISTINCT nhs_number) FROM waiting GROUP BY sex"
    assert any(
        "someone who is in several of them" in note for note in answered(text, PEOPLE, totals=True).notes
    )
    assert not any("several of them" in note for note in answered(text, PEOPLE).notes)


def test_totals_that_would_fill_the_memory_are_refused_before_anything_is_spent() -> None:
    """A table of 0.7 million cells by four keys is answered, and its totals are refused with what to do."""
    keys = "wait_days, age, sex, urgent"
    text = f"SELECT {keys}, COUNT(*) FROM waiting GROUP BY {keys}"
    assert isinstance(first_round(text), Round)
    with pytest.raises(TooLarge, match="Leave --totals out"):
        TableStatistic.from_sql(text, definitions, totals=True).step(asked(), [])

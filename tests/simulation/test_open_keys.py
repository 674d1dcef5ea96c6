"""Keys without a public list, from the question to the table, over a simulated federation."""

from __future__ import annotations

import json
from pathlib import Path

from practices import practice_federation

from fedstats.core.estimate import Absence, AbsenceReason, Value
from fedstats.core.rules import budget_of, open_delta_of

SQL = "SELECT practice, COUNT(DISTINCT nhs_number) AS people FROM rtt GROUP BY practice"
MANY = {"A81001": 700, "B82002": 500}


def test_only_values_that_many_people_have_are_named(tmp_path: Path) -> None:
    """A practice of 700 people is a row with about 700; one of a single person is nowhere in the answer."""
    people = {name: {**MANY, "lonely": 1, "": 30} for name in ("north", "south", "west")}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=1, wait_s=600)
        assert [row.key for row in answer.table] == [("A81001",), ("B82002",), (None,)]
        cells = [row.cells[0] for row in answer.table]
        assert all(isinstance(cell, Value) for cell in cells)
        for cell, exact in zip(cells, (2_100, 1_500, 90), strict=True):
            assert isinstance(cell, Value)
            assert abs(cell.value - exact) < 5 * cell.noise_interval.half_width
        assert [row.named_by for row in answer.table] == [3, 3, 3]
        assert "lonely" not in answer.to_json()
        assert any("left out" in note for note in answer.estimate.notes)


def test_a_row_says_how_many_departments_are_in_it(tmp_path: Path) -> None:
    """A value that one department named is a sum over that one, with one noise, and says so everywhere."""
    people = {"north": MANY, "south": {"A81001": 700}, "west": {"A81001": 3}}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=1, wait_s=600)
        named = {row.key[0]: row for row in answer.table}
        assert {key: row.named_by for key, row in named.items()} == {"A81001": 2, "B82002": 1, None: 3}
        two, one = named["A81001"].cells[0], named["B82002"].cells[0]
        assert isinstance(two, Value)
        assert isinstance(one, Value)
        assert one.noise_interval.half_width < two.noise_interval.half_width
        rows = json.loads(answer.to_json())["tables"][0]["rows"]
        assert [row["named_by"] for row in rows] == [2, 1, 3]
        assert "named by" in str(answer)
        assert answer.to_csv().splitlines()[0].endswith("named_by")


def test_departments_beside_each_other_say_which_did_not_name_a_value(tmp_path: Path) -> None:
    """By department a value that it did not name is a typed absence, never 0."""
    people = {"north": MANY, "south": {"A81001": 700}, "west": {}}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        sql = "SELECT department, practice, COUNT(*) AS n FROM rtt GROUP BY department, practice"
        cells = {row.key: row.cells[0] for row in session.query(sql, epsilon=1, wait_s=600).table}
        assert isinstance(cells["north", "B82002"], Value)
        for key in (("south", "B82002"), ("west", "A81001")):
            absent = cells[key]
            assert isinstance(absent, Absence)
            assert absent.reason is AbsenceReason.BELOW_THRESHOLD


def test_naming_costs_delta_at_every_department_and_again_nothing(tmp_path: Path) -> None:
    """The default is a 64th of the agreement's additive delta; a repeated question is free and equal."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        sql = "SELECT practice, sex, COUNT(*) AS n, AVG(age) AS age FROM rtt GROUP BY practice, sex"
        first = session.query(sql, epsilon=1, wait_s=600)
        delta = open_delta_of(fed.agreement)
        assert 0 < delta <= budget_of(fed.agreement).delta_add / 64
        assert {fed.spent(name).delta_add for name in fed.nodes} == {delta}
        assert first.cost is not None
        assert first.cost.loss.delta_add == delta
        assert first.guarantee is not None
        assert first.guarantee.delta >= fed.agreement.privacy.delta_conversion + delta
        again = session.query(sql.replace("sex, COUNT", "sex AS s, COUNT"), epsilon=1, wait_s=600)
        assert [row.cells for row in again.table] == [row.cells for row in first.table]
        assert {fed.spent(name).delta_add for name in fed.nodes} == {delta}


def test_questions_without_such_a_key_cost_no_delta(tmp_path: Path) -> None:
    """The column is there, and nobody pays for it who does not group by it."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1, wait_s=600)
        assert {fed.spent(name).delta_add for name in fed.nodes} == {0}

"""Statistics of many aggregates, asked of a whole simulated federation: signed, registered, charged once."""

from __future__ import annotations

from pathlib import Path

from waiting import federation

from fedstats.core.estimate import Value
from fedstats.statistics.correlation import Correlation
from fedstats.statistics.crosstab import Crosstab
from fedstats.statistics.describe import Describe


def test_a_description_travels_and_another_view_of_it_is_free(tmp_path: Path) -> None:
    """One round with an aggregate for each column is answered by all; counts of it serve nobody twice."""
    with federation(tmp_path) as fed, fed.session() as session:
        answer = session.run(Describe("rtt"), epsilon=2, wait_s=600)
        tables = {table.name: table for table in answer.estimate.tables}
        rows = next(iter(tables["dataset"])).cells[0]
        assert isinstance(rows, Value)
        assert abs(rows.value - 180) < 5 * rows.noise_interval.half_width
        assert [p.refusal for p in answer.estimate.participants] == [None, None, None]
        spent = {name: fed.spent(name) for name in fed.nodes}
        session.run(Describe("rtt", quantiles=(0.9,)), epsilon=2, wait_s=600)
        assert {name: fed.spent(name) for name in fed.nodes} == spent


def test_a_crosstab_after_its_table_is_free(tmp_path: Path) -> None:
    """Who asked the counts in SQL has shares and the test of them for nothing, and a matrix is answered."""
    with federation(tmp_path) as fed, fed.session() as session:
        session.query(
            "SELECT sex, age >= 50, COUNT(*) FROM rtt GROUP BY sex, age >= 50", epsilon=1, wait_s=600
        )
        spent = {name: fed.spent(name) for name in fed.nodes}
        crossed = session.run(Crosstab("rtt", "sex", "age >= 50"), epsilon=1, wait_s=600)
        assert {name: fed.spent(name) for name in fed.nodes} == spent
        assert "Cramer's V" in str(crossed)
        answer = session.run(Correlation("rtt", ("age", "sex = 'F'")), epsilon=1, wait_s=600)
        assert answer.estimate.tables[0].columns == ("age", "sex = 'F'")

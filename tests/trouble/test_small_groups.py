"""Groups in which nobody is, and a department with three people: numbers with wide intervals, or reasons.

Whatever is asked about, a department of three answers as one of forty does: with the same shape, at the same
charge, and never with an error that its rows would bring about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from waiting import Rows, federation, some_rows

from fedstats.core.estimate import Absence, AbsenceReason, Estimate, Value
from fedstats.core.statistic import Statistic
from fedstats.statistics.correlation import Correlation
from fedstats.statistics.crosstab import Crosstab
from fedstats.statistics.describe import Describe
from fedstats.statistics.quantiles import Quantiles
from fedstats.testing.federation import Federation

EVERYTHING = (
    "SELECT sex, COUNT(*), COUNT(DISTINCT nhs_number), SUM(cost), AVG(cost), VAR_SAMP(cost),"
    " STDDEV_SAMP(cost), MEDIAN(cost), QUANTILE(cost, 0.92), SHARE(urgent), AVG(cost) / AVG(age) FROM rtt"
)
STATISTICS: dict[str, Statistic] = {
    "quantiles": Quantiles(dataset="rtt", column="age", by=("sex", "department")),
    "crosstab": Crosstab(dataset="rtt", row="sex", column="urgent"),
    "correlation": Correlation(dataset="rtt", columns=("age", "cost")),
    "describe": Describe(dataset="rtt"),
}


def rows_of(department: str) -> Rows:
    """The west has three people."""
    return some_rows(department, people=3 if department == "west" else 40)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three departments, of which one has three people."""
    with federation(tmp_path_factory.mktemp("small"), rows_of) as made:
        yield made


def check(estimate: Estimate) -> None:
    """Everybody answered; every number is finite and has its interval around it, every absence a reason."""
    assert [participant.refusal for participant in estimate.participants] == [None] * 3
    cells = [cell for table in estimate.tables for row in table for cell in row.cells]
    assert cells
    for cell in cells:
        if isinstance(cell, Absence):
            assert cell.reason in (AbsenceReason.TOO_FEW, AbsenceReason.BELOW_THRESHOLD)
            continue
        assert isinstance(cell, Value)
        interval = cell.noise_interval
        assert all(map(math.isfinite, (cell.value, interval.lo, interval.hi)))
        assert interval.lo <= cell.value <= interval.hi


@pytest.mark.parametrize("where", ["", " WHERE age > 119", " WHERE age > 5 AND age < 5"])
def test_every_aggregate_answers_where_nobody_is(fed: Federation, where: str) -> None:
    """An empty group gives what noise gives: a number within its interval, or that it is too few."""
    with fed.session() as session:
        for keys in ("sex", "sex, department"):
            sql = EVERYTHING.replace("sex,", f"{keys},", 1) + f"{where} GROUP BY {keys}"
            check(session.query(sql, epsilon="0.1", wait_s=300).estimate)
    charged = {name: [e.loss for e in node.ledger.entries()] for name, node in fed.nodes.items()}
    assert charged["west"] == charged["north"] == charged["south"]


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_answers_with_a_department_of_three(fed: Federation, name: str) -> None:
    """The small department is in the answer like the others, at the same charge."""
    with fed.session() as session:
        check(session.run(STATISTICS[name], epsilon="0.1", wait_s=300).estimate)
    charged = {name: [e.loss for e in node.ledger.entries()] for name, node in fed.nodes.items()}
    assert charged["west"] == charged["north"] == charged["south"]

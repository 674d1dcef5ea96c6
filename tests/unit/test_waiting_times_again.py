"""A waiting-times report once more from its release: other figures and fewer keys, at no cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from analyst_world import PERSON, AnalystWorld, analyst_world, releasing

from fedstats.core.estimate import Estimate, Value
from fedstats.errors import FedstatsError, ValueInvalid
from fedstats.statistics.waiting_times import WaitingTimes

REPORT = WaitingTimes("rtt", days="age", keys=("department", "sex"), within=(4, 8))


def world(folder: Path) -> AnalystWorld:
    """Three departments that wait up to 120 days (the sample's ages), without noise."""
    rows = [[{**PERSON, "age": 7 * (i % 17), "sex": i % 2}] for i in range(120)]
    return analyst_world(folder, **dict.fromkeys(("north", "south", "west"), releasing(rows)))


def pathways(estimate: Estimate) -> float:
    """How many there are over all lines."""
    cells = [row.cells[0] for row in estimate.tables[0] if not row.total]
    return sum(cell.value for cell in cells if isinstance(cell, Value))


def test_a_report_by_fewer_keys_and_other_weeks_is_made_of_the_same_release(tmp_path: Path) -> None:
    """It agrees with the first to the last pathway, asks nobody, and a key outside it is a sentence."""
    with world(tmp_path).session() as session:
        answer = session.run(REPORT, epsilon=1)
        other = replace(REPORT, by=("sex",), within=(12,), percentiles=(25.0, 75.0), over=(4,))
        again = session.resume(answer.job, statistic=other)
        assert pathways(again.estimate) == pytest.approx(pathways(answer.estimate))
        assert again.estimate.tables[0].columns[1] == "within_12_weeks_percent"
        assert {row.key[0] for row in again.estimate.tables[0] if not row.total} == {"F", "M"}
        with pytest.raises(ValueInvalid, match="this release is by department, sex"):
            session.resume(answer.job, statistic=replace(REPORT, by=("urgent",)))
        assert len(session.jobs()) == 1


def test_what_would_be_another_question_is_no_free_report(tmp_path: Path) -> None:
    """Other keys or another condition are not in the release, and cost what a question costs."""
    with world(tmp_path).session() as session:
        answer = session.run(REPORT, epsilon=1)
        for other in (replace(REPORT, keys=("urgent",)), replace(REPORT, where="urgent")):
            with pytest.raises(FedstatsError):
                session.resume(answer.job, statistic=other)

"""What a federation logs while questions of every fate are asked: no row, no sum, no literal."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from samples import NOW_S, sample_dataset
from suite_log import PATTERNS, Happened, leaks, plant
from waiting import federation, some_rows

from fedstats.core.domain import Categories, Numbers
from fedstats.core.reason import Reason
from fedstats.core.schema import ColumnDefinition
from fedstats.journal.event import Event
from fedstats.journal.events import TASK_ANSWERED, TASK_FAILED, TASK_REFUSED
from fedstats.journal.security import PAUSED

RARE = "zq-rare"
RANDOM = {"task", "query", "certificate"}  # hashes and serial numbers, new each time
DATASET = replace(
    sample_dataset(),
    columns=(
        *(c for c in sample_dataset().columns if c.name not in ("cost", "sex")),
        ColumnDefinition("cost", Numbers(Fraction(0), Fraction(2_000_000), Fraction(1, 4), nullable=True)),
        ColumnDefinition("sex", Categories(("F", "M", RARE))),
    ),
)
SQL = (
    f"SELECT sex, COUNT(*) AS n, SUM(cost) AS c FROM rtt WHERE cost >= 317.25 OR sex = '{RARE}' GROUP BY sex"
)


def rows(department: str) -> list[list[object]]:
    """Rows whose costs add up to 48,271,000 in each department, and one of them of a rare category."""
    made = [list(row) for row in some_rows(department)]
    for number, row in enumerate(made):
        row[2] = 804_516 + (number < 40)
        row[3] = RARE if number == 7 else row[3]
    assert sum(int(str(row[2])) for row in made) == 48_271_000
    return made


def test_no_fate_of_a_question_puts_data_into_a_log(tmp_path: Path, noted: list[Happened]) -> None:
    """Answered, repeated, refused, failed in an engine that says much about what it met: no log shows it."""
    plant("48271000")
    with federation(tmp_path, rows, datasets=(DATASET,)) as fed, fed.session() as session:
        session.query(SQL, epsilon=1, wait_s=600)
        session.query(SQL, epsilon=1, wait_s=600)
        for epsilon, sql in ((2, SQL), (1, SQL.replace("sex, ", "").replace(" GROUP BY sex", ""))):
            fed.nodes["north"].policy.pause(Reason.SECURITY, now_s=NOW_S)
            session.query(sql, epsilon=epsilon, wait_s=600)
            fed.nodes["north"].policy.resume(now_s=int(fed.clock()))
        for edition in fed.nodes["south"].editions.all():
            os.truncate(edition.path, 100)  # DuckDB says much about a file that it cannot read
        session.query(SQL.replace("COUNT(*) AS n, ", ""), epsilon=1, wait_s=600)
    happened = {event for event, _ in noted}
    assert {TASK_ANSWERED, TASK_REFUSED, TASK_FAILED, PAUSED} <= happened
    lines = [(f"{event.name} {said}", "this test") for event, said in noted]
    assert list(leaks(lines)) == []


def test_the_log_does_not_follow_the_data(tmp_path: Path, noted: list[Happened]) -> None:
    """With one person's rows and without them, a department's log of the same questions is the same."""

    def logged(folder: Path, people: int) -> list[tuple[Event, dict[str, object]]]:
        folder.mkdir()
        noted.clear()
        with (
            federation(folder, lambda name: some_rows(name, people)) as fed,
            fed.session() as session,
        ):
            session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1, wait_s=600)
        return [
            (event, {name: value for name, value in said.items() if name not in RANDOM})
            for event, said in noted
        ]

    assert logged(tmp_path / "with", 40) == logged(tmp_path / "without", 39)


def test_the_marks_are_in_the_data() -> None:
    """What is searched for is what these tests ask and hold."""
    assert RARE in PATTERNS["a rare category"]
    assert "317" in SQL

"""The public interface as an analyst uses it. Never run: the type checker reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, assert_type

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fedstats
from fedstats import author
from fedstats.client.answer import Answer
from fedstats.client.directory import DatasetEntry
from fedstats.client.explanation import Explanation
from fedstats.client.following import Progress
from fedstats.client.jobs import Job
from fedstats.client.session import Session
from fedstats.core.estimate import Absence, Cost, Guarantee, Participant, Table, Value
from fedstats.core.statistic import Statistic
from fedstats.errors import FedstatsError, NotAnswered, StillWaiting
from fedstats.statistics.table import Table as TableStatistic


def ask() -> None:
    """Ask, look at every cell, hand it on."""
    with fedstats.connect() as session:
        assert_type(session, Session)
        answer = session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1)
    assert_type(answer, Answer)
    assert_type(answer.table, Table)
    for row in answer.table:
        assert_type(row.key, tuple[str | None, ...])
        for cell in row.cells:
            if isinstance(cell, Value):
                assert_type(cell.value, float)
                assert_type(cell.noise_interval.lo, float)
            else:
                assert_type(cell, Absence)
                assert_type(cell.sentence, str)
    assert_type(answer.participants, tuple[Participant, ...])
    assert_type(answer.cost, Cost | None)
    assert_type(answer.guarantee, Guarantee | None)
    assert_type(answer.to_json(), str)
    assert_type(answer.to_csv(), str)
    answer.write_parquet("answer.parquet")
    assert_type(answer.tables["table"], Table)
    assert_type(answer.to_csv("table"), str)


def look_at_pictures(answer: Answer) -> None:
    """As a figure, as a file, in characters; of any table and column."""
    assert_type(answer.plot(), Figure)
    answer.write_picture("funnel.svg", "funnel", "share")
    assert_type(answer.draw("funnel", columns=80, ascii_only=True), str)


@dataclass(frozen=True, slots=True)
class Share:
    """An analysis of one's own."""

    name: ClassVar[str] = "share"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    dataset: str
    where: str = ""

    def condition(self, dataset: author.Dataset) -> author.Expression | None:
        """The rows that count."""
        return author.condition_of(self.where, dataset)

    def step(self, ask: author.Ask, history: Sequence[author.RoundResult]) -> author.Round | author.Estimate:
        """Ask once, then divide."""
        wanted = author.sums(ask, by=("sex",), n="COUNT(*)", late="SUM(days > 126)")
        if not history:
            return wanted.round(Fraction(1, 2))
        cells = wanted.read(history[0])
        assert_type(cells["n"].value, NDArray[np.float64])
        assert_type((cells["n"] - cells["late"]).half_width, float)
        share = author.ratio(cells["late"], cells["n"], lo=0, hi=1)
        assert_type(share, tuple[author.Cell, ...])
        picture = author.Picture(author.PictureKind.BARS, "share", reference=0.92)
        return author.Estimate((cells.table("shares", picture, share=share),), wanted.notes)


def ask_ones_own(session: Session) -> None:
    """A statistic of one's own is asked like any other."""
    assert_type(session.run(Share("rtt"), epsilon=1), Answer)


def ask_with_every_choice() -> None:
    """Every keyword of a question; the loss as a number or as text."""

    def watch(progress: Progress) -> None:
        assert_type(progress.departments[0].state, str)

    session = fedstats.connect("~/federation")
    session.query(
        "SELECT COUNT(*) FROM rtt",
        epsilon="0.5",
        purpose="waiting-times",
        agreement="RTT-2026",
        edition="2025-09",
        pure=True,
        progress=watch,
        wait_s=60,
    )
    explained = session.explain("SELECT COUNT(*) FROM rtt", epsilon=0.5)
    assert_type(explained, Explanation)
    assert_type(explained.widths[0].half_width, float | None)
    if explained.cost.used_percent is not None:
        assert_type(explained.cost.used_percent, float)
    assert_type(explained.cost.loss.rho, Fraction)
    session.close()


def look_and_go_on() -> None:
    """Datasets, jobs, resuming, and a statistic from Python."""
    with fedstats.connect() as session:
        assert_type(session.datasets(), tuple[DatasetEntry, ...])
        entry = session.dataset("rtt")
        statistic = TableStatistic.from_sql("SELECT COUNT(*) FROM rtt", lambda _: entry.dataset)
        try:
            assert_type(session.run(statistic, epsilon=1), Answer)
        except StillWaiting as waiting:
            assert_type(waiting.advice, str)
        except NotAnswered as refused:
            assert_type(refused.code, str)
        except FedstatsError as problem:
            assert_type(problem.sentence, str)
        jobs = session.jobs()
        assert_type(jobs, tuple[Job, ...])
        assert_type(session.resume(jobs[0].name, statistic=statistic), Answer)
        crossed = fedstats.statistic("crosstab", dataset="rtt", row="sex", column="priority")
        assert_type(crossed, Statistic)
        assert_type(session.explain(crossed, target="2%"), Explanation)
        assert_type(session.run(crossed, epsilon=1, announce=print), Answer)
        assert_type(session.view(jobs[0].name, by=("sex",)), Answer)
        assert_type(session.resume(jobs[0].name, statistic=Path("moved.py")), Answer)

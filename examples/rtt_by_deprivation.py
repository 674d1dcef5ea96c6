"""Do people in deprived areas wait longer? Waiting times by deprivation, over trusts that share no record.

    python examples/rtt_by_deprivation.py

The patients are made up, as in `fedstats demo`; the five trusts are processes of their own, under an
agreement that all of them signed. One release of counts by deprivation, week of waiting and kind of pathway
answers everything here: first the report by tenth of deprivation, then, from the same release and at no cost,
other weeks for all of them together. Planted is a hazard of treatment that is 11.5 % lower in the most
deprived tenth than in the least deprived.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from local_federation import Plan, running
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fedstats.core.estimate import Cell, Value
from fedstats.core.estimate import Table as Answered
from fedstats.demo import founding
from fedstats.demo.agreement import AGREEMENT_ID, DATASET, PURPOSE, agreement_document
from fedstats.demo.codes import EDITION
from fedstats.demo.founding import Document, Member
from fedstats.demo.local_files import write
from fedstats.demo.node_files import node_document
from fedstats.demo.processes import ending_on_signals
from fedstats.demo.trusts import TRUSTS
from fedstats.demo.waiting_list import clean, generate
from fedstats.errors import FedstatsError
from fedstats.statistics.waiting_times import WaitingTimes

SEED = 7
PATHWAYS = 100_000
WEEKS = 18
STATISTIC = WaitingTimes(
    DATASET,
    start="rtt_start_date",
    stop="rtt_end_date",
    keys=("imd_decile",),
    within=(WEEKS,),
    percentiles=(50.0,),
)
"""Completed pathways: no date of census is given, so open ones are left out."""

Columns = Mapping[str, NDArray[Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pathways", type=int, default=PATHWAYS, help="of each trust (100000)")
    parser.add_argument("--epsilon", type=Decimal, default=Decimal(1), help="loss of the question (1)")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the report to a file")
    options = parser.parse_args(arguments)
    try:
        with ending_on_signals(), tempfile.TemporaryDirectory(prefix="fedstats-imd-") as folder:
            _run(Path(folder), options.pathways, str(options.epsilon), options.plot)
    except FedstatsError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _run(folder: Path, pathways: int, epsilon: str, plot: Path | None) -> None:
    started_s, talk = monotonic(), Console(stderr=True, highlight=False)
    waiting_list = generate(TRUSTS, pathways, SEED)
    truth = _truth(clean(waiting_list))
    plan = Plan(
        title="Waiting times by deprivation",
        agreement_id=AGREEMENT_ID,
        purpose=PURPOSE,
        dataset=DATASET,
        edition=EDITION,
        members=TRUSTS,
        write_rows=lambda data: write(waiting_list, data),
        agreement=lambda keys: _agreement(keys, pathways),
        node=_node,
    )
    with running(plan, folder, talk) as session:
        with talk.status("The trusts answer"):
            answer = session.run(STATISTIC, epsilon=epsilon)
        report = answer.estimate.tables[0]
        _draw(report, truth)
        if plot is not None:
            answer.write_picture(plot)
            print(f"The report is drawn in {plot}.")
        other = replace(STATISTIC, by=("none",), within=(4, 8, 12, 18, 26, 52))
        whole = session.resume(answer.job, statistic=other).estimate.tables[0]
    print("From the same release, at no cost: all tenths together, within so many weeks")
    for name, cell in zip(whole.columns, whole.rows[0].cells, strict=True):
        if name.startswith("within_"):
            print(f"  {name.split('_')[1]:>2} weeks  {_words(cell)} %")
    print(f"Took {monotonic() - started_s:.0f} s.")


def _draw(report: Answered, truth: Mapping[str, tuple[float, float]]) -> None:
    """The report beside the truth, which only this program can know."""
    drawn = Table(title="Completed waits by deprivation", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("tenth", f"within {WEEKS} weeks, %", "true", "median, weeks", "true"):
        drawn.add_column(name, justify="right")
    held = 0
    for row in report:
        label = str(row.key[0])
        if row.total:
            continue
        share, median = row.cells[1], row.cells[2]
        exact = truth[label]
        held += sum(_holds(cell, number) for cell, number in zip((share, median), exact, strict=True))
        drawn.add_row(label, _words(share), f"{exact[0]:.1f}", _words(median), f"{exact[1]:.1f}")
    console = Console(width=100, highlight=False)
    console.print(drawn)
    console.print(
        f"1 is the most deprived tenth. The intervals hold the truth {held} times in {2 * len(truth)}."
    )


def _words(cell: Cell) -> str:
    if not isinstance(cell, Value):
        return "too few"
    return f"{cell.value:.1f} ({cell.noise_interval.lo:.1f} to {cell.noise_interval.hi:.1f})"


def _holds(cell: Cell, exact: float) -> bool:
    return isinstance(cell, Value) and cell.noise_interval.lo <= exact <= cell.noise_interval.hi


def _truth(columns: Columns) -> dict[str, tuple[float, float]]:
    """Within 18 weeks and the median of completed waits, by tenth, as the report defines them."""
    start, stop = columns["rtt_start_date"], columns["rtt_end_date"]
    kept = ~np.isnat(start) & ~np.isnat(stop) & (stop >= start)
    days = (stop[kept] - start[kept]).astype(np.int64)
    bands, tenths = np.clip((days - 1) // 7, 0, 104), columns["imd_decile"][kept]
    found = {}
    for tenth in range(1, 11):
        counts = np.bincount(bands[tenths == tenth], minlength=105)
        passed = np.concatenate([[0], np.cumsum(counts)])
        half = passed[-1] / 2
        week = int(np.searchsorted(passed, half)) - 1
        median = week + (half - passed[week]) / counts[week]
        found[str(tenth)] = (100 * float(passed[WEEKS] / passed[-1]), float(median))
    return found


def _agreement(keys: Mapping[str, str], pathways: int) -> Document:
    analysts = [f"{founding.ANALYST}@{TRUSTS[0].department}"]
    today = datetime.now(UTC).date()
    return agreement_document(TRUSTS, keys, pathways_per_trust=pathways, analysts=analysts, today=today)


def _node(member: Member, folder: Path) -> Document:
    trust = next(trust for trust in TRUSTS if trust.department == member.department)
    return {**node_document(trust, folder), "reply_deadline_s": 0}  # made-up rows: their timing hides nothing


if __name__ == "__main__":
    sys.exit(main())

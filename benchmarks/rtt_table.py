"""A waiting-times report of 150 departments x 23 functions x 105 bands x 3 statuses, beyond the nodes' work.

One question, from the analyst's Submit to the report by department and function: the client verifies 150
signed releases of 7,314 numbers each, adds them up, and makes shares, quantiles and a funnel of them. All of
it is the real code in one process; what the nodes do (verify, compute, add noise, record, sign and report)
is timed apart and left out, as in life 150 computers do it side by side. The
engines' part of that is beside it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from _measuring import Result

from fedstats.client.session import Session
from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_of
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.query import Computation
from fedstats.core.statistic import Ask, Mode, Round
from fedstats.node.computing import Noise
from fedstats.statistics.waiting_times import WaitingTimes
from fedstats.testing.clock import ManualClock
from fedstats.testing.federation import ANALYST, Federation, Setting
from fedstats.wire.methods import FETCH
from fedstats.wire.v1 import analysts_pb2

name = "rtt_table"
unit = "s"
target = 5.0

DEPARTMENTS, FUNCTIONS, ROWS = 150, 23, 2_000
STATUSES = ("incomplete", "admitted", "nonadmitted")
DATASET, EDITION, AGREEMENT = "rtt", "2025-09", "RTT-2026"
STATISTIC = WaitingTimes(DATASET, week="week", status="status", keys=("department", "function"))


class Timed(Federation):
    """A federation that knows how long its nodes worked."""

    worked_s = 0.0

    def work(self) -> bool:
        """Let every node take a task, and look at the clock."""
        start = time.perf_counter()
        try:
            return super().work()
        finally:
            self.worked_s += time.perf_counter() - start


def run() -> Result:
    """Ask once; then again from the recorded answer, by fewer keys, which is free."""
    with _federation() as made, made.session() as session:
        made.worked_s, start = 0.0, time.perf_counter()
        answer = session.run(STATISTIC, epsilon=1)
        whole_s, worked_s = time.perf_counter() - start, made.worked_s
        start = time.perf_counter()
        session.resume(answer.job, statistic=replace(STATISTIC, by=("function",)))
        again_s = time.perf_counter() - start
        engines_s = _engines_s(made)
        megabytes = _fetched_mb(session, answer.job)
    return Result(
        whole_s - worked_s,
        {
            "whole question, all in one process, s": whole_s,
            "the 150 nodes' work one after the other, s": worked_s,
            "of that engines and noise, s": engines_s,
            "another report from the same release, s": again_s,
            "all releases as fetched, MB": megabytes,
            "lines of the report": float(len(answer.estimate.tables[0].rows)),
        },
    )


def _engines_s(made: Federation) -> float:
    """How long the engine and the noise of one node take, as often as there are nodes."""
    node = next(iter(made.nodes.values()))
    (edition,) = node.editions.all()
    dataset = made.agreement.dataset(DATASET)
    ask = _ask(made)
    order = STATISTIC.step(ask, [])
    if not isinstance(order, Round):
        raise TypeError("the statistic asked nothing")
    computation = Computation(
        agreement=AGREEMENT,
        agreement_version=1,
        dataset=DATASET,
        edition=EDITION,
        where=STATISTIC.condition(dataset),
        aggregates=order.aggregates,
        loss=ask.loss,
        contribution=ask.contribution,
        mode=Mode.LOCAL,
    )
    start = time.perf_counter()
    node.bench.compute(edition.path, computation, dataset, Noise.of(computation))
    return DEPARTMENTS * (time.perf_counter() - start)


def _ask(made: Federation) -> Ask:
    dataset = made.agreement.dataset(DATASET)
    loss = MechanismLoss(Mechanism.GAUSSIAN, rho_from_epsilon(Fraction(1), Fraction(1, 2_000_000)))
    return Ask(dataset, loss, dataset.contribution(departments_max=1), tuple(sorted(made.nodes)))


def _fetched_mb(session: Session, job: str) -> float:
    """How large the reply is that brings all releases."""
    found = next(each for each in session.jobs() if each.name == job)
    return session.transport.call(FETCH, analysts_pb2.FetchRequest(query=found.query_hash)).ByteSize() / 2**20


@contextmanager
def _federation() -> Iterator[Timed]:
    """All departments with their editions; the same rows at each, as only their number costs time."""
    departments = [f"t{number:03}" for number in range(DEPARTMENTS)]
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        statuses = " ".join(f"WHEN {i} THEN '{status}'" for i, status in enumerate(STATUSES))
        duckdb.sql(
            f"SELECT 'F' || (i % {FUNCTIONS}) AS function, CASE i % 3 {statuses} END AS status, "  # noqa: S608 # no input
            f"i * 7919 % 9973 % 105 AS week FROM range({ROWS}) AS rows (i)"
        ).write_parquet(str(rows))
        config = {
            "threads": 1,
            "memory_mb": 256,
            "reply_deadline_s": 0,
            "lifetime": {DATASET: {"epsilon": "20", "delta": "0.00001"}},
            "datasets": [{"dataset": DATASET, "source": {"kind": "parquet", "path": str(rows)}}],
        }
        setting = Setting(_agreement, dict.fromkeys(departments, config), edition=EDITION)
        with Timed(Path(folder), setting, clock=ManualClock(time.time())) as made:
            yield made


def _agreement(keys: Mapping[str, bytes]) -> Agreement:
    today = datetime.now(UTC).date()
    first = next(iter(keys))
    return agreement_of(
        {
            "id": AGREEMENT,
            "version": 1,
            "title": "Waiting times",
            "starts_on": (today - timedelta(days=1)).isoformat(),
            "review_on": (today + timedelta(days=100)).isoformat(),
            "ends_on": (today + timedelta(days=300)).isoformat(),
            "analysts": [f"{ANALYST}@{first}"],
            "modes": ["local"],
            "aggregates": ["grouped_sums"],
            "nodes_min": 3,
            "partial": True,
            "public": {
                "summary": "How long people wait.",
                "public_benefit": "Shorter waits.",
                "legal_gateway": "Health Act, section 1.",
                "contact": "ig@example.org",
            },
            "purposes": [{"code": "waiting", "text": "To see who waits how long.", "prohibited": []}],
            "controllers": [
                {"department": name, "organisation": f"{name} Trust", "key": key.hex()}
                for name, key in keys.items()
            ],
            "privacy": {
                "epsilon": "8",
                "delta": "0.000001",
                "epsilon_per_query": "2",
                "max_departments": 1,
                "mechanisms": ["gaussian"],
            },
            "opt_out": {"applies": False, "reason": "Made-up rows name nobody."},
            "datasets": [_dataset()],
        }
    )


def _dataset() -> dict[str, object]:
    functions = [f"F{number}" for number in range(FUNCTIONS)]
    return {
        "name": DATASET,
        "description": "Pathways from referral to treatment, one row each.",
        "rows_max": 1,
        "people_max": 10_000_000,
        "people_about": 3_000_000,
        "editions": [EDITION],
        "unit": {"kind": "row", "namespace": DATASET},
        "columns": [
            {"name": "function", "description": "service", "type": "category", "labels": functions},
            {"name": "status", "description": "how it ended", "type": "category", "labels": list(STATUSES)},
            {"name": "week", "description": "weeks waited", "type": "number", "lo": "0", "hi": "104"},
        ],
    }

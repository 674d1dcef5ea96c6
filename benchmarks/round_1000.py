"""One round with 1,000 simulated nodes over 1,000 connections with mutual TLS to one coordinator process.

In seconds, from the analyst's Submit to the end of the Fetch that brings all 1,000 signed releases. The
nodes, the analyst and the coordinator share the machine; nodes compute nothing (`_federation.py`).
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

from _asking import ask
from _federation import ANALYST, federation
from _measuring import Result
from _waiting_nodes import Crowd, waiting

from fedstats.wire.channel import Channel

name = "round_1000"
unit = "s"
target = 2.0

NODES = 1_000
ROUNDS = 5


def run() -> Result:
    """Ask five rounds; the median."""
    with federation(NODES) as made:
        questions = [made.question() for _ in range(ROUNDS)]
        crowd = Crowd(made, made.departments)
        for question in questions:
            crowd.reports |= {report.task: report for report in question.reports.values()}
        with made.running():
            before_mb, start = made.memory_mb(), perf_counter()
            with waiting(crowd), Channel(made.address, made.tls(ANALYST.name)) as analyst:
                connected_s = perf_counter() - start
                details = {
                    "connecting 1,000 nodes at once, s": connected_s,
                    "coordinator's memory for each waiting node, KB": 1024
                    * (made.memory_mb() - before_mb)
                    / NODES,
                }
                worked_s = made.processor_s()
                taken = [ask(analyst, made, question) for question in questions]
                details["coordinator's processor time of a round, s"] = (
                    made.processor_s() - worked_s
                ) / ROUNDS
    details["slowest of five rounds, s"] = max(taken)
    return Result(median(taken), details)

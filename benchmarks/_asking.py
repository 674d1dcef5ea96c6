"""One round as an analyst's connection sees it: Submit, Watch until all have answered, Fetch."""

from __future__ import annotations

from time import perf_counter

from _federation import Federation, Question

from fedstats.wire.channel import Channel
from fedstats.wire.methods import FETCH, POLL_S_MAX, SUBMIT, WATCH
from fedstats.wire.v1 import analysts_pb2


def ask(analyst: Channel, made: Federation, question: Question) -> float:
    """Ask a question and fetch all answers; the seconds it took."""
    start = perf_counter()
    analyst.call(SUBMIT, question.submit)
    follow(analyst, question.query)
    reply = analyst.call(FETCH, analysts_pb2.FetchRequest(query=question.query))
    taken_s = perf_counter() - start
    answered = sum(outcome.HasField("release") for outcome in reply.rounds[0].outcomes)
    if answered != len(made.departments):
        raise AssertionError(f"{answered} of {len(made.departments)} departments answered")
    return taken_s


def follow(analyst: Channel, query: bytes) -> None:
    """Watch until every department has answered."""
    seen = 0
    while True:
        reply = analyst.call(WATCH, analysts_pb2.WatchRequest(query=query, seen=seen, wait_s=POLL_S_MAX))
        seen = reply.version
        if all(task.state == analysts_pb2.TASK_STATE_RELEASED for task in reply.tasks):
            return

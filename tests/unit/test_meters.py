"""Which events move which metrics."""

from __future__ import annotations

from collections.abc import Iterator

from fedstats.errors import CoordinatorUnreachable
from fedstats.journal.events import CALL_ENDED, POLL_FAILED, TASK_ANSWERED, TASK_REFUSED, WORK_ASKED
from fedstats.journal.meters import (
    CALL_SECONDS,
    CALLS,
    CONNECTED,
    COORDINATOR,
    LAST_CONTACT,
    NODE,
    POLLS,
    SECURITY_EVENTS,
    TASKS,
    Sample,
    moves,
)
from fedstats.journal.meters import PAUSED as PAUSES
from fedstats.journal.metrics import Board
from fedstats.journal.security import PAUSED


def test_each_event_moves_what_it_says() -> None:
    """A release, a refusal, polls with and without an answer, a call, and a security event."""
    assert moves(TASK_ANSWERED, {"outcome": "release"}, 0) == [(TASKS, ("release", "ok"), 1)]
    assert moves(TASK_REFUSED, {"code": "FS-206"}, 0) == [(TASKS, ("refusal", "FS-206"), 1)]
    assert moves(TASK_ANSWERED, {"outcome": "refusal"}, 0) == []  # counted when it was made
    assert moves(WORK_ASKED, {"found": False}, 9) == [
        (POLLS, ("none",), 1),
        (CONNECTED, (), 1),
        (LAST_CONTACT, (), 9),
    ]
    assert moves(POLL_FAILED, {"problem": "FS-301"}, 9) == [(POLLS, ("no_answer",), 1), (CONNECTED, (), 0)]
    assert moves(CALL_ENDED, {"method": "/fedstats.wire.v1.Nodes/Lease", "took_s": 0.25}, 0) == [
        (CALLS, ("Nodes/Lease", "ok"), 1),
        (CALL_SECONDS, ("Nodes/Lease",), 0.25),
    ]
    assert moves(PAUSED, {}, 0) == [(SECURITY_EVENTS, ("SEC-403",), 1)]


def test_what_cannot_be_observed_takes_nothing_else_away() -> None:
    """A gauge that fails leaves the counters, and every gauge before it, to whoever reads them."""

    def observe() -> Iterator[Sample]:
        yield Sample(PAUSES, 1)
        raise OSError

    board = Board(NODE, observe, lambda: 5.0)
    problem = CoordinatorUnreachable()
    board.hear(POLL_FAILED, {"problem": problem.code})
    board.hear(CALL_ENDED, {"method": "Nodes/Lease", "took_s": 1})  # the coordinator's, in one process
    value = board.registry.get_sample_value
    assert value("fedstats_node_polls_total", {"found": "no_answer"}) == 1
    assert value("fedstats_node_connected") == 0
    assert value("fedstats_node_paused") == 1
    assert value("fedstats_disk_free_bytes") is None


def test_metrics_are_named_once_and_labelled_by_public_words() -> None:
    """No name twice, units last, and no label that could hold a person, a task or a text."""
    for meters in (NODE, COORDINATOR):
        names = [meter.name for meter in meters]
        assert len(set(names)) == len(names)
    labels = {label for meter in (*NODE, *COORDINATOR) for label in meter.labels}
    assert labels == {"id", "outcome", "code", "found", "agreement", "dataset", "method"}

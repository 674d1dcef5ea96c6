"""The metrics of a daemon: what each means, and how events move those that count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from fedstats.journal.event import Event
from fedstats.journal.events import CALL_ENDED, POLL_FAILED, TASK_ANSWERED, TASK_REFUSED, WORK_ASKED
from fedstats.journal.fields import Shown

OK = "ok"


class Shape(Enum):
    """How Prometheus treats a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Meter:
    """One metric. Labels hold names that agreements publish, fixed words and codes: no people, no data."""

    name: str
    shape: Shape
    says: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """What a gauge shows now."""

    meter: Meter
    value: float
    labels: tuple[str, ...] = ()


Observe = Callable[[], Iterable[Sample]]

# --------------------------------------------------------------------------------------------- every daemon
SECURITY_EVENTS = Meter(
    "fedstats_security_events", Shape.COUNTER, "Security events, by their stable id.", ("id",)
)
LOG_LINES_LOST = Meter(
    "fedstats_log_lines_lost", Shape.GAUGE, "Log lines that could not be written since the start."
)
CERTIFICATE_LEFT = Meter(
    "fedstats_certificate_left_seconds",
    Shape.GAUGE,
    "Until the certificate ends: the node's, or at the coordinator the authority's.",
)
DISK_FREE = Meter("fedstats_disk_free_bytes", Shape.GAUGE, "Free on the disk of the daemon's folder.")
EVERYWHERE = (SECURITY_EVENTS, LOG_LINES_LOST, CERTIFICATE_LEFT, DISK_FREE)

# ------------------------------------------------------------------------------------------------ the node
TASKS = Meter(
    "fedstats_node_tasks",
    Shape.COUNTER,
    "Tasks answered since the start: releases (code ok) and refusals by their code.",
    ("outcome", "code"),
)
POLLS = Meter(
    "fedstats_node_polls",
    Shape.COUNTER,
    "Times the coordinator was asked for work: it had some, had none, or did not answer.",
    ("found",),
)
CONNECTED = Meter("fedstats_node_connected", Shape.GAUGE, "1 if the last call for work was answered, else 0.")
LAST_CONTACT = Meter(
    "fedstats_node_last_contact_timestamp_seconds", Shape.GAUGE, "When the coordinator last answered."
)
RUNNING = Meter("fedstats_node_tasks_running", Shape.GAUGE, "Tasks that are being worked on.")
RUNNING_MAX = Meter("fedstats_node_tasks_max", Shape.GAUGE, "How many may be at once.")
PAUSED = Meter("fedstats_node_paused", Shape.GAUGE, "1 while the department has paused answering.")
UNDECIDED = Meter(
    "fedstats_node_questions_undecided", Shape.GAUGE, "Questions that wait for a person here to decide."
)
EDITION_AGE = Meter(
    "fedstats_node_edition_age_seconds",
    Shape.GAUGE,
    "Since the newest edition of a dataset was made.",
    ("agreement", "dataset"),
)
OPT_OUT_AGE = Meter(
    "fedstats_node_opt_out_list_age_seconds",
    Shape.GAUGE,
    "Since the opt-out list of a dataset was written.",
    ("dataset",),
)
LEDGER_USED = Meter(
    "fedstats_node_ledger_used_percent",
    Shape.GAUGE,
    "How much of an agreement's budget is used at this node, in whole percent; every answer says as much.",
    ("agreement",),
)
NODE = (
    *EVERYWHERE,
    TASKS,
    POLLS,
    CONNECTED,
    LAST_CONTACT,
    RUNNING,
    RUNNING_MAX,
    PAUSED,
    UNDECIDED,
    EDITION_AGE,
    OPT_OUT_AGE,
    LEDGER_USED,
)

# ------------------------------------------------------------------------------------------ the coordinator
CALLS = Meter(
    "fedstats_coordinator_calls",
    Shape.COUNTER,
    "Calls that ended, by method and error code (ok if there was none).",
    ("method", "code"),
)
CALL_SECONDS = Meter(
    "fedstats_coordinator_call_seconds",
    Shape.HISTOGRAM,
    "How long calls took; for Lease and Watch that is mostly waiting.",
    ("method",),
)
NODES_CONNECTED = Meter(
    "fedstats_coordinator_nodes_connected", Shape.GAUGE, "Nodes that asked for work in the last two minutes."
)
NODES_JOINED = Meter("fedstats_coordinator_nodes_joined", Shape.GAUGE, "Nodes that are members.")
TASKS_OPEN = Meter(
    "fedstats_coordinator_tasks_open",
    Shape.GAUGE,
    "Tasks of rounds whose deadline is still to come and that have no answer.",
)
REGISTER_ENTRIES = Meter(
    "fedstats_coordinator_register_entries", Shape.GAUGE, "Entries of the public register."
)
STORE_BYTES = Meter(
    "fedstats_coordinator_store_bytes", Shape.GAUGE, "Size of the store, its journal included."
)
COORDINATOR = (
    *EVERYWHERE,
    CALLS,
    CALL_SECONDS,
    NODES_CONNECTED,
    NODES_JOINED,
    TASKS_OPEN,
    REGISTER_ENTRIES,
    STORE_BYTES,
)

Move = tuple[Meter, tuple[str, ...], float]


def moves(event: Event, said: Mapping[str, Shown], now_s: float) -> list[Move]:
    """Which metrics an event moves: counters by how much, gauges and histograms to what."""
    found: list[Move] = []
    if event.security:
        found.append((SECURITY_EVENTS, (event.security,), 1))
    if event is TASK_REFUSED:
        found.append((TASKS, ("refusal", str(said.get("code", ""))), 1))
    elif event is TASK_ANSWERED and said.get("outcome") == "release":
        found.append((TASKS, ("release", OK), 1))
    elif event is WORK_ASKED:
        word = "some" if said.get("found") else "none"
        found += [(POLLS, (word,), 1), (CONNECTED, (), 1), (LAST_CONTACT, (), now_s)]
    elif event is POLL_FAILED:
        found += [(POLLS, ("no_answer",), 1), (CONNECTED, (), 0)]
    elif event is CALL_ENDED:
        method = str(said.get("method", "")).rpartition(".")[2]  # Nodes/Lease
        found.append((CALLS, (method, str(said.get("code", OK))), 1))
        found.append((CALL_SECONDS, (method,), float(str(said.get("took_s", 0)))))
    return found

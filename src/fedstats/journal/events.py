"""Everything that a node, a coordinator and the wire write into their logs, apart from `security`."""

from __future__ import annotations

from fedstats.journal.event import Event, Level
from fedstats.journal.fields import Kind

# ------------------------------------------------------------------------------------------- the node
NODE_STARTED = Event(
    "node_started",
    Level.INFO,
    "The node asks its coordinator for questions.",
    {"department": Kind.DEPARTMENT, "address": Kind.ADDRESS},
)
NODE_STOPPING = Event("node_stopping", Level.INFO, "Stopping: running tasks are finished first.")
NODE_STOPPED = Event("node_stopped", Level.INFO, "The node has stopped.")
WORK_ASKED = Event(
    "work_asked",
    Level.DEBUG,
    "The coordinator was asked for work, and replied.",
    {"found": Kind.TRUTH},
)
POLL_FAILED = Event("poll_failed", Level.DEBUG, "A call for work had no answer.", {"problem": Kind.PROBLEM})
WORK_MISSED = Event(
    "work_missed",
    Level.WARNING,
    "No work came; the coordinator is asked again.",
    {"problem": Kind.PROBLEM, "again_in_s": Kind.SECONDS},
)
WORK_RESUMED = Event(
    "work_resumed",
    Level.INFO,
    "The coordinator answers again, after failures in a row.",
    {"failures": Kind.COUNT},
)
TASK_ANSWERED = Event(
    "task_answered",
    Level.INFO,
    "A task's answer was sent.",
    {"task": Kind.TASK, "outcome": Kind.WORD},
)
TASK_REFUSED = Event(
    "task_refused",
    Level.INFO,
    "A task gets a refusal for an answer.",
    {"task": Kind.TASK, "code": Kind.CODE, "charged": Kind.TRUTH},
)
TASK_FAILED = Event(
    "task_failed",
    Level.ERROR,
    "A task failed inside the node; the analyst is told a fixed code.",
    {"problem": Kind.PROBLEM, "places": Kind.PLACES},
)
WORKER_FAILED = Event(
    "worker_failed",
    Level.ERROR,
    "A task was given up for now; it is offered again.",
    {"problem": Kind.PROBLEM, "places": Kind.PLACES},
)
ANSWER_NOT_TAKEN = Event(
    "answer_not_taken",
    Level.WARNING,
    "The coordinator did not take an answer.",
    {"problem": Kind.PROBLEM},
)
ANSWER_NOT_SENT = Event(
    "answer_not_sent",
    Level.WARNING,
    "An answer could not be sent; it is sent again.",
    {"problem": Kind.PROBLEM},
)
ACCEPTANCE_NOT_TAKEN = Event(
    "acceptance_not_taken",
    Level.WARNING,
    "The coordinator did not take what the department decided about an agreement.",
    {"problem": Kind.PROBLEM},
)
DOCUMENT_LEFT_OUT = Event(
    "document_left_out",
    Level.WARNING,
    "A document that the coordinator relayed is malformed and was left out.",
    {"problem": Kind.PROBLEM},
)
CLOCK_APART = Event(
    "clock_apart",
    Level.WARNING,
    "This machine's clock and the coordinator's are more than 5 minutes apart; set the wrong one by NTP.",
    {"ahead_s": Kind.SECONDS},
)
CLOCK_AGREES = Event("clock_agrees", Level.INFO, "The two clocks agree again.")
WITNESS_FILE_MISSING = Event(
    "witness_file_missing",
    Level.WARNING,
    "The file of the ledger's witness does not exist yet; it is written with the next answer.",
)
CERTIFICATE_RENEWED = Event("certificate_renewed", Level.INFO, "The node has a new certificate.")
CERTIFICATE_NOT_RENEWED = Event(
    "certificate_not_renewed",
    Level.WARNING,
    "The certificate was not renewed; it is tried again.",
    {"problem": Kind.PROBLEM},
)

# ------------------------------------------------------------------------------------- the coordinator
COORDINATOR_STARTED = Event(
    "coordinator_started",
    Level.INFO,
    "Listening: calls are taken.",
    {"port": Kind.COUNT, "address": Kind.ADDRESS, "authority_sha256": Kind.HASH},
)
COORDINATOR_STOPPING = Event(
    "coordinator_stopping", Level.INFO, "Stopping: waiting polls end, running calls are finished."
)
COORDINATOR_STOPPED = Event("coordinator_stopped", Level.INFO, "The coordinator has stopped.")
ROUND_OFFERED = Event(
    "round_offered",
    Level.INFO,
    "A round of a query was registered, and its tasks are offered.",
    {"query": Kind.HASH, "round": Kind.COUNT, "departments": Kind.COUNT},
)
ROUND_NARROWED = Event(
    "round_narrowed",
    Level.INFO,
    "An analyst lets a round go on without departments that have not answered.",
    {"query": Kind.HASH, "round": Kind.COUNT, "left_out": Kind.COUNT},
)
TASK_LEASED = Event(
    "task_leased",
    Level.DEBUG,
    "A node took a task.",
    {"task": Kind.TASK, "attempt": Kind.COUNT},
)
TASK_MOVED = Event(
    "task_moved",
    Level.INFO,
    "A task came into another state.",
    {"task": Kind.TASK, "state": Kind.WORD},
)
STORE_FAILED = Event(
    "store_failed",
    Level.ERROR,
    "The store cannot be used at the moment: the disk is full, or another process holds it.",
    {"problem": Kind.PROBLEM, "places": Kind.PLACES},
)
TASK_LOST = Event(
    "task_lost",
    Level.INFO,
    "A node that had taken a task does not work on it; it is offered again.",
    {"task": Kind.TASK},
)
TURN_FAILED = Event(
    "turn_failed",
    Level.ERROR,
    "Calls failed together: their changes could not be made durable.",
    {"problem": Kind.PROBLEM, "calls": Kind.COUNT},
)
CLOCK_WORK_FAILED = Event(
    "clock_work_failed",
    Level.ERROR,
    "What the clock's tick does failed; it is tried again.",
    {"problem": Kind.PROBLEM, "places": Kind.PLACES},
)

# --------------------------------------------------------------------------------------------- the wire
CALL_ENDED = Event(
    "call_ended",
    Level.DEBUG,
    "A call was answered.",
    {"method": Kind.METHOD, "code": Kind.CODE, "took_s": Kind.LATENCY_S},
)
CALL_FAILED = Event(
    "call_failed",
    Level.ERROR,
    "A call met a bug; the caller is told a fixed code.",
    {"method": Kind.METHOD, "problem": Kind.PROBLEM, "places": Kind.PLACES},
)

# ------------------------------------------------------------------------------------------- every daemon
UNCAUGHT = Event(
    "uncaught",
    Level.ERROR,
    "An exception ended a thread or the process.",
    {"problem": Kind.PROBLEM, "places": Kind.PLACES},
)
ENDED_EARLY = Event(
    "ended_early",
    Level.ERROR,
    "The daemon cannot run; standard error says what to do.",
    {"problem": Kind.PROBLEM},
)
METRICS_STARTED = Event(
    "metrics_started", Level.DEBUG, "Metrics can be read on this machine.", {"address": Kind.ADDRESS}
)
LINES_LOST = Event(
    "lines_lost",
    Level.WARNING,
    "Lines of this log could not be written; the work went on.",
    {"lines": Kind.COUNT},
)
OTHER_LOGGER = Event(
    "other_logger",
    Level.WARNING,
    "A library logged something; its words may quote data and are not repeated.",
    {"logger": Kind.METHOD, "line": Kind.COUNT, "problem": Kind.PROBLEM, "places": Kind.PLACES},
)

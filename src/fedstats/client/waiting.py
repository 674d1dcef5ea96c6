"""What an analyst is told when the time to wait is up: who answered, who has not, and what she can do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fedstats.client.following import DepartmentProgress, Progress
from fedstats.core.agreement import Agreement
from fedstats.errors import Spent, StillWaiting

NAMED_MAX = 10


def still_waiting(progress: Progress, agreement: Agreement, deadline_s: int) -> StillWaiting:
    """The error that ends a wait, and not the question.

    It names the departments where a person has to decide, and until when (seconds since 1970), and those that
    have not answered and when their nodes were last seen. It says whether the agreement would let the analyst
    go on without them.
    """
    job, departments = progress.job, progress.departments
    if not departments:
        return StillWaiting(
            f"The coordinator has not said how job {job} stands. {progress.problem}".strip(),
            remedy=f"The question goes on without you. See later: fedstats resume {job}",
            spent=Spent.UNKNOWN,
        )
    answered = [d for d in departments if d.state == "answered"]
    refused = [d.department for d in departments if d.over and d not in answered]
    awaited = [d for d in departments if not d.over]
    others = [_away(d) for d in awaited if not d.waits_for_approval]
    waits = [progress.approval_words] if progress.approval_words else []
    waits += [f"waits for {_listed(others)}"] if others else []
    said = f"{len(answered)} of {len(departments)} departments answered job {job}"
    no = f"; {_listed(refused)} refused" if refused else ""
    return StillWaiting(
        f"{said}{no}; it {' and '.join(waits)}.",
        remedy=_until(progress, deadline_s)
        + _remedy(job, [d.department for d in awaited], len(answered), agreement),
        spent=Spent.CHARGED if answered else Spent.UNKNOWN,
    )


def _until(progress: Progress, deadline_s: int) -> str:
    """Until when people may decide."""
    if not progress.approval_words:
        return ""
    return f"A person there decides, until {datetime.fromtimestamp(deadline_s, UTC):%Y-%m-%d %H:%M} UTC. "


def _remedy(job: str, awaited: Sequence[str], answered: int, agreement: Agreement) -> str:
    later = f"The question goes on without you; see later: fedstats resume {job}"
    whom = "it" if len(awaited) == 1 else "them"
    if not agreement.partial:
        return f"Agreement {agreement.id} allows no answer without {whom}. {later}"
    if answered < agreement.nodes_min:
        return f"Agreement {agreement.id} needs {agreement.nodes_min} departments. {later}"
    return f"{later}, or go on without {whom}: fedstats proceed {job}"


def _away(department: DepartmentProgress) -> str:
    """Who is awaited, and why, as far as the coordinator knows."""
    name, seen_s = department.department, department.node_seen_s
    if department.state != "offered":
        return f"{name} ({department.state})"
    if not seen_s:
        return f"{name} (its node has not connected yet)"
    return f"{name} (its node was last seen {datetime.fromtimestamp(seen_s, UTC):%Y-%m-%d %H:%M} UTC)"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")

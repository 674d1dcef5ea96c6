"""A node's guarantee report as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Report = Mapping[str, Any]


def lines(report: Report) -> Iterator[str]:
    """What was promised in all answers together."""
    yield f"Everything that {report['department']} ever answered, for {report['holds_for']}."
    for heading, limits in (
        ("Over all agreements, for persons of", report["across_agreements"]),
        ("Under agreement", report["agreements"]),
    ):
        for limit in limits:
            charges = "1 charge" if limit["charges"] == 1 else f"{limit['charges']} charges"
            yield ""
            yield f"{heading} {limit['name']}: {charges}, {limit['used_percent']} % of the budget used"
            yield f"  spent:  {_loss(limit['spent'])}"
            yield f"  budget: {_loss(limit['budget'])}"
            yield f"  what this department revealed alone: {_loss(limit['here_alone'])}"
    if not report["across_agreements"]:
        yield "No lifetime cap is set in node.toml, so this node answers nothing about persons."


def query_lines(report: Report) -> Iterator[str]:
    """What one query cost."""
    yield f"Query {report['query']}, as {report['department']} charged it"
    for charge in report["rounds"]:
        at = datetime.fromtimestamp(charge["at_s"], UTC)
        made = "released" if charge["released"] else "no answer was made yet"
        yield (
            f"  round {charge['round']}, {at:%Y-%m-%d %H:%M}, {charge['analyst']} for {charge['purpose']} "
            f"under {charge['agreement']} version {charge['agreement_version']}: {charge['dataset']} "
            f"{charge['edition']}, {made}"
        )
        yield f"    for someone in {charge['departments_max']} departments: {_loss(charge['federation'])}"
        yield f"    what this department revealed alone: {_loss(charge['here_alone'])}"
    for limit in report["with_all_else"]:
        yield f"  with all else under the {limit['limit']} limit {limit['name']}: {_loss(limit['spent'])}"


def _loss(figures: Report) -> str:
    belief = figures["belief_percent"]
    delta = "" if figures["delta"] == "0" else f" at delta {figures['delta']}"
    return f"epsilon {figures['epsilon']}{delta}, rho {figures['rho']}; a belief of 50 % can move to " + (
        "nearly 100 %" if belief == "100" else f"at most {belief} %"
    )

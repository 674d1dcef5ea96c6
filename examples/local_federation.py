"""A federation on this machine for the examples: a node process for each member, with mutual TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from fedstats.client.home import Home
from fedstats.client.session import Session, connect
from fedstats.demo import founding
from fedstats.demo.founding import Document, Member, Places
from fedstats.demo.processes import Processes

NODE: Document = {
    "tasks_max": 1,
    "threads": 1,
    "memory_mb": 256,
    "reply_deadline_s": 0,  # these rows are published or made up: their timing hides nothing
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes part, in what: one agreement over one dataset.

    `write_rows` writes what the members' own databases would hold, each in its folder of `Places.data`.
    `agreement` makes the agreement's document from the controllers' public keys, `node` a member's node.toml
    from its folder of data.
    """

    title: str
    agreement_id: str
    purpose: str
    dataset: str
    edition: str
    members: Sequence[Member]
    write_rows: Callable[[Path], None]
    agreement: Callable[[Mapping[str, str]], Document]
    node: Callable[[Member, Path], Document]


@contextmanager
def running(plan: Plan, folder: Path, talk: Console) -> Iterator[Session]:
    """Found it in `folder`, run it, and give the analyst's session; everything ends with the block."""
    places, members = Places(folder), plan.members
    with Processes(folder / "logs") as processes:
        with talk.status("Writing the rows"):
            plan.write_rows(places.data)
        with talk.status("Starting the coordinator"):
            founding.found_coordinator(places, title=plan.title)
            founding.start_coordinator(places, processes)
        with talk.status(f"{len(members)} nodes and controllers join and sign the agreement"):
            founding.join_everybody(places, members)
            agreement = founding.sign_by_all(places, members, plan.agreement)
        for number, member in enumerate(members, start=1):
            with talk.status(f"Node {number} of {len(members)}: {member.department} makes its edition"):
                config = plan.node(member, places.data / member.department)
                founding.open_with(places, member, agreement, config, edition=plan.edition)
                founding.start_node(places, member, processes)
        home = Home.at(places.analyst)
        founding.trust_controllers(home.trust, agreement)
        founding.use_agreement(home, plan.agreement_id, plan.purpose)
        with talk.status("Waiting until all nodes have said what they hold"):
            founding.wait_for_nodes(places, processes, plan.dataset)
        with connect(places.analyst) as session:
            yield session


def published_terms(
    agreement_id: str, title: str, *, members: Sequence[Member], keys: Mapping[str, str], epsilon: str
) -> Document:
    """What agreements over published counts have in common: one row is the unit, and nobody opted out."""
    today = datetime.now(UTC).date()
    return {
        "id": agreement_id,
        "version": 1,
        "title": title,
        "starts_on": today.isoformat(),
        "review_on": (today + timedelta(days=182)).isoformat(),
        "ends_on": (today + timedelta(days=365)).isoformat(),
        "analysts": [f"{founding.ANALYST}@{members[0].department}"],
        "modes": ["local"],
        "aggregates": ["grouped_sums"],
        "nodes_min": len(members),
        "partial": False,
        "public": {
            "summary": f"{title}, from counts that NHS England publishes.",
            "public_benefit": "Shows what a private answer looks like beside the published one.",
            "legal_gateway": "Published under the Open Government Licence v3.",
            "contact": "analyst@example.org",
        },
        "controllers": [
            {
                "department": member.department,
                "organisation": member.title,
                "key": keys[member.department],
            }
            for member in members
        ],
        "privacy": {
            "epsilon": epsilon,
            "delta": "0.000001",
            "epsilon_per_query": epsilon,
            "max_departments": 1,
            "mechanisms": ["gaussian"],
        },
        "opt_out": {"applies": False, "reason": "Published counts name nobody."},
    }


def category(name: str, description: str, labels: Sequence[str]) -> Document:
    """A column of labels, as an agreement has it."""
    return {"name": name, "description": description, "type": "category", "labels": list(labels)}

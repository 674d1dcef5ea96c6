"""A federation of NHS trusts on this machine: a node for each group of trusts, and an agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rtt_counts import BANDS, FUNCTIONS, PARTS, Counts, Group

from fedstats.client.home import Home
from fedstats.client.session import Session, connect
from fedstats.demo import founding
from fedstats.demo.founding import Document, Places
from fedstats.demo.processes import Processes

AGREEMENT_ID = "RTT-PUBLISHED"
DATASET = "completed"
PURPOSE = "waiting-times"


@contextmanager
def federation(
    counts: Counts, groups: Sequence[Group], folder: Path, *, month: str, epsilon: str, talk: Console
) -> Iterator[Session]:
    """Found it in `folder`, run it, and give the analyst's session; everything ends with the block."""
    places = Places(folder)
    trusts = [trust for group in groups for trust in group.trusts]
    with Processes(folder / "logs") as processes:
        with talk.status(f"Writing the rows of {len(trusts)} trusts"):
            _write_rows(counts, groups, places)
        with talk.status("Starting the coordinator"):
            founding.found_coordinator(places, title="Published waiting times")
            founding.start_coordinator(places, processes)
        with talk.status(f"{len(groups)} nodes and controllers join and sign the agreement"):
            founding.join_everybody(places, groups)
            agreement = founding.sign_by_all(
                places, groups, lambda keys: _agreement(groups, keys, month=month, epsilon=epsilon)
            )
        for number, group in enumerate(groups, start=1):
            with talk.status(f"Node {number} of {len(groups)}: {group.title} makes its edition"):
                config = _node(places.data / group.department)
                founding.open_with(places, group, agreement, config, edition=month)
                founding.start_node(places, group, processes)
        home = Home.at(places.analyst)
        founding.trust_controllers(home.trust, agreement)
        founding.use_agreement(home, AGREEMENT_ID, PURPOSE)
        with talk.status("Waiting until all nodes have said what they hold"):
            founding.wait_for_nodes(places, processes, DATASET)
        with connect(places.analyst) as session:
            yield session


def _write_rows(counts: Counts, groups: Sequence[Group], places: Places) -> None:
    for group in groups:
        folder = places.data / group.department
        folder.mkdir(parents=True)
        for trust in group.trusts:
            counts.write_rows(trust, folder / f"{trust}.parquet")


def _node(folder: Path) -> Document:
    """A node's configuration: the files of its trusts are one source."""
    return {
        "tasks_max": 1,
        "threads": 1,
        "memory_mb": 256,
        "reply_deadline_s": 0,  # these rows are published: their timing hides nothing
        "lifetime": {DATASET: {"epsilon": "20", "delta": "0.00001"}},
        "datasets": [{"dataset": DATASET, "source": {"kind": "parquet", "path": str(folder / "*.parquet")}}],
    }


def _agreement(groups: Sequence[Group], keys: Mapping[str, str], *, month: str, epsilon: str) -> Document:
    today = datetime.now(UTC).date()
    return {
        "id": AGREEMENT_ID,
        "version": 1,
        "title": "Completed waits from referral to treatment, by trust",
        "starts_on": today.isoformat(),
        "review_on": (today + timedelta(days=182)).isoformat(),
        "ends_on": (today + timedelta(days=365)).isoformat(),
        "analysts": [f"{founding.ANALYST}@{groups[0].department}"],
        "modes": ["local"],
        "aggregates": ["grouped_sums"],
        "nodes_min": len(groups),
        "partial": False,
        "public": {
            "summary": "How long completed waits took, from counts that NHS England publishes.",
            "public_benefit": "Shows what a private answer looks like beside the published one.",
            "legal_gateway": "Published under the Open Government Licence v3.",
            "contact": "analyst@example.org",
        },
        "purposes": [
            {"code": PURPOSE, "text": "Compare private answers with published ones.", "prohibited": []}
        ],
        "controllers": [
            {"department": group.department, "organisation": group.title, "key": keys[group.department]}
            for group in groups
        ],
        "privacy": {
            "epsilon": epsilon,
            "delta": "0.000001",
            "epsilon_per_query": epsilon,
            "max_departments": 1,
            "mechanisms": ["gaussian"],
        },
        "opt_out": {"applies": False, "reason": "Published counts name nobody."},
        "datasets": [_dataset(groups, month)],
    }


def _dataset(groups: Sequence[Group], month: str) -> Document:
    trusts = sorted(trust for group in groups for trust in group.trusts)
    return {
        "name": DATASET,
        "description": "Completed pathways from referral to treatment, one row each.",
        "rows_max": 1,
        "people_max": 10_000_000,
        "people_about": 1_500_000,
        "editions": [month],
        "unit": {"kind": "row", "namespace": DATASET},
        "columns": [
            _category("provider", "the trust", trusts),
            _category("treatment_function", "the service that treated", list(FUNCTIONS)),
            _category("part", "with or without a stay in hospital", list(PARTS)),
            {
                "name": "week",
                "description": "full weeks waited; 104 stands for all longer waits",
                "type": "number",
                "lo": "0",
                "hi": str(BANDS - 1),
            },
        ],
    }


def _category(name: str, description: str, labels: Sequence[str]) -> Document:
    return {"name": name, "description": description, "type": "category", "labels": list(labels)}

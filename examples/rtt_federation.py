"""A federation of NHS trusts on this machine: a node for each group of trusts, and an agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from local_federation import NODE, Plan, category, published_terms, running
from rich.console import Console
from rtt_counts import BANDS, FUNCTIONS, PARTS, Counts, Group

from fedstats.client.session import Session
from fedstats.demo.founding import Document, Member

AGREEMENT_ID = "RTT-PUBLISHED"
DATASET = "completed"
PURPOSE = "waiting-times"


def federation(
    counts: Counts, groups: Sequence[Group], folder: Path, *, month: str, epsilon: str, talk: Console
) -> AbstractContextManager[Session]:
    """Found it in `folder`, run it, and give the analyst's session; everything ends with the block."""
    plan = Plan(
        title="Published waiting times",
        agreement_id=AGREEMENT_ID,
        purpose=PURPOSE,
        dataset=DATASET,
        edition=month,
        members=groups,
        write_rows=lambda data: _write_rows(counts, groups, data),
        agreement=lambda keys: _agreement(groups, keys, month=month, epsilon=epsilon),
        node=_node,
    )
    return running(plan, folder, talk)


def _write_rows(counts: Counts, groups: Sequence[Group], data: Path) -> None:
    for group in groups:
        folder = data / group.department
        folder.mkdir(parents=True)
        for trust in group.trusts:
            counts.write_rows(trust, folder / f"{trust}.parquet")


def _node(_: Member, folder: Path) -> Document:
    """A node's configuration: the files of its trusts are one source."""
    return {
        **NODE,
        "lifetime": {DATASET: {"epsilon": "20", "delta": "0.00001"}},
        "datasets": [{"dataset": DATASET, "source": {"kind": "parquet", "path": str(folder / "*.parquet")}}],
    }


def _agreement(groups: Sequence[Group], keys: Mapping[str, str], *, month: str, epsilon: str) -> Document:
    title = "Completed waits from referral to treatment, by trust"
    return {
        **published_terms(AGREEMENT_ID, title, members=groups, keys=keys, epsilon=epsilon),
        "purposes": [
            {"code": PURPOSE, "text": "Compare private answers with published ones.", "prohibited": []}
        ],
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
            category("provider", "the trust", trusts),
            category("treatment_function", "the service that treated", list(FUNCTIONS)),
            category("part", "with or without a stay in hospital", list(PARTS)),
            {
                "name": "week",
                "description": "full weeks waited; 104 stands for all longer waits",
                "type": "number",
                "lo": "0",
                "hi": str(BANDS - 1),
            },
        ],
    }

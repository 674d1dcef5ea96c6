"""The most memory that a node has while it answers a question over 20,000,000 rows, in MB.

A fresh process runs the whole node: runner, ledger, engine, mechanism and signatures over real files. The
coordinator and the analyst live in the same process, so the node alone takes a little less.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import _data
from _measuring import Result

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_of, dataset_document
from fedstats.demo.agreement import agreement_document
from fedstats.demo.trusts import TRUSTS
from fedstats.testing.clock import ManualClock
from fedstats.testing.federation import ANALYST, Federation, Setting

name = "node_memory"
unit = "MB"
target = 1_000.0

_COLUMNS = ("nhs_number", *(column.name for column in _data.DATASET.columns))
_QUESTION = (
    "SELECT treatment_function, age_band, COUNT(*), COUNT(DISTINCT nhs_number), SUM(wait_days) "
    "FROM waiting GROUP BY treatment_function, age_band"
)


def run() -> Result:
    """The peak while answering, and the peak of the same process before the question."""
    with _data.folder() as place:
        _data.apart(_data.edition, place)
        before, before_mb = _data.apart(founded, place)
        after, after_mb = _data.apart(answered, place)
    if (before, after) != (0, 115):
        raise RuntimeError(f"The question was answered in {after} cells, and 115 are expected.")
    return Result(after_mb, {"peak memory before the question, MB": before_mb})


def founded(place: Path) -> int:
    """Everything but the question."""
    with TemporaryDirectory(dir=place) as name, _federation(Path(name), place):
        return 0


def answered(place: Path) -> int:
    """Ask; how many cells were answered."""
    with TemporaryDirectory(dir=place) as name, _federation(Path(name), place) as federation:
        answer = federation.session().query(_QUESTION, epsilon=1)
        return sum(1 for table in answer.estimate.tables for _ in table)


def _federation(folder: Path, place: Path) -> Federation:
    """One department, whose edition, made of no rows, is replaced by the one of 20,000,000."""
    (folder / "rows.csv").write_text(",".join(_COLUMNS) + "\n")
    config = {
        "lifetime": {"nhs_number": {"epsilon": "20", "delta": "0.00001"}},
        "datasets": [
            {
                "dataset": "waiting",
                "person": "nhs_number",
                "person_check": "nhs_number",
                "source": {"kind": "csv", "path": "rows.csv"},
            }
        ],
    }
    federation = Federation(folder, Setting(_agreement, {"north": config}), clock=ManualClock(time.time()))
    (made,) = federation.nodes["north"].editions.all()
    made.path.unlink()
    os.link(_data.edition(place), made.path)
    return federation


def _agreement(keys: Mapping[str, bytes]) -> Agreement:
    """The demo's agreement, for one department and the large dataset."""
    today: date = datetime.now(UTC).date() - timedelta(days=1)
    document = agreement_document(
        TRUSTS[:1],
        {TRUSTS[0].department: keys["north"].hex()},
        pathways_per_trust=1,
        analysts=(),
        today=today,
    )
    controller = {
        "department": "north",
        "organisation": "North Trust",
        "key": keys["north"].hex(),
        "contact": "dpo@north.example.org",
    }
    changed = {
        "controllers": [controller],
        "analysts": [f"{ANALYST}@north"],
        "nodes_min": 1,
        "datasets": [dataset_document(_data.DATASET)],
        "opt_out": {"applies": False, "reason": "synthetic rows"},
    }
    return agreement_of({**document, **changed})

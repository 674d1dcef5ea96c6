"""Each trust's node.toml: where its file is, and what its own column names and codes mean."""

from __future__ import annotations

from pathlib import Path

from fedstats.demo.agreement import DATASET, DATASET_COLUMNS, Document
from fedstats.demo.local_files import OPT_OUT_FILE, PATHWAYS_FILE
from fedstats.demo.trusts import LocalColumn, Trust

LIFETIME_EPSILON = "20"
LIFETIME_DELTA = "0.00001"


def node_document(trust: Trust, folder: Path) -> Document:
    """The configuration of a trust's node whose file and opt-out list are in `folder`."""
    return {
        "tasks_max": 1,
        "threads": 1,
        "memory_mb": 512,
        "lifetime": {"nhs_number": {"epsilon": LIFETIME_EPSILON, "delta": LIFETIME_DELTA}},
        "datasets": [
            {
                "dataset": DATASET,
                "person": trust.columns["nhs_number"].name,
                "person_check": "nhs_number",
                "opt_out_list": str(folder / OPT_OUT_FILE),
                "source": {"kind": "csv", "path": str(folder / PATHWAYS_FILE)},
                "columns": {shared: _column(trust.columns[shared]) for shared in DATASET_COLUMNS},
            }
        ],
    }


def _column(local: LocalColumn) -> Document:
    column: Document = {"from": local.name}
    if local.date_formats:
        column["date_formats"] = list(local.date_formats)
    renamed = {code: shared for code, shared in local.codes.items() if code != shared}
    if renamed:
        column["codes"] = renamed
    return column

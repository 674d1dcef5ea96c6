"""A small waiting-list federation in a folder: three departments with CSV files, for simulations.

What stands in its rows is marked, so that it would be found in a log (`suite_log`).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from samples import DEPARTMENTS, NOW_S, sample_agreement

from fedstats.core.agreement import Agreement, OptOutTerms
from fedstats.testing.clock import ManualClock
from fedstats.testing.federation import Federation, Setting

HEADER = ("nhs", "age", "cost", "sex", "started", "urgent", "postcode_area")
Rows = Sequence[Sequence[object]]


def some_rows(department: str, people: int = 40) -> Rows:
    """`people` people of a department with one or two rows each; every tenth is in all departments."""
    return [
        (
            f"zq-person-all-{person}" if person % 10 == 0 else f"zq-person-{department}-{person}",
            (7 * person + 3 * copy) % 100,
            person % 50,
            "F" if person % 3 else "M",
            f"2025-0{1 + person % 9}-15",
            "true" if person % 4 else "zq-value",  # is no truth: it is missing
            "LS",
        )
        for person in range(people)
        for copy in range(1 + person % 2)
    ]


def federation(
    folder: Path,
    rows: Callable[[str], Rows] = some_rows,
    *,
    header: Sequence[str] = HEADER,
    checkpoints: Mapping[str, Callable[[str], None]] | None = None,
    reply_deadline_s: int = 0,
    **changes: object,
) -> Federation:
    """The federation of the sample agreement (`changes` replace its fields) with each department's rows."""
    configs = {
        name: _department(folder, name, [header, *rows(name)], reply_deadline_s) for name in DEPARTMENTS
    }

    def agreement(keys: Mapping[str, bytes]) -> Agreement:
        made = sample_agreement(**{"opt_out": OptOutTerms(applies=False, reason="simulation"), **changes})
        return replace(made, controllers=tuple(replace(c, key=keys[c.department]) for c in made.controllers))

    setting = Setting(agreement, configs, checkpoints=checkpoints or {})
    return Federation(folder, setting, clock=ManualClock(NOW_S))


def opt_out_file(folder: Path, department: str) -> Path:
    """Where a department has its opt-out list."""
    return folder / f"{department}-optout.txt"


def write_opt_outs(folder: Path, department: str, people: Sequence[str], *, made_s: float = NOW_S) -> None:
    """Put a list of people there, as of a time."""
    path = opt_out_file(folder, department)
    path.write_text("".join(f"{person},\n" for person in people))
    os.utime(path, (made_s, made_s))


def _department(folder: Path, name: str, rows: Rows, reply_deadline_s: int) -> Mapping[str, object]:
    path = folder / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    os.utime(path, (NOW_S, NOW_S))
    write_opt_outs(folder, name, [])
    return {
        "lifetime": {"nhs_number": {"epsilon": "20", "delta": "0.00001"}},
        "threads": 1,
        "reply_deadline_s": reply_deadline_s,
        "datasets": [
            {
                "dataset": "rtt",
                "person": "nhs",
                "opt_out_list": str(opt_out_file(folder, name)),
                "source": {"kind": "csv", "path": str(path)},
            },
        ],
    }

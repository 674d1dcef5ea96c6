"""What every benchmark shares: how it is described, how things are timed side by side, where results go."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured: the value that the target is about, and others beside it by label."""

    value: float
    details: Mapping[str, float] = field(default_factory=dict)


class Benchmark(Protocol):
    """What a file of this folder offers; `target` is the most that `value` should be, in `unit`."""

    name: str
    unit: str
    target: float

    def run(self) -> Result:
        """Measure."""


def medians_s(candidates: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, float]:
    """The median time of each candidate in seconds; they run in turn, so that a slow minute hits all alike.

    Each runs once before it is timed.
    """
    for candidate in candidates.values():
        candidate()
    times: dict[str, list[float]] = {label: [] for label in candidates}
    for _ in range(repeats):
        for label, candidate in candidates.items():
            start = perf_counter()
            candidate()
            times[label].append(perf_counter() - start)
    return {label: median(taken) for label, taken in times.items()}


def line_of(benchmark: Benchmark, value: float) -> str:
    """The line that a benchmark ends with: `noise_1e6 0.12 s (<= 1 s)`."""
    missed = ", missed" if value > benchmark.target else ""
    return f"{benchmark.name} {value:.3g} {benchmark.unit} (<= {benchmark.target:g} {benchmark.unit}{missed})"


def record(path: Path, benchmark: Benchmark, result: Result, *, load: float) -> None:
    """Keep a result, in place of an earlier one, with a few general words about the machine.

    `load` is how many programs wanted a core before the run; near the number of cores or above it the
    figures say more about the others.
    """
    results = json.loads(path.read_text()) if path.exists() else {}
    results[benchmark.name] = {
        "value": _short(result.value),
        "unit": benchmark.unit,
        "target": benchmark.target,
        "details": {label: _short(value) for label, value in result.details.items()},
        "machine": _machine(),
        "load_before": round(load, 1),
    }
    path.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _machine() -> str:
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {python}"

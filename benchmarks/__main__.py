"""Run benchmarks: `python benchmarks` runs all, `python benchmarks NAME` one (README.md: how to add one)."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from _measuring import Benchmark, line_of, record

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all, each in a process of its own; 1 if one of them failed."""
    known = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    if len(names) == 1:
        run(names[0])
        return 0
    return run_all(names or known)


def run(name: str) -> None:
    """Run one benchmark here, print what it measured, its own line last, and keep it in results.json."""
    benchmark: Benchmark = import_module(name)
    load = os.getloadavg()[0]
    result = benchmark.run()
    for label, value in result.details.items():
        print(f"  {label}: {value:.4g}")
    record(HERE / "results.json", benchmark, result, load=load)
    print(line_of(benchmark, result.value))


def run_all(names: list[str]) -> int:
    """Run each in a fresh process, so that none is slowed or warmed by another; then all lines again."""
    lines, failed = [], []
    for name in names:
        ran = subprocess.run(  # noqa: S603  # this file itself
            [sys.executable, str(HERE), name], stdout=subprocess.PIPE, text=True, check=False
        )
        print(ran.stdout, flush=True)
        if ran.returncode:
            failed.append(name)
        else:
            lines.append(ran.stdout.splitlines()[-1])
    print("\n".join([*lines, *(f"{name} FAILED" for name in failed)]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

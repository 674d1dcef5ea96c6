from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
FILES = sorted(path for path in BENCHMARKS.glob("*.py") if not path.stem.startswith("_"))


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the benchmarks share, imported as they import it."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("_measuring")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_benchmark_says_what_it_measures(path: Path) -> None:
    """Each file gives its name, its unit, what is wanted, and how it is measured."""
    body = ast.parse(path.read_text()).body
    given: dict[str, Any] = {
        target.id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert given["name"] == path.stem
    assert given["unit"]
    assert given["target"] > 0
    assert "run" in [node.name for node in body if isinstance(node, ast.FunctionDef)]


def test_results_are_those_of_the_benchmarks_that_exist() -> None:
    """No result outlives its benchmark, and the machine is described in general words only."""
    results = json.loads((BENCHMARKS / "results.json").read_text())
    assert set(results) <= {path.stem for path in FILES}
    for result in results.values():
        assert set(result) == {"value", "unit", "target", "details", "machine", "load_before"}
        assert result["machine"].split(", ")[0].endswith(" cores")
        assert len(result["machine"]) < 60


def test_a_result_takes_the_place_of_the_one_before(measuring: ModuleType, tmp_path: Path) -> None:
    """One benchmark run again changes its own entry and no other."""
    path = tmp_path / "results.json"
    fast, slow = (SimpleNamespace(name=name, unit="s", target=1.0) for name in ("fast", "slow"))
    for benchmark, value in ((fast, 0.5), (slow, 2.0), (fast, 0.123456)):
        measuring.record(path, benchmark, measuring.Result(value, {"peer, s": 3.0}), load=0.25)
    results = json.loads(path.read_text())
    assert {name: result["value"] for name, result in results.items()} == {"fast": 0.1235, "slow": 2.0}
    assert results["slow"]["details"] == {"peer, s": 3.0}


def test_the_last_line_gives_value_unit_and_target(measuring: ModuleType) -> None:
    """It can be read by a person and cut at blanks, and a missed target is named."""
    benchmark = SimpleNamespace(name="refresh", unit="s", target=60.0)
    assert measuring.line_of(benchmark, 41.234) == "refresh 41.2 s (<= 60 s)"
    assert measuring.line_of(benchmark, 61) == "refresh 61 s (<= 60 s, missed)"


def test_candidates_run_in_turn(measuring: ModuleType) -> None:
    """What is compared alternates, after one run of each that is not timed."""
    order: list[str] = []
    medians = measuring.medians_s({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=3)
    assert order == ["a", "b"] * 4
    assert set(medians) == {"a", "b"}
    assert all(seconds >= 0 for seconds in medians.values())


def test_a_benchmark_that_does_not_exist_is_named() -> None:
    """A wrong name is one sentence with the right ones, not a traceback."""
    program = [sys.executable, str(BENCHMARKS), "speed_of_light"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "speed_of_light" in done.stderr
    assert "noise_1e6" in done.stderr
    assert "Traceback" not in done.stderr

"""The steps of a statistic once more, in a new process with another hash seed. For `conformance`.

Run as a module it is that process: it reads the statistic's class, its fields and the recorded run, and
writes what each step says there. Both ends are this computer's own.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle  # between two processes of one user, over a pipe that this file makes
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from fedstats.core.estimate import Estimate
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic
from fedstats.testing.recording import Recorded

TIME_MAX_S = 120


@dataclass(frozen=True, slots=True)
class Order:
    """What the other process is to do; the class is found by its file, its fields are given."""

    module: str
    file: str
    name: str
    values: bytes
    ask: Ask
    history: tuple[RoundResult, ...]


def steps_elsewhere(cases: Sequence[tuple[Statistic, Recorded]]) -> list[tuple[Round | Estimate, ...] | str]:
    """What each statistic says of its recorded run in a new process, or why it cannot be tried there."""
    orders = [_order(statistic, recorded) for statistic, recorded in cases]
    sent = pickle.dumps(([*sys.path], [order for order in orders if isinstance(order, Order)]))
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    ran = subprocess.run(  # noqa: S603 # this interpreter runs this file
        [sys.executable, "-m", __name__],
        input=sent,
        capture_output=True,
        check=False,
        timeout=TIME_MAX_S,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        return [f"In a new process it ended with: {said[-1] if said else ran.returncode}"] * len(cases)
    told = iter(pickle.loads(ran.stdout))  # noqa: S301 # written by this file, in the process started above
    return [order if isinstance(order, str) else next(told) for order in orders]


def _order(statistic: Statistic, recorded: Recorded) -> Order | str:
    kind = type(statistic)
    if "<locals>" in kind.__qualname__:
        return f"{kind.__name__} is defined inside a function, so no other process finds it: move it out."
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None:
        return f"{kind.__name__} is in no file, so no other process finds it."
    try:
        given = {field.name: getattr(statistic, field.name) for field in fields(cast("Any", statistic))}
        values = pickle.dumps(given)
    except Exception as problem:  # noqa: BLE001 # whatever a field of somebody else's class does
        return f"Its fields cannot be written down: {str(problem)[:120]}"
    return Order(kind.__module__, str(file), kind.__qualname__, values, recorded.ask, recorded.history)


def _told(order: Order) -> tuple[Round | Estimate, ...] | str:
    try:
        statistic = _class_of(order)(**pickle.loads(order.values))  # noqa: S301 # see `steps_elsewhere`
        return tuple(statistic.step(order.ask, order.history[:k]) for k in range(len(order.history) + 1))
    except Exception as problem:  # noqa: BLE001 # it is told, whatever it is
        return f"In a new process it raised {type(problem).__name__}: {str(problem)[:200]}"


def _class_of(order: Order) -> Any:  # noqa: ANN401 # whatever class it is
    try:
        module = importlib.import_module(order.module)
    except ImportError:
        spec = importlib.util.spec_from_file_location(order.module, Path(order.file))
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[order.module] = module
        spec.loader.exec_module(module)
    found: Any = module
    for part in order.name.split("."):
        found = getattr(found, part)
    return found


def _main() -> None:
    path, orders = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 # see `steps_elsewhere`
    sys.path[:] = path
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a statistic prints is no answer
    out.write(pickle.dumps([_told(order) for order in orders]))


if __name__ == "__main__":
    from fedstats.testing.fresh import _main as main  # so that pickled orders are of one class

    main()

"""A program that kills a coordinator at each write of a question and its answers; each leaves its store."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from coordinator_world import World, ready_world, release, submission

from fedstats.coordinator.store import Store

WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")


def main(folder: Path) -> None:
    """One store for each write, as it is when the process was killed right before it."""
    prepared = folder / "prepared"
    store = Store.create(prepared)
    ready_world(store)
    store.close()
    number = 0
    while killed_at(number, prepared, folder / f"{number:03}.sqlite"):
        number += 1
    prepared.unlink()


def killed_at(number: int, prepared: Path, path: Path) -> bool:
    """Whether there was a write of this number to be killed at."""
    shutil.copy(prepared, path)
    child = os.fork()
    if child == 0:
        ask(number, path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def ask(number: int, path: Path) -> None:
    """A question and what all answer, until the write of this number is due."""
    left = number

    def count(statement: str) -> None:
        nonlocal left
        if statement.lstrip().startswith(WRITES):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    store = Store.open(path)
    world = World(store=store)
    with store.file.reading() as db:
        db.set_trace_callback(count)
    world.submit(submission())
    for department in ("north", "south", "west"):
        task = world.lease(department)
        if task is not None:
            world.report(
                department, task=task.id, lease_token=task.lease_token, release=release(task, department)
            )


main(Path(sys.argv[1]))

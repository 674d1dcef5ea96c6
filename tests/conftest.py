"""What every test shares: how hard hypothesis tries, what was left out, and a search of all logs for data."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from suite_log import Collector, Happened, leaks, lines_of_files

from fedstats.journal.event import heard_by

if TYPE_CHECKING:  # needed for a type only, and its place in the package is private
    from xdist.workermanage import WorkerController

_SLOW_MACHINE = [HealthCheck.too_slow]  # two shared cores draw slowly now and then; that is no finding

settings.register_profile("default", max_examples=30, deadline=None, suppress_health_check=_SLOW_MACHINE)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    suppress_health_check=_SLOW_MACHINE,
    derandomize=True,  # a change is judged by the same examples as the change before it
    print_blob=True,
)
settings.register_profile("heavy", max_examples=5_000, deadline=None, suppress_health_check=_SLOW_MACHINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Ledgers and stores wait for the disk at every change; in memory the same tests take half the time.
_MEMORY = Path("/dev/shm")  # noqa: S108 # pytest makes a folder of its own in it
if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

_LEFT_OUT = pytest.StashKey[set[str]]()
_LEAKS = pytest.StashKey[list[str]]()
_COLLECTOR = pytest.StashKey[Collector]()
_LEAKS_SHOWN = 50


class _CollectFromWorkers:
    """With `-n`, tests are collected in worker processes; this brings home what they left out."""

    def pytest_testnodedown(self, node: WorkerController) -> None:
        node.config.stash[_LEFT_OUT].update(node.workeroutput.get("left_out", ()))
        node.config.stash[_LEAKS].extend(node.workeroutput.get("leaks", ()))


def pytest_configure(config: pytest.Config) -> None:
    """Start with nothing left out, and hear every log record from now on, as it would be written."""
    config.stash[_LEFT_OUT] = set()
    config.stash[_LEAKS] = []
    config.stash[_COLLECTOR] = Collector()
    logging.getLogger().addHandler(config.stash[_COLLECTOR])
    logging.getLogger("fedstats").setLevel(logging.DEBUG)
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_CollectFromWorkers())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember the tests that need more than pip, before `-m` takes them away."""
    if config.option.markexpr == "not real":
        config.stash[_LEFT_OUT].update(item.nodeid for item in items if item.get_closest_marker("real"))


@pytest.hookimpl(tryfirst=True)  # while the folders of the tests are still there
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search the logs for data, and fail the run if there is any; a worker tells the process that reports."""
    found = session.config.stash[_LEAKS]
    found += leaks(session.config.stash[_COLLECTOR].lines.items())
    found += leaks(lines_of_files(_folder_of(session.config)))
    found[:] = dict.fromkeys(found)  # the files of workers lie in the folder of the process that started them
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    worker_output = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        left_out = session.config.stash[_LEFT_OUT]
        worker_output["left_out"] = sorted(left_out)
        worker_output["leaks"] = found[:_LEAKS_SHOWN]


def _folder_of(config: pytest.Config) -> Path:
    """Where the tests of this process kept their files; pytest has no public name for it."""
    folder: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # see above
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say loudly what this run left out."""
    for leak in config.stash[_LEAKS][:_LEAKS_SHOWN]:
        terminalreporter.write_line(f"DATA IN A LOG: {leak}", red=True)
    left_out = config.stash[_LEFT_OUT]
    if not left_out:
        return
    terminalreporter.section(f"LEFT OUT: {len(left_out)} tests that need more than pip", yellow=True)
    for nodeid in sorted(left_out):
        terminalreporter.line(f"  {nodeid}", yellow=True)
    terminalreporter.line("`make test-real` runs them.", yellow=True)


@pytest.fixture
def noted() -> Iterator[list[Happened]]:
    """Every event that happens during a test, with what is said of it."""
    happened: list[Happened] = []
    with heard_by(lambda event, said: happened.append((event, said))):
        yield happened

"""The coordinator as a process of its own: over real TLS, with many waiting nodes, killed at any moment."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from coordinator_process import (
    DOCUMENT,
    LEASE_S,
    START_S,
    Process,
    coordinator,
    fedstats,
    lease,
    question,
    report,
    states,
    until_it_answers,
)
from coordinator_world import (
    acceptance,
    refusal,
)
from samples import DEPARTMENTS

from fedstats.errors import CoordinatorUnreachable, FedstatsError, NotPermitted
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.wire import codec, methods
from fedstats.wire.server import CALLS_EACH_MAX
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for all tests that answer what they ask."""
    with coordinator(tmp_path_factory.mktemp("coordinator") / "home") as process:
        yield process


def test_the_command_line_makes_runs_and_stops_a_coordinator(tmp_path: Path) -> None:
    """Init, invite and run as typed: one line says where it listens; SIGTERM ends it cleanly, polls first."""
    process = Process(tmp_path / "home")
    told = ("coordinator", "init", "--home", process.home, "--host", f"localhost:{process.port}")
    subprocess.run(fedstats(*told), check=True, capture_output=True)
    line = json.loads(process.start())
    assert line["event"] == "coordinator_started"
    assert (line["port"], line["address"]) == (process.port, f"localhost:{process.port}")
    assert re.fullmatch(r"([0-9A-F]{2}:?){32}", line["authority_sha256"])
    invited = fedstats("coordinator", "invite", "node", "east", "--home", process.home)
    printed = subprocess.run(invited, check=True, capture_output=True, text=True).stdout
    assert Token.parse(printed).name == "east"
    process.join("node", "north")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(lease, process, "north", 50)
        lease(process, "north", 0)
        assert process.end(signal.SIGTERM) == 0
        with pytest.raises(CoordinatorUnreachable):
            waiting.result(timeout=START_S)
    process.channels["north"].close()


def test_a_waiting_node_gets_its_task_at_once(process: Process) -> None:
    """A long poll that waits ends with the task as soon as somebody asks, not when its time is over."""
    with ThreadPoolExecutor() as threads:
        polls = {name: threads.submit(lease, process, name, 50) for name in DEPARTMENTS}
        asked_s = time.monotonic()
        query = process.channels["a.smith"].call(methods.SUBMIT, question()).query
        for department, poll in polls.items():
            task = poll.result(timeout=START_S)
            assert task is not None
            report(process, department, task)
        assert time.monotonic() - asked_s < 10
    assert states(process, query) == {analysts_pb2.TASK_STATE_RELEASED}


def test_news_of_an_agreement_ends_every_wait(process: Process) -> None:
    """A node that waits for work hears of a new document at once, and fetches it."""
    north, south = process.channels["north"], process.channels["south"]
    now_s = int(time.time())
    with ThreadPoolExecutor() as threads:
        poll = threads.submit(north.call, methods.LEASE, nodes_pb2.LeaseRequest(wait_s=50))
        revisions: list[int] = []
        while not poll.done():  # what was published before the poll arrived is no news to it
            said = codec.signed_to(acceptance("south", now_s + len(revisions), document=DOCUMENT))
            request = agreements_pb2.PublishRequest(acceptance=said)
            revisions.append(south.call(methods.PUBLISH, request).revision)
        assert poll.result().authority_revision in revisions


def test_a_member_that_is_removed_beside_the_running_process_is_out(process: Process) -> None:
    """The command works on the store; the removed certificate's next call is refused, its renewal too."""
    with process.join("analyst", "b.jones") as jones:
        jones.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest())
        command = fedstats("coordinator", "remove", "analyst", "b.jones", "--home", process.home)
        subprocess.run(command, check=True, capture_output=True)
        with pytest.raises(NotPermitted, match="does not count"):
            jones.call(methods.CATALOGUE, analysts_pb2.CatalogueRequest())
        renewal = nodes_pb2.RenewRequest(certificate_request=TlsKey.generate().request())
        with pytest.raises(NotPermitted, match="does not count"):
            jones.call(methods.RENEW_ANALYST, renewal)


def test_many_waiting_polls_are_held_and_woken_together(process: Process) -> None:
    """As many polls of one node as it may have wait at once; one task goes to exactly one of them."""
    with ThreadPoolExecutor(max_workers=CALLS_EACH_MAX) as threads:
        polls = [threads.submit(lease, process, "west", 2) for _ in range(CALLS_EACH_MAX)]
        query = process.channels["a.smith"].call(methods.SUBMIT, question()).query
        for department in ("north", "south"):
            task = lease(process, department, 10)
            assert task is not None
            report(process, department, task)
        tasks = [task for poll in polls if (task := poll.result(timeout=60)) is not None]
        # The lease ends within the wait, so the same task may be offered again, but never twice at a time.
        assert {task.id for task in tasks} == {f"{query.hex()[:32]}-0-west"}
        assert sorted(task.attempt for task in tasks) == list(range(1, len(tasks) + 1))
    report(process, "west", tasks[-1])
    assert states(process, query) == {analysts_pb2.TASK_STATE_RELEASED}


def test_a_round_survives_kill_9_at_every_step(process: Process) -> None:
    """Killed after the submit, a lease and a report: what was answered is there, and the round ends."""
    request = question()
    query = process.channels["a.smith"].call(methods.SUBMIT, request).query
    restart(process)
    task = until_it_answers(lambda: lease(process, "north", 10))
    assert task is not None
    restart(process)
    until_it_answers(lambda: report(process, "north", task))
    first = until_it_answers(lambda: fetch(process, query))
    restart(process)
    assert until_it_answers(lambda: fetch(process, query)) == first
    assert process.channels["a.smith"].call(methods.SUBMIT, request).query == query
    for department in ("south", "west"):
        found = lease(process, department, 10)
        assert found is not None
        assert found.query == request.query
        report(process, department, found)
    assert states(process, query) == {analysts_pb2.TASK_STATE_RELEASED}
    printed = subprocess.run(
        fedstats("register", "list", "--home", process.home), check=True, capture_output=True, text=True
    ).stdout
    assert f"{query.hex()[:12]}, round 0: answered by north, south, west." in printed


def test_a_lease_of_a_dead_node_is_offered_again_by_itself(process: Process) -> None:
    """A node that took a task and died gets it again when it waits past the lease, though nobody moved."""
    process.channels["a.smith"].call(methods.SUBMIT, question())
    first = lease(process, "south", 10)
    assert first is not None
    again = lease(process, "south", LEASE_S + 10)
    assert again is not None
    assert (again.id, again.attempt) == (first.id, 2)
    note = nodes_pb2.ReportRequest(task=again.id, refusal=refusal(again, "south"))
    process.channels["south"].call(methods.REPORT, note)
    for department in ("north", "west"):
        task = lease(process, department, 10)
        assert task is not None
        report(process, department, task)


def test_requests_during_many_kills_lose_nothing_that_was_confirmed(tmp_path: Path) -> None:
    """While the coordinator is killed again and again, every question it confirmed is there afterwards."""
    confirmed: list[bytes] = []
    with coordinator(tmp_path / "home") as process, ThreadPoolExecutor() as threads:
        for _ in range(3):
            asking = threads.submit(ask_until_it_breaks, process, confirmed)
            assert process.running is not None
            while len(confirmed) % 5 != 4 and not asking.done():
                select.select([], [], [], 0.01)
            process.end(signal.SIGKILL)
            asking.result(timeout=START_S)
            process.start()
        assert len(confirmed) >= 3
        until_it_answers(lambda: fetch(process, confirmed[0]))
        assert all(fetch(process, query).HasField("query") for query in confirmed)


def ask_until_it_breaks(process: Process, confirmed: list[bytes]) -> None:
    """Ask new questions until a call fails; remember those that were confirmed."""
    while True:
        try:
            confirmed.append(process.channels["a.smith"].call(methods.SUBMIT, question(), timeout_s=5).query)
        except FedstatsError:
            return


def restart(process: Process) -> None:
    """Kill the coordinator without a warning and start it again."""
    process.end(signal.SIGKILL)
    process.start()


def fetch(process: Process, query: bytes) -> analysts_pb2.FetchReply:
    """Everything of a query."""
    return process.channels["a.smith"].call(methods.FETCH, analysts_pb2.FetchRequest(query=query))


def test_a_newer_poll_of_a_node_ends_the_older_one(process: Process) -> None:
    """A node that asks again listens to its old call no more: that one ends at once, and takes no task."""
    channel, wanted = process.channels["west"], nodes_pb2.LeaseRequest(wait_s=50, instance=b"one")
    with ThreadPoolExecutor() as threads:
        older = threads.submit(channel.call, methods.LEASE, wanted)
        newer = threads.submit(channel.call, methods.LEASE, wanted)
        done, waiting = wait({older, newer}, timeout=START_S, return_when=FIRST_COMPLETED)
        assert [call.result().HasField("task") for call in done] == [False]
        asked_s = time.monotonic()
        process.channels["a.smith"].call(methods.SUBMIT, question())
        (found,) = (call.result(timeout=START_S).task for call in waiting)
        assert time.monotonic() - asked_s < START_S
    report(process, "west", found)
    for department in ("north", "south"):
        task = lease(process, department, 10)
        assert task is not None
        report(process, department, task)

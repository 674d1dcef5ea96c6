"""The metrics' port: other accounts of the machine reach it, and so do pages in a browser there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fedstats.identity.address import split_address
from fedstats.journal.meters import NODE
from fedstats.journal.metrics import CALLS_MAX, metrics
from fedstats.journal.settings import MetricsTerms

WAIT_S = 30.0


def served(host: str) -> Iterator[str]:
    """The address of metrics that are served."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        port = taken.getsockname()[1]
    listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with metrics(MetricsTerms(listen), NODE, lambda: ()):
        yield listen


@pytest.fixture
def listen() -> Iterator[str]:
    """Metrics on loopback."""
    yield from served("127.0.0.1")


@pytest.fixture
def listen_6() -> Iterator[str]:
    """Metrics on loopback, by its address of version 6."""
    yield from served("::1")


def answer(address: str, headers: str) -> str:
    """The first line of the answer to a call; empty if the server hung up."""
    with socket.create_connection(split_address(address), timeout=WAIT_S) as caller:
        try:
            caller.sendall(f"GET /metrics HTTP/1.0\r\n{headers}\r\n".encode())
            return caller.makefile("rb").readline().decode().strip()
        except ConnectionError:
            return ""


@pytest.mark.parametrize("named", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}"])
def test_whoever_names_this_machine_reads_metrics(listen: str, named: str) -> None:
    """Prometheus may write the address as it likes."""
    host = named.format(port=split_address(listen)[1])
    assert answer(listen, f"Host: {host}\r\n").endswith("200 OK")
    assert answer(listen, "").endswith("200 OK")  # a script without the header


def test_metrics_by_version_6(listen_6: str) -> None:
    """An address in brackets is one like any other."""
    assert answer(listen_6, f"Host: {listen_6}\r\n").endswith("200 OK")


@pytest.mark.parametrize("named", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "]"])
def test_a_page_that_points_its_name_here_reads_nothing(listen: str, named: str) -> None:
    """A browser that believes a page of another name to be here is turned away (DNS rebinding)."""
    host = named.format(port=split_address(listen)[1])
    assert "421" in answer(listen, f"Host: {host}\r\n")


def test_callers_who_say_nothing_take_no_threads(listen: str) -> None:
    """However many connections are opened, a few are held; when they end, metrics are read again."""
    before = threading.active_count()
    with ExitStack() as idle:
        for _ in range(10 * CALLS_MAX):
            idle.enter_context(socket.create_connection(split_address(listen), timeout=WAIT_S))
        assert answer(listen, "") == ""  # there is no room: by now all of them were looked at
        assert threading.active_count() <= before + CALLS_MAX
    while not answer(listen, "").endswith("200 OK"):
        pass

"""Coordinators of the wire's tests, started and stopped around each test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from wire_world import Coordinator, Service, server_tls

from fedstats.wire.server import ServerTls, serve


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@pytest.fixture
def start(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Coordinator]]:
    """Start coordinators; all of them are stopped after the test."""
    started: list[Coordinator] = []

    def begin(listen: str = "127.0.0.1:0", tls: ServerTls | None = None, **options: Any) -> Coordinator:
        service = Service()
        methods = options.pop("methods", None) or service.methods()
        work = serve(listen, tls or server_tls(), methods, **options)
        server = asyncio.run_coroutine_threadsafe(work, loop).result(timeout=10)
        started.append(Coordinator(loop, service, server))
        return started[-1]

    yield begin
    for coordinator in started:
        coordinator.run(coordinator.server.stop(0))


@pytest.fixture
def coordinator(start: Callable[..., Coordinator]) -> Coordinator:
    """One coordinator on a free port."""
    return start()

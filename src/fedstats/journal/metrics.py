"""Metrics as Prometheus reads them: over HTTP, on this machine only unless configured otherwise.

Other accounts of the machine reach the port too, and so does every page that a browser on it shows. So a
few calls are taken at once, each for a few seconds, and on loopback only such as name this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from socket import AF_INET, AF_INET6, socket
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fedstats.errors import ConfigInvalid
from fedstats.identity.address import is_loopback, split_address
from fedstats.journal.event import LOST, Event, heard_by
from fedstats.journal.events import METRICS_STARTED
from fedstats.journal.fields import Shown
from fedstats.journal.meters import (
    CONNECTED,
    LAST_CONTACT,
    LOG_LINES_LOST,
    Meter,
    Observe,
    Sample,
    Shape,
    moves,
)
from fedstats.journal.settings import MetricsTerms

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CALLS_MAX = 8
CALL_S = 10.0  # of silence, after which a caller is hung up on
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@contextmanager
def metrics(
    terms: MetricsTerms, meters: Sequence[Meter], observe: Observe, *, now: Callable[[], float] = time.time
) -> Iterator[None]:
    """Serve metrics in this block, if the configuration says where.

    Raises
    ------
    ConfigInvalid
        The address cannot be listened on.

    """
    if not terms.listen:
        yield
        return
    board = Board(meters, observe, now)
    try:
        server = _listening(terms.listen, make_wsgi_app(board.registry))
    except OSError:
        raise ConfigInvalid(
            f"metrics.listen = {terms.listen!r}: another process listens there, or it is no address here."
        ) from None
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        with heard_by(board.hear):
            METRICS_STARTED(address=terms.listen)
            yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Board(Collector):
    """All metrics of one process: counters that events move, and gauges that are looked at when asked for."""

    def __init__(self, meters: Sequence[Meter], observe: Observe, now: Callable[[], float]) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self._observe, self._now = observe, now
        self._moved = {meter.name: self._made(meter) for meter in meters if _is_moved(meter)}
        self._observed = [meter for meter in meters if not _is_moved(meter)]
        self.registry.register(self)

    def hear(self, event: Event, said: Mapping[str, Shown]) -> None:
        """Move what this event moves."""
        for meter, labels, value in moves(event, said, self._now()):
            moved = self._moved.get(meter.name)
            if moved is None:
                continue  # the other daemon's, in a process that runs both
            child = moved.labels(*labels) if labels else moved
            if meter.shape is Shape.COUNTER:
                child.inc(value)
            elif meter.shape is Shape.HISTOGRAM:
                child.observe(value)
            else:
                child.set(value)

    def collect(self) -> Iterable[Metric]:
        """What can be observed now."""
        families = {
            meter.name: GaugeMetricFamily(meter.name, meter.says, labels=meter.labels)
            for meter in self._observed
        }
        families[LOG_LINES_LOST.name].add_metric([], LOST.lines)
        for sample in self._samples():
            families[sample.meter.name].add_metric(list(sample.labels), sample.value)
        return families.values()

    def describe(self) -> Iterable[Metric]:
        """Nothing is observed to find out what could be."""
        return ()

    def _samples(self) -> Iterator[Sample]:
        """What could be observed, up to the first thing that could not: monitoring gets what there is."""
        observed = iter(self._observe())
        while True:
            try:
                yield next(observed)
            except StopIteration:
                return
            except Exception:  # noqa: BLE001 # a file that is not there now, say
                return

    def _made(self, meter: Meter) -> Any:  # noqa: ANN401 # one of three classes without a common interface
        if meter.shape is Shape.COUNTER:
            return Counter(meter.name, meter.says, meter.labels, registry=self.registry)
        if meter.shape is Shape.HISTOGRAM:
            return Histogram(
                meter.name, meter.says, meter.labels, registry=self.registry, buckets=SECONDS_BUCKETS
            )
        return Gauge(meter.name, meter.says, meter.labels, registry=self.registry)


def _is_moved(meter: Meter) -> bool:
    """Whether events move it; the others are observed."""
    return meter.shape is not Shape.GAUGE or meter in (CONNECTED, LAST_CONTACT)


def _listening(listen: str, told: WSGIApplication) -> Server:
    """A server at an address of this machine; raises OSError."""
    host, port = split_address(listen)
    kind = type("Server", (Server,), {"address_family": AF_INET6 if ":" in host else AF_INET})
    app = _only_of_this_machine(told) if is_loopback(host) else told
    server: Server = make_server(host, port, app, kind, Caller)
    return server


Request = socket | tuple[bytes, socket]
"""What `socketserver` hands on: a connection, or a datagram with its socket."""


class Server(ThreadingMixIn, WSGIServer):
    """Answers a few calls at once; whoever comes while so many are open is hung up on."""

    daemon_threads = True
    request_queue_size = CALLS_MAX

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 # what the library passes
        """Nobody is here yet."""
        self._room = BoundedSemaphore(CALLS_MAX)
        super().__init__(*arguments, **named)

    def verify_request(self, request: Request, client_address: object) -> bool:
        """Whether there is room for one more."""
        del request, client_address
        return self._room.acquire(blocking=False)

    def process_request(self, request: Request, client_address: object) -> None:
        """Answer in a thread of its own."""
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be had
            self._room.release()
            raise

    def process_request_thread(self, request: Request, client_address: object) -> None:
        """Answer, and make room again."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Request, client_address: object) -> None:
        """A caller that went away is nobody's problem; the library would print what it sent."""


class Caller(WSGIRequestHandler):
    """One call, which is not logged and does not last."""

    timeout = CALL_S

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002, ANN401 # the library's name
        """Say nothing."""


def _only_of_this_machine(told: WSGIApplication) -> WSGIApplication:
    """Refuse calls that name another machine: a page of that name, which a browser here was pointed at."""

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        named = str(environment.get("HTTP_HOST", ""))
        host = named.partition("]")[0][1:] if named.startswith("[") else named.partition(":")[0]
        if named and not is_loopback(host.lower()):
            start_response("421 Misdirected Request", [("Content-Type", "text/plain")])
            return [b"Metrics are read at 127.0.0.1, ::1 or localhost.\n"]
        return told(environment, start_response)

    return answer

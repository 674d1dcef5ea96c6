"""Metrics as Prometheus reads them: over HTTP, on this machine only unless configured otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fedstats.errors import ConfigInvalid
from fedstats.identity.address import split_address
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
    host, port = split_address(terms.listen)
    try:
        server, thread = start_http_server(port, addr=host, registry=board.registry)
    except OSError:
        raise ConfigInvalid(
            f"metrics.listen = {terms.listen!r}: another process listens there, or it is no address here."
        ) from None
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

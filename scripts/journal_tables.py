"""docs/events.md: every event, security event and metric of the daemons, made from their declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fedstats.journal import events, security
from fedstats.journal.event import Event
from fedstats.journal.fields import Kind
from fedstats.journal.meters import COORDINATOR, EVERYWHERE, NODE, Meter, Shape

HEAD = """<!-- Generated from fedstats.journal by `make kits`. -->
# Events and metrics

Every line that a node or a coordinator logs is one of these events and has these fields and no others,
besides `timestamp`, `level`, `event`, `component`, `version`, `message` and, for security events, `security`.
How to use them: [operations.md](operations.md).
"""


def events_page() -> str:
    """The whole page."""
    parts = [HEAD, "## Security events\n", *_events(vars(security), with_ids=True)]
    parts += ["\n## Other events\n", *_events(vars(events), with_ids=False)]
    parts += ["\n## What a field may hold\n", "| field kind | what it holds |", "|---|---|"]
    parts += [f"| {kind.name.lower()} | {kind.value} |" for kind in Kind]
    for title, meters in (
        ("Metrics of both", EVERYWHERE),
        ("Metrics of a node", NODE[len(EVERYWHERE) :]),
        ("Metrics of a coordinator", COORDINATOR[len(EVERYWHERE) :]),
    ):
        parts += [f"\n## {title}\n", *_meters(meters)]
    return "\n".join(parts) + "\n"


def _events(declared: Mapping[str, object], *, with_ids: bool) -> Iterator[str]:
    yield f"| {'id | ' if with_ids else ''}event | level | what happened | fields |"
    yield f"|{'---|' if with_ids else ''}---|---|---|---|"
    for event in declared.values():
        if isinstance(event, Event) and bool(event.security) is with_ids:
            fields = ", ".join(f"{name} ({kind.name.lower()})" for name, kind in event.fields.items())
            head = f"| {event.security} " if with_ids else ""
            yield f"{head}| `{event.name}` | {event.level.name.lower()} | {event.says} | {fields} |"


def _meters(meters: tuple[Meter, ...]) -> Iterator[str]:
    yield "| metric | kind | labels | what it says |"
    yield "|---|---|---|---|"
    for meter in meters:
        name = f"{meter.name}_total" if meter.shape is Shape.COUNTER else meter.name
        yield f"| `{name}` | {meter.shape.value} | {', '.join(meter.labels)} | {meter.says} |"

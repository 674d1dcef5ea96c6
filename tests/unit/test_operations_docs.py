"""docs/operations.md speaks of events, metrics and settings that exist."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from fedstats.errors import error_classes
from fedstats.journal import events, security
from fedstats.journal.event import Event
from fedstats.journal.meters import COORDINATOR, NODE, Shape
from fedstats.journal.settings import MetricsTerms

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
DECLARED = [v for module in (events, security) for v in vars(module).values() if isinstance(v, Event)]


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_every_metric_in_a_rule_exists() -> None:
    """No alert waits for a metric that nobody serves, or for a label that it does not have."""
    served = {
        f"{meter.name}_total" if meter.shape is Shape.COUNTER else meter.name: meter
        for meter in (*NODE, *COORDINATOR)
    }
    used = re.findall(r"\b(fedstats_[a-z_]+)(?:\{(\w+)=)?", PAGE)
    assert {name for name, _ in used} <= set(served)
    assert all(label in served[name].labels for name, label in used if label)


def test_every_security_event_is_in_the_table() -> None:
    """Each id falls into one of the families that the page explains, and none is explained that is not."""
    ranges = re.findall(r"^\| SEC-(\d{3})(?: to |, )(\d{3}) \|", PAGE, flags=re.MULTILINE)
    explained = {number for first, last in ranges for number in range(int(first), int(last) + 1)}
    assert {int(event.security[4:]) for event in DECLARED if event.security} == explained


def test_examples_are_true() -> None:
    """The line of a log, the settings and the codes are such as the daemons write, read and use."""
    (line,) = (json.loads(block) for block in blocks("json"))
    (event,) = [event for event in DECLARED if event.name == line["event"]]
    assert line["message"] == event.says
    fixed = {"timestamp", "level", "event", "component", "version", "message"}
    assert set(line) - fixed == set(event.fields)
    (settings,) = (tomllib.loads(block) for block in blocks("toml"))
    assert MetricsTerms(**settings["metrics"]).listen
    assert set(re.findall(r"FS-\d{3}", PAGE)) <= set(error_classes())
    names = {event.name for event in DECLARED}
    assert {"task_failed", "call_failed", "lines_lost", "certificate_not_renewed"} <= names

"""The public register as people read it: complete, in plain words, and inert whatever an entry holds."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from coordinator_world import NODES, World, acceptance, ready_world, refusal, release, submission
from samples import NOW_S, sample_agreement, sample_query

from fedstats.coordinator.register import (
    AGREEMENT_PUBLISHED,
    OUTCOME,
    QUERY,
    RESULT,
    ROUND,
    loss_text,
    parsed,
    sentence_of,
)
from fedstats.coordinator.register_page import json_of, page_of
from fedstats.core.agreement_document import canonical_json
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.query import StatisticLabel
from fedstats.core.query_entry import loss_entry
from fedstats.transparency.entry import LogEntry
from fedstats.wire import codec

VOID = {"meta", "br"}
NAMING = Fraction(1, 2**27)
POISON = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Collects tags and text, and refuses tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag ends: the last that began."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text in between."""
        self.text += f"{data}\n"


def read(page: str) -> Reader:
    """The page as a browser takes it."""
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


@pytest.fixture
def world() -> World:
    """A question that two departments answered and one refused, after one accepted the agreement."""
    world = ready_world()
    world.publish(NODES["north"], acceptance=codec.signed_to(acceptance("north", NOW_S)))
    world.submit(submission())
    for department in NODES:
        task = world.lease(department)
        assert task is not None
        answer = (
            {"refusal": refusal(task, "west", "FS-214", "No budget.")}
            if department == "west"
            else {"release": release(task, department)}
        )
        world.report(department, task=task.id, lease_token=task.lease_token, **answer)
    return world


def entries_of(world: World) -> list[LogEntry]:
    """The register of a world."""
    return world.store.register.entries()


def test_the_page_says_who_asked_what_why_and_at_what_cost(world: World) -> None:
    """Agreement, question and outcome are on the page in words, with times in UTC."""
    text = read(page_of(entries_of(world), made_s=NOW_S)).text
    for said in (
        "Waiting times (RTT-2026 version 1)",
        "waiting: To see who waits how long. Never: No insurance.",
        "Health Act, section 1.",
        "North Trust (north)",
        "a.smith of north",
        "SELECT sex, AVG(age) FROM rtt GROUP BY sex",
        "Round 0: answered by north, south; refused by west (FS-214)",
        "2026-06-01 08:00:00 UTC",
        "epsilon 0.1877, delta 0.0000005",
    ):
        assert said in text, said


def test_every_entry_is_on_the_page_in_order(world: World) -> None:
    """The last table has one row for each entry, whatever its kind."""
    entries = entries_of(world)
    page = page_of(entries, made_s=NOW_S)
    numbers = re.findall(r"<tr><td>(\d+)</td>", page)
    assert numbers == [str(entry.number) for entry in entries]
    assert {entry.kind for entry in entries} == {
        "controller-bound",
        "agreement-published",
        "agreement-signed",
        "agreement-accepted",
        "query",
        "outcome",
    }


def test_the_page_is_inert_whatever_the_entries_hold() -> None:
    """Markup in any text of any entry, even in its kind, stays text; and the page has no script."""
    world = ready_world()
    world.submit(submission(sample_query(statistic=StatisticLabel("table", "1", POISON))))
    poisoned = [*entries_of(world), LogEntry(99, NOW_S, POISON, json.dumps({POISON: POISON}).encode())]
    for kind in (AGREEMENT_PUBLISHED, QUERY, ROUND, OUTCOME):
        document = {
            **dict.fromkeys(("id", "title", "version", "query", "analyst", "question", "purpose"), POISON),
            "public": {"summary": POISON, "contact": POISON},
            "purposes": [{"code": POISON, "prohibited": [POISON]}, POISON, 3],
            "controllers": [{"organisation": POISON}],
            "departments": [POISON],
            "released": [POISON],
            "refused": {POISON: POISON},
            "loss": {"epsilon": POISON, "delta": POISON},
            "hash": POISON,
        }
        poisoned.append(LogEntry(100, NOW_S, kind, json.dumps(document).encode()))
    reader = read(page_of(poisoned, made_s=NOW_S))
    assert reader.tags <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p"),
        *("table", "thead", "tbody", "tr", "th", "td", "code", "br", "time"),
    }
    assert reader.attributes <= {"lang", "charset", "http-equiv", "content", "name", "scope"}
    assert "<script>alert(1)</script>" in reader.text


@pytest.mark.parametrize("document", [b"", b"[]", b"nonsense", b"[" * 100_000, b'{"loss": 3, "refused": []}'])
@pytest.mark.parametrize("kind", [AGREEMENT_PUBLISHED, QUERY, ROUND, OUTCOME, "a later kind"])
def test_entries_that_cannot_be_read_do_not_stop_the_reader(kind: str, document: bytes) -> None:
    """A broken entry, one of a later version and one from a far future still leave a page and a sentence."""
    entries = [LogEntry(1, 2**62, kind, document)]
    read(page_of(entries, made_s=NOW_S))
    assert sentence_of(kind, parsed(document))
    assert json.loads(json_of(entries))[0]["kind"] == kind


def test_a_hostile_result_is_inert_and_numbers_are_read() -> None:
    """Whatever a result says stands on the page as text; numbers have the digits that people read."""
    cells = [
        {"value": "63.17600000000001", "lo": "-5", "hi": "12345678.901"},
        {"absent": "x", "sentence": POISON},
    ]
    table = {
        "name": POISON,
        "keys": [POISON],
        "columns": ["n", POISON],
        "rows": [{"key": [None], "cells": cells}, 7],
    }
    result = {"note": POISON, "guarantee": {"sentence": POISON}, "tables": [table, {"rows": [{}]}, "odd"]}
    document = canonical_json({"query": POISON, "analyst": POISON, "result": result})
    reader = read(page_of([LogEntry(1, NOW_S, RESULT, document)], made_s=NOW_S))
    assert not reader.tags & {"script", "img"}
    assert "onerror" not in reader.attributes
    assert "63.176 (-5 to 12345678.901)" in reader.text
    odd = LogEntry(1, NOW_S, RESULT, b'{"result":[]}')
    read(page_of([odd], made_s=NOW_S))


def test_sentences_cannot_steer_a_terminal() -> None:
    """Control characters and line breaks from another machine never reach the terminal."""
    document = {"analyst": "a\x1b[31m", "question": "SELECT\n1\u202e", "department": ["x"]}
    sentence = sentence_of(QUERY, document)
    assert sentence.isprintable()
    assert "SELECT 1" in sentence


def test_the_json_is_the_register(world: World) -> None:
    """Every entry with its number, time, kind and whole document."""
    entries = entries_of(world)
    listed = json.loads(json_of(entries))
    assert [item["number"] for item in listed] == list(range(1, len(entries) + 1))
    assert listed[-1]["document"] == json.loads(entries[-1].document)


def test_an_empty_register_is_a_page_too() -> None:
    """Before the first question the page says so."""
    assert "No question was asked so far." in read(page_of([], made_s=NOW_S)).text


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_the_public_reads_the_whole_delta(mechanism: Mechanism) -> None:
    """What naming values of a key without a public list costs is in the delta of the entry, rounded up."""
    loss = MechanismLoss(mechanism, Fraction(1, 2**10), NAMING)
    entry = loss_entry(loss, 2, sample_agreement())
    converted = 0 if mechanism is Mechanism.LAPLACE else sample_agreement().privacy.delta_conversion
    assert converted + NAMING <= Fraction(str(entry["delta"])) <= converted + NAMING * Fraction(1_001, 1_000)
    assert entry["delta_add"] == f"1/{2**27}"
    assert f"delta {entry['delta']}" in loss_text({"loss": entry})

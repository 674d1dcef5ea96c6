"""Events: only what is declared is said, and nothing that is said can hold data."""

from __future__ import annotations

import ast
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_log import Happened

from fedstats.errors import LedgerBusy, NodeFailed, SignatureInvalid
from fedstats.journal import events, security
from fedstats.journal.event import LOST, Event, heard_by
from fedstats.journal.fields import UNREADABLE, Kind, places_of, problem_words, shown
from fedstats.journal.lines import Lines
from fedstats.node.database import Database

SOURCE = Path(events.__file__).resolve().parents[1]
DECLARED = {
    name: value
    for module in (events, security)
    for name, value in vars(module).items()
    if isinstance(value, Event)
}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every place where an event is noted: file, constant, call."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DECLARED:
                yield str(path.relative_to(SOURCE)), node.func.id, node


def of_a_caller(keyword: ast.keyword) -> bool:
    """`**said_of(...)`: what may be said of a caller; an event drops what it does not declare."""
    value = keyword.value
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "said_of"


def test_every_event_is_noted_with_declared_fields_only() -> None:
    """Nothing else than what an event declares is logged, anywhere."""
    wrong = [
        f"{path}:{call.lineno} {name}"
        for path, name, call in calls()
        if call.args
        or {keyword.arg for keyword in call.keywords if not of_a_caller(keyword)} - set(DECLARED[name].fields)
    ]
    assert wrong == []


def test_every_declared_event_is_noted_somewhere() -> None:
    """No event stands in the documentation that never happens."""
    noted = {name for _, name, _ in calls()} | {"OTHER_LOGGER"}
    by_error = {name for name, event in DECLARED.items() if event in dict(security.ALARMS).values()}
    assert set(DECLARED) - noted - by_error == set()


def test_names_and_ids_are_unique_and_well_formed() -> None:
    """One name per event, one id per security event, units last in the names of fields."""
    names = [event.name for event in DECLARED.values()]
    ids = [event.security for event in DECLARED.values() if event.security]
    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"SEC-[1-9]\d\d", each) for each in ids)
    for constant, event in DECLARED.items():
        assert event.name == constant.lower()
        assert (event.security != "") == hasattr(security, constant)
        for field, kind in event.fields.items():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", field)
            assert field.endswith("_s") == (kind in (Kind.SECONDS, Kind.LATENCY_S))


@given(st.sampled_from(list(Kind)), st.one_of(st.text(), st.integers(), st.binary(), st.floats(), st.none()))
def test_no_kind_lets_a_sentence_through(kind: Kind, value: object) -> None:
    """Whatever is given, what is written has no space, no control character, and bounded length."""
    written = shown(kind, value)
    if isinstance(written, str) and written != UNREADABLE:
        assert re.fullmatch(r"(fedstats )?[!-~]{1,300}", written)
    json.dumps(written)


@pytest.mark.parametrize(
    "kind, value",
    [
        (Kind.DEPARTMENT, "a.smith"),
        (Kind.DEPARTMENT, "north\n{}"),
        (Kind.TASK, "the 4711 of Ms Smith"),
        (Kind.COUNT, True),
        (Kind.COUNT, 12.5),
        (Kind.COUNT, -1),
        (Kind.WORD, "waiting for 4711"),
        (Kind.CODE, "FS-214 and more"),
        (Kind.PROBLEM, "a text"),
        (Kind.ADDRESS, "user:secret@proxy:8080"),
    ],
)
def test_what_is_not_of_its_kind_is_not_written(kind: Kind, value: object) -> None:
    """A name's field does not become a door for a text, a person or a password."""
    assert shown(kind, value) == UNREADABLE


def test_a_problem_is_its_type_and_never_its_message(tmp_path: Path) -> None:
    """Of an exception: type, system code and our own lines; of ours, the code and what was beneath."""
    assert problem_words(ValueError("the 4711 of Ms Smith")) == "ValueError"
    assert problem_words(NodeFailed("the 4711 of Ms Smith")) == "FS-299"
    assert problem_words(OSError(28, "No space left", "/secret/path")) == "OSError ENOSPC"
    with pytest.raises(LedgerBusy) as refused:
        Database(tmp_path, version=1, busy=LedgerBusy, damaged=LedgerBusy)  # a folder is no database
    assert problem_words(refused.value).startswith("FS-702")
    assert any(place.startswith("fedstats.node.database:") for place in places_of(refused.value))
    assert problem_words(sqlite3.OperationalError("near 4711")) == "OperationalError"


def test_noting_never_raises(noted: list[Happened]) -> None:
    """A listener that breaks, and values that are nonsense, change nothing for whoever notes."""

    class Nonsense:
        def __str__(self) -> str:
            raise MemoryError

    def breaks(_event: Event, _said: object) -> None:
        raise RuntimeError

    events.TASK_ANSWERED(task=Nonsense(), outcome="release", undeclared="x")
    assert noted[-1][1] == {"task": UNREADABLE, "outcome": "release"}
    lost = LOST.lines
    with heard_by(breaks):
        events.NODE_STOPPED()
    assert LOST.lines == lost + 1


def test_the_first_class_that_fits_makes_the_alarm(noted: list[Happened]) -> None:
    """An error that concerns security notes its event, with the fields that it declares and no others."""
    security.alarm(SignatureInvalid("the 4711 of Ms Smith"), task="ab-0-north", unknown=1)
    security.alarm(NodeFailed())
    assert noted == [(security.SIGNATURE_REFUSED, {"code": "FS-501", "task": "ab-0-north"})]


def test_a_line_says_what_when_who_and_nothing_else() -> None:
    """Time in UTC, level, component, version, sentence and fields; of another library, only its place."""
    lines = Lines("node")
    record = logging.LogRecord("duckdb", logging.ERROR, "/x/y.py", 7, "row %s", ("4711 of Ms Smith",), None)
    record.created = 1_780_300_800.25
    written = json.loads(lines.format(record))
    assert written == {
        "timestamp": "2026-06-01T08:00:00.250Z",
        "level": "error",
        "event": "other_logger",
        "component": "node",
        "version": written["version"],
        "message": events.OTHER_LOGGER.says,
        "logger": "duckdb",
        "line": 7,
    }

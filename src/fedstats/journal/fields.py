"""The kinds of fields that an event may have, each with the one form in which it is written.

There is no kind for a text. Names are those that agreements publish, words are our own, problems are a code
or a type and never a message: other people's messages quote values, and ours may quote what somebody asked.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from enum import Enum

from fedstats.core.names import check_agreement, check_department, check_edition, check_identifier
from fedstats.errors import FedstatsError

UNREADABLE = "(unreadable)"
"""Written in place of what is not of its kind: no foreign text gets into a log by the door of names."""

PLACES_MAX = 6
COUNT_MAX = 2**53  # what every reader of JSON takes

Shown = str | int | float | bool | list[str]


class Kind(Enum):
    """What a field may hold."""

    DEPARTMENT = "a department, as agreements name it"
    AGREEMENT = "an agreement's id, or a purpose"
    DATASET = "a dataset or a namespace, as agreements name it"
    EDITION = "an edition's public name"
    WORD = "one of a few fixed words"
    CODE = "an error code, such as FS-214"
    TASK = "a task: the start of its query's hash, its round, its department"
    HASH = "a SHA-256 or a serial number in hexadecimal, or the start of one"
    COUNT = "a whole number that is public, or says nothing about people"
    SECONDS = "seconds of waiting, never of computing on rows"
    LATENCY_S = "seconds that a call took at the coordinator, where no rows are"
    TRUTH = "true or false"
    METHOD = "a method of the wire"
    ADDRESS = "HOST:PORT of a coordinator"
    VERSION = "a software version"
    PROBLEM = "an error's code, or the type of an exception; never its message"
    PLACES = "where in fedstats it happened: module and line, the innermost last"


def shown(kind: Kind, value: object) -> Shown:
    """The value as it is written; `UNREADABLE` if it is not of its kind."""
    try:
        return _SHOWN[kind](value)
    except Exception:  # noqa: BLE001 # a log line is never a reason to fail
        return UNREADABLE


def problem_words(problem: BaseException) -> str:
    """The code or the type of an error, and the fixed name of what the system said beneath it.

    `FS-702 OperationalError SQLITE_FULL`, `BinderException`, `OSError ENOSPC`.
    """
    words = [problem.code] if isinstance(problem, FedstatsError) else _foreign_words(problem)
    beneath = problem.__cause__ or problem.__context__
    if isinstance(problem, FedstatsError) and beneath is not None:
        words += [beneath.code] if isinstance(beneath, FedstatsError) else _foreign_words(beneath)
    return " ".join(words)


def places_of(problem: BaseException) -> list[str]:
    """The innermost frames of the error that are ours, as `fedstats.node.runner:294`."""
    return list(_places(problem))[-PLACES_MAX:]


def _foreign_words(problem: BaseException) -> list[str]:
    words = [type(problem).__name__]
    if isinstance(problem, sqlite3.Error):
        words.append(getattr(problem, "sqlite_errorname", ""))
    if isinstance(problem, OSError) and problem.errno is not None:
        words.append(errno.errorcode.get(problem.errno, ""))
    return [word for word in words if word]


def _places(problem: BaseException) -> Iterator[str]:
    for frame, line in traceback.walk_tb(problem.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "fedstats":
            yield f"{module}:{line}"


def _matching(pattern: str) -> Callable[[object], Shown]:
    compiled = re.compile(pattern)

    def show(value: object) -> Shown:
        text = value.hex() if isinstance(value, bytes) else str(value)
        return text if compiled.fullmatch(text) else UNREADABLE

    return show


def _name(check: Callable[..., str]) -> Callable[[object], Shown]:
    return lambda value: check(str(value)) if value else UNREADABLE


def _count(value: object) -> Shown:
    if isinstance(value, bool) or not isinstance(value, int):
        return UNREADABLE
    return value if 0 <= value <= COUNT_MAX else UNREADABLE


def _seconds(value: object) -> Shown:
    return round(value, 1) if isinstance(value, int | float) else UNREADABLE


def _latency_s(value: object) -> Shown:
    return round(value, 4) if isinstance(value, int | float) else UNREADABLE


def _problem(value: object) -> Shown:
    return problem_words(value) if isinstance(value, BaseException) else UNREADABLE


def _where(value: object) -> Shown:
    return places_of(value) if isinstance(value, BaseException) else UNREADABLE


_SHOWN: dict[Kind, Callable[[object], Shown]] = {
    Kind.DEPARTMENT: _name(check_department),
    Kind.AGREEMENT: _name(check_agreement),
    Kind.DATASET: _name(lambda name: check_identifier(name, what="dataset")),
    Kind.EDITION: _name(check_edition),
    Kind.WORD: _matching(r"[a-z][a-z_-]{0,39}"),
    Kind.CODE: _matching(r"FS-\d{3}"),
    Kind.TASK: _matching(r"[0-9a-f]{1,64}-\d{1,4}-[a-z][a-z0-9-]{0,47}"),
    Kind.HASH: _matching(r"[0-9a-fA-F:]{1,95}"),
    Kind.COUNT: _count,
    Kind.SECONDS: _seconds,
    Kind.LATENCY_S: _latency_s,
    Kind.TRUTH: lambda value: value if isinstance(value, bool) else UNREADABLE,
    Kind.METHOD: _matching(r"/?[A-Za-z0-9_.]{1,80}(/[A-Za-z]{1,40})?"),
    Kind.ADDRESS: _matching(r"[A-Za-z0-9.:\[\]-]{1,280}"),
    Kind.VERSION: _matching(r"(fedstats )?[0-9A-Za-z.+-]{1,40}"),
    Kind.PROBLEM: _problem,
    Kind.PLACES: _where,
}

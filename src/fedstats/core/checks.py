"""What a doctor says: each thing that was looked at, what was found, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from fedstats.errors import FedstatsError


class Health(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. Programs rely on `id`; `subject` says which of several it was."""

    id: str
    health: Health
    found: str
    fix: str = ""
    subject: str = ""


Look = Callable[[], Iterable[Check]]
"""Looks at something; what it raises is a problem of its own."""


def ok(id_: str, found: str, *, subject: str = "") -> Check:
    """A check that found nothing wrong."""
    return Check(id_, Health.OK, found, subject=subject)


def warning(id_: str, found: str, fix: str, *, subject: str = "") -> Check:
    """A check that found what somebody should know, and that stops nothing."""
    return Check(id_, Health.WARNING, found, fix, subject)


def problem(id_: str, found: str, fix: str, *, subject: str = "") -> Check:
    """A check that found what stops answers, or endangers them."""
    return Check(id_, Health.PROBLEM, found, fix, subject)


def failed(id_: str, error: FedstatsError, *, subject: str = "") -> Check:
    """What came in the way of a check, as its finding."""
    fix = error.advice or f"Read what it means: fedstats error {error.code}"
    return Check(id_, Health.PROBLEM, f"{error.code} {error.sentence}", fix, subject)


def examined(id_: str, look: Look, *, subject: str = "") -> Iterator[Check]:
    """What a look finds, or what came in its way: no check ends the others."""
    try:
        yield from look()
    except FedstatsError as error:
        yield failed(id_, error, subject=subject)
    except OSError as error:
        name = error.filename or "A file"
        fix = "Run this as the account that owns the folder, and look at the disk."
        yield problem(id_, f"{name} cannot be read: {error.strerror}.", fix, subject=subject)

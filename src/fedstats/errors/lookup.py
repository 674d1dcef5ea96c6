"""Errors by their codes."""

from __future__ import annotations

from fedstats.errors.internal import InternalError
from fedstats.errors.root import FedstatsError, Spent


def error_classes() -> dict[str, type[FedstatsError]]:
    """Every error class by its code.

    Raises
    ------
    InternalError
        Two classes share one code.

    """
    found: dict[str, type[FedstatsError]] = {}
    waiting: list[type[FedstatsError]] = [FedstatsError]
    while waiting:
        error = waiting.pop()
        if error.code in found:
            sentence = f"{error.__name__} and {found[error.code].__name__} share {error.code}."
            raise InternalError(sentence)
        found[error.code] = error
        waiting.extend(error.__subclasses__())
    return dict(sorted(found.items()))


def error_from_code(
    code: str, sentence: str, *, where: str = "", spent: Spent | None = None
) -> FedstatsError:
    """Rebuild an error that travelled as code and sentence; an unknown code becomes the root class."""
    error = error_classes().get(code, FedstatsError)
    return error(sentence, where=where, spent=spent)


def who_acts(code: str) -> str:
    """`Who can change it: the department's IT.`; empty for a code that this version does not know."""
    error = error_classes().get(code)
    return f"Who can change it: {acting(error)}." if error else ""


def acting(error: type[FedstatsError]) -> str:
    """Who can change what led to such an error."""
    return " or ".join(actor.value for actor in error.acts)

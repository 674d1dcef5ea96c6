"""The opt-out list: read line by line, because a line that is misread leaves in somebody who opted out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from fedstats.errors import OptOutListProblem

SEPARATOR = "\x1f"
_QUOTES = frozenset('"\u201c\u201d\u00ab\u00bb')
_APOSTROPHES = "'`\u2018\u2019"
_AROUND = ", \t\r\n\ufeff"
_HEADERS = frozenset({"id", "identifier", "person", "personid", "patient", "patientid", "nhsnumber", "nhsno"})


def copy_opt_outs(listed: Path, into: Path, person: str) -> None:
    """Write each identifier of a list with the number of its line, as they stand, without the commas.

    `person` is the name of the source's person column, which is no person.

    Raises
    ------
    OptOutListProblem
        The list cannot be read, or a line is no identifier: it names the line and shows nothing of it.

    """
    try:
        with listed.open(encoding="utf-8-sig") as lines, into.open("w", encoding="utf-8") as copy:
            for number, identifier in _identifiers(listed, lines, person):
                copy.write(f"{number}{SEPARATOR}{identifier}\n")
    except OSError as error:
        raise OptOutListProblem(f"{listed.name} cannot be read: {error.strerror}.") from None
    except UnicodeError:
        raise OptOutListProblem(f"{listed.name} is not UTF-8.") from None


def _identifiers(listed: Path, lines: Iterator[str], person: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        identifier = line.strip(_AROUND)
        reason = _reason(identifier, person, first=number == 1)
        if reason:
            raise OptOutListProblem(
                f"{listed.name}, line {number}: {reason}.",
                remedy="Correct the list: a person who opted out must not be overlooked.",
            )
        if identifier:
            yield number, identifier


def _reason(identifier: str, person: str, *, first: bool) -> str:
    """Why a line names nobody; empty if it may."""
    # Within an identifier (O'NEIL) an apostrophe is a letter like any other; around one it is a quote.
    if not _QUOTES.isdisjoint(identifier) or identifier.strip(_APOSTROPHES) != identifier:
        return "it has quotes; write one identifier and a comma, without quotes"
    if any(unicodedata.category(character) == "Cc" for character in identifier):
        return "it has a control character"
    if first and _letters(identifier) in _HEADERS | {_letters(person)}:
        return "it is a heading; the list has none"
    return ""


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum()) or "?"

"""The character rules of names that people choose: they become file names, SQL identifiers and log lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from fedstats.errors import ValueInvalid

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")
DEPARTMENT = re.compile(r"[a-z][a-z0-9-]{0,47}")
SCHEDULED = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,30}")
EDITION = re.compile(rf"{SCHEDULED.pattern}(\.[1-9][0-9]{{0,3}})?")
AGREEMENT = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,47}")
PERSON_NAME = re.compile(r"[a-z][a-z0-9.-]{0,63}")
LABEL_CHARACTERS_MAX = 80
UNREADABLE = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
)
"""The characters that no label has, for a set of a regular expression: what a terminal obeys (controls), what
reorders or hides what stands beside it (bidirectional marks, zero-width spaces, tags), and what is none."""
_LABEL = re.compile(rf"[^{UNREADABLE}]{{1,80}}")
TEXT_CHARACTERS_MAX = 4_000


def check_identifier(name: str, *, what: str) -> str:
    """`name` if it may name a dataset, a column or a statistic (lower case, digits, underscore)."""
    return _check(IDENTIFIER, name, what, "lower-case letters, digits and _, starting with a letter")


def check_department(name: str, *, what: str = "department") -> str:
    """`name` if it may name a department or a node."""
    return _check(DEPARTMENT, name, what, "lower-case letters, digits and -, starting with a letter")


def check_edition(name: str, *, what: str = "edition") -> str:
    """`name` if it may name an edition, such as 2025-09 or its revision 2025-09.2."""
    return _check(EDITION, name, what, "letters, digits and -, with an optional revision such as .2")


def check_scheduled_edition(name: str) -> str:
    """`name` if an agreement may schedule it: 2025-09, never 2025-09.2, which a repair at a node would be."""
    if "." in name:
        sentence = f"{name[:40]!r} cannot be scheduled: a name with a dot is one of a revision."
        raise ValueInvalid(sentence)
    return check_edition(name)


def check_agreement(name: str, *, what: str = "agreement") -> str:
    """`name` if it may name an agreement or a purpose code."""
    return _check(AGREEMENT, name, what, "letters, digits and -, starting with a letter")


def check_analyst(name: str, *, what: str = "analyst") -> str:
    """`name` if it may name an analyst."""
    return _check(PERSON_NAME, name, what, "lower-case letters, digits, . and -")


def check_label(text: str, *, what: str) -> str:
    """`text` if it is one printable line of 1 to 80 characters (categories, titles)."""
    return _check(_LABEL, text, what, "one printable line of 1 to 80 characters")


def check_text(text: str, *, what: str) -> str:
    """`text` if it is readable prose: no control characters but line breaks, at most 4,000 characters."""
    if len(text) > TEXT_CHARACTERS_MAX:
        sentence = f"The {what} has more than {TEXT_CHARACTERS_MAX} characters."
        raise ValueInvalid(sentence)
    for line in text.split("\n"):
        for start in range(0, len(line), 80):
            check_label(line[start : start + 80], what=what)
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean age?` where a known name is close to `name`, else nothing."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name[:80].casefold(), by_folded, n=2)
    return f"; did you mean {' or '.join(by_folded[match] for match in close)}?" if close else ""


def _check(pattern: re.Pattern[str], name: str, what: str, rule: str) -> str:
    if pattern.fullmatch(name) is None:
        article = "an" if what[0] in "aeiou" else "a"
        sentence = f"{name[:40]!r} cannot be the name of {article} {what}: use {rule}."
        raise ValueInvalid(sentence)
    return name

"""How answers about an agreement are read: each rule returns the value, or says what is wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from fractions import Fraction

from fedstats.core.agreement_document import decimal_text
from fedstats.core.names import check_text
from fedstats.errors import ValueInvalid
from fedstats.identity.keys import PUBLIC_KEY_BYTES

_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def prose(text: str) -> str:
    """Readable words, and some."""
    if not text:
        raise ValueInvalid("Something has to stand here; Ctrl-D ends, and keeps what was said.")
    return check_text(text, what="text")


def optional_prose(text: str) -> str:
    """Readable words, or none."""
    return check_text(text, what="text")


def words_of(text: str) -> list[str]:
    """What stands between commas."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise ValueInvalid("At least one is needed, with commas between several.")
    if len(set(found)) != len(found):
        raise ValueInvalid("Each is named once.")
    for word in found:
        check_text(word, what="text")
    return found


def yes_or_no(text: str) -> bool:
    """Yes or no, or the first letter."""
    if text.lower() not in ("y", "yes", "n", "no"):
        raise ValueInvalid("Answer yes or no.")
    return text.lower() in ("y", "yes")


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number in a range; commas between thousands are allowed."""

    def rule(text: str) -> int:
        digits = text.replace(",", "")
        if not re.fullmatch(r"[0-9]{1,15}", digits) or not least <= int(digits) <= most:
            raise ValueInvalid(f"It is a whole number from {least:,} to {most:,}.")
        return int(digits)

    return rule


def loss_text(text: str) -> str:
    """A decimal number, as agreements write it."""
    if not _DECIMAL.fullmatch(text):
        raise ValueInvalid("It is a decimal number, such as 0.5.")
    return decimal_text(Fraction(text))


def above(least: object, *, most: str = "") -> Callable[[str], str]:
    """A decimal number above another one, and at most `most`."""

    def rule(text: str) -> str:
        number = Fraction(loss_text(text))
        if number <= Fraction(str(least)) or (most and number > Fraction(most)):
            raise ValueInvalid(f"It lies above {least}{f', and is at most {most}' if most else ''}.")
        return loss_text(text)

    return rule


def day_from(first: object, last: object = None) -> Callable[[str], date]:
    """A day, not before the first and not after the last."""

    def rule(text: str) -> date:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise ValueInvalid("It is a day such as 2026-04-01.") from None
        if (isinstance(first, date) and day < first) or (isinstance(last, date) and day > last):
            until = f" and not after {last}" if last else ""
            raise ValueInvalid(f"It is not before {first}{until}.")
        return day

    return rule


def key_text(text: str) -> str:
    """A public key in hexadecimal, also copied with what stands before it; nothing: later."""
    copied = re.search(rf"\b[0-9a-fA-F]{{{2 * PUBLIC_KEY_BYTES}}}\b", text)
    if text and copied is None:
        raise ValueInvalid("A key has 64 digits and letters from a to f; a fingerprint is not enough.")
    return copied[0].lower() if copied else ""

"""What other people wrote, as it may be shown: nothing in it steers a terminal or turns a line. Pure."""

from __future__ import annotations

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text with every character that is not visible replaced, but for spaces and line breaks.

    Agreements, refusals and names come from other machines. An escape sequence could rewrite what is on the
    screen, a bidirectional override could swap two numbers, and a lone surrogate ends the program when it is
    written. Everything that is printed for people goes through here, also what was checked when it arrived.
    """
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n" or character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return " " if character == "\t" else REPLACEMENT

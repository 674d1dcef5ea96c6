"""The page of an error code: what its class says, and what the TOML file of its family adds."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from fedstats.errors.lookup import acting, error_classes
from fedstats.errors.root import FedstatsError, Spent

FOLDER = Path(__file__).parent
NO_COST = "It has nothing to do with the budget: nothing is spent."
FAMILIES = {
    "0": "Unknown",
    "1": "What you typed or configured",
    "2": "A department refused",
    "3": "Network and certificates",
    "4": "The question cannot be asked like this",
    "5": "Signatures, agreements, appointments",
    "6": "A department's own data",
    "7": "The ledger of the budget",
    "9": "A bug in fedstats",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What people can read about one code."""

    error: type[FedstatsError]
    example: str  # one line, as a message looks
    budget: str
    causes: tuple[str, ...]
    steps: tuple[str, ...]

    @property
    def code(self) -> str:
        """The code, such as FS-214."""
        return self.error.code

    @property
    def title(self) -> str:
        """What happened, in general."""
        return self.error.title

    @property
    def meaning(self) -> str:
        """What the class stands for, in one sentence."""
        return " ".join((self.error.__doc__ or "").split())

    @property
    def who(self) -> str:
        """Who can change it."""
        who = acting(self.error)
        return f"{who[0].upper()}{who[1:]}."

    @property
    def family(self) -> str:
        """What its number's first digit says."""
        return FAMILIES[self.code[3]]


def pages() -> tuple[Page, ...]:
    """The page of every code, in the order of the codes.

    Raises
    ------
    KeyError
        A class has no entry in the file of its family: add one, and write its causes and steps.

    """
    said = {
        code: entry
        for path in sorted(FOLDER.glob("*.toml"))
        for code, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }
    return tuple(_page(error, said[code]) for code, error in error_classes().items())


def _page(error: type[FedstatsError], said: dict[str, object]) -> Page:
    remedy = said.get("remedy")
    example = error(
        str(said.get("sentence", "")),
        where=str(said.get("where", "")),
        remedy=None if remedy is None else str(remedy),
    )
    usual = error.spent_default
    budget = said.get("budget") or (NO_COST if usual is Spent.NOT_APPLICABLE else usual.value)
    return Page(error, str(example), str(budget), _texts(said, "causes"), _texts(said, "steps"))


def _texts(said: dict[str, object], key: str) -> tuple[str, ...]:
    found = said[key]
    if not isinstance(found, list):
        message = f"{key} is a list of sentences."
        raise TypeError(message)
    return tuple(str(text) for text in found)

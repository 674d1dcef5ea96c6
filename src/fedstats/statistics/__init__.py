"""Statistics: one file of this folder = one kind of question that an analyst can ask.

A file here has the name of its statistic and offers `STATISTIC`, a frozen dataclass that keeps the promises
of `fedstats.core.statistic.Statistic`. Files that begin with an underscore are parts that several of them
use.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules

from fedstats.core.statistic import Statistic
from fedstats.errors import NameUnknown

__all__ = ["statistic_of", "statistics"]


def statistic_of(name: str) -> type[Statistic]:
    """The statistic of this name, loaded from its file.

    Raises
    ------
    NameUnknown
        The folder has no such file.

    """
    if name not in statistics():
        close = get_close_matches(name, statistics(), n=1)
        guess = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(statistics())}."
        raise NameUnknown(
            f"There is no statistic {name[:48]!r}{guess}",
            remedy="One of your own is named with its file: fedstats run ./FILE.py:Name",
        )
    statistic: type[Statistic] = import_module(f"{__name__}.{name}").STATISTIC
    return statistic


def statistics() -> tuple[str, ...]:
    """The names of all statistics, without loading any."""
    files = sorted(module.name for module in iter_modules(__path__))
    return tuple(file for file in files if not file.startswith("_"))

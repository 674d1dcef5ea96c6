"""Statistics over data that stays in several government departments.

    import fedstats

    with fedstats.connect() as session:
        answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1)
        print(answer)

A question can be tried on rows of one's own before any department is asked: `help(fedstats.simulate)`.

Everything that fedstats raises on purpose is a `fedstats.errors.FedstatsError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when somebody connects: importing fedstats stays light
    from fedstats.client.session import Session
    from fedstats.core.statistic import Statistic
    from fedstats.testing.simulate import simulate

__all__ = ["connect", "simulate", "statistic"]


def connect(home: str | Path | None = None) -> Session:
    """Open a session for the analyst of this home: `$FEDSTATS_HOME`, or where the XDG folders are.

    Raises
    ------
    NotJoined
        The home has joined no federation: `fedstats join -` first.

    """
    from fedstats.client.session import connect as open_session

    return open_session(home)


def statistic(reference: str, /, **parameters: object) -> Statistic:
    """A built-in statistic by its name, or the class of a file by PATH.py:Name, for `Session.run`.

        waits = fedstats.statistic("waiting_times", dataset="rtt", start="referred", stop="treated")

    A file runs in a process of its own, as you and with your rights; the job remembers it by its SHA-256.

    Raises
    ------
    NameUnknown, StatisticUnreadable, StatisticFailed, StatisticStopped
        There is none, or it cannot be loaded.
    ParameterInvalid, ValueInvalid
        The parameters are not what it takes; `fedstats run NAME --help` says what it takes.

    """
    from fedstats.client.opening import statistic_at
    from fedstats.client.parameters import plain_of

    return statistic_at(reference, {name: plain_of(value) for name, value in parameters.items()})


def __getattr__(name: str) -> object:
    """What is imported when somebody first uses it."""
    if name == "simulate":
        from fedstats.testing.simulate import simulate

        return simulate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

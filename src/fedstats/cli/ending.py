"""How a command ends when something went wrong: in one sentence that is no longer than it can be read.

Whoever looks for a bug sets FEDSTATS_TRACEBACK=1 and gets Python's own report.
"""

from __future__ import annotations

import errno
import os
import traceback

import click

from fedstats.client.printable import printable
from fedstats.errors import ConfigInvalid, FedstatsError, FileProblem, InternalError

INTERRUPTED = 130  # what shells report for Ctrl-C
SENTENCE_CHARACTERS_MAX = 1_000  # what is typed and quoted may be of any length
TRACEBACK = "FEDSTATS_TRACEBACK"


def translated(problem: Exception) -> FedstatsError:
    """The error to show for an exception that nobody foresaw.

    Raises
    ------
    Exception
        The same, where it is for click (nobody reads the output any more), or a report is wanted.

    """
    if isinstance(problem, click.ClickException | click.exceptions.Exit | click.Abort) or _is_for_click(
        problem
    ):
        raise problem
    if os.environ.get(TRACEBACK):
        raise problem
    if isinstance(problem, ImportError):
        from fedstats.client.extras import missing

        extra = missing(problem)
        if extra is not None:
            return extra
    if isinstance(problem, OSError):
        return _of_system(problem)
    if isinstance(problem, UnicodeError):
        return ConfigInvalid(
            "Something that was typed or read is no text in UTF-8.",
            remedy="Type it anew, or save the file as UTF-8.",
        )
    return _bug(problem)


def shortened(text: str) -> str:
    """A sentence that people can read: printable, and cut where it would fill the screen."""
    shown = printable(text)
    if len(shown) <= SENTENCE_CHARACTERS_MAX:
        return shown
    return f"{shown[:SENTENCE_CHARACTERS_MAX]}... ({len(shown):,} characters)"


def _is_for_click(problem: Exception) -> bool:
    """Whether the output was closed, as `| head` does: click ends the command quietly then."""
    return isinstance(problem, OSError) and problem.errno == errno.EPIPE


def _of_system(problem: OSError) -> FedstatsError:
    what = problem.filename if isinstance(problem.filename, str) else "A file or a connection"
    why = problem.strerror or type(problem).__name__
    return FileProblem(
        f"{what} cannot be used: {why}.", remedy="Look at its name, and at who may read and write it."
    )


def _bug(problem: Exception) -> FedstatsError:
    place = traceback.extract_tb(problem.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119 # text, not a path
    return InternalError(
        f"fedstats failed with {type(problem).__name__} at {where}; this is a bug.",
        remedy=f"Please report it with what you typed; {TRACEBACK}=1 before the command shows more.",
    )

"""The outermost group: errors become one sentence and a stable exit code."""

from __future__ import annotations

import click

from fedstats.cli.ending import INTERRUPTED, shortened, translated
from fedstats.cli.lazy import LazyGroup
from fedstats.cli.next_step import with_home
from fedstats.client.printable import printable
from fedstats.errors import (
    AuthorityError,
    DataError,
    FedstatsError,
    LanguageError,
    LedgerError,
    NetworkError,
    NotAnswered,
    Refused,
    StillWaiting,
    UsageError,
)

# The first class that fits counts. Scripts rely on these numbers: they are only ever added to.
EXIT_CODES: tuple[tuple[type[FedstatsError], int, str], ...] = (
    (StillWaiting, 75, "the answer is not there yet"),
    (NotAnswered, 3, ""),
    (UsageError, 2, "what you typed or configured"),
    (Refused, 3, "refused, or not answered"),
    (NetworkError, 4, "network"),
    (LanguageError, 5, "the question cannot be asked like this"),
    (AuthorityError, 6, "signatures, agreements, appointments"),
    (DataError, 7, "the department's own data"),
    (LedgerError, 8, "the ledger, a log, or the register"),
    (FedstatsError, 70, "a bug"),
)

EXIT_CODES_TEXT = "Exit codes: 0 done; " + "; ".join(
    f"{code} {words}" for _, code, words in sorted(EXIT_CODES, key=lambda row: row[1]) if words
)


class Root(LazyGroup):
    """Runs a command, and says in one line what went wrong."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was named; an error of fedstats goes to stderr and ends with its exit code."""
        try:
            return super().invoke(ctx)
        except click.UsageError as problem:  # click quotes what was typed, at any length
            raise click.UsageError(shortened(problem.format_message()), problem.ctx) from None
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)
        except FedstatsError as problem:
            _end(ctx, problem)
        except Exception as problem:  # noqa: BLE001 # whatever it was, people get a sentence
            _end(ctx, translated(problem))
        return None


def exit_code(problem: FedstatsError) -> int:
    """The exit code of an error: one for each family."""
    return next(code for kind, code, _ in EXIT_CODES if isinstance(problem, kind))


def _end(ctx: click.Context, problem: FedstatsError) -> None:
    problem.sentence = shortened(problem.sentence)
    click.echo(printable(with_home(str(problem))), err=True)
    ctx.exit(exit_code(problem))

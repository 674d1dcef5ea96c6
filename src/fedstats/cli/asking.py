"""What `query` and `run` have in common: under what a question is asked, and what is said before it costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.running import columns, say_error, write_text

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.client.explanation import Explanation
    from fedstats.client.session import Session
    from fedstats.core.statistic import Statistic

Command = TypeVar("Command", bound=Callable[..., object] | click.Command)

_OPTIONS = (
    click.option(
        "--explain", is_flag=True, help="Say what it would cost and how exact it would be. Asks nothing."
    ),
    click.option(
        "--pure",
        is_flag=True,
        help="Pure epsilon (Laplace noise): a stronger promise that takes far more of the budget.",
    ),
    click.option(
        "--edition",
        default="",
        metavar="NAME",
        help="The snapshot to ask about. Default: the newest that most hold.",
    ),
    click.option("--agreement", default="", metavar="ID", help="The agreement that you ask under."),
    click.option(
        "--purpose", default="", metavar="CODE", help="What you ask for, by its code in the agreement."
    ),
    click.option(
        "--target",
        metavar="WIDTH",
        help="In place of --epsilon: ask with the least epsilon whose 95 % noise intervals are at most "
        "± WIDTH. 50 means every cell of every column; 2% is of the dataset's public size, for columns that "
        'count; "5% of JOB" is of the middle value of the same column in an earlier answer. Of counts and '
        "sums every cell keeps to it; of averages, shares and ratios a cell of middling size is expected to.",
    ),
    click.option(
        "--epsilon",
        metavar="E",
        help="How much the answer may reveal about one person, over all departments together: 1 is usual, "
        "0.1 reveals less and is noisier.",
    ),
)


def asking_options(command: Command) -> Command:
    """Add the loss or the accuracy, and under what is asked."""
    for option in _OPTIONS:
        command = option(command)
    return command


def bound_option(command: Command) -> Command:
    """Add `--bound`."""
    return click.option(
        "--bound",
        default="rows",
        show_default=True,
        metavar="WAY",
        help="How much of a person with several rows counts. rows: every row. people: everybody once in each "
        "cell, with the mean of their values. norm, norm:3: rows weighted so that a person's weigh together "
        "as 1 row (or 3) at most. auto: for averages and shares whichever is expected to be most exact, rows "
        "for anything else. Each answers another question; --explain shows the widths side by side.",
    )(command)


def least_epsilon(
    session: Session,
    question: str | Statistic,
    target: str,
    under: dict[str, str],
    *,
    pure: bool,
    bound: str = "rows",
) -> str:
    """The least epsilon for a target, told before it is spent."""
    from fedstats.core.agreement_document import decimal_text

    aimed = session.aim(
        question,
        target=target,
        purpose=under["purpose"],
        agreement=under["agreement"],
        edition=under["edition"],
        pure=pure,
        bound=bound,
    )
    epsilon = decimal_text(aimed.epsilon)
    for sentence in (*aimed.sentences, f"Asking with the least loss for that: --epsilon {epsilon}"):
        say_error(sentence)
    return epsilon


def put_out_explanation(explanation: Explanation, form: str, output: Path | None) -> None:
    """Print the explanation, or write it to the file."""
    from fedstats.client.explanation import explanation_json, explanation_lines
    from fedstats.client.words import filled

    if form == "json":
        write_text(output, explanation_json(explanation))
    else:
        lines = explanation_lines(explanation)
        write_text(output, "\n".join(filled(f"{head} {line}", columns()) for head, line in lines))

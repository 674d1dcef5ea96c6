"""`fedstats query`: a question in SQL, explained or asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.answering import chosen_format, output_options, put_out, totals_option
from fedstats.cli.running import columns, home_option, say_error, session_at, write_text

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.client.explanation import Explanation
    from fedstats.client.session import Session


@click.command
@click.argument("sql")
@click.option(
    "--epsilon",
    metavar="E",
    help="How much the answer may reveal about one person, over all departments together: 1 is usual, "
    "0.1 reveals less and is noisier.",
)
@click.option(
    "--target",
    metavar="WIDTH",
    help="In place of --epsilon: ask with the least epsilon whose 95 % noise intervals are at most ± WIDTH. "
    "50 means every cell of every column; 2% is of the dataset's public size, for columns that count; "
    '"5% of JOB" is of the middle value of the same column in an earlier answer. Of counts and sums every '
    "cell keeps to it; of averages, shares and ratios a cell of middling size is expected to.",
)
@click.option("--purpose", default="", metavar="CODE", help="What you ask for, by its code in the agreement.")
@click.option("--agreement", default="", metavar="ID", help="The agreement that you ask under.")
@click.option(
    "--edition",
    default="",
    metavar="NAME",
    help="The snapshot to ask about. Default: the newest that most hold.",
)
@click.option(
    "--pure",
    is_flag=True,
    help="Pure epsilon (Laplace noise): a stronger promise that takes far more of the budget.",
)
@click.option(
    "--explain", is_flag=True, help="Say what it would cost and how exact it would be. Asks nothing."
)
@totals_option
@output_options
@home_option
def query(
    *,
    sql: str,
    epsilon: str | None,
    target: str | None,
    purpose: str,
    agreement: str,
    edition: str,
    pure: bool,
    explain: bool,
    totals: bool,
    form: str | None,
    output: Path | None,
    wait_s: float | None,
    home: Path | None,
) -> None:
    """Ask a question in SQL.

    SELECT of counts, sums, averages and shares FROM one dataset WHERE ... GROUP BY keys, for example

      fedstats query "SELECT sex, COUNT(*) FROM rtt GROUP BY sex" --epsilon 1

    Write - for SQL to read it from standard input. The same question again gives the same answer and
    costs nothing.
    """
    chosen = chosen_format(form, output)  # before anything is spent
    text = sys.stdin.read() if sql == "-" else sql
    with session_at(home) as session:
        under = {"purpose": purpose, "agreement": agreement, "edition": edition}
        if explain:
            explanation = session.explain(text, epsilon=epsilon, target=target, **under, pure=pure)
            _put_out_explanation(explanation, chosen, output)
            return
        from fedstats.cli.progress import shown

        if target is not None and epsilon is None:
            epsilon, target = _epsilon_for(session, text, target, under, pure=pure), None

        with shown(quiet=False) as tell:
            answer = session.query(
                text,
                epsilon=epsilon,
                target=target,
                **under,
                pure=pure,
                totals=totals,
                progress=tell,
                wait_s=wait_s,
            )
    put_out(answer, chosen, output)


def _epsilon_for(session: Session, sql: str, target: str, under: dict[str, str], *, pure: bool) -> str:
    """The least epsilon for a target, told before it is spent."""
    from fedstats.core.agreement_document import decimal_text

    aimed = session.aim(sql, target=target, **under, pure=pure)
    epsilon = decimal_text(aimed.epsilon)
    for sentence in (*aimed.sentences, f"Asking with the least loss for that: --epsilon {epsilon}"):
        say_error(sentence)
    return epsilon


def _put_out_explanation(explanation: Explanation, form: str, output: Path | None) -> None:
    from fedstats.client.explanation import explanation_json, explanation_lines
    from fedstats.client.words import filled

    if form == "json":
        write_text(output, explanation_json(explanation))
    else:
        lines = explanation_lines(explanation)
        write_text(output, "\n".join(filled(f"{head} {line}", columns()) for head, line in lines))

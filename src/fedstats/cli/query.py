"""`fedstats query`: a question in SQL, explained or asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fedstats.cli.answering import chosen_format, output_options, put_out, totals_option
from fedstats.cli.asking import asking_options, bound_option, least_epsilon, put_out_explanation
from fedstats.cli.running import home_option, say_error, session_at


@click.command
@click.argument("sql")
@asking_options
@bound_option
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
    bound: str,
    totals: bool,
    form: str | None,
    output: Path | None,
    wait_s: float | None,
    home: Path | None,
) -> None:
    """Ask a question in SQL.

    SELECT of keys and aggregates FROM one dataset WHERE ... GROUP BY keys, for example

      fedstats query "SELECT sex, COUNT(*) FROM rtt GROUP BY sex" --epsilon 1

    Aggregates: COUNT, SUM, AVG, SHARE(condition), VAR_SAMP, STDDEV_SAMP, arithmetic of them. Keys: columns,
    BAND(age, 18, 65), HISTOGRAM(age, 13), DATE_TRUNC('month', d), CASE. All of it: docs/query-language.md

    Write - for SQL to read it from standard input. The same question again gives the same answer and
    costs nothing.
    """
    chosen = chosen_format(form, output)  # before anything is spent
    text = sys.stdin.read() if sql == "-" else sql
    under = {"purpose": purpose, "agreement": agreement, "edition": edition}
    with session_at(home) as session:
        if explain:
            explanation = session.explain(
                text, epsilon=epsilon, target=target, **under, pure=pure, bound=bound
            )
            put_out_explanation(explanation, chosen, output)
            return
        from fedstats.cli.progress import shown

        if target is not None and epsilon is None:
            epsilon, target = least_epsilon(session, text, target, under, pure=pure, bound=bound), None
        with shown(quiet=False) as tell:
            asked: dict[str, Any] = {"epsilon": epsilon, "target": target, "pure": pure, **under}
            answer = session.query(
                text, totals=totals, bound=bound, **asked, progress=tell, wait_s=wait_s, announce=say_error
            )
    put_out(answer, chosen, output)

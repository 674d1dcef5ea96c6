"""Questions on the node's own machine: the SQL they become, and what would leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_local import config_option, dataset_options, folder_option, node_of
from fedstats.cli.running import say, terminal
from fedstats.errors import InternalError

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.estimate import Table
    from fedstats.core.privacy import MechanismLoss
    from fedstats.core.statistic import Ask, Round, Statistic
    from fedstats.node.datasets import Held
    from fedstats.node.service import Node


@click.command
@click.argument("sql")
@dataset_options
@folder_option
@config_option
def explain(*, sql: str, agreement: str, home: Path, config_file: Path | None) -> None:
    """Print the SQL that the question SQL becomes on this node, for a database administrator to read.

    It runs on an edition: columns hold integer codes, and people are known by numbers made for it.
    Nothing is computed, asked or spent.
    """
    with node_of(home, config_file) as node:
        statistic, held = _question(node, sql, agreement)
        ask = _ask(node, held, "1", pure=False)
        for aggregate in _first_round(statistic, ask).aggregates:
            text = node.bench.engine.explain(
                aggregate,
                dataset=held.dataset,
                where=statistic.condition(held.dataset),
                contribution=ask.contribution,
            )
            say(text)


@click.command(name="try")
@click.argument("sql")
@click.option(
    "--epsilon",
    default="1",
    show_default=True,
    metavar="E",
    help="The privacy loss that an analyst would ask with: it decides how much noise there is.",
)
@click.option("--pure", is_flag=True, help="Pure epsilon (Laplace noise), as with fedstats query --pure.")
@click.option("--edition", default="", metavar="NAME", help="Which edition. Default: the newest here.")
@dataset_options
@folder_option
@config_option
def try_(
    *,
    sql: str,
    epsilon: str,
    pure: bool,
    edition: str,
    agreement: str,
    home: Path,
    config_file: Path | None,
) -> None:
    """Show, on this machine only, what would leave for the question SQL. Nothing leaves, nothing is spent.

    The noise is made up for this one trial, and no exact number is printed. Still, who repeats a trial
    often enough sees through its noise: what you see here may not be passed on.
    """
    from fedstats.client.figures import figures_of
    from fedstats.core.disclosure import DisclosureProfile, rule_of, rule_words
    from fedstats.core.estimate import Estimate
    from fedstats.core.rules import loss_of_round
    from fedstats.node.trial import newest_edition, try_round

    with node_of(home, config_file) as node:
        statistic, held = _question(node, sql, agreement)
        ask = _ask(node, held, epsilon, pure=pure)
        chosen = newest_edition(node, held, edition)
        asked = _first_round(statistic, ask)
        ask = replace(ask, loss=loss_of_round(held.standing.agreement, ask.loss, asked))
        result = try_round(node, held, chosen, asked, statistic.condition(held.dataset), ask.loss)
        leaves = replace(
            ask, disclosure=DisclosureProfile.NONE
        )  # a profile hides nothing from the department
        answer = statistic.step(leaves, [result])
    if not isinstance(answer, Estimate):
        raise InternalError("A question with several rounds cannot be tried yet.")
    say(f"A TRIAL on {chosen.dataset} {chosen.name}: fresh fake noise, nothing sent, nothing spent.")
    say(f"It is what {node.department} alone would contribute. Do not pass it on.")
    say()
    for table in answer.tables:
        _say_table(table)
        for sentence in figures_of(table).absences:
            say(f"- {sentence}")
    for note in answer.notes:
        say(f"Note: {note}")
    if rule_of(ask.disclosure) is not None:
        say(f"Note: Analysts are shown less. {rule_words(ask.disclosure)}")


def _question(node: Node, sql: str, agreement: str) -> tuple[Statistic, Held]:
    """What the SQL asks of which dataset of the agreements known here."""
    from fedstats.core.schema import Dataset
    from fedstats.node.datasets import find_dataset, held_datasets
    from fedstats.statistics.table import Table

    held = held_datasets(node.agreements.all(), node.department)
    found: list[Held] = []

    def definition(name: str) -> Dataset:
        found.append(find_dataset(held, name, agreement=agreement))
        return found[-1].dataset

    statistic = Table.from_sql(sql, definition)
    return statistic, found[-1]


def _ask(node: Node, held: Held, epsilon: str, *, pure: bool) -> Ask:
    """The question as an analyst would put it to this department alone."""
    from fedstats.client.asking import loss_of
    from fedstats.core.accounting import parse_epsilon
    from fedstats.core.statistic import Ask

    terms = held.standing.agreement
    loss: MechanismLoss = loss_of(terms, parse_epsilon(epsilon), pure=pure)
    contribution = held.dataset.contribution(departments_max=terms.privacy.max_departments)
    return Ask(held.dataset, loss, contribution, (node.department,), disclosure=terms.disclosure)


def _first_round(statistic: Statistic, ask: Ask) -> Round:
    from fedstats.core.statistic import Round

    first = statistic.step(ask, [])
    if not isinstance(first, Round):
        raise InternalError(f"The statistic {statistic.name} asks nothing.")
    return first.normalised()


def _say_table(table: Table) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    from fedstats.client.figures import figures_of

    figures = figures_of(table)
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for key in figures.keys:
        drawn.add_column(Text(key))
    for column in figures.columns:
        drawn.add_column(Text(column), justify="right", no_wrap=True)
    for labels, numbers in figures.rows:
        drawn.add_row(*map(Text, (*labels, *numbers)))
    terminal().print(drawn)

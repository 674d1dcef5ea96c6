"""A node's data: making editions, and what is where."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_local import (
    config_option,
    dataset_options,
    folder_option,
    held_by,
    node_of,
)
from fedstats.cli.running import say

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.engines import EditionReport
    from fedstats.node.datasets import Held
    from fedstats.node.service import Node

CODES_SHOWN_MAX = 5
LOCAL_ONLY = "These counts are exact. They are for your department only and may not be passed on."


@click.command
@click.option(
    "--edition", required=True, metavar="NAME", help="Which edition of the agreement's schedule to make."
)
@click.option("--dataset", default="", metavar="NAME", help="Which dataset, where you hold several.")
@click.option(
    "--revise",
    is_flag=True,
    help="Make a revision (NAME.2) of an edition that exists, after a repair or with a newer opt-out list.",
)
@dataset_options
@folder_option
@config_option
def refresh(
    *, edition: str, dataset: str, revise: bool, agreement: str, home: Path, config_file: Path | None
) -> None:
    """Make an edition of a dataset from your data as it is now.

    An edition is a typed, cleaned copy of the agreed columns, without people who opted out. It never
    changes. A running node announces it within a minute.
    """
    with node_of(home, config_file) as node:
        held = held_by(node, dataset, agreement)
        mapping = node.config.mapping(held.dataset.name)
        made, report = node.editions.refresh(
            held.standing.agreement, mapping, edition, node.bench, revise=revise, now_s=int(time.time())
        )
    say(f"Made edition {made.name} of {made.dataset} under {made.agreement}.")
    say()
    _say_report(report)


@click.command
@click.option(
    "--count",
    is_flag=True,
    help="Read the whole source, and count what its columns hold. For your eyes only.",
)
@folder_option
@config_option
def datasets(*, count: bool, home: Path, config_file: Path | None) -> None:
    """Show what the agreements define, what your columns are for it, and which editions are here."""
    from fedstats.node.datasets import held_datasets

    with node_of(home, config_file) as node:
        held = held_datasets(node.agreements.all(), node.department)
        if not held:
            say("No agreement known here names this department as a holder of data.")
        for one in held:
            _say_dataset(node, one)
            if count:
                _say_counts(node, one)


def _say_report(report: EditionReport) -> None:
    for words, count in report:
        say(f"  {count:>12,}  {words}")
    for column in report.columns:
        facts = {"missing": column.missing, "invalid": column.invalid, "out of bounds": column.out_of_bounds}
        found = ", ".join(f"{count:,} {words}" for words, count in facts.items() if count)
        if found:
            say(f"  {column.column}: {found}{_examples(column.unknown_codes)}")
    say(LOCAL_ONLY)


def _examples(codes: tuple[str, ...]) -> str:
    shown = [*map(repr, codes[:CODES_SHOWN_MAX]), *(["..."] if len(codes) > CODES_SHOWN_MAX else [])]
    return f"; codes that nothing maps: {', '.join(shown)}" if codes else ""


def _say_dataset(node: Node, held: Held) -> None:
    from fedstats.client.agreement_words import column_line
    from fedstats.errors import FedstatsError

    dataset, agreement = held.dataset, held.standing.agreement
    say(f"{dataset.name}: {dataset.description or 'no description'}")
    say(f"  agreement {agreement.id} version {agreement.version}: {held.standing.words}")
    try:
        mapping = node.config.mapping(dataset.name)
        mapping.check(dataset)
    except FedstatsError as problem:
        say(f"  {problem}")
    else:
        say(f"  source    {mapping.source.kind.value} {mapping.source.path}")
        if mapping.person is not None:
            say(f"  person    {mapping.person}")
        for definition in dataset.columns:
            column = mapping.column(definition.name)
            origin = (
                f"always {column.constant!r}" if column.constant is not None else ", ".join(column.sources)
            )
            say(f"  {column_line(definition)}")
            say(f"      from {origin}{f', {len(column.codes)} codes' if column.codes else ''}")
    editions = [
        e.name for e in node.editions.all() if (e.agreement, e.dataset) == (agreement.id, dataset.name)
    ]
    say(f"  editions  {', '.join(editions) or 'none yet'} (schedule: {', '.join(dataset.editions)})")
    say()


def _say_counts(node: Node, held: Held) -> None:
    mapping = node.config.mapping(held.dataset.name)
    report = node.bench.engine.diagnose(mapping, held.dataset, node.bench.resources)
    say(f"  {report.rows:,} rows, {report.rows_without_person:,} without a valid person")
    for column in report.columns:
        say(
            f"  {column.column}: {column.missing:,} missing, {column.invalid:,} invalid, "
            f"{column.out_of_bounds:,} out of bounds{_examples(column.unknown_codes)}"
        )
    say(f"  {LOCAL_ONLY}")
    say()

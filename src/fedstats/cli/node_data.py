"""A node's data: making editions, what is where, and what was spent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_local import (
    config_option,
    dataset_options,
    folder_option,
    held_by,
    home_of,
    node_of,
)
from fedstats.cli.running import say, say_json

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.privacy import Loss
    from fedstats.engines import EditionReport
    from fedstats.node.caps import Cap, CapStatus
    from fedstats.node.datasets import Held
    from fedstats.node.home import Home
    from fedstats.node.ledger import Entry
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


@click.command
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Default: table."
)
@folder_option
@config_option
def ledger(*, form: str, home: Path, config_file: Path | None) -> None:
    """Show what was spent of each budget, and for what. All of it may be shown to anybody."""
    from fedstats.node.ledger import Ledger

    place = home_of(home)
    with Ledger(place.ledger) as opened:
        caps = _caps(place, config_file)
        statuses, entries = opened.status(caps.values()), opened.entries()
        unknown = {
            f"{kind.value} {name}": loss
            for (kind, name), loss in opened.totals().items()
            if (kind, name) not in caps
        }
    if form == "json":
        say_json(_ledger_document(statuses, unknown, entries))
    else:
        _say_ledger(statuses, unknown, entries)


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


def _caps(place: Home, config_file: Path | None) -> dict[tuple[object, str], Cap]:
    """Every limit that is known today: of the accepted agreements, and of the configuration."""
    from fedstats.errors import FileProblem
    from fedstats.node.agreements import Agreements
    from fedstats.node.caps import agreement_cap
    from fedstats.node.config import read_config
    from fedstats.node.state import State

    with State(place.state) as state:
        standings = Agreements(state, place.trust).all()
    caps = [
        agreement_cap(s.agreement) for s in standings if s.accepted_s is not None
    ]  # the newest comes last
    try:
        caps += read_config(config_file or place.config).lifetime_caps.values()
    except FileProblem:
        if config_file is not None:
            raise
    return {(cap.kind, cap.name): cap for cap in caps}


def _say_ledger(
    statuses: tuple[CapStatus, ...], unknown: Mapping[str, Loss], entries: tuple[Entry, ...]
) -> None:
    from fedstats.node.caps import percent

    for status in statuses:
        cap = status.cap
        used, left = percent(status.used_share, up=True), percent(1 - status.used_share)
        say(f"{cap.kind.value} {cap.name}: {used} used, {left} left")
        say(f"  rho {float(status.spent.rho):.6g} of {float(cap.budget.rho):.6g}")
    for name, loss in unknown.items():
        say(f"{name}: rho {float(loss.rho):.6g} spent; its budget is not known here today")
    say()
    say(f"{len(entries)} charges")
    for entry in entries:
        at = datetime.fromtimestamp(entry.at_s, UTC)
        state = "" if entry.recorded else " (no answer was made yet)"
        say(
            f"  {entry.number:>5} {at:%Y-%m-%d %H:%M} {entry.analyst} for {entry.purpose}: {entry.dataset} "
            f"{entry.edition}, rho {float(entry.loss.rho):.6g} under {entry.agreement}{state}"
        )


def _ledger_document(
    statuses: tuple[CapStatus, ...], unknown: Mapping[str, Loss], entries: tuple[Entry, ...]
) -> dict[str, object]:
    return {
        "caps": [
            {
                "kind": status.cap.kind.value,
                "name": status.cap.name,
                "budget": _loss_document(status.cap.budget),
                "spent": _loss_document(status.spent),
                "left": _loss_document(status.left),
                "used_percent": float(status.used_share * 100),
            }
            for status in statuses
        ],
        "unknown_caps": {name: _loss_document(loss) for name, loss in unknown.items()},
        "entries": [
            {
                "number": entry.number,
                "at_s": entry.at_s,
                "analyst": entry.analyst,
                "purpose": entry.purpose,
                "agreement": entry.agreement,
                "agreement_version": entry.agreement_version,
                "namespace": entry.namespace,
                "dataset": entry.dataset,
                "edition": entry.edition,
                "query": entry.query.hex(),
                "round": entry.round,
                "computation": entry.computation.hex(),
                "loss": _loss_document(entry.loss),
                "recorded": entry.recorded,
            }
            for entry in entries
        ],
    }


def _loss_document(loss: Loss) -> dict[str, str]:
    """Exact, as fractions in text."""
    return {"rho": str(loss.rho), "delta_add": str(loss.delta_add)}

"""How agreements, what they lack, and what a new version changes are shown in a terminal."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from fedstats.cli.running import columns, say, say_sections
from fedstats.client.printable import printable

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.agreement import Agreement
    from fedstats.core.agreement_changes import Change
    from fedstats.core.checks import Check

LABEL_COLUMNS = len("problem  ")
COLOURS = {"widens": "red", "changes": "yellow", "narrows": "green", "problem": "red", "advice": "yellow"}


def today_utc() -> date:
    """Today, as every node counts days."""
    return datetime.fromtimestamp(time.time(), UTC).date()


def say_agreement(found: Agreement) -> None:
    """What it means in plain English, and what it lacks."""
    from fedstats.client.agreement_gaps import gaps
    from fedstats.client.agreement_words import summary

    say_sections(summary(found))
    lacking = gaps(found, today_utc())
    if lacking:
        say_gaps(lacking)
        say()


def say_gaps(lacking: Sequence[Check]) -> None:
    """Each gap with what to do, problems first."""
    click.echo(click.style("Look twice", bold=True))
    for gap in lacking:
        label = "problem" if gap.health.value == "problem" else "advice"
        place = f"{gap.subject}: " if gap.subject else ""
        say_labelled(label, f"{place}{gap.found} {gap.fix}")


def say_changes(old: Agreement, new: Agreement, found: Sequence[Change]) -> None:
    """Every change by its effect, loudest first, and the sum of them."""
    if not found:
        say(f"{new.id} version {new.version} says the same as version {old.version}.")
        return
    for change in found:
        say_labelled(change.effect.value, change.sentence)
    say()
    say(_counted(change.effect.value for change in found))
    if old.id == new.id:
        say(
            "Spending is inherited: what was spent under earlier versions stays spent, and no budget refills."
        )
    else:
        say(f"{old.id} and {new.id} are different agreements: neither inherits the other's spending.")


def say_labelled(label: str, sentence: str) -> None:
    """A word in colour and a sentence beside it, wrapped to the terminal."""
    wrapped = textwrap.wrap(
        printable(sentence),
        max(40, columns() - LABEL_COLUMNS),
        break_on_hyphens=False,
        break_long_words=False,
    )
    mark = click.style(f"{label:<{LABEL_COLUMNS}}", fg=COLOURS[label], bold=label in ("widens", "problem"))
    for number, line in enumerate(wrapped):
        click.echo(f"{mark if number == 0 else ' ' * LABEL_COLUMNS}{line}")


def _counted(effects: Iterable[str]) -> str:
    counts = dict.fromkeys(("widens", "changes", "narrows"), 0)
    for effect in effects:
        counts[effect] += 1
    said = [
        f"{count} {effect if count == 1 else effect.removesuffix('s')}"
        for effect, count in counts.items()
        if count
    ]
    return f"Of the changes, {', '.join(said)}."

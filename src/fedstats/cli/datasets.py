"""`fedstats datasets`: what can be asked about, who holds it, and made-up rows of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say, say_json, say_sections, session_at
from fedstats.errors import ConfigInvalid

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.client.directory import DatasetEntry


@click.command
@click.argument("name", required=False)
@click.option(
    "--agreement", default="", metavar="ID", help="The agreement, where several have a dataset NAME."
)
@click.option(
    "--dummy",
    type=int,
    metavar="ROWS",
    help="Write made-up rows of NAME, to try code on. They come from its public definition alone.",
)
@click.option(
    "--output",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Where --dummy writes: CSV, or Parquet where the name ends in .parquet.",
)
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", help="table or json."
)
@home_option
def datasets(
    *, name: str | None, agreement: str, dummy: int | None, output: Path | None, form: str, home: Path | None
) -> None:
    """Show what you can ask about, and who holds it.

    With NAME: its columns, their values, and which department holds which edition.
    """
    if dummy is not None and (name is None or output is None):
        raise ConfigInvalid(
            "Made-up rows need a dataset and a file.",
            remedy="For example: fedstats datasets rtt --dummy 1000 --output rtt.csv",
        )
    with session_at(home) as session:
        entries = session.datasets() if name is None else (session.dataset(name, agreement=agreement),)
    if dummy is not None and output is not None:
        from fedstats.client.dummy import write

        write(entries[0].dataset, dummy, output)
        say(f"Wrote {dummy:,} made-up rows to {output}. Nothing in them is real.")
    elif form == "json":
        say_json([_document(entry) for entry in entries])
    elif name is not None:
        _show_one(entries[0])
    else:
        _show_all(entries)


def _show_all(entries: tuple[DatasetEntry, ...]) -> None:
    from fedstats.client.catalogue import sorted_editions

    if not entries:
        say("There is nothing you can ask about yet. Look at an agreement and trust its controllers:")
        say("  fedstats use AGREEMENT")
    for entry in entries:
        dataset = entry.dataset
        held = {edition for editions in entry.holdings.values() for edition in editions}
        departments = sum(bool(editions) for editions in entry.holdings.values())
        newest = sorted_editions(dataset, held)[-1:] or ("none",)
        say(f"{dataset.name}  {dataset.description}")
        silent = [f"{name} {said}" for name, said in sorted(entry.presences.items()) if said != "answering"]
        say(
            f"  {entry.agreement.id} version {entry.agreement.version}; "
            f"{departments} of {len(dataset.holders)} departments hold an edition, the newest is {newest[0]}"
        )
        if silent:
            say(f"  Not answering now: {'; '.join(silent)}")


def _show_one(entry: DatasetEntry) -> None:
    from fedstats.client.agreement_words import column_line, dataset_about
    from fedstats.client.catalogue import sorted_editions

    dataset = entry.dataset
    head, *about = dataset_about(dataset)
    say_sections(
        (
            (head, tuple(line.strip() for line in about)),
            ("Columns", tuple(column_line(column) for column in dataset.columns)),
            ("Every dataset has the key department, too: GROUP BY department", ("",)),
            (
                "Editions held",
                tuple(
                    f"{department}: {', '.join(sorted_editions(dataset, editions)) or 'none yet'}"
                    f" ({entry.presences.get(department, 'not joined yet')})"
                    for department, editions in sorted(entry.holdings.items())
                ),
            ),
        )
    )


def _document(entry: DatasetEntry) -> dict[str, object]:
    from fedstats.core.agreement_document import dataset_document

    return {
        "agreement": entry.agreement.id,
        "agreement_version": entry.agreement.version,
        **dataset_document(entry.dataset),
        "held": {department: sorted(editions) for department, editions in sorted(entry.holdings.items())},
        "nodes": dict(sorted(entry.presences.items())),
    }

"""`fedstats register`: the public register, read from the coordinator or from its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.register_verify import heads, verify
from fedstats.cli.running import home_at, say, say_error, say_hanging, say_json, say_table, write_text
from fedstats.errors import MessageInvalid, NotFound, ValueInvalid

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.transparency.entry import LogEntry

Command = TypeVar("Command", bound=Callable[..., object])
Reading = Callable[[int], "Iterator[list[LogEntry]]"]
"""Gives the pages behind a number."""

SENTENCE_INDENT = 8  # behind the number of an entry


@click.group
def register() -> None:
    """Read the public register: who asked what, for which purpose, at what cost in privacy."""


register.add_command(verify)
register.add_command(heads)


def source_option(command: Command) -> Command:
    """Add `--home FOLDER`: from where to read."""
    return click.option(
        "--home",
        type=FilePath(file_okay=False),
        metavar="FOLDER",
        help="A coordinator's folder, read directly; or yours, read over its connection (the default).",
    )(command)


@register.command(name="list", short_help="List the entries.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Begin behind this entry.")
@source_option
def list_entries(*, after: int, home: Path | None) -> None:
    """List the entries, the oldest first."""
    from fedstats.coordinator.register import parsed, sentence_of
    from fedstats.coordinator.register_page import time_of

    for entry in _entries(home, after=after):
        sentence = sentence_of(entry.kind, parsed(entry.document))
        say_hanging(f"{entry.number:>6}  {time_of(entry.at_s)}  {sentence}", indent=SENTENCE_INDENT)


@register.command(short_help="Show one entry whole.")
@click.argument("number", type=click.IntRange(1))
@source_option
def show(*, number: int, home: Path | None) -> None:
    """Show entry NUMBER whole."""
    from fedstats.coordinator.register import RESULT, parsed, sentence_of
    from fedstats.coordinator.register_page import time_of

    entry = next(_entries(home, after=number - 1), None)
    if entry is None:
        raise NotFound(f"The register has no entry {number}.")
    document = parsed(entry.document)
    say(f"{entry.number}  {time_of(entry.at_s)}")
    say(sentence_of(entry.kind, document))
    if entry.kind == RESULT:
        _show_result(document)
    else:
        say_json(document)


@register.command(short_help="Write the whole register as one page, or as JSON.")
@click.option("--html", type=FilePath(dir_okay=False), metavar="FILE", help="One plain page.")
@click.option("--json", type=FilePath(dir_okay=False), metavar="FILE", help="A JSON list.")
@source_option
def export(*, html: Path | None, json: Path | None, home: Path | None) -> None:
    """Write the whole register as one plain HTML page without scripts, or as JSON, or both."""
    from fedstats.coordinator.register_page import json_of, page_of

    if html is None and json is None:
        raise ValueInvalid("Say where to write the register: --html FILE or --json FILE.")
    entries = list(_entries(home))
    if html is not None:
        write_text(html, page_of(entries, made_s=time.time()))
    if json is not None:
        write_text(json, json_of(entries))
    say_error(f"Wrote {len(entries)} entries.")


def _show_result(document: Mapping[str, object]) -> None:
    """The tables of a published result, what they promise and who signed them."""
    from rich.table import Table
    from rich.text import Text

    from fedstats.coordinator.register_result import note_of, promise_of, tables_of

    for shown in tables_of(document):
        table = Table(title=shown.name or None)
        for head in shown.heads:
            table.add_column(Text(head))
        for row in shown.rows:
            table.add_row(*map(Text, row))
        say_table(table)
    for line in (note_of(document), promise_of(document), f"Signed by the key {document.get('key')}."):
        if line:
            say_hanging(line, indent=2)


def _entries(folder: Path | None, *, after: int = 0) -> Iterator[LogEntry]:
    """Every entry after a number; refuses a register with a gap."""
    from fedstats.coordinator.home import Home

    here = folder is not None and Home(folder).store_file.exists()
    reading = _read_here(folder) if folder is not None and here else _read_over_there(folder)
    number = after
    for page in reading(after):
        for entry in page:
            if entry.number != number + 1:
                raise MessageInvalid(f"The register has no entry {number + 1}, but {entry.number} follows.")
            number = entry.number
            yield entry


def _read_here(folder: Path) -> Reading:
    from fedstats.coordinator.home import Home

    def pages(after: int) -> Iterator[list[LogEntry]]:
        store = Home(folder).store()
        try:
            while page := store.register.entries(after=after):
                yield page
                after = page[-1].number
        finally:
            store.close()

    return pages


def _read_over_there(folder: Path | None) -> Reading:
    from fedstats.client.joining import open_channel
    from fedstats.client.register_reading import register_pages

    def pages(after: int) -> Iterator[list[LogEntry]]:
        with open_channel(home_at(folder), now=time.time) as channel:
            yield from register_pages(channel, after)

    return pages

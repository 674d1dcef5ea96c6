"""`fedstats audit`: read and verify a department's log, without writing anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fedstats.cli.node_local import config_option, folder_option, home_of
from fedstats.cli.paths import FilePath
from fedstats.cli.running import say, say_error, say_hanging, say_json, write_text
from fedstats.errors import FileProblem, LogDamaged, RegisterForked

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.log_head import LogHead
    from fedstats.identity.keys import PublicKey
    from fedstats.node.log_audit import Audit
    from fedstats.node.log_copy import LogCopy
    from fedstats.transparency.check import Fault

    Others = list[tuple[str, list[tuple[LogHead, PublicKey]]]]

Command = TypeVar("Command", bound=Callable[..., object])


@click.group
def audit() -> None:
    """Read and verify a department's log: what was asked, answered, refused and decided there.

    All of it works with read access to one file: log.sqlite in the node's folder, or an export of it. Nothing
    is written, and a running node is not disturbed.
    """


def file_argument(command: Command) -> Command:
    """Add `[FILE]`: a log or an export, in the place of the one in the node's folder."""
    return click.argument(
        "file", type=FilePath(dir_okay=False, readable=False), metavar="[FILE]", required=False, default=None
    )(command)


@audit.command
@file_argument
@click.option(
    "--against",
    type=FilePath(dir_okay=False),
    metavar="HEADS",
    multiple=True,
    help="Heads that somebody else kept, as `fedstats audit heads` writes them. May be repeated.",
)
@click.option(
    "--register",
    type=FilePath(dir_okay=False),
    metavar="JSON",
    help="The public register, as `fedstats register export --json` writes it: are refusals shown there?",
)
@click.option("--every-signature", is_flag=True, help="Of old heads too: a second for each 5,000, or so.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Default: text.")
@folder_option
def verify(
    *,
    file: Path | None,
    against: tuple[Path, ...],
    register: Path | None,
    every_signature: bool,
    form: str,
    home: Path,
) -> None:
    """Compute a log anew and name each entry that was changed, removed, reordered or backdated.

    FILE is a log or an export of one; without it, the log in the node's folder is verified, and compared with
    the ledger beside it. What the department itself rewrote, with its own key, is found by comparing with
    heads that others kept (--against).
    """
    from fedstats.node.log_audit import SIGNATURES, heads_about
    from fedstats.node.log_audit import audit as audited
    from fedstats.wire.heads_file import read_heads

    copy = _copy(file, home)
    found = audited(copy, signatures=None if every_signature else SIGNATURES)
    others = [(path.name, heads_about(copy.department, read_heads(path))) for path in against]
    faults = [*found.faults, *_compared(found, None if file else home, others, register)]
    if form == "json":
        say_json(_document(found, faults, others))
    else:
        for fault in faults:
            say(f"{fault.wrong.value:>15}  {fault.sentence}")
        _say_sound(found, others, sound=not faults)
    if faults:
        where = file or home / "log.sqlite"
        things = "thing is" if len(faults) == 1 else "things are"
        raise LogDamaged(
            f"{where}: {len(faults)} {things} wrong with the log of {copy.department}.",
            remedy="Keep the file as it is, as evidence, and tell the controllers of the other departments.",
        )


@audit.command
@file_argument
@click.option("--after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Begin behind this entry.")
@folder_option
def show(*, file: Path | None, after: int, home: Path) -> None:
    """Show what a log tells, the oldest first: one line an entry."""
    from fedstats.node.log_entries import words

    for entry in _copy(file, home).kept.entries:
        if entry.number > after:
            try:
                told = words(entry.kind, entry.read())
            except ValueError:
                told = f"{entry.kind}: cannot be read; see fedstats audit verify"
            say_hanging(f"{entry.number:>6}  {_moment(entry.at_s)}  {told}", indent=8)


@audit.command
@file_argument
@click.option(
    "--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write it there. Default: print it."
)
@folder_option
def export(*, file: Path | None, output: Path | None, home: Path) -> None:
    """Write the log as JSON, one entry a line, for an auditor elsewhere: `audit verify FILE` works on it."""
    from fedstats.node.log_copy import export_lines

    copy = _copy(file, home)
    try:
        lines = list(export_lines(copy))
    except ValueError:
        raise LogDamaged(
            "An entry cannot be read, so the log cannot be exported.",
            remedy="Which one, and how: fedstats audit verify",
        ) from None
    write_text(output, "\n".join(lines))
    say_error(f"Wrote {len(copy.kept.entries)} entries and {len(copy.heads)} signed heads.")


@audit.command
@click.option(
    "--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write it there. Default: print it."
)
@click.option("--offline", is_flag=True, help="Only what this node kept; do not ask the coordinator.")
@folder_option
@config_option
def heads(*, output: Path | None, offline: bool, home: Path, config_file: Path | None) -> None:
    """Write the signed heads that this node knows: of the register, and of other departments' logs.

    Exchange this file with another department by another way than the coordinator: its IT compares with
    `fedstats audit verify --against FILE`, and you with its file.
    """
    import json

    from fedstats.cli.node_ledger import connected
    from fedstats.node.config import NodeConfig, read_config
    from fedstats.node.hearing import appointed_nodes, readable
    from fedstats.node.register_gossip import gather
    from fedstats.node.register_view import RegisterView
    from fedstats.node.state import State
    from fedstats.wire.heads_file import heads_document
    from fedstats.wire.methods import FETCH_AUTHORITY
    from fedstats.wire.v1 import agreements_pb2

    place = home_of(home)
    path = config_file or place.config
    config = read_config(path) if path.exists() or config_file else NodeConfig()
    with State(place.state) as state:
        view = RegisterView(state, key=place.read_node_key, now=time.time, demanded=True)
        if not offline:
            with connected(place, config.coordinator) as transport:
                if transport is not None:
                    known = transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest())
                    nodes = appointed_nodes(place.trust.all(), readable(known.appointments))
                    gather(view, transport, nodes)
        kept, forks = view.kept_heads(), view.forks()
    write_text(output, json.dumps(heads_document(signed for _, signed in kept), indent=1))
    say_error(f"Wrote {len(kept)} signed heads.")
    if forks:
        raise RegisterForked


def _copy(file: Path | None, home: Path) -> LogCopy:
    """The log that is meant."""
    from fedstats.node.log_copy import read_copy

    path = file or home / "log.sqlite"
    if file is None and not path.exists():
        raise FileProblem(
            f"There is no log in {home}, or this account may not look into it.",
            remedy="Name the node's folder with --home, or a file: fedstats audit verify FILE",
        )
    return read_copy(path)


def _compared(found: Audit, home: Path | None, others: Others, register: Path | None) -> Iterator[Fault]:
    """What the ledger beside the log, other people's heads and the register say otherwise."""
    from fedstats.node.log_audit import (
        against_heads,
        against_ledger,
        against_register,
        read_register_file,
    )

    if home is not None and (home / "ledger.sqlite").exists():
        yield from against_ledger(found, home / "ledger.sqlite", now_s=int(time.time()))
    for whose, heads in others:
        yield from against_heads(found, heads, whose)
    if register is not None:
        yield from against_register(found, read_register_file(register))


def _say_sound(found: Audit, others: Others, *, sound: bool) -> None:
    from fedstats.node.log_audit import renewals
    from fedstats.node.log_entries import words

    size, heads = found.examined.size, len(found.copy.heads)
    for entry in renewals(found.copy):
        say(f"Entry {entry.number} of {_moment(entry.at_s)}: {words(entry.kind, entry.read())}")
    if not sound:
        return
    say(f"The log of {found.copy.department} is what was written: {size} entries, {heads} signed heads.")
    if found.signatures < heads:
        say(f"Verified were the last {found.signatures} signatures; of older heads too: --every-signature")
    say(f"Its root: {found.examined.root_at(size).hex()}")
    for whose, known in others:
        if known:
            last = max(head.size for head, _ in known)
            heads_of = "1 signed head" if len(known) == 1 else f"{len(known)} signed heads"
            say(f"{whose} says the same: {heads_of} of it, the last of {last} entries.")
        else:
            say(f"{whose} holds no signed head of it: nothing was compared.")
    if not any(known for _, known in others):
        say("Whether all of it was rewritten, only heads that others kept can tell: --against HEADS")


def _document(found: Audit, faults: list[Fault], others: Others) -> dict[str, object]:
    from fedstats.node.log_audit import renewals

    size = found.examined.size
    return {
        "department": found.copy.department,
        "log": found.copy.log.hex(),
        "entries": size,
        "heads": len(found.copy.heads),
        "signatures": found.signatures,
        "root": found.examined.root_at(size).hex(),
        "compared": [{"file": whose, "heads": len(known)} for whose, known in others],
        "sound": not faults,
        "renewed": [dict(entry.read()) for entry in renewals(found.copy)],
        "faults": [
            {"number": fault.number, "wrong": fault.wrong.value, "sentence": fault.sentence}
            for fault in faults
        ],
    }


def _moment(at_s: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "????-??-?? ??:??:??"

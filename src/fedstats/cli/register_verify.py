"""`fedstats register verify` and `heads`: whether the register is what departments witnessed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_at, home_option, say, say_error, say_json, write_text
from fedstats.errors import RegisterForked

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.client.register_check import Checked


@click.command(short_help="Check the whole register against what everybody signed and saw.")
@click.option(
    "--against",
    type=FilePath(dir_okay=False),
    multiple=True,
    metavar="HEADS",
    help="Heads that somebody else kept, as `fedstats register heads` or `fedstats audit heads` writes them.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Default: text.")
@click.option("--anew", is_flag=True, help="Forget what this computer saw, and believe what is shown now.")
@home_option
def verify(*, against: tuple[Path, ...], form: str, anew: bool, home: Path | None) -> None:
    """Check the whole register against what everybody signed and saw.

    All entries are fetched and their Merkle tree is computed anew. It is compared with the coordinator's
    signed head, with the heads that departments cosigned, with what this computer saw before, and with files
    of heads. Entries that were changed, removed, reordered or backdated are named, and so are withdrawals
    that the register hides. Exit code 0 if nothing is wrong, 8 if something is.
    """
    from fedstats.client.joining import open_channel
    from fedstats.client.register_reading import Head, verify_register
    from fedstats.wire.heads_file import read_heads

    found = home_at(home)
    heads = [Head(head, key, path.name) for path in against for head, key in read_heads(path)]
    with open_channel(found, now=time.time) as channel:
        checked = verify_register(found, channel, heads, anew=anew)
    if form == "json":
        say_json(_document(checked))
    else:
        _say(checked)
        for path in () if checked.faults else against:
            known = [h for h in heads if (h.where, h.head.keeper) == (path.name, checked.head.head.keeper)]
            said = "says the same" if known else "holds no signed head of it: nothing was compared"
            say(f"{path.name} {said}.")
    if checked.faults:
        things = "thing is" if len(checked.faults) == 1 else "things are"
        raise RegisterForked(
            f"{len(checked.faults)} {things} wrong with the public register.",
            remedy="Tell the controllers of the departments, and ask whoever runs the coordinator why.",
        )


@click.command(short_help="Write the signed heads that the coordinator shows now.")
@click.option(
    "--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write them there. Default: print them."
)
@home_option
def heads(*, output: Path | None, home: Path | None) -> None:
    """Write the signed heads of the register and of departments' logs, as the coordinator shows them now.

    Whoever keeps the file can prove later what the register was: fedstats register verify --against FILE
    """
    from fedstats.client.joining import open_channel
    from fedstats.wire.codec import signed_from
    from fedstats.wire.heads_file import heads_document
    from fedstats.wire.methods import HEADS
    from fedstats.wire.v1 import agreements_pb2

    with open_channel(home_at(home), now=time.time) as channel:
        reply = channel.call(HEADS, agreements_pb2.HeadsRequest())
    signed = [signed_from(message) for message in (reply.register_head, *reply.heads)]
    write_text(output, json.dumps(heads_document(signed), indent=1))
    if output is not None:
        say_error(f"Wrote {len(signed)} heads.")


def _say(checked: Checked) -> None:
    for fault in checked.faults:
        say(f"{fault.wrong.value:>22}  {fault.sentence}")
    head = checked.head.head
    if not checked.faults:
        say(f"The register is what was written: {head.size:,} entries.")
        say(f"Its root: {head.root.hex()}")
        say(f"Its key:  {checked.head.key.fingerprint}")
    if checked.cosigned:
        said = ", ".join(f"{who} ({size:,} entries)" for who, size in checked.cosigned.items())
        say(f"Witnessed by {said}.")
    else:
        say("No department has witnessed it yet.")


def _document(checked: Checked) -> dict[str, object]:
    head = checked.head.head
    return {
        "entries": head.size,
        "root": head.root.hex(),
        "log": head.log.hex(),
        "key": checked.head.key.raw.hex(),
        "witnessed": checked.cosigned,
        "sound": not checked.faults,
        "faults": [
            {"number": fault.number, "wrong": fault.wrong.value, "sentence": fault.sentence}
            for fault in checked.faults
        ],
    }

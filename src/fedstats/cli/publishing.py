"""Signed documents on their way out: to the coordinator, or into a file for another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.paths import FilePath
from fedstats.cli.running import say, session_at

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.client.agreement_file import SignedFile

output_option = click.option(
    "--output",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Write the signed document to FILE and send nothing: for a key on an offline machine. Send it from "
    "another one with: fedstats agreement publish FILE",
)


def put_out_signed(file: SignedFile, output: Path | None, home: Path | None) -> None:
    """Write the document to the file that `--output` names, else send it to the coordinator."""
    from fedstats.client.agreement_file import write_signed
    from fedstats.client.publishing import publish

    if output is not None:
        write_signed(output, file)
        say(f"Wrote {output}. Nothing was sent; send it with: fedstats agreement publish {output}")
        return
    with session_at(home) as session:
        publish(session.transport, file)
    say(f"Sent the signed {file.kind} to the coordinator.")

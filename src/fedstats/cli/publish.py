"""`fedstats publish`: a result on the public register."""

from __future__ import annotations

from pathlib import Path

import click

from fedstats.cli.running import home_option, say, session_at
from fedstats.errors import ValueInvalid


@click.command
@click.argument("job")
@click.option("--note", default="", metavar="TEXT", help="What readers should know of it, in prose.")
@click.option(
    "--replaces",
    type=click.IntRange(1),
    default=None,
    metavar="NUMBER",
    help="The entry of an earlier result of the same question that this one corrects.",
)
@click.option("--withdraw", is_flag=True, help="There is no taking back: says what to do instead.")
@home_option
def publish(*, job: str, note: str, replaces: int | None, withdraw: bool, home: Path | None) -> None:
    """Put the answer of a job on the public register, signed with your key.

    JOB is its name, or the first four digits of it. Everybody can read it then: the tables with their
    intervals, what was promised, and the hashes of the releases that it is made of. It stays for good.
    """
    from fedstats.client.publishing_result import publish_result

    if withdraw:
        raise ValueInvalid(
            "What was published stays: the register keeps every entry.",
            remedy="To correct it, publish another one: fedstats publish JOB --replaces NUMBER --note TEXT",
        )
    with session_at(home) as session:
        answer = session.resume(job, ask=False)
        number = publish_result(session, job, answer, note=note, replaces=replaces or 0)
    say(f"Published as entry {number} of the public register. It stays there for good.")
    say(f"Read it as everybody does:  fedstats register show {number}")

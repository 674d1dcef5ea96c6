"""`fedstats agreement`: write, read, sign and accept agreements."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.meeting import say_keys, strangers
from fedstats.cli.next_step import remember_home
from fedstats.cli.passphrase import open_key, passphrase_option
from fedstats.cli.paths import FilePath
from fedstats.cli.publishing import output_option, put_out_signed
from fedstats.cli.running import agreed, home_at, home_option, say, say_sections, session_at, write_text
from fedstats.errors import AgreementInvalid, AlreadyExists, FileProblem

if TYPE_CHECKING:  # imported when a command runs
    from collections.abc import Mapping

    from fedstats.client.authority import Authority, Record
    from fedstats.client.home import Home
    from fedstats.core.agreement import Agreement


@click.group
def agreement() -> None:
    """Write, read, sign and accept agreements.

    An agreement says which questions may be asked of which data, for what, by whom, and at what cost in
    privacy. It is in force at a department once every controller signed it and the department accepted
    it.
    """


@agreement.command
@click.option(
    "--output",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Write to FILE. Default: print.",
)
def new(*, output: Path | None) -> None:
    """Write a commented agreement to fill in."""
    from fedstats.client.agreement_file import template

    if output is not None and output.exists():
        raise AlreadyExists(f"{output} exists already and is not overwritten.")
    write_text(output, template())
    if output is not None:
        say(f"Wrote {output}. Fill it in, then: fedstats agreement check {output}")


@agreement.command(short_help="Say what is wrong in a file, or what it means.")
@click.argument("file", type=FilePath(dir_okay=False))
def check(*, file: Path) -> None:
    """Say what is wrong with an agreement in FILE, or what it means in plain English."""
    from fedstats.client.agreement_file import read_agreement

    found, _ = read_agreement(file)
    _say_agreement(found)
    say("It can be signed: fedstats agreement sign " + str(file))


@agreement.command
@click.argument("source", metavar="FILE|ID")
@click.option(
    "--hash",
    "hash_prefix",
    default="",
    metavar="PREFIX",
    help="The first digits of the text's SHA-256, where several texts have the ID.",
)
@click.option("--yes", is_flag=True, help="Sign without asking. For scripts.")
@output_option
@passphrase_option
@home_option
def sign(
    *,
    source: str,
    hash_prefix: str,
    yes: bool,
    output: Path | None,
    passphrase_file: Path | None,
    home: Path | None,
) -> None:
    """Sign an agreement with your department's controller's key.

    The first controller signs a FILE, which publishes the text; the others sign it by its ID after
    reading what it means. The newest version of ID is signed that names your key and contradicts none
    that is trusted here; one that another controller signed whose key is trusted here comes first.
    """
    from fedstats.client.agreement_file import SignedFile
    from fedstats.client.controller import department_of, sign_agreement

    found = home_at(home)
    department = department_of(found)
    document, agreement_read = _read(source, department, hash_prefix, home)
    _say_agreement(agreement_read)
    say(f"SHA-256 of the text: {sha256(document).hexdigest()}")
    _say_keys_to_compare(agreement_read, found)
    if not yes:
        agreed(f"Sign {agreement_read.id} version {agreement_read.version} for {department}?", abort=True)
    signed = sign_agreement(open_key(found, passphrase_file), department, agreement_read, document)
    put_out_signed(SignedFile("agreement", signed), output, home)
    say(f"See who has signed: fedstats agreement show {agreement_read.id}")


@agreement.command
@click.argument("file", type=FilePath(dir_okay=False))
@home_option
def publish(*, file: Path, home: Path | None) -> None:
    """Send a signed document that --output wrote on an offline machine."""
    from fedstats.client.agreement_file import read_signed

    put_out_signed(read_signed(file), None, home)


@agreement.command(name="list")
@home_option
def list_agreements(*, home: Path | None) -> None:
    """List the agreements that were published."""
    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
    if not authority.records:
        say("No agreement was published yet.")
    for record in sorted(authority.records, key=lambda r: (r.agreement.id, -r.agreement.version)):
        found = record.agreement
        say(f"{found.id} version {found.version}: {found.title}")
        say(f"  {_standing(authority, record, trusted)}")


@agreement.command(short_help="Show one in plain English, and where it is in force.")
@click.argument("name", metavar="ID")
@home_option
def show(*, name: str, home: Path | None) -> None:
    """Show an agreement in plain English, who signed it, and where it is in force.

    Of several texts, the newest that a controller signed whose key is trusted here.
    """
    from fedstats.client.standing import best_first, doubts, hash_words

    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
    best, *others = best_first(authority.versions(name), trusted)
    _say_agreement(best.agreement)
    if doubt := doubts(best, trusted):
        say(f"Be careful: this text is {doubt}.")
        say()
    for record in (best, *others):
        head = f"Version {record.agreement.version}, SHA-256 {hash_words(record.hash)}"
        say(f"{head}: {_standing(authority, record, trusted)}")


@agreement.command(short_help="Accept one for the department of this node.")
@click.argument("name", metavar="ID")
@click.option(
    "--version", type=int, metavar="N", help="Which version. Default: the newest that was published."
)
@click.option(
    "--trust", is_flag=True, help="Trust the controllers' keys without asking. For scripts: they are printed."
)
@click.option("--yes", is_flag=True, help="Accept without asking. For scripts.")
@click.option(
    "--home",
    callback=remember_home,
    type=FilePath(file_okay=False),
    metavar="FOLDER",
    help="The node's folder. Default: /var/lib/fedstats.",
)
def accept(*, name: str, version: int | None, trust: bool, yes: bool, home: Path | None) -> None:
    """Accept an agreement for the department whose node is on this computer.

    Shows what it means and the fingerprints of the controllers' keys: compare them by telephone. From
    then on the node answers questions under it, once every controller has signed.
    """
    from fedstats.cli.accepting import accept_at_node

    accept_at_node(name, version=version, trust=trust, yes=yes, folder=home)


def _read(source: str, department: str, hash_prefix: str, home: Path | None) -> tuple[bytes, Agreement]:
    """The document to sign: of a file, or the published text of this name that fits the keys trusted here."""
    from fedstats.client.agreement_file import read_agreement
    from fedstats.client.standing import choose_to_sign, hash_words

    path = Path(source)
    if path.is_file():
        found, document = read_agreement(path)
        if not sha256(document).hexdigest().startswith(hash_prefix.lower()):
            raise AgreementInvalid(f"The SHA-256 of the text in {path} does not begin with {hash_prefix}.")
        return document, found
    if path.suffix:
        raise FileProblem(f"There is no file {source}.")
    with session_at(home) as session:
        versions = session.authority().versions(source)
        chosen = choose_to_sign(versions, department, session.home.trust.all(), hash_prefix=hash_prefix)
    for record in chosen.passed_over:
        say(
            f"Passed over: version {record.agreement.version}, SHA-256 {hash_words(record.hash)}, "
            "which nobody signed whose key is trusted here."
        )
    return chosen.record.document, chosen.record.agreement


def _say_agreement(found: Agreement) -> None:
    from fedstats.client.agreement_words import summary, warnings

    say_sections(summary(found))
    doubts = warnings(found, _today())
    if doubts:
        say_sections((("Look twice", doubts),))


def _say_keys_to_compare(found: Agreement, home: Home) -> None:
    """Whoever signs vouches for the other controllers' keys, too."""
    unknown = strangers(found, home.trust)
    if unknown:
        say("Compare these keys with their controllers by telephone before you sign:")
        say_keys(unknown)
        say()


def _standing(authority: Authority, record: Record, trusted: Mapping[str, str]) -> str:
    from fedstats.client.standing import doubts

    unsigned, accepted = record.unsigned, authority.accepted_by(record)
    signed = f"waits for the signatures of {', '.join(unsigned)}" if unsigned else "signed by all"
    standing = f"{signed}; accepted by {', '.join(accepted) or 'no department yet'}"
    doubt = doubts(record, trusted)
    return f"{doubt}; {standing}" if doubt else standing


def _today() -> date:
    return datetime.fromtimestamp(time.time(), UTC).date()

"""Signing and accepting agreements: what one means, what it changes, whose keys to compare, then the yes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.meeting import say_keys, strangers
from fedstats.cli.next_step import remember_home
from fedstats.cli.passphrase import open_key, passphrase_option
from fedstats.cli.paths import FilePath
from fedstats.cli.publishing import output_option, put_out_signed
from fedstats.cli.running import agreed, home_at, home_option, say, say_for_others, session_at
from fedstats.errors import AgreementInvalid, FedstatsError, FileProblem

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.client.home import Home
    from fedstats.client.standing import Earlier
    from fedstats.core.agreement import Agreement


@dataclass(frozen=True, slots=True)
class _Text:
    """What is to be signed; `first`: nobody published it yet; `earlier`: what it replaces, if known."""

    document: bytes
    agreement: Agreement
    first: bool
    earlier: Earlier | None


@click.command(short_help="Sign one with your department's controller's key.")
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
    that is trusted here; one that another controller signed whose key is trusted here comes first. Of a
    new version, what it changes against the one before is shown, and first of all what it widens.
    """
    from fedstats.cli.agreement_shown import say_agreement
    from fedstats.client.agreement_file import SignedFile
    from fedstats.client.controller import department_of, sign_agreement

    found = home_at(home)
    department = department_of(found)
    text = _read(source, department, hash_prefix, home, offline=output is not None)
    agreement = text.agreement
    say_agreement(agreement)
    _say_earlier(text)
    say(f"SHA-256 of the text: {sha256(text.document).hexdigest()}")
    _say_keys_to_compare(agreement, found)
    if not yes:
        agreed(f"Sign {agreement.id} version {agreement.version} for {department}?", abort=True)
    signed = sign_agreement(open_key(found, passphrase_file), department, agreement, text.document)
    put_out_signed(SignedFile("agreement", signed), output, home)
    others = [name for name in agreement.departments if name != department]
    if text.first and others:
        digits = sha256(text.document).hexdigest()[:12]
        say(f"The controllers of {', '.join(others)} now type, each with their own key:")
        say_for_others(f"  fedstats agreement sign {agreement.id} --hash {digits}")
        say("The first digits of the SHA-256 say which text you mean: tell them by telephone.")
    say(f"See who has signed: fedstats agreement status {agreement.id}")


@click.command(short_help="Send a signed document from another machine.")
@click.argument("file", type=FilePath(dir_okay=False))
@home_option
def publish(*, file: Path, home: Path | None) -> None:
    """Send a signed document from another machine: one that --output wrote where the key is."""
    from fedstats.client.agreement_file import read_signed

    put_out_signed(read_signed(file), None, home)


@click.command(short_help="Accept one for the department of this node.")
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

    Shows what it means, what it changes against the version that was accepted before, and the fingerprints
    of the controllers' keys: compare them by telephone. From then on the node answers questions under it,
    once every controller has signed.
    """
    from fedstats.cli.accepting import accept_at_node

    accept_at_node(name, version=version, trust=trust, yes=yes, folder=home)


def _read(source: str, department: str, hash_prefix: str, home: Path | None, *, offline: bool) -> _Text:
    """The document to sign: of a file, or the published text of this name that fits the keys trusted here."""
    from fedstats.client.agreement_file import read_agreement

    path = Path(source)
    if path.is_file():
        found, document = read_agreement(path)
        if not sha256(document).hexdigest().startswith(hash_prefix.lower()):
            raise AgreementInvalid(f"The SHA-256 of the text in {path} does not begin with {hash_prefix}.")
        first, earlier = _known(found, document, department, home, offline=offline)
        return _Text(document, found, first, earlier)
    if path.suffix:
        raise FileProblem(f"There is no file {source}.")
    return _published(source, department, hash_prefix, home)


def _known(
    found: Agreement, document: bytes, department: str, home: Path | None, *, offline: bool
) -> tuple[bool, Earlier | None]:
    """Whether nobody published the text yet, and what it replaces; without a connection, neither is known."""
    from fedstats.client.standing import earlier

    try:
        with session_at(home) as session:
            authority, trusted = session.authority(), session.home.trust.all()
    except FedstatsError as problem:
        if not offline:
            raise
        say(f"Whether an earlier version is in force could not be looked up: {problem.sentence}")
        say(f"Before you sign a new version, compare: fedstats agreement diff {found.id} FILE")
        say()
        return True, None
    records = [record for record in authority.records if record.agreement.id == found.id]
    first = all(record.document != document for record in records)
    return first, earlier(records, found, department, trusted)


def _published(source: str, department: str, hash_prefix: str, home: Path | None) -> _Text:
    from fedstats.client.standing import choose_to_sign, earlier, hash_words

    with session_at(home) as session:
        versions, trusted = session.authority().versions(source), session.home.trust.all()
    chosen = choose_to_sign(versions, department, trusted, hash_prefix=hash_prefix)
    for record in chosen.passed_over:
        say(
            f"Passed over: version {record.agreement.version}, SHA-256 {hash_words(record.hash)}, "
            "which nobody signed whose key is trusted here."
        )
    record = chosen.record
    before = earlier(versions, record.agreement, department, trusted)
    return _Text(record.document, record.agreement, first=False, earlier=before)


def _say_earlier(text: _Text) -> None:
    """What the new version changes, loudly, or that there is no earlier one."""
    from fedstats.cli.agreement_shown import say_changes
    from fedstats.core.agreement_changes import changes

    if text.earlier is None:
        return
    old = text.earlier.agreement
    head = f"What changes against version {old.version}, which {text.earlier.words}"
    click.echo(click.style(head, bold=True))
    say_changes(old, text.agreement, changes(old, text.agreement))
    say()


def _say_keys_to_compare(found: Agreement, home: Home) -> None:
    """Whoever signs vouches for the other controllers' keys, too."""
    unknown = strangers(found, home.trust)
    if unknown:
        say("Compare these keys with their controllers by telephone before you sign:")
        say_keys(unknown)
        say()

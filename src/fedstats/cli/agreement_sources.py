"""What FILE, ID and ID@VERSION mean on a command line: the text of an agreement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedstats.cli.running import session_at
from fedstats.errors import FileProblem, NameUnknown

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.client.authority import Authority, Record
    from fedstats.core.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Text:
    """An agreement and the words that name where it is from."""

    agreement: Agreement
    words: str


def text_of(source: str, home: Path | None) -> Text:
    """The text in a file, else the one that was published under this name and may be relied on most.

    Raises
    ------
    FileProblem, AgreementInvalid
        It looks like a file and there is none, or it is no agreement.
    NameUnknown, NetworkError
        Nothing of this name, or of this version, was published; or the coordinator cannot be asked.

    """
    from fedstats.client.agreement_file import read_agreement
    from fedstats.client.standing import best_first

    path = Path(source)
    if path.is_file():
        return Text(read_agreement(path)[0], str(path))
    if path.suffix or "/" in source:
        raise FileProblem(f"There is no file {source}.")
    with session_at(home) as session:
        authority, trusted = session.authority(), session.home.trust.all()
    found = best_first(published(authority, source), trusted)[0].agreement
    return Text(found, f"{found.id} version {found.version}")


def published(authority: Authority, source: str) -> tuple[Record, ...]:
    """The texts that ID or ID@VERSION names; raises NameUnknown where there is none."""
    name, _, version = source.partition("@")
    every = authority.versions(name)
    records = tuple(record for record in every if version in ("", str(record.agreement.version)))
    if not records:
        known = ", ".join(sorted({str(record.agreement.version) for record in every}))
        raise NameUnknown(
            f"{name} has no version {version[:10]!r}; there is {known}.",
            remedy=f"See them with: fedstats agreement show {name}",
        )
    return records

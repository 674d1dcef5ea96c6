"""Agreements as files: TOML that people write, and signed documents that travel from an offline machine."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from fedstats.client.agreement_toml import toml_of
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import (
    DOCUMENT_BYTES_MAX,
    agreement_from_json,
    agreement_of,
    canonical_json,
    document_of,
)
from fedstats.core.reading import toml_document
from fedstats.errors import AgreementInvalid, FedstatsError, FileProblem
from fedstats.identity.durable_file import PUBLIC_MODE, write_durably
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.wire.codec import decode_appointment, decode_revocation

KINDS = {
    "agreement": Context.AGREEMENT,
    "appointment": Context.APPOINTMENT,
    "revocation": Context.REVOCATION,
}

FILL_IN = "FILL IN"
TEMPLATE = Path(__file__).with_name("agreement_template.toml")


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A document that was signed and not published yet."""

    kind: str
    signed: Signed


def template() -> str:
    """A commented agreement to fill in."""
    return TEMPLATE.read_text(encoding="utf-8")


def as_file(agreement: Agreement) -> str:
    """An agreement as the commented TOML that people write: read again, it is the same agreement."""
    head = [f"{agreement.title}: agreement {agreement.id}, version {agreement.version}, as it is signed."]
    return toml_of(document_of(agreement), template(), head=head)


def next_version(agreement: Agreement) -> str:
    """The file that the next version is made of: the same terms under the next number."""
    number = agreement.version
    head = [
        f"The next version of {agreement.id}, made from version {number}. It inherits what was spent.",
        "",
        "1. Change what shall change; look at the dates and at the editions.",
        f"2. See what it widens:            fedstats agreement diff {agreement.id}@{number} FILE",
        "3. See what it lacks:             fedstats agreement check FILE",
        "4. Every controller signs it:     fedstats agreement sign FILE      (the first; this publishes it)",
        f"                                  fedstats agreement sign {agreement.id}",
        f"5. Every department accepts it:   fedstats agreement accept {agreement.id}",
    ]
    return toml_of({**document_of(agreement), "version": number + 1}, template(), head=head)


def read_agreement(path: Path) -> tuple[Agreement, bytes]:
    """The agreement in a TOML file, and the canonical bytes that are signed.

    Raises
    ------
    FileProblem
        The file cannot be read.
    AgreementInvalid
        It is no TOML, incomplete, contradicts itself, or has unknown keys; the sentence says where.

    """
    content = _read(path)
    try:
        text = content.decode()
        document = toml_document(text)
    except ValueError as problem:
        raise AgreementInvalid(f"{path} is not TOML: {problem}.") from None
    open_lines = [number for number, line in enumerate(text.splitlines(), start=1) if FILL_IN in line]
    if open_lines:
        raise AgreementInvalid(
            f"{path} has {FILL_IN} on {len(open_lines)} lines; the first is line {open_lines[0]}.",
            remedy=f"Write what belongs there, or delete the words {FILL_IN} where the line is right.",
        )
    try:
        agreement = agreement_of(document)
    except AgreementInvalid as problem:
        raise AgreementInvalid(f"{path}: {problem.sentence}") from None
    signed = canonical_json(document_of(agreement))
    return agreement_from_json(signed), signed


def write_signed(path: Path, file: SignedFile) -> None:
    """Write a signed document, to be published from another machine; raises AlreadyExists, FileProblem."""
    document = {
        "fedstats": file.kind,
        "payload": base64.b64encode(file.signed.payload).decode(),
        "key": file.signed.key.raw.hex(),
        "signature": file.signed.signature.hex(),
    }
    content = json.dumps(document, indent=2).encode() + b"\n"
    write_durably(path, content, mode=PUBLIC_MODE, replace=False)


def read_signed(path: Path) -> SignedFile:
    """A signed document, whose signature and form are verified.

    Raises
    ------
    FileProblem
        The file is not one that `--output` wrote, or was changed since.

    """
    try:
        document = json.loads(_read(path))
        kind = str(document["fedstats"])
        signed = Signed(
            base64.b64decode(document["payload"], validate=True),
            PublicKey(bytes.fromhex(document["key"])),
            bytes.fromhex(document["signature"]),
        )
        payload = signed.verify(KINDS[kind])
        {
            "agreement": agreement_from_json,
            "appointment": decode_appointment,
            "revocation": decode_revocation,
        }[kind](payload)
    except FileProblem:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error, FedstatsError):
        raise FileProblem(
            f"{path} is not a signed document, or was changed.",
            remedy="Make it again: fedstats agreement sign FILE --output SIGNED",
        ) from None
    return SignedFile(kind, signed)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(2 * DOCUMENT_BYTES_MAX + 1)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be read: {problem.strerror}.") from None
    if len(content) > 2 * DOCUMENT_BYTES_MAX:  # base64 and comments take room
        raise FileProblem(f"{path} is too large for an agreement.")
    return content

"""When each controller's signature reached the coordinator, as the public register says."""

from __future__ import annotations

import json

from fedstats.client.authority import Record
from fedstats.client.register_reading import register_pages
from fedstats.wire.method import Transport

_KINDS = ("agreement-published", "agreement-signed")


def signed_when(transport: Transport, record: Record) -> dict[str, int]:
    """The departments that signed, each with seconds since 1970; reads on until all were met.

    Nobody signs these times but the register's keeper: they inform, and decide nothing. Raises NetworkError,
    and MessageInvalid where the register does not go on.
    """
    wanted = set(record.agreement.departments) - set(record.unsigned)
    found: dict[str, int] = {}
    for page in register_pages(transport):
        for entry in page:
            department = _signer(entry.kind, entry.document, record)
            if department in wanted:
                found.setdefault(department, entry.at_s)
        if not wanted - found.keys():
            break
    return found


def _signer(kind: str, document: bytes, record: Record) -> str:
    """Whose signature under this text the entry is about; nobody's in entries of other kinds."""
    if kind not in _KINDS:
        return ""
    try:
        read = json.loads(document)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(read, dict) or read.get("hash") != record.hash.hex():
        return ""
    return str(read.get("department", ""))

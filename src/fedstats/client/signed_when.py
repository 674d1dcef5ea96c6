"""When each controller's signature reached the coordinator, as the public register says."""

from __future__ import annotations

import json

from fedstats.client.authority import Record
from fedstats.wire.method import Transport
from fedstats.wire.methods import REGISTER
from fedstats.wire.v1 import agreements_pb2

PAGE_ENTRIES = 500
_KINDS = ("agreement-published", "agreement-signed")


def signed_when(transport: Transport, record: Record) -> dict[str, int]:
    """The departments that signed, each with seconds since 1970; reads on until all were met.

    Nobody signs these times but the register's keeper: they inform, and decide nothing. Raises NetworkError.
    """
    wanted = set(record.agreement.departments) - set(record.unsigned)
    found: dict[str, int] = {}
    after = 0
    while wanted - found.keys():
        request = agreements_pb2.RegisterRequest(after=after, entries_max=PAGE_ENTRIES)
        entries = transport.call(REGISTER, request).entries
        if not entries:
            break
        for entry in entries:
            after = max(after, entry.number)
            department = _signer(entry.kind, entry.document, record)
            if department in wanted:
                found.setdefault(department, entry.at_s)
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

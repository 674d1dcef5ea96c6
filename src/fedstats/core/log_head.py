"""The head of an append-only log (RFC 6962): so many entries, and the root of the Merkle tree over them.

The coordinator keeps the register as such a log, and each node a log of its own. Whoever keeps one signs its
heads; a department's node cosigns a head of the register that continues every one it saw.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from fedstats.core.names import check_department
from fedstats.core.times import SECONDS_MAX
from fedstats.errors import ValueInvalid

REGISTER_KEEPER = "coordinator"
LOG_ID_BYTES = 16
ROOT_BYTES = 32
SIZE_MAX = 2**62
_TEXT = json.JSONEncoder(ensure_ascii=False)
PATH_HASHES_MAX = 128
"""More than any proof has: one hash for each level of both trees."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log as its keeper (a department, or `coordinator`) signs for it at `at_s`, seconds since 1970.

    `log` is the log's random id, made with it; `root` is SHA-256, of no entries that of nothing.
    """

    log: bytes
    keeper: str
    size: int
    root: bytes
    at_s: int

    def __post_init__(self) -> None:
        """Everything is in range."""
        check_department(self.keeper, what="keeper of a log")
        _check(self.log, self.size, self.root, self.at_s)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A department's node says: this head of the register continues every one that I saw."""

    department: str
    log: bytes
    size: int
    root: bytes
    at_s: int

    def __post_init__(self) -> None:
        """Everything is in range."""
        check_department(self.department)
        _check(self.log, self.size, self.root, self.at_s)


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Hashes by which the entry at `index` (from 0) is in the log of `size` entries, the lowest first."""

    index: int
    size: int
    path: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """The entry is in the log, and the path is one."""
        if not 0 <= self.index < self.size <= SIZE_MAX:
            raise ValueInvalid("An inclusion proof is of an entry within its log.")
        _check_path(self.path)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Hashes by which the log of `second` entries begins with the log of `first`."""

    first: int
    second: int
    path: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """The sizes are in order, and the path is one."""
        if not 0 <= self.first <= self.second <= SIZE_MAX:
            raise ValueInvalid("A consistency proof is of a log and one that is no smaller.")
        _check_path(self.path)


def leaf_bytes(number: int, at_s: int, kind: str, document: bytes) -> bytes:
    """The bytes of an entry whose hash is a leaf: canonical JSON of its four parts.

    `document` is canonical JSON already and stands in it as it is; `number` counts from 1.
    """
    name = _TEXT.encode(kind).encode()
    return b'{"at_s":%d,"document":%b,"kind":%b,"number":%d}' % (at_s, document, name, number)


def _check(log: bytes, size: int, root: bytes, at_s: int) -> None:
    if len(log) != LOG_ID_BYTES or len(root) != ROOT_BYTES:
        raise ValueInvalid(f"A log has an id of {LOG_ID_BYTES} bytes and a root of {ROOT_BYTES}.")
    if not 0 <= size <= SIZE_MAX or not 0 <= at_s < SECONDS_MAX:
        raise ValueInvalid("The head of a log has a number of entries and a time.")


def _check_path(path: tuple[bytes, ...]) -> None:
    if len(path) > PATH_HASHES_MAX or any(len(part) != ROOT_BYTES for part in path):
        raise ValueInvalid(f"A proof has at most {PATH_HASHES_MAX} hashes of {ROOT_BYTES} bytes.")

"""Releases and refusals as signed bytes, and the hash that later rounds name them by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fedstats.core.names import check_department, check_edition, check_label, check_text
from fedstats.core.query import HASH_BYTES
from fedstats.core.reason import Reason
from fedstats.core.statistic import Noisy, Vectors
from fedstats.errors import MessageInvalid
from fedstats.wire.codec.strict import decode_strictly, sha256, to_bytes
from fedstats.wire.v1 import nodes_pb2, query_pb2

SALT_BYTES = 16
_CODE = re.compile(r"FS-[0-9]{3}")


@dataclass(frozen=True, slots=True, eq=False)
class ReleaseNote:
    """A node's noisy integers for one computation: per aggregate and measure, one int64 vector over cells.

    `edition` is the revision of the asked edition that they were computed over. `values` are those of a key
    of free text that the node names, in order. `salt` is random: hashes of
    releases are published, and whoever tried numbers could else find a department's, withheld ones too.
    """

    department: str
    computation: bytes
    edition: str
    vectors: Vectors
    salt: bytes
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A department, a hash, and readable values in order."""
        check_department(self.department)
        check_edition(self.edition)
        if len(self.computation) != HASH_BYTES:
            raise MessageInvalid("A release names its computation by a hash of 32 bytes.")
        if len(self.salt) != SALT_BYTES:
            raise MessageInvalid(f"A release has a salt of {SALT_BYTES} bytes.")
        for value in self.values:
            check_label(value, what="value of free text")
        if any(first >= second for first, second in pairwise(self.values)):
            raise MessageInvalid("A release names values in order, each once.")

    @property
    def noisy(self) -> Noisy:
        """Its numbers, and the values that they belong to."""
        return Noisy(self.vectors, self.values)


@dataclass(frozen=True, slots=True)
class RefusalNote:
    """A node's typed no to one round; `presented` is the `task_hash` of what it was shown.

    `reason` is the public category where people decided.
    """

    department: str
    query: bytes
    number: int
    code: str
    sentence: str
    charged: bool
    presented: bytes
    reason: Reason | None = None

    def __post_init__(self) -> None:
        """A department, a hash, a short code and a readable sentence."""
        check_department(self.department)
        check_text(self.sentence, what="refusal")
        if {len(self.query), len(self.presented)} != {HASH_BYTES} or _CODE.fullmatch(self.code) is None:
            raise MessageInvalid("A refusal names its query and a code.")


def encode_release(note: ReleaseNote) -> bytes:
    """The bytes that a node signs."""
    return to_bytes(_release_to(note))


def decode_release(payload: bytes) -> ReleaseNote:
    """The release in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a release.

    """
    return decode_strictly(payload, query_pb2.Release, _release_from, _release_to)


def record_key(computation: bytes, edition: str) -> bytes:
    """By which a node records an answer: the hash of what is computed, and over which revision."""
    return sha256(computation + edition.encode())


def encode_refusal(note: RefusalNote) -> bytes:
    """The bytes that a node signs."""
    return to_bytes(_refusal_to(note))


def decode_refusal(payload: bytes) -> RefusalNote:
    """The refusal in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a refusal.

    """
    return decode_strictly(payload, query_pb2.Refusal, _refusal_from, _refusal_to)


def task_hash(task: nodes_pb2.Task) -> bytes:
    """SHA-256 over what decides a node's answer to a task: who asks what, appointed by whom, in which phase.

    A refusal names it, so that whoever relays cannot show a node something else, an ended appointment say,
    and pass its no off as one to the true question.
    """
    shown = nodes_pb2.Task(
        query=task.query, round=task.round, appointment=task.appointment, phase=task.phase, body=task.body
    )
    return sha256(to_bytes(shown))


def releases_hash(rounds: Sequence[Mapping[str, bytes]]) -> bytes:
    """SHA-256 over all releases of earlier rounds, which binds a round to what was seen before it.

    Of each round the SHA-256 of what each department signed, by its name. Releases are salted: whoever sees a
    later round cannot try out what was answered to the earlier ones, as with a hash of their totals.
    """
    of_rounds = (sha256(b"".join(hashed for _, hashed in sorted(hashes.items()))) for hashes in rounds)
    return sha256(b"".join(of_rounds))


def _release_to(note: ReleaseNote) -> query_pb2.Release:
    return query_pb2.Release(
        department=note.department,
        computation=note.computation,
        aggregates=_aggregates_to(note.vectors),
        values=note.values,
        salt=note.salt,
        edition=note.edition,
    )


def _release_from(message: query_pb2.Release) -> ReleaseNote:
    vectors = tuple(
        tuple(_vector_from(measure) for measure in aggregate.measures) for aggregate in message.aggregates
    )
    return ReleaseNote(
        message.department,
        message.computation,
        message.edition,
        vectors,
        message.salt,
        tuple(message.values),
    )


def _aggregates_to(vectors: Vectors) -> list[query_pb2.AggregateRelease]:
    return [
        query_pb2.AggregateRelease(
            measures=[vector.astype("<i8", copy=False).tobytes() for vector in measures]
        )
        for measures in vectors
    ]


def _vector_from(payload: bytes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if len(payload) % 8:
        raise MessageInvalid("A vector of a release has a broken length.")
    return np.frombuffer(payload, dtype="<i8").astype(np.int64)


def _refusal_to(note: RefusalNote) -> query_pb2.Refusal:
    return query_pb2.Refusal(
        department=note.department,
        query=note.query,
        number=note.number,
        code=note.code,
        sentence=note.sentence,
        charged=note.charged,
        presented=note.presented,
        reason=note.reason.value if note.reason else "",
    )


def _refusal_from(message: query_pb2.Refusal) -> RefusalNote:
    return RefusalNote(
        department=message.department,
        query=message.query,
        number=message.number,
        code=message.code,
        sentence=message.sentence,
        charged=message.charged,
        presented=message.presented,
        reason=Reason.of(message.reason) if message.reason else None,
    )

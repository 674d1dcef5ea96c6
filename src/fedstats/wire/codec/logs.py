"""Heads of logs and cosignatures as signed bytes, and the proofs that go with them."""

from __future__ import annotations

from fedstats.core.log_head import ConsistencyProof, Cosignature, InclusionProof, LogHead
from fedstats.wire.codec.strict import decode_strictly, rejecting, to_bytes
from fedstats.wire.v1 import signed_pb2


def encode_log_head(head: LogHead) -> bytes:
    """The bytes that the log's keeper signs."""
    return to_bytes(_head_to(head))


def decode_log_head(payload: bytes) -> LogHead:
    """The head in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a head.

    """
    return decode_strictly(payload, signed_pb2.LogHead, _head_from, _head_to)


def encode_cosignature(cosignature: Cosignature) -> bytes:
    """The bytes that a node signs."""
    return to_bytes(_cosignature_to(cosignature))


def decode_cosignature(payload: bytes) -> Cosignature:
    """The cosignature in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a cosignature.

    """
    return decode_strictly(payload, signed_pb2.Cosignature, _cosignature_from, _cosignature_to)


def inclusion_to(proof: InclusionProof) -> signed_pb2.InclusionProof:
    """The proof as a message; nobody signs it, since it is checked by computing."""
    return signed_pb2.InclusionProof(index=proof.index, size=proof.size, path=proof.path)


def inclusion_from(message: signed_pb2.InclusionProof) -> InclusionProof:
    """The proof in a message; raises MessageInvalid where it is none."""
    with rejecting("InclusionProof"):
        return InclusionProof(message.index, message.size, tuple(message.path))


def consistency_to(proof: ConsistencyProof) -> signed_pb2.ConsistencyProof:
    """The proof as a message."""
    return signed_pb2.ConsistencyProof(first=proof.first, second=proof.second, path=proof.path)


def consistency_from(message: signed_pb2.ConsistencyProof) -> ConsistencyProof:
    """The proof in a message; raises MessageInvalid where it is none."""
    with rejecting("ConsistencyProof"):
        return ConsistencyProof(message.first, message.second, tuple(message.path))


def _head_to(head: LogHead) -> signed_pb2.LogHead:
    return signed_pb2.LogHead(
        log=head.log, keeper=head.keeper, size=head.size, root=head.root, at_s=head.at_s
    )


def _head_from(message: signed_pb2.LogHead) -> LogHead:
    return LogHead(message.log, message.keeper, message.size, message.root, message.at_s)


def _cosignature_to(cosignature: Cosignature) -> signed_pb2.Cosignature:
    return signed_pb2.Cosignature(
        department=cosignature.department,
        log=cosignature.log,
        size=cosignature.size,
        root=cosignature.root,
        at_s=cosignature.at_s,
    )


def _cosignature_from(message: signed_pb2.Cosignature) -> Cosignature:
    return Cosignature(message.department, message.log, message.size, message.root, message.at_s)

"""The rule that there is one encoding: decode, encode again, compare."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from fedstats.errors import FedstatsError, MessageInvalid

PAYLOAD_BYTES_MAX = 32 * 2**20

M = TypeVar("M", bound=Message)
T = TypeVar("T")


def to_bytes(message: Message) -> bytes:
    """The canonical bytes of a message (it has no maps, so field order is all there is to fix)."""
    return message.SerializeToString(deterministic=True)


def sha256(payload: bytes) -> bytes:
    """The only hash: SHA-256, 32 bytes."""
    return hashlib.sha256(payload).digest()


def decode_strictly(payload: bytes, kind: type[M], read: Callable[[M], T], write: Callable[[T], M]) -> T:
    """Decode `payload` and refuse it unless writing the value again gives the same bytes.

    Raises
    ------
    MessageInvalid
        The bytes are no message of this kind, break a rule of the value, or are not its canonical encoding.

    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise MessageInvalid("A signed message is too large.")
    message = kind()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        sentence = f"These bytes are no {kind.__name__}."
        raise MessageInvalid(sentence) from None
    with rejecting(kind.__name__):
        value = read(message)
        again = to_bytes(write(value))
    if again != payload:
        sentence = f"The {kind.__name__} is not in its canonical encoding."
        raise MessageInvalid(sentence)
    return value


@contextmanager
def rejecting(what: str) -> Iterator[None]:
    """Turn whatever a malformed message makes a constructor raise into MessageInvalid."""
    try:
        yield
    except MessageInvalid:
        raise
    except FedstatsError as problem:
        sentence = f"The {what} is not valid: {problem.sentence}"
        raise MessageInvalid(sentence) from None
    except (ValueError, TypeError, OverflowError, ZeroDivisionError, RecursionError) as problem:
        sentence = f"The {what} is not valid ({type(problem).__name__})."
        raise MessageInvalid(sentence) from None

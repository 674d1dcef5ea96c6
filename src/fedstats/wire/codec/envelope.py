"""The signed envelope between identity and the wire."""

from __future__ import annotations

from fedstats.errors import MessageInvalid
from fedstats.identity.keys import PublicKey, Signed
from fedstats.wire.codec.strict import rejecting
from fedstats.wire.v1 import signed_pb2


def signed_to(signed: Signed) -> signed_pb2.Signed:
    """The wire form."""
    return signed_pb2.Signed(payload=signed.payload, key=signed.key.raw, signature=signed.signature)


def signed_from(message: signed_pb2.Signed) -> Signed:
    """The envelope in a message; its signature is not verified yet.

    Raises
    ------
    MessageInvalid
        The key or the signature has a wrong length.

    """
    if not message.payload:
        raise MessageInvalid("A signed message is empty.")
    with rejecting("Signed"):
        return Signed(payload=message.payload, key=PublicKey(message.key), signature=message.signature)

"""Sending signed documents to the coordinator, which relays them; every reader verifies them."""

from __future__ import annotations

from fedstats.client.agreement_file import SignedFile
from fedstats.client.authority import authority_of
from fedstats.wire.codec import signed_to
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH_AUTHORITY, PUBLISH, SIGN
from fedstats.wire.v1 import agreements_pb2


def publish(transport: Transport, file: SignedFile) -> None:
    """Send a signed document. May be repeated: the same again changes nothing.

    The first signature under an agreement publishes its text; later ones are added to it.

    Raises
    ------
    NetworkError, AgreementInvalid, SignatureInvalid
        The coordinator cannot be reached, or does not take the document.

    """
    message = signed_to(file.signed)
    if file.kind == "appointment":
        transport.call(PUBLISH, agreements_pb2.PublishRequest(appointment=message))
    elif file.kind == "revocation":
        transport.call(PUBLISH, agreements_pb2.PublishRequest(revocation=message))
    elif _is_published(transport, file.signed.payload):
        transport.call(SIGN, agreements_pb2.SignRequest(agreement=message))
    else:
        transport.call(PUBLISH, agreements_pb2.PublishRequest(agreement=message))


def _is_published(transport: Transport, document: bytes) -> bool:
    authority = authority_of(transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))
    return any(record.document == document for record in authority.records)

"""Joining a federation: a one-use token in, keys made on this machine, a certificate for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fedstats.core.witness import Witness
from fedstats.errors import (
    AlreadyExists,
    CertificateProblem,
    FedstatsError,
    LedgerError,
    NotJoined,
    TokenInvalid,
)
from fedstats.identity.certificates import check_issued
from fedstats.identity.key_files import read_tls_key, write_certificate, write_key
from fedstats.identity.keys import PublicKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.node.home import Home
from fedstats.node.ledger import Ledger
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.codec import decode_witness
from fedstats.wire.method import Transport
from fedstats.wire.methods import JOIN_NODE
from fedstats.wire.network import Network
from fedstats.wire.v1 import signed_pb2

Connect = Callable[[str, ClientTls], AbstractContextManager[Transport]]
"""What opens a connection to an address, and closes it afterwards."""


@dataclass(frozen=True, slots=True)
class Joined:
    """As whom the node joined, what its ledger held before, and what others remember of the department's.

    `links` is the length of the chain of the ledger in the folder: 0 if it is empty, None if it is damaged.
    `remembered` is the latest witness that the coordinator showed, which nobody has verified yet.
    """

    peer: Peer
    links: int | None
    remembered: Witness | None

    @property
    def words(self) -> str:
        """What becomes of what was spent before, in a sentence; empty for a department that is new."""
        if self.links is None:
            return "The ledger in this folder is missing or damaged: see fedstats node doctor"
        if self.remembered is None:
            return f"The ledger found here has {self.links} links, and is kept." if self.links else ""
        at = f"{datetime.fromtimestamp(self.remembered.at_s, UTC):%Y-%m-%d}"
        if self.links:
            return f"The ledger found here is kept; before answering it is compared with its witness of {at}."
        return (
            f"{self.peer.name} had a node before, and its ledger is not here. What that one spent, as its"
            f" witness of {at} says, is carried forward before this node answers: spent stays spent."
        )


def join(
    home: Home,
    token_text: str,
    *,
    now: Callable[[], float],
    network: Network | None = None,
    connect: Connect | None = None,
) -> Joined:
    """Join with a token for this department's node; the folder is made where it is missing.

    It may be repeated: after a lost reply with the same token, after an expired certificate with a new one.
    Keys and ledger stay.

    Raises
    ------
    TokenInvalid
        The token is damaged, expired, used, or not for a node.
    AlreadyExists
        The folder has joined another federation.
    FileProblem
        The folder cannot be written, or belongs to another department's node.
    NetworkError
        The coordinator cannot be reached.

    """
    token = Token.parse(token_text)
    token.check_valid(datetime.fromtimestamp(now(), UTC))
    if token.role is not Role.NODE:
        raise TokenInvalid(f"This token is for the {token.role.value} {token.name}, not for a node.")
    _check_same_federation(home, token)
    # Keys are on disk before the token is used: when the reply is lost, the same keys may ask again.
    home.create(token.name)
    if not home.tls_key.exists():
        write_key(home.tls_key, TlsKey.generate())
    key = read_tls_key(home.tls_key)
    bootstrap = ClientTls(token.ca_certificate_der, token.certificate_der, token.key, token.server_name)
    request = signed_pb2.JoinRequest(
        certificate_request=key.request(), signing_key=home.read_node_key().public.raw
    )
    with (connect or _connect_through(network))(token.address, bootstrap) as transport:
        reply = transport.call(JOIN_NODE, request)
    peer = check_issued(reply.certificate, token.ca_certificate_der, key)
    if (peer.role, peer.name) != (token.role, token.name):
        raise CertificateProblem("The coordinator issued a certificate for somebody else.")
    write_certificate(home.authority, token.ca_certificate_der, replace=True)
    write_certificate(home.certificate, reply.certificate, replace=True)
    home.write_coordinator(token.address, token.server_name)
    return Joined(peer, _links(home), _latest(reply.witnesses))


def introduction(department: str, key: PublicKey) -> str:
    """The line that IT gives to the controller, who appoints the node's key with it."""
    return f"fedstats controller appoint node {department} --key {key.raw.hex()}"


def _connect_through(network: Network | None) -> Connect:
    return lambda address, tls: Channel(address, tls, network=network)


def _check_same_federation(home: Home, token: Token) -> None:
    try:
        address, _ = home.read_coordinator()
    except NotJoined:
        return
    if address != token.address:
        raise AlreadyExists(
            f"{home.path} has joined the federation at {address} already.",
            remedy="If the coordinator has moved, remove coordinator.json from that folder and join again.",
        )


def _links(home: Home) -> int | None:
    """How long the chain of the ledger is; None if it cannot be relied on."""
    try:
        with Ledger(home.ledger) as ledger:
            return ledger.tip().links
    except LedgerError:
        return None


def _latest(records: Iterable[signed_pb2.WitnessRecord]) -> Witness | None:
    """The latest of what the coordinator remembers, as far as it can be read."""
    found = []
    for record in records:
        with suppress(FedstatsError):
            found.append(decode_witness(record.witness.payload))
    return max(found, key=lambda witness: (witness.epoch, witness.links), default=None)

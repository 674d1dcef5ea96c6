"""Joining a federation: a one-use token in, keys made on this machine, a certificate for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from fedstats.errors import AlreadyExists, CertificateProblem, NotJoined, TokenInvalid
from fedstats.identity.certificates import check_issued
from fedstats.identity.key_files import read_tls_key, write_certificate, write_key
from fedstats.identity.keys import PublicKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.node.home import Home
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.method import Transport
from fedstats.wire.methods import JOIN_NODE
from fedstats.wire.network import Network
from fedstats.wire.v1 import signed_pb2

Connect = Callable[[str, ClientTls], AbstractContextManager[Transport]]
"""What opens a connection to an address, and closes it afterwards."""


def join(
    home: Home,
    token_text: str,
    *,
    now: Callable[[], float],
    network: Network | None = None,
    connect: Connect | None = None,
) -> Peer:
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
    return peer


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

"""Joining a federation with a token, renewing the certificate, and opening the connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fedstats.client.home import ROLES, Config, Home
from fedstats.client.printable import printable
from fedstats.errors import AlreadyExists, CertificateProblem, NetworkError, TokenInvalid
from fedstats.identity.certificates import check_issued, later_authority, validity_of
from fedstats.identity.key_files import (
    read_certificate,
    read_signing_key,
    read_tls_key,
    write_certificate,
    write_key,
)
from fedstats.identity.keys import PublicKey, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.method import Transport
from fedstats.wire.methods import JOIN_ANALYST, RENEW_ANALYST
from fedstats.wire.network import Network
from fedstats.wire.v1 import nodes_pb2, signed_pb2

log = logging.getLogger("fedstats.client")

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
    """Join with a one-use token: make keys on this computer, and get a certificate for them.

    `network` says how to get there, and is kept; without it, what is configured. It may be repeated after a
    lost reply, and with a new token of the same name after the certificate ended; the signing key stays.

    Raises
    ------
    TokenInvalid
        The token is damaged, expired, used, or for a node.
    AlreadyExists
        This home has joined as somebody else.
    NetworkError, FileProblem
        The coordinator cannot be reached, or a file cannot be written.

    """
    token = Token.parse(token_text)
    token.check_valid(datetime.fromtimestamp(now(), UTC))
    config = home.config()
    _check_meant_for(home, config, token)
    network = network or config.coordinator
    home.prepare()
    # The keys are on disk before the token is used: when the reply is lost, the same keys may ask again.
    tls = _tls_key(home.tls_key_file)
    signing = signing_key(home).public.raw if token.role is Role.ANALYST else b""
    request = signed_pb2.JoinRequest(certificate_request=tls.request(), signing_key=signing)
    bootstrap = ClientTls(token.ca_certificate_der, token.certificate_der, token.key, token.server_name)
    with (connect or _connect_through(network))(token.address, bootstrap) as transport:
        reply = transport.call(JOIN_ANALYST, request)
    peer = check_issued(reply.certificate, token.ca_certificate_der, tls)
    if (peer.role, peer.name) != (token.role, token.name):
        raise CertificateProblem("The coordinator issued a certificate for somebody else.")
    write_certificate(home.authority_file, token.ca_certificate_der, replace=True)
    write_certificate(home.certificate_file, reply.certificate, replace=True)
    where = replace(config, address=token.address, server_name=token.server_name, coordinator=network)
    home.write_config(replace(where, role=peer.role.value, name=peer.name))
    return peer


def signing_key(home: Home) -> SigningKey:
    """The analyst's key, made now if there is none; raises FileProblem."""
    if not home.signing_key_file.exists():
        home.prepare()
        write_key(home.signing_key_file, SigningKey.generate())
    return read_signing_key(home.signing_key_file)


def introduction(name: str, key: PublicKey) -> str:
    """The line that an analyst gives to the controller, who appoints the key that it names."""
    return f"fedstats controller appoint analyst {name} --key {key.raw.hex()}"


def open_channel(home: Home, *, now: Callable[[], float]) -> Channel:
    """A connection to the coordinator of this home, with a fresh certificate when the old one runs out soon.

    Raises
    ------
    NotJoined
        The home has joined no federation.
    FileProblem
        A key or a certificate is missing or damaged.

    """
    config = home.joined_config()
    tls = ClientTls(
        read_certificate(home.authority_file),
        read_certificate(home.certificate_file),
        read_tls_key(home.tls_key_file),
        config.server_name,
    )

    def clock() -> datetime:
        return datetime.fromtimestamp(now(), UTC)

    channel = Channel(config.address, tls, network=config.coordinator, clock=clock)
    if clock() < validity_of(tls.certificate_der).renew_from:
        return channel
    try:
        renewed = replace(tls, certificate_der=renew(home, tls, channel))
    except (NetworkError, AlreadyExists) as problem:  # the old certificate serves until it ends
        log.warning("The certificate was not renewed: %s", printable(str(problem)))
        return channel
    channel.close()
    return Channel(config.address, renewed, network=config.coordinator, clock=clock)


def renew(home: Home, tls: ClientTls, transport: Transport) -> bytes:
    """Ask for a new certificate for the same key, keep it, and return it (DER)."""
    request = nodes_pb2.RenewRequest(certificate_request=tls.key.request())
    reply = transport.call(RENEW_ANALYST, request)
    check_issued(reply.certificate, tls.authority_der, tls.key)
    authority = later_authority(tls.authority_der, reply.authority)
    write_certificate(home.authority_file, authority, replace=True)
    write_certificate(home.certificate_file, reply.certificate, replace=True)
    return reply.certificate


def _check_meant_for(home: Home, config: Config, token: Token) -> None:
    if token.role not in ROLES:
        raise TokenInvalid(
            "This token is for a node.",
            remedy="Paste it on the node's machine after typing: fedstats node join -",
        )
    if config.joined and (config.role, config.name) != (token.role.value, token.name):
        raise AlreadyExists(
            f"{home.folder} has joined as {config.role} {config.name} already.",
            remedy="Join with another folder: fedstats join - --home FOLDER",
        )


def _tls_key(path: Path) -> TlsKey:
    if not path.exists():
        write_key(path, TlsKey.generate())
    return read_tls_key(path)


def _connect_through(network: Network) -> Connect:
    return lambda address, tls: Channel(address, tls, network=network)

"""The federation's certificate authority in the coordinator's hands: its files, and whom it lets in.

It opens connections and nothing else: whoever steals its key can talk to the coordinator, and still can
neither ask a question nor answer one, because those are signed by keys that controllers appointed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from fedstats.coordinator.config import Config
from fedstats.coordinator.store_members import Issued, Members
from fedstats.errors import AlreadyExists, ConfigInvalid, FileProblem, MessageInvalid
from fedstats.identity.certificates import (
    AUTHORITY_LIFETIME,
    Authority,
    issue,
    issue_server,
    make_authority,
    renew_authority,
    validity_of,
)
from fedstats.identity.key_files import (
    read_certificate,
    read_secret,
    read_tls_key,
    write_certificate,
    write_key,
)
from fedstats.identity.keys import PUBLIC_KEY_BYTES
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token, make_token
from fedstats.journal.security import MEMBER_INVITED, MEMBER_JOINED, said_of
from fedstats.wire.codec.strict import sha256
from fedstats.wire.server import ServerTls
from fedstats.wire.v1 import nodes_pb2, signed_pb2

KEY_FILE = "authority.pem"
CERTIFICATE_FILE = "authority.crt"
AUTHORITY_LEFT_MIN = timedelta(days=730)


def create_authority(folder: Path, title: str, *, now: datetime) -> Authority:
    """Make the authority's key (readable by its owner only) and certificate in a folder.

    The certificate is written last, and where it is nothing is replaced: everybody would have to join anew.

    Raises
    ------
    AlreadyExists
        There is an authority.
    FileProblem
        The folder cannot be written.

    """
    if (folder / CERTIFICATE_FILE).exists():
        raise AlreadyExists(f"{folder} holds a certificate authority already, which is never replaced.")
    authority = make_authority(title, now=now)
    write_key(folder / KEY_FILE, authority.key, replace=True)
    write_certificate(folder / CERTIFICATE_FILE, authority.certificate_der)
    return authority


def read_authority(folder: Path) -> Authority:
    """Read what `create_authority` made; raises FileProblem, CertificateProblem."""
    return Authority(read_certificate(folder / CERTIFICATE_FILE), read_tls_key(folder / KEY_FILE))


def renew_if_due(folder: Path, authority: Authority, *, now: datetime) -> Authority:
    """The authority with a later certificate, once less than two years of it are left: asked at every start.

    Members take it over when they renew their own, every two months, so all have it long before the old one
    ends. Raises FileProblem where it cannot be written.
    """
    if validity_of(authority.certificate_der).not_after - now >= AUTHORITY_LEFT_MIN:
        return authority
    renewed = renew_authority(authority, now=now)
    write_certificate(folder / CERTIFICATE_FILE, renewed.certificate_der, replace=True)
    return renewed


def fingerprint_of(authority: Authority) -> str:
    """SHA-256 of the authority's certificate, as other tools print it."""
    digest = hashlib.sha256(authority.certificate_der).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def configured_tls(authority: Authority, config: Config, *, now: datetime) -> ServerTls:
    """What the server proves itself with: of its own authority, or the certificate that is configured.

    Raises
    ------
    FileProblem
        A file is missing, or the key can be read by others.
    ConfigInvalid
        The key is not that of the certificate.

    """
    own = server_tls(authority, config.certificate_hosts, now=now)
    if not config.certificate_file:
        return own
    key_pem = read_secret(Path(config.key_file))
    try:
        chain_pem = Path(config.certificate_file).read_bytes()
        first = x509.load_pem_x509_certificates(chain_pem)[0]
        fits = load_pem_private_key(key_pem, password=None).public_key() == first.public_key()
    except OSError as problem:
        raise FileProblem(f"{config.certificate_file} cannot be read: {problem.strerror}.") from None
    except (ValueError, TypeError):
        raise FileProblem(f"{config.certificate_file} or {config.key_file} is not in PEM form.") from None
    if not fits:
        raise ConfigInvalid(f"{config.key_file} is not the key of {config.certificate_file}.")
    return replace(own, chain_pem=chain_pem, key_pem=key_pem)


def server_tls(authority: Authority, hosts: Sequence[str], *, now: datetime) -> ServerTls:
    """What the server proves itself with: a new key and certificate at every start, kept nowhere.

    They last as long as the authority, so that a coordinator may run for years without a restart.
    """
    key = TlsKey.generate()
    certificate = issue_server(authority, key, hosts, now=now, lifetime=AUTHORITY_LIFETIME)
    return ServerTls(authority.certificate_der, certificate, key)


@dataclass(frozen=True, slots=True)
class Admission:
    """Lets members in: tokens out, certificates back."""

    authority: Authority
    members: Members
    now: Callable[[], float]
    witnesses: Callable[[str], Sequence[signed_pb2.WitnessRecord]] = lambda _department: ()

    def invite(self, peer: Peer, *, address: str, lifetime: timedelta, again: bool = False) -> Token:
        """Make a one-use token and remember whom it is for.

        Raises
        ------
        AlreadyExists
            Somebody joined under this name, and `again` was not asked for.

        """
        token = make_token(self.authority, peer, address=address, now=self._now(), lifetime=lifetime)
        self.members.invite(token, self.now(), again=again)
        MEMBER_INVITED(again=again, **said_of(peer))
        return token

    def join_node(self, request: signed_pb2.JoinRequest, peer: Peer) -> signed_pb2.JoinReply:
        """A node's first certificate, for its token; and what is known of its department's ledgers.

        So a node that is built anew does not begin as if nothing had ever been spent.
        """
        reply = self._join(request, peer, {Role.NODE})
        reply.witnesses.extend(self.witnesses(peer_of(reply.certificate).name))
        return reply

    def join_person(self, request: signed_pb2.JoinRequest, peer: Peer) -> signed_pb2.JoinReply:
        """An analyst's, a controller's or an auditor's first certificate, for the token."""
        return self._join(request, peer, {Role.ANALYST, Role.CONTROLLER, Role.AUDITOR})

    def renew(self, request: nodes_pb2.RenewRequest, peer: Peer) -> signed_pb2.JoinReply:
        """A new certificate for whoever shows a valid one: for the same role and name, always."""
        issued = self._issue(request.certificate_request, peer)
        self.members.renew(peer, issued, self.now())
        return self._reply(issued)

    def _join(self, request: signed_pb2.JoinRequest, peer: Peer, roles: set[Role]) -> signed_pb2.JoinReply:
        if len(request.signing_key) not in (0, PUBLIC_KEY_BYTES):
            raise MessageInvalid("A signing key has 32 bytes.")
        issued = self.members.join(
            peer.name,  # of a token's certificate: the token's id
            roles,
            lambda owner: self._issue(request.certificate_request, owner),
            request.signing_key,
            self.now(),
        )
        MEMBER_JOINED(**said_of(peer_of(issued.der)))
        return self._reply(issued)

    def _issue(self, request: bytes, peer: Peer) -> Issued:
        """A certificate for the request's key; of the request nothing else counts."""
        der = issue(self.authority, request, peer, now=self._now())
        certificate = x509.load_der_x509_certificate(der)
        public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        until_s = int(validity_of(der).not_after.timestamp())
        return Issued(der, certificate.serial_number, until_s, sha256(public))

    def _reply(self, issued: Issued) -> signed_pb2.JoinReply:
        return signed_pb2.JoinReply(certificate=issued.der, authority=self.authority.certificate_der)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

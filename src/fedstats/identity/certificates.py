"""The federation's certificate authority, and the certificates that open its TLS connections.

X.509 as in RFC 5280. One authority per federation, kept by the coordinator: ECDSA P-256, self-signed, for end
certificates only. A certificate opens connections and gives no authority over data.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fedstats.errors import CertificateProblem, MessageInvalid, ValueInvalid
from fedstats.identity.address import check_host, is_ip
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.tls_key import TlsKey

CLOCK_SKEW = timedelta(minutes=5)  # a new certificate already works where the clock is this much behind
AUTHORITY_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=90)
TITLE_CHARACTERS_MAX = 64  # ub-common-name, RFC 5280 appendix A.1
REQUEST_BYTES_MAX = 4096
HOSTS_MAX = 32


@dataclass(frozen=True, slots=True)
class Authority:
    """The federation's certificate authority. Its key opens connections, and nothing else."""

    certificate_der: bytes = field(repr=False)
    key: TlsKey

    def __post_init__(self) -> None:
        """Refuse a certificate that may not sign others, or is of another key."""
        certificate = _load(self.certificate_der)
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            constraints = x509.BasicConstraints(ca=False, path_length=None)
        if not constraints.ca or certificate.public_key() != self.key.public:
            raise CertificateProblem("This is not the certificate of this authority's key.")


def make_authority(title: str, *, now: datetime, lifetime: timedelta = AUTHORITY_LIFETIME) -> Authority:
    """Make a federation's authority with a new key; `title` is what people see as the issuer.

    Raises
    ------
    ValueInvalid
        The title is empty, longer than 64 characters or has unprintable ones, or `now` has no time zone.

    """
    if not 0 < len(title) <= TITLE_CHARACTERS_MAX or not title.isprintable() or title != title.strip():
        raise ValueInvalid(f"The title of a federation is 1 to {TITLE_CHARACTERS_MAX} printable characters.")
    return _authority(_name(title), TlsKey.generate(), now, lifetime)


def renew_authority(
    authority: Authority, *, now: datetime, lifetime: timedelta = AUTHORITY_LIFETIME
) -> Authority:
    """Make a later certificate of the same authority: same key, same name, so that nobody joins anew."""
    return _authority(_load(authority.certificate_der).subject, authority.key, now, lifetime)


def later_authority(known_der: bytes, shown_der: bytes) -> bytes:
    """Return the certificate to believe from now on: the one shown, if it is a later one of the same key.

    Whoever shows another key or name shows another authority, and is not believed: the known one stays.
    """
    known = _load(known_der)
    try:
        shown = _load(shown_der)
        shown.verify_directly_issued_by(known)  # so the subject that it names as its issuer is the known one
        is_authority = shown.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (CertificateProblem, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return known_der
    same = (shown.public_key(), shown.subject) == (known.public_key(), known.subject)
    later = shown.not_valid_after_utc > known.not_valid_after_utc
    return shown_der if is_authority and same and later else known_der


def _authority(subject: x509.Name, key: TlsKey, now: datetime, lifetime: timedelta) -> Authority:
    builder = (
        _builder(subject, issuer=subject, public=key.public, not_before=_utc(now) - CLOCK_SKEW)
        .not_valid_after(_utc(now) + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return Authority(builder.sign(key.private, hashes.SHA256()).public_bytes(Encoding.DER), key)


def issue(
    authority: Authority, request_der: bytes, peer: Peer, *, now: datetime, lifetime: timedelta = LIFETIME
) -> bytes:
    """Issue a client certificate (DER) for the key of a request, with the peer's role and name.

    What the request says about itself is ignored: role and name come from whoever approved it.

    Raises
    ------
    MessageInvalid
        The request is malformed, not for a P-256 key, or not signed by its own key.
    CertificateProblem
        The authority itself has expired.
    ValueInvalid
        The role is the coordinator's, which clients never get.

    """
    if peer.role is Role.COORDINATOR:
        raise ValueInvalid("A client certificate cannot carry the coordinator's role.")
    return _issue(
        authority,
        public=_requested_key(request_der),
        subject=_name(peer.name),
        names=[x509.UniformResourceIdentifier(peer.uri)],
        usage=ExtendedKeyUsageOID.CLIENT_AUTH,
        valid=_valid(authority, now, lifetime),
    )


def issue_server(
    authority: Authority,
    key: TlsKey,
    hosts: Sequence[str],
    *,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """Issue the coordinator's own certificate (DER), for the DNS names and IP addresses it is reached by.

    Raises
    ------
    ValueInvalid
        There is no host, there are more than 32, or one is neither a DNS name nor an IP address.
    CertificateProblem
        The authority itself has expired.

    """
    if not 0 < len(hosts) <= HOSTS_MAX:
        raise ValueInvalid(f"A server certificate needs 1 to {HOSTS_MAX} host names or IP addresses.")
    return _issue(
        authority,
        public=key.public,
        subject=_name("coordinator"),
        names=[
            *(_host_name(check_host(host)) for host in hosts),
            x509.UniformResourceIdentifier(Peer(Role.COORDINATOR, "").uri),
        ],
        usage=ExtendedKeyUsageOID.SERVER_AUTH,
        valid=_valid(authority, now, lifetime),
    )


def check_issued(certificate_der: bytes, authority_der: bytes, key: TlsKey) -> Peer:
    """Return whose certificate this is, after checking what a coordinator sent: our key, its authority.

    Raises
    ------
    CertificateProblem
        The certificate is for another key or by another authority, or carries no role.

    """
    certificate, authority = _load(certificate_der), _load(authority_der)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise CertificateProblem("The certificate is not issued by this federation's authority.") from None
    if certificate.public_key() != key.public:
        raise CertificateProblem("The certificate is for another key than ours.")
    return peer_of(certificate_der)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate counts (UTC)."""

    not_before: datetime
    not_after: datetime

    @property
    def renew_from(self) -> datetime:
        """When to ask for a new one: with a third of the time left."""
        return self.not_after - (self.not_after - self.not_before) / 3


def validity_of(certificate_der: bytes) -> Validity:
    """Read from when to when a certificate counts; raises CertificateProblem if it is none."""
    certificate = _load(certificate_der)
    return Validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def certificate_to_pem(certificate_der: bytes) -> bytes:
    """Turn a certificate into PEM, for files and the TLS library; raises CertificateProblem if it is none."""
    return _load(certificate_der).public_bytes(Encoding.PEM)


def certificate_from_pem(pem: bytes) -> bytes:
    """Read the DER of a PEM with one certificate; raises CertificateProblem if it holds none."""
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise CertificateProblem("These bytes are not a certificate in PEM form.") from None


def _issue(
    authority: Authority,
    *,
    public: ec.EllipticCurvePublicKey,
    subject: x509.Name,
    names: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    valid: Validity,
) -> bytes:
    issuer = _load(authority.certificate_der)
    issuer_key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(subject, issuer=issuer.subject, public=public, not_before=valid.not_before)
        .not_valid_after(valid.not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False
        )
    )
    return builder.sign(authority.key.private, hashes.SHA256()).public_bytes(Encoding.DER)


def _builder(
    subject: x509.Name, *, issuer: x509.Name, public: ec.EllipticCurvePublicKey, not_before: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _valid(authority: Authority, now: datetime, lifetime: timedelta) -> Validity:
    """No certificate outlives its authority."""
    end = validity_of(authority.certificate_der).not_after
    if _utc(now) >= end:
        raise CertificateProblem("The federation's certificate authority has expired.")
    return Validity(_utc(now) - CLOCK_SKEW, min(_utc(now) + lifetime, end))


def _requested_key(request_der: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a certificate request that is signed by that same key."""
    try:
        if len(request_der) > REQUEST_BYTES_MAX:
            raise ValueError  # noqa: TRY301 # too long is one more way of being malformed
        request = x509.load_der_x509_csr(request_der)
        public = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise MessageInvalid("The certificate request is malformed.") from None
    if not proven or not isinstance(public, ec.EllipticCurvePublicKey):
        raise MessageInvalid("The certificate request is not signed by its own ECDSA key.")
    if not isinstance(public.curve, ec.SECP256R1):
        raise MessageInvalid("The certificate request is for another curve than P-256.")
    return public


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load(certificate_der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate_der)
    except ValueError:
        raise CertificateProblem("These bytes are not a certificate.") from None


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host_name(host: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(host)) if is_ip(host) else x509.DNSName(host)


def _utc(now: datetime) -> datetime:
    """X.509 knows UTC and whole seconds; a time without a zone would be a guess."""
    if now.tzinfo is None:
        raise ValueInvalid("A time needs a time zone.")
    return now.astimezone(UTC).replace(microsecond=0)
